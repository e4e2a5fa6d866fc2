from __future__ import annotations

import numpy as np
import pytest

from dialer.audio import Pcm, to_array
from dialer.speech.base import Voice
from dialer.speech.beep import BeepDetector
from dialer.speech.tts_espeak import EspeakSynthesizer
from dialer.speech.tts_flite import FliteSynthesizer
from tests.unit.speech.audio_samples import frames, noise, silence, tone

WORDS = (
    "Good morning. You have reached the office of Smith and Sons. Ooh, nobody is here to answer you now, "
    "so please leave your name, your number and a few words after the tone."
)


def beeps(pcm: Pcm) -> list[int]:
    """The ms at which a beep was reported."""
    detector = BeepDetector()
    return [20 * n for n, frame in enumerate(frames(pcm)) if detector.frame(memoryview(frame))]


def add(*parts: Pcm) -> Pcm:
    return np.asarray(np.clip(sum(p.astype(int) for p in parts), -32768, 32767), dtype=np.int16)


@pytest.mark.parametrize("hz", [400, 440, 800, 1000, 1004, 1400, 1950])
@pytest.mark.parametrize("level", [-10.0, -32.0])
def test_a_beep_is_reported_when_it_ends(hz: float, level: float) -> None:
    found = beeps(np.concatenate((silence(507), tone(hz, 400, level), silence(400))))
    assert len(found) == 1
    assert 907 - 20 <= found[0] <= 907 + 20


def test_a_beep_in_noise_is_found() -> None:
    pcm = np.concatenate((silence(500), tone(1000, 500, -18.0), silence(500)))
    assert len(beeps(add(pcm, noise(1500, -40.0)))) == 1


def test_too_short_too_low_and_too_high_are_none() -> None:
    for hz, ms, level in ((1000, 110, -10.0), (200, 500, -10.0), (3000, 500, -10.0), (1000, 500, -60.0)):
        assert beeps(np.concatenate((silence(300), tone(hz, ms, level), silence(300)))) == []


def test_two_tones_and_a_glide_are_none() -> None:
    dtmf = add(tone(697, 500), tone(1209, 500))
    ringing = add(tone(440, 1000), tone(480, 1000))
    at = np.arange(8000) / 8000
    glide = (8000 * np.sin(2 * np.pi * (500 * at + 500 * at * at))).astype(np.int16)
    for pcm in (dtmf, ringing, glide):
        assert beeps(np.concatenate((silence(200), pcm, silence(200)))) == []


def test_a_tone_that_never_ends_is_one_beep() -> None:
    assert beeps(np.concatenate((tone(1000, 8000), silence(200)))) == [2980]


def test_noise_and_silence_are_none() -> None:
    assert beeps(noise(5000, -20.0)) == []
    assert beeps(silence(1000)) == []


@pytest.mark.parametrize("name", ["en-us", "en-us+f3", "en-gb", "en-us+whisper", "cmn", "yue"])
@pytest.mark.parametrize("pitch", [20, 50, 95])
async def test_espeak_never_beeps(name: str, pitch: int) -> None:
    text = "您好，我现在不方便接听，请在提示音后留言，呜，依依" if name in ("cmn", "yue") else WORDS
    assert beeps(to_array(await EspeakSynthesizer().synthesize(text, Voice(name=name, pitch=pitch)))) == []


@pytest.mark.skipif(not FliteSynthesizer.available(), reason="flite is not installed")
@pytest.mark.parametrize("name", ["slt", "rms", "kal", "awb"])
async def test_flite_never_beeps(name: str) -> None:
    assert beeps(to_array(await FliteSynthesizer().synthesize(WORDS, Voice("flite", name)))) == []


def test_a_melody_is_none() -> None:
    """Struck strings: harmonics, and each note decays."""
    notes = []
    for hz in (440, 494, 523, 587, 659, 523, 440, 392) * 2:
        at = np.arange(2400) / 8000
        partials = sum(np.sin(2 * np.pi * hz * k * at) / k for k in (1, 2, 3, 4))
        notes.append(6000 * np.exp(-6 * at) * partials)
    assert beeps(np.concatenate(notes).astype(np.int16)) == []
