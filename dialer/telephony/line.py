"""One line inside a card as plain state. No pjsua2 here.

Three threads touch a line: the socket reader (``begin``, the ring), the main thread (SIP state) and the
media clock (takes frames, counts). Each attribute has one writer, so there are no locks; the reader
replaces the ring as a whole.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from dialer.telephony.playout import PlayoutRing
from dialer.telephony.wire import DROPPED, FLUSHED, UP


class LineState(Enum):
    """Whether the line's call slot can be used."""

    FREE = "free"
    LIVE = "live"
    CLOSING = "closing"  # the call is over, its slot in pjsua is not usable yet


class Line:
    """A slot of the card.

    Attributes:
        number: from 0, also the index of its audio port.
        serial: the call that is or was on it; messages with another serial are stale.
        ring: our audio.
        gate: our audio may be played (answered, or early media was asked for).
        streaming: the callee's frames go up.
        answered: 200 OK was received or sent.
        next_frame: sequence number of the next frame of the callee.
        frames_dropped: frames that could not be handed up.
    """

    __slots__ = (
        "_underruns_before",
        "answered",
        "frames_dropped",
        "gate",
        "next_frame",
        "number",
        "ring",
        "serial",
        "state",
        "streaming",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = LineState.FREE
        self.begin(0)

    def begin(self, serial: int) -> None:
        """Make ready for another call; called before anything of that call is handled."""
        self.streaming = False
        self.gate = False
        self.answered = False
        self.next_frame = 0
        self.frames_dropped = 0
        self._underruns_before = 0
        self.ring = PlayoutRing(0)
        self.serial = serial

    def close(self) -> None:
        """No frame goes either way from now on."""
        self.streaming = False
        self.gate = False

    def flush(self, epoch: int) -> PlayoutRing:
        """Stop our audio and begin ``epoch``; gives the ring that was stopped."""
        stopped = self.ring
        self.ring = PlayoutRing(epoch)
        self._underruns_before += stopped.underruns
        return stopped

    def flushed(self, stopped: PlayoutRing, t_ns: int) -> bytes:
        """The FLUSHED message for a ring that was stopped by ``t_ns``."""
        utterance, played = stopped.present()
        head = UP.pack(FLUSHED, self.number, self.serial, utterance, t_ns, self.ring.epoch, played)
        return head + DROPPED.pack(stopped.left())

    @property
    def underruns(self) -> int:
        """How often our audio ran dry in the middle of an utterance, over all epochs."""
        return self._underruns_before + self.ring.underruns


class Totals:
    """Packet counts of a call over all its streams: a re-INVITE begins a new stream, which counts from 0."""

    _COUNTS = ("rx_packets", "rx_lost", "tx_packets")

    def __init__(self) -> None:
        self._before = dict.fromkeys(self._COUNTS, 0)
        self._last = dict.fromkeys(self._COUNTS, 0)

    def carry_over(self, figures: dict[str, float]) -> None:
        """Add to ``figures`` of the present stream what earlier streams had counted."""
        for name in self._COUNTS:
            self._last[name] = int(figures[name])
            figures[name] = self._last[name] + self._before[name]

    def stream_ended(self) -> None:
        """The last figures were the stream's final ones."""
        for name, count in self._last.items():
            self._before[name] += count
        self._last = dict.fromkeys(self._COUNTS, 0)


class SocketPlaces:
    """How fast calls may follow one another on a card.

    pjmedia's table of sockets has 64 places (``PJ_IOQUEUE_MAX_HANDLES``), a call takes two of them, and a
    closed socket keeps its place for 500 ms more. pjlib aborts the process when the table is full, which
    a trunk that refuses calls at once, or a stranger who sends INVITEs, would bring about. Times are
    monotonic seconds.
    """

    CALLS = 28
    KEPT_S = 0.6

    def __init__(self, lines: int) -> None:
        self._room = self.CALLS - lines
        self._closed: deque[float] = deque()

    def close(self, now_s: float) -> None:
        """A call has given its sockets back."""
        self._closed.append(now_s)

    def free(self, now_s: float) -> bool:
        """Whether all lines could have a call now, and one more call could end."""
        closed = self._closed
        while closed and now_s - closed[0] > self.KEPT_S:
            closed.popleft()
        return len(closed) < self._room
