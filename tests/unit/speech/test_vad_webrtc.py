from __future__ import annotations

import numpy as np
import pytest

from dialer.audio import Pcm, to_array
from dialer.errors import SpeechError
from dialer.speech.base import Voice
from dialer.speech.tts_espeak import EspeakSynthesizer
from dialer.speech.vad_webrtc import WebRtcVad
from tests.unit.speech.audio_samples import frames, noise, silence, tone


def decisions(pcm: Pcm) -> list[bool]:
    vad = WebRtcVad()
    return [vad.is_speech(frame) for frame in frames(pcm)]


async def spoken(text: str) -> Pcm:
    return to_array(await EspeakSynthesizer().synthesize(text, Voice()))


async def test_speech_is_found_and_silence_is_not() -> None:
    said = await spoken("good morning, this is the voice of a person")
    heard = decisions(np.concatenate((silence(1000), said, silence(1000))))
    assert not any(heard[:50])
    assert sum(heard[50:-50]) > 0.8 * (len(heard) - 100)
    assert not any(heard[-40:])


@pytest.mark.parametrize("level", [-60.0, -50.0, -40.0])
async def test_speech_is_found_in_noise_and_the_noise_is_not(level: float) -> None:
    said = await spoken("good morning, this is the voice of a person")
    clean = np.concatenate((silence(2000), said, silence(1000)))
    mixed = np.clip(clean.astype(int) + noise(20_000, level)[: clean.size], -32768, 32767).astype(np.int16)
    heard = decisions(mixed)
    assert not any(heard[20:98])
    assert sum(heard[100:-50]) > 0.5 * (len(heard) - 150)
    assert not any(heard[-40:])


def test_comfort_noise_is_not_speech() -> None:
    assert not any(decisions(noise(3000, -58.0)))


def test_a_hum_is_learned_within_two_seconds() -> None:
    hum = (tone(50, 6000, -25.0).astype(int) + tone(150, 6000, -30.0)).astype(np.int16)
    assert not any(decisions(hum)[100:])


def test_a_click_is_a_frame_or_two() -> None:
    line = silence(3000)
    line[8000:8002] = (20000, -20000)
    assert sum(decisions(line)) <= 2


def test_wrong_use_is_told() -> None:
    with pytest.raises(SpeechError, match="320 bytes, not 160"):
        WebRtcVad().is_speech(bytes(160))
    with pytest.raises(SpeechError, match="0 to 3, not 5"):
        WebRtcVad(5)
