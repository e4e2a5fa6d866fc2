"""How many calls may be started, and when. Pure: counts and stamps in, numbers out."""

from __future__ import annotations

import math

from dialer.clock import NS_PER_S


def room(caps: list[int | None], active: list[int]) -> int:
    """How many more calls may be placed under several caps.

    Args:
        caps: of each level (the host's lines, the wished lines, the campaign's lines); None is no cap.
        active: the calls that count against each of them.

    Returns:
        0 or more; a cap below what is active gives 0.
    """
    left = [cap - used for cap, used in zip(caps, active, strict=True) if cap is not None]
    return max(0, min(left, default=0))


class Pacer:
    """Calls per second without bursts: a token bucket that holds one token.

    Starts lie at least ``1 / cps`` apart, so no second (half open) ever has more than ``cps`` of them,
    not even after a quiet time.
    """

    def __init__(self, cps: float | None) -> None:
        """``cps``: calls per second, None for no cap; 0 or less lets nothing through."""
        self._cps = cps
        self._last_ns: int | None = None

    @property
    def cps(self) -> float | None:
        """The cap in force."""
        return self._cps

    def set_cps(self, cps: float | None) -> None:
        """Change the cap; the distance to the last start counts by the new one."""
        self._cps = cps

    def earliest_ns(self, now_ns: int) -> int | None:
        """When the next call may start: ``now_ns`` or later; None for never under this cap."""
        if self._cps is None:
            return now_ns
        if self._cps <= 0:
            return None
        if self._last_ns is None:
            return now_ns
        return max(now_ns, self._last_ns + math.ceil(NS_PER_S / self._cps))

    def started(self, at_ns: int) -> None:
        """A call starts at ``at_ns`` (a stamp that ``earliest_ns`` allowed)."""
        self._last_ns = at_ns
