"""Limited-memory BFGS in single precision (Nocedal & Wright, Numerical Optimization, 2006, ch. 7).

``scipy.optimize`` copies everything to double precision and keeps twice as many vectors; a model of
millions of weights is trained here in a third of the memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Objective = Callable[[Vector], tuple[float, Vector]]

_ARMIJO = 1e-4
_SHRINK = 0.5
_MAX_HALVINGS = 20


def minimise(
    objective: Objective,
    start: Vector,
    *,
    memory: int = 6,
    max_steps: int = 100,
    tolerance: float = 1e-5,
) -> Vector:
    """The point where a smooth convex function is least, near enough.

    Args:
        objective: gives the value and the gradient (float32, same shape as ``start``).
        start: float32, shape (n,).
        memory: how many past steps shape the next one.
        max_steps: an upper bound; the work is a few evaluations more.
        tolerance: ends when a step gains less than this share of the value.

    Returns:
        float32, shape (n,).
    """
    point = start.copy()
    value, gradient = objective(point)
    history: deque[tuple[Vector, Vector, float]] = deque(maxlen=memory)
    for _ in range(max_steps):
        direction = _direction(gradient, history)
        slope = float(direction @ gradient)
        if slope >= 0:  # rounding has spoilt the curvature that was remembered
            history.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        if slope == 0:
            break
        length = 1.0 if history else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        for _ in range(_MAX_HALVINGS):
            following = point + np.float32(length) * direction
            new_value, new_gradient = objective(following)
            if new_value <= value + _ARMIJO * length * slope:
                break
            length *= _SHRINK
        else:
            break
        step, bend = following - point, new_gradient - gradient
        curvature = float(step @ bend)
        if curvature > 1e-10 * float(bend @ bend):
            history.append((step, bend, 1.0 / curvature))
        gained = value - new_value
        point, value, gradient = following, new_value, new_gradient
        if gained <= tolerance * max(abs(value), 1e-12):
            break
    return point


def _direction(gradient: Vector, history: deque[tuple[Vector, Vector, float]]) -> Vector:
    """The two-loop recursion: minus the inverse Hessian, as remembered, times the gradient."""
    vector = -gradient
    if not history:
        return vector
    shares: list[float] = []
    for step, bend, inverse in reversed(history):
        share = inverse * float(step @ vector)
        shares.append(share)
        vector -= np.float32(share) * bend
    step, bend, _ = history[-1]
    vector *= np.float32(float(step @ bend) / float(bend @ bend))
    for (step, bend, inverse), share in zip(history, reversed(shares), strict=True):
        vector += np.float32(share - inverse * float(bend @ vector)) * step
    return vector
