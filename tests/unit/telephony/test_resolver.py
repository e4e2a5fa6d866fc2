from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from dialer.clock import ManualClock
from dialer.errors import TelephonyError
from dialer.telephony.resolver import Resolver, is_address


class Names:
    """Stands for ``getaddrinfo``."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.asked: list[str] = []

    async def getaddrinfo(self, host: str, port: None, **_: Any) -> list[Any]:
        self.asked.append(host)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (self.known[host], 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names(gw="192.0.2.7")

    class Loop:
        getaddrinfo = staticmethod(names.getaddrinfo)

    monkeypatch.setattr(asyncio, "get_running_loop", Loop)
    return names


async def test_names_are_remembered_for_a_while(names: Names) -> None:
    clock = ManualClock()
    resolver = Resolver(clock)
    assert await resolver.address("gw") == "192.0.2.7"
    assert await resolver.address("gw") == "192.0.2.7"
    assert names.asked == ["gw"]
    clock.advance(31_000)
    await resolver.address("gw")
    assert names.asked == ["gw", "gw"]


async def test_addresses_are_not_looked_up(names: Names) -> None:
    assert await Resolver(ManualClock()).address("192.0.2.9") == "192.0.2.9"
    assert names.asked == []


async def test_an_unknown_name_is_named(names: Names) -> None:
    with pytest.raises(TelephonyError, match="'nowhere' cannot be resolved"):
        await Resolver(ManualClock()).address("nowhere")


def test_addresses() -> None:
    assert is_address("127.0.0.1")
    assert is_address("[::1]")
    assert not is_address("localhost")
