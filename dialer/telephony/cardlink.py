"""One line card as the dialer sees it: its socket, its lines, its pulse. Runs in the event loop."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Protocol

import structlog

from dialer.telephony.legs import CardLeg
from dialer.telephony.wire import (
    CONTROL,
    DROPPED,
    EARLY_FRAME,
    FLUSHED,
    FRAME_BYTES,
    MAX_MESSAGE,
    SERIALS,
    UP,
    VOICED,
    Control,
    read_control,
)

_log = structlog.get_logger()

RECEIVES_PER_WAKE_UP = 64
"""So that one busy card cannot keep the loop from the others."""
WAITING_MAX = 10_000
"""Messages kept for a card that does not read; with more it is taken for hung."""


class CardOwner(Protocol):
    """Who looks after the cards."""

    def card_ready(self, card: CardLink, port: int) -> None:
        """The endpoint is up and listens on this SIP port."""

    def card_unusable(self, card: CardLink, message: str) -> None:
        """The endpoint cannot start."""

    def card_gone(self, card: CardLink, why: str) -> None:
        """The process ended or hangs; its legs have been ended."""

    def line_taken(self) -> None:
        """A stranger's call holds a slot until "free"."""

    def line_freed(self, card: CardLink, line: int) -> None:
        """A line's slot is usable again."""

    def call_came(self, card: CardLink, leg: CardLeg, message: Control) -> None:
        """An INVITE, in callee mode."""


class CardLink:
    """The socket to a card and the legs on its lines.

    Attributes:
        index: the card's place; it keeps its ports over restarts.
        pid: of the process, 0 until known.
        port: SIP port, 0 until ready.
        alive: the socket is open.
        beats: heartbeats so far.
    """

    def __init__(self, index: int, sock: socket.socket, lines: int, owner: CardOwner) -> None:
        self.index = index
        self.pid = 0
        self.port = 0
        self.alive = True
        self.beats = 0
        self._sock = sock
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._legs: list[CardLeg | None] = [None] * lines
        self._free = [True] * lines
        self._serials = [0] * lines
        self._waiting: deque[bytes] = deque()
        self._buffer = bytearray(MAX_MESSAGE)
        self._view = memoryview(self._buffer)
        self._pcm = self._view[UP.size : UP.size + FRAME_BYTES]
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def free_lines(self) -> int:
        """Lines on which a call could be placed now."""
        return sum(self._free) if self.port else 0

    @property
    def legs(self) -> list[CardLeg]:
        """The legs that have not ended."""
        return [leg for leg in self._legs if leg is not None and not leg.ended]

    def take_line(self, call_id: str, trunk: str) -> CardLeg:
        """A leg on a free line; there must be one."""
        line = self._free.index(True)
        serial = self._serials[line] = self._serials[line] % (SERIALS - 1) + 1
        return self._occupy(line, CardLeg(call_id, line, serial, self, trunk))

    def _occupy(self, line: int, leg: CardLeg) -> CardLeg:
        self._free[line] = False
        self._legs[line] = leg
        return leg

    # --- down -----------------------------------------------------------------------------------

    def try_send(self, message: bytes) -> bool:
        """Send now or not at all; see ``legs.Sender``."""
        if self._waiting or not self.alive:
            return False
        try:
            self._sock.send(message)
        except BlockingIOError:
            self._loop.add_writer(self._sock.fileno(), self._writable)
            return False
        except OSError as error:
            self.end(f"card crashed ({error.strerror})")
            return False
        return True

    def send(self, message: bytes) -> None:
        """Send in order, later where there is no room now."""
        if self.alive and not self.try_send(message) and self.alive:
            self._waiting.append(message)
            if len(self._waiting) > WAITING_MAX:
                self.end("card hung")

    def _writable(self) -> None:
        self._loop.remove_writer(self._sock.fileno())
        waiting, self._waiting = self._waiting, deque()
        while waiting:
            if not self.try_send(waiting[0]):
                self._waiting = waiting
                return
            waiting.popleft()
        for leg in self.legs:
            leg.pump()

    # --- up -------------------------------------------------------------------------------------

    def _readable(self) -> None:
        buffer, view, receive, legs = self._buffer, self._view, self._sock.recv_into, self._legs
        for _ in range(RECEIVES_PER_WAKE_UP):
            try:
                size = receive(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                self.end(f"card crashed ({error.strerror})")
                return
            if size == 0:
                self.end("card crashed")
                return
            kind = buffer[0]
            if kind == CONTROL:
                self._take_control(read_control(view[:size]))
            else:
                _, line, serial, number, t_ns, epoch, count = UP.unpack_from(buffer)
                leg = legs[line]
                if leg is None or leg.serial != serial or leg.ended:
                    continue
                if kind <= EARLY_FRAME:
                    leg.take_frame(self._pcm, number, t_ns, epoch, count)
                elif kind == VOICED:
                    leg.take_voiced(number, t_ns)
                elif kind == FLUSHED:
                    (dropped,) = DROPPED.unpack_from(buffer, UP.size)
                    leg.take_flushed(epoch, number, count, dropped, t_ns)
            if not self.alive:
                return

    def _take_control(self, message: Control) -> None:
        match message.kind:
            case "beat":
                self.beats += 1
            case "ready":
                self.port = message.fields["port"]
                if message.fields["vectors"] == "slow":
                    _log.warning("card.slow_audio", card=self.index, mend="install pjsua2-python 2.15.1")
                self._owner.card_ready(self, self.port)
            case "unusable":
                self._owner.card_unusable(self, message.fields["message"])
            case "fault":
                _log.error("card.fault", card=self.index, **message.fields)
            case "free":
                leg = self._legs[message.line]
                if leg is not None and not leg.ended:
                    return  # about a stranger's call, sent before our order arrived; ours ends later
                self._free[message.line] = True
                self._legs[message.line] = None
                self._owner.line_freed(self, message.line)
            case "taken":  # by a stranger's call; "free" follows
                self._free[message.line] = False
                self._owner.line_taken()
            case "incoming":
                self._serials[message.line] = message.serial
                leg = CardLeg(
                    f"in-{self.index}-{message.line}-{message.serial}", message.line, message.serial, self
                )
                self._occupy(message.line, leg)
                self._owner.call_came(self, leg, message)
            case _:
                leg_of_line = self._legs[message.line]
                if leg_of_line is not None and leg_of_line.serial == message.serial:
                    leg_of_line.take_control(message)

    # --- the end --------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        """Close the socket (the card ends by that) and end the legs that are left, once."""
        if not self.alive:
            return
        self.alive = False
        self.port = 0
        fd = self._sock.fileno()
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)
        self._sock.close()
        self._waiting.clear()
        self._free = [False] * len(self._free)
        self._owner.card_gone(self, why)
