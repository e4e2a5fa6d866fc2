"""Percentiles as objects, the way every bench prints them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def percentiles(values: ArrayLike, *, with_max: bool = True) -> dict[str, float]:
    """p50, p95, p99 (and max) of values, rounded to 3 digits; empty where there are none."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return {}
    points = np.percentile(array, (50, 95, 99))
    figures = dict(zip(("p50", "p95", "p99"), points.tolist(), strict=True))
    if with_max:
        figures["max"] = float(array.max())
    return {name: round(value, 3) for name, value in figures.items()}
