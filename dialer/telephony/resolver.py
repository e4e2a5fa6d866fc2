"""Host names into addresses, in the dialer: a look-up inside a card would stop its SIP thread."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from dialer.clock import NS_PER_S, Clock
from dialer.errors import TelephonyError

KEEP_S = 30
NAMES_MAX = 256


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address (IPv6 with or without brackets)."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class Resolver:
    """``getaddrinfo`` with a short memory. IPv4, as the cards' transports are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[int, str]] = {}

    async def address(self, host: str) -> str:
        """The IP address of a host.

        Raises:
            TelephonyError: the name is not known.
        """
        if is_address(host):
            return host
        now_ns = self._clock.now_ns()
        until_ns, address = self._known.get(host, (0, ""))
        if now_ns < until_ns:
            return address
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM
            )
        except OSError as error:
            raise TelephonyError(
                f"host {host!r} cannot be resolved ({error.strerror}). Check the name and the name server."
            ) from error
        address = str(found[0][4][0])
        if len(self._known) >= NAMES_MAX:
            self._known.clear()
        self._known[host] = (now_ns + KEEP_S * NS_PER_S, address)
        return address
