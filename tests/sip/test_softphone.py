"""Real softphones, called over SIP and RTP on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dialer.aio import spawn
from dialer.audio import FRAME_BYTES, RATE, read_wav, to_array, write_wav
from dialer.errors import InputError, TelephonyError
from dialer.simulator.farm import SoftphoneFarm
from dialer.simulator.persona import Persona
from dialer.simulator.report import Ready
from dialer.simulator.softphone import Callee, SoftphoneOptions, run_softphone
from dialer.simulator.truth import CallTruth
from dialer.telephony.base import LegAnswered, LegDtmf, LegRinging
from tests.sip.caller import phone, speech

pytestmark = pytest.mark.sip


def callee(number: str, **more: Any) -> Callee:
    data = {"name": f"n{number[-2:]}", "number": number, "expect": {"disposition": "x"}, **more}
    return Callee(number, Persona.model_validate(data))


TALKS = callee(
    "+12025550101",
    answer={"after_ms": 100},
    noise_dbfs=-55,
    says=[{"text": "I will pay it [300] today."}, {"dtmf": "7"}, {"text": "Goodbye."}],
    hang_up={"after_turn": 3},
)
BUSY = callee("+12025550102", answer={"status": 486})
RINGS_OUT = callee("+12025550103", answer={"ring_out": True})
MACHINE = callee("+12025550104", answer={"voicemail": "Leave a message.", "after_ms": 0})
LEAVES = callee("+12025550105", opening={"text": "Hello?"}, hang_up={"after_ms": 800})
CUTS_IN = callee(
    "+12025550106", answer={"after_ms": 0}, says=[{"text": "Stop it.", "interrupt_after_ms": 600}]
)


def of(calls: list[CallTruth], attempt: str) -> CallTruth:
    return next(call for call in calls if call.attempt_id == attempt)


async def test_a_farm_of_personas(tmp_path: Path) -> None:
    farm = SoftphoneFarm((TALKS, BUSY, RINGS_OUT, MACHINE, LEAVES, CUTS_IN), lines=8, lines_per_process=4,
                         record=tmp_path)  # fmt: skip
    gateways = await farm.start()
    assert len(gateways) == 8 // farm.calls_per_gateway
    assert len(farm.pids) == 2
    async with phone(gateways, farm.calls_per_gateway, lines=8) as ours:
        results = await asyncio.gather(
            a_conversation(ours), a_machine(ours), an_early_end(ours), an_interruption(ours), refusals(ours)
        )
    calls = await farm.close()
    assert farm.pids == []
    said, machine, left, cut = (of(calls, attempt) for attempt in results[:4])

    assert [turn.text for turn in said.turns] == ["I will pay it today.", "7", "Goodbye."]
    assert said.turns[0].gap_ms is not None
    assert said.turns[0].gap_ms > 0
    assert said.ended_by == "callee"
    assert said.answer_ms is not None
    assert read_wav(Path(said.recording)).size > RATE
    assert machine.turns[0].clip == "voicemail"
    assert left.ended_by == "callee"
    assert cut.turns[0].interrupts
    assert cut.turns[0].barge_in_ms is not None
    assert sorted(call.sip_status for call in calls if call.sip_status != 200) == [0, 404, 486]


async def a_conversation(ours: Any) -> str:
    caller, leg, attempt = await ours.call(TALKS.number)
    await caller.until(lambda: caller.has(LegAnswered))
    leg.play(speech(600), 1)
    # The line's noise is below what counts as voiced; words with a pause of 300 ms inside are not.
    await caller.until(lambda: caller.voiced > 30 and caller.silent_for > 25)
    leg.play(speech(400), 2)
    await caller.until(lambda: caller.has(LegDtmf))
    assert [event.digit for event in caller.events if isinstance(event, LegDtmf)] == ["7"]
    leg.play(speech(400), 3)
    await caller.until(lambda: caller.ended is not None)
    assert caller.ended is not None
    assert caller.ended.by == "callee"
    assert np.abs(to_array(bytes(caller.heard))).mean() > 10
    return str(attempt)


async def a_machine(ours: Any) -> str:
    caller, leg, attempt = await ours.call(MACHINE.number)
    await caller.until(lambda: caller.voiced > 40 and caller.silent_for > 30)
    last = to_array(bytes(caller.heard[: -30 * FRAME_BYTES][-10 * FRAME_BYTES :])).astype(float)
    assert np.argmax(np.abs(np.fft.rfft(last))) * RATE / last.size == pytest.approx(1000, abs=20)
    leg.hang_up()
    await caller.until(lambda: caller.ended is not None)
    return str(attempt)


async def an_early_end(ours: Any) -> str:
    caller, _, attempt = await ours.call(LEAVES.number)
    await caller.until(lambda: caller.ended is not None)
    assert caller.ended.by == "callee"
    return str(attempt)


async def an_interruption(ours: Any) -> str:
    caller, leg, attempt = await ours.call(CUTS_IN.number)
    leg.play(speech(4000), 1)
    await caller.until(lambda: caller.voiced > 10)
    leg.flush()
    await caller.until(lambda: caller.silent_for > 20)
    leg.hang_up()
    await caller.until(lambda: caller.ended is not None)
    return str(attempt)


async def refusals(ours: Any) -> None:
    busy, _, _ = await ours.call(BUSY.number)
    nobody, _, _ = await ours.call("+12025550199")
    ringing, leg, _ = await ours.call(RINGS_OUT.number)
    await busy.until(lambda: busy.ended is not None)
    await nobody.until(lambda: nobody.ended is not None)
    assert (busy.ended.sip_code, nobody.ended.sip_code) == (486, 404)
    await ringing.until(lambda: ringing.has(LegRinging))
    leg.hang_up()
    await ringing.until(lambda: ringing.ended is not None)
    assert not ringing.ended.answered


async def test_a_voice_that_nobody_has_is_told_at_the_start() -> None:
    farm = SoftphoneFarm((callee("+12025550101", voice="nobody", says=[{"text": "Hi."}]),), lines=1)
    with pytest.raises(TelephonyError, match="no voice 'nobody'"):
        await farm.start()
    assert farm.pids == []


class Waiting:
    """A report that waits for a softphone to be ready."""

    def __init__(self) -> None:
        self.at: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self.told: list[str] = []
        self.calls: list[CallTruth] = []

    def ready(self, ready: Ready) -> None:
        self.at.set_result(ready)

    def event(self, truth: CallTruth, t_ns: int, text: str) -> None:
        self.told.append(text)

    def ended(self, truth: CallTruth) -> None:
        self.calls.append(truth)

    def failed(self, problem: str) -> None:
        raise AssertionError(problem)


async def test_a_wav_is_played_to_whoever_calls(tmp_path: Path) -> None:
    write_wav(tmp_path / "hello.wav", speech(700))
    report, stop = Waiting(), asyncio.Event()
    options = SoftphoneOptions(answer_with=tmp_path / "hello.wav", lines=2)
    serving = spawn(run_softphone(options, report, stop), name="softphone")
    ready = await report.at
    async with phone(ready.gateways, ready.calls_per_gateway, lines=2) as ours:
        caller, _, _ = await ours.call("+12025550142")
        await caller.until(lambda: caller.voiced > 25 and caller.silent_for > 10)
        stop.set()  # ends the call too
        await caller.until(lambda: caller.ended is not None)
    await serving
    assert "says “hello.wav”" in report.told
    assert [call.ended_by for call in report.calls] == ["callee"]


async def test_a_wav_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as WAV"):
        await run_softphone(SoftphoneOptions(answer_with=tmp_path / "no.wav"), Waiting(), asyncio.Event())
