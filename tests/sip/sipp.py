"""SIPp (Debian package ``sip-tester``) as the network: one scenario, on a free port, stopped afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parent / "scenarios"
LIMIT_S = 60


def needs_sipp() -> None:
    """Skip where SIPp is not installed; under ``CI=true`` that is a failure."""
    if shutil.which("sipp") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("SIPp is not installed (Debian: apt-get install sip-tester)")
        pytest.skip("SIPp is not installed (Debian: apt-get install sip-tester)")


def free_port() -> int:
    """A UDP port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sipp:
    """A running SIPp."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.process = process

    @property
    def uri(self) -> str:
        """Whom to call."""
        return f"sip:callee@127.0.0.1:{self.port}"

    async def finished(self) -> int:
        """Wait for the scenario's end; 0 when it went as written."""
        return await asyncio.wait_for(self.process.wait(), LIMIT_S)


@asynccontextmanager
async def sipp(scenario: str, folder: Path, **values: str) -> AsyncIterator[Sipp]:
    """Run ``scenarios/<scenario>.xml`` as a server for one call.

    Args:
        scenario: its name.
        folder: for logs.
        values: what stands for ``@name@`` in the scenario.
    """
    needs_sipp()
    port = free_port()
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    file = folder / f"{scenario}.xml"
    file.write_text(text)
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sf", str(file), "-i", "127.0.0.1", "-p", str(port),
        "-m", "1", "-nostdin", "-trace_err", "-timeout", f"{LIMIT_S}s", "-timeout_error",
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _listening(port, process)
        yield Sipp(port, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    """Return once somebody has bound the port."""
    entry = f"0100007F:{port:04X}"
    for _ in range(200):
        if process.returncode is not None:
            raise AssertionError(f"SIPp ended with {process.returncode} before it listened")
        if any(entry in line for line in Path("/proc/net/udp").read_text().splitlines()):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"SIPp does not listen on {port}")
