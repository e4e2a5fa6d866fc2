"""One SIP call in pjsua2: orders in, callbacks out.

Callbacks run on the main thread inside ``libHandleEvents``; they copy plain fields out and tell
``CallEvents``. An exception must not leave a callback: pjsua2 would end the process.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import pjsua2 as pj

from dialer.errors import TelephonyError
from dialer.telephony import sipmsg
from dialer.telephony.line import Line, Totals

if TYPE_CHECKING:
    from dialer.telephony.pjaudio import LinePort


class CallEvents(Protocol):
    """Who is told about calls; called by the main thread, inside ``libHandleEvents``."""

    def ringing(self, call: SipCall, code: int, early_media: bool) -> None:
        """180 or 183 came."""

    def answered(self, call: SipCall) -> None:
        """200 OK was received (or sent, where the call came in)."""

    def media_active(self, call: SipCall, codec: str) -> None:
        """Audio flows (again)."""

    def stream_ending(self, call: SipCall) -> None:
        """A media stream is taken down (the end, or a re-INVITE); its statistics can still be read."""

    def digit(self, call: SipCall, digit: str, method: str) -> None:
        """A DTMF digit came."""

    def transfer(self, call: SipCall, code: int, final: bool) -> None:
        """Progress of a REFER of ours."""

    def ended(self, call: SipCall, end: CallEnd) -> None:
        """DISCONNECTED: the call is over, its slot may still be taken."""

    def incoming(self, account: pj.Account, call_id: int, invite: str) -> None:
        """An INVITE came; the receiver must make a ``SipCall`` for it at once."""

    def failed(self, where: str, error: BaseException) -> None:
        """A callback raised (it must not: pjsua2 would end the process)."""


class CallEnd:
    """How a call ended, as the card saw it."""

    __slots__ = ("by_bye", "code", "heard", "q850", "reason")

    def __init__(self, code: int, reason: str, q850: int | None, heard: bool, by_bye: bool) -> None:
        self.code = code
        self.reason = reason
        self.q850 = q850
        self.heard = heard  # anything at all came back for our INVITE
        self.by_bye = by_bye  # the other side sent BYE


class Slot(Enum):
    """A call slot as seen by the call that had it."""

    HELD = "held"
    FREE = "free"
    REUSED = "reused"  # another call has it


class SipCall(pj.Call):  # type: ignore[misc]
    """One call on one line (or on none, where it is being refused)."""

    def __init__(self, account: pj.Account, events: CallEvents, line: Line | None, call_id: int = -1) -> None:
        super().__init__(account, call_id)
        self.line = line
        self.sip_call_id = ""
        self.over = False
        self.codec = ""  # set once media is active
        self.answered_ns = 0
        self.totals = Totals()
        self._events = events
        self._heard = False
        self._ringing = 0

    def onCallTsxState(self, prm: Any) -> None:
        """Notice the first response of any kind: it tells a dead trunk from a slow one."""
        if not self._heard and prm.e.body.tsxState.type == pj.PJSIP_EVENT_RX_MSG:
            self._heard = True

    def onCallState(self, prm: Any) -> None:
        """Follow the INVITE session."""
        try:
            self._follow(prm)
        except Exception as error:
            self._events.failed("onCallState", error)

    def _follow(self, prm: Any) -> None:
        info = self.getInfo()
        self.sip_call_id = self.sip_call_id or info.callIdString
        if info.state == pj.PJSIP_INV_STATE_EARLY and info.lastStatusCode != self._ringing:
            self._ringing = info.lastStatusCode
            self._events.ringing(self, info.lastStatusCode, sipmsg.has_sdp(_received(prm.e)))
        elif info.state in (pj.PJSIP_INV_STATE_CONNECTING, pj.PJSIP_INV_STATE_CONFIRMED):
            self._events.answered(self)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED and not self.over:
            self.over = True
            message = _received(prm.e)
            by_bye = sipmsg.is_request(message, "BYE")
            end = CallEnd(
                info.lastStatusCode,
                info.lastReason,
                sipmsg.q850_cause(message),
                self._heard or bool(message),
                by_bye,
            )
            self._events.ended(self, end)

    def onCallMediaState(self, prm: Any) -> None:
        """Wire the line's port again, at every change: a re-INVITE moves the call's conference slot."""
        try:
            self._wire()
        except Exception as error:
            self._events.failed("onCallMediaState", error)

    def _wire(self) -> None:
        if self.line is None or self.over:
            return
        info = self.getInfo()  # kept in a name: what it holds dies with it
        for media in info.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in (
                pj.PJSUA_CALL_MEDIA_ACTIVE,
                pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
            ):
                self._events.media_active(self, self.getStreamInfo(media.index).codecName)
                return

    def onStreamDestroyed(self, prm: Any) -> None:
        """The last chance to read a stream's statistics."""
        try:
            self._events.stream_ending(self)
        except Exception as error:
            self._events.failed("onStreamDestroyed", error)

    def connect(self, port: LinePort) -> None:
        """Wire both directions to the line's port."""
        audio = self.getAudioMedia(-1)
        port.startTransmit(audio)
        audio.startTransmit(port)

    def onDtmfDigit(self, prm: Any) -> None:
        """A digit by RFC 4733 or INFO."""
        try:
            method = "info" if prm.method == pj.PJSUA_DTMF_METHOD_SIP_INFO else "rfc4733"
            self._events.digit(self, prm.digit, method)
        except Exception as error:
            self._events.failed("onDtmfDigit", error)

    def onCallTransferRequest(self, prm: Any) -> None:
        """The other side wants us to call somebody (REFER): refused.

        By default pjsua would call whatever address the callee names, at our cost, on a call that nobody
        here holds.
        """
        prm.statusCode = 603

    def onCallTransferStatus(self, prm: Any) -> None:
        """NOTIFY of a REFER of ours."""
        try:
            self._events.transfer(self, prm.statusCode, bool(prm.finalNotify))
        except Exception as error:
            self._events.failed("onCallTransferStatus", error)

    def place(self, to: str, target: str, sender: str, headers: list[list[str]], sip_call_id: str) -> None:
        """Send the INVITE.

        Raises:
            TelephonyError: pjsua refused (no slot, a URI it cannot read).
        """
        prm = pj.CallOpParam(True)
        prm.opt.customCallId = sip_call_id
        option = prm.txOption
        option.localUri = sender
        option.targetUri = target
        self._add_headers(option, headers)
        try:
            self.makeCall(to, prm)
            self.sip_call_id = self.getInfo().callIdString
        except pj.Error as error:
            raise TelephonyError(why(error)) from error

    @staticmethod
    def _add_headers(option: Any, headers: list[list[str]]) -> None:
        vector = pj.SipHeaderVector()
        for name, value in headers:
            item = pj.SipHeader()
            item.hName = name
            item.hValue = value
            vector.append(item)
        option.headers = vector

    def respond(self, code: int, reason: str = "") -> None:
        """Answer an INVITE that came in."""
        prm = pj.CallOpParam(True)
        prm.statusCode = code
        prm.reason = reason
        self.answer(prm)

    def end(self, code: int = 0, reason: str = "") -> None:
        """BYE, CANCEL or a final response, whichever fits. After the end it does nothing."""
        if self.over:
            return
        prm = pj.CallOpParam(True)
        prm.statusCode = code
        prm.reason = reason
        self.hangup(prm)

    def press(self, digits: str) -> None:
        """Send digits by RFC 4733."""
        prm = pj.CallSendDtmfParam()
        prm.method = pj.PJSUA_DTMF_METHOD_RFC2833
        prm.digits = digits
        self.sendDtmf(prm)

    def refer(self, target: str) -> None:
        """Blind transfer."""
        self.xfer(target, pj.CallOpParam(True))

    def statistics(self) -> dict[str, float]:
        """RTP figures since the answer; fails once the call is over."""
        stat = self.getStreamStat(0)
        rtcp, received = stat.rtcp, stat.rtcp.rxStat
        return {
            "rx_packets": received.pkt,
            "rx_lost": received.loss,
            "tx_packets": rtcp.txStat.pkt,
            "rx_jitter_ms": received.jitterUsec.mean / 1000,
            "jitter_buffer_ms": stat.jbuf.avgDelayMsec,
            "rtt_ms": rtcp.rttUsec.mean / 1000,
        }

    def slot(self) -> Slot:
        """What became of the call slot.

        A call that was hung up is DISCONNECTED at once but keeps its slot until the BYE's or CANCEL's
        transaction is over, up to 32 s. A slot without a session raises.
        """
        if self.getId() < 0:  # never placed; asking for its state would abort the process
            return Slot.FREE
        try:
            holder = self.getInfo().callIdString
        except pj.Error:
            return Slot.FREE
        return Slot.HELD if holder == self.sip_call_id else Slot.REUSED

    def deleted(self) -> bool:
        """Delete the C++ call where that is safe; whether it was.

        ``~Call`` looks only at the slot's number: it would hang up, or cut off from its callbacks,
        whichever call has the slot at that moment. So it is run here, on a free slot, and not when
        Python happens to drop the last reference. The object must not be used afterwards.
        """
        if self.slot() is not Slot.FREE:
            return False
        pj.Call.__swig_destroy__(self)
        return True


def _received(event: Any) -> str:
    """The SIP message that caused an event, empty where none did (a timer, our own action)."""
    if event.type != pj.PJSIP_EVENT_TSX_STATE:
        return ""
    state = event.body.tsxState
    return str(state.src.rdata.wholeMsg) if state.type == pj.PJSIP_EVENT_RX_MSG else ""


def why(error: Any) -> str:
    """One line of a ``pjsua2.Error``."""
    return f"{error.reason} ({error.status})"
