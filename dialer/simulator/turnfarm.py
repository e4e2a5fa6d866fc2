"""The callees of ``dialer bench turns`` in processes of their own, over plain SIP and RTP (``sippeer``).

    farm = TurnFarm(scripts, audio, questions, on_said)
    gateways = await farm.start()                # {number: "127.0.0.1:PORT"}
    farm.state(number, "first_day")              # the dialog has come to this state
    calls = await farm.close()                   # what every call heard and said, with stamps

``python -m dialer.simulator.turnfarm`` is such a process. Standard input: a job as one JSON line, then a line
for each state. Standard output: the port, then a line for each remark that begins. At the end of standard
input it writes its logs to a file.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from dialer.aio import spawn
from dialer.audio import FRAME_MS
from dialer.errors import TelephonyError
from dialer.g711 import ALAW_VALUES, ALAW_VOICED, alaw_encode
from dialer.simulator.rtppeer import FRAME_OCTETS, RtpStream
from dialer.simulator.sippeer import PeerCall, PeerPlan, SipPeer
from dialer.simulator.turncallee import CallScript, Question, Said, TurnCallee
from dialer.telephony import sipmsg

CALLS_PER_PROCESS = 20
START_S = 30.0
CLOSE_S = 30.0
MAX_LINE = 16 << 20

Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TurnStream:
    """One call as its callee saw it; stamps are monotonic nanoseconds of the host.

    Attributes:
        number: who was called.
        attempt_id: the INVITE's ``X-Attempt-Id``.
        answered_ns, ended_ns: 200 OK sent; end of the call (0 for never).
        said: the remarks, in order.
        arrival_ns, voiced: each packet of the caller, and whether its peak was above -45 dBFS.
        sent_ns, late_ns: each packet of ours, and how long after its due time it left.
    """

    number: str
    attempt_id: str
    answered_ns: int
    ended_ns: int
    said: tuple[Said, ...]
    arrival_ns: Stamps
    voiced: NDArray[np.uint8]
    sent_ns: Stamps
    late_ns: Stamps


@dataclass(frozen=True, slots=True)
class _Job:
    """What a process is told: ``audio`` is the A-law file of each number."""

    scripts: tuple[CallScript, ...]
    audio: dict[str, str]
    questions: dict[str, Question]
    out: str


@dataclass(frozen=True, slots=True)
class _Row:
    number: str
    attempt_id: str
    answered_ns: int
    ended_ns: int
    said: tuple[Said, ...]


# --- the side of the bench ------------------------------------------------------------------------


class TurnFarm:
    """As many processes as the scripts need; each takes calls to the numbers of its scripts.

    Args:
        scripts: the callees.
        audio: A-law octets of each number, whole frames.
        questions: which question each dialog state asks.
        on_said: called in the loop's thread when a callee begins to say something, with its number, the
            remark's place in its audio (``Remark.start``) and when its first packet left.
    """

    def __init__(
        self,
        scripts: Sequence[CallScript],
        audio: Mapping[str, bytes],
        questions: Mapping[str, Question],
        on_said: Callable[[str, int, int], None],
    ) -> None:
        self._scripts = scripts
        self._audio = audio
        self._questions = dict(questions)
        self._on_said = on_said
        self._folder = tempfile.TemporaryDirectory(prefix="callees-")
        self._processes: list[Process] = []
        self._reading: list[asyncio.Task[None]] = []
        self._process_of: dict[str, Process] = {}

    async def start(self) -> dict[str, str]:
        """Start the processes; gives the gateway (``host:port``) of each number.

        Raises:
            TelephonyError: a process did not come up.
        """
        gateways = {}
        for first in range(0, len(self._scripts), CALLS_PER_PROCESS):
            scripts = tuple(self._scripts[first : first + CALLS_PER_PROCESS])
            process, port = await self._launch(scripts)
            for script in scripts:
                self._process_of[script.number] = process
                gateways[script.number] = f"127.0.0.1:{port}"
        return gateways

    async def _launch(self, scripts: tuple[CallScript, ...]) -> tuple[Process, int]:
        files = {}
        for script in scripts:
            path = Path(self._folder.name) / f"{script.number}.al"
            await asyncio.to_thread(path.write_bytes, self._audio[script.number])
            files[script.number] = str(path)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer.simulator.turnfarm", stdin=PIPE, stdout=PIPE, limit=MAX_LINE
        )
        self._processes.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        job = _Job(scripts, files, self._questions, str(self._out(len(self._processes) - 1)))
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        if not line:
            raise TelephonyError("a callee process ended at once; its last words are on standard error")
        self._reading.append(spawn(self._read(process), name="callee-remarks"))
        return process, int(line)

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            number, start, t_ns = json.loads(line)
            self._on_said(number, start, t_ns)

    def state(self, number: str, state: str) -> None:
        """Tell a callee which state the dialog has come to; it may be of another campaign's states."""
        process = self._process_of[number]
        if state in self._questions and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps([number, state]).encode() + b"\n")

    async def close(self) -> list[TurnStream]:
        """End the processes; gives all calls that had media."""
        streams: list[TurnStream] = []
        for number, process in enumerate(self._processes):
            assert process.stdin is not None
            with suppress(ConnectionError):
                process.stdin.close()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            if self._out(number).exists():
                streams += await asyncio.to_thread(_load, self._out(number))
        await asyncio.gather(*self._reading)
        self._processes.clear()
        self._folder.cleanup()
        return streams

    def _out(self, number: int) -> Path:
        return Path(self._folder.name) / f"callees{number}.npz"


def _load(path: Path) -> list[TurnStream]:
    with np.load(path) as file:
        rows = msgspec.json.decode(str(file["rows"]), type=list[_Row])
        return [
            TurnStream(
                row.number,
                row.attempt_id,
                row.answered_ns,
                row.ended_ns,
                row.said,
                *(file[f"{column}{index}"] for column in ("arrival_ns", "voiced", "sent_ns", "late_ns")),
            )
            for index, row in enumerate(rows)
        ]


# --- the process of the callees -------------------------------------------------------------------


class _Line:
    """A callee on its stream: gives each packet's octets, our echo mixed in where the line has one."""

    def __init__(
        self, call: PeerCall, callee: TurnCallee, audio: bytes, tell: Callable[[Said, int], None]
    ) -> None:
        self.call = call
        self.callee = callee
        self._audio = audio
        self._tell = tell
        script = callee.script
        self._echoes = script.echo_ms > 0
        self._echo_frames = script.echo_ms // FRAME_MS
        self._gain = 10 ** (script.echo_db / 20)
        self._back: deque[bytes] = deque(maxlen=self._echo_frames + 8)

    def source(self, t_ns: int) -> bytes:
        """The packet that leaves now."""
        said = len(self.callee.said)
        at = self.callee.send(t_ns) * FRAME_OCTETS
        if len(self.callee.said) > said:
            self._tell(self.callee.said[-1], t_ns)
        if self.callee.over:
            asyncio.get_running_loop().call_soon(self.call.hang_up)  # not in the middle of a packet
        octets = self._audio[at : at + FRAME_OCTETS]
        if len(self._back) > self._echo_frames:
            octets = self._mixed(octets, self._back.popleft())
        return octets

    def heard(self, octets: bytes, t_ns: int) -> None:
        """A packet of the caller."""
        self.callee.heard(t_ns, 1 in octets.translate(ALAW_VOICED))
        if self._echoes:
            self._back.append(octets)

    def _mixed(self, octets: bytes, back: bytes) -> bytes:
        ours = ALAW_VALUES[np.frombuffer(octets, dtype=np.uint8)]
        theirs = ALAW_VALUES[np.frombuffer(back, dtype=np.uint8)]
        if theirs.size != ours.size:
            return octets
        mixed = np.clip(ours + self._gain * theirs, -32768, 32767)
        return alaw_encode(mixed.astype("<i2").tobytes())


class _Callees:
    """All callees of a process."""

    def __init__(self, job: _Job, audio: Mapping[str, bytes]) -> None:
        self._job = job
        self._scripts = {script.number: script for script in job.scripts}
        self._audio = audio
        self._lines: dict[str, _Line] = {}  # of each number, the last call
        self.calls: list[_Line] = []

    def answered(self, call: PeerCall) -> None:
        """A call has come and its stream runs."""
        script = self._scripts[call.user]
        stream: RtpStream | None = call.stream
        assert stream is not None

        def tell(said: Said, t_ns: int) -> None:
            sys.stdout.write(json.dumps([script.number, said.remark.start, t_ns]) + "\n")
            sys.stdout.flush()

        line = _Line(call, TurnCallee(script), self._audio[script.number], tell)
        self._lines[script.number] = line
        self.calls.append(line)
        stream.heard, stream.source = line.heard, line.source

    def state(self, number: str, state: str) -> None:
        """The dialog of a call has come to a state."""
        if number in self._lines:
            self._lines[number].callee.asked(self._job.questions[state])

    def write(self) -> None:
        """Write all logs."""
        rows: list[_Row] = []
        arrays: dict[str, NDArray[Any]] = {}
        for index, line in enumerate(self.calls):
            call = line.call
            assert call.stream is not None
            log = call.stream.log
            # Packets sent before the callee took the stream over are not of its count.
            own = len(log.sent_ns) - line.callee.packets
            arrays |= {
                f"arrival_ns{index}": np.frombuffer(log.arrival_ns, dtype=np.int64),
                f"voiced{index}": np.frombuffer(log.voiced, dtype=np.uint8),
                f"sent_ns{index}": np.frombuffer(log.sent_ns, dtype=np.int64)[own:],
                f"late_ns{index}": np.frombuffer(log.late_ns, dtype=np.int64)[own:],
            }
            attempt = sipmsg.header(call.invite, "x-attempt-id")
            said = tuple(line.callee.said)
            rows.append(_Row(line.callee.script.number, attempt, call.answered_ns, call.ended_ns, said))
        text = msgspec.json.encode(rows).decode()
        np.savez(self._job.out, rows=np.array(text), **arrays)  # type: ignore[arg-type]


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    job = msgspec.json.decode(await reader.readline(), type=_Job)
    audio = {number: await asyncio.to_thread(Path(path).read_bytes) for number, path in job.audio.items()}
    callees = _Callees(job, audio)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would delay packets
    async with SipPeer(PeerPlan(ring=180)) as peer:
        sys.stdout.write(f"{peer.port}\n")
        sys.stdout.flush()
        answering = spawn(_answer(peer, callees), name="answering")
        while line := await reader.readline():
            callees.state(*json.loads(line))
        answering.cancel()
    await asyncio.to_thread(callees.write)


async def _answer(peer: SipPeer, callees: _Callees) -> None:
    count = 0
    while True:
        callees.answered(await peer.call(count))
        count += 1


if __name__ == "__main__":
    asyncio.run(_serve())
