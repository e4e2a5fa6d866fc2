"""A recogniser that knows what its callees say: the texts come from the truth, at their true times.

What a real engine costs and mishears is taken out; audio is fed to it as to any other, and a word is told
``LATENCY_MS`` after its end. A policy that cuts a sentence in two gets each part's own words.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from dialer.clock import NS_PER_MS, Clock
from dialer.simulator.turncallee import Remark
from dialer.speech.base import Hypothesis, RecognizerListener

FRAME_NS = 20 * NS_PER_MS
LATENCY_MS = 150
"""Word end to partial: decoding lags the audio, and audio passes a jitter buffer first."""

PRE_ROLL_MS = 300
_REMARKS_KEPT = 4


class ScriptedSession:
    """One call (``speech.base.RecognizerSession``)."""

    def __init__(
        self, clock: Clock, listener: RecognizerListener, words: Callable[[int, int], list[str]]
    ) -> None:
        self._clock = clock
        self._listener = listener
        self._words = words
        self._utterance = 0
        self._since_ns = 0
        self._audio_ms = 0
        self._told = ""
        self._open = False
        self._closed = False

    def begin(self, utterance: int, context: str) -> None:
        """An utterance: words that end after its pre-roll are of it."""
        self._utterance = utterance
        self._since_ns = self._clock.now_ns() - PRE_ROLL_MS * NS_PER_MS
        self._audio_ms = 0
        self._told = ""
        self._open = True

    def feed(self, pcm: bytes | memoryview) -> None:
        """Audio; every fifth frame is when a real worker looks at the words."""
        if not self._open:
            return
        self._audio_ms += len(pcm) // 16
        if self._audio_ms % 100 == 0:
            text = self._text(LATENCY_MS)
            if text != self._told:
                self._told = text
                self._listener.on_hypothesis(Hypothesis(self._utterance, text, None, False, self._audio_ms))

    def finish(self) -> None:
        """The final words follow at once."""
        if self._open:
            self._open = False
            final = Hypothesis(self._utterance, self._text(0), None, True, self._audio_ms)
            asyncio.get_running_loop().call_soon(self._tell_final, final)

    def cancel(self) -> None:
        """Forget the utterance."""
        self._open = False

    def close(self) -> None:
        """The call is over; nothing is told any more."""
        self._open = False
        self._closed = True

    def _tell_final(self, hypothesis: Hypothesis) -> None:
        if not self._closed:
            self._listener.on_hypothesis(hypothesis)

    def _text(self, latency_ms: int) -> str:
        return " ".join(self._words(self._since_ns, self._clock.now_ns() - latency_ms * NS_PER_MS))


class ScriptedRecognizer:
    """All calls (``speech.base.Recognizer``).

    Args:
        clock: time, the same as the callees'.
        remarks: of each number, by their place in its audio (``Remark.start``).
    """

    def __init__(self, clock: Clock, remarks: Mapping[str, Mapping[int, Remark]]) -> None:
        self._clock = clock
        self._remarks = remarks
        self._number_of: dict[str, str] = {}
        self._said: dict[str, deque[tuple[int, Remark]]] = {}

    def expect(self, call_id: str, number: str) -> None:
        """This call will be placed to this number."""
        self._number_of[call_id] = number
        self._said[number] = deque(maxlen=_REMARKS_KEPT)

    def said(self, number: str, start: int, t_ns: int) -> None:
        """A callee has begun a remark at ``t_ns``."""
        self._said[number].append((t_ns, self._remarks[number][start]))

    def open(self, call_id: str, listener: RecognizerListener) -> ScriptedSession:
        """A session for one call."""
        said = self._said[self._number_of[call_id]]

        def words(since_ns: int, until_ns: int) -> list[str]:
            return [
                word
                for t_ns, remark in said
                for word, frame in remark.words
                if since_ns < t_ns + frame * FRAME_NS <= until_ns
            ]

        return ScriptedSession(self._clock, listener, words)
