"""The record writer: every write of a running dialer goes through here, in order, in one thread.

Whatever waits is committed together: while one commit is on its way to the disk, the next group
gathers. A caller that awaits has its write on disk when it goes on. When the database stays away for
longer than ``give_up_ms``, what must not be lost goes to a spill file, which the next start (or
``dialer db load-spill``) brings back; what can be refused (a new attempt) is refused.

    callers -> queue (bounded; callers wait) -> group -> Records.apply in a thread -> futures
                                                  `-> spill file
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog

from dialer.aio import spawn
from dialer.call import CallRecord
from dialer.campaign.base import CallJob, ContactNext
from dialer.clock import Clock, SystemClock
from dialer.errors import StorageError
from dialer.storage.base import (
    AttemptDialled,
    CloseCall,
    DatabaseUnavailable,
    OpenAttempt,
    Records,
    SpillableOp,
    Suppress,
    TakeContacts,
    WriteOp,
)
from dialer.storage.spill import SpillFile

log = structlog.get_logger()
T = TypeVar("T")

QUEUE_SIZE = 1_000
GROUP_SIZE = 64
FIRST_BACKOFF_MS = 50
LAST_BACKOFF_MS = 2_000


@dataclass(slots=True)
class _Waiting:
    op: WriteOp
    done: asyncio.Future[list[CallJob] | None] = field(repr=False)


def epoch_ms(wall: datetime) -> int:
    """Wall-clock milliseconds since the epoch."""
    return round(wall.timestamp() * 1000)


class RecordWriter:
    """Writes records durably; see the module. Methods are for the event loop's thread."""

    def __init__(
        self,
        records: Records,
        *,
        spill: Path,
        clock: Clock | None = None,
        run_id: int | None = None,
        give_up_ms: int = 30_000,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take hold of a database; ``start`` begins.

        Args:
            records: the database.
            spill: where records go that the database would not take.
            clock: for the stamps of writes.
            run_id: the run that attempts are opened under.
            give_up_ms: how long a write is tried again before it is spilled or refused.
            sleep: waits between tries, in seconds; for tests.
        """
        self._records = records
        self._spill = SpillFile(spill)
        self._clock = clock or SystemClock()
        self._run_id = run_id
        self._give_up_ms = give_up_ms
        self._sleep = sleep
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue(QUEUE_SIZE)
        self._writes = ThreadPoolExecutor(1, thread_name_prefix="records-write")
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="records-read")
        self._task: asyncio.Task[None] | None = None
        self._handing: set[asyncio.Task[list[CallJob] | None]] = set()
        self._closing = False
        self._away = False  # the database stayed away: one try each, until it is back
        self.spilled = 0
        """How many records went to the spill file in this run."""

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> int:
        """Bring back what an earlier run spilled, and begin.

        Returns:
            How many records were brought back.

        Raises:
            StorageError: the database cannot be used.
        """
        loop = asyncio.get_running_loop()
        restored = await loop.run_in_executor(self._writes, self._spill.restore, self._records)
        self._task = spawn(self._work(), name="record-writer")
        return restored

    async def flush(self) -> None:
        """Wait until everything that was handed over before is on disk (or spilled)."""
        await self._queue.join()

    async def close(self) -> None:
        """Write what waits, then end. Later writes raise StorageError. Twice is once."""
        if self._closing:
            return
        self._closing = True
        if self._task is not None:
            if self._handing:  # what callers that were cancelled left behind, too
                await asyncio.wait(self._handing)
            await self._queue.put(None)
            await asyncio.shield(self._task)
        self._writes.shutdown(wait=False)
        self._reads.shutdown(wait=False)
        self._records.close()

    # --- writes ---------------------------------------------------------------------------------

    async def open_attempt(
        self,
        attempt_id: str,
        call_id: str,
        number: str,
        *,
        campaign_id: int | None = None,
        contact_id: int | None = None,
        caller_id: str = "",
        trunk: str = "",
    ) -> None:
        """Write an attempt that no campaign's ``take`` wrote (a call by hand), before its INVITE leaves.

        Raises:
            StorageError: it is not on disk, so the call must not be placed.
        """
        await self._write(
            OpenAttempt(
                attempt_id=attempt_id,
                call_id=call_id,
                number=number,
                opened_at_ms=self._now_ms(),
                run_id=self._run_id,
                campaign_id=campaign_id,
                contact_id=contact_id,
                caller_id=caller_id,
                trunk=trunk,
            )
        )

    async def attempt_dialled(self, attempt_id: str, sip_call_id: str) -> None:
        """Write that the INVITE has left, with its Call-ID."""
        await self._write(AttemptDialled(attempt_id, sip_call_id, self._now_ms()))

    async def close_call(
        self,
        record: CallRecord,
        *,
        number: str,
        campaign_id: int | None = None,
        contact_id: int | None = None,
        caller_id: str = "",
        trunk: str = "",
        after: ContactNext | None = None,
    ) -> None:
        """Write the end of an attempt, all of it at once; see ``base.CloseCall``.

        Cancelling the caller does not cancel the write. Where the database stays away the record is
        spilled, and this returns.
        """
        await self._write(
            CloseCall(
                record=record,
                number=number,
                ended_at_ms=self._now_ms(),
                campaign_id=campaign_id,
                contact_id=contact_id,
                caller_id=caller_id,
                trunk=trunk,
                after=after,
            )
        )

    async def suppress(self, number: str, reason: str, source: str, scope: str = "") -> None:
        """Never call a number again, from now on; in all campaigns unless ``scope`` names one."""
        await self._write(Suppress(number, reason, source, self._now_ms(), scope))

    async def take(self, op: TakeContacts) -> list[CallJob]:
        """Take due contacts and open their attempts; see ``CampaignStore.take``.

        Raises:
            StorageError: nothing was taken.
        """
        return await self._write(op) or []

    async def read(self, query: Callable[[Records], T]) -> T:
        """Run a short read in the reading thread; it does not wait for writes."""
        return await asyncio.get_running_loop().run_in_executor(self._reads, query, self._records)

    @property
    def run_id(self) -> int | None:
        """The run that attempts are opened under."""
        return self._run_id

    # --- inside ---------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return epoch_ms(self._clock.wall())

    async def _write(self, op: WriteOp) -> list[CallJob] | None:
        if self._closing or self._task is None:
            raise StorageError("the record writer is not running")
        waiting = _Waiting(op, asyncio.get_running_loop().create_future())
        # Shielded as a whole: a cancelled caller leaves, the record still gets into the queue.
        task = spawn(self._handed_over(waiting), name="record-write", on_error=lambda _error: None)
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)
        return await asyncio.shield(task)

    async def _handed_over(self, waiting: _Waiting) -> list[CallJob] | None:
        await self._queue.put(waiting)
        return await waiting.done

    async def _work(self) -> None:
        while True:
            first = await self._queue.get()
            group = [first]
            while len(group) < GROUP_SIZE and not self._queue.empty():
                group.append(self._queue.get_nowait())
            writes = [waiting for waiting in group if waiting is not None]
            if writes:
                await self._commit(writes)
            for _ in group:
                self._queue.task_done()
            if len(writes) < len(group):
                return

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        """Commit a group; where it is refused for good, each write by itself, so that none spoils others."""
        try:
            results = await self._tried([waiting.op for waiting in group])
        except DatabaseUnavailable as error:
            await self._unavailable(group, error)
        except StorageError as error:
            if len(group) > 1:
                for waiting in group:
                    await self._commit([waiting])
            else:
                await self._refused(group[0], error)
        else:
            for waiting, result in zip(group, results, strict=True):
                _answer(waiting, result)

    async def _tried(self, ops: Sequence[WriteOp]) -> list[list[CallJob] | None]:
        loop = asyncio.get_running_loop()
        waited_ms, backoff_ms, again = 0, FIRST_BACKOFF_MS, False
        began_ns = self._clock.now_ns()
        while True:
            try:
                results = await loop.run_in_executor(self._writes, self._apply, ops, again)
            except DatabaseUnavailable as error:
                spent_ms = max(waited_ms, (self._clock.now_ns() - began_ns) // 1_000_000)
                if self._away or spent_ms >= self._give_up_ms:
                    raise
                log.warning("records.retried", error=str(error), writes=len(ops), spent_ms=spent_ms)
                await self._sleep(backoff_ms / 1000)
                waited_ms += backoff_ms
                backoff_ms = min(2 * backoff_ms, LAST_BACKOFF_MS)
                again = True
            else:
                if self._away:
                    self._away = False
                    log.info("records.back")
                return results

    def _apply(self, ops: Sequence[WriteOp], again: bool) -> list[list[CallJob] | None]:
        try:
            return self._records.apply(ops, again=again)
        except StorageError:
            raise
        except Exception as error:  # a value that the driver chokes on must not end the writer
            raise StorageError(f"the write failed: {type(error).__name__}: {error}") from error

    async def _unavailable(self, group: Sequence[_Waiting], error: DatabaseUnavailable) -> None:
        if not self._away:
            self._away = True
            log.error("records.away", error=str(error), spill=str(self._spill.path))
        for waiting in group:
            match waiting.op:
                case AttemptDialled() | CloseCall() | Suppress():
                    await self._spilled(waiting, waiting.op)
                case _:
                    _fail(waiting, error)

    async def _refused(self, waiting: _Waiting, error: StorageError) -> None:
        """The database took the others but not this one: keep it where a person can look at it."""
        log.error("records.refused", error=str(error), write=type(waiting.op).__name__)
        match waiting.op:
            case AttemptDialled() | CloseCall() | Suppress():
                await self._spilled(waiting, waiting.op)
            case _:
                _fail(waiting, error)

    async def _spilled(self, waiting: _Waiting, op: SpillableOp) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._writes, self._spill.add, op)
        except OSError as error:
            log.critical("records.lost", error=str(error), pii_write=repr(op))
            _fail(
                waiting, StorageError(f"neither the database nor {self._spill.path} takes records: {error}")
            )
        else:
            self.spilled += 1
            _answer(waiting, None)


def _answer(waiting: _Waiting, result: list[CallJob] | None) -> None:
    if not waiting.done.done():
        waiting.done.set_result(result)


def _fail(waiting: _Waiting, error: StorageError) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
