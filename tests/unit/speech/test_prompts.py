from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dialer.audio import FRAME_BYTES
from dialer.errors import SpeechError
from dialer.speech.base import Voice
from dialer.speech.prompts import PromptCache


class Speaker:
    """Says every text as one frame a letter; counts and can be held back or made to fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: set[str] = set()

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        self.asked.append(text)
        await self.gate.wait()
        if text in self.failing:
            raise SpeechError(f"cannot say {text}")
        return bytes([len(voice.name)]) * FRAME_BYTES * len(text)


def cache_of(speaker: Speaker, max_frames: int = 1000, folder: Path | None = None) -> PromptCache:
    return PromptCache(speaker, {"en": Voice()}, max_bytes=max_frames * FRAME_BYTES, folder=folder)


async def test_what_was_prepared_is_there_at_once() -> None:
    speaker = Speaker()
    cache = cache_of(speaker)
    assert cache.get("hello", "en") is None
    await cache.prepare(["hello", "bye", "hello"], "en")
    audio = cache.get("hello", "en")
    assert audio is not None
    assert len(audio) == 5 * FRAME_BYTES
    assert sorted(speaker.asked) == ["bye", "hello"]
    assert await cache.fetch("hello", "en") == audio
    assert (cache.stats.hits, cache.stats.misses, cache.stats.rendered) == (2, 1, 2)


async def test_concurrent_wishes_share_one_rendering() -> None:
    speaker = Speaker()
    speaker.gate.clear()
    cache = cache_of(speaker)
    wishes = [asyncio.ensure_future(cache.fetch("hello", "en")) for _ in range(5)]
    await asyncio.sleep(0)
    wishes[0].cancel()  # one that gives up takes nothing from the others
    await asyncio.sleep(0)
    speaker.gate.set()
    assert len({await wish for wish in wishes[1:]}) == 1
    assert speaker.asked == ["hello"]


async def test_the_least_recently_used_goes_first() -> None:
    cache = cache_of(Speaker(), max_frames=10)
    for text in ("aaaa", "bbbb"):
        await cache.fetch(text, "en")
    cache.get("aaaa", "en")
    await cache.fetch("cccc", "en")
    assert cache.get("bbbb", "en") is None
    assert cache.get("aaaa", "en") is not None
    assert cache.used_bytes == 8 * FRAME_BYTES


async def test_pinned_prompts_stay_until_their_last_call_ends() -> None:
    cache = cache_of(Speaker(), max_frames=4)
    for call in ("one", "two"):
        cache.pin(call, ["aaaa", "bbbb"], "en")
    await cache.prepare(["aaaa", "bbbb"], "en")
    await cache.fetch("cc", "en")
    assert cache.get("aaaa", "en") is not None
    cache.release("one")
    assert cache.get("bbbb", "en") is not None
    cache.release("two")
    cache.release("two")
    assert cache.used_bytes <= 4 * FRAME_BYTES


async def test_a_failure_is_told_and_can_be_tried_again() -> None:
    speaker = Speaker()
    speaker.failing.add("bad")
    cache = cache_of(speaker)
    with pytest.raises(SpeechError, match="cannot say bad"):
        await cache.prepare(["bad", "good"], "en")
    assert cache.get("good", "en") is not None
    speaker.failing.clear()
    assert await cache.fetch("bad", "en")


async def test_a_language_without_a_voice_is_named() -> None:
    with pytest.raises(SpeechError, match=r"'yue'; there are en"):
        await cache_of(Speaker()).fetch("你好", "yue")


async def test_the_folder_serves_the_next_start(tmp_path: Path) -> None:
    first = Speaker()
    audio = await cache_of(first, folder=tmp_path).fetch("hello", "en")
    second = Speaker()
    cache = cache_of(second, folder=tmp_path)
    assert await cache.fetch("hello", "en") == audio
    assert second.asked == []
    assert cache.stats.from_disk == 1
    other_voice = PromptCache(second, {"en": Voice(rate_wpm=200)}, folder=tmp_path)
    await other_voice.fetch("hello", "en")
    assert second.asked == ["hello"]


def cut_short(folder: Path) -> None:
    (stored,) = folder.rglob("*.pcm")
    stored.write_bytes(stored.read_bytes()[:101])


async def test_a_file_cut_short_is_rendered_again(tmp_path: Path) -> None:
    await cache_of(Speaker(), folder=tmp_path).fetch("hello", "en")
    cut_short(tmp_path)
    speaker = Speaker()
    assert len(await cache_of(speaker, folder=tmp_path).fetch("hello", "en")) == 5 * FRAME_BYTES
    assert speaker.asked == ["hello"]
