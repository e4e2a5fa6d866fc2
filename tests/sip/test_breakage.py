"""What a call does when a part breaks under it: the callee never hears dead air, the record says why."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from dialer.simulator.farm import SoftphoneFarm
from dialer.simulator.persona import load_persona
from dialer.simulator.softphone import Callee
from tests.sip.test_call_command import ANY_PORT, CAMPAIGN, dialer_call

pytestmark = [pytest.mark.sip, pytest.mark.timeout(120)]

SILENT = load_persona(CAMPAIGN / "personas" / "silent.yaml")


@asynccontextmanager
async def silent_callee() -> AsyncIterator[str]:
    farm = SoftphoneFarm([Callee(SILENT.number, SILENT)], lines=1)
    try:
        (gateway,) = await farm.start()
        yield f"sip:{SILENT.number}@{gateway}"
    finally:
        await farm.close()


async def call_and_break(uri: str, folder: Path, module: str) -> dict[str, Any]:
    """Call; once it is answered, kill our process that runs ``module``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer.cli.main", "--log-level", "info",
        "call", uri, "--campaign", str(CAMPAIGN), "--json",
        cwd=folder,
        env={**os.environ, **ANY_PORT},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stdout is not None
    async with asyncio.timeout(90):
        async for line in process.stderr:
            if b"leg.answered" in line:
                break
        ours = psutil.Process(process.pid).children(recursive=True)
        # Of the card server's processes only those that it forked are line cards.
        victims = [
            child
            for child in ours
            if module in child.cmdline() and (module != CARDS or child.ppid() != process.pid)
        ]
        assert victims
        for victim in victims:
            victim.kill()
        draining = asyncio.create_task(process.stderr.read())
        out = await process.stdout.read()
        told = await draining
        await process.wait()
    assert process.returncode == 0, told.decode()
    result: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return result


CARDS = "dialer.telephony.cardserver"
WORKERS = "dialer.speech.worker"


async def test_a_recogniser_that_dies_ends_in_an_apology(tmp_path: Path) -> None:
    async with silent_callee() as uri:
        result = await call_and_break(uri, tmp_path, WORKERS)
    assert result["disposition"] == "technical_failure"
    assert result["cause"].startswith("recogniser")
    assert result["hung_up_by"] == "us"


async def test_a_card_that_dies_ends_its_call_in_the_records(tmp_path: Path) -> None:
    async with silent_callee() as uri:
        result = await call_and_break(uri, tmp_path, CARDS)
    assert result["disposition"] == "failed"
    assert "card crashed" in result["cause"]


async def test_a_network_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        status, result, told = await dialer_call(f"sip:x@127.0.0.1:{deaf.getsockname()[1]}", tmp_path)
    assert status == 0, told
    assert result["disposition"] in ("no_answer", "failed", "congestion")
    assert result["answer_ms"] is None


async def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (tmp_path / "dialer.yaml").write_text(
            f"sip: {{bind_address: 127.0.0.1, port: {port}, rtp_port: 0}}\n"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer.cli.main", "call", "sip:x@127.0.0.1:9", "--campaign", str(CAMPAIGN),
            cwd=tmp_path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
    assert process.returncode == 1, out.decode()
    assert str(port) in out.decode()
