"""A run: a database that is owned, a host that holds calls, a scheduler that places them, a view of it all.

``dialer run`` and ``dialer demo`` are both this, with other settings around it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dialer.aio import spawn
from dialer.app import Announce, Host, RecordLink
from dialer.call import CallRecord
from dialer.campaign.base import CallJob, CampaignPlan, Progress, Wish
from dialer.campaign.folder import Campaign
from dialer.campaign.scheduler import CampaignScheduler
from dialer.clock import Clock, SystemClock
from dialer.monitor.state import LiveSnapshot, LiveState
from dialer.settings import Settings
from dialer.storage.base import UnknownAttempt
from dialer.storage.ownership import own
from dialer.storage.records import SqlRecords
from dialer.storage.store import RecordStore
from dialer.storage.writer import RecordWriter, epoch_ms
from dialer.telephony.trunk import Trunk

DRAIN_MS = 10_000
"""Ctrl-C: calls that are still there after this are cut."""

Show = Callable[[LiveSnapshot], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """A campaign of this run: its folder, and its row in the database as the scheduler sees it."""

    campaign: Campaign
    plan: CampaignPlan


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is to do.

    Attributes:
        lines: calls at once.
        cps: new calls a second, all campaigns together.
        until_done: end when nothing is due; else when drained or stopped.
        planned: contacts that will be called, for the progress bar; 0 for unknown.
        trunks: by name; None for those of the settings.
    """

    lines: int
    cps: float
    until_done: bool = False
    planned: int = 0
    trunks: Mapping[str, Trunk] | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run went: the scheduler's last word, every call of it, what an earlier crash left open."""

    progress: Progress
    records: tuple[tuple[CallJob, CallRecord], ...]
    unknown: tuple[UnknownAttempt, ...]
    spilled: int


@asynccontextmanager
async def open_records(
    url: str, data_dir: Path, clock: Clock, run_id: int | None
) -> AsyncIterator[RecordWriter]:
    """A started record writer; what it holds is on disk when the block ends."""
    data_dir.mkdir(parents=True, exist_ok=True)
    writer = RecordWriter(SqlRecords(url), spill=data_dir / "spilled.jsonl", clock=clock, run_id=run_id)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.close()


async def run_campaigns(
    settings: Settings,
    campaigns: Sequence[Planned],
    options: RunOptions,
    show: Show,
    announce: Announce = lambda _: None,
    keep_records: bool = False,
) -> RunResult:
    """Call the contacts of ``campaigns`` until done, drained (Ctrl-C, SIGTERM) or stopped.

    Args:
        settings: of the host.
        campaigns: what to call.
        options: see there.
        show: gets a snapshot four times a second.
        announce: told what is being started.
        keep_records: whether the result has every call's record (they are in the database in any case).

    Raises:
        StorageError: the database cannot be used, or another run owns it.
        TelephonyError: the lines cannot be started.
    """
    clock = SystemClock()
    names = ", ".join(planned.campaign.settings.name for planned in campaigns)
    live = LiveState(clock, campaign=names, lines=options.lines, planned=options.planned)
    kept: list[tuple[CallJob, CallRecord]] = []
    now_ms = epoch_ms(clock.wall())
    with own(settings.database, now_ms) as ownership:
        async with open_records(settings.database, settings.data_dir, clock, ownership.run_id) as writer:
            # After the spilled records are back: what they tell is not unknown.
            unknown = ownership.reconcile(now_ms)
            host = Host(
                settings,
                [planned.campaign for planned in campaigns],
                lines=options.lines,
                link=record_link(writer),
                live=live,
                trunks=options.trunks,
                clock=clock,
                announce=announce,
            )
            async with host:

                async def run_call(job: CallJob) -> CallRecord:
                    record = await host.run_call(job)
                    if keep_records:
                        kept.append((job, record))
                    return record

                scheduler = CampaignScheduler(
                    RecordStore(writer),
                    [planned.plan for planned in campaigns],
                    lines=lambda: host.lines,
                    run_call=run_call,
                    end_calls=host.end_calls,
                    until_done=options.until_done,
                    cps=options.cps,
                    clock=clock,
                )
                progress = await _until_ended(scheduler, live, show)
        ownership.release(epoch_ms(clock.wall()))
    return RunResult(progress, tuple(kept), tuple(unknown), writer.spilled)


def record_link(writer: RecordWriter) -> RecordLink:
    """What live calls write before they end."""

    async def suppress(number: str, reason: str) -> None:
        await writer.suppress(number, reason, source="call")

    return RecordLink(suppress=suppress, dialled=writer.attempt_dialled)


async def _until_ended(scheduler: CampaignScheduler, live: LiveState, show: Show) -> Progress:
    loop = asyncio.get_running_loop()
    pressed = 0

    def interrupted() -> None:
        nonlocal pressed
        pressed += 1
        # The first asks for an end, the second for an end now.
        scheduler.request(*((Wish.DRAIN, DRAIN_MS) if pressed == 1 else (Wish.STOP, None)))

    async def view() -> None:
        while True:
            live.note = _note(scheduler.progress)
            show(live.snapshot())
            await asyncio.sleep(0.25)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    viewing = spawn(view(), name="live-view")
    try:
        return await scheduler.run()
    finally:
        viewing.cancel()
        live.note = ""
        show(live.snapshot())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _note(progress: Progress) -> str:
    if progress.state in ("running", "ended"):
        return progress.note
    return f"{progress.state}: {progress.note}" if progress.note else progress.state


def with_pacing(plan: CampaignPlan, lines: int | None, cps: float | None) -> CampaignPlan:
    """``plan`` with caps of its own replaced where given."""
    return replace(
        plan,
        lines=plan.lines if lines is None else lines,
        cps=plan.cps if cps is None else cps,
    )
