"""A caller on a line of ours, for the tests of the simulated callees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np

from dialer.audio import RATE, VOICED_PEAK, peak
from dialer.call import new_id
from dialer.clock import SystemClock
from dialer.telephony.base import DialRequest, Leg, LegEnded, LegEvent
from dialer.telephony.cards import CardPool
from dialer.telephony.trunk import CardSettings, Trunk


def speech(ms: int) -> bytes:
    """Something voiced: 300 Hz, int16 mono at 8 kHz."""
    samples = 8000 * np.sin(2 * np.pi * 300 * np.arange(RATE * ms // 1000) / RATE)
    return np.asarray(samples, dtype="<i2").tobytes()


class Caller:
    """Listens to one leg; ``until`` waits for something to become true of it."""

    def __init__(self) -> None:
        self.events: list[LegEvent] = []
        self.heard = bytearray()
        self.voiced = 0
        self.silent_for = 0
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        self.heard += pcm
        loud = peak(pcm) > VOICED_PEAK
        self.voiced += loud
        self.silent_for = 0 if loud else self.silent_for + 1
        self._look()

    def on_event(self, event: LegEvent) -> None:
        self.events.append(event)
        self._look()

    @property
    def ended(self) -> LegEnded | None:
        return next((event for event in self.events if isinstance(event, LegEnded)), None)

    def has(self, kind: type[LegEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.events)

    async def until(self, true: Callable[[], bool], seconds: float = 15.0) -> None:
        if true():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((true, future))
        async with asyncio.timeout(seconds):
            await future

    def _look(self) -> None:
        for true, future in self._waiting:
            if not future.done() and true():
                future.set_result(None)


class Phone:
    """Lines that place calls to gateways on loopback."""

    def __init__(self, pool: CardPool) -> None:
        self._pool = pool

    async def call(self, number: str) -> tuple[Caller, Leg, str]:
        """Dial; the listener, the leg and the attempt's id."""
        caller, attempt = Caller(), new_id()
        leg = await self._pool.place(DialRequest(new_id(), attempt, number, trunk="callees"), caller)
        return caller, leg, attempt


@asynccontextmanager
async def phone(gateways: tuple[str, ...], calls_per_gateway: int, lines: int = 4) -> AsyncIterator[Phone]:
    """Lines for the time of a test."""
    trunk = Trunk("callees", gateways, gateway_channels=calls_per_gateway)
    settings = CardSettings(bind_address="127.0.0.1", sip_port=0, rtp_port=0)
    pool = CardPool(settings, {"callees": trunk}, lines, clock=SystemClock(), spare_cards=0)
    await pool.start()
    try:
        yield Phone(pool)
    finally:
        await pool.close()
