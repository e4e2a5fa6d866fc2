"""The card server as the dialer sees it: started, asked for cards, told whom to kill."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import structlog

from dialer.errors import TelephonyError
from dialer.telephony.wire import MAX_MESSAGE, control, read_control

_log = structlog.get_logger()

START_S = 20.0
STOP_S = 5.0


class CardServerLink:
    """One ``dialer.telephony.cardserver`` process. Runs in the event loop.

    Attributes:
        pid: of the server, 0 before the start.
        alive: it answers.
        calls_per_card: what the library allows; known after ``start``.
    """

    def __init__(self, on_exit: Callable[[int, int], None]) -> None:
        """``on_exit(pid, status)`` is called when a card's process has ended."""
        self.pid = 0
        self.alive = False
        self.calls_per_card = 0
        self._on_exit = on_exit
        self._sock: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Future[int] | None = None
        self._forks: dict[int, asyncio.Future[int]] = {}
        self._tokens = 0

    async def start(self) -> int:
        """Start the process and wait until it knows how many calls a card can hold.

        Raises:
            TelephonyError: it did not come up.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dialer.telephony.cardserver",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self.pid = self._process.pid
        self._sock = ours
        self._ready = loop.create_future()
        loop.add_reader(ours.fileno(), self._readable)
        try:
            async with asyncio.timeout(START_S):
                self.calls_per_card = await self._ready
        except (TimeoutError, OSError) as error:
            await self.close()
            raise TelephonyError(
                "the card server did not start; its last words are on standard error"
            ) from error
        if self.calls_per_card < 1:
            await self.close()
            raise TelephonyError("pjsua2 holds no call at all. Install pjsua2-python again.")
        self.alive = True
        return self.calls_per_card

    async def fork(self, card_end: socket.socket) -> int:
        """Fork a card that owns ``card_end``; the caller closes its own copy. Gives the pid.

        Raises:
            TelephonyError: the server is gone.
        """
        if self._sock is None:
            raise TelephonyError("the card server is gone")
        self._tokens += 1
        token = self._tokens
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._forks[token] = answer
        try:
            socket.send_fds(self._sock, [control("fork", token=token)], [card_end.fileno()])
            async with asyncio.timeout(START_S):
                return await answer
        except (TimeoutError, OSError) as error:
            raise TelephonyError("the card server does not answer") from error
        finally:
            self._forks.pop(token, None)

    def kill(self, pid: int) -> None:
        """End a card that hangs. The server knows whether the pid is still its child."""
        if self._sock is not None:
            try:
                self._sock.send(control("kill", pid=pid))
            except OSError:
                _log.warning("cardserver.unreachable", pid=pid)

    def _readable(self) -> None:
        sock = self._sock
        while sock is not None and sock is self._sock:
            try:
                message = sock.recv(MAX_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._gone()
                return
            news = read_control(message)
            if news.kind == "ready" and self._ready is not None and not self._ready.done():
                self._ready.set_result(news.fields["calls"])
            elif news.kind == "forked" and news.fields["token"] in self._forks:
                waiting = self._forks[news.fields["token"]]
                if not waiting.done():
                    waiting.set_result(news.fields["pid"])
            elif news.kind == "exited":
                self._on_exit(news.fields["pid"], news.fields["status"])

    def _gone(self) -> None:
        self._close_socket()
        lost = ConnectionError("the card server ended")
        for waiting in (self._ready, *self._forks.values()):
            if waiting is not None and not waiting.done():
                waiting.set_exception(lost)

    def _close_socket(self) -> None:
        self.alive = False
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = None

    async def close(self) -> None:
        """End the server; cards end when their own sockets close."""
        self._close_socket()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
