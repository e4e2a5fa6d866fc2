"""Trunks as values: where calls go out, as whom, and how a number becomes a request URI."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Trunk:
    """One way out to the telephone network.

    Attributes:
        name: how campaigns name it.
        gateways: ``host`` or ``host:port``, one or several; calls go to the least busy one.
        transport: ``udp``, ``tcp`` or ``tls``.
        username, password, realm: digest credentials (RFC 3261 section 22); empty for none.
        outbound_proxy: a SIP URI put first in the route set; empty for none.
        domain: host part of From; empty for the card's own address.
        identity: user part of From where the call names no caller id.
        number_format: ``e164`` (``+12025550101``) or ``digits`` (``12025550101``).
        number_prefix: digits put in front (a tech prefix).
        channels: calls at once over this trunk; 0 for no cap of its own.
        gateway_channels: calls at once per gateway; 0 for no cap.
        codecs: in order of preference.
        headers: further headers of each INVITE.
    """

    name: str
    gateways: tuple[str, ...]
    transport: str = "udp"
    username: str = ""
    password: str = field(default="", repr=False)
    realm: str = "*"
    outbound_proxy: str = ""
    domain: str = ""
    identity: str = "dialer"
    number_format: str = "e164"
    number_prefix: str = ""
    channels: int = 0
    gateway_channels: int = 0
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CardSettings:
    """How line cards meet the network.

    Attributes:
        bind_address: local address of SIP and RTP; empty for all.
        sip_port: SIP port of the first card, each further card takes the next free one; 0 for any.
        rtp_port: first port of the RTP range, ``rtp_ports_per_card`` each.
        public_address: put into SDP and Contact where the host is behind a static NAT; empty for none.
        stun_servers: ``host:port``, asked at start; empty for none.
        rport: answer where requests came from and rewrite Contact and Via accordingly (RFC 3581).
        jitter_buffer_max_ms: cap of the receiving jitter buffer.
        tls_ca_file, tls_cert_file, tls_key_file: PEM files for TLS trunks.
        tls_verify: refuse servers whose certificate does not check out.
    """

    bind_address: str = ""
    sip_port: int = 5070
    rtp_port: int = 20_000
    rtp_ports_per_card: int = 40
    public_address: str = ""
    stun_servers: tuple[str, ...] = ()
    rport: bool = True
    jitter_buffer_max_ms: int = 120
    tls_ca_file: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    tls_verify: bool = True
