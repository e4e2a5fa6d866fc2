"""The scheduler: takes due contacts in order, under caps for lines and calls per second, and calls them.

It takes a slot before it fetches a contact, so a contact is never fetched for a line that is not there;
the attempt is on disk before ``run_call`` begins, and its outcome is written after, also when the call
is cancelled or fails. What people wish (start, pause, caps, stop) is read from the store every half
second; while it cannot be read, no new calls are placed.

    watch:  store.controls -> wishes, caps        fill:  slots -> store.take -> _call (a task a call)
    _call:  wait for the pace -> run_call -> CallRecord -> outcome.after_call -> store.close_call
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar

import structlog

from dialer.aio import spawn
from dialer.call import CallRecord, Disposition, new_id
from dialer.campaign.base import (
    ActiveCall,
    CallJob,
    CampaignPlan,
    CampaignProgress,
    CampaignStore,
    ContactNext,
    ContactState,
    Control,
    Controls,
    Progress,
    Slot,
    Wish,
)
from dialer.campaign.calendar import is_open
from dialer.campaign.outcome import after_call, instant, milliseconds, next_allowed_ms
from dialer.campaign.pacing import Pacer, room
from dialer.clock import NS_PER_MS, Clock, SystemClock
from dialer.errors import NoFreeLine, StorageError

log = structlog.get_logger()
T = TypeVar("T")

CONTROL_MS = 500  # how often the wished state is read
BLIND_MS = 2_000  # no new calls when it could not be read for so long
AHEAD_MS = 100  # contacts are fetched so long before the pace lets them be called
MAX_BATCH = 32
LOOK_AGAIN_MS = 1_000  # an empty list is looked at again, since other commands load contacts
NO_LINE_MS = 1_000  # a contact whose line was not there after all waits so long
STOP_MS = 800  # an emergency stop cancels what has not ended by itself

_SEVERITY = (Wish.RUN, Wish.PAUSE, Wish.DRAIN, Wish.STOP)


class Alarm(Protocol):
    """How the scheduler waits: until an event, or until a moment."""

    async def wait(self, event: asyncio.Event, until_ns: int) -> None:
        """Return when ``event`` is set, or at the monotonic stamp ``until_ns``."""


class SystemAlarm:
    """Waits by the event loop, whose clock is ``CLOCK_MONOTONIC``."""

    async def wait(self, event: asyncio.Event, until_ns: int) -> None:
        """See ``Alarm``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until_ns / 1e9):
                await event.wait()


@dataclass(slots=True)
class _Campaign:
    """A campaign at work."""

    plan: CampaignPlan
    pacer: Pacer
    control: Control = field(default_factory=Control)
    active: int = 0
    attempts: int = 0
    dispositions: Counter[str] = field(default_factory=Counter)
    look_at_ns: int = 0  # not before this is the store asked for contacts
    empty: bool = False  # when it was last asked, nothing was due
    next_due_ms: int | None = None
    given: int = 0  # slots made, for taking trunks and caller ids in turn


class CampaignScheduler:
    """Calls the contacts of campaigns. ``run`` is the whole life; everything is of the loop's thread."""

    def __init__(
        self,
        store: CampaignStore,
        plans: Sequence[CampaignPlan],
        *,
        lines: Callable[[], int],
        run_call: Callable[[CallJob], Awaitable[CallRecord]],
        end_calls: Callable[[Wish], None] | None = None,
        until_done: bool = False,
        cps: float | None = None,
        clock: Clock | None = None,
        alarm: Alarm | None = None,
        spread: Callable[[], float] = random.random,
    ) -> None:
        """Begin nothing yet.

        Args:
            store: contacts, attempts and the wished state.
            plans: the campaigns.
            lines: how many calls can be held at once at this moment, those in progress included
                (free lines plus lines in use).
            run_call: holds one call from the dialling to its end; NoFreeLine puts the contact back
                without spending its attempt, any other error becomes the disposition ``failed``.
            end_calls: told once with DRAIN (say goodbye) and once with STOP (end now).
            until_done: ``run`` returns when nothing is due and nobody is on the line; otherwise it
                goes on until it is drained or stopped.
            cps: calls per second of all campaigns together; None for no cap.
            clock: time; alarm: waiting; spread: 0..1, the share of a retry's jitter.
        """
        self._store = store
        self._lines = lines
        self._run_call = run_call
        self._end_calls = end_calls
        self._until_done = until_done
        self._cps = cps
        self._clock = clock or SystemClock()
        self._alarm = alarm or SystemAlarm()
        self._spread = spread
        self._campaigns = [_Campaign(plan, Pacer(plan.cps)) for plan in plans]
        self._served_first = 0
        self._pacer = Pacer(cps)
        self._controls = Controls(overall=Control(Wish.PAUSE))
        self._controls_at_ns: int | None = None
        self._asked = Wish.RUN
        self._told = Wish.RUN
        self._cancel_at_ns: int | None = None
        self._wake = asyncio.Event()
        self._halt = asyncio.Event()  # what waits for the pace gives up
        self._calls: dict[str, tuple[asyncio.Task[None], ActiveCall]] = {}
        self._note = ""
        self._ended = False

    # --- for others -----------------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """What is going on, for a view; cheap enough for several looks a second."""
        return Progress(
            state=self._state(),
            campaigns=tuple(
                CampaignProgress(
                    name=campaign.plan.name,
                    wish=campaign.control.wish,
                    active=campaign.active,
                    attempts=campaign.attempts,
                    dispositions=MappingProxyType(dict(campaign.dispositions)),
                    next_due_at_ms=campaign.next_due_ms,
                    lines=_first(campaign.control.lines, campaign.plan.lines),
                    cps=campaign.pacer.cps,
                )
                for campaign in self._campaigns
            ),
            active=tuple(active for _task, active in self._calls.values()),
            note=self._note,
        )

    def request(self, wish: Wish, within_ms: int | None = None) -> None:
        """Drain or stop this run, whatever the control row says (Ctrl-C). It cannot be taken back.

        Args:
            wish: DRAIN or STOP.
            within_ms: calls that are still there after so long are cancelled; None for no limit
                (a STOP always has one).
        """
        self._asked = max(self._asked, wish, key=_SEVERITY.index)
        if within_ms is not None:
            self._cancel_by(within_ms)
        self._apply_wish()

    def wake(self) -> None:
        """Look at once whether more can be called (a line became free, a list was loaded)."""
        for campaign in self._campaigns:
            campaign.look_at_ns = 0
        self._wake.set()

    async def run(self) -> Progress:
        """Call until done, drained or stopped.

        Returns:
            The last progress. All outcomes are on disk (or in the spill file) by then.
        """
        watcher = spawn(self._watch(), name="scheduler-watch")
        try:
            while not self._finished():
                self._wake.clear()
                await self._fill()
                if self._finished():
                    break
                await self._alarm.wait(self._wake, self._next_look_ns())
                self._cancel_late()
        finally:
            self._halt.set()
            watcher.cancel()
            await self._cancel_all()
            self._ended = True
        return self.progress

    # --- wishes ---------------------------------------------------------------------------------

    async def _watch(self) -> None:
        never = asyncio.Event()
        while True:
            try:
                self._controls = await self._store.controls()
            except StorageError as error:
                if not self._note:
                    log.warning("control.unreadable", error=str(error))
                self._note = f"the wished state cannot be read: {error}"
            else:
                self._note = ""
                self._controls_at_ns = self._clock.now_ns()
                self._apply_controls()
            await self._alarm.wait(never, self._clock.now_ns() + CONTROL_MS * NS_PER_MS)

    def _apply_controls(self) -> None:
        changed = False
        overall = self._controls.overall
        self._pacer.set_cps(_first(overall.cps, self._cps))
        for campaign in self._campaigns:
            control = self._controls.of(campaign.plan.name)
            changed |= control != campaign.control
            campaign.control = control
            campaign.pacer.set_cps(_first(control.cps, campaign.plan.cps))
        if changed or self._wish() is not self._told:
            self._apply_wish()
            self._wake.set()

    def _wish(self) -> Wish:
        return max(self._controls.overall.wish, self._asked, key=_SEVERITY.index)

    def _apply_wish(self) -> None:
        wish = self._wish()
        if _SEVERITY.index(wish) >= _SEVERITY.index(Wish.DRAIN):
            self._halt.set()
            if wish is Wish.STOP:
                self._cancel_by(STOP_MS)
            if self._end_calls is not None and _SEVERITY.index(wish) > _SEVERITY.index(self._told):
                self._end_calls(wish)
            log.info("scheduler.ending", wish=wish.value, calls=len(self._calls))
        self._told = wish
        self._wake.set()

    def _cancel_by(self, within_ms: int) -> None:
        by_ns = self._clock.now_ns() + within_ms * NS_PER_MS
        self._cancel_at_ns = by_ns if self._cancel_at_ns is None else min(by_ns, self._cancel_at_ns)

    def _cancel_late(self) -> None:
        if self._cancel_at_ns is not None and self._clock.now_ns() >= self._cancel_at_ns:
            for task, _active in self._calls.values():
                task.cancel()
            self._cancel_at_ns = None

    async def _cancel_all(self) -> None:
        while tasks := [task for task, _active in self._calls.values()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    # --- state ----------------------------------------------------------------------------------

    def _blind(self) -> bool:
        seen = self._controls_at_ns
        return seen is None or self._clock.now_ns() - seen > BLIND_MS * NS_PER_MS

    def _state(self) -> str:
        if self._ended:
            return "ended"
        match self._wish():
            case Wish.STOP:
                return "stopping"
            case Wish.DRAIN:
                return "draining"
        if self._blind():
            return "blind"
        return "running" if self._calls else "waiting"

    def _finished(self) -> bool:
        if self._calls:
            return False
        if self._wish() in (Wish.DRAIN, Wish.STOP):
            return True
        if not self._until_done or self._blind() or self._wish() is not Wish.RUN:
            return False
        return all(c.empty and c.control.wish is Wish.RUN for c in self._campaigns)

    def _may_call(self, campaign: _Campaign) -> bool:
        return not self._blind() and self._wish() is Wish.RUN and campaign.control.wish is Wish.RUN

    def _room(self, campaign: _Campaign) -> int:
        active = len(self._calls)
        return room(
            [
                self._lines(),
                self._controls.overall.lines,
                _first(campaign.control.lines, campaign.plan.lines),
            ],
            [active, active, campaign.active],
        )

    def _pace_ns(self, campaign: _Campaign) -> int | None:
        """When the pace lets this campaign's next call start; None for never under these caps."""
        now_ns = self._clock.now_ns()
        alone, together = campaign.pacer.earliest_ns(now_ns), self._pacer.earliest_ns(now_ns)
        return None if alone is None or together is None else max(alone, together)

    def _next_look_ns(self) -> int:
        now_ns = self._clock.now_ns()
        moments = [now_ns + LOOK_AGAIN_MS * NS_PER_MS]
        if self._cancel_at_ns is not None:
            moments.append(self._cancel_at_ns)
        for campaign in self._campaigns:
            if self._may_call(campaign) and self._room(campaign):
                pace_ns = self._pace_ns(campaign)
                if pace_ns is not None:
                    moments.append(max(campaign.look_at_ns, pace_ns - AHEAD_MS * NS_PER_MS))
        return max(min(moments), now_ns + NS_PER_MS)

    # --- filling the lines ----------------------------------------------------------------------

    async def _fill(self) -> None:
        """One turn for every campaign; the one that was served first is served last next time."""
        self._served_first = (self._served_first + 1) % max(1, len(self._campaigns))
        waiting = len(self._campaigns)
        for campaign in self._campaigns[self._served_first :] + self._campaigns[: self._served_first]:
            share = -(-self._room(campaign) // waiting)
            waiting -= 1
            if self._may_call(campaign) and self._clock.now_ns() >= campaign.look_at_ns:
                await self._fill_campaign(campaign, min(share, MAX_BATCH))

    async def _fill_campaign(self, campaign: _Campaign, most: int) -> None:
        count = min(most, self._count_ahead(campaign, most))
        if count == 0:
            return
        slots = [self._slot(campaign) for _ in range(count)]
        now_ms = self._now_ms()
        hours = campaign.plan.hours
        try:
            jobs = await self._store.take(
                campaign.plan, slots, now_ms, lambda zone: is_open(hours, zone, instant(now_ms))
            )
            if len(jobs) < count:
                await self._look_ahead(campaign, now_ms)
            else:
                campaign.empty = False
        except StorageError as error:
            log.warning("contacts.unavailable", campaign=campaign.plan.name, error=str(error))
            campaign.look_at_ns = self._clock.now_ns() + LOOK_AGAIN_MS * NS_PER_MS
            return
        for job in jobs:
            start_ns = self._pace_ns(campaign)  # None: the cap was set to nothing while we fetched
            if start_ns is not None:
                campaign.pacer.started(start_ns)
                self._pacer.started(start_ns)
            self._launch(campaign, job, start_ns)

    def _count_ahead(self, campaign: _Campaign, most: int) -> int:
        """How many calls the pace will let start within ``AHEAD_MS``."""
        pace_ns = self._pace_ns(campaign)
        if pace_ns is None:
            return 0
        left_ms = AHEAD_MS - (pace_ns - self._clock.now_ns()) / NS_PER_MS
        if left_ms < 0:
            return 0
        rates = [rate for rate in (campaign.pacer.cps, self._pacer.cps) if rate is not None]
        return 1 + int(left_ms / 1000 * min(rates)) if rates else most

    async def _look_ahead(self, campaign: _Campaign, now_ms: int) -> None:
        """Nothing more is due: find out until when."""
        zones = await self._store.due_zones(campaign.plan.campaign_id)
        moments = [next_allowed_ms(campaign.plan, z.time_zone, max(now_ms, z.due_at_ms)) for z in zones]
        campaign.next_due_ms = min((at for at in moments if at is not None), default=None)
        wait_ms = LOOK_AGAIN_MS
        campaign.empty = campaign.next_due_ms is None or campaign.next_due_ms > now_ms
        if campaign.next_due_ms is not None:
            wait_ms = min(wait_ms, max(AHEAD_MS, campaign.next_due_ms - now_ms))
        campaign.look_at_ns = self._clock.now_ns() + wait_ms * NS_PER_MS

    def _slot(self, campaign: _Campaign) -> Slot:
        plan, turn = campaign.plan, campaign.given
        campaign.given += 1
        return Slot(
            call_id=new_id(),
            attempt_id=new_id(),
            caller_id=plan.caller_ids[turn % len(plan.caller_ids)] if plan.caller_ids else "",
            trunk=plan.trunks[turn % len(plan.trunks)] if plan.trunks else "",
        )

    # --- one call -------------------------------------------------------------------------------

    def _launch(self, campaign: _Campaign, job: CallJob, start_ns: int | None) -> None:
        task = spawn(self._call(campaign, job, start_ns), name=f"call-{job.call_id}")
        campaign.active += 1
        self._calls[job.call_id] = (
            task,
            ActiveCall(job.call_id, campaign.plan.name, job.contact.number, start_ns or self._clock.now_ns()),
        )

        def gone(_task: asyncio.Task[None]) -> None:
            del self._calls[job.call_id]
            campaign.active -= 1
            self._wake.set()

        task.add_done_callback(gone)

    async def _call(self, campaign: _Campaign, job: CallJob, start_ns: int | None) -> None:
        """Hold one call and write what came of it, also when this task is cancelled."""
        held: ContactNext | None = None
        try:
            if start_ns is not None:
                await self._alarm.wait(self._halt, start_ns)
            if start_ns is None or self._halt.is_set():
                record = _cancelled(job, "stopped before it was dialled")
                held = ContactNext(ContactState.READY, counts=False)
            else:
                record = await self._run_call(job)
        except NoFreeLine as error:
            record = _cancelled(job, str(error) or "no free line")
            held = ContactNext(ContactState.READY, self._now_ms() + NO_LINE_MS, counts=False)
        except asyncio.CancelledError:
            record = _cancelled(job, "cancelled by a stop")
        except Exception as error:  # whatever broke, the attempt has an outcome and the others go on
            log.exception("call.failed", call_id=job.call_id, campaign_id=job.campaign_id)
            record = CallRecord(
                job.call_id, job.attempt_id, Disposition.FAILED, cause=f"{type(error).__name__}: {error}"
            )
        after = held or after_call(campaign.plan, job, record, self._now_ms(), self._spread())
        if after.counts:
            campaign.attempts += 1
            campaign.dispositions[str(record.disposition)] += 1
        if after.state is ContactState.READY:
            campaign.empty = False
            campaign.look_at_ns = 0
        await self._closed(job, record, after)

    async def _closed(self, job: CallJob, record: CallRecord, after: ContactNext) -> None:
        writing = spawn(self._store.close_call(job, record, after), name=f"close-{job.call_id}")
        while not writing.done():
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                continue  # the record is written whatever happens to the call
            except StorageError as error:
                log.critical("call.unrecorded", call_id=job.call_id, error=str(error))

    def _now_ms(self) -> int:
        return milliseconds(self._clock.wall())


def _first(wished: T | None, planned: T | None) -> T | None:
    return planned if wished is None else wished


def _cancelled(job: CallJob, cause: str) -> CallRecord:
    return CallRecord(job.call_id, job.attempt_id, Disposition.CANCELLED, cause=cause)
