"""``dialer run`` as operations use it: loaded, started, drained, stopped, killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dialer.simulator.farm import SoftphoneFarm, repeat
from dialer.simulator.persona import load_persona

pytestmark = [pytest.mark.sip, pytest.mark.timeout(150)]

CAMPAIGN = Path(__file__).parents[2] / "campaigns" / "bill_reminder"


class Operations:
    """A folder with settings, a campaign that may call at any hour, and softphones that say nothing."""

    def __init__(self, folder: Path, gateways: tuple[str, ...]) -> None:
        self.folder = folder
        self.campaign = folder / "campaign"
        shutil.copytree(CAMPAIGN, self.campaign)
        settings = self.campaign / "campaign.yaml"
        text = settings.read_text()
        start, end = text.index("hours:"), text.index("holidays:")
        text = text[:start] + "hours: always\n" + text[end:].split("\n", 1)[1]
        settings.write_text(text)
        listed = ", ".join(f'"{gateway}"' for gateway in gateways)
        (folder / "dialer.yaml").write_text(
            "lines: 3\nsip: {bind_address: 127.0.0.1, port: 0, rtp_port: 0}\n"
            f"trunks: {{softphones: {{gateways: [{listed}], gateway_channels: 4}}}}\n"
        )

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer.cli.main", *arguments,
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("DIALER_")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def run(self, *arguments: str, status: int = 0) -> str:
        process = await self.start(*arguments)
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
        assert process.returncode == status, out.decode()
        return out.decode()

    async def load(self) -> None:
        numbers = self.folder / "people.csv"
        lines = (CAMPAIGN / "contacts.csv").read_text().splitlines()
        silent = next(line for line in lines if "+12025550119" in line)
        numbers.write_text(
            "\n".join([lines[0], *(silent.replace("+12025550119", number) for number in NUMBERS)]) + "\n"
        )
        await self.run("campaign", "load", str(self.campaign), "--contacts", str(numbers))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.folder / "var" / "dialer.db", timeout=10) as database:
            return database.execute(query).fetchall()

    async def until(self, query: str, expected: list[tuple[object, ...]]) -> None:
        """Wait for what other processes do; there is no event to wait for across them but the database."""
        async with asyncio.timeout(60):
            while self.rows(query) != expected:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.1)


SILENT = load_persona(CAMPAIGN / "personas" / "silent.yaml")
NUMBERS = [callee.number for callee in repeat([SILENT], 3)]
TALKING = "select count(*) from attempts where sip_call_id != '' and disposition is null"


@asynccontextmanager
async def operations(folder: Path) -> AsyncIterator[Operations]:
    farm = SoftphoneFarm(repeat([SILENT], 3), lines=4)
    try:
        desk = Operations(folder, await farm.start())
        await desk.load()
        yield desk
    finally:
        await farm.close()


async def test_ctrl_c_lets_live_calls_say_goodbye_and_loses_nothing(tmp_path: Path) -> None:
    async with operations(tmp_path) as desk:
        process = await desk.start("run", "--campaign", "bill_reminder")
        await desk.until(TALKING, [(3,)])
        told = await desk.run("run", "--campaign", "bill_reminder", status=1)
        assert f"process {process.pid}" in told
        await asyncio.sleep(1)  # into the greeting
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(15):
            out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        assert desk.rows("select disposition, count(*) from calls group by 1") == [("incomplete", 3)]
        assert desk.rows("select count(*) from attempts where disposition is null") == [(0,)]


async def test_an_emergency_stop_ends_live_calls_at_once(tmp_path: Path) -> None:
    async with operations(tmp_path) as desk:
        process = await desk.start("run", "--campaign", "bill_reminder")
        await desk.until(TALKING, [(3,)])
        await desk.run("stop")
        async with asyncio.timeout(15):
            await process.communicate()
        assert process.returncode == 0
        ((count, longest),) = desk.rows("select count(*), max(talk_ms) from calls")
        assert count == 3
        assert isinstance(longest, float)
        assert longest < 6_000


async def test_what_a_killed_run_left_is_held_and_not_called_again(tmp_path: Path) -> None:
    async with operations(tmp_path) as desk:
        process = await desk.start("run", "--campaign", "bill_reminder")
        await desk.until(TALKING, [(3,)])
        process.kill()
        await process.communicate()
        told = await desk.run("run", "--campaign", "bill_reminder", "--until-done")
        assert "3 attempts of an earlier run are unknown" in told
        assert desk.rows("select disposition, count(*) from attempts group by 1") == [("unknown", 3)]
        assert desk.rows("select state, count(*) from contacts group by 1") == [("held", 3)]
        assert "3 contacts will be called again" in await desk.run(
            "campaign", "release", "bill_reminder", "--call-again"
        )
