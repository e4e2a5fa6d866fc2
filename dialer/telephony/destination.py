"""How a destination becomes request URIs and headers: pure functions, and the guard against injection.

What reaches SIP headers here came out of CSV files and other people's hands, so nothing passes that
could end a header or a URI early.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dialer.errors import TelephonyError
from dialer.telephony.trunk import Trunk

_NUMBER = re.compile(r"\+?[0-9]{1,20}")
_USER = re.compile(r"[A-Za-z0-9+\-_.!~*'()&=$,%]{1,64}")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?")
_URI = re.compile(
    rf"(?P<scheme>sips?):(?:(?P<user>{_USER.pattern})@)?(?P<host>{_HOST.pattern})(?::(?P<port>\d{{1,5}}))?"
    r"(?P<params>(?:;[A-Za-z0-9\-_.!~*'()%]+(?:=[A-Za-z0-9\-_.!~*'()%+]+)?)*)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]{1,64}")  # RFC 3261 section 25.1
_VALUE = re.compile(r"[^\x00-\x1f\x7f]{0,512}")
_OURS = frozenset(
    (
        *("via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route", "record-route"),
        *("content-length", "content-type"),
    )
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a trunk's requests go: a host name or address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SipUri:
    """The parts of a SIP URI that routing looks at; ``params`` keeps its leading semicolon."""

    user: str
    host: str
    port: int
    params: str
    transport: str

    def at(self, host: str) -> str:
        """The URI with another host, its port always written."""
        user = f"{self.user}@" if self.user else ""
        return f"sip:{user}{bracketed(host)}:{self.port}{self.params}"

    def __str__(self) -> str:
        return self.at(self.host)


def bracketed(host: str) -> str:
    """An IPv6 address in brackets, anything else as it is."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def default_port(transport: str) -> int:
    """RFC 3261 section 19.1.2."""
    return 5061 if transport == "tls" else 5060


def is_sip_uri(destination: str) -> bool:
    """Whether a destination is a URI rather than a number."""
    return destination.lower().startswith(("sip:", "sips:"))


def parse_uri(text: str) -> SipUri:
    """Take a SIP URI apart.

    Raises:
        TelephonyError: it is none, or has parts that are not allowed (headers, a password).
    """
    found = _URI.fullmatch(text)
    if found is None:
        raise TelephonyError(f"{text!r} is no SIP URI that can be called. Write it as sip:user@host:port.")
    params = found["params"]
    named = dict(part.lower().partition("=")[::2] for part in params.split(";")[1:])
    transport = "tls" if found["scheme"].lower() == "sips" else named.get("transport", "udp")
    port = int(found["port"]) if found["port"] else default_port(transport)
    if not 0 < port < 65_536:
        raise TelephonyError(f"{text!r} names port {port}. Ports go from 1 to 65535.")
    return SipUri(found["user"] or "", found["host"], port, params, transport)


def parse_gateway(text: str, transport: str) -> Gateway:
    """``host`` or ``host:port`` of a trunk's ``gateways``.

    Raises:
        TelephonyError: it is neither.
    """
    found = re.fullmatch(rf"({_HOST.pattern})(?::(\d{{1,5}}))?", text)
    port = int(found[2]) if found and found[2] else default_port(transport)
    if found is None or not 0 < port < 65_536:
        raise TelephonyError(f"gateway {text!r} is no host or host:port. Write it as sip.example.com:5060.")
    return Gateway(found[1], port)


def dialled_user(number: str, trunk: Trunk) -> str:
    """The user part of the request URI for a number over a trunk.

    Raises:
        TelephonyError: the number has characters that do not belong in one.
    """
    if _NUMBER.fullmatch(number) is None:
        raise TelephonyError(
            f"{number!r} is no telephone number. Write a plus sign and digits only, such as +12025550101."
        )
    return trunk.number_prefix + (number.removeprefix("+") if trunk.number_format == "digits" else number)


def request_uri(number: str, trunk: Trunk, gateway: Gateway) -> SipUri:
    """The request URI of a call to a number through one gateway of a trunk."""
    params = "" if trunk.transport == "udp" else f";transport={trunk.transport}"
    return SipUri(dialled_user(number, trunk), gateway.host, gateway.port, params, trunk.transport)


def caller_user(caller_id: str) -> str:
    """The user part of From for a call's caller id (a number or a plain name).

    Raises:
        TelephonyError: it has characters that do not belong in a URI.
    """
    if caller_id and _USER.fullmatch(caller_id) is None:
        raise TelephonyError(
            f"caller id {caller_id!r} cannot be sent. Write it as a number such as +12025550100."
        )
    return caller_id


def invite_headers(
    attempt_id: str, trunk_headers: Iterable[tuple[str, str]], headers: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The further headers of an INVITE, ``X-Attempt-Id`` first.

    Raises:
        TelephonyError: a header could end early, or is one that belongs to the SIP stack.
    """
    wanted = [("X-Attempt-Id", attempt_id), *trunk_headers, *headers.items()]
    for name, value in wanted:
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise TelephonyError(
                f"header {name!r}: {value!r} cannot be sent. Use a plain name and one line of text."
            )
        if name.lower() in _OURS:
            raise TelephonyError(
                f"header {name} is written by the SIP stack. Remove it from the trunk or request."
            )
    return wanted


def check_trunk(trunk: Trunk) -> None:
    """Refuse a trunk that cannot work, before the first call.

    Raises:
        TelephonyError: names the trunk, the field and the mend.
    """
    where = f"trunk {trunk.name!r}"
    if not trunk.gateways:
        raise TelephonyError(f"{where} has no gateways. Name at least one host.")
    if trunk.transport not in ("udp", "tcp", "tls"):
        raise TelephonyError(f"{where} has transport {trunk.transport!r}. Use udp, tcp or tls.")
    if trunk.number_format not in ("e164", "digits"):
        raise TelephonyError(f"{where} has number_format {trunk.number_format!r}. Use e164 or digits.")
    if trunk.number_prefix and _NUMBER.fullmatch(trunk.number_prefix) is None:
        raise TelephonyError(f"{where} has number_prefix {trunk.number_prefix!r}. Use digits only.")
    if not trunk.codecs:
        raise TelephonyError(f"{where} has no codecs. Name at least one, such as PCMA.")
    try:
        for gateway in trunk.gateways:
            parse_gateway(gateway, trunk.transport)
        if trunk.outbound_proxy:
            parse_uri(trunk.outbound_proxy)
        if trunk.domain and re.fullmatch(_HOST.pattern, trunk.domain) is None:
            raise TelephonyError(f"domain {trunk.domain!r} is no host name. Write it as sip.example.com.")
        caller_user(trunk.identity)
        invite_headers("", trunk.headers, {})
    except TelephonyError as error:
        raise TelephonyError(f"{where}: {error}") from error
