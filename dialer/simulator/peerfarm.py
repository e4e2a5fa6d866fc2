"""``SipPeer`` in processes of its own, for benches.

    farm = PeerFarm(calls=100, audio=alaw)
    gateways = await farm.start()           # ["127.0.0.1:PORT", ...], CALLS_PER_PROCESS calls each
    ...
    streams = await farm.close()            # what each call saw, on the host's monotonic clock

``python -m dialer.simulator.peerfarm`` is such a process: one JSON object on standard input, the port as
a line on standard output, and at the end of standard input the logs as ``.npz`` in a file.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dialer.errors import TelephonyError
from dialer.simulator.sippeer import PeerCall, PeerPlan, SipPeer

CALLS_PER_PROCESS = 50
START_S = 30.0
CLOSE_S = 30.0

_COLUMNS = {
    "arrival_ns": np.int64,
    "seq": np.uint16,
    "voiced": np.uint8,
    "sent_ns": np.int64,
    "late_ns": np.int64,
    "sent_voiced": np.uint8,
}


@dataclass(frozen=True, slots=True)
class PeerStream:
    """One call as a peer saw it; all stamps are monotonic nanoseconds of the host.

    Attributes:
        user: user part of the request URI that was called.
        call_id: SIP Call-ID.
        answered_ns, ended_ns: 200 OK sent; end of the call (0 for never).
        columns: arrays named as in ``rtppeer.StreamLog``.
    """

    user: str
    call_id: str
    answered_ns: int
    ended_ns: int
    columns: dict[str, NDArray[Any]]


class PeerFarm:
    """As many peer processes as ``calls`` need, all with the same plan.

    Args:
        calls: at once.
        plan: what every peer does; its ``audio`` is given apart because it is long.
        audio: A-law octets.
    """

    def __init__(self, calls: int, plan: PeerPlan, audio: bytes = b"") -> None:
        self._count = max(1, -(-calls // CALLS_PER_PROCESS))
        self._plan = plan
        self._audio = audio
        self._folder = tempfile.TemporaryDirectory(prefix="peers-")
        self._processes: list[Process] = []

    async def start(self) -> list[str]:
        """Start the processes; gives ``host:port`` of each.

        Raises:
            TelephonyError: a process did not come up.
        """
        audio = Path(self._folder.name) / "audio.al"
        audio.write_bytes(self._audio)
        plan = asdict(self._plan) | {"audio": str(audio)}
        gateways = []
        for number in range(self._count):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "dialer.simulator.peerfarm", stdin=PIPE, stdout=PIPE
            )
            self._processes.append(process)
            assert process.stdin is not None
            assert process.stdout is not None
            job = {"plan": plan, "out": str(self._out(number))}
            process.stdin.write(json.dumps(job).encode() + b"\n")
            async with asyncio.timeout(START_S):
                line = await process.stdout.readline()
            if not line:
                raise TelephonyError("a callee process ended at once; its last words are on standard error")
            gateways.append(f"127.0.0.1:{int(line)}")
        return gateways

    async def close(self) -> list[PeerStream]:
        """End the processes; gives the streams of all calls that had media."""
        streams: list[PeerStream] = []
        for number, process in enumerate(self._processes):
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            if self._out(number).exists():
                streams += await asyncio.to_thread(_read, self._out(number))
        self._processes.clear()
        self._folder.cleanup()
        return streams

    def _out(self, number: int) -> Path:
        return Path(self._folder.name) / f"peer{number}.npz"


def _read(path: Path) -> list[PeerStream]:
    with np.load(path) as file:
        rows = json.loads(str(file["calls"]))
        return [
            PeerStream(**row, columns={name: file[f"{name}{index}"] for name in _COLUMNS})
            for index, row in enumerate(rows)
        ]


def _write(path: Path, calls: list[PeerCall]) -> None:
    rows: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for call in calls:
        if call.stream is None:
            continue
        for name, kind in _COLUMNS.items():
            arrays[f"{name}{len(rows)}"] = np.frombuffer(getattr(call.stream.log, name), dtype=kind)
        rows.append(
            {
                "user": call.user,
                "call_id": call.call_id,
                "answered_ns": call.answered_ns,
                "ended_ns": call.ended_ns,
            }
        )
    np.savez(path, calls=np.array(json.dumps(rows)), **arrays)  # type: ignore[arg-type]


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    job = json.loads(await reader.readline())
    wish = job["plan"]
    wish["audio"] = await asyncio.to_thread(Path(wish["audio"]).read_bytes)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would delay packets
    async with SipPeer(PeerPlan(**wish)) as peer:
        sys.stdout.write(f"{peer.port}\n")
        sys.stdout.flush()
        await reader.read()  # until the end
    await asyncio.to_thread(_write, Path(job["out"]), peer.calls)


if __name__ == "__main__":
    asyncio.run(_serve())
