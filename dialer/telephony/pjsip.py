"""pjsua2 as a line card needs it: one endpoint, one account a trunk, one audio port a line.

Every pjsua2 call is made by the main thread, which also runs ``libHandleEvents`` (pjproject issue 3125:
a deadlock otherwise). Call callbacks run inside ``libHandleEvents`` and only copy plain fields out.
The audio callbacks of ``LinePort`` run on pjmedia's clock thread, with the port's lock held.
"""

from __future__ import annotations

import ctypes
import errno
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, NoReturn, Protocol

import pjsua2 as pj

from dialer.errors import TelephonyError
from dialer.telephony import sipmsg, vectors
from dialer.telephony.line import Line, Totals
from dialer.telephony.trunk import CardSettings, Trunk
from dialer.telephony.uplink import Uplink
from dialer.telephony.wire import EARLY_FRAME, FRAME, FRAME_BYTES, UP, VOICED

RATE = 8000
FRAME_MS = 20
PORT_TRIES = 200
"""How far above the wished SIP port a further card looks for a free one."""

_ADDRESS_IN_USE = 120_000 + errno.EADDRINUSE  # PJ_ERRNO_START_SYS
_SILENCE = bytes(FRAME_BYTES)
_AUDIO = pj.PJMEDIA_FRAME_TYPE_AUDIO
_keep_thread_state = ctypes.pythonapi.PyGILState_Ensure
"""One more reference to the calling thread's Python state than SWIG gives back."""


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

    def incoming(self, account: SipAccount, call_id: int, invite: str) -> None:
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


class LinePort(pj.AudioMediaPort):  # type: ignore[misc]  # pjsua2 has no type information
    """The audio of one line; made once a card and reused (freed ports crash pjmedia).

    pjmedia's clock thread is none of Python's, so SWIG would make a Python thread state for it at every
    callback and throw it away again, with the memory of its stack (80 us a frame). The first callback
    therefore holds on to that state for good.
    """

    _clock_thread = 0

    def __init__(self, line: Line, uplink: Uplink, way: vectors.Way) -> None:
        super().__init__()
        self._line = line
        self._uplink = uplink
        self._read = way.read
        self._write = way.write
        self._ours = vectors.full(pj.ByteVector)
        self._silence = vectors.full(pj.ByteVector)
        media_format = pj.MediaFormatAudio()
        media_format.init(pj.PJMEDIA_FORMAT_PCM, RATE, 1, FRAME_MS * 1000, 16)
        self.createPort(f"line{line.number}", media_format)

    def onFrameRequested(self, frame: Any) -> None:
        """Give pjmedia our next 20 ms. Clock thread."""
        frame.type = _AUDIO
        line = self._line
        if line.gate:
            ring = line.ring
            pcm = ring.take()
            if pcm is not None:
                self._write(self._ours, pcm)
                frame.buf = self._ours
                if ring.voiced:
                    now_ns = time.monotonic_ns()
                    self._uplink.event(
                        UP.pack(VOICED, line.number, line.serial, ring.voiced, now_ns, ring.epoch, 0)
                    )
                    ring.voiced = 0
                return
        frame.buf = self._silence

    def onFrameReceived(self, frame: Any) -> None:
        """Hand up 20 ms of the callee. Clock thread."""
        line = self._line
        if not line.streaming:
            if not LinePort._clock_thread:
                LinePort._clock_thread = threading.get_native_id()
                _keep_thread_state()
            return
        pcm = self._read(frame.buf)
        if len(pcm) != FRAME_BYTES:  # a tick without a frame: silence stands for it
            pcm = _SILENCE
        ring = line.ring
        number = line.next_frame
        line.next_frame = number + 1
        header = UP.pack(
            FRAME if line.answered else EARLY_FRAME,
            line.number,
            line.serial,
            number,
            time.monotonic_ns(),
            ring.epoch,
            ring.played,
        )
        if not self._uplink.frame(header + pcm):
            line.frames_dropped += 1


class SipCall(pj.Call):  # type: ignore[misc]
    """One call on one line (or on none, where it is being refused)."""

    def __init__(self, account: SipAccount, events: CallEvents, line: Line | None, call_id: int = -1) -> None:
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


class SipAccount(pj.Account):  # type: ignore[misc]
    """One identity; ``codecs`` in order of preference."""

    def __init__(self, events: CallEvents, codecs: tuple[str, ...]) -> None:
        super().__init__()
        self.codecs = codecs
        self._events = events

    def onIncomingCall(self, prm: Any) -> None:
        """An INVITE came in."""
        try:
            self._events.incoming(self, prm.callId, prm.rdata.wholeMsg)
        except Exception as error:
            self._events.failed("onIncomingCall", error)


class CardEndpoint:
    """The endpoint of a card: transports, accounts, ports. All methods belong to the main thread."""

    def __init__(
        self,
        settings: CardSettings,
        trunks: list[Trunk],
        *,
        calls: int,
        sip_port: int,
        search_port: bool,
        rtp_port: int,
        events: CallEvents,
    ) -> None:
        """Start SIP.

        Args:
            settings: how to meet the network.
            trunks: one account each, beside the local one.
            calls: how many calls the endpoint shall hold.
            sip_port: local port, 0 for any.
            search_port: where it is busy take the next free one above.
            rtp_port: first of this card's range, 0 for any.
            events: who is told about calls.

        Raises:
            TelephonyError: a port is busy, a STUN server does not answer, a certificate cannot be read.
        """
        self._settings = settings
        self._endpoint = pj.Endpoint()
        self._codecs: tuple[str, ...] = ()
        try:
            self._endpoint.libCreate()
            self._endpoint.libInit(_endpoint_config(settings, calls))
            self.port, self.address = self._open_transports(trunks, sip_port, search_port)
            self._endpoint.audDevManager().setNullDev()
            self._endpoint.libStart()
        except pj.Error as error:
            raise TelephonyError(f"SIP cannot start: {why(error)}") from error
        self._known_codecs = [codec.codecId for codec in self._endpoint.codecEnum2()]
        self._way = vectors.choose(pj.ByteVector)
        local = Trunk(name="", gateways=())
        self.accounts = {
            trunk.name: self._open_account(trunk, rtp_port, events) for trunk in (local, *trunks)
        }
        self.accounts[""].setDefault()
        self.prefer(local.codecs)

    def _open_transports(self, trunks: list[Trunk], wished: int, search: bool) -> tuple[int, str]:
        port, host = self._open_transport(pj.PJSIP_TRANSPORT_UDP, wished, search)
        used = {trunk.transport for trunk in trunks}
        if "tcp" in used:
            self._open_transport(pj.PJSIP_TRANSPORT_TCP, 0, False)
        if "tls" in used:
            self._open_transport(pj.PJSIP_TRANSPORT_TLS, 0, False)
        return port, host

    def _open_transport(self, kind: int, wished: int, search: bool) -> tuple[int, str]:
        config = pj.TransportConfig()
        config.boundAddress = self._settings.bind_address
        config.publicAddress = self._settings.public_address
        if kind == pj.PJSIP_TRANSPORT_TLS:
            tls = config.tlsConfig
            tls.CaListFile = self._settings.tls_ca_file
            tls.certFile = self._settings.tls_cert_file
            tls.privKeyFile = self._settings.tls_key_file
            tls.verifyServer = self._settings.tls_verify
        last = wished + (PORT_TRIES if search and wished else 0)
        for port in range(wished, last + 1):
            config.port = port
            try:
                transport = self._endpoint.transportCreate(kind, config)
            except pj.Error as error:
                if port < last:
                    continue
                raise TelephonyError(self._no_transport(kind, wished, last, error)) from error
            name = self._endpoint.transportGetInfo(transport).localName
            host, _, bound = name.rpartition(":")
            return int(bound), host
        raise AssertionError("a range of at least one port was tried")

    def _no_transport(self, kind: int, wished: int, last: int, error: Any) -> str:
        place = f"{self._settings.bind_address or 'any address'}, port {wished or 'any'}"
        beyond = f" up to {last}" if last > wished else ""
        if error.status == _ADDRESS_IN_USE:
            mend = "End the program that uses the port, or set another sip_port."
        elif kind == pj.PJSIP_TRANSPORT_TLS:
            mend = "Check tls_ca_file, tls_cert_file and tls_key_file."
        else:
            mend = "Check bind_address and stun_servers."
        return f"SIP cannot use {place}{beyond}: {error.reason}. {mend}"

    def _open_account(self, trunk: Trunk, rtp_port: int, events: CallEvents) -> SipAccount:
        settings = self._settings
        config = pj.AccountConfig()
        config.idUri = self.identity(trunk.identity, trunk.domain)
        config.regConfig.registerOnAdd = False
        if trunk.outbound_proxy:
            config.sipConfig.proxies.append(f"<{trunk.outbound_proxy}>")
        if trunk.username:
            config.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", trunk.realm, trunk.username, 0, trunk.password)
            )
        media = config.mediaConfig.transportConfig
        media.port = rtp_port
        media.portRange = settings.rtp_ports_per_card if rtp_port else 0
        media.boundAddress = settings.bind_address
        media.publicAddress = settings.public_address
        nat = config.natConfig
        rewrite = int(settings.rport)
        nat.viaRewriteUse = rewrite
        nat.contactRewriteUse = rewrite
        nat.sdpNatRewriteUse = rewrite
        stun = pj.PJSUA_STUN_USE_DEFAULT if settings.stun_servers else pj.PJSUA_STUN_USE_DISABLED
        nat.sipStunUse = stun
        nat.mediaStunUse = stun
        account = SipAccount(events, trunk.codecs)
        account.create(config)
        return account

    def identity(self, user: str, domain: str) -> str:
        """A From URI; without a domain the card's own address."""
        host = domain or self._settings.public_address or f"{self.address}:{self.port}"
        return f"<sip:{user}@{host}>" if user else f"<sip:{host}>"

    def prefer(self, codecs: tuple[str, ...]) -> None:
        """Offer these codecs, in this order, in the next call (pjsua keeps one order an endpoint).

        Raises:
            TelephonyError: this build has none of them.
        """
        if codecs == self._codecs:
            return
        ranks = {name.upper(): 255 - place for place, name in enumerate(codecs)}
        offered = 0
        for codec in self._known_codecs:
            rank = ranks.get(codec.split("/")[0].upper(), 0)
            if not codec.endswith("/8000/1") and rank:
                rank = rank if codec.upper().startswith("G722/") else 0
            self._endpoint.codecSetPriority(codec, rank)
            offered += rank > 0
        if not offered:
            known = ", ".join(self._known_codecs)
            raise TelephonyError(f"none of the codecs {', '.join(codecs)} is built in. Known: {known}.")
        self._codecs = codecs

    @property
    def vectors(self) -> str:
        """Which way audio is read and written; see ``vectors.choose``."""
        return self._way.name

    def make_port(self, line: Line, uplink: Uplink) -> LinePort:
        """The audio port of a line; once a card."""
        return LinePort(line, uplink, self._way)

    def handle_events(self, wait_ms: int) -> None:
        """Run SIP for at most ``wait_ms``; returns early when something happened."""
        self._endpoint.libHandleEvents(wait_ms)


def _endpoint_config(settings: CardSettings, calls: int) -> Any:
    config = pj.EpConfig()
    config.logConfig.level = 0
    config.logConfig.consoleLevel = 0
    ua = config.uaConfig
    ua.threadCnt = 0
    ua.mainThreadOnly = True
    ua.maxCalls = calls
    ua.userAgent = "outbound-dialer"
    for server in settings.stun_servers:
        ua.stunServer.append(server)
    ua.stunIgnoreFailure = False
    media = config.medConfig
    media.clockRate = RATE
    media.sndClockRate = RATE
    media.audioFramePtime = FRAME_MS
    media.noVad = True
    media.ecTailLen = 0
    media.jbMax = settings.jitter_buffer_max_ms
    media.maxMediaPorts = max(254, 4 * calls)
    media.sndAutoCloseTime = -1  # the clock keeps running: its restart would delay a greeting
    return config


def _received(event: Any) -> str:
    """The SIP message that caused an event, empty where none did (a timer, our own action)."""
    if event.type != pj.PJSIP_EVENT_TSX_STATE:
        return ""
    state = event.body.tsxState
    return str(state.src.rdata.wholeMsg) if state.type == pj.PJSIP_EVENT_RX_MSG else ""


def why(error: Any) -> str:
    """One line of a ``pjsua2.Error``."""
    return f"{error.reason} ({error.status})"


def count_calls(silent_port: int, at_most: int, say: Callable[[int], NoReturn]) -> NoReturn:
    """Ask the library how many calls a process can hold, by placing calls until it refuses.

    Args:
        silent_port: a UDP port on 127.0.0.1 where nobody answers.
        at_most: stop there.
        say: gets the count and ends the process; the calls are left as they are.
    """
    settings = CardSettings(bind_address="127.0.0.1", sip_port=0, rtp_port=0)
    endpoint = CardEndpoint(
        settings, [], calls=at_most, sip_port=0, search_port=False, rtp_port=0, events=_Unheard()
    )
    calls: list[SipCall] = []
    while len(calls) < at_most:
        call = SipCall(endpoint.accounts[""], _Unheard(), None)
        try:
            call.place(f"sip:count@127.0.0.1:{silent_port}", "", "", [], "")
        except TelephonyError:
            break
        calls.append(call)
    say(len(calls))


class _Unheard:
    """Call events of the throw-away endpoint that counts."""

    def ringing(self, call: SipCall, code: int, early_media: bool) -> None: ...
    def answered(self, call: SipCall) -> None: ...
    def media_active(self, call: SipCall, codec: str) -> None: ...
    def stream_ending(self, call: SipCall) -> None: ...
    def digit(self, call: SipCall, digit: str, method: str) -> None: ...
    def transfer(self, call: SipCall, code: int, final: bool) -> None: ...
    def ended(self, call: SipCall, end: CallEnd) -> None: ...
    def incoming(self, account: SipAccount, call_id: int, invite: str) -> None: ...
    def failed(self, where: str, error: BaseException) -> None: ...
