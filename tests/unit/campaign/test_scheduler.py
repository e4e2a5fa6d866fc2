from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from dialer.call import CallRecord, Contact, Disposition
from dialer.campaign.base import CallJob, CampaignPlan, ContactState, Control, Controls, Wish
from dialer.campaign.calendar import same_every_day
from dialer.campaign.memory import MemoryStore, StoredContact
from dialer.campaign.outcome import milliseconds
from dialer.campaign.retry import RetryRule, RetryRules
from dialer.campaign.scheduler import CampaignScheduler
from dialer.clock import NS_PER_S, ManualClock
from dialer.errors import NoFreeLine, StorageError
from tests.unit.campaign.simulated import SimulatedTime

NINE = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)  # 09:00 in New York, a Monday
ZONE = "America/New_York"
RUNNING = {"bills": Control(Wish.RUN), "polls": Control(Wish.RUN)}


class World:
    """A store, simulated time, and callees whose behaviour is a table."""

    def __init__(self, contacts: int = 0, campaign_id: int = 1) -> None:
        self.time = SimulatedTime(ManualClock(NINE))
        self.store = MemoryStore(wished=Controls(campaigns=RUNNING))
        self.call_ms = 10_000.0
        self.outcome: Callable[[CallJob], str] = lambda _job: "paid"
        self.started: list[tuple[int, CallJob]] = []
        self.active = 0
        self.most_active = 0
        self.told: list[Wish] = []
        self.hang_up = asyncio.Event()
        self.lines = 100
        self.add(contacts, campaign_id)

    def add(self, count: int, campaign_id: int = 1, zone: str = ZONE, due_in_ms: int = 0) -> None:
        for _ in range(count):
            n = len(self.store.contacts) + 1
            self.store.contacts.append(
                StoredContact(
                    Contact(n, f"+1202555{n:04d}", "en"),
                    campaign_id,
                    zone,
                    milliseconds(self.time.clock.wall()) + due_in_ms,
                )
            )

    async def run_call(self, job: CallJob) -> CallRecord:
        self.started.append((self.time.clock.now_ns(), job))
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await self.time.wait(self.hang_up, self.time.clock.now_ns() + round(self.call_ms * 1e6))
        finally:
            self.active -= 1
        return CallRecord(job.call_id, job.attempt_id, self.outcome(job))

    def end_calls(self, wish: Wish) -> None:
        self.told.append(wish)
        if wish is Wish.DRAIN:
            self.hang_up.set()

    def scheduler(
        self, *plans: CampaignPlan, cps: float | None = None, done: bool = True
    ) -> CampaignScheduler:
        return CampaignScheduler(
            self.store,
            plans or (CampaignPlan(1, "bills"),),
            lines=lambda: self.lines,
            run_call=self.run_call,
            end_calls=self.end_calls,
            until_done=done,
            cps=cps,
            clock=self.time.clock,
            alarm=self.time,
            spread=lambda: 0.0,
        )

    async def run_for(self, scheduler: CampaignScheduler, ms: float) -> None:
        async def stop() -> None:
            await self.time.after(ms)
            scheduler.request(Wish.STOP)

        stopping = asyncio.ensure_future(stop())
        await self.time.run(scheduler.run())
        await stopping

    def states(self) -> list[ContactState]:
        return [stored.state for stored in self.store.contacts]

    def wish(self, overall: Control | None = None, **campaigns: Control) -> None:
        self.store.wished = Controls(overall or self.store.wished.overall, {**RUNNING, **campaigns})


async def test_everybody_is_called_once_in_order_and_the_run_ends() -> None:
    world = World(5)
    progress = await world.time.run(world.scheduler().run())
    assert [job.contact.contact_id for _, job in world.started] == [1, 2, 3, 4, 5]
    assert world.states() == [ContactState.DONE] * 5
    assert world.store.open_attempts == {}
    assert progress.state == "ended"
    assert progress.campaigns[0].dispositions == {"paid": 5}


async def test_lines_are_never_exceeded_and_always_used() -> None:
    world = World(20)
    world.lines = 4
    await world.time.run(world.scheduler().run())
    assert world.most_active == 4
    assert (world.started[-1][0] - world.started[0][0]) / NS_PER_S == pytest.approx(40, abs=0.1)


async def test_the_lowest_cap_of_lines_holds() -> None:
    world = World(12)
    world.wish(Control(Wish.RUN, lines=5), bills=Control(Wish.RUN, lines=3))
    await world.time.run(world.scheduler(CampaignPlan(1, "bills", lines=9)).run())
    assert world.most_active == 3


async def test_no_second_has_more_calls_than_the_cap_and_none_is_wasted() -> None:
    world = World(100)
    world.lines = 1000
    await world.time.run(world.scheduler(CampaignPlan(1, "bills", cps=10)).run())
    stamps = [at for at, _ in world.started]
    assert all(later - earlier >= NS_PER_S for earlier, later in zip(stamps, stamps[10:], strict=False))
    assert (stamps[-1] - stamps[0]) / NS_PER_S == pytest.approx(9.9, abs=0.2)


async def test_the_cap_of_all_campaigns_is_shared_by_turns() -> None:
    world = World(20)
    world.add(20, campaign_id=2)
    world.lines = 4
    world.call_ms = 1000
    plans = (CampaignPlan(1, "bills"), CampaignPlan(2, "polls"))
    await world.time.run(world.scheduler(*plans, cps=5).run())
    first = [job.campaign_id for _, job in world.started[:20]]
    assert 8 <= first.count(1) <= 12
    stamps = [at for at, _ in world.started]
    assert all(later - earlier >= NS_PER_S for earlier, later in zip(stamps, stamps[5:], strict=False))


async def test_busy_is_called_again_when_it_is_due_and_no_more_often_than_allowed() -> None:
    world = World(1)
    world.outcome = lambda _job: Disposition.BUSY
    plan = CampaignPlan(1, "bills", retry=RetryRules({"busy": RetryRule(60_000)}, max_attempts=3))
    await world.run_for(world.scheduler(plan, done=False), 300_000)
    stamps = [(at - world.started[0][0]) / NS_PER_S for at, _ in world.started]
    assert stamps == pytest.approx([0, 70, 140], abs=1.1)
    assert world.states() == [ContactState.DONE]


async def test_until_done_does_not_wait_for_what_is_due_later() -> None:
    world = World(1)
    world.outcome = lambda _job: Disposition.BUSY
    progress = await world.time.run(world.scheduler().run(), limit_ms=60_000)
    assert world.states() == [ContactState.READY]
    assert progress.campaigns[0].next_due_at_ms is not None


async def test_nobody_is_called_outside_their_hours() -> None:
    world = World(1)
    world.add(1, zone="America/Los_Angeles")  # 06:00 there
    world.add(1, zone="Nowhere/Known")
    plan = CampaignPlan(1, "bills", hours=same_every_day(6 * 60 + 5, 20 * 60))
    await world.run_for(world.scheduler(plan, done=False), 400_000)
    assert [job.contact.contact_id for _, job in world.started] == [1, 2]
    assert (world.started[1][0] - world.started[0][0]) / NS_PER_S == pytest.approx(300, abs=1.1)


async def test_a_retry_falls_into_the_hours() -> None:
    world = World(1)
    world.outcome = lambda _job: Disposition.BUSY
    plan = CampaignPlan(
        1, "bills", hours=same_every_day(8 * 60, 9 * 60 + 5), retry=RetryRules({"busy": RetryRule(600_000)})
    )
    await world.time.run(world.scheduler(plan).run())
    assert world.store.contacts[0].due_at_ms == milliseconds(datetime(2026, 1, 6, 13, 0, tzinfo=UTC))


async def test_a_campaign_that_nobody_started_waits() -> None:
    world = World(2)
    world.store.wished = Controls()

    async def start_later() -> None:
        await world.time.after(5000)
        assert world.started == []
        world.wish()

    later = asyncio.ensure_future(start_later())
    began = world.time.clock.now_ns()
    await world.time.run(world.scheduler().run())
    await later
    assert 5 <= (world.started[0][0] - began) / NS_PER_S <= 6, "applied within a second"


async def test_pause_lets_live_calls_go_on() -> None:
    world = World(10)
    world.lines = 2
    scheduler = world.scheduler()

    async def operate() -> None:
        await world.time.after(1000)
        world.wish(bills=Control(Wish.PAUSE))
        await world.time.after(30_000)
        assert len(world.started) == 2
        assert world.active == 0
        world.wish()

    work = asyncio.ensure_future(operate())
    await world.time.run(scheduler.run())
    await work
    assert len(world.started) == 10


async def test_an_emergency_stop_ends_everything_within_a_second() -> None:
    world = World(10)
    world.lines = 4
    ended: list[int] = []

    async def operate() -> None:
        await world.time.after(2000)
        world.wish(Control(Wish.STOP))
        ended.append(world.time.clock.now_ns())

    work = asyncio.ensure_future(operate())
    await world.time.run(world.scheduler(done=False).run())
    await work
    assert world.told == [Wish.STOP]
    assert len(world.started) == 4
    assert (world.time.clock.now_ns() - ended[0]) / NS_PER_S <= 1.5
    assert [r.disposition for r in world.store.records] == [Disposition.CANCELLED] * 4
    assert world.states() == [ContactState.READY] * 10
    assert [s.attempts for s in world.store.contacts] == [1] * 4 + [0] * 6


async def test_a_drain_lets_calls_say_goodbye() -> None:
    world = World(10)
    world.lines = 4
    scheduler = world.scheduler(done=False)

    async def operate() -> None:
        await world.time.after(2000)
        scheduler.request(Wish.DRAIN, within_ms=10_000)

    work = asyncio.ensure_future(operate())
    await world.time.run(scheduler.run())
    await work
    assert world.told == [Wish.DRAIN]
    assert [r.disposition for r in world.store.records] == ["paid"] * 4


async def test_calls_that_outlast_a_drain_are_cut() -> None:
    world = World(1)
    world.call_ms = 60_000
    world.end_calls = world.told.append  # type: ignore[method-assign, assignment]
    scheduler = world.scheduler(done=False)

    async def operate() -> None:
        await world.time.after(2000)
        scheduler.request(Wish.DRAIN, within_ms=10_000)

    work = asyncio.ensure_future(operate())
    began = world.time.clock.now_ns()
    await world.time.run(scheduler.run())
    await work
    assert (world.time.clock.now_ns() - began) / NS_PER_S == pytest.approx(12, abs=0.1)
    assert [r.disposition for r in world.store.records] == [Disposition.CANCELLED]


async def test_what_waits_for_the_pace_is_given_back_on_a_drain() -> None:
    world = World(50)
    scheduler = world.scheduler(CampaignPlan(1, "bills", cps=50), done=False)

    async def operate() -> None:
        await world.time.after(1)
        scheduler.request(Wish.DRAIN)

    work = asyncio.ensure_future(operate())
    await world.time.run(scheduler.run())
    await work
    given_back = [r for r in world.store.records if "before it was dialled" in r.cause]
    assert given_back
    assert sum(s.attempts for s in world.store.contacts) == len(world.started)


async def test_a_line_that_was_not_there_costs_no_attempt() -> None:
    world = World(1)
    plain = world.run_call
    failures = iter([NoFreeLine("all taken")])

    async def run_call(job: CallJob) -> CallRecord:
        for error in failures:
            raise error
        return await plain(job)

    world.run_call = run_call  # type: ignore[method-assign]
    await world.run_for(world.scheduler(done=False), 60_000)
    assert [job.attempt_number for _, job in world.started] == [1]
    assert world.store.contacts[0].attempts == 1


async def test_a_call_that_breaks_is_recorded_and_the_others_go_on() -> None:
    world = World(3)

    def outcome(job: CallJob) -> str:
        if job.contact.contact_id == 2:
            raise RuntimeError("broken part")
        return "paid"

    world.outcome = outcome
    await world.time.run(world.scheduler().run())
    assert {r.disposition: r.cause for r in world.store.records} == {
        "paid": "",
        Disposition.FAILED: "RuntimeError: broken part",
    }


async def test_never_call_again_is_final() -> None:
    world = World(1)
    world.outcome = lambda _job: Disposition.BUSY
    plain = world.run_call

    async def run_call(job: CallJob) -> CallRecord:
        record = await plain(job)
        record.suppress = True
        return record

    world.run_call = run_call  # type: ignore[method-assign]
    await world.time.run(world.scheduler().run())
    assert world.states() == [ContactState.DONE]
    assert [entry.pattern for entry in world.store.suppressions] == ["+12025550001"]


async def test_a_blind_scheduler_places_no_calls() -> None:
    world = World(10)
    world.lines = 1
    world.call_ms = 1000
    blind = False
    plain = world.store.controls

    class Blinking(MemoryStore):
        async def controls(self) -> Controls:
            if blind:
                raise StorageError("gone")
            return await plain()

    world.store = Blinking(contacts=world.store.contacts, wished=world.store.wished)
    scheduler = world.scheduler()

    async def operate() -> None:
        nonlocal blind
        await world.time.after(2100)
        blind = True
        await world.time.after(20_000)
        assert len(world.started) <= 5
        assert scheduler.progress.state == "blind"
        assert "gone" in scheduler.progress.note
        blind = False

    work = asyncio.ensure_future(operate())
    await world.time.run(scheduler.run())
    await work
    assert len(world.started) == 10


async def test_trunks_and_caller_ids_are_used_in_turn() -> None:
    world = World(4)
    plan = CampaignPlan(1, "bills", trunks=("a", "b"), caller_ids=("+12025550190", "+12025550191"))
    await world.time.run(world.scheduler(plan).run())
    assert {(job.trunk, job.caller_id) for _, job in world.started} == {
        ("a", "+12025550190"),
        ("b", "+12025550191"),
    }


async def test_contacts_loaded_while_running_are_found() -> None:
    world = World(0)
    scheduler = world.scheduler(done=False)

    async def operate() -> None:
        await world.time.after(10_000)
        world.add(1)
        await world.time.after(2000)
        assert len(world.started) == 1
        scheduler.request(Wish.STOP)

    work = asyncio.ensure_future(operate())
    await world.time.run(scheduler.run())
    await work
