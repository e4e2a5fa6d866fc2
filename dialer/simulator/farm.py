"""Softphones for a whole list of personas, run from the dialer's process: ``dialer demo`` and the benches.

callees = repeat(personas, 48)
farm = SoftphoneFarm(callees, lines=16)
gateways = await farm.start()          # for a trunk: gateway_channels = farm.calls_per_gateway
...
truths = await farm.close()            # what really happened, by the callees
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from dialer.aio import spawn
from dialer.errors import TelephonyError
from dialer.simulator.persona import Persona
from dialer.simulator.report import CALL, FAILED, READY
from dialer.simulator.softphone import Callee, SoftphoneOptions, job_line
from dialer.simulator.truth import CallTruth

_log = structlog.get_logger()

LINES_PER_PROCESS = 24
START_S = 60.0
CLOSE_S = 10.0
MAX_LINE = 1 << 20  # bytes of one JSON line: a call with hundreds of turns

_AREAS = (202, 212, 303, 312, 404, 415, 512, 602, 617, 702)


def free_numbers() -> Iterator[str]:
    """Numbers that are nobody's: 555-0100 to 555-0199 of some areas, which are kept for examples."""
    for area, last in itertools.product(_AREAS, range(100)):
        yield f"+1{area}55501{last:02}"


def repeat(personas: Sequence[Persona], count: int) -> tuple[Callee, ...]:
    """``count`` callees, the personas in turn; a persona that comes again has a number of its own.

    Raises:
        ValueError: there is no persona, or more callees are wanted than there are free numbers.
    """
    if not personas:
        raise ValueError("there is no persona to repeat")
    taken = {persona.number for persona in personas}
    free = (number for number in free_numbers() if number not in taken)
    callees = []
    for index in range(count):
        persona = personas[index % len(personas)]
        number = persona.number if index < len(personas) else next(free, None)
        if number is None:
            raise ValueError(f"there are no numbers for {count} callees; ask for fewer")
        callees.append(Callee(number, persona))
    return tuple(callees)


class SoftphoneFarm:
    """Softphone processes that together hold ``lines`` calls; every one of them knows every callee.

    Args:
        callees: who can be called.
        lines: calls at once; rounded up to whole line cards.
        lines_per_process: at most so many of them in one process.
        record: folder for WAVs of what the callees heard; None for none.
        on_call: told of each call when it is over, in the loop's thread.
    """

    def __init__(
        self,
        callees: Sequence[Callee],
        lines: int,
        *,
        lines_per_process: int = LINES_PER_PROCESS,
        record: Path | None = None,
        on_call: Callable[[CallTruth], None] | None = None,
    ) -> None:
        self._callees = tuple(callees)
        self._lines = lines
        self._processes = math.ceil(lines / lines_per_process)
        self._record = record
        self._on_call = on_call
        self._running: list[_Softphone] = []
        self.calls: list[CallTruth] = []
        """What really happened in every call that is over."""
        self.calls_per_gateway = 0
        """How many calls each gateway holds at once; known after ``start``."""

    @property
    def pids(self) -> list[int]:
        """The softphone processes (their line cards are children of theirs)."""
        return [softphone.pid for softphone in self._running]

    async def start(self) -> tuple[str, ...]:
        """Start the softphones and wait until everything they say is rendered and they take calls.

        Returns:
            ``127.0.0.1:port`` of every SIP port.

        Raises:
            TelephonyError: a softphone cannot start; says why.
        """
        share, rest = divmod(self._lines, self._processes)
        try:
            for index in range(self._processes):
                options = SoftphoneOptions(self._callees, lines=share + (index < rest), record=self._record)
                self._running.append(await _Softphone.launch(options, self._ended))
            ready = await asyncio.gather(*(softphone.ready() for softphone in self._running))
        except BaseException:
            await self.close()
            raise
        self.calls_per_gateway = min(int(each["calls_per_gateway"]) for each in ready)
        return tuple(gateway for each in ready for gateway in each["gateways"])

    async def close(self) -> list[CallTruth]:
        """End the softphones; live calls are hung up and reported.

        Returns:
            ``calls``, complete now.
        """
        await asyncio.gather(*(softphone.close() for softphone in self._running))
        self._running.clear()
        return self.calls

    def _ended(self, truth: CallTruth) -> None:
        self.calls.append(truth)
        if self._on_call is not None:
            self._on_call(truth)


class _Softphone:
    """One process of the farm."""

    def __init__(self, process: Process, on_call: Callable[[CallTruth], None]) -> None:
        self._process = process
        self._on_call = on_call
        self._ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())  # ours to tell
        self._reading = spawn(self._read(), name="softphone-reports", on_error=self._broken)

    @classmethod
    async def launch(cls, options: SoftphoneOptions, on_call: Callable[[CallTruth], None]) -> _Softphone:
        # A session of its own: Ctrl-C is for the dialer, which ends its calls first.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer.simulator.softphone",
            stdin=PIPE, stdout=PIPE, limit=MAX_LINE, start_new_session=True,
        )  # fmt: skip
        softphone = cls(process, on_call)
        assert process.stdin is not None
        with suppress(ConnectionError):  # it ended already: ``ready`` says so
            process.stdin.write(job_line(options))
            await process.stdin.drain()
        return softphone

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> dict[str, Any]:
        """Its announcement.

        Raises:
            TelephonyError: it cannot start.
        """
        try:
            async with asyncio.timeout(START_S):
                return await self._ready
        except TimeoutError:
            raise TelephonyError(f"a softphone was not ready within {START_S:.0f} s") from None

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._ready.cancel()  # nobody waits for it any more
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(self._reading, return_exceptions=True)
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._take(json.loads(line))
        if not self._ready.done():
            self._ready.set_exception(TelephonyError("a softphone ended before it was ready"))

    def _take(self, message: dict[str, Any]) -> None:
        event = message.pop("event")
        if event == CALL:
            self._on_call(CallTruth.from_json(message))
        elif event == READY and not self._ready.done():
            self._ready.set_result(message)
        elif event == FAILED:
            self._broken(TelephonyError(f"a softphone failed: {message['problem']}"))

    def _broken(self, error: BaseException) -> None:
        if self._ready.done():
            _log.warning("softphone.failed", error=str(error), pid=self.pid)
        else:
            self._ready.set_exception(error)
