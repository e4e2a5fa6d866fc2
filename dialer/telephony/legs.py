"""The dialer's side of one call: credits for our audio, and messages turned into events.

A leg keeps what the card has no room for and tops it up whenever a frame of the callee brings word of
how much was played. Everything here runs in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

import structlog

from dialer.telephony import base
from dialer.telephony.causes import NO_RESPONSE, RING_TIMEOUT, SAID_BY_PEOPLE
from dialer.telephony.wire import (
    DOWN,
    FLUSH,
    FRAME_BYTES,
    PLAY,
    PLAY_FRAMES_MAX,
    RING_FRAMES,
    Control,
    control,
)

_log = structlog.get_logger()


class Sender(Protocol):
    """How a leg reaches its card."""

    def try_send(self, message: bytes) -> bool:
        """Send now or not at all; after False the card calls ``CardLeg.pump`` when there is room."""

    def send(self, message: bytes) -> None:
        """Send in order, later where there is no room now."""


class CardLeg:
    """A call on a line of a card; the ``Leg`` (and ``InboundLeg``) that services see.

    Attributes:
        call_id: ours; of an inbound call the SIP Call-ID's stand-in, ``in-<serial>``.
        line, serial: where it is, as the wire names it.
        answered: 200 OK was received or sent.
        ended: ``LegEnded`` was delivered.
    """

    def __init__(self, call_id: str, line: int, serial: int, sender: Sender, trunk: str = "") -> None:
        self.call_id = call_id
        self.line = line
        self.serial = serial
        self.ended = False
        self.answered = False
        self._trunk = trunk
        self._sender = sender
        self._handler: base.LegHandler | None = None
        self._epoch = 0
        self._queued = 0  # frames given to play() in this epoch
        self._sent = 0  # of these, given to the card
        self._played = 0  # of these, taken by RTP as far as is known
        self._pending: deque[tuple[int, memoryview]] = deque()
        self._waited: deque[int] = deque()  # per flush in flight: the utterance that was waiting here
        self._ring_timer: asyncio.TimerHandle | None = None
        self._rang_out = False
        self._hanging_up = False
        self._broken = False

    def listen(self, handler: base.LegHandler) -> None:
        """Whom to tell; set before the first event can come."""
        self._handler = handler

    # --- what services ask for ------------------------------------------------------------------

    def play(self, pcm: bytes | memoryview, utterance: int) -> int:
        """Queue audio; see ``Leg.play``.

        Raises:
            ValueError: no whole frames, or an utterance of 0 or less.
        """
        frames, rest = divmod(len(pcm), FRAME_BYTES)
        if rest or utterance <= 0:
            raise ValueError("play takes whole frames of 320 bytes and an utterance above 0")
        self._queued += frames
        if self.ended or not frames:
            return self._queued
        if frames == 1 and not self._pending and self._sent - self._played < RING_FRAMES:
            header = DOWN.pack(PLAY, self.line, self.serial, self._epoch, utterance)
            if self._sender.try_send(header + pcm):  # live pieces: one copy, no queue
                self._sent += 1
                return self._queued
        self._pending.append((utterance, memoryview(bytes(pcm))))
        self.pump()
        return self._queued

    def pump(self) -> None:
        """Send what waits, as far as credits and the socket allow."""
        pending = self._pending
        while pending:
            room = min(PLAY_FRAMES_MAX, RING_FRAMES - (self._sent - self._played))
            if room <= 0:
                return
            utterance, pcm = pending[0]
            part = pcm[: room * FRAME_BYTES]
            header = DOWN.pack(PLAY, self.line, self.serial, self._epoch, utterance)
            if not self._sender.try_send(header + part):
                return
            self._sent += len(part) // FRAME_BYTES
            if len(part) == len(pcm):
                pending.popleft()
            else:
                pending[0] = (utterance, pcm[len(part) :])

    def flush(self) -> None:
        """Stop our audio now; see ``Leg.flush``."""
        if self.ended:
            return
        self._waited.append(self._pending[0][0] if self._pending else 0)
        self._pending.clear()
        self._epoch += 1
        self._queued = self._sent = self._played = 0
        self._sender.send(DOWN.pack(FLUSH, self.line, self.serial, self._epoch, 0))

    def hang_up(self, sip_code: int = 0) -> None:
        """End the call; see ``Leg.hang_up``."""
        self._end(sip_code, "")

    def ring_for(self, ms: int) -> None:
        """CANCEL when nobody has answered after ``ms``."""
        self._ring_timer = asyncio.get_running_loop().call_later(ms / 1000, self._give_up)

    def _give_up(self) -> None:
        self._rang_out = True
        self._end(0, "")

    def _stop_ring_timer(self) -> None:
        if self._ring_timer is not None:
            self._ring_timer.cancel()

    def send_dtmf(self, digits: str) -> None:
        """Send digits as RFC 4733 events.

        Raises:
            ValueError: something else than 0-9, ``*``, ``#``, A-D.
        """
        if not digits or set(digits.upper()) - set("0123456789*#ABCD"):
            raise ValueError(f"{digits!r} are no DTMF digits")
        self._command("dtmf", digits=digits)

    def transfer(self, target: str) -> None:
        """Blind transfer to a SIP URI; see ``Leg.transfer``."""
        self._command("transfer", target=target)

    def ring(self, early_media: bool = False) -> None:
        """180, or 183 with SDP; see ``InboundLeg.ring``."""
        self._command("ring", early_media=early_media)

    def answer(self) -> None:
        """200 OK."""
        self._command("answer")

    def reject(self, sip_code: int, reason: str = "") -> None:
        """A final status; see ``InboundLeg.reject``.

        Raises:
            ValueError: the status is none of 300 to 699.
        """
        if not 300 <= sip_code <= 699:
            raise ValueError(f"{sip_code} does not reject a call")
        self._end(sip_code, reason)

    def _end(self, code: int, reason: str) -> None:
        if self._hanging_up:
            return
        self._hanging_up = True
        self._command("hangup", code=code, reason=reason)

    def _command(self, kind: str, **fields: Any) -> None:
        if not self.ended:
            self._sender.send(control(kind, self.line, self.serial, **fields))

    # --- what the card reports ------------------------------------------------------------------

    def take_frame(self, pcm: memoryview, seq: int, t_ns: int, epoch: int, played: int) -> None:
        """A frame of the callee."""
        if epoch == self._epoch:
            self._played = played
            if self._pending:
                self.pump()
        handler = self._handler
        if handler is None or self._broken:
            return
        try:
            handler.on_frame(pcm, seq, t_ns, self._played)
        except Exception:
            self._break("on_frame")

    def take_voiced(self, utterance: int, t_ns: int) -> None:
        """The first voiced frame of an utterance of ours went out."""
        self._deliver(base.LegVoiced(t_ns, utterance))

    def take_flushed(self, epoch: int, utterance: int, played: int, dropped: int, t_ns: int) -> None:
        """A flush was done."""
        waited = self._waited.popleft()
        if not dropped and utterance != waited:
            # The card had run dry: what was stopped is what waited here, or nothing at all.
            utterance, played = waited, 0
        self._deliver(base.LegFlushed(t_ns, epoch, utterance, played))

    def take_control(self, message: Control) -> None:
        """Anything rare."""
        fields = message.fields
        t_ns = int(fields["t_ns"])
        match message.kind:
            case "dialled":
                self._deliver(base.LegDialled(t_ns, fields["sip_call_id"]))
            case "ringing":
                self._deliver(base.LegRinging(t_ns, fields["code"], fields["early_media"]))
            case "answered":
                self.answered = True
                self._stop_ring_timer()
                self._deliver(base.LegAnswered(t_ns, fields["codec"]))
            case "dtmf":
                self._deliver(base.LegDtmf(t_ns, fields["digit"], fields["method"]))
            case "stats":
                self._deliver(base.LegStats(**fields))
            case "transfer":
                self._deliver(base.LegTransfer(t_ns, fields["code"], fields["done"]))
            case "refused":
                _log.warning(
                    "leg.command_refused",
                    call_id=self.call_id,
                    **{k: fields[k] for k in ("command", "message")},
                )
                if fields["command"] == "transfer":
                    self._deliver(base.LegTransfer(t_ns, 0, True))
            case "ended":
                self.finish(self._ended_event(t_ns, fields))
            case _:
                _log.warning("leg.unknown_message", call_id=self.call_id, kind=message.kind)

    def _ended_event(self, t_ns: int, fields: Any) -> base.LegEnded:
        answered = bool(fields["answered"])
        code, reason = (200 if answered else int(fields["code"])), str(fields["reason"])
        if fields["by_bye"]:
            by = "callee"
        elif code == 0:
            by = "us"
        elif not answered and not fields["heard"] and (self._rang_out or code == 408):
            code, reason, by = 408, NO_RESPONSE, "network"
        elif self._hanging_up:
            by = "us"
            if self._rang_out and not answered:
                code, reason = 487, RING_TIMEOUT
        else:
            by = "callee" if code in SAID_BY_PEOPLE else "network"
        return base.LegEnded(t_ns, code, reason, fields["q850"], by, answered)

    def finish(self, event: base.LegEnded) -> None:
        """Deliver the last event; nothing follows it."""
        if self.ended:
            return
        self._stop_ring_timer()
        self._pending.clear()
        self.ended = True
        self._broken = False  # a listener that raised is still told the end
        self._deliver(event)
        self._handler = None

    def _deliver(self, event: base.LegEvent) -> None:
        if self._handler is None or self._broken:
            return
        try:
            self._handler.on_event(event)
        except Exception:
            self._break("on_event")

    def _break(self, where: str) -> None:
        """The listener raised: end this leg, and no other."""
        _log.exception("leg.handler_failed", call_id=self.call_id, trunk=self._trunk, where=where)
        self._broken = True
        self.hang_up()
