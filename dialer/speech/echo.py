"""Our own voice coming back from the callee's line must not be taken for the callee.

Lines return 15 to 40 dB less than what was sent, 50 to 300 ms late (ITU-T G.131 speaks of the talker echo
of real connections). So while we speak, and for as long as an echo may last, only what is about as loud
as the callee counts as speech. A canceller would do better with very quiet callees; this costs nothing
where we are silent and 5 us a frame where we are not.
"""

from __future__ import annotations

from dialer.audio import level_dbfs
from dialer.clock import NS_PER_MS

_UNKNOWN_DBFS = -36.0  # our prompts are at about -19 dBFS, the loudest echo 15 dB below
_BELOW_CALLEE_DB = 12.0
_HIGHEST_GATE_DBFS = -28.0
_WEIGHT = 0.05  # of one frame in the callee's running level


class EchoGate:
    """One line. ``passes`` is asked about frames that the voice activity detection takes for speech.

    Args:
        tail_ms: how long after our last frame an echo may still come.
    """

    def __init__(self, tail_ms: int = 400) -> None:
        self._tail_ns = tail_ms * NS_PER_MS
        self._echo_until_ns = 0
        self._callee_dbfs: float | None = None

    @property
    def gate_dbfs(self) -> float:
        """The level below which a frame may be our own voice."""
        if self._callee_dbfs is None:
            return _UNKNOWN_DBFS
        return max(_UNKNOWN_DBFS, min(self._callee_dbfs - _BELOW_CALLEE_DB, _HIGHEST_GATE_DBFS))

    def speaking(self, t_ns: int) -> None:
        """We are being heard at ``t_ns``."""
        self._echo_until_ns = t_ns + self._tail_ns

    def passes(self, pcm: bytes | memoryview, t_ns: int) -> bool:
        """Whether a frame that sounds like speech is the callee's (20 ms, int16 mono at 8 kHz)."""
        level = level_dbfs(pcm)
        if t_ns < self._echo_until_ns:
            return level >= self.gate_dbfs
        # Learnt only while we are silent, when it can be nobody else.
        if self._callee_dbfs is None:
            self._callee_dbfs = level
        else:
            self._callee_dbfs += _WEIGHT * (level - self._callee_dbfs)
        return True
