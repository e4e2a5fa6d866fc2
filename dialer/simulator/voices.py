"""What a callee says, rendered before its call starts: speech, inner pauses, the beep, line noise."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dialer.audio import (
    FRAME_BYTES,
    FRAME_SAMPLES,
    RATE,
    VOICED_PEAK,
    Pcm,
    pad_to_frames,
    to_array,
    trim_leading_silence,
    trim_trailing_silence,
)
from dialer.errors import SpeechError
from dialer.simulator.persona import Persona, pieces, spoken
from dialer.simulator.script import VOICEMAIL, clip_texts
from dialer.speech.base import Synthesizer, Voice

FLITE_STAND_INS: Mapping[str, str] = {
    "slt": "en-us+f3",
    "rms": "en-us+m3",
    "kal": "en-us+m1",
    "kal16": "en-us+m7",
    "awb": "en-gb-scotland+m2",
}
"""flite's voices, and the eSpeak NG voice that speaks instead where flite is not installed."""

BEEP_HZ = 1000
BEEP_MS = 300
BEEP_AFTER_MS = 400
_BEEP_PEAK = 0.25  # -12 dBFS, as loud as people record their greetings
_NOISE_S = 4


@dataclass(frozen=True, slots=True)
class Clip:
    """Something a callee says.

    Attributes:
        pcm: int16 mono at 8 kHz, whole frames, voiced from the first frame on.
        text: the words.
        first_ms, last_ms: its first and last voiced sample, from the start of ``pcm``.
    """

    pcm: bytes
    text: str
    first_ms: float
    last_ms: float

    @property
    def frames(self) -> int:
        """How many frames of 20 ms it has."""
        return len(self.pcm) // FRAME_BYTES


def clip(pcm: bytes, text: str) -> Clip:
    """A clip of ``pcm`` (int16 mono at 8 kHz), silence at its start cut off."""
    whole = pad_to_frames(trim_leading_silence(pcm))
    loud = np.flatnonzero(np.abs(to_array(whole).astype(np.int32)) > VOICED_PEAK)
    if loud.size == 0:
        return Clip(whole, text, 0.0, 0.0)
    return Clip(whole, text, 1000 * int(loud[0]) / RATE, 1000 * int(loud[-1]) / RATE)


def beep() -> bytes:
    """1 kHz for 300 ms, 5 ms of ramp at both ends: what a mailbox plays before it records."""
    t = np.arange(RATE * BEEP_MS // 1000) / RATE
    ramp = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.005)
    wave = _BEEP_PEAK * 32767 * ramp * np.sin(2 * np.pi * BEEP_HZ * t)
    return np.asarray(np.rint(wave), dtype="<i2").tobytes()


class Noise:
    """White noise that goes on for ever (a loop of some seconds), the same for the same seed.

    Args:
        dbfs: RMS level in dB under full scale.
        seed: any text.
    """

    def __init__(self, dbfs: float, seed: str) -> None:
        rng = np.random.default_rng(zlib.crc32(seed.encode()))
        samples = rng.standard_normal(_NOISE_S * RATE) * 32768 * 10 ** (dbfs / 20)
        self._loop = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
        self._at = 0

    def take(self, frames: int) -> bytes:
        """The next ``frames`` frames of 20 ms."""
        return self._next(frames * FRAME_SAMPLES).tobytes()

    def under(self, pcm: bytes) -> bytes:
        """``pcm`` with the next noise mixed in, full scale being the limit."""
        samples = to_array(pcm)
        mixed = samples.astype(np.int32) + self._next(samples.size)
        limited: Pcm = np.clip(mixed, -32768, 32767).astype(np.int16)
        return limited.tobytes()

    def _next(self, count: int) -> Pcm:
        indices = (self._at + np.arange(count)) % self._loop.size
        self._at = (self._at + count) % self._loop.size
        return self._loop[indices]


class VoiceBox:
    """Renders what personas say.

    Args:
        espeak: eSpeak NG.
        flite: flite, None where it is not installed; its voices are then spoken by eSpeak NG.
    """

    def __init__(self, espeak: Synthesizer, flite: Synthesizer | None) -> None:
        self._espeak = espeak
        self._flite = flite

    def voice(self, name: str) -> Voice:
        """Who speaks for a persona's ``voice``."""
        if name not in FLITE_STAND_INS:
            return Voice("espeak", name)
        if self._flite is not None:
            return Voice("flite", name)
        return Voice("espeak", FLITE_STAND_INS[name])

    async def render(self, persona: Persona) -> dict[str, Clip]:
        """Every clip of a persona by name, without noise.

        Raises:
            SpeechError: its voice is unknown, or something it says has no sound.
        """
        voice = self.voice(persona.voice)
        texts = clip_texts(persona)
        rendered = await asyncio.gather(*(self._say(text, voice) for text in texts.values()))
        clips: dict[str, Clip] = {}
        for (name, text), pcm in zip(texts.items(), rendered, strict=True):
            if not pcm:
                raise SpeechError(f"persona {persona.name}: the voice {voice.name} has no sound for {text!r}")
            if name == VOICEMAIL and persona.answer.beeps:
                tail = bytes(2 * RATE * BEEP_AFTER_MS // 1000) + beep()
            else:
                tail = b""
            clips[name] = clip(pcm + tail, spoken(text))
        return clips

    async def _say(self, text: str, voice: Voice) -> bytes:
        engine = self._flite if voice.engine == "flite" and self._flite is not None else self._espeak
        parts = pieces(text)
        spoken_parts = await asyncio.gather(*(engine.synthesize(words, voice) for words, _ in parts if words))
        audio = iter(spoken_parts)
        pcm = b""
        for words, pause_ms in parts:
            if words:
                pcm += trim_trailing_silence(next(audio), keep_ms=0)
            pcm += bytes(2 * RATE * pause_ms // 1000)
        return trim_trailing_silence(pcm)
