"""One call as a transcript: frames, words and events in; what is said and recorded out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from dialer.aio import spawn
from dialer.call import CallRecord, Contact
from dialer.clock import ManualClock
from dialer.conversation.base import ConversationSettings, Services
from dialer.conversation.runner import CallRunner
from dialer.dialog.plan import DialogPlan
from dialer.dialog.schema import make_plan
from dialer.telephony.base import DialRequest, LegAnswered, LegDtmf, LegEnded
from dialer.yamlfile import read_yaml
from tests.unit.conversation.fakes import (
    FakeIntents,
    FakeLine,
    FakeLive,
    FakePrompts,
    FakeRecognizer,
    FakeTelephony,
    LoudnessVad,
)

DIALOG = """
start: opening
languages: [en]
dispositions:
  done: {description: All well, retry: false}
  gone: {description: Nobody spoke, retry: true}
  broken: {description: Ours failed, retry: true}
voicemail: {say: message, disposition: voicemail}
failure: {say: sorry, disposition: broken}
drain: {say: goodbye, disposition: gone}
limits: {turns: 6, then: leave}
defaults:
  silence_ms: 1000
  threshold: 0.4
  silence: {say: hello, times: 1, then: leave}
  no_match: {say: again, times: 1, then: leave}
groups: {}
states:
  opening:
    say: greeting
    again: question
    expect: one_word
    ignore: greeting
    on: {affirm: thanks, deny: leave}
    keys: {"1": thanks}
  thanks: {say: thank_you, end: done}
  leave: {say: goodbye, end: gone}
prompts:
  greeting: {en: "GREETING"}
  question: {en: "Q?"}
  thank_you: {en: "THANKS"}
  goodbye: {en: "GOODBYE"}
  hello: {en: "HELLO?"}
  again: {en: "AGAIN?"}
  message: {en: "MESSAGE"}
  sorry: {en: "SORRY"}
"""

GREETING = 150  # frames: one a character
KNOWN = {"yes": "affirm", "no": "deny", "hello": "greeting"}


@pytest.fixture
def plan(tmp_path: Path) -> DialogPlan:
    path = tmp_path / "dialog.yaml"
    path.write_text(DIALOG.replace("GREETING", "G" * GREETING))
    file = read_yaml(path)
    plan = make_plan(file)
    assert plan is not None, file.mistakes
    return plan


@dataclass
class Call:
    """A call under test with everything around it."""

    runner: CallRunner
    line: FakeLine
    ears: FakeRecognizer
    intents: FakeIntents
    live: FakeLive
    suppressed: list[str]
    task: asyncio.Task[CallRecord]
    said: list[str] = field(default_factory=list)

    @property
    def log(self) -> list[str]:
        return self.line.leg.log

    def answer(self) -> None:
        self.runner.on_event(LegAnswered(self.line.now_ns, "PCMA"))

    async def say(self, words: str, ms: int = 600) -> None:
        """The callee speaks; the recogniser has the words by the end."""
        await self.line.speech(ms)
        self.ears.words = words
        if words:
            self.ears.partial()
        await self.line.silence(60)

    async def end(self, by: str = "us", code: int = 200, answered: bool = True) -> CallRecord:
        self.runner.on_event(LegEnded(self.line.now_ns, code, "", None, by, answered))
        return await asyncio.wait_for(self.task, 5)


@pytest.fixture
async def call(plan: DialogPlan) -> AsyncIterator[Call]:
    telephony, ears, intents, live = FakeTelephony(), FakeRecognizer(), FakeIntents(KNOWN), FakeLive()
    suppressed: list[str] = []

    async def suppress(number: str, reason: str) -> None:
        suppressed.append(number)

    async def dialled(attempt_id: str, sip_call_id: str) -> None:
        pass

    with ThreadPoolExecutor(1) as disk:
        runner = CallRunner(
            DialRequest("c1", "a1", "+12025550101"),
            Contact(1, "+12025550101", "en"),
            plan,
            Services(
                clock=ManualClock(),
                telephony=telephony,
                recognizer=ears,
                intents=intents,
                prompts=FakePrompts(),
                new_vad=LoudnessVad,
                suppress=suppress,
                dialled=dialled,
                recording_path=lambda _: None,
                live=live,
            ),
            ConversationSettings(),
            today=date(2026, 1, 5),
            disk=disk,
        )
        task = spawn(runner.run(), name="call")
        await telephony.placed.wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        yield Call(runner, FakeLine(telephony.leg, runner), ears, intents, live, suppressed, task)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_the_greeting_waits_in_the_card_before_the_answer(call: Call) -> None:
    assert call.log == [f"play 1 {GREETING}"]
    call.answer()
    await call.line.silence(40)
    record = await call.end(by="callee")
    assert record.disposition == "hung_up"
    assert record.answer_ms == pytest.approx(20)


async def test_an_answer_leads_on_and_is_measured(call: Call) -> None:
    call.answer()
    await call.line.until_quiet()
    await call.say("yes")
    await call.line.silence(300)
    assert call.log[1] == "play 2 6"
    await call.line.until_quiet()
    assert call.log[-1] == "hang_up"
    record = await call.end()
    assert record.disposition == "done"
    (turn,) = record.turns
    assert (turn.round_id, turn.text, turn.intent, turn.state_from, turn.state_to) == (
        1,
        "yes",
        "affirm",
        "opening",
        "thanks",
    )
    assert turn.endpoint_ms is not None
    assert turn.endpoint_ms == pytest.approx(200, abs=40)  # one word was expected
    assert turn.reply_ms is not None
    assert turn.reply_ms <= 40
    assert turn.gap_ms == pytest.approx(turn.endpoint_ms + turn.reply_ms)


async def test_the_reply_is_prepared_in_the_pause(call: Call) -> None:
    call.answer()
    await call.line.until_quiet()
    await call.say("yes")
    await call.line.silence(120)
    assert [query.text for query in call.intents.asked] == ["yes"]
    assert call.intents.asked[0].allowed >= {"affirm", "deny"}
    assert call.log == [f"play 1 {GREETING}"]  # nothing said yet


async def test_speech_that_resumes_drops_what_was_prepared(call: Call) -> None:
    call.answer()
    await call.line.until_quiet()
    await call.say("yes")
    await call.line.silence(100)
    await call.say("no", ms=200)
    await call.line.silence(400)
    record = await call.end()
    assert [turn.text for turn in record.turns] == ["no"]


async def test_a_bare_greeting_in_the_opening_makes_no_turn(call: Call) -> None:
    call.answer()
    await call.line.silence(200)
    await call.say("hello", ms=400)
    await call.line.until_quiet()
    assert call.log == [f"play 1 {GREETING}"]  # and does not interrupt
    record = await call.end(by="callee")
    assert record.turns == []


async def test_an_answer_in_the_opening_is_kept_until_the_greeting_is_said(call: Call) -> None:
    call.answer()
    await call.line.silence(200)
    await call.say("yes", ms=400)
    await call.line.silence(400)
    assert call.log == [f"play 1 {GREETING}"]
    await call.line.until_quiet()
    assert call.log[1] == "play 2 6"


async def test_speech_interrupts_a_prompt_after_the_opening(call: Call) -> None:
    call.answer()
    await call.line.silence(2020)
    await call.line.speech(200)
    assert call.log[-1] == "flush"
    await call.say("no", ms=200)
    await call.line.silence(400)
    record = await call.end()
    assert record.turns[0].barge_in_ms == pytest.approx(180, abs=40)
    assert record.turns[0].reply_text == "GOODBYE"


async def test_a_cough_resumes_the_prompt_where_it_stopped(call: Call) -> None:
    call.answer()
    await call.line.silence(2020)
    await call.line.speech(260)
    assert call.log[-1] == "flush"
    await call.line.silence(1000)
    assert call.log[-1].startswith("play 2 ")
    played = 101 + 9  # the opening, and until 160 ms of voice were heard
    assert int(call.log[-1].split()[2]) == pytest.approx(GREETING - played, abs=2)
    record = await call.end(by="callee")
    assert record.turns == []


async def test_a_backchannel_resumes_the_prompt(call: Call) -> None:
    call.answer()
    await call.line.silence(2020)
    await call.say("mm-hm", ms=300)
    await call.line.silence(900)
    assert call.log[1] == "flush"
    assert call.log[2].startswith("play 2 ")
    assert (await call.end()).turns == []


async def test_silence_is_asked_about_and_then_the_call_ends(call: Call) -> None:
    call.answer()
    await call.line.until_quiet()
    await call.line.silence(1040)
    assert call.log[-2:] == ["play 2 6", "play 3 2"]  # HELLO? Q?
    await call.line.until_quiet()
    await call.line.silence(1040)
    await call.line.until_quiet()
    assert call.log[-2:] == ["play 4 7", "hang_up"]
    assert (await call.end()).disposition == "gone"


async def test_what_is_not_understood_is_asked_again(call: Call) -> None:
    call.answer()
    await call.line.until_quiet()
    await call.say("gibberish")
    await call.line.silence(900)
    assert call.log[-2:] == ["play 2 6", "play 3 2"]  # AGAIN? Q?
    record = await call.end()
    assert record.turns[0].intent == "out_of_scope"


async def test_a_turn_that_was_not_over_is_reopened(call: Call) -> None:
    call.intents.known["yes no"] = "deny"
    call.answer()
    await call.line.until_quiet()
    await call.say("yes")
    await call.line.silence(180)
    assert call.log[1] == "play 2 6"  # THANKS, too early
    await call.say("no", ms=300)
    assert call.log[2] == "flush"
    await call.line.silence(400)
    assert call.log[3] == "play 3 7"  # GOODBYE; the end that THANKS led to was taken back
    assert call.ears.log.count("begin en/opening") == 2
    record = await call.end()
    (turn,) = record.turns
    assert (turn.round_id, turn.text, turn.intent, turn.suspected_cut) == (1, "yes no", "deny", True)
    assert (turn.state_from, record.disposition) == ("opening", "gone")


async def test_late_speech_is_a_turn_of_its_own(call: Call) -> None:
    call.answer()
    await call.line.until_quiet()
    await call.say("gibberish")
    await call.line.silence(1300)
    await call.say("yes")
    await call.line.silence(400)
    record = await call.end()
    assert [turn.text for turn in record.turns] == ["gibberish", "yes"]


async def test_an_overloaded_engine_is_asked_again(call: Call) -> None:
    call.intents.refuse = 2
    call.answer()
    await call.line.until_quiet()
    await call.say("yes")
    await call.line.silence(1000)  # the full tail: nothing was understood in the pause
    record = await call.end()
    assert [turn.text for turn in record.turns] == ["yes"]


async def test_an_engine_that_never_answers_ends_in_an_apology(call: Call) -> None:
    call.intents.refuse = 1_000_000
    call.answer()
    await call.line.until_quiet()
    await call.say("yes")
    await call.line.silence(4000)
    assert "play 2 5" in call.log  # SORRY
    assert (await call.end()).disposition == "broken"


async def test_a_key_stops_the_prompt_and_answers(call: Call) -> None:
    call.answer()
    await call.line.silence(400)
    call.runner.on_event(LegDtmf(call.line.now_ns, "1", "rfc4733"))
    assert call.log[-2:] == ["flush", "play 2 6"]
    record = await call.end()
    assert record.turns[0].intent == "dtmf"
    assert record.disposition == "done"


async def test_a_dead_recogniser_ends_in_an_apology(call: Call) -> None:
    call.answer()
    await call.line.silence(400)
    call.runner.on_recognizer_failed("worker died")
    assert call.log[-2:] == ["flush", "play 2 5"]  # SORRY
    await call.line.until_quiet()
    assert call.log[-1] == "hang_up"
    record = await call.end()
    assert record.disposition == "broken"
    assert record.cause == "recogniser: worker died"


async def test_draining_says_goodbye(call: Call) -> None:
    call.answer()
    await call.line.silence(400)
    call.runner.drain()
    assert call.log[-2:] == ["flush", "play 2 7"]
    await call.line.until_quiet()
    assert call.log[-1] == "hang_up"
    assert (await call.end()).disposition == "gone"


async def test_stopping_before_the_answer_cancels(call: Call) -> None:
    call.runner.stop()
    assert call.log[-1] == "hang_up"
    record = await call.end(code=487, answered=False)
    assert record.disposition == "cancelled"


async def test_a_busy_callee_is_a_disposition(call: Call) -> None:
    record = await call.end(by="callee", code=486, answered=False)
    assert record.disposition == "busy"
    assert record.turns == []


async def test_a_crashed_card_is_a_failure_with_its_cause(call: Call) -> None:
    call.answer()
    await call.line.silence(100)
    call.runner.on_event(LegEnded(call.line.now_ns, 0, "card crashed", None, "us", True))
    record = await asyncio.wait_for(call.task, 5)
    assert record.disposition == "failed"
    assert "card crashed" in record.cause


async def test_lost_frames_do_not_bend_the_recogniser(call: Call) -> None:
    call.answer()
    await call.line.until_quiet()
    await call.line.speech(200)
    before = call.ears.fed
    call.line.seq += 5  # the hand-over lost five frames
    await call.line.speech(20)
    assert call.ears.fed - before == 6
