from __future__ import annotations

import pytest

from dialer.audio import FRAME_BYTES, VOICED_PEAK, peak
from dialer.errors import SpeechError
from dialer.speech.base import Voice
from dialer.speech.tts_flite import FliteSynthesizer

needs_flite = pytest.mark.skipif(not FliteSynthesizer.available(), reason="flite is not installed")


@needs_flite
async def test_a_text_is_framed_and_trimmed() -> None:
    flite = FliteSynthesizer()
    audio = await flite.synthesize("yes, speaking", Voice("flite", "slt"))
    assert len(audio) % FRAME_BYTES == 0
    assert peak(audio[:FRAME_BYTES]) > VOICED_PEAK
    slow = await flite.synthesize("yes, speaking", Voice("flite", "slt", rate_wpm=100))
    assert len(slow) > 1.3 * len(audio)


async def test_an_unknown_voice_names_the_choices() -> None:
    with pytest.raises(SpeechError, match="slt, rms"):
        await FliteSynthesizer().synthesize("hello", Voice("flite", "nobody"))
    with pytest.raises(SpeechError, match="espeak"):
        await FliteSynthesizer().synthesize("hello", Voice())


async def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not FliteSynthesizer.available()
    with pytest.raises(SpeechError, match="Debian package flite"):
        await FliteSynthesizer().synthesize("hello", Voice("flite", "slt"))
