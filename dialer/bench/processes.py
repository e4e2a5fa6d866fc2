"""What our processes cost: CPU time and memory, by psutil."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


class Cost:
    """CPU time of a set of processes from now on."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = self._seconds()

    def cpu_seconds(self) -> float:
        """User and system time of all of them since this object was made."""
        return self._seconds() - self._before

    def pss_mb(self) -> float:
        """Their memory now, what is shared being shared out (PSS), in units of 1,000,000 bytes."""
        return sum(process.memory_full_info().pss for process in self._processes) / 1e6

    def _seconds(self) -> float:
        return sum(times.user + times.system for times in (p.cpu_times() for p in self._processes))


def rss_mb(pid: int) -> float:
    """Resident memory of a process in units of 1,000,000 bytes."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
