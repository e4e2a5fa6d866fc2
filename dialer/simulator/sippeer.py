"""A callee made of plain sockets: no SIP library, so that what is measured at it is not our own stack.

    async with SipPeer(PeerPlan(audio=alaw)) as peer:
        ... call sip:anyone@127.0.0.1:{peer.port} ...
        peer.calls[0].stream.log                    # every packet that came, with the kernel's stamp

What it does with a call is a ``PeerPlan``, chosen by the user part of the request URI. UDP only, made for
loopback: it repeats a response when the request is repeated, and never by itself. ``peerfarm`` runs it in
processes of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from dialer.simulator.rtppeer import Address, RtpHub, RtpStream
from dialer.telephony import sipmsg

REALM = "peer.example"
_REASONS = {
    **{
        100: "Trying",
        180: "Ringing",
        183: "Session Progress",
        200: "OK",
        202: "Accepted",
        401: "Unauthorized",
    },
    **{404: "Not Found", 407: "Proxy Authentication Required", 480: "Temporarily Unavailable"},
    **{481: "Call Does Not Exist", 486: "Busy Here", 487: "Request Terminated", 503: "Service Unavailable"},
    603: "Decline",
}


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """What the peer does with a call.

    Attributes:
        silent: answer nothing at all, not even 100: a dead trunk.
        ring: provisional status (180; 183 brings SDP and starts the audio), 0 for none.
        answer_after_ms: then the final response.
        status: 200, or a refusal.
        cause: Q.850 cause of a refusal, put into a Reason header; 0 for none.
        audio: A-law octets to send once media is up; silence follows.
        repeat: send ``audio`` over and over.
        hang_up_after_ms: BYE so long after the answer; None waits for the other side.
        answer_bye: False leaves a BYE without a response.
        challenge: 401 or 407 asks for ``username`` and ``password`` first; 0 does not.
        reinvite_after_ms: send a re-INVITE (media moves to a fresh port) so long after the answer.
        press, press_info: digits sent 300 ms after the answer, by RFC 4733 or by INFO.
    """

    silent: bool = False
    ring: int = 180
    answer_after_ms: float = 0
    status: int = 200
    cause: int = 0
    audio: bytes = b""
    repeat: bool = False
    hang_up_after_ms: float | None = None
    answer_bye: bool = True
    challenge: int = 0
    username: str = ""
    password: str = ""
    reinvite_after_ms: float | None = None
    press: str = ""
    press_info: str = ""


class PeerCall:
    """One call at the peer.

    Attributes:
        invite: the INVITE as text.
        call_id: SIP Call-ID.
        user: user part of its request URI.
        stream: RTP, once media is up.
        requests: everything that came in the dialog after the INVITE, as text.
        answered_ns, ended_ns: 200 OK sent; BYE or CANCEL received, or BYE sent (0: not yet).
    """

    def __init__(self, peer: SipPeer, invite: str, plan: PeerPlan) -> None:
        self.invite = invite
        self.call_id = sipmsg.header(invite, "call-id")
        self.user = sipmsg.uri_user(invite.partition("\r\n")[0])
        self.plan = plan
        self.stream: RtpStream | None = None
        self.requests: list[str] = []
        self.answered_ns = 0
        self.ended_ns = 0
        self.ended = asyncio.Event()
        self.tag = uuid.uuid4().hex[:12]
        self.last_response = ""
        self._peer = peer
        self._hub = peer.hub
        events = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", invite, re.MULTILINE)
        self._event = int(events.group(1)) if events else 101
        self._cseq = 1
        self._timers: list[asyncio.TimerHandle] = []

    def begin(self) -> None:
        """Answer the INVITE as the plan says."""
        plan = self.plan
        if plan.ring:
            early = plan.ring == 183
            self.respond(plan.ring, with_sdp=early)
            if early:
                self._start_media()
        if plan.answer_after_ms:
            self._after(plan.answer_after_ms, self._answer)
        else:
            self._answer()

    def respond(self, code: int, *, with_sdp: bool = False, extra: str = "") -> None:
        """Send a response to the INVITE."""
        body = self._sdp() if with_sdp else ""
        self.last_response = self._peer.respond(self.invite, code, tag=self.tag, extra=extra, body=body)

    def hang_up(self) -> None:
        """Send BYE."""
        if not self.ended_ns:
            self._request("BYE")
            self.end()

    def reinvite(self) -> None:
        """Offer again; our media moves to another port, as when a call is moved between gateways."""
        remote, log = self._remote_media(), self.stream.log if self.stream else None
        if self.stream is not None:
            self.stream.stop()
        self._hub = self._peer.another_hub()
        self.stream = self._hub.open(remote, self._event)
        if log is not None:
            self.stream.log = log
        self.stream.start(self.plan.audio, repeat=self.plan.repeat)
        self._request("INVITE", body=self._sdp(), kind="application/sdp")

    def acknowledge(self, response: str) -> None:
        """ACK the answer to a re-INVITE of ours."""
        number = sipmsg.header(response, "cseq").split()[0]
        self._send_in_dialog("ACK", int(number))

    def end(self) -> None:
        """The call is over."""
        if self.ended_ns:
            return
        self.ended_ns = time.monotonic_ns()
        for timer in self._timers:
            timer.cancel()
        if self.stream is not None:
            self.stream.stop()
        self.ended.set()

    def _answer(self) -> None:
        plan = self.plan
        if plan.status != 200:
            cause = f"Reason: Q.850;cause={plan.cause}\r\n" if plan.cause else ""
            self.respond(plan.status, extra=cause)
            self.end()
            return
        self.answered_ns = time.monotonic_ns()
        self.respond(200, with_sdp=True)
        self._start_media()
        if plan.hang_up_after_ms is not None:
            self._after(plan.hang_up_after_ms, self.hang_up)
        if plan.reinvite_after_ms is not None:
            self._after(plan.reinvite_after_ms, self.reinvite)
        if plan.press or plan.press_info:
            self._after(300, self._press)

    def _press(self) -> None:
        if self.plan.press and self.stream is not None:
            self.stream.press(self.plan.press)
        for digit in self.plan.press_info:
            self._request("INFO", body=f"Signal={digit}\r\nDuration=160\r\n", kind="application/dtmf-relay")

    def _start_media(self) -> None:
        if self.stream is None:
            self.stream = self._hub.open(self._remote_media(), self._event)
            self.stream.start(self.plan.audio, repeat=self.plan.repeat)

    def _remote_media(self) -> Address:
        body = sipmsg.head_and_body(self.invite)[1]
        host = re.search(r"^c=IN IP4 (\S+)", body, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", body, re.MULTILINE)
        if host is None or port is None:
            raise ValueError("an INVITE without audio in its SDP")
        return host.group(1), int(port.group(1))

    def _sdp(self) -> str:
        return (
            f"v=0\r\no=peer 1 {self._cseq} IN IP4 {self._peer.host}\r\ns=peer\r\n"
            f"c=IN IP4 {self._peer.host}\r\nt=0 0\r\nm=audio {self._hub.port} RTP/AVP 8 {self._event}\r\n"
            f"a=rtpmap:8 PCMA/8000\r\na=rtpmap:{self._event} telephone-event/8000\r\n"
            f"a=fmtp:{self._event} 0-15\r\na=sendrecv\r\n"
        )

    def _request(self, method: str, *, body: str = "", kind: str = "") -> None:
        self._cseq += 1
        self._send_in_dialog(method, self._cseq, body=body, kind=kind)

    def notify(self, status_line: str, state: str) -> None:
        """Tell how a REFER goes (RFC 3515)."""
        self._cseq += 1
        extra = f"Event: refer\r\nSubscription-State: {state}\r\n"
        self._send_in_dialog(
            "NOTIFY", self._cseq, body=status_line + "\r\n", kind="message/sipfrag", extra=extra
        )

    def _send_in_dialog(
        self, method: str, cseq: int, *, body: str = "", kind: str = "", extra: str = ""
    ) -> None:
        invite = self.invite
        target = re.search(r"<([^>]+)>", sipmsg.header(invite, "contact"))
        uri = target.group(1) if target else f"sip:{self._peer.remote_of(self)[0]}"
        content = f"Content-Type: {kind}\r\n" if kind else ""
        self._peer.send(
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self._peer.host}:{self._peer.port};branch=z9hG4bK{uuid.uuid4().hex};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {sipmsg.header(invite, 'to')};tag={self.tag}\r\n"
            f"To: {sipmsg.header(invite, 'from')}\r\nCall-ID: {sipmsg.header(invite, 'call-id')}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: <sip:peer@{self._peer.host}:{self._peer.port}>\r\n"
            f"{extra}{content}Content-Length: {len(body)}\r\n\r\n{body}",
            self._peer.remote_of(self),
        )

    def _after(self, ms: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(ms / 1000, action))


class SipPeer(asyncio.DatagramProtocol):
    """A SIP UAS on one UDP port of ``host``, for any number of calls.

    Args:
        plan: for calls to anybody.
        plans: for calls to a certain user part.
    """

    def __init__(
        self,
        plan: PeerPlan | None = None,
        plans: Mapping[str, PeerPlan] | None = None,
        *,
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        self.port = 0
        self.calls: list[PeerCall] = []
        self.refused_credentials = 0
        self._plan = plan or PeerPlan()
        self._plans = dict(plans or {})
        self._by_id: dict[str, PeerCall] = {}
        self._remotes: dict[str, Address] = {}
        self._nonces: dict[str, str] = {}
        self._hubs: list[RtpHub] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._came = asyncio.Event()
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Open the sockets; ``port`` is known then."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        self.port = int(self._transport.get_extra_info("sockname")[1])
        self._hubs.append(RtpHub(self.host))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the sockets; calls are left as they are."""
        for call in self.calls:
            call.end()
        for hub in self._hubs:
            hub.close()
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    @property
    def hub(self) -> RtpHub:
        """RTP of calls that have not moved."""
        return self._hubs[0]

    def another_hub(self) -> RtpHub:
        """RTP on a fresh port."""
        self._hubs.append(RtpHub(self.host))
        return self._hubs[-1]

    async def call(self, index: int = 0) -> PeerCall:
        """The call of this index, when its INVITE has come."""
        while len(self.calls) <= index:
            self._came.clear()
            await self._came.wait()
        return self.calls[index]

    def remote_of(self, call: PeerCall) -> Address:
        """Where a call's INVITE came from."""
        return self._remotes[sipmsg.header(call.invite, "call-id")]

    def send(self, message: str, remote: Address) -> None:
        """Send a message as it is."""
        if self._transport is not None:
            self._transport.sendto(message.encode(), remote)

    def respond(self, request: str, code: int, *, tag: str = "", extra: str = "", body: str = "") -> str:
        """Send a response to a request; gives its text."""
        vias = "".join(f"Via: {value}\r\n" for value in sipmsg.header_values(request, "via"))
        to = sipmsg.header(request, "to")
        if tag and ";tag=" not in to:
            to += f";tag={tag}"
        content = "Content-Type: application/sdp\r\n" if body else ""
        response = (
            f"SIP/2.0 {code} {_REASONS.get(code, 'Whatever')}\r\n{vias}"
            f"From: {sipmsg.header(request, 'from')}\r\nTo: {to}\r\n"
            f"Call-ID: {sipmsg.header(request, 'call-id')}\r\nCSeq: {sipmsg.header(request, 'cseq')}\r\n"
            f"Contact: <sip:peer@{self.host}:{self.port}>\r\n{extra}{content}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.send(response, self._remotes[sipmsg.header(request, "call-id")])
        return response

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's; the transport is kept by ``__aenter__``."""

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's; the socket is closed."""
        self._closed.set()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """A SIP message (or a keep-alive, which is ignored)."""
        text = data.decode(errors="replace")
        if not text.strip():
            return
        call_id = sipmsg.header(text, "call-id")
        self._remotes[call_id] = addr
        call = self._by_id.get(call_id)
        if text.startswith("SIP/2.0 "):
            if (
                call is not None
                and text.startswith("SIP/2.0 200")
                and "INVITE" in sipmsg.header(text, "cseq")
            ):
                call.acknowledge(text)
        elif sipmsg.is_request(text, "INVITE") and call is None:
            self._invited(text, call_id)
        elif call is None:
            if not sipmsg.is_request(text, "ACK"):
                self.respond(text, 481)
        else:
            self._in_dialog(text, call)

    def _invited(self, invite: str, call_id: str) -> None:
        user = sipmsg.uri_user(invite.partition("\r\n")[0])
        plan = self._plans.get(user, self._plan)
        if plan.challenge and not self._authorized(invite, plan, call_id):
            return
        call = PeerCall(self, invite, plan)
        self._by_id[call_id] = call
        self.calls.append(call)
        self._came.set()
        if not plan.silent:
            self.respond(invite, 100)
            call.begin()

    def _in_dialog(self, request: str, call: PeerCall) -> None:
        method = request.partition(" ")[0]
        if method == "INVITE" and sipmsg.header(request, "cseq") == sipmsg.header(call.invite, "cseq"):
            if call.last_response:  # a repetition
                self.send(call.last_response, self.remote_of(call))
            return
        call.requests.append(request)
        if method == "ACK" or call.plan.silent or (method == "BYE" and not call.plan.answer_bye):
            return
        if method == "CANCEL":
            self.respond(request, 200, tag=call.tag)
            if not call.answered_ns:
                call.respond(487)
                call.end()
        elif method == "BYE":
            self.respond(request, 200, tag=call.tag)
            call.end()
        elif method == "REFER":
            self.respond(request, 202, tag=call.tag)
            call.notify("SIP/2.0 100 Trying", "active;expires=60")
            call.notify("SIP/2.0 200 OK", "terminated;reason=noresource")
        else:
            self.respond(request, 200, tag=call.tag)

    def _authorized(self, invite: str, plan: PeerPlan, call_id: str) -> bool:
        name = "authorization" if plan.challenge == 401 else "proxy-authorization"
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', sipmsg.header(invite, name)))
        nonce = self._nonces.get(call_id)
        if nonce is not None and given.get("nonce") == nonce:
            if given.get("response") == digest_response(given, plan.username, plan.password, "INVITE"):
                return True
            self.refused_credentials += 1
        nonce = self._nonces[call_id] = uuid.uuid4().hex
        asks = "WWW-Authenticate" if plan.challenge == 401 else "Proxy-Authenticate"
        extra = f'{asks}: Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"\r\n'
        self.respond(invite, plan.challenge, tag="challenge", extra=extra)
        return False


def digest_response(given: Mapping[str, str], username: str, password: str, method: str) -> str:
    """The response that these credentials should give (RFC 2617 section 3.2.2, MD5, with or without qop)."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    secret = md5(f"{username}:{given.get('realm', '')}:{password}")
    asked = md5(f"{method}:{given.get('uri', '')}")
    nonce = given.get("nonce", "")
    if given.get("qop"):
        return md5(f"{secret}:{nonce}:{given.get('nc', '')}:{given.get('cnonce', '')}:{given['qop']}:{asked}")
    return md5(f"{secret}:{nonce}:{asked}")
