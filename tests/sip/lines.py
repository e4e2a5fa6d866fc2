"""Lines of ours and callees of plain sockets, for the tests of line cards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from dialer.call import new_id
from dialer.clock import SystemClock
from dialer.g711 import alaw_encode
from dialer.simulator.sippeer import PeerPlan, SipPeer
from dialer.telephony.base import DialRequest, Leg, LegEnded, LegEvent
from dialer.telephony.cards import CardPool
from dialer.telephony.trunk import CardSettings, Trunk
from tests.sip.caller import Caller, speech

LOOPBACK = CardSettings(bind_address="127.0.0.1", sip_port=0, rtp_port=0)
TONE = speech(1000)
ALAW_TONE = alaw_encode(TONE)
Event = TypeVar("Event", bound=LegEvent)


@asynccontextmanager
async def lines(
    *trunks: Trunk, count: int = 2, spare_cards: int = 0, settings: CardSettings = LOOPBACK
) -> AsyncIterator[CardPool]:
    """A pool for the time of a test."""
    named = {trunk.name: trunk for trunk in trunks}
    pool = CardPool(settings, named, count, clock=SystemClock(), spare_cards=spare_cards)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


class Setting:
    """One peer, and lines that call it."""

    def __init__(self, pool: CardPool, peer: SipPeer) -> None:
        self.pool = pool
        self.peer = peer

    async def dial(
        self, user: str = "anyone", *, trunk: str = "", ring_timeout_ms: int = 30_000
    ) -> tuple[Caller, Leg]:
        """Call a user of the peer."""
        caller = Caller()
        uri = f"sip:{user}@127.0.0.1:{self.peer.port}"
        request = DialRequest(new_id(), new_id(), uri, trunk, ring_timeout_ms=ring_timeout_ms)
        return caller, await self.pool.place(request, caller)

    async def freed(self, count: int) -> None:
        """Wait until so many lines can be used."""
        while self.pool.free_lines < count:
            await self.pool.wait_for_change()


@asynccontextmanager
async def setting(
    plan: PeerPlan | None = None, *, count: int = 2, spare_cards: int = 0, **plans: PeerPlan
) -> AsyncIterator[Setting]:
    """A peer with a plan for everybody, or one for each user."""
    async with SipPeer(plan, plans) as peer, lines(count=count, spare_cards=spare_cards) as pool:
        yield Setting(pool, peer)


async def ended(caller: Caller) -> LegEnded:
    """Wait for the end of a call."""
    await caller.until(lambda: caller.ended is not None)
    assert caller.ended is not None
    return caller.ended


async def event(caller: Caller, kind: type[Event], test: Callable[[Event], bool] = lambda _: True) -> Event:
    """Wait for an event."""

    def found() -> Event | None:
        return next((seen for seen in caller.events if isinstance(seen, kind) and test(seen)), None)

    await caller.until(lambda: found() is not None)
    seen = found()
    assert seen is not None
    return seen
