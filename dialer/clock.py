"""Time as a value: ``CLOCK_MONOTONIC`` nanoseconds, the same in every process of a host.

Wall time is read once a call and kept beside the monotonic stamp; every other wall time of that
call is derived from it, so that a step of the system clock cannot bend a measurement.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


def ms_between(start_ns: int, end_ns: int) -> float:
    """Milliseconds from one monotonic stamp to a later one."""
    return (end_ns - start_ns) / NS_PER_MS


class Clock(Protocol):
    """Where services read time; the pure cores get stamps as values and never see a clock."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""

    def wall(self) -> datetime:
        """The wall time, aware, in UTC."""


class SystemClock:
    """The clock of the machine."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds (``CLOCK_MONOTONIC``)."""
        return time.monotonic_ns()

    def wall(self) -> datetime:
        """The wall time, aware, in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves when told to, for tests and for simulated time."""

    def __init__(self, wall: datetime | None = None, now_ns: int = NS_PER_S) -> None:
        self._now_ns = now_ns
        self._wall = wall or datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return self._now_ns

    def wall(self) -> datetime:
        """The wall time, aware, in UTC."""
        return self._wall

    def advance(self, ms: float) -> None:
        """Move both times on by ``ms`` milliseconds."""
        self._now_ns += round(ms * NS_PER_MS)
        self._wall += timedelta(milliseconds=ms)
