"""Protocols of the speech engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol


class VoiceActivity(Protocol):
    """Says whether a frame holds speech; keeps state for one line."""

    def is_speech(self, pcm: bytes | memoryview) -> bool:
        """``pcm``: 20 ms of int16 mono at 8 kHz, 320 bytes."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the recogniser believes was said in one utterance.

    Attributes:
        utterance: the number given to ``begin``.
        text: words, lower case, without punctuation; empty where nothing was understood.
        confidence: 0 to 1, or None where the engine has none worth the name.
        final: no further hypothesis of this utterance follows.
        audio_ms: how much audio of the utterance it rests on.
    """

    utterance: int
    text: str
    confidence: float | None
    final: bool
    audio_ms: int


class RecognizerListener(Protocol):
    """Who gets the hypotheses of one call. Called in the loop's thread."""

    def on_hypothesis(self, hypothesis: Hypothesis) -> None:
        """A partial (only when the text changed) or the final one."""

    def on_recognizer_failed(self, reason: str) -> None:
        """The recogniser of this call is gone and will not come back for it."""


class RecognizerSession(Protocol):
    """The recogniser of one call. All calls return at once; nothing blocks the loop."""

    def begin(self, utterance: int, context: str) -> None:
        """Start an utterance; ``context`` names what can be said (a dialog state's language model)."""

    def feed(self, pcm: bytes | memoryview) -> None:
        """Audio of the open utterance, whole frames of int16 mono at 8 kHz."""

    def finish(self) -> None:
        """No more audio: the final hypothesis follows."""

    def cancel(self) -> None:
        """Forget the open utterance; nothing follows."""

    def close(self) -> None:
        """The call is over."""


class Recognizer(Protocol):
    """A pool of speech workers."""

    def open(self, call_id: str, listener: RecognizerListener) -> RecognizerSession:
        """A session for one call.

        Raises:
            SpeechError: no worker is alive or all are full.
        """


@dataclass(frozen=True, slots=True)
class Voice:
    """How something is spoken: the engine's voice name and its settings.

    Attributes:
        engine: ``espeak`` (eSpeak NG through espeakng-loader) or another adapter's name.
        name: the engine's voice (``en-us``, ``cmn``, ``yue``).
        rate_wpm: words a minute.
        pitch: 0 to 99.
        volume: 0 to 200, 100 being the engine's own.
    """

    engine: str = "espeak"
    name: str = "en-us"
    rate_wpm: int = 165
    pitch: int = 50
    volume: int = 100


class Synthesizer(Protocol):
    """Turns text into audio."""

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        """int16 mono at 8 kHz, trimmed of silence at both ends, padded to whole frames.

        Raises:
            SpeechError: the voice is unknown or the engine failed.
        """


@dataclass(frozen=True, slots=True)
class LanguageContext:
    """What a recogniser may expect in one dialog state: the sentences of the intents allowed there.

    Attributes:
        name: the ``context`` of ``RecognizerSession.begin``.
        language: BCP 47 primary tag.
        sentences: example sentences, each with the intent it stands for.
    """

    name: str
    language: str
    sentences: Sequence[tuple[str, str]] = ()
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
