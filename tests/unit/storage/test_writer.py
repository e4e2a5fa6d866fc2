from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from dialer.campaign.base import CallJob, Controls, ZoneDue
from dialer.clock import ManualClock
from dialer.errors import StorageError
from dialer.storage.base import CloseCall, DatabaseUnavailable, OpenAttempt, WriteOp
from dialer.storage.writer import RecordWriter
from tests.unit.storage.helpers import a_record

NUMBER = "+12025550100"


class FakeRecords:
    """A database in memory whose troubles are scripted."""

    def __init__(self) -> None:
        self.groups: list[list[WriteOp]] = []
        self.away = 0  # how many further tries find nobody
        self.refused: str | None = None  # the attempt that is never accepted
        self.agains: list[bool] = []
        self.tries = 0

    @property
    def ops(self) -> list[WriteOp]:
        return [op for group in self.groups for op in group]

    def apply(self, ops: Sequence[WriteOp], *, again: bool) -> list[list[CallJob] | None]:
        self.tries += 1
        self.agains.append(again)
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("gone fishing")
        if any(isinstance(op, CloseCall) and op.record.attempt_id == self.refused for op in ops):
            raise StorageError("refused")
        self.groups.append(list(ops))
        return [None] * len(ops)

    def controls(self) -> Controls:
        return Controls()

    def due_zones(self, campaign_id: int) -> list[ZoneDue]:
        return []

    def close(self) -> None:
        pass


class Sleeper:
    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(records: FakeRecords, spill: Path, give_up_ms: int = 200) -> AsyncIterator[RecordWriter]:
    writer = RecordWriter(
        records, spill=spill, clock=ManualClock(), give_up_ms=give_up_ms, sleep=Sleeper(), run_id=7
    )
    await writer.start()
    try:
        yield writer
    finally:
        await writer.close()


async def test_an_awaited_write_is_committed(tmp_path: Path) -> None:
    records = FakeRecords()
    async with running(records, tmp_path / "spill") as writer:
        await writer.open_attempt("a1", "c1", NUMBER)
        [op] = records.ops
        assert isinstance(op, OpenAttempt)
        assert op.run_id == 7


async def test_what_waits_is_committed_together(tmp_path: Path) -> None:
    records = FakeRecords()
    async with running(records, tmp_path / "spill") as writer:
        await asyncio.gather(*(writer.open_attempt(f"a{n}", f"c{n}", NUMBER) for n in range(20)))
    assert len(records.ops) == 20
    assert len(records.groups) <= 2


async def test_a_short_absence_is_waited_out(tmp_path: Path) -> None:
    records = FakeRecords()
    records.away = 2
    async with running(records, tmp_path / "spill") as writer:
        await writer.open_attempt("a1", "c1", NUMBER)
    assert records.agains == [False, True, True]
    assert len(records.ops) == 1


async def test_a_long_absence_refuses_attempts_and_spills_records(tmp_path: Path) -> None:
    records, spill = FakeRecords(), tmp_path / "spill"
    records.away = 1000
    async with running(records, spill) as writer:
        with pytest.raises(DatabaseUnavailable):
            await writer.open_attempt("a1", "c1", NUMBER)
        await writer.close_call(a_record("c0", "a0"), number=NUMBER)
        assert writer.spilled == 1
        tries = records.tries
        await writer.suppress(NUMBER, "asked", "call c0")
        assert records.tries == tries + 1, "while it is away each write is tried once"
        records.away = 0
        await writer.open_attempt("a2", "c2", NUMBER)
    again = FakeRecords()
    async with running(again, spill):
        assert [type(op).__name__ for op in again.ops] == ["CloseCall", "Suppress"]
        first = again.ops[0]
        assert isinstance(first, CloseCall)
        assert first.record == a_record("c0", "a0")
    assert not spill.exists()


async def test_one_refused_write_spoils_no_other(tmp_path: Path) -> None:
    records, spill = FakeRecords(), tmp_path / "spill"
    records.refused = "a1"
    async with running(records, spill) as writer:
        await asyncio.gather(
            *(writer.close_call(a_record(f"c{n}", f"a{n}"), number=NUMBER) for n in range(3))
        )
        assert writer.spilled == 1
    assert sorted(op.record.attempt_id for op in records.ops if isinstance(op, CloseCall)) == ["a0", "a2"]
    again = FakeRecords()
    again.refused = "a1"
    async with running(again, spill):
        pass
    assert spill.with_name("spill.refused").exists()


async def test_a_cancelled_caller_leaves_its_record_behind(tmp_path: Path) -> None:
    records = FakeRecords()
    async with running(records, tmp_path / "spill") as writer:
        task = asyncio.ensure_future(writer.close_call(a_record("c1", "a1"), number=NUMBER))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(records.ops) == 1


async def test_close_writes_what_waits_and_then_refuses(tmp_path: Path) -> None:
    records = FakeRecords()
    async with running(records, tmp_path / "spill") as writer:
        task = asyncio.ensure_future(writer.suppress(NUMBER, "asked", "operator"))
        await asyncio.sleep(0)
        await writer.close()
        await task
        with pytest.raises(StorageError, match="not running"):
            await writer.open_attempt("a1", "c1", NUMBER)
    assert len(records.ops) == 1


async def test_a_damaged_spill_line_is_set_aside(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.write_bytes(b'{"op": "close_call", "value": {"rec\n')
    async with running(FakeRecords(), spill):
        pass
    assert not spill.exists()
    assert b"close_call" in spill.with_name("spill.refused").read_bytes()
