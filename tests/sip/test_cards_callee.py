"""Line cards in callee mode, called by line cards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dialer.call import new_id
from dialer.clock import SystemClock
from dialer.errors import TelephonyError
from dialer.telephony.base import (
    DialRequest,
    IncomingCall,
    Leg,
    LegAnswered,
    LegDtmf,
    LegHandler,
    LegRinging,
    LegVoiced,
)
from dialer.telephony.cards import CardPool
from dialer.telephony.trunk import Trunk
from tests.sip.caller import Caller
from tests.sip.lines import LOOPBACK, TONE, ended, event, lines

pytestmark = pytest.mark.sip


class House:
    """Takes calls: by the user that was called, a refusal, a failure, an early announcement, or a person."""

    def __init__(self) -> None:
        self.calls: list[tuple[IncomingCall, Caller]] = []

    def on_incoming(self, call: IncomingCall) -> LegHandler:
        caller = Caller()
        self.calls.append((call, caller))
        match call.to_user:
            case "busy":
                call.leg.reject(486)
            case "broken":
                raise RuntimeError("on purpose")
            case "announces":
                call.leg.ring(early_media=True)
                call.leg.play(TONE, 1)
            case _:
                call.leg.ring()
                call.leg.play(TONE, 1)
                call.leg.answer()
        return caller


@asynccontextmanager
async def house(count: int = 4) -> AsyncIterator[tuple[House, CardPool, CardPool]]:
    persons = House()
    callees = CardPool(LOOPBACK, {}, count, clock=SystemClock(), callee=persons)
    await callees.start()
    try:
        gateways = tuple(f"127.0.0.1:{port}" for port in callees.ports())
        trunk = Trunk("t", gateways, gateway_channels=callees.calls_per_card)
        async with lines(trunk, count=count) as pool:
            yield persons, callees, pool
    finally:
        await callees.close()


async def dial(pool: CardPool, callees: CardPool, user: str) -> tuple[Caller, Leg]:
    caller = Caller()
    uri = f"sip:{user}@127.0.0.1:{callees.ports()[0]}"
    return caller, await pool.place(DialRequest(new_id(), new_id(), uri, caller_id="+12025550100"), caller)


async def test_two_cards_talk() -> None:
    async with house() as (persons, callees, pool):
        caller, leg = await dial(pool, callees, "anna")
        leg.play(TONE, 4)
        await event(caller, LegVoiced)
        await caller.until(lambda: caller.voiced >= 10)
        call, callee = persons.calls[0]
        assert (call.to_user, call.from_user) == ("anna", "+12025550100")
        assert call.headers["X-Attempt-Id"]
        await event(callee, LegVoiced)
        await callee.until(lambda: callee.voiced >= 10)
        leg.send_dtmf("3")
        assert (await event(callee, LegDtmf)).digit == "3"
        call.leg.hang_up()
        assert (await ended(caller)).by == "callee"
        assert (await ended(callee)).by == "us"


async def test_an_announcement_before_the_answer() -> None:
    async with house() as (persons, callees, pool):
        caller, _ = await dial(pool, callees, "announces")
        assert (await event(caller, LegRinging)).early_media
        await caller.until(lambda: caller.voiced >= 10)
        assert not caller.has(LegAnswered)
        persons.calls[0][0].leg.answer()
        await event(caller, LegAnswered)


@pytest.mark.parametrize(("user", "code"), [("busy", 486), ("broken", 500)])
async def test_refusals(user: str, code: int) -> None:
    async with house() as (_, callees, pool):
        caller, _ = await dial(pool, callees, user)
        end = await ended(caller)
        assert (end.sip_code, end.answered) == (code, False)


async def test_a_full_house_over_and_over() -> None:
    """No callee is busy only because its last call has just ended."""
    async with house(8) as (persons, _, pool):
        for _ in range(4):
            callers = {new_id(): Caller() for _ in range(8)}
            ours = {
                attempt: await pool.place(DialRequest(new_id(), attempt, "+12025550101", "t"), caller)
                for attempt, caller in callers.items()
            }
            for caller in callers.values():
                await event(caller, LegAnswered)
            theirs = {call.headers["X-Attempt-Id"]: call.leg for call, _ in persons.calls}
            for place, attempt in enumerate(callers):
                (ours if place % 2 else theirs)[attempt].hang_up()
            ends = await asyncio.gather(*(ended(caller) for caller in callers.values()))
            assert all(end.answered for end in ends)
            while pool.free_lines < 8:
                await pool.wait_for_change()
        assert len(persons.calls) == 32


async def test_callees_place_no_calls() -> None:
    async with house() as (_, callees, _pool):
        with pytest.raises(TelephonyError, match="take calls and place none"):
            await callees.place(DialRequest("c", "a", "sip:a@127.0.0.1"), Caller())
