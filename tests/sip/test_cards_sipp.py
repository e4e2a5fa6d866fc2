"""Line cards and SIPp, a SIP implementation that is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.call import Disposition, new_id
from dialer.telephony.base import DialRequest, LegAnswered, LegEnded
from dialer.telephony.causes import disposition_of
from tests.sip.caller import Caller
from tests.sip.lines import TONE, ended, event, lines
from tests.sip.sipp import sipp

pytestmark = pytest.mark.sip


async def call(folder: Path, scenario: str, *, hang_up: bool = False, **values: str) -> LegEnded:
    """Dial SIPp; it must have seen what its scenario expects."""
    async with sipp(scenario, folder, **values) as there, lines() as pool:
        caller = Caller()
        leg = await pool.place(DialRequest(new_id(), new_id(), there.uri, ring_timeout_ms=700), caller)
        leg.play(TONE, 1)
        if hang_up:
            await event(caller, LegAnswered)
            leg.hang_up()
        end = await ended(caller)
        assert await there.finished() == 0
        return end


async def test_answer(tmp_path: Path) -> None:
    end = await call(tmp_path, "answer", hang_up=True)
    assert (end.sip_code, end.by, end.answered) == (200, "us", True)


async def test_the_callee_hangs_up(tmp_path: Path) -> None:
    end = await call(tmp_path, "hang_up")
    assert disposition_of(end) is Disposition.HUNG_UP


async def test_ring_out(tmp_path: Path) -> None:
    assert disposition_of(await call(tmp_path, "ring_out")) is Disposition.NO_ANSWER


@pytest.mark.parametrize(
    ("status", "reason", "disposition"),
    [
        ("486", "Busy Here", Disposition.BUSY),
        ("404", "Not Found", Disposition.INVALID_NUMBER),
        ("603", "Decline", Disposition.REJECTED),
    ],
)
async def test_refusals(tmp_path: Path, status: str, reason: str, disposition: Disposition) -> None:
    end = await call(tmp_path, "refuse", status=status, reason=reason)
    assert (str(end.sip_code), end.reason) == (status, reason)
    assert disposition_of(end) is disposition
