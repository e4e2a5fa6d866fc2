"""Simulated time for the scheduler: when nothing more can happen, the clock jumps to the next alarm."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from dialer.clock import NS_PER_MS, ManualClock

T = TypeVar("T")
IDLE_ROUNDS = 20  # turns of the loop after which everything that could go on has gone on


class SimulatedTime:
    """A manual clock and the alarms that wait on it."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self._alarms: list[tuple[int, int, asyncio.Event]] = []
        self._count = itertools.count()

    async def wait(self, event: asyncio.Event, until_ns: int) -> None:
        """``Alarm.wait``."""
        if event.is_set() or until_ns <= self.clock.now_ns():
            return
        rung = asyncio.Event()
        heapq.heappush(self._alarms, (until_ns, next(self._count), rung))
        waits = [asyncio.ensure_future(e.wait()) for e in (event, rung)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.set()
            for wait in waits:
                wait.cancel()

    async def after(self, ms: float) -> None:
        await self.wait(asyncio.Event(), self.clock.now_ns() + round(ms * NS_PER_MS))

    async def run(self, work: Coroutine[Any, Any, T], *, limit_ms: float = 3_600_000) -> T:
        """Run ``work`` to its end in simulated time."""
        task = asyncio.ensure_future(work)
        end_ns = self.clock.now_ns() + limit_ms * NS_PER_MS
        while True:
            for _ in range(IDLE_ROUNDS):
                await asyncio.sleep(0)
                if task.done():
                    return await task
            while self._alarms and self._alarms[0][2].is_set():
                heapq.heappop(self._alarms)
            assert self._alarms, "everything waits and nothing will happen"
            until_ns, _, rung = heapq.heappop(self._alarms)
            assert until_ns < end_ns, "the work did not end in time"
            self.clock.advance(max(0, until_ns - self.clock.now_ns()) / NS_PER_MS)
            rung.set()
