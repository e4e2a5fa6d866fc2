"""Renders the callees of a run before their calls start: speech, inner pauses, line noise, A-law.

Speech is at -20 dBFS (RMS where there is speech). The true first and last sample of each stretch are those
above -45 dBFS of the speech alone, before noise is mixed in; pauses are exact to the sample.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dialer.audio import FRAME_SAMPLES, RATE, VOICED_PEAK, read_wav, to_array
from dialer.bench.scripts.choose import HUMAN, CallPlan, Phrase
from dialer.bench.scripts.phrases import PhraseBook, phrase_books, pieces
from dialer.errors import SpeechError
from dialer.g711 import alaw_encode
from dialer.simulator.turncallee import CallScript, Kind, Notice, Remark
from dialer.simulator.voices import VoiceBox
from dialer.speech.prompts import PromptCache
from dialer.speech.tts_espeak import EspeakSynthesizer
from dialer.speech.tts_flite import FliteSynthesizer

HUMAN_FOLDER = Path("/usr/share/asterisk/sounds/en")
"""Debian's ``asterisk-core-sounds-en-wav``: one person in a studio."""

SPEECH_DBFS = -20.0
NOISE_DBFS = SPEECH_DBFS - 15.0
FLOOR_DBFS = -62.0
"""What a line without noise has in pauses."""

_NOISE_FRAMES = 400
_HUMMED = {"mm hm": (160, 220), "mm": (260,)}
_BABBLE = (
    "the people at the next table talk about the weather and their holidays",
    "and then she told me that the train would not come before seven",
    "we should ask the others what they would like to eat tonight",
    "he has been there for years and nobody ever saw him leave early",
)
_BABBLE_VOICES = ("slt", "rms", "en-us+f3", "en-gb+m3")

Wave: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A phrase as samples, with its stretches of speech as first and last sample."""

    samples: Wave
    stretches: tuple[tuple[int, int], ...]
    texts: tuple[str, ...]


class Studio:
    """Renders phrases; what was rendered before is taken from ``cache``.

    Args:
        cache: folder for renderings of single pieces.
    """

    def __init__(self, cache: Path) -> None:
        espeak = EspeakSynthesizer()
        flite = FliteSynthesizer(processes=2) if FliteSynthesizer.available() else None
        self._flite, self._espeak = flite, espeak
        self._box = VoiceBox(espeak, flite)
        self._cache = cache
        self._caches: dict[str, PromptCache] = {}
        self._rendered: dict[Phrase, _Rendered] = {}

    @staticmethod
    def has_human() -> bool:
        """Whether recorded human prompts are installed."""
        return HUMAN_FOLDER.is_dir()

    async def call(self, plan: CallPlan, notice_ms: int) -> tuple[CallScript, bytes]:
        """A callee's script and its A-law audio.

        Raises:
            SpeechError: a voice is unknown or failed.
            InputError: a recorded prompt is missing.
        """
        rng = np.random.default_rng(zlib.crc32(plan.number.encode()))
        noise = await self._noise(plan, rng)
        tape = _Tape(noise)
        idle = tape.background()

        async def remark(phrase: Phrase) -> Remark:
            return tape.add(phrase, await self._phrase(phrase, rng))

        answers = {
            question: tuple([await remark(phrase) for phrase in phrases])
            for question, phrases in plan.answers.items()
        }
        notices = tuple(
            [
                Notice(
                    tuple([(at, await remark(phrase)) for at, phrase in notice.asides]),
                    await remark(notice.remark),
                    notice.after_ms,
                )
                for notice in plan.notices
            ]
        )
        script = CallScript(
            number=plan.number,
            line=plan.line,
            noise=plan.noise,
            echo_db=plan.echo_db,
            echo_ms=plan.echo_ms,
            turns=plan.turns,
            answers=answers,
            notices=notices,
            reactions_ms=plan.reactions_ms,
            idle=idle,
            notice_ms=notice_ms,
        )
        return script, tape.octets()

    async def _phrase(self, phrase: Phrase, rng: np.random.Generator) -> _Rendered:
        if phrase.kind is Kind.COUGH:
            return _cough(rng)
        if phrase.kind is Kind.BACKCHANNEL and phrase.text in _HUMMED:
            return _hum(phrase.text, 110.0 if phrase.voice in ("rms", "kal16", "en-gb+m3") else 190.0)
        if phrase not in self._rendered:
            book = phrase_books()[phrase.voice == HUMAN and phrase.kind is not Kind.BACKCHANNEL]
            self._rendered[phrase] = await self._speak(phrase, book)
        return self._rendered[phrase]

    async def _speak(self, phrase: Phrase, book: PhraseBook) -> _Rendered:
        parts = pieces(phrase.text, phrase.pause_ms)
        waves = [await self._piece(words, phrase.voice) for words, _ in parts]
        gain = _gain_to(np.concatenate(waves), SPEECH_DBFS)
        samples: list[Wave] = []
        stretches = []
        at = 0
        for wave, (words, pause_ms) in zip(waves, parts, strict=True):
            spoken = _trimmed(gain * wave)
            if not spoken.size:
                raise SpeechError(f"the voice {phrase.voice} has no sound for {words!r}")
            stretches.append((at, at + spoken.size - 1))
            silence = np.zeros(round(RATE * pause_ms / 1000))
            samples += [spoken, silence]
            at += spoken.size + silence.size
        return _Rendered(
            np.concatenate(samples), tuple(stretches), tuple(book.said(words) for words, _ in parts)
        )

    async def _piece(self, words: str, voice: str) -> Wave:
        if voice == HUMAN:
            files = [HUMAN_FOLDER / f"{name}.wav" for name in words.split()]
            return np.concatenate([read_wav(path).astype(np.float64) for path in files])
        if voice not in self._caches:
            spoken = self._box.voice(voice)
            engine = self._flite if spoken.engine == "flite" and self._flite is not None else self._espeak
            self._caches[voice] = PromptCache(engine, {"en": spoken}, folder=self._cache)
        return to_array(await self._caches[voice].fetch(words, "en")).astype(np.float64)

    async def _noise(self, plan: CallPlan, rng: np.random.Generator) -> Wave:
        count = _NOISE_FRAMES * FRAME_SAMPLES
        level = NOISE_DBFS if plan.noise else FLOOR_DBFS
        if plan.noise == "babble":
            waves = [
                await self._piece(text, voice) for text, voice in zip(_BABBLE, _BABBLE_VOICES, strict=True)
            ]
            shifts = rng.integers(0, count, len(waves))
            wave: Wave = np.sum(
                [np.roll(np.resize(w, count), int(s)) for w, s in zip(waves, shifts, strict=True)], axis=0
            )
        else:
            wave = rng.standard_normal(count)
        if plan.noise == "pink":
            spectrum = np.fft.rfft(wave)
            spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
            spectrum[0] = 0
            wave = np.fft.irfft(spectrum, count)
        gain = 32768 * 10 ** (level / 20) / float(np.sqrt(np.mean(wave**2)))
        return np.asarray(gain * wave)


class _Tape:
    """All audio of a call, noise mixed in."""

    def __init__(self, noise: Wave) -> None:
        self._noise = noise
        self._parts: list[NDArray[Any]] = []
        self._frames = 0

    def background(self) -> tuple[int, int]:
        """The noise alone; gives its place."""
        return self._put(np.zeros(self._noise.size))

    def add(self, phrase: Phrase, rendered: _Rendered) -> Remark:
        """A remark; it starts with its first voiced sample."""
        rest = -rendered.samples.size % FRAME_SAMPLES
        start, frames = self._put(np.concatenate((rendered.samples, np.zeros(rest))))
        voiced = tuple((a // FRAME_SAMPLES, b // FRAME_SAMPLES) for a, b in rendered.stretches)
        gaps = zip(rendered.stretches, rendered.stretches[1:], strict=False)
        words = []
        for (first, last), text in zip(voiced, rendered.texts, strict=True):
            done, letters = 0, len(text.replace(" ", ""))
            for word in text.split():
                done += len(word)
                words.append((word, first + round((last - first) * done / letters)))
        return Remark(
            kind=phrase.kind,
            text=" ".join(rendered.texts),
            voice=phrase.voice,
            start=start,
            frames=frames,
            voiced=voiced,
            pauses_ms=tuple(1000 * (b - a - 1) / RATE for (_, a), (b, _) in gaps),
            words=tuple(words),
        )

    def octets(self) -> bytes:
        """A-law."""
        return alaw_encode(np.concatenate(self._parts).astype("<i2").tobytes())

    def _put(self, samples: Wave) -> tuple[int, int]:
        start, frames = self._frames, samples.size // FRAME_SAMPLES
        noise = np.take(self._noise, np.arange(samples.size) + start * FRAME_SAMPLES, mode="wrap")
        self._parts.append(np.clip(np.rint(samples + noise), -32768, 32767))
        self._frames += frames
        return start, frames


def _gain_to(wave: Wave, dbfs: float) -> float:
    """What brings the loud parts of ``wave`` (20 ms frames within 30 dB of the loudest) to this level."""
    frames = wave[: wave.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    power = np.mean(frames**2, axis=1)
    level = float(np.sqrt(power[power > power.max() / 1000].mean()))
    return float(32768 * 10 ** (dbfs / 20) / level)


def _trimmed(wave: Wave) -> Wave:
    """``wave`` from its first to its last sample above -45 dBFS."""
    loud = np.flatnonzero(np.abs(wave) > VOICED_PEAK)
    return wave[loud[0] : loud[-1] + 1] if loud.size else wave[:0]


def _cough(rng: np.random.Generator) -> _Rendered:
    """Two bursts of noise, steep and fading, 100 ms apart: 90 and 150 ms."""
    bursts = []
    for ms, loudness in ((90, 1.0), (150, 0.7)):
        count = RATE * ms // 1000
        fade = np.minimum(1, np.arange(count) / 40) * np.exp(-3 * np.arange(count) / count)
        noise = np.convolve(rng.standard_normal(count + 3), np.ones(4) / 4, mode="valid")
        bursts.append(loudness * fade * noise[:count])
    gap = np.zeros(RATE // 10)
    wave = np.concatenate((bursts[0], gap, bursts[1]))
    wave = _trimmed(wave * (8000 / np.abs(wave).max()))
    return _Rendered(wave, ((0, wave.size - 1),), ("",))


def _hum(text: str, pitch_hz: float) -> _Rendered:
    """A closed mouth: harmonics fading by the square of their number, pitch rising in the last syllable."""
    parts: list[Wave] = []
    lengths = _HUMMED[text]
    for number, ms in enumerate(lengths):
        t = np.arange(RATE * ms // 1000) / RATE
        last = number == len(lengths) - 1 and number > 0
        phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + (0.25 if last else -0.1) * t / t[-1])) / RATE
        tone = np.sum([np.sin(k * phase) / k**2 for k in range(1, 9)], axis=0)
        parts += [tone * np.minimum(1, np.minimum(t, t[-1] - t) / 0.03), np.zeros(RATE * 40 // 1000)]
    wave = np.concatenate(parts[:-1])
    wave = _trimmed(wave * _gain_to(wave, SPEECH_DBFS))
    return _Rendered(wave, ((0, wave.size - 1),), (text,))
