"""A line card: the process that owns one pjsua2 endpoint, its lines, and nothing else.

    main thread     libHandleEvents, every pjsua2 call, statistics, heartbeat
    reader thread   play and flush at once; SIP commands are queued for the main thread, which is woken
    clock thread    pjmedia's: takes our audio from the ring, hands the callee's frames up

The reader wakes the main thread by a datagram to the card's own SIP port (an empty line, which SIP
ignores): a command then waits for microseconds instead of for the poll time of ``libHandleEvents``.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import fields
from typing import Any, TypeVar

import pjsua2 as pj

from dialer.errors import TelephonyError
from dialer.telephony import sipmsg
from dialer.telephony.line import Line, LineState, SocketPlaces
from dialer.telephony.pjcall import CallEnd, SipCall, Slot, why
from dialer.telephony.pjsip import CardEndpoint
from dialer.telephony.trunk import CardSettings, Trunk
from dialer.telephony.uplink import Uplink, enlarge_buffers
from dialer.telephony.wire import (
    CONTROL,
    DOWN,
    FLUSH,
    MAX_MESSAGE,
    PLAY,
    Control,
    control,
    read_control,
)

POLL_MS = 50
SECOND_S = 1.0
GOODBYE_S = 0.5
REFUSAL = 603
"""Decline: the dialer takes no calls."""
BUSY = 486
UNAVAILABLE = 503
SWITCH_INTERVAL_S = 0.0005

T = TypeVar("T")


def run_card(sock: socket.socket) -> None:
    """Be a line card on this socket until its other end closes. Never returns."""
    status = 1
    try:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        enlarge_buffers(sock)
        first = sock.recv(MAX_MESSAGE)
        if first:
            LineCard(sock, read_control(first)).run()
        status = 0
    except TelephonyError as error:
        Uplink(sock).event(control("unusable", message=str(error)))
    except BaseException:
        traceback.print_exc()  # to standard error: the last words of a card that breaks
    finally:
        os._exit(status)  # libDestroy takes a second, and the calls are over


class LineCard:
    """The card's main thread and what it knows of its calls."""

    def __init__(self, sock: socket.socket, setup: Control) -> None:
        wish = setup.fields
        self._sock = sock
        self._uplink = Uplink(sock)
        self._callee = bool(wish["callee"])
        self._lines = [Line(number) for number in range(wish["lines"])]
        self._calls: list[SipCall | None] = [None] * len(self._lines)
        self._unwanted: list[SipCall] = []  # to be refused
        self._places = SocketPlaces(len(self._lines))
        self._finished: list[SipCall] = []  # off their lines; deleted as soon as that is safe
        self._commands: deque[Control] = deque()
        self._ended = False
        self._endpoint = CardEndpoint(
            _rebuild(CardSettings, wish["settings"]),
            [_rebuild(Trunk, trunk) for trunk in wish["trunks"]],
            calls=len(self._lines),
            sip_port=wish["sip_port"],
            search_port=wish["search_port"],
            rtp_port=wish["rtp_port"],
            events=self,
        )
        self._ports = [self._endpoint.make_port(line, self._uplink) for line in self._lines]
        self._waker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._waker.connect((self._endpoint.address, self._endpoint.port))

    def run(self) -> None:
        """Serve until the dialer closes its end; then hang up what is left, quickly."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        self._uplink.event(control("ready", port=self._endpoint.port, vectors=self._endpoint.vectors))
        gc.collect()
        gc.freeze()
        gc.disable()
        next_second = time.monotonic()
        while not self._ended:
            self._endpoint.handle_events(POLL_MS)
            self._run_commands()
            self._refuse()
            self._free_lines()
            self._uplink.retry()
            now = time.monotonic()
            if now >= next_second:
                next_second = now + SECOND_S
                self._report_all()
                self._uplink.event(control("beat"))
        self._say_goodbye()

    # --- the reader thread ----------------------------------------------------------------------

    def _read(self) -> None:
        buffer = bytearray(MAX_MESSAGE)
        view = memoryview(buffer)
        receive, lines = self._sock.recv_into, self._lines
        while True:
            try:
                size = receive(buffer)
            except OSError:
                size = 0
            if size == 0:
                self._ended = True
                self._wake()
                return
            kind = buffer[0]
            if kind == CONTROL:
                command = read_control(view[:size])
                if command.kind == "call":
                    lines[command.line].begin(command.serial)  # audio for it may follow at once
                self._commands.append(command)
                self._wake()
                continue
            _, number, serial, epoch, utterance = DOWN.unpack_from(buffer)
            line = lines[number]
            if serial != line.serial:
                continue
            if kind == PLAY:
                if epoch == line.ring.epoch:
                    line.ring.put(utterance, bytes(view[DOWN.size : size]))
            elif kind == FLUSH:
                stopped = line.flush(epoch)
                self._uplink.event(line.flushed(stopped, time.monotonic_ns()))

    def _wake(self) -> None:
        try:
            self._waker.send(b"\r\n")
        except OSError:  # the poll time ends soon anyway
            return

    # --- commands, main thread ------------------------------------------------------------------

    def _run_commands(self) -> None:
        while self._commands:
            command = self._commands.popleft()
            line = self._lines[command.line]
            if command.serial != line.serial:
                continue
            try:
                if command.kind == "call":
                    self._place(line, command)
                else:
                    call = self._calls[command.line]
                    if call is not None and not call.over:
                        self._order(call, line, command)
            except pj.Error as error:
                self._tell("refused", line, command=command.kind, message=why(error))

    def _order(self, call: SipCall, line: Line, command: Control) -> None:
        wish = command.fields
        match command.kind:
            case "hangup":
                call.end(wish["code"], wish["reason"])
            case "dtmf":
                call.press(wish["digits"])
            case "transfer":
                call.refer(wish["target"])
            case "ring":
                call.respond(183 if wish["early_media"] else 180)
                line.gate = line.gate or wish["early_media"]
            case "answer":
                call.respond(200)

    def _place(self, line: Line, command: Control) -> None:
        if line.state is not LineState.FREE:  # taken while the order was on its way
            self._tell_ended(
                line, CallEnd(0, "the line was taken by a call from outside", None, False, False)
            )
            return
        wish = command.fields
        account = self._endpoint.accounts[wish["account"]]
        call = SipCall(account, self, line)
        try:
            self._endpoint.prefer(account.codecs)
            sender = self._endpoint.identity(wish["from_user"], wish["domain"]) if wish["from_user"] else ""
            line.state = LineState.LIVE
            self._calls[line.number] = call
            call.place(wish["to"], wish["target"], sender, wish["headers"], wish["sip_call_id"])
        except TelephonyError as error:
            if not call.over:
                self._finish(call, line, CallEnd(0, str(error), None, False, False))
            return
        self._tell("dialled", line, sip_call_id=call.sip_call_id)

    # --- what pjsua2 reports, main thread, inside libHandleEvents -------------------------------

    def ringing(self, call: SipCall, code: int, early_media: bool) -> None:
        """180 or 183 came."""
        if call.line is not None and code > 100:
            self._tell("ringing", call.line, code=code, early_media=early_media)

    def answered(self, call: SipCall) -> None:
        """200 OK: open the gate now, report when the codec is known."""
        line = call.line
        if line is None or line.answered:
            return
        line.answered = True
        line.gate = True
        call.answered_ns = time.monotonic_ns()
        if call.codec:
            self._tell_answered(call, line)

    def media_active(self, call: SipCall, codec: str) -> None:
        """Wire both directions, again at every change."""
        line = call.line
        if line is None:
            return
        call.connect(self._ports[line.number])
        first, call.codec = not call.codec, codec
        line.streaming = True
        if first and line.answered:
            self._tell_answered(call, line)

    def _tell_answered(self, call: SipCall, line: Line) -> None:
        self._tell("answered", line, t_ns=call.answered_ns, codec=call.codec)

    def stream_ending(self, call: SipCall) -> None:
        """Sample a last time: once DISCONNECTED is reported, nothing can be read any more."""
        if call.line is not None and call.line.answered:
            self._report_statistics(call.line.number, call)
            call.totals.stream_ended()

    def digit(self, call: SipCall, digit: str, method: str) -> None:
        """A DTMF digit came."""
        if call.line is not None:
            self._tell("dtmf", call.line, digit=digit, method=method)

    def transfer(self, call: SipCall, code: int, final: bool) -> None:
        """Progress of a REFER."""
        if call.line is not None:
            self._tell("transfer", call.line, code=code, done=final)

    def ended(self, call: SipCall, end: CallEnd) -> None:
        """The call is over; its slot is probed until it is usable."""
        if call.line is not None:
            self._finish(call, call.line, end)

    def incoming(self, account: pj.Account, call_id: int, invite: str) -> None:
        """Refuse the call, or in callee mode ask the dialer what to do."""
        line = self._free_line() if self._callee else None
        call = SipCall(account, self, line, call_id)
        call.sip_call_id = sipmsg.header(invite, "call-id")
        if line is None:
            self._unwanted.append(call)
            self._take_line_for(call)
            return
        line.begin((line.serial + 1) % 0x10000)
        line.state = LineState.LIVE
        self._calls[line.number] = call
        self._tell(
            "incoming",
            line,
            to_user=sipmsg.uri_user(invite.partition("\r\n")[0]),
            from_user=sipmsg.uri_user(sipmsg.header(invite, "from")),
            headers=dict(sipmsg.header_lines(invite)),
        )

    def failed(self, where: str, error: BaseException) -> None:
        """A callback raised; say so, the call goes on."""
        self._uplink.event(control("fault", where=where, message=f"{type(error).__name__}: {error}"))

    def _take_line_for(self, call: SipCall) -> None:
        """A stranger's call has a slot too: one line less until it has been refused."""
        line = self._free_line()
        if line is not None:
            line.state = LineState.CLOSING
            self._calls[line.number] = call
            self._tell("taken", line)

    def _refuse(self) -> None:
        """Refuse what nobody wants; a flood waits in its few slots, and pjsua refuses the rest by itself."""
        while self._unwanted and self._places.free(time.monotonic()):
            call = self._unwanted.pop()
            _end_quietly(call, BUSY if self._callee else REFUSAL)
            self._places.close(time.monotonic())
            if call not in self._calls:
                self._finished.append(call)

    # --- lines ----------------------------------------------------------------------------------

    def _free_line(self) -> Line | None:
        self._free_lines(delete=False)
        return next((line for line in self._lines if line.state is LineState.FREE), None)

    def _finish(self, call: SipCall, line: Line, end: CallEnd) -> None:
        line.close()
        line.state = LineState.CLOSING
        self._places.close(time.monotonic())
        self._tell_ended(line, end)

    def _tell_ended(self, line: Line, end: CallEnd) -> None:
        self._tell(
            "ended",
            line,
            code=end.code,
            reason=end.reason,
            q850=end.q850,
            heard=end.heard,
            by_bye=end.by_bye,
            answered=line.answered,
        )

    def _free_lines(self, *, delete: bool = True) -> None:
        """Find out which slots are usable again.

        Args:
            delete: also delete calls that are over; never inside a callback.
        """
        for line in self._lines:
            if line.state is not LineState.CLOSING or not self._places.free(time.monotonic()):
                continue
            call = self._calls[line.number]
            if call is not None and call.slot() is Slot.HELD:
                continue
            if call is not None:
                self._finished.append(call)
            self._calls[line.number] = None
            line.state = LineState.FREE
            self._tell("free", line)
        if delete and self._finished:
            self._finished = [call for call in self._finished if not call.deleted()]

    def _report_all(self) -> None:
        for number, call in enumerate(self._calls):
            if call is not None and call.line is not None and call.line.answered:
                self._report_statistics(number, call)

    def _report_statistics(self, number: int, call: SipCall) -> None:
        line = self._lines[number]
        if call.over or not line.streaming:
            return
        try:
            figures = call.statistics()
        except pj.Error:  # a re-INVITE is taking the stream down at this moment; a second later it is up
            return
        call.totals.carry_over(figures)
        self._tell("stats", line, **figures, frames_dropped=line.frames_dropped, underruns=line.underruns)

    def _tell(self, kind: str, line: Line, **more: Any) -> None:
        more.setdefault("t_ns", time.monotonic_ns())
        self._uplink.event(control(kind, line.number, line.serial, **more))

    def _say_goodbye(self) -> None:
        """Hang up everything and wait for the answers, at most ``GOODBYE_S``."""
        for call in self._calls:
            if call is not None:
                _end_quietly(call, UNAVAILABLE)
        until = time.monotonic() + GOODBYE_S
        while time.monotonic() < until and any(
            call is not None and call.slot() is Slot.HELD for call in self._calls
        ):
            self._endpoint.handle_events(10)


def _end_quietly(call: SipCall, code: int) -> None:
    """End a call; one that cannot be ended any more is of no interest."""
    try:
        call.end(code)
    except pj.Error:
        return


def _rebuild(kind: type[T], values: dict[str, Any]) -> T:
    """A frozen dataclass from JSON, whose lists become tuples again."""

    def frozen(value: Any) -> Any:
        return tuple(frozen(item) for item in value) if isinstance(value, list) else value

    return kind(**{field.name: frozen(values[field.name]) for field in fields(kind)})  # type: ignore[arg-type]
