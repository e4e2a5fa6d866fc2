"""What callees say, as audio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dialer.audio import FRAME_BYTES, RATE, level_dbfs, to_array
from dialer.errors import SpeechError
from dialer.simulator.persona import Persona
from dialer.simulator.voices import BEEP_AFTER_MS, BEEP_MS, FLITE_STAND_INS, Noise, VoiceBox, beep, clip
from dialer.speech.base import Voice
from dialer.speech.tts_espeak import EspeakSynthesizer
from dialer.speech.tts_flite import VOICES

WORD_MS = 200


class Tone:
    """Says every text as 200 ms of a constant, with silence around it; writes down who was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Voice]] = []

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        self.asked.append((text, voice))
        if text == "...":
            return b""
        return to_array(bytes(320)).tobytes() + b"\x00\x20" * (RATE * WORD_MS // 1000) + bytes(640)


def persona(**more: Any) -> Persona:
    data = {"name": "somebody", "number": "+12025550101", "expect": {"disposition": "x"}, **more}
    return Persona.model_validate(data)


async def test_clips_have_exact_inner_pauses() -> None:
    box = VoiceBox(Tone(), Tone())
    clips = await box.render(persona(says=[{"text": "I pay [400] today."}, {"dtmf": "1"}]))
    assert list(clips) == ["says.0"]
    said = clips["says.0"]
    assert said.text == "I pay today."
    voiced = np.abs(to_array(said.pcm).astype(int)) > 200
    edges = np.flatnonzero(np.diff(voiced.astype(int)))
    assert [round(1000 * int(e + 1) / RATE) for e in edges][:2] == [
        200,
        200 + 400 + 20,
    ]  # the stand-in's own lead
    assert said.first_ms == 0.0
    assert said.frames * FRAME_BYTES == len(said.pcm)


def test_a_clip_begins_with_its_first_sound() -> None:
    made = clip(bytes(2 * 800) + b"\x00\x20" * 800, "x")
    assert (made.first_ms, made.last_ms, made.frames) == (0.0, 799 / 8, 5)


def test_silence_is_a_clip_without_times() -> None:
    made = clip(bytes(640), "x")
    assert (made.first_ms, made.last_ms, made.pcm) == (0.0, 0.0, b"")


async def test_voicemail_beeps_after_its_greeting() -> None:
    box = VoiceBox(Tone(), Tone())
    with_beep = (await box.render(persona(answer={"voicemail": "Hi."})))["voicemail"]
    without = (await box.render(persona(answer={"voicemail": "Hi.", "beep": False})))["voicemail"]
    assert with_beep.last_ms - without.last_ms == pytest.approx(BEEP_AFTER_MS + BEEP_MS, abs=70)


def test_the_beep_is_one_steady_tone() -> None:
    samples = to_array(beep()).astype(float)
    assert samples.size == RATE * BEEP_MS // 1000
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * RATE / samples.size == pytest.approx(1000, abs=4)


async def test_flite_voices_speak_by_flite_where_it_is_there() -> None:
    flite, espeak = Tone(), Tone()
    await VoiceBox(espeak, flite).render(persona(voice="rms", says=[{"text": "Yes."}]))
    assert flite.asked == [("Yes.", Voice("flite", "rms"))]
    assert espeak.asked == []


async def test_flite_voices_have_stand_ins() -> None:
    espeak = Tone()
    await VoiceBox(espeak, None).render(persona(voice="slt", says=[{"text": "Yes."}]))
    assert espeak.asked == [("Yes.", Voice("espeak", "en-us+f3"))]
    assert set(FLITE_STAND_INS) == set(VOICES)


@pytest.mark.parametrize("name", sorted(FLITE_STAND_INS.values()))
async def test_stand_ins_exist(name: str) -> None:
    await EspeakSynthesizer().check(Voice("espeak", name))


async def test_other_voices_are_espeaks() -> None:
    flite, espeak = Tone(), Tone()
    await VoiceBox(espeak, flite).render(persona(voice="cmn", says=[{"text": "喂"}]))
    assert espeak.asked == [("喂", Voice("espeak", "cmn"))]


async def test_a_line_without_sound_is_an_error() -> None:
    with pytest.raises(SpeechError, match=r"persona somebody: .* no sound"):
        await VoiceBox(Tone(), None).render(persona(says=[{"text": "..."}]))


def test_noise_has_its_level_and_never_ends() -> None:
    noise = Noise(-45, "somebody")
    assert level_dbfs(noise.take(100)) == pytest.approx(-45, abs=0.3)
    first = Noise(-45, "somebody").take(200)
    again = Noise(-45, "somebody")
    assert again.take(150) + again.take(50) == first
    assert again.take(10) == first[: 10 * FRAME_BYTES]  # the loop is 200 frames long
    assert Noise(-45, "somebody else").take(10) != first[: 10 * FRAME_BYTES]


def test_noise_under_speech_keeps_the_speech() -> None:
    speech = np.full(1600, 20_000, dtype=np.int16).tobytes()
    mixed = to_array(Noise(-40, "x").under(speech))
    assert mixed.size == 1600
    assert abs(float(mixed.mean()) - 20_000) < 20
    loud = to_array(Noise(-10, "x").under(np.full(1600, 32_767, dtype=np.int16).tobytes()))
    assert loud.max() == 32_767
