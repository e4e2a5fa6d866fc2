"""The card server: ``python -m dialer.telephony.cardserver FD``.

A small process that has imported pjsua2 and nothing else of size, so that a card is a cheap fork of it
(7 MB of its own memory). The dialer starts it before anything heavy is imported and talks to it over
the ``SOCK_SEQPACKET`` socket FD:

    up    ready {calls}                calls a card can hold, found by asking the library
    down  fork {token} + a socket      by SCM_RIGHTS; the card will own it
    up    forked {token, pid}
    down  kill {pid}                   a card that hangs
    up    exited {pid, status}         ``os.waitstatus_to_exitcode``

It ends when the dialer closes FD. A card ends when the dialer closes the card's own socket.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from typing import NoReturn

from dialer.telephony.counting import count_calls
from dialer.telephony.linecard import run_card
from dialer.telephony.wire import MAX_MESSAGE, control, read_control

CALLS_MAX = 16
"""A build that allows more calls is used up to this many a card: a crash costs all calls of one, and
pjmedia's table of sockets holds 32 calls at best (see ``line.SocketPlaces``)."""


class CardServer:
    """Forks cards and reaps them."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._pids: set[int] = set()

    def run(self) -> None:
        """Serve until the dialer closes its end."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._parent.send(control("ready", calls=_ask_the_library()))
        poll = select.poll()
        poll.register(self._parent, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if wake_read in ready:
                os.read(wake_read, 512)
            self._reap()
            if self._parent.fileno() in ready and not self._serve():
                return

    def _serve(self) -> bool:
        message, fds, _, _ = socket.recv_fds(self._parent, MAX_MESSAGE, 1)
        if not message:
            return False
        wish = read_control(message)
        if wish.kind == "fork":
            pid = self._fork(fds[0])
            self._pids.add(pid)
            self._tell(control("forked", token=wish.fields["token"], pid=pid))
        elif wish.kind == "kill" and wish.fields["pid"] in self._pids:
            os.kill(wish.fields["pid"], signal.SIGKILL)
        return True

    def _fork(self, fd: int) -> int:
        pid = os.fork()
        if pid:
            os.close(fd)
            return pid
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._parent.close()
            run_card(socket.socket(fileno=fd))
        finally:
            os._exit(1)

    def _reap(self) -> None:
        for pid in tuple(self._pids):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._pids.discard(pid)
                self._tell(control("exited", pid=pid, status=os.waitstatus_to_exitcode(status)))

    def _tell(self, message: bytes) -> None:
        try:
            self._parent.send(message)
        except OSError:  # the dialer has gone; the next read sees it too
            return


def _ask_the_library() -> int:
    """How many calls one process can hold; asked in a child that is thrown away."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
                silent.bind(("127.0.0.1", 0))
                count_calls(silent.getsockname()[1], CALLS_MAX, lambda n: _write_and_end(write_end, n))
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return int(text or b"0")


def _write_and_end(fd: int, number: int) -> NoReturn:
    os.write(fd, str(number).encode())
    os._exit(0)  # here and now: deleting an endpoint with calls on it aborts


def main(arguments: list[str]) -> int:
    """Run the server on the inherited socket whose number is the argument."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # libCreate prints six lines on standard output
    for ignored in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches the whole group; the dialer drains
        signal.signal(ignored, signal.SIG_IGN)
    with socket.socket(fileno=int(arguments[0])) as parent:
        CardServer(parent).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
