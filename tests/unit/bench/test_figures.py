from __future__ import annotations

from dialer.bench.figures import percentiles


def test_percentiles() -> None:
    assert percentiles(range(101)) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    assert percentiles([1.0], with_max=False) == {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    assert percentiles([]) == {}
