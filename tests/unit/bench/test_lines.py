from __future__ import annotations

from typing import Any

import numpy as np

from dialer.bench.lines import EchoCall, at_the_callee
from dialer.simulator.peerfarm import PeerStream
from dialer.telephony.base import LegStats

MS = 1_000_000


def stream(arrival_ms: list[int], seq: list[int], late_ms: list[int]) -> PeerStream:
    columns: dict[str, Any] = {
        "arrival_ns": np.array(arrival_ms, dtype=np.int64) * MS,
        "seq": np.array(seq, dtype=np.uint16),
        "sent_ns": np.array(arrival_ms[: len(late_ms)], dtype=np.int64) * MS,
        "late_ns": np.array(late_ms, dtype=np.int64) * MS,
    }
    return PeerStream("u", "c", 0, 0, columns)


def test_gaps_and_losses_are_taken_from_the_steady_part_of_each_stream() -> None:
    first = stream([0, 20, 41, 80, 100, 999], [65_533, 65_534, 65_535, 1, 2, 9], [0, 1, 2])
    second = stream([10, 30, 50], [7, 8, 9], [3])
    gaps, lost, late = at_the_callee([first, second], 15 * MS, 120 * MS)
    assert gaps.tolist() == [21.0, 39.0, 20.0, 20.0]
    assert lost == 1  # 0 is missing, over the wrap
    assert late.tolist() == [1.0, 2.0]


def stats(t_ms: int, dropped: int, underruns: int) -> LegStats:
    return LegStats(t_ms * MS, 0, 0, 0, 0.0, 0.0, 0.0, dropped, underruns)


async def test_losses_of_ours_count_within_the_steady_part() -> None:
    call = EchoCall()
    for event in (stats(0, 1, 5), stats(1000, 2, 6), stats(2000, 4, 6), stats(3000, 9, 9)):
        call.on_event(event)
    assert call.losses(1500 * MS, 2500 * MS) == (2, 0)
    assert EchoCall().losses(0, 1) == (0, 0)
