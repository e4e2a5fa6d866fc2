"""``bench_lines`` and ``bench_churn``: what lines cost, and whether they last.

The callees are plain sockets in processes of their own (``simulator.peerfarm``); gaps and losses are
taken from the RTP that reaches them, with the kernel's arrival stamps.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import numpy as np

from dialer.aio import spawn
from dialer.audio import RATE, SILENT_FRAME
from dialer.bench.figures import percentiles
from dialer.bench.processes import Cost, rss_mb
from dialer.call import new_id
from dialer.clock import NS_PER_MS, NS_PER_S, SystemClock
from dialer.errors import TelephonyError
from dialer.g711 import alaw_encode
from dialer.simulator.peerfarm import CALLS_PER_PROCESS, PeerFarm, PeerStream
from dialer.simulator.sippeer import PeerPlan
from dialer.telephony.base import DialRequest, Leg, LegAnswered, LegEnded, LegEvent, LegStats
from dialer.telephony.cards import CardPool
from dialer.telephony.trunk import CardSettings, Trunk

NUMBER = "+12025550101"
SETTLE_S = 2.0
ANSWER_S = 30.0
JITTER_MAX_MS = 5.0
"""Callees whose own packets (p99) left later than this make a run invalid."""


class EchoCall:
    """Sends every frame of the callee back to it, ``CUSHION`` frames behind."""

    CUSHION = 2

    def __init__(self) -> None:
        self.leg: Leg | None = None
        self.answered = asyncio.Event()
        self.ended: asyncio.Future[LegEnded] = asyncio.get_running_loop().create_future()
        self.statistics: list[LegStats] = []
        self._cushioned = False

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        """Echo."""
        if self.leg is None:
            return
        if not self._cushioned:  # as a prompt does, it has a little more queued than is being played
            self._cushioned = True
            self.leg.play(SILENT_FRAME * self.CUSHION, 1)
        self.leg.play(pcm, 1)

    def on_event(self, event: LegEvent) -> None:
        """Keep what the figures need."""
        if isinstance(event, LegAnswered):
            self.answered.set()
        elif isinstance(event, LegStats):
            self.statistics.append(event)
        elif isinstance(event, LegEnded) and not self.ended.done():
            self.ended.set_result(event)

    def losses(self, since_ns: int, until_ns: int) -> tuple[int, int]:
        """Frames dropped at the hand-over and underruns of our audio between two stamps (by the second)."""
        before = [stat for stat in self.statistics if stat.t_ns <= since_ns]
        within = [stat for stat in self.statistics if stat.t_ns <= until_ns]
        if not within:
            return 0, 0
        last, first = within[-1], before[-1] if before else None
        return (
            last.frames_dropped - (first.frames_dropped if first else 0),
            last.underruns - (first.underruns if first else 0),
        )


async def bench_lines(lines: int = 100, seconds: float = 20.0, *, pace_cps: float = 50.0) -> dict[str, Any]:
    """Calls whose audio is echoed through this process, both directions.

    Args:
        lines: calls at once.
        seconds: length of the steady part, once all are up and settled.
        pace_cps: how fast the calls are placed.

    Returns:
        ``lines``, ``seconds``, ``cpu_percent_per_line`` (percent of one core; dialer, card server and cards),
        ``cpu_percent`` {dialer, server, cards}, ``frame_gap_ms`` (between packets at the callee's socket),
        ``frames_lost`` (gaps in sequence numbers, hand-over drops, playout underruns) and ``frames_lost_by``,
        ``pss_mb_per_line``, ``callee_jitter_ms`` (how late the callees' own packets left), ``valid``.

    Raises:
        TelephonyError: a call was not answered.
    """
    farm = PeerFarm(lines, PeerPlan(ring=0, repeat=True), audio=_speech_like(10.0))
    pool, trunk = await _start(farm, lines)
    try:
        calls = [EchoCall() for _ in range(lines)]
        for call in calls:
            call.leg = await pool.place(_request(trunk), call)
            await asyncio.sleep(1 / pace_cps)
        async with asyncio.timeout(ANSWER_S):
            await asyncio.gather(*(call.answered.wait() for call in calls))
        await asyncio.sleep(SETTLE_S)
        parts = {"dialer": [os.getpid()], "server": [pool.server_pid()], "cards": pool.card_pids()}
        costs = {name: Cost(pids) for name, pids in parts.items()}
        clock = SystemClock()
        since_ns = clock.now_ns()
        await asyncio.sleep(seconds)
        until_ns = clock.now_ns()
        took_s = (until_ns - since_ns) / NS_PER_S
        cpu_percent = {name: 100 * cost.cpu_seconds() / took_s for name, cost in costs.items()}
        pss_mb = sum(cost.pss_mb() for cost in costs.values())
        if any(call.ended.done() for call in calls):
            raise TelephonyError(
                f"a call ended early: {next(c for c in calls if c.ended.done()).ended.result()}"
            )
        for call in calls:
            assert call.leg is not None
            call.leg.hang_up()
        await asyncio.gather(*(call.ended for call in calls))
    finally:
        await pool.close()
        streams = await farm.close()
    gaps_ms, sequence_losses, late_ms = at_the_callee(streams, since_ns, until_ns)
    losses = np.array([call.losses(since_ns, until_ns) for call in calls]).sum(axis=0)
    lost_by = {"rtp": sequence_losses, "hand_over": int(losses[0]), "underruns": int(losses[1])}
    jitter = percentiles(late_ms)
    return {
        "lines": lines,
        "seconds": round(took_s, 3),
        "cpu_percent_per_line": round(sum(cpu_percent.values()) / lines, 4),
        "cpu_percent": {name: round(value, 2) for name, value in cpu_percent.items()},
        "frame_gap_ms": percentiles(gaps_ms),
        "frames_lost": sum(lost_by.values()),
        "frames_lost_by": lost_by,
        "pss_mb_per_line": round(pss_mb / lines, 3),
        "callee_jitter_ms": jitter,
        "valid": bool(jitter) and jitter["p99"] <= JITTER_MAX_MS and len(streams) == lines,
    }


async def bench_churn(calls: int = 2000, seconds: float = 3.0, lines: int = 40) -> dict[str, Any]:
    """Many short calls in one run: does a card crash, does a process grow?

    Args:
        calls: in all.
        seconds: length of each, from its answer; every other one is hung up by the callee.
        lines: calls at once.

    Returns:
        ``calls``, ``answered``, ``failed`` {reason: n}, ``card_crashes``, ``calls_per_s``, ``rss_mb`` (a row
        for each process: ``process``, ``third`` after a third of the calls, ``last`` at their end,
        ``growth_percent``), ``growth_percent_max``, ``free_lines_after``, ``ok``.
    """
    farm = PeerFarm(lines, PeerPlan(repeat=True, hang_up_after_ms=seconds * 1000), audio=_speech_like(5.0))
    pool, trunk = await _start(farm, lines)
    run = _Churn(pool, trunk, calls, seconds)
    clock = SystemClock()
    try:
        pids = {"dialer": os.getpid(), "server": pool.server_pid()}
        pids |= {f"card{number}": pid for number, pid in enumerate(pool.card_pids())}
        began_ns = clock.now_ns()
        workers = [spawn(run.work(), name=f"churn-{n}") for n in range(lines)]
        await run.third.wait()
        third = {name: rss_mb(pid) for name, pid in pids.items()}
        await asyncio.gather(*workers)
        took_s = (clock.now_ns() - began_ns) / NS_PER_S
        crashes = pool.crashes
        same = set(pool.card_pids()) >= {pid for name, pid in pids.items() if name.startswith("card")}
        last = {name: rss_mb(pid) for name, pid in pids.items()} if same else {}
        await run.free(lines)
        free = pool.free_lines
    finally:
        await pool.close()
        await farm.close()
    rows: list[dict[str, Any]] = [
        {
            "process": name,
            "third": round(third[name], 2),
            "last": round(last[name], 2),
            "growth_percent": round(100 * (last[name] - third[name]) / third[name], 2),
        }
        for name in last
    ]
    growth = max((row["growth_percent"] for row in rows), default=0.0)
    return {
        "calls": calls,
        "answered": run.answered,
        "failed": run.failed,
        "card_crashes": crashes,
        "calls_per_s": round(calls / took_s, 2),
        "rss_mb": rows,
        "growth_percent_max": growth,
        "free_lines_after": free,
        "ok": crashes == 0 and run.answered == calls and same,
    }


class _Churn:
    """Workers that place one call after another until the wished number is reached."""

    def __init__(self, pool: CardPool, trunk: str, calls: int, seconds: float) -> None:
        self.answered = 0
        self.failed: dict[str, int] = {}
        self.third = asyncio.Event()
        self._pool = pool
        self._trunk = trunk
        self._left = calls
        self._third_left = calls - calls // 3
        self._seconds = seconds

    async def work(self) -> None:
        """Be one line."""
        while self._left:
            self._left -= 1
            if self._left <= self._third_left:
                self.third.set()
            await self._one_call(by_us=self._left % 2 == 0)

    async def _one_call(self, *, by_us: bool) -> None:
        call = EchoCall()
        await self.free(1)
        call.leg = await self._pool.place(_request(self._trunk), call)
        if by_us:
            answered = spawn(call.answered.wait(), name="churn-answered")
            await asyncio.wait((answered, call.ended), return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()
            await asyncio.sleep(self._seconds * 0.9)
            call.leg.hang_up()
        ended = await call.ended
        if ended.answered:
            self.answered += 1
        else:
            self.failed[ended.reason] = self.failed.get(ended.reason, 0) + 1

    async def free(self, lines: int) -> None:
        """Wait until so many lines can be used, as the scheduler does."""
        async with asyncio.timeout(ANSWER_S):
            while self._pool.free_lines < lines:
                await self._pool.wait_for_change()


async def _start(farm: PeerFarm, lines: int) -> tuple[CardPool, str]:
    try:
        gateways = await farm.start()
        trunk = Trunk(
            name="bench", gateways=tuple(gateways), gateway_channels=CALLS_PER_PROCESS, codecs=("PCMA",)
        )
        settings = CardSettings(bind_address="127.0.0.1", sip_port=0, rtp_port=0)
        pool = CardPool(settings, {trunk.name: trunk}, lines, clock=SystemClock())
        await pool.start()
    except BaseException:
        await farm.close()
        raise
    return pool, trunk.name


def _request(trunk: str) -> DialRequest:
    return DialRequest(new_id(), new_id(), NUMBER, trunk)


def _speech_like(seconds: float) -> bytes:
    """A-law noise in bursts of syllables at about -20 dBFS, rendered before any call starts."""
    samples = np.arange(round(RATE * seconds))
    noise = np.random.default_rng(1).normal(0.0, 3000.0, samples.size)
    envelope = np.clip(np.sin(2 * np.pi * 3.0 * samples / RATE), 0.0, 1.0)
    return alaw_encode((noise * envelope).clip(-32000, 32000).astype("<i2").tobytes())


def at_the_callee(
    streams: list[PeerStream], since_ns: int, until_ns: int
) -> tuple[np.ndarray[Any, Any], int, np.ndarray[Any, Any]]:
    """Gaps between packets (ms), packets missing by sequence number, lateness of the callees' own (ms)."""
    gaps: list[np.ndarray[Any, Any]] = [np.zeros(0)]
    late: list[np.ndarray[Any, Any]] = [np.zeros(0)]
    lost = 0
    for stream in streams:
        arrival, sent = stream.columns["arrival_ns"], stream.columns["sent_ns"]
        steady = (arrival >= since_ns) & (arrival <= until_ns)
        gaps.append(np.diff(arrival[steady]) / NS_PER_MS)
        steps = np.mod(np.diff(stream.columns["seq"][steady].astype(np.int64)), 65_536)
        lost += int(steps.sum()) - len(steps)
        late.append(stream.columns["late_ns"][(sent >= since_ns) & (sent <= until_ns)] / NS_PER_MS)
    return np.concatenate(gaps), lost, np.concatenate(late)
