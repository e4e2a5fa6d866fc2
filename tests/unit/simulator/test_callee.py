"""One call at the callee's end, with a leg on paper and a manual clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dialer.audio import SILENT_FRAME
from dialer.clock import NS_PER_MS, ManualClock
from dialer.simulator.callee import NOISE_AHEAD, CalleeCall
from dialer.simulator.voices import clip
from dialer.telephony.base import LegAnswered, LegDtmf, LegEnded, LegStats, LegVoiced
from tests.unit.simulator.fakes import FakeReport, invite, persona

LOUD_FRAME = b"\x00\x20" * 160
CLIPS = {
    "opening": clip(LOUD_FRAME * 10, "Hello?"),
    "says.0": clip(LOUD_FRAME * 20, "Yes, speaking."),
}


class Bench:
    """A call on paper: time moves in frames of 20 ms, our audio is taken one frame each."""

    def __init__(self, *, record: bool = False, headers: dict[str, str] | None = None, **more: Any) -> None:
        self.clock = ManualClock(now_ns=0)
        self.report = FakeReport()
        self.over: list[CalleeCall] = []
        incoming, self.leg = invite(headers=headers or {})
        self.call = CalleeCall(
            incoming, persona(**more), CLIPS,
            clock=self.clock, report=self.report, on_end=self.over.append, record=record,
        )  # fmt: skip
        self.seq = 0
        self.played = 0

    def answered(self) -> Bench:
        self.call.on_event(LegAnswered(self.clock.now_ns(), "PCMA"))
        return self

    def frames(self, count: int, *, voiced: bool = False) -> None:
        for _ in range(count):
            self.clock.advance(20)
            self.played = min(self.played + 1, self.leg.queued)
            pcm = memoryview(LOUD_FRAME if voiced else SILENT_FRAME)
            self.call.on_frame(pcm, self.seq, self.clock.now_ns(), self.played)
            self.seq += 1

    def end(self, by: str = "callee") -> None:
        self.call.on_event(LegEnded(self.clock.now_ns(), 200, "OK", None, by, True))


async def test_it_rings_and_picks_up_by_a_timer() -> None:
    bench = Bench(answer={"after_ms": 30})
    assert bench.leg.asked == ["ring"]
    async with asyncio.timeout(5):
        await bench.leg.answered.wait()
    assert bench.call.truth.sip_status == 200


async def test_it_refuses() -> None:
    bench = Bench(answer={"status": 603})
    assert bench.leg.asked == ["reject 603"]
    bench.end(by="us")
    assert (bench.call.truth.sip_status, bench.call.truth.ended_by) == (603, "callee")


async def test_a_caller_who_gives_up_leaves_no_timer() -> None:
    bench = Bench(answer={"after_ms": 1})
    bench.end(by="callee")
    assert bench.over == [bench.call]
    assert (bench.call.truth.sip_status, bench.call.truth.ended_by) == (0, "caller")


async def test_a_line_is_said_and_its_true_times_are_kept() -> None:
    bench = Bench(answer={"after_ms": 0}, says=[{"text": "Yes, speaking.", "reaction_ms": 100}]).answered()
    bench.frames(50, voiced=True)
    bench.frames(23)
    assert bench.leg.asked == ["answer", "play 1"]
    began = bench.clock.now_ns() + 20 * NS_PER_MS
    bench.call.on_event(LegVoiced(began, 1))
    bench.frames(40)
    bench.frames(5, voiced=True)
    bench.end()
    truth = bench.call.truth
    assert truth.answer_ms == 20
    turn = truth.turns[0]
    assert (turn.clip, turn.text) == ("says.0", "Yes, speaking.")
    assert turn.last_voiced_ns - turn.first_voiced_ns == pytest.approx(400 * NS_PER_MS, abs=NS_PER_MS)
    # 41 frames after the decision; ours began one frame after it and is 400 ms long.
    assert turn.gap_ms == pytest.approx(41 * 20 - 20 - 400, abs=1)
    assert "says “Yes, speaking.”" in bench.report.told


async def test_said_is_known_from_the_frames_played() -> None:
    bench = Bench(answer={"after_ms": 0}, says=[{"text": "Yes."}], hang_up={"after_turn": 1}).answered()
    bench.frames(20, voiced=True)
    bench.frames(33)
    assert bench.leg.asked[-1] == "play 1"
    bench.frames(19)
    assert "hang up" not in bench.leg.asked
    bench.frames(2)
    assert bench.leg.asked[-1] == "hang up"
    bench.end(by="us")
    assert bench.call.truth.ended_by == "callee"


async def test_keys_are_pressed_and_heard() -> None:
    bench = Bench(answer={"after_ms": 0}, says=[{"dtmf": "12", "reaction_ms": 0}]).answered()
    bench.frames(20, voiced=True)
    bench.frames(18)
    assert bench.leg.asked[-1] == "dtmf 12"
    bench.call.on_event(LegDtmf(bench.clock.now_ns(), "5", "rfc4733"))
    assert bench.call.truth.keys == "5"
    assert bench.call.truth.turns[0].clip == "keys"


async def test_noise_never_stops_and_lies_under_speech() -> None:
    bench = Bench(
        answer={"after_ms": 0}, noise_dbfs=-40, opening={"text": "Hello?", "after_ms": 100}
    ).answered()
    bench.frames(4)
    assert bench.leg.queued - bench.played == NOISE_AHEAD
    bench.frames(40)
    assert bench.leg.queued - bench.played == NOISE_AHEAD
    assert bench.leg.queued == len(bench.leg.pcm) // 320
    quietest = min(
        max(abs(s) for s in memoryview(bench.leg.pcm[i : i + 320]).cast("h"))
        for i in range(0, len(bench.leg.pcm), 320)
    )
    assert quietest > 300
    # Noise is no speech of ours, although the card finds it voiced.
    bench.call.on_event(LegVoiced(0, 1))
    assert bench.call.truth.turns == []


async def test_a_recording_has_silence_for_lost_frames() -> None:
    bench = Bench(record=True, answer={"after_ms": 0}).answered()
    bench.frames(2, voiced=True)
    bench.seq += 3
    bench.frames(1, voiced=True)
    assert bench.call.heard is not None
    assert bytes(bench.call.heard) == LOUD_FRAME * 2 + SILENT_FRAME * 3 + LOUD_FRAME


async def test_nothing_is_recorded_unasked() -> None:
    bench = Bench(answer={"after_ms": 0}).answered()
    bench.frames(2)
    assert bench.call.heard is None


async def test_the_attempt_is_known_by_its_header() -> None:
    bench = Bench(headers={"X-Attempt-ID": "abc"}, answer={"after_ms": 0})
    assert bench.call.truth.attempt_id == "abc"


async def test_statistics_are_of_no_interest() -> None:
    bench = Bench(answer={"after_ms": 0}).answered()
    bench.call.on_event(LegStats(0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0))
    assert bench.over == []
