"""The ears of one call: which frames are speech, when an utterance begins and ends, what was said.

Only speech, with a pre-roll, goes to the recogniser: a call is silent on the callee's side for most of
its time, and recognition is what costs.
"""

from __future__ import annotations

from collections import deque

from dialer.audio import FRAME_MS, SILENT_FRAME
from dialer.clock import NS_PER_MS, ms_between
from dialer.dialog.messages import Listen
from dialer.speech.base import Hypothesis, RecognizerSession, VoiceActivity
from dialer.speech.echo import EchoGate
from dialer.speech.endpointing import Endpointer, Signal


class Listener:
    """Frames in, endpointing signals out; keeps the text of the open utterance.

    Args:
        vad: voice activity of this line.
        endpointer: the pure policy.
        session: the recogniser's session; None once it has failed.
        pre_roll_ms: how much audio before the first voiced frame the recogniser gets.
        reopen_ms: speech this soon after the end of a turn belongs to that turn.
        context_prefix: put before the dialog state's name to name the recogniser's context.
    """

    def __init__(
        self,
        vad: VoiceActivity,
        endpointer: Endpointer,
        session: RecognizerSession | None,
        *,
        pre_roll_ms: int = 300,
        reopen_ms: int = 400,
        context_prefix: str = "",
    ) -> None:
        self._vad = vad
        self._echo = EchoGate()
        self._endpointer = endpointer
        self._session = session
        self._pre_roll: deque[bytes] = deque(maxlen=max(1, pre_roll_ms // FRAME_MS))
        self._context_prefix = context_prefix
        self._context = ""
        self._utterance_context = ""  # of the last utterance
        self._reopen_ns = reopen_ms * NS_PER_MS
        self._ended_ns = -self._reopen_ns
        self._feeding = False
        self._now_ns = 0
        self.utterance = 0
        self.text = ""
        self.text_since_ns = 0
        self.final = False
        self.speech = False  # of the last frame

    @property
    def speech_started_ns(self) -> int:
        """First voiced frame of the open (or last) utterance."""
        return self._endpointer.speech_started_ns

    @property
    def last_voiced_ns(self) -> int:
        """Last voiced frame of the open (or last) utterance."""
        return self._endpointer.last_voiced_ns

    @property
    def in_speech(self) -> bool:
        """Whether an utterance is open (its pauses included)."""
        return self._endpointer.in_speech

    def expect(self, listen: Listen) -> None:
        """The dialog has moved: other answers are expected from the next utterance on.

        One that begins within ``reopen_ms`` of the last end still belongs to what was expected before.
        """
        self._context = self._context_prefix + listen.state
        self._endpointer.listen(listen.expectation, listen.min_tail_ms, listen.max_tail_ms)

    def frame(self, pcm: memoryview, t_ns: int, *, missing: int = 0, speaking: bool = False) -> Signal | None:
        """Hear 20 ms.

        Args:
            pcm: 320 bytes, int16 mono at 8 kHz.
            t_ns: when the card got it.
            missing: frames that the hand-over lost just before this one; silence stands for them.
            speaking: whether we are being heard at the moment.

        Returns:
            What endpointing makes of it; None for nothing new.
        """
        self._now_ns = t_ns
        session = self._session
        if missing and self._feeding and session is not None:
            session.feed(SILENT_FRAME * min(missing, 50))
        if speaking:
            self._echo.speaking(t_ns)
        self.speech = self._vad.is_speech(pcm) and self._echo.passes(pcm, t_ns)
        signal = self._endpointer.frame(t_ns, self.speech)
        if signal is Signal.SPEECH_STARTED:
            self.utterance += 1
            self.text = ""
            self.final = False
            self.text_since_ns = t_ns
            if session is not None:
                goes_on = self.speech_started_ns - self._ended_ns < self._reopen_ns
                if not goes_on:
                    self._utterance_context = self._context
                session.begin(self.utterance, self._utterance_context)
                for earlier in self._pre_roll:
                    session.feed(earlier)
                session.feed(pcm)
                self._feeding = True
            self._pre_roll.clear()
        elif self._feeding and session is not None:
            session.feed(pcm)
            if signal is Signal.TURN_ENDED:
                self._ended_ns = t_ns
                session.finish()
                self._feeding = False
            elif signal is Signal.FALSE_START:
                session.cancel()
                self._feeding = False
        else:
            self._pre_roll.append(bytes(pcm))
        return signal

    @property
    def vad(self) -> VoiceActivity:
        """The detector of this line, for when no turn is to be taken."""
        return self._vad

    def hypothesis(self, hypothesis: Hypothesis) -> bool:
        """Take what the recogniser says; False where it belongs to an utterance of the past."""
        if hypothesis.utterance != self.utterance:
            return False
        if hypothesis.text != self.text:
            self.text = hypothesis.text
            self.text_since_ns = self._now_ns
        self.final = self.final or hypothesis.final
        return True

    def understood(self, text: str, score: float, complete: bool) -> None:
        """Tell endpointing how complete the utterance looks."""
        stable_ms = ms_between(self.text_since_ns, max(self._now_ns, self.text_since_ns))
        self._endpointer.understood(text, score, complete, stable_ms)

    def recognizer_failed(self) -> None:
        """No words any more in this call."""
        self._session = None
        self._feeding = False
