from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import TelephonyError
from dialer.telephony.destination import (
    Gateway,
    caller_user,
    check_trunk,
    dialled_user,
    invite_headers,
    is_sip_uri,
    parse_gateway,
    parse_uri,
    request_uri,
)
from dialer.telephony.trunk import Trunk

TRUNK = Trunk(name="t", gateways=("gw.example.com",))
NUMBER = "+12025550101"


@pytest.mark.parametrize(
    ("trunk", "user"),
    [
        (TRUNK, "+12025550101"),
        (replace(TRUNK, number_format="digits"), "12025550101"),
        (replace(TRUNK, number_format="digits", number_prefix="9011"), "901112025550101"),
    ],
)
def test_numbers_are_written_as_the_trunk_wants(trunk: Trunk, user: str) -> None:
    assert dialled_user(NUMBER, trunk) == user


def test_request_uris() -> None:
    assert (
        str(request_uri(NUMBER, TRUNK, Gateway("gw.example.com", 5080)))
        == f"sip:{NUMBER}@gw.example.com:5080"
    )
    tls = replace(TRUNK, transport="tls")
    uri = request_uri(NUMBER, tls, parse_gateway("gw.example.com", "tls"))
    assert str(uri) == f"sip:{NUMBER}@gw.example.com:5061;transport=tls"
    assert uri.at("192.0.2.1") == f"sip:{NUMBER}@192.0.2.1:5061;transport=tls"


@pytest.mark.parametrize(
    "number", ["", "+", "12a", "1 2", "+1202\r\nX: y", "1;x=1", "1@evil", "+" + "1" * 21, "１２"]
)
def test_numbers_that_could_say_more_than_a_number_are_refused(number: str) -> None:
    with pytest.raises(TelephonyError, match="no telephone number"):
        dialled_user(number, TRUNK)


@pytest.mark.parametrize(
    ("text", "host", "port", "transport"),
    [
        ("sip:100@127.0.0.1:5062", "127.0.0.1", 5062, "udp"),
        ("sip:example.com", "example.com", 5060, "udp"),
        ("sip:a@example.com;transport=tcp", "example.com", 5060, "tcp"),
        ("sips:a@example.com", "example.com", 5061, "tls"),
        ("SIP:a@[2001:db8::1]:5070", "[2001:db8::1]", 5070, "udp"),
    ],
)
def test_uris(text: str, host: str, port: int, transport: str) -> None:
    uri = parse_uri(text)
    assert is_sip_uri(text)
    assert (uri.host, uri.port, uri.transport) == (host, port, transport)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "sip:",
            "tel:+12025550101",
            "sip:a@b c",
            "sip:a@b?X=1",
            "sip:a:secret@b",
            "sip:a@b:0",
            "sip:a@b:70000",
        ),
        *("sip:a@b>\r\nX: y", "sip:a@b,sip:c@d", '"x" <sip:a@b>', "sip:a@-b"),
    ],
)
def test_uris_that_are_refused(text: str) -> None:
    with pytest.raises(TelephonyError):
        parse_uri(text)


@given(st.text())
def test_whatever_passes_as_a_uri_cannot_end_a_header(text: str) -> None:
    try:
        parse_uri("sip:" + text)
    except TelephonyError:
        return
    assert not set(text) & set('\r\n<>" ,?')


@pytest.mark.parametrize("text", ["", "a b", "gw:x", "gw:0", "gw:65536", "gw\r\n"])
def test_gateways_that_are_refused(text: str) -> None:
    with pytest.raises(TelephonyError, match="gateway"):
        parse_gateway(text, "udp")


def test_headers_begin_with_the_attempt() -> None:
    headers = invite_headers("a1", (("X-Tenant", "7"),), {"X-Campaign": "bill reminder"})
    assert headers == [("X-Attempt-Id", "a1"), ("X-Tenant", "7"), ("X-Campaign", "bill reminder")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "b\r\nVia: c"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
        ("Via", "x"),
        ("call-id", "x"),
        ("X-A", "b\x00"),
    ],
)
def test_headers_that_could_end_early_or_are_not_ours_are_refused(name: str, value: str) -> None:
    with pytest.raises(TelephonyError, match="header"):
        invite_headers("a1", (), {name: value})


def test_caller_ids() -> None:
    assert caller_user("+12025550100") == "+12025550100"
    with pytest.raises(TelephonyError, match="caller id"):
        caller_user("a b")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"gateways": ()}, "gateways"),
        ({"gateways": ("a b",)}, "gateway"),
        ({"transport": "sctp"}, "transport"),
        ({"number_format": "local"}, "number_format"),
        ({"number_prefix": "x"}, "number_prefix"),
        ({"codecs": ()}, "codecs"),
        ({"outbound_proxy": "proxy.example.com"}, "SIP URI"),
        ({"domain": "a b"}, "domain"),
        ({"identity": "a b"}, "caller id"),
        ({"headers": (("X-A", "b\n"),)}, "header"),
    ],
)
def test_a_trunk_that_cannot_work_names_itself_and_the_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(TelephonyError, match=f"trunk 't'.*{field}"):
        check_trunk(replace(TRUNK, **change))  # type: ignore[arg-type]
