from __future__ import annotations

from dialer.simulator.sippeer import PeerPlan, SipPeer, digest_response
from dialer.telephony import sipmsg

# RFC 2617 section 3.5
MUFASA = {
    "realm": "testrealm@host.com",
    "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    "uri": "/dir/index.html",
    "qop": "auth",
    "nc": "00000001",
    "cnonce": "0a4f113b",
}


def test_digest_of_the_standard() -> None:
    assert digest_response(MUFASA, "Mufasa", "Circle Of Life", "GET") == "6629fae49393a05397450978507c4ef1"


def test_digest_without_qop() -> None:
    plain = {name: MUFASA[name] for name in ("realm", "nonce", "uri")}
    assert digest_response(plain, "Mufasa", "Circle Of Life", "GET") == "670fd8c2df070c60b045671b8b24ff02"


def invite(call_id: str, user: str) -> bytes:
    return (
        f"INVITE sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:a@127.0.0.1:9>\r\nContent-Type: application/sdp\r\n\r\n"
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    ).encode()


class Spoken(SipPeer):
    """A peer whose messages are kept instead of sent."""

    def __init__(self, **plans: PeerPlan) -> None:
        super().__init__(PeerPlan(), plans)
        self.said: list[str] = []

    def send(self, message: str, remote: tuple[str, int]) -> None:
        self.said.append(message)


def codes(peer: Spoken) -> list[str]:
    return [text.split()[1] for text in peer.said if text.startswith("SIP/2.0")]


async def test_a_repeated_invite_gets_the_same_response_again() -> None:
    async with Spoken(busy=PeerPlan(status=486, cause=17, ring=0)) as peer:
        for _ in range(2):
            peer.datagram_received(invite("1", "busy"), ("127.0.0.1", 9))
        assert codes(peer) == ["100", "486", "486"]
        assert sipmsg.q850_cause(peer.said[-1]) == 17
        assert len(peer.calls) == 1


async def test_a_silent_plan_says_nothing_at_all() -> None:
    async with Spoken(dead=PeerPlan(silent=True)) as peer:
        peer.datagram_received(invite("1", "dead"), ("127.0.0.1", 9))
        assert peer.said == []


async def test_a_cancelled_call_is_terminated() -> None:
    async with Spoken(rings=PeerPlan(answer_after_ms=60_000)) as peer:
        peer.datagram_received(invite("1", "rings"), ("127.0.0.1", 9))
        cancel = invite("1", "rings").replace(b"INVITE", b"CANCEL")
        peer.datagram_received(cancel, ("127.0.0.1", 9))
        assert codes(peer) == ["100", "180", "200", "487"]
        assert peer.calls[0].ended_ns


async def test_requests_of_unknown_calls_and_keep_alives() -> None:
    async with Spoken() as peer:
        peer.datagram_received(b"\r\n\r\n", ("127.0.0.1", 9))
        peer.datagram_received(invite("9", "x").replace(b"INVITE", b"BYE"), ("127.0.0.1", 9))
        assert codes(peer) == ["481"]
