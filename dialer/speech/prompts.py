"""The prompt cache: everything we say is rendered before it is needed.

The hot path only ever calls ``PromptCache.get``, a dictionary look-up. Renders happen in ``prepare`` (when
a campaign loads, and for the contact's own prompts before the number is dialled) and in ``fetch`` (for
what could not be known). Concurrent wishes for one text share one rendering.

Memory is bounded: the least recently used prompts go first; those that a call has pinned stay, also
where they alone are more than the bound.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dialer.aio import spawn
from dialer.audio import FRAME_BYTES
from dialer.errors import SpeechError
from dialer.speech.base import Synthesizer, Voice

_Key = tuple[str, str]  # language, text
_FORMAT = "1"  # part of the names on disk; counted up when the rendering changes


@dataclass(slots=True)
class PromptStats:
    """Counters since the start: how often ``get`` and ``fetch`` found the text, and what was rendered."""

    hits: int = 0
    misses: int = 0
    rendered: int = 0
    from_disk: int = 0
    evicted: int = 0


class PromptCache:
    """Rendered prompts by language and text.

    Args:
        synthesizer: renders what is missing.
        voices: the voice of each language (BCP 47 primary tag).
        max_bytes: bound of the audio in memory (int16 at 8 kHz: 16 kB a second).
        folder: where renderings are kept for the next start; None for nowhere.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        voices: Mapping[str, Voice],
        max_bytes: int = 64 * 2**20,
        folder: Path | None = None,
    ) -> None:
        self._synthesizer = synthesizer
        self._voices = dict(voices)
        self._max_bytes = max_bytes
        self._folder = folder
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0
        self._rendering: dict[_Key, asyncio.Task[bytes]] = {}
        self._pins: dict[str, set[_Key]] = {}
        self._pin_counts: dict[_Key, int] = {}
        self.stats = PromptStats()

    @property
    def used_bytes(self) -> int:
        """Bytes of audio in memory now."""
        return self._bytes

    def get(self, text: str, language: str) -> bytes | None:
        """The audio at once (int16 mono at 8 kHz, whole frames, first frame voiced), or None."""
        key = (language, text)
        audio = self._kept.get(key)
        if audio is None:
            self.stats.misses += 1
            return None
        self.stats.hits += 1
        self._kept.move_to_end(key)
        return audio

    async def fetch(self, text: str, language: str) -> bytes:
        """The audio, rendered now where it is not there yet.

        Raises:
            SpeechError: the language has no voice, or the synthesizer failed.
        """
        audio = self.get(text, language)
        return audio if audio is not None else await self._render((language, text))

    async def prepare(self, texts: Iterable[str], language: str) -> None:
        """Have every text rendered.

        Raises:
            SpeechError: of the first text that cannot be rendered; the others are rendered all the same.
        """
        missing = {t for t in texts if (language, t) not in self._kept}
        results = await asyncio.gather(
            *(self._render((language, text)) for text in sorted(missing)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def pin(self, call_id: str, texts: Iterable[str], language: str) -> None:
        """Keep these texts in memory until ``release(call_id)``, whatever else is rendered."""
        pinned = self._pins.setdefault(call_id, set())
        for text in texts:
            key = (language, text)
            if key not in pinned:
                pinned.add(key)
                self._pin_counts[key] = self._pin_counts.get(key, 0) + 1

    def release(self, call_id: str) -> None:
        """The call is over: its prompts may go when room is needed."""
        for key in self._pins.pop(call_id, ()):
            count = self._pin_counts[key] - 1
            if count:
                self._pin_counts[key] = count
            else:
                del self._pin_counts[key]
        self._make_room()

    async def _render(self, key: _Key) -> bytes:
        task = self._rendering.get(key)
        if task is None:
            # The failure reaches everyone who waits for the task; nobody else needs to hear of it.
            task = spawn(self._make(key), name=f"prompt-{key[0]}", on_error=lambda _: None)
            self._rendering[key] = task
            task.add_done_callback(lambda _: self._rendering.pop(key, None))
        # Shielded: one waiter that gives up must not take the rendering from the others.
        return await asyncio.shield(task)

    async def _make(self, key: _Key) -> bytes:
        language, text = key
        voice = self._voices.get(language)
        if voice is None:
            known = ", ".join(sorted(self._voices)) or "none"
            raise SpeechError(f"no voice is set for the language {language!r}; there are {known}")
        path = self._path(text, voice)
        loop = asyncio.get_running_loop()
        audio = await loop.run_in_executor(None, _read, path) if path is not None else None
        if audio is None:
            audio = await self._synthesizer.synthesize(text, voice)
            self.stats.rendered += 1
            if path is not None:
                await loop.run_in_executor(None, _write, path, audio)
        else:
            self.stats.from_disk += 1
        self._keep(key, audio)
        return audio

    def _keep(self, key: _Key, audio: bytes) -> None:
        self._kept[key] = audio
        self._bytes += len(audio)
        self._make_room(spare=key)

    def _make_room(self, spare: _Key | None = None) -> None:
        if self._bytes <= self._max_bytes:
            return
        for key in list(self._kept):
            if self._bytes <= self._max_bytes:
                return
            if key not in self._pin_counts and key != spare:
                self._bytes -= len(self._kept.pop(key))
                self.stats.evicted += 1

    def _path(self, text: str, voice: Voice) -> Path | None:
        if self._folder is None:
            return None
        parts = (_FORMAT, voice.engine, voice.name, voice.rate_wpm, voice.pitch, voice.volume, text)
        name = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.pcm"


def _read(path: Path) -> bytes | None:
    """A stored rendering; None where there is none or it was cut short."""
    try:
        audio = path.read_bytes()
    except FileNotFoundError:
        return None
    return audio if audio and len(audio) % FRAME_BYTES == 0 else None


def _write(path: Path, audio: bytes) -> None:
    """Store a rendering so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(audio)
    part.replace(path)
