"""Who answers which call, and the job of a softphone process. Real calls: tests/sip/test_softphone.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.audio import RATE, read_wav
from dialer.clock import ManualClock
from dialer.simulator.softphone import Callee, Exchange, SoftphoneOptions, job_line, read_job
from dialer.simulator.voices import clip
from dialer.telephony.base import LegAnswered, LegEnded
from tests.unit.simulator.fakes import FakeReport, invite, persona

ANN = persona(answer={"after_ms": 0})
ENDED = LegEnded(5, 200, "OK", None, "callee", True)


def exchange(report: FakeReport, *, record: Path | None = None, anybody: bool = False) -> Exchange:
    return Exchange(
        {} if anybody else {"12025550101": ANN},
        {"somebody": {"opening": clip(b"", "")}},
        report=report, clock=ManualClock(), record=record, anybody=ANN if anybody else None,
    )  # fmt: skip


@pytest.mark.parametrize("number", ["+12025550101", "12025550101"])
async def test_a_number_is_put_through_with_or_without_the_plus(number: str) -> None:
    report = FakeReport()
    call, leg = invite(number)
    exchange(report).on_incoming(call)
    assert leg.asked == ["answer"]


async def test_a_number_that_nobody_has_is_404() -> None:
    report = FakeReport()
    call, leg = invite("+12025550177", {"X-Attempt-Id": "abc"})
    exchange(report).on_incoming(call).on_event(ENDED)
    assert leg.asked == ["reject 404"]
    refused = report.calls[0]
    assert (refused.number, refused.persona, refused.sip_status) == ("+12025550177", "", 404)
    assert refused.attempt_id == "abc"


async def test_a_number_in_use_is_busy() -> None:
    report = FakeReport()
    phones = exchange(report)
    first, _ = invite()
    handler = phones.on_incoming(first)
    second, leg = invite()
    phones.on_incoming(second)
    assert leg.asked == ["reject 486"]
    handler.on_event(ENDED)
    third, leg = invite()
    phones.on_incoming(third)
    assert leg.asked == ["answer"]


async def test_anybody_takes_any_number_of_calls() -> None:
    phones = exchange(FakeReport(), anybody=True)
    for number in ("alice", "bob", "bob"):
        call, leg = invite(number)
        phones.on_incoming(call)
        assert leg.asked == ["answer"]


async def test_closing_hangs_up_and_waits_for_the_reports() -> None:
    report = FakeReport()
    phones = exchange(report)
    call, leg = invite()
    handler = phones.on_incoming(call)
    leg.hang_up = lambda sip_code=0: handler.on_event(ENDED)  # type: ignore[method-assign]
    await phones.close()
    assert [c.ended_by for c in report.calls] == ["callee"]
    await phones.close()


async def test_recordings_are_written_before_the_report(tmp_path: Path) -> None:
    report = FakeReport()
    phones = exchange(report, record=tmp_path / "heard")
    call, leg = invite()
    handler = phones.on_incoming(call)
    handler.on_event(LegAnswered(1, "PCMA"))
    for seq in range(50):
        handler.on_frame(memoryview(b"\x00\x10" * 160), seq, seq, 0)
    leg.hang_up = lambda sip_code=0: handler.on_event(ENDED)  # type: ignore[method-assign]
    await phones.close()
    assert read_wav(Path(report.calls[0].recording)).size == RATE
    assert Path(report.calls[0].recording).name == "somebody-12025550101-1.wav"


async def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = FakeReport()
    phones = exchange(report, record=tmp_path / "file" / "heard")
    call, leg = invite()
    handler = phones.on_incoming(call)
    handler.on_frame(memoryview(bytes(320)), 0, 0, 0)
    leg.hang_up = lambda sip_code=0: handler.on_event(ENDED)  # type: ignore[method-assign]
    await phones.close()
    assert "cannot write" in report.problems[0]
    assert report.calls[0].recording == ""


def test_a_job_there_and_back() -> None:
    callee = Callee("+12025550102", persona(says=[{"text": "A [200] b."}, {"dtmf": "1"}], noise_dbfs=-45))
    options = SoftphoneOptions((callee,), lines=8, record=Path("heard"))
    assert read_job(job_line(options)) == options
    assert job_line(options).count(b"\n") == 1
