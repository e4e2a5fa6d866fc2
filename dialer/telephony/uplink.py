"""The sockets between the dialer and its cards: their size, and the card's way up."""

from __future__ import annotations

import socket
import threading
from collections import deque

WAITING_MAX = 10_000
"""Events kept while the dialer does not read; more means that it is gone or stuck for good."""

_FORCED = ((socket.SO_SNDBUF, 32), (socket.SO_RCVBUF, 33))  # SO_SNDBUFFORCE, SO_RCVBUFFORCE


def enlarge_buffers(sock: socket.socket, size: int = 1 << 20) -> None:
    """Room for seconds of frames of all lines of a card while the other side is busy.

    The kernel caps the wish (``net.core.wmem_max``) unless the process may pass the cap.
    """
    for plain, force in _FORCED:
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, size)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, plain, size)


class Uplink:
    """Sends to the dialer without ever waiting: frames are dropped, events are kept and sent later."""

    def __init__(self, sock: socket.socket) -> None:
        self._send = sock.send
        self._waiting: deque[bytes] = deque()
        # Events come from the clock thread and the main thread; held for one sending that never waits.
        self._one_sender = threading.Lock()

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
        if self._waiting:
            with self._one_sender:
                self._send_waiting()

    def _send_waiting(self) -> None:
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
