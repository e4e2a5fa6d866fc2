from __future__ import annotations

import asyncio

import pytest

from dialer.audio import FRAME_BYTES, RATE, VOICED_PEAK, peak
from dialer.errors import SpeechError
from dialer.speech.base import Voice
from dialer.speech.tts_espeak import EspeakSynthesizer


@pytest.mark.parametrize("name", ["en-us", "en-gb", "en-us+f3", "cmn", "yue"])
async def test_a_prompt_is_framed_trimmed_and_loud(name: str) -> None:
    text = "你好，世界" if name in ("cmn", "yue") else "Hello world, how are you?"
    audio = await EspeakSynthesizer().synthesize(text, Voice(name=name))
    assert len(audio) % FRAME_BYTES == 0
    assert RATE * 2 * 0.5 < len(audio) < RATE * 2 * 4
    assert peak(audio[:FRAME_BYTES]) > VOICED_PEAK
    assert 8000 < peak(audio) < 32500


async def test_the_rate_changes_the_length() -> None:
    espeak = EspeakSynthesizer()
    slow = await espeak.synthesize("This is a test of the rate.", Voice(rate_wpm=120))
    quick = await espeak.synthesize("This is a test of the rate.", Voice(rate_wpm=220))
    assert len(slow) > 1.3 * len(quick)


async def test_concurrent_texts_do_not_mix() -> None:
    espeak = EspeakSynthesizer()
    texts = ["this is what I mean" + " indeed" * n for n in range(8)]
    alone = [await espeak.synthesize(text, Voice()) for text in texts]
    together = await asyncio.gather(*(espeak.synthesize(text, Voice()) for text in texts))
    # Its breath noise is random, so the samples differ a little; the lengths tell the texts apart.
    for one, other in zip(alone, together, strict=True):
        assert len(one) == pytest.approx(len(other), abs=3 * FRAME_BYTES)


async def test_an_unknown_voice_names_the_choices() -> None:
    with pytest.raises(SpeechError, match=r"'en-xx'.*en-gb.*en-us"):
        await EspeakSynthesizer().check(Voice(name="en-xx"))
    with pytest.raises(SpeechError, match="no variant 'nobody'"):
        await EspeakSynthesizer().check(Voice(name="en-us+nobody"))
    with pytest.raises(SpeechError, match="ends its process"):
        await EspeakSynthesizer().check(Voice(name="cmn+rob"))
    with pytest.raises(SpeechError, match="flite"):
        await EspeakSynthesizer().check(Voice(engine="flite", name="slt"))


async def test_nothing_to_say_is_no_audio() -> None:
    assert await EspeakSynthesizer().synthesize("  ", Voice()) == b""


async def test_voices_are_listed() -> None:
    assert {"en-us", "en-gb", "cmn", "yue"} <= set(await EspeakSynthesizer().voices())
