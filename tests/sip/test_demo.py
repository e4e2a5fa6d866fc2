"""``dialer demo`` as a user runs it: a few personas, real calls, one JSON object at the end."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.sip, pytest.mark.timeout(200)]


async def test_the_demo_ends_with_one_json_object_and_all_calls_in_sql(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer.cli.main", "demo", "--contacts", "6", "--lines", "6", "--json",
        "--data", str(tmp_path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    result = json.loads(out.decode().splitlines()[-1])
    assert process.returncode == 0, err.decode() + str(result)
    assert result["calls"] == result["as_expected"] == sum(result["dispositions"].values()) == 6
    for name in ("answer_ms", "reply_ms", "gap_ms", "endpoint_ms"):
        assert set(result[name]) == {"p50", "p95", "p99"}
    with sqlite3.connect(result["database"].removeprefix("sqlite:///")) as database:
        assert database.execute("select count(*) from calls").fetchone() == (6,)
        assert database.execute("select count(*) from turns where reply_ms is null").fetchone() == (0,)
