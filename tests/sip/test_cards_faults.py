"""What goes wrong with line cards: crashes, dead far ends, busy ports, wrong input, strangers."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from dataclasses import replace
from typing import Self

import pytest

from dialer.call import new_id
from dialer.clock import SystemClock
from dialer.errors import TelephonyError
from dialer.simulator.sippeer import PeerPlan
from dialer.telephony import sipmsg
from dialer.telephony.base import DialRequest, LegAnswered
from dialer.telephony.cards import CardPool
from dialer.telephony.trunk import Trunk
from tests.sip.caller import Caller
from tests.sip.lines import ALAW_TONE, LOOPBACK, ended, event, lines, setting

pytestmark = pytest.mark.sip

STRANGE = """\
{method} sip:x@127.0.0.1:{port} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{ours};branch=z9hG4bK{number}
Max-Forwards: 70
From: <sip:s@127.0.0.1>;tag=1
To: <sip:x@127.0.0.1>
Call-ID: strange{number}
CSeq: 1 {method}
Contact: <sip:s@127.0.0.1:{ours}>
Content-Length: 0

"""

TALKS = PeerPlan(audio=ALAW_TONE, repeat=True)


async def test_a_killed_card_ends_its_calls_and_comes_back() -> None:
    async with setting(TALKS, count=8) as here:
        calls = [await here.dial() for _ in range(8)]
        for caller, _ in calls:
            await event(caller, LegAnswered)
        killed, other = here.pool.card_pids()
        os.kill(killed, signal.SIGKILL)
        await here.freed(4)  # the card is up again; the other one's calls go on
        ends = [caller.ended for caller, _ in calls if caller.ended is not None]
        assert len(ends) == 4
        assert {(end.sip_code, end.reason, end.by, end.answered) for end in ends} == {
            (0, "card crashed", "us", True)
        }
        assert other in here.pool.card_pids()
        assert killed not in here.pool.card_pids()
        assert here.pool.crashes == 1
        caller, leg = await here.dial()
        await event(caller, LegAnswered)
        leg.hang_up()
        await ended(caller)


async def test_a_card_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialer.telephony.cards.BEAT_S", 0.3)
    async with setting(TALKS) as here:
        caller, _ = await here.dial()
        await event(caller, LegAnswered)
        (hung,) = here.pool.card_pids()
        os.kill(hung, signal.SIGSTOP)
        end = await ended(caller)
        assert (end.sip_code, end.reason) == (0, "card hung")
        await here.freed(2)
        assert hung not in here.pool.card_pids()


async def test_the_card_server_may_die() -> None:
    async with setting(TALKS, count=2) as here:
        caller, leg = await here.dial()
        await event(caller, LegAnswered)
        os.kill(here.pool.server_pid(), signal.SIGKILL)
        leg.hang_up()  # calls go on without it
        assert (await ended(caller)).by == "us"
        (card,) = here.pool.card_pids()
        os.kill(card, signal.SIGKILL)
        while not here.pool.crashes:
            await here.pool.wait_for_change()
        await here.freed(2)  # by a new server
        caller, _ = await here.dial()
        await event(caller, LegAnswered)


async def test_a_bye_that_nobody_answers_keeps_its_slot_and_a_spare_card_stands_in() -> None:
    async with setting(replace(TALKS, answer_bye=False), count=2, spare_cards=1) as here:
        per_card = here.pool.calls_per_card
        for _ in range(per_card):
            caller, leg = await here.dial()
            await event(caller, LegAnswered)
            leg.hang_up()
            assert (await ended(caller)).by == "us"  # reported at once
        assert here.pool.free_lines == 2
        caller, _ = await here.dial()
        await event(caller, LegAnswered)


class Stranger:
    """Sends INVITEs nobody asked for."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.setblocking(False)
        self._sock.connect(("127.0.0.1", port))
        self._port = port

    def send(self, method: str, number: int) -> None:
        """A request of the call of this number."""
        text = STRANGE.format(method=method, port=self._port, ours=self._sock.getsockname()[1], number=number)
        self._sock.send(text.replace("\n", "\r\n").encode())

    async def answer(self) -> tuple[int, str]:
        """The next final status, and the Call-ID."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while True:
                text = (await loop.sock_recv(self._sock, 4096)).decode()
                code = int(text.split()[1])
                if code >= 200:
                    return code, sipmsg.header(text, "call-id")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()


async def test_strangers_are_refused() -> None:
    async with lines() as pool:
        with Stranger(pool.ports()[0]) as stranger:
            for number in range(pool.calls_per_card + 1):  # never acknowledged
                stranger.send("INVITE", number)
                assert await stranger.answer() == (603, f"strange{number}")
        assert await usable(pool, 2)


async def usable(pool: CardPool, count: int) -> bool:
    """Wait until exactly so many lines can be used."""
    while pool.free_lines != count:
        await pool.wait_for_change()
    return True


async def test_a_flood_of_strangers_does_not_bring_a_card_down() -> None:
    """Each INVITE takes two sockets; pjlib aborts when its table of them is full."""
    async with setting(TALKS) as here:
        with Stranger(here.pool.ports()[0]) as stranger:
            for number in range(120):
                stranger.send("INVITE", number)
                code, _ = await stranger.answer()
                assert code in (486, 603)
                stranger.send("ACK", number)
        assert await usable(here.pool, 2)
        caller, _ = await here.dial()
        await event(caller, LegAnswered)
        assert here.pool.crashes == 0


async def test_calls_that_are_refused_at_once_do_not_bring_a_card_down() -> None:
    async with setting(PeerPlan(ring=0, status=503), count=4) as here:
        for _ in range(80):
            await here.freed(1)
            caller, _ = await here.dial()
            assert (await ended(caller)).sip_code == 503
        assert here.pool.crashes == 0


async def test_a_busy_port_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        pool = CardPool(replace(LOOPBACK, sip_port=port), {}, 2, clock=SystemClock())
        with pytest.raises(TelephonyError, match=rf"127.0.0.1, port {port}: .*another sip_port"):
            await pool.start()
        assert pool.card_pids() == []


async def test_further_cards_take_the_next_free_ports() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with lines(count=8, settings=replace(LOOPBACK, sip_port=port)) as pool:
        first, second = pool.ports()
        assert first == port
        assert second > port


async def test_rtp_comes_from_the_range_of_the_card() -> None:
    async with setting(TALKS) as here, lines(settings=replace(LOOPBACK, rtp_port=23_000)) as pool:
        caller = Caller()
        uri = f"sip:a@127.0.0.1:{here.peer.port}"
        await pool.place(DialRequest(new_id(), new_id(), uri), caller)
        call = await here.peer.call()
        await event(caller, LegAnswered)
        found = re.search(r"m=audio (\d+)", call.invite)
        assert found is not None
        assert 23_000 <= int(found.group(1)) < 23_040


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (DialRequest("c", "a", "+12025550101", "nowhere"), "no trunk 'nowhere'. Known trunks: t"),
        (DialRequest("c", "a", "+12025550101"), "no trunk was named"),
        (DialRequest("c", "a", "+1202x", "t"), "no telephone number"),
        (DialRequest("c", "a", "sip:a b@127.0.0.1"), "no SIP URI"),
        (DialRequest("c", "a", "sip:a@127.0.0.1;transport=tcp"), "wants tcp"),
        (DialRequest("c", "a", "sip:a@name.invalid"), "cannot be resolved"),
        (DialRequest("c", "a", "sip:a@127.0.0.1", headers={"X": "a\r\nb"}), "cannot be sent"),
    ],
)
async def test_requests_that_cannot_be_placed(request_: DialRequest, problem: str) -> None:
    async with lines(Trunk("t", ("127.0.0.1:5999",))) as pool:
        with pytest.raises(TelephonyError, match=problem):
            await pool.place(request_, Caller())
        assert pool.free_lines == 2


async def test_a_trunk_whose_codecs_are_not_built_in_fails_its_calls() -> None:
    async with lines(Trunk("t", ("127.0.0.1:5999",), codecs=("OPUS",))) as pool:
        caller = Caller()
        await pool.place(DialRequest("c", "a", "+12025550101", "t"), caller)
        end = await ended(caller)
        assert (end.sip_code, end.by) == (0, "us")
        assert "none of the codecs OPUS is built in" in end.reason


async def test_closing_ends_calls_and_processes() -> None:
    async with setting(TALKS) as here:
        caller, _ = await here.dial()
        await event(caller, LegAnswered)
        pids = [*here.pool.card_pids(), here.pool.server_pid()]
        await here.pool.close()
        end = await ended(caller)
        assert (end.by, end.answered) == ("us", True)
        await here.peer.calls[0].ended.wait()
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
