from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dialer.g711 import ALAW_SILENCE, alaw_encode
from dialer.simulator.rtppeer import FRAME_OCTETS, RtpHub, RtpStream

LOUD = alaw_encode(b"\x10\x27" * FRAME_OCTETS)
QUIET = bytes([ALAW_SILENCE]) * FRAME_OCTETS


@pytest.fixture
async def hubs() -> AsyncIterator[tuple[RtpHub, RtpHub]]:
    first, second = RtpHub(), RtpHub()
    yield first, second
    first.close()
    second.close()


async def after(stream: RtpStream, method: str, packets: int) -> None:
    """Wait until a stream has sent (``_send_one``) or taken (``take``) so many packets."""
    done = asyncio.Event()
    plain = getattr(stream, method)
    left = packets

    def counted(*arguments: Any) -> None:
        nonlocal left
        plain(*arguments)
        left -= 1
        if left == 0:
            done.set()

    setattr(stream, method, counted)
    async with asyncio.timeout(5):
        await done.wait()


async def test_what_one_sends_the_other_logs(hubs: tuple[RtpHub, RtpHub]) -> None:
    here, there = hubs
    sender, receiver = here.open(("127.0.0.1", there.port)), there.open(("127.0.0.1", here.port))
    sender.start(QUIET + LOUD)
    await after(receiver, "take", 3)
    log = receiver.log
    assert list(log.voiced[:3]) == [0, 1, 0]
    assert [(seq - log.seq[0]) % 65_536 for seq in log.seq] == list(range(len(log.seq)))
    assert log.first_voiced_ns() == log.last_voiced_ns() == log.arrival_ns[1]
    assert log.first_voiced_ns(log.arrival_ns[2]) == 0
    assert sender.log.sent_ns[0] <= log.arrival_ns[0] + 1_000_000  # one clock, two ways of reading it
    assert list(sender.log.sent_voiced[:3]) == [0, 1, 0]


async def test_digits_are_logged_once_each(hubs: tuple[RtpHub, RtpHub]) -> None:
    here, there = hubs
    sender, receiver = here.open(("127.0.0.1", there.port), 97), there.open(("127.0.0.1", here.port), 97)
    sender.press("1#")
    sender.start()
    await after(receiver, "take", 24)
    assert receiver.log.digits == ["1", "#"]
    assert not any(receiver.log.voiced)


async def test_packets_of_strangers_and_of_ended_calls_are_ignored(hubs: tuple[RtpHub, RtpHub]) -> None:
    here, there = hubs
    sender, other = here.open(("127.0.0.1", there.port)), there.open(("127.0.0.1", 9))
    ended = there.open(("127.0.0.1", here.port))
    ended.stop()
    sender.start(LOUD, repeat=True)
    await after(sender, "_send_one", 3)
    assert len(other.log.seq) == len(ended.log.seq) == 0
