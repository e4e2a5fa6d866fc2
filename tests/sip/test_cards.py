"""Calls of line cards to a callee of plain sockets, over SIP and RTP on loopback."""

from __future__ import annotations

import asyncio

import pytest

from dialer.call import Disposition, new_id
from dialer.clock import ms_between
from dialer.errors import TelephonyError
from dialer.simulator.sippeer import PeerPlan, SipPeer
from dialer.telephony import sipmsg
from dialer.telephony.base import (
    DialRequest,
    LegAnswered,
    LegDialled,
    LegDtmf,
    LegFlushed,
    LegRinging,
    LegStats,
    LegTransfer,
    LegVoiced,
)
from dialer.telephony.causes import NO_RESPONSE, RING_TIMEOUT, disposition_of
from dialer.telephony.trunk import Trunk
from tests.sip.caller import Caller
from tests.sip.lines import ALAW_TONE, TONE, ended, event, lines, setting

pytestmark = pytest.mark.sip

TALKS = PeerPlan(audio=ALAW_TONE, repeat=True)


async def test_a_call_is_answered_heard_and_hung_up() -> None:
    async with setting(TALKS) as here:
        caller, leg = await here.dial()
        leg.play(TONE, 7)  # before the answer: it waits in the card
        answered = await event(caller, LegAnswered)
        voiced = await event(caller, LegVoiced)
        assert (answered.codec, voiced.utterance) == ("PCMA", 7)
        assert ms_between(answered.t_ns, voiced.t_ns) <= 60
        await caller.until(lambda: caller.voiced >= 20)
        call = here.peer.calls[0]
        assert call.stream is not None
        assert call.stream.log.first_voiced_ns() >= call.answered_ns
        leg.hang_up()
        end = await ended(caller)
        assert (end.sip_code, end.by, end.answered) == (200, "us", True)
        assert disposition_of(end) is Disposition.CANCELLED
        await call.ended.wait()
        statistics = await event(caller, LegStats)
        assert statistics.rx_lost == 0
        await here.freed(2)


async def test_what_the_callee_sees_of_the_invite() -> None:
    async with SipPeer() as peer:
        trunk = Trunk(
            name="t",
            gateways=(f"localhost:{peer.port}",),
            number_format="digits",
            domain="bank.example",
            headers=(("X-Tenant", "7"),),
            codecs=("PCMU",),
        )
        async with lines(trunk) as pool:
            caller, attempt = Caller(), new_id()
            request = DialRequest(
                new_id(), attempt, "+12025550101", "t", "+12025550100", headers={"X-Campaign": "bills"}
            )
            leg = await pool.place(request, caller)
            call = await peer.call()
            dialled = await event(caller, LegDialled)
            leg.hang_up()
            await ended(caller)
    first = call.invite.partition("\r\n")[0]
    assert first == f"INVITE sip:12025550101@127.0.0.1:{peer.port} SIP/2.0"
    assert "sip:12025550101@localhost" in sipmsg.header(call.invite, "to")  # the name, not the address
    assert "<sip:+12025550100@bank.example>" in sipmsg.header(call.invite, "from")
    assert sipmsg.header(call.invite, "x-attempt-id") == attempt
    assert sipmsg.header(call.invite, "x-campaign") == "bills"
    assert sipmsg.header(call.invite, "x-tenant") == "7"
    assert dialled.sip_call_id == call.call_id == attempt
    assert "PCMU/8000" in call.invite
    assert "PCMA/8000" not in call.invite


@pytest.mark.parametrize(
    ("status", "cause", "disposition", "by"),
    [
        (486, 17, Disposition.BUSY, "callee"),
        (603, 0, Disposition.REJECTED, "callee"),
        (404, 1, Disposition.INVALID_NUMBER, "network"),
        (480, 0, Disposition.NO_ANSWER, "network"),
        (503, 34, Disposition.CONGESTION, "network"),
    ],
)
async def test_refusals(status: int, cause: int, disposition: Disposition, by: str) -> None:
    async with setting(PeerPlan(status=status, cause=cause)) as here:
        caller, _ = await here.dial()
        end = await ended(caller)
        assert (end.sip_code, end.q850, end.by, end.answered) == (status, cause or None, by, False)
        assert disposition_of(end) is disposition
        await here.freed(2)


async def test_ringing_out_and_a_dead_trunk() -> None:
    async with setting(rings=PeerPlan(answer_after_ms=60_000), dead=PeerPlan(silent=True)) as here:
        (rings, _), (dead, _) = [await here.dial(user, ring_timeout_ms=300) for user in ("rings", "dead")]
        end = await ended(rings)
        assert (end.sip_code, end.reason, end.by) == (487, RING_TIMEOUT, "us")
        assert disposition_of(end) is Disposition.NO_ANSWER
        assert rings.has(LegRinging)
        end = await ended(dead)
        assert (end.sip_code, end.reason, end.by) == (408, NO_RESPONSE, "network")
        assert disposition_of(end) is Disposition.FAILED
        rung = next(call for call in here.peer.calls if call.user == "rings")
        await rung.ended.wait()
        assert sipmsg.is_request(rung.requests[0], "CANCEL")


async def test_the_callee_hangs_up() -> None:
    async with setting(PeerPlan(hang_up_after_ms=300)) as here:
        caller, _ = await here.dial()
        end = await ended(caller)
        assert (end.sip_code, end.by, end.answered) == (200, "callee", True)
        assert disposition_of(end) is Disposition.HUNG_UP


@pytest.mark.parametrize("challenge", [401, 407])
async def test_digest_credentials(challenge: int) -> None:
    plan = PeerPlan(challenge=challenge, username="bank", password="correct", hang_up_after_ms=100)
    async with SipPeer(plan) as peer:
        gateway = (f"127.0.0.1:{peer.port}",)
        right = Trunk(name="right", gateways=gateway, username="bank", password="correct")
        wrong = Trunk(name="wrong", gateways=gateway, username="bank", password="guessed")
        async with lines(right, wrong) as pool:
            ends = {}
            for name in ("right", "wrong"):
                caller = Caller()
                await pool.place(DialRequest(new_id(), new_id(), "+12025550101", name), caller)
                ends[name] = await ended(caller)
    assert ends["right"].answered
    assert (ends["wrong"].sip_code, ends["wrong"].answered) == (challenge, False)
    assert peer.refused_credentials >= 1


async def test_calls_go_by_the_outbound_proxy() -> None:
    async with SipPeer(PeerPlan(hang_up_after_ms=100)) as peer:
        trunk = Trunk(name="t", gateways=("carrier.example",), outbound_proxy=f"sip:localhost:{peer.port};lr")
        async with lines(trunk) as pool:
            caller = Caller()
            await pool.place(DialRequest(new_id(), new_id(), "+12025550101", "t"), caller)
            assert (await ended(caller)).answered
    assert peer.calls[0].invite.startswith("INVITE sip:+12025550101@carrier.example:5060 SIP/2.0\r\n")


async def test_early_media_is_heard_but_ours_waits_for_the_answer() -> None:
    async with setting(
        PeerPlan(ring=183, audio=ALAW_TONE, answer_after_ms=600, hang_up_after_ms=400)
    ) as here:
        caller, leg = await here.dial()
        leg.play(TONE, 3)
        ringing = await event(caller, LegRinging)
        assert (ringing.sip_code, ringing.early_media) == (183, True)
        await caller.until(lambda: caller.voiced >= 5)
        assert not caller.has(LegAnswered)
        assert not caller.has(LegVoiced)
        await ended(caller)
        call = here.peer.calls[0]
        assert call.stream is not None
        assert call.stream.log.first_voiced_ns() >= call.answered_ns


async def test_a_flush_silences_us_at_once_and_old_audio_stays_away() -> None:
    async with setting(TALKS) as here:
        caller, leg = await here.dial()
        leg.play(TONE * 6, 1)
        await event(caller, LegVoiced)
        await caller.until(lambda: caller.voiced >= 20)
        leg.flush()
        flushed = await event(caller, LegFlushed)
        assert (flushed.epoch, flushed.utterance) == (1, 1)
        assert 5 <= flushed.frames_played <= 100
        heard = len(caller.heard)
        await caller.until(lambda: len(caller.heard) >= heard + 20 * 320)
        call = here.peer.calls[0]
        assert call.stream is not None
        assert ms_between(flushed.t_ns, call.stream.log.last_voiced_ns()) <= 20
        leg.play(TONE, 2)
        await event(caller, LegVoiced, lambda voiced: voiced.utterance == 2)
        leg.flush()
        flushed = await event(caller, LegFlushed, lambda again: again.epoch == 2)
        assert flushed.utterance == 2


async def test_long_audio_is_played_whole_and_its_end_is_reported() -> None:
    async with setting(TALKS) as here:
        caller = Ends()
        uri = f"sip:anyone@127.0.0.1:{here.peer.port}"
        leg = await here.pool.place(DialRequest(new_id(), new_id(), uri), caller)
        end = leg.play(TONE * 4, 1)  # 200 frames: more than the card's ring holds
        assert end == 200
        await caller.until(lambda: caller.played >= end, 10)
        leg.hang_up()
        await ended(caller)
        stream = here.peer.calls[0].stream
        assert stream is not None
        assert 198 <= sum(stream.log.voiced) <= 201
        last = [seen for seen in caller.events if isinstance(seen, LegStats)][-1]
        assert (last.underruns, last.frames_dropped) == (0, 0)


class Ends(Caller):
    """Keeps how much of ours was played."""

    played = 0

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        self.played = played
        super().on_frame(pcm, seq, t_ns, played)


async def test_digits_both_ways() -> None:
    async with setting(PeerPlan(press="17", press_info="#")) as here:
        caller, leg = await here.dial()
        await event(caller, LegAnswered)
        leg.send_dtmf("5*")
        await event(caller, LegDtmf, lambda digit: digit.digit == "7")
        digits = {(seen.digit, seen.method) for seen in caller.events if isinstance(seen, LegDtmf)}
        assert digits == {("1", "rfc4733"), ("7", "rfc4733"), ("#", "info")}
        call = here.peer.calls[0]
        assert call.stream is not None
        log = call.stream.log
        await caller.until(lambda: log.digits == ["5", "*"])


async def test_a_re_invite_moves_the_call_and_it_lives_both_ways() -> None:
    async with setting(PeerPlan(audio=ALAW_TONE, repeat=True, reinvite_after_ms=300)) as here:
        caller, leg = await here.dial()
        leg.play(TONE * 3, 1)
        await event(caller, LegAnswered)
        call = here.peer.calls[0]
        before = call.stream
        await caller.until(lambda: call.stream is not before)
        moved = call.stream
        assert moved is not None
        log, had, voiced = moved.log, sum(moved.log.voiced), caller.voiced
        await caller.until(lambda: caller.voiced >= voiced + 25 and sum(log.voiced) >= had + 25)
        leg.hang_up()
        await ended(caller)
        last = [seen for seen in caller.events if isinstance(seen, LegStats)][-1]
        assert last.tx_packets >= len(log.seq) - 2  # counted over both streams


async def test_a_transfer_reports_its_progress() -> None:
    async with setting(TALKS) as here:
        caller, leg = await here.dial()
        await event(caller, LegAnswered)
        leg.transfer("sip:person@127.0.0.1:5099")
        done = await event(caller, LegTransfer, lambda seen: seen.done)
        assert done.sip_code == 200
        refer = next(text for text in here.peer.calls[0].requests if sipmsg.is_request(text, "REFER"))
        assert sipmsg.header(refer, "refer-to") == "sip:person@127.0.0.1:5099"


async def test_more_calls_than_lines_and_all_of_them_again() -> None:
    async with setting(PeerPlan(hang_up_after_ms=200), count=6) as here:
        for _ in range(3):
            calls = [await here.dial() for _ in range(6)]
            with pytest.raises(TelephonyError, match="no line is free"):
                await here.dial()
            ends = await asyncio.gather(*(ended(caller) for caller, _ in calls))
            assert all(end.answered for end in ends)
            await here.freed(6)
        assert len(here.peer.calls) == 18
