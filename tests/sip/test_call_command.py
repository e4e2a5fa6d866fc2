"""``dialer call`` as a user runs it, against SIPp as the network."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sip.sipp import sipp

pytestmark = [pytest.mark.sip, pytest.mark.timeout(180)]

ANY_PORT = {"DIALER_SIP__PORT": "0", "DIALER_SIP__RTP_PORT": "0", "DIALER_SIP__BIND_ADDRESS": "127.0.0.1"}
CAMPAIGN = Path(__file__).parents[2] / "campaigns" / "bill_reminder"


async def dialer_call(uri: str, folder: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """Run the command in ``folder``; its exit status, its JSON and what it told people."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer.cli.main", "call", uri, "--campaign", str(CAMPAIGN), "--json", *more,
        cwd=folder,
        env={**os.environ, **ANY_PORT},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    last = out.decode().strip().splitlines()[-1:] or ["{}"]
    return process.returncode or 0, json.loads(last[0]), err.decode()


def stored(folder: Path) -> list[tuple[str, ...]]:
    """Attempts and calls as SQL has them."""
    with sqlite3.connect(folder / "var" / "dialer.db") as database:
        return database.execute(
            "select a.disposition, c.disposition from attempts a join calls c on c.attempt_id = a.id"
        ).fetchall()


@pytest.mark.parametrize(
    ("scenario", "keys", "disposition"),
    [
        ("refuse", {"status": "486", "reason": "Busy Here"}, "busy"),
        ("refuse", {"status": "404", "reason": "Not Found"}, "invalid_number"),
        ("refuse", {"status": "603", "reason": "Decline"}, "rejected"),
        ("ring_out", {}, "no_answer"),
        ("hang_up", {}, "hung_up"),
        ("answer", {}, "no_response"),
    ],
)
async def test_it_records_what_the_network_does(
    scenario: str, keys: dict[str, str], disposition: str, tmp_path: Path
) -> None:
    async with sipp(scenario, tmp_path, **keys) as network:
        status, result, told = await dialer_call(network.uri, tmp_path)
        assert (status, result.get("disposition")) == (0, disposition), told
        assert await network.finished() == 0
    assert stored(tmp_path) == [(disposition, disposition)]
    if scenario in ("hang_up", "answer"):
        assert result["answer_ms"] is not None
        assert Path(tmp_path / result["recording"]).stat().st_size > 8000


async def test_a_bad_uri_is_refused_with_its_mend(tmp_path: Path) -> None:
    status, _, told = await dialer_call("sip:", tmp_path)
    assert status != 0
    assert "sip:" in told


async def test_a_number_without_a_trunk_is_refused_with_its_mend(tmp_path: Path) -> None:
    status, _, told = await dialer_call("+12025550101", tmp_path)
    assert status == 2
    assert "no trunk" in told
