"""When a callee's turn begins, pauses and ends.

A pure machine: one call of ``frame`` for each 20 ms of the callee, stamps as values. The wait after the
last voiced frame (the tail) depends on what has been understood so far:

    understood                                         tail
    nothing yet, or it looks unfinished                ``max_tail_ms``
    complete and confident                             ``min_tail_ms``
    the same, one word was expected and few came       ``one_word_tail_ms``
    anything between                                   between, by the score
    numbers are expected and they are not complete     ``max_tail_ms``

    idle --60 ms voiced--> speaking --160 ms silent--> paused --tail--> idle
           SPEECH_STARTED            PAUSE        \\    TURN_ENDED or FALSE_START
                                                    --40 ms voiced--> speaking
                                                       RESUMED

At PAUSE the reply can be prepared; at RESUMED what was prepared is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from dialer.audio import FRAME_MS
from dialer.clock import NS_PER_MS
from dialer.dialog.messages import Expectation
from dialer.speech.hesitation import looks_unfinished

_FRAME_NS = FRAME_MS * NS_PER_MS
_ALL = 0xFF  # the last eight frames, one bit each, the newest lowest


class Signal(Enum):
    """What ``Endpointer.frame`` reports."""

    SPEECH_STARTED = auto()
    PAUSE = auto()
    """A pause that may become the end: prepare a reply now."""
    RESUMED = auto()
    """The callee goes on: drop what was prepared."""
    TURN_ENDED = auto()
    FALSE_START = auto()
    """It was a click or a cough: nothing was said."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Times in milliseconds.

    Attributes:
        min_tail_ms: silence that ends a complete, confident utterance.
        one_word_tail_ms: the same where one word was expected and at most ``one_word_words`` came.
        max_tail_ms: silence that ends any utterance.
        start_ms: voiced audio (within 160 ms) that starts an utterance.
        resume_ms: voiced audio (within 160 ms) that ends a pause.
        pre_roll_ms: audio before the start that belongs to the utterance (for who feeds the recogniser).
        pause_ms: silence at which a reply is prepared.
        false_start_ms: an utterance without words and with less voiced audio than this was none.
        stable_ms: how long the words must have stayed the same before a short tail may end the turn.
        digits_tail_ms: least tail where numbers are expected and they are complete.
        max_turn_ms: an utterance that goes on for longer is cut here (a line stuck in noise).
        sure_score, unsure_score: the scores at and above (below) which the tail is the shortest (longest).
        one_word_words: see ``one_word_tail_ms``.
    """

    min_tail_ms: int = 280
    one_word_tail_ms: int = 200
    max_tail_ms: int = 800
    start_ms: int = 60
    resume_ms: int = 40
    pre_roll_ms: int = 300
    pause_ms: int = 160
    false_start_ms: int = 100
    stable_ms: int = 100
    digits_tail_ms: int = 450
    max_turn_ms: int = 30_000
    sure_score: float = 0.6
    unsure_score: float = 0.3
    one_word_words: int = 3

    def __post_init__(self) -> None:
        if not self.pause_ms <= self.one_word_tail_ms <= self.min_tail_ms <= self.max_tail_ms:
            raise ValueError("pause_ms <= one_word_tail_ms <= min_tail_ms <= max_tail_ms must hold")
        if not self.unsure_score < self.sure_score:
            raise ValueError("unsure_score must be below sure_score")
        if not FRAME_MS <= self.resume_ms <= self.start_ms <= 8 * FRAME_MS:
            raise ValueError(f"{FRAME_MS} <= resume_ms <= start_ms <= {8 * FRAME_MS} must hold")


class Endpointer:
    """The endpointing of one call.

    Attributes:
        in_speech: an utterance is open (a pause belongs to it).
        paused: the open utterance is in a pause.
        speech_started_ns: start of the first voiced frame of the open (or last) utterance; 0 before any.
        last_voiced_ns: end of the last voiced frame of the open (or last) utterance; 0 before any.
        voiced_ms: how much voiced audio the open (or last) utterance holds.
        tail_ms: the silence that would end the open utterance, as things stand.
    """

    def __init__(self, settings: EndpointSettings | None = None, language: str = "en") -> None:
        self._settings = settings or EndpointSettings()
        self._language = language
        self._start_frames = -(-self._settings.start_ms // FRAME_MS)
        self._resume_frames = -(-self._settings.resume_ms // FRAME_MS)
        self._pause_ns = self._settings.pause_ms * NS_PER_MS
        self._max_turn_ns = self._settings.max_turn_ms * NS_PER_MS
        self._expectation = Expectation.OPEN
        self._min_tail_ms = self._settings.min_tail_ms
        self._max_tail_ms = self._settings.max_tail_ms
        self._now_ns = 0
        self.in_speech = False
        self.paused = False
        self.speech_started_ns = 0
        self.last_voiced_ns = 0
        self.voiced_ms = 0
        self.tail_ms = self._max_tail_ms
        self._recent = 0
        self._words = False
        self._stable_since_ns: int | None = None

    def listen(
        self,
        expectation: Expectation,
        min_tail_ms: int | None = None,
        max_tail_ms: int | None = None,
        language: str | None = None,
    ) -> None:
        """What the dialog waits for from now on. An utterance that is open goes on under the new bounds."""
        self._expectation = expectation
        self._min_tail_ms = self._settings.min_tail_ms if min_tail_ms is None else min_tail_ms
        self._max_tail_ms = max(
            self._min_tail_ms, self._settings.max_tail_ms if max_tail_ms is None else max_tail_ms
        )
        if language is not None:
            self._language = language
        if self._stable_since_ns is None:
            self.tail_ms = self._max_tail_ms

    def reset(self) -> None:
        """Forget the open utterance, as if nothing had been heard."""
        self.in_speech = False
        self.paused = False
        self._recent = 0
        self._forget_meaning()

    def frame(self, t_ns: int, speech: bool) -> Signal | None:
        """One frame of the callee.

        Args:
            t_ns: monotonic stamp of the frame's end.
            speech: what the voice activity detection says of it.

        Returns:
            What begins or ends with this frame, at most one thing.
        """
        self._now_ns = t_ns
        self._recent = (self._recent << 1 | speech) & _ALL
        if not self.in_speech:
            return self._idle_frame(t_ns, speech)
        if self.paused:
            return self._paused_frame(t_ns, speech)
        if speech:
            self.last_voiced_ns = t_ns
            self.voiced_ms += FRAME_MS
            if t_ns - self.speech_started_ns >= self._max_turn_ns:
                return self._end(Signal.TURN_ENDED)
            return None
        if t_ns - self.last_voiced_ns >= self._pause_ns:
            self.paused = True
            self._recent = 0
            return Signal.PAUSE
        return None

    def understood(self, text: str, score: float, complete: bool, stable_ms: float) -> None:
        """What the words of the open utterance mean so far; ask again after each change of the words.

        Args:
            text: the recogniser's words.
            score: confidence in the intent, 0 to 1.
            complete: the dialog needs nothing more (an intent it can act on, the slots it asked for).
            stable_ms: for how long the words have been the same.
        """
        if not self.in_speech:
            return
        if not text:
            self._forget_meaning()
            return
        self._words = True
        self._stable_since_ns = self._now_ns - round(stable_ms * NS_PER_MS)
        self.tail_ms = self._tail_for(text, score, complete)

    def _tail_for(self, text: str, score: float, complete: bool) -> int:
        settings = self._settings
        longest = self._max_tail_ms
        if score < settings.unsure_score or looks_unfinished(text, self._language):
            return longest
        shortest = self._min_tail_ms
        if self._expectation is Expectation.DIGITS:
            if not complete:
                return longest
            shortest = min(longest, max(shortest, settings.digits_tail_ms))
        elif self._expectation is Expectation.ONE_WORD and len(text.split()) <= settings.one_word_words:
            shortest = min(shortest, settings.one_word_tail_ms)
        doubt = (settings.sure_score - score) / (settings.sure_score - settings.unsure_score)
        if not complete:
            doubt = max(doubt, 0.5)
        return shortest + round((longest - shortest) * min(1.0, max(0.0, doubt)))

    def _idle_frame(self, t_ns: int, speech: bool) -> Signal | None:
        if not speech or self._recent.bit_count() < self._start_frames:
            return None
        self.in_speech = True
        self.paused = False
        self.speech_started_ns = t_ns - self._recent.bit_length() * _FRAME_NS
        self.last_voiced_ns = t_ns
        self.voiced_ms = self._recent.bit_count() * FRAME_MS
        self._forget_meaning()
        return Signal.SPEECH_STARTED

    def _paused_frame(self, t_ns: int, speech: bool) -> Signal | None:
        if speech and self._recent.bit_count() >= self._resume_frames:
            self.paused = False
            self.last_voiced_ns = t_ns
            self.voiced_ms += self._recent.bit_count() * FRAME_MS
            # What was understood is of the past: until the words are known again, wait.
            self._stable_since_ns = None
            self.tail_ms = self._max_tail_ms
            return Signal.RESUMED
        silent_ns = t_ns - self.last_voiced_ns
        if silent_ns >= self._max_tail_ms * NS_PER_MS:
            return self._end(Signal.TURN_ENDED if self._was_speech() else Signal.FALSE_START)
        if silent_ns < self.tail_ms * NS_PER_MS:
            return None
        if self._stable_since_ns is None or (
            t_ns - self._stable_since_ns < self._settings.stable_ms * NS_PER_MS
        ):
            return None
        return self._end(Signal.TURN_ENDED)

    def _was_speech(self) -> bool:
        return self._words or self.voiced_ms >= self._settings.false_start_ms

    def _end(self, signal: Signal) -> Signal:
        self.in_speech = False
        self.paused = False
        self._recent = 0
        return signal

    def _forget_meaning(self) -> None:
        self._words = False
        self._stable_since_ns = None
        self.tail_ms = self._max_tail_ms
