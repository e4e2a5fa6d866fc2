from __future__ import annotations

import numpy as np

from dialer.intent.lbfgs import Vector, minimise


def test_finds_the_bottom_of_a_long_narrow_valley() -> None:
    scale = np.geomspace(1, 1000, 20).astype(np.float32)
    bottom = np.linspace(-2, 2, 20).astype(np.float32)

    def bowl(point: Vector) -> tuple[float, Vector]:
        gap = point - bottom
        return float(scale @ (gap * gap)) / 2, scale * gap

    found = minimise(bowl, np.zeros(20, dtype=np.float32), max_steps=300, tolerance=0)
    np.testing.assert_allclose(found, bottom, atol=1e-2)


def test_stays_where_the_gradient_is_nothing() -> None:
    start = np.ones(3, dtype=np.float32)
    found = minimise(lambda point: (1.0, np.zeros_like(point)), start)
    np.testing.assert_array_equal(found, start)
