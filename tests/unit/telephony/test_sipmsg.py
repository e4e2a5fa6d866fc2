from __future__ import annotations

import pytest

from dialer.telephony import sipmsg

INVITE = (
    "INVITE sip:+12025550101@127.0.0.1:5060;user=phone SIP/2.0\r\n"
    "v: SIP/2.0/UDP a;branch=1\r\n"
    "Via: SIP/2.0/UDP b;branch=2\r\n"
    'f: "Bank: of <All>" <sip:+12025550100@bank.example>;tag=1\r\n'
    "Call-ID: abc\r\n"
    "c: application/sdp\r\n\r\nv=0\r\n"
)


def test_headers_are_found_by_either_name_in_any_case() -> None:
    assert sipmsg.header_values(INVITE, "VIA") == ["SIP/2.0/UDP a;branch=1", "SIP/2.0/UDP b;branch=2"]
    assert sipmsg.header(INVITE, "call-id") == "abc"
    assert sipmsg.header(INVITE, "reason") == ""
    assert dict(sipmsg.header_lines(INVITE))["v"] == "SIP/2.0/UDP a;branch=1"


def test_users_of_uris() -> None:
    assert sipmsg.uri_user(INVITE.partition("\r\n")[0]) == "+12025550101"
    assert sipmsg.uri_user(sipmsg.header(INVITE, "from")) == "+12025550100"
    assert sipmsg.uri_user("OPTIONS sip:127.0.0.1 SIP/2.0") == ""


def test_bodies() -> None:
    assert sipmsg.has_sdp(INVITE)
    assert not sipmsg.has_sdp(INVITE.partition("v=0")[0])
    assert sipmsg.is_request(INVITE, "INVITE")
    assert not sipmsg.is_request("SIP/2.0 200 OK", "INVITE")


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Q.850;cause=17", 17),
        ('Q.850 ;text="x";cause=34', 34),
        ("SIP;cause=486, q.850;cause=1", 1),
        ("SIP;cause=486", None),
        ("Q.850;text=nothing", None),
    ],
)
def test_the_q850_cause_of_a_reason_header(reason: str, cause: int | None) -> None:
    assert sipmsg.q850_cause(f"SIP/2.0 480 No\r\nReason: {reason}\r\n\r\n") == cause
