"""One line inside a card as plain state, and the way up to the dialer. No pjsua2 here.

Three threads touch a line: the socket reader (``begin``, the ring), the main thread (SIP state) and the
media clock (takes frames, counts). Each attribute has one writer, so there are no locks; the reader
replaces the ring as a whole.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from enum import Enum

from dialer.telephony.playout import PlayoutRing
from dialer.telephony.wire import DROPPED, FLUSHED, UP

WAITING_MAX = 10_000
"""Events kept while the dialer does not read; more means that it is gone or stuck for good."""


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

    def flush(self, epoch: int) -> bytes:
        """Stop our audio, begin ``epoch``, and give the FLUSHED message that reports it."""
        stopped = self.ring
        self.ring = PlayoutRing(epoch)
        silent_since_ns = time.monotonic_ns()
        self._underruns_before += stopped.underruns
        utterance, played = stopped.present()
        report = UP.pack(FLUSHED, self.number, self.serial, utterance, silent_since_ns, epoch, played)
        return report + DROPPED.pack(stopped.left())

    @property
    def underruns(self) -> int:
        """How often our audio ran dry in the middle of an utterance, over all epochs."""
        return self._underruns_before + self.ring.underruns


class Uplink:
    """Sends to the dialer without ever waiting: frames are dropped, events are kept and sent later."""

    def __init__(self, sock: socket.socket) -> None:
        self._send = sock.send
        self._waiting: deque[bytes] = deque()

    def frame(self, message: bytes | bytearray) -> bool:
        """Hand up a frame; False where the socket is full, which drops it."""
        try:
            self._send(message, socket.MSG_DONTWAIT)
        except OSError:  # full, or the dialer is gone (the reader thread sees that too)
            return False
        return True

    def event(self, message: bytes) -> None:
        """Hand up what must not be lost, in order."""
        self._waiting.append(message)
        self.retry()

    def retry(self) -> None:
        """Send what is waiting, as far as it goes.

        Raises:
            BufferError: more than ``WAITING_MAX`` events wait.
        """
        waiting = self._waiting
        while waiting:
            try:
                self._send(waiting[0], socket.MSG_DONTWAIT)
            except BlockingIOError:
                if len(waiting) > WAITING_MAX:
                    raise BufferError("the dialer does not read its events") from None
                return
            except OSError:
                return
            waiting.popleft()
