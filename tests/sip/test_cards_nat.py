"""What a far end sees of lines behind a NAT."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest

from dialer.call import new_id
from dialer.errors import TelephonyError
from dialer.simulator.sippeer import PeerPlan, SipPeer
from dialer.telephony import sipmsg
from dialer.telephony.base import DialRequest
from dialer.telephony.trunk import CardSettings
from tests.sip.caller import Caller
from tests.sip.lines import LOOPBACK, ended, lines

pytestmark = pytest.mark.sip

PUBLIC = "203.0.113.7"
ANYWHERE = CardSettings(sip_port=0, rtp_port=0)


class StunServer(asyncio.DatagramProtocol):
    """Answers every binding request with ``PUBLIC`` (RFC 5389 section 15.2)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        mask = bytes.fromhex("2112a442")  # the magic cookie
        address = bytes(a ^ b for a, b in zip(socket.inet_aton(PUBLIC), mask, strict=True))
        mapped = struct.pack("!HHBBH", 0x20, 8, 0, 1, addr[1] ^ 0x2112) + address
        self.transport.sendto(struct.pack("!HH", 0x101, len(mapped)) + data[4:20] + mapped, addr)


@asynccontextmanager
async def stun_server() -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(StunServer, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await server.closed.wait()


async def invite_with(settings: CardSettings) -> str:
    """The INVITE that a callee gets."""
    async with SipPeer(PeerPlan(status=486)) as peer, lines(settings=settings) as pool:
        caller = Caller()
        await pool.place(DialRequest(new_id(), new_id(), f"sip:x@127.0.0.1:{peer.port}"), caller)
        await ended(caller)
        return peer.calls[0].invite


def shown(invite: str) -> tuple[str, ...]:
    """The hosts of Via, Contact and SDP."""
    via = re.search(r"UDP ([\d.]+)", sipmsg.header(invite, "via"))
    contact = re.search(r"@([\d.]+)", sipmsg.header(invite, "contact"))
    media = re.search(r"c=IN IP4 (\S+)", invite)
    return tuple(found.group(1) if found else "" for found in (via, contact, media))


async def test_a_public_address() -> None:
    assert shown(await invite_with(replace(ANYWHERE, public_address=PUBLIC))) == (PUBLIC,) * 3
    assert shown(await invite_with(LOOPBACK)) == ("127.0.0.1",) * 3


async def test_a_stun_server_tells_the_public_address() -> None:
    async with stun_server() as port:
        assert (
            shown(await invite_with(replace(ANYWHERE, stun_servers=(f"localhost:{port}",)))) == (PUBLIC,) * 3
        )


async def test_requests_ask_for_rport() -> None:
    assert ";rport" in sipmsg.header(await invite_with(LOOPBACK), "via")  # RFC 3581


@pytest.mark.parametrize("field", ["tls_ca_file", "tls_cert_file", "tls_key_file"])
async def test_a_missing_tls_file_is_named(field: str) -> None:
    with pytest.raises(TelephonyError, match=f"{field} '/nowhere/x.pem' is no file"):
        await invite_with(replace(LOOPBACK, **{field: "/nowhere/x.pem"}))  # type: ignore[arg-type]
