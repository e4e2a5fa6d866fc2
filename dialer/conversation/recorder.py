"""The recording of one call: a stereo WAV file, the callee on the left, our side on the right.

Frames are gathered for a second and written by one thread for all calls, so that a slow disk never
holds the event loop. When the thread falls behind by more than a minute of one call, the oldest second is
dropped, counted and replaced by silence.
"""

from __future__ import annotations

import asyncio
import wave
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dialer.aio import spawn
from dialer.audio import FRAME_BYTES, FRAMES_PER_S, RATE, SILENT_FRAME, to_array

MAX_WAITING_S = 60


class CallRecorder:
    """Writes one file. ``frame`` is called every 20 ms in the loop's thread and never waits."""

    def __init__(self, path: Path, executor: ThreadPoolExecutor) -> None:
        self.path = path
        self.dropped_s = 0
        self._executor = executor
        self._callee = bytearray()
        self._ours = bytearray()
        self._waiting: deque[tuple[bytes, bytes]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._file: wave.Wave_write | None = None
        self._owed_s = 0  # dropped seconds, always older than all that waits
        self.error = ""

    def frame(self, callee: bytes | memoryview, ours: bytes | memoryview) -> None:
        """Add 20 ms of both sides."""
        self._callee += callee
        self._ours += ours
        if len(self._callee) >= FRAMES_PER_S * FRAME_BYTES:
            self._hand_over()

    def silence(self, frames: int) -> None:
        """Stand in for ``frames`` frames that the hand-over lost."""
        for _ in range(min(frames, MAX_WAITING_S * FRAMES_PER_S)):
            self.frame(SILENT_FRAME, SILENT_FRAME)

    def _hand_over(self) -> None:
        if len(self._waiting) >= MAX_WAITING_S:
            self._waiting.popleft()
            self._owed_s += 1
            self.dropped_s += 1
        self._waiting.append((bytes(self._callee), bytes(self._ours)))
        self._callee.clear()
        self._ours.clear()
        if self._writing is None or self._writing.done():
            self._writing = spawn(self._write(), name=f"recorder:{self.path.stem}")

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and not self.error:
            owed, self._owed_s = self._owed_s, 0
            pair = self._waiting.popleft()
            try:
                await loop.run_in_executor(self._executor, self._append, owed, *pair)
            except OSError as error:
                self.error = str(error)

    def _append(self, owed_s: int, callee: bytes, ours: bytes) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = wave.open(str(self.path), "wb")  # noqa: SIM115 - closed by close()
            self._file.setnchannels(2)
            self._file.setsampwidth(2)
            self._file.setframerate(RATE)
        if owed_s:
            self._file.writeframes(bytes(owed_s * FRAMES_PER_S * FRAME_BYTES * 2))
        self._file.writeframes(np.column_stack((to_array(callee), to_array(ours))).tobytes())

    async def close(self) -> str:
        """Write what is left; returns the path, or "" where nothing could be written."""
        if self._callee:
            self._hand_over()
        if self._writing is not None:
            await self._writing
        if self._file is None:
            return ""
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._file.close)
        except OSError as error:  # a full disk must not cost the call's record
            self.error = str(error)
        return "" if self.error else str(self.path)
