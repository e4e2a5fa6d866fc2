"""The callee as a playbook: what the caller does goes in, what the callee does comes out, by stamps."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.clock import NS_PER_MS
from dialer.simulator.persona import Persona
from dialer.simulator.script import (
    Answered,
    CalleeScript,
    CallerStarted,
    CallerStopped,
    Ear,
    Ended,
    HangUp,
    Invited,
    Phase,
    PickUp,
    Press,
    Refuse,
    Ring,
    Said,
    Say,
    ScriptCommand,
    Tick,
    clip_texts,
    clip_words,
)


def persona(**more: Any) -> Persona:
    data = {"name": "somebody", "number": "+12025550101", "expect": {"disposition": "x"}, **more}
    return Persona.model_validate(data)


class World:
    """Plays a caller's speech against one callee in steps of 20 ms; everything is in ms from the answer."""

    def __init__(self, callee: Persona, caller: list[tuple[int, int]], clip_ms: int = 600) -> None:
        self.script = CalleeScript(callee)
        self.ear = Ear()
        self.caller = caller
        self.clip_ms = clip_ms
        self.done: list[tuple[int, ScriptCommand]] = []
        self.said_at: int | None = None
        self.script.handle(Invited(0))
        self.script.handle(Tick(self.script.due_ns or 0))
        self.base = 1_000_000
        self.handle(0, Answered(self.base * NS_PER_MS))

    def handle(self, ms: int, event: Any) -> None:
        for command in self.script.handle(event):
            self.done.append((ms, command))
            if isinstance(command, Say):
                self.said_at = ms + self.clip_ms

    def run(self, until_ms: int) -> list[tuple[int, ScriptCommand]]:
        for ms in range(0, until_ms, 20):
            t_ns = (self.base + ms) * NS_PER_MS
            voiced = any(start <= ms < end for start, end in self.caller)
            heard = self.ear.frame(t_ns, voiced)
            if heard is not None:
                self.handle(ms, heard)
            if self.said_at is not None and ms >= self.said_at:
                self.said_at = None
                self.handle(ms, Said(t_ns))
            self.handle(ms, Tick(t_ns))
        return self.done


# --- answering ----------------------------------------------------------------------------------


def test_rings_and_picks_up() -> None:
    script = CalleeScript(persona(answer={"after_ms": 400}))
    assert script.handle(Invited(0)) == [Ring()]
    assert script.due_ns == 400 * NS_PER_MS
    assert script.handle(Tick(399 * NS_PER_MS)) == []
    assert script.handle(Tick(400 * NS_PER_MS)) == [PickUp()]
    assert script.phase is Phase.PICKING_UP
    assert script.due_ns is None


def test_picks_up_at_once() -> None:
    assert CalleeScript(persona(answer={"after_ms": 0})).handle(Invited(5)) == [PickUp()]


@pytest.mark.parametrize("status", [404, 486, 603])
def test_refuses(status: int) -> None:
    script = CalleeScript(persona(answer={"status": status}))
    assert script.handle(Invited(0)) == [Refuse(status)]
    assert script.phase is Phase.OVER


def test_rings_out_for_ever() -> None:
    script = CalleeScript(persona(answer={"ring_out": True}))
    assert script.handle(Invited(0)) == [Ring()]
    assert script.due_ns is None
    assert script.handle(Tick(10**12)) == []


def test_the_caller_gives_up_while_it_rings() -> None:
    script = CalleeScript(persona(answer={"after_ms": 400}))
    script.handle(Invited(0))
    assert script.handle(Ended(100)) == []
    assert script.handle(Tick(400 * NS_PER_MS)) == []


# --- talking ------------------------------------------------------------------------------------


def test_a_line_follows_the_end_of_the_prompt_and_the_reaction() -> None:
    world = World(persona(says=[{"text": "Yes.", "reaction_ms": 300}]), caller=[(40, 1000)])
    # last voiced at 980, finished at 980 + 350 (seen at the frame of 1340), 300 ms more
    assert world.run(3000) == [(1640, Say("says.0"))]


def test_pauses_between_words_are_no_end() -> None:
    caller = [(40, 500), (800, 1200), (1480, 2000)]
    world = World(persona(says=[{"text": "Yes.", "reaction_ms": 0}]), caller)
    assert world.run(4000) == [(2340, Say("says.0"))]


def test_a_pause_between_sentences_puts_the_line_off() -> None:
    world = World(persona(says=[{"text": "Yes.", "reaction_ms": 300}]), caller=[(40, 500), (1000, 1500)])
    assert world.run(4000) == [(2140, Say("says.0"))]


def test_lines_answer_prompts_one_by_one() -> None:
    says = [{"text": "Yes.", "reaction_ms": 100}, {"dtmf": "1", "reaction_ms": 100}]
    world = World(persona(says=says), caller=[(40, 1000), (2500, 3000)])
    assert world.run(6000) == [(1440, Say("says.0")), (3440, Press("1"))]


def test_the_opening_does_not_wait_and_is_no_turn() -> None:
    callee = persona(opening={"text": "Hello?", "after_ms": 240}, says=[{"text": "Yes.", "reaction_ms": 0}])
    world = World(callee, caller=[(40, 2000)])
    assert world.run(5000) == [(240, Say("opening")), (2340, Say("says.0"))]


def test_a_greeting_that_ends_within_the_opening_is_answered_after_it() -> None:
    callee = persona(opening={"text": "Hello?", "after_ms": 240}, says=[{"text": "Yes.", "reaction_ms": 0}])
    world = World(callee, caller=[(40, 300)], clip_ms=1000)
    assert world.run(5000) == [(240, Say("opening")), (1240, Say("says.0"))]


def test_a_silent_caller_hears_nothing_but_the_opening() -> None:
    callee = persona(opening={"text": "Hello?"}, says=[{"text": "Yes."}])
    assert World(callee, caller=[]).run(20_000) == [(260, Say("opening"))]


# --- interrupting -------------------------------------------------------------------------------


def test_an_interruption_counts_from_the_start_of_the_prompt() -> None:
    callee = persona(says=[{"text": "Stop.", "interrupt_after_ms": 900}])
    assert World(callee, caller=[(100, 1400)]).run(4000) == [(1000, Say("says.0"))]


def test_what_is_left_of_an_interrupted_prompt_is_no_answer() -> None:
    says = [{"text": "Wait.", "interrupt_after_ms": 900}, {"text": "Today.", "reaction_ms": 100}]
    # The caller gives way 700 ms after we began (600 ms long), then answers.
    world = World(persona(says=says), caller=[(100, 1700), (2400, 3000)])
    assert world.run(6000) == [(1000, Say("says.0")), (3440, Say("says.1"))]


def test_a_prompt_that_is_not_stopped_is_heard_to_its_end() -> None:
    says = [{"text": "Mm-hm.", "interrupt_after_ms": 900}, {"text": "Today.", "reaction_ms": 100}]
    world = World(persona(says=says), caller=[(100, 4000)])
    assert world.run(6000) == [(1000, Say("says.0")), (4440, Say("says.1"))]


def test_one_prompt_is_interrupted_once() -> None:
    says = [{"text": "Wait.", "interrupt_after_ms": 900}, {"text": "Stop.", "interrupt_after_ms": 900}]
    world = World(persona(says=says), caller=[(100, 1300), (2500, 5000)])
    assert world.run(6000) == [(1000, Say("says.0")), (3400, Say("says.1"))]


def test_a_prompt_too_short_to_be_interrupted_is_answered() -> None:
    callee = persona(says=[{"text": "Yes.", "interrupt_after_ms": 3000, "reaction_ms": 100}])
    assert World(callee, caller=[(100, 600)]).run(4000) == [(1040, Say("says.0"))]


def test_an_interruption_waits_for_the_opening_to_end() -> None:
    callee = persona(
        opening={"text": "Hello?", "after_ms": 0}, says=[{"text": "No.", "interrupt_after_ms": 200}]
    )
    assert World(callee, caller=[(100, 3000)]).run(2000) == [(0, Say("opening")), (600, Say("says.0"))]


def test_a_reply_that_cuts_a_line_short_is_answered_when_it_ends() -> None:
    says = [{"text": "I will [400] pay.", "reaction_ms": 100}, {"text": "Today.", "reaction_ms": 100}]
    world = World(persona(says=says), caller=[(100, 1000), (1700, 3000)], clip_ms=1500)
    assert world.run(6000) == [(1440, Say("says.0")), (3440, Say("says.1"))]


def test_a_remark_within_a_line_is_overheard() -> None:
    says = [{"text": "I will [400] pay.", "reaction_ms": 100}, {"text": "Today.", "reaction_ms": 100}]
    world = World(persona(says=says), caller=[(100, 1000), (1700, 2000)], clip_ms=1500)
    assert world.run(9000) == [(1440, Say("says.0"))]


# --- repeating and ending -----------------------------------------------------------------------


def test_the_last_line_is_repeated_twice_at_most() -> None:
    prompts = [(100, 1000), (4000, 5000), (8000, 9000), (12_000, 13_000)]
    world = World(persona(says=[{"text": "Yes.", "reaction_ms": 100}]), prompts)
    assert world.run(20_000) == [(1440, Say("says.0")), (6540, Say("says.0")), (10_540, Say("says.0"))]


def test_a_goodbye_before_the_hang_up_is_not_answered() -> None:
    world = World(persona(says=[{"text": "Yes.", "reaction_ms": 100}]), caller=[(100, 1000), (2500, 4000)])
    world.run(5000)
    assert world.done == [(1440, Say("says.0"))]


def test_somebody_without_lines_says_nothing() -> None:
    assert World(persona(), caller=[(100, 1000)]).run(9000) == []


def test_hangs_up_after_a_turn() -> None:
    callee = persona(says=[{"text": "No."}, {"text": "Bye."}], hang_up={"after_turn": 1})
    assert World(callee, caller=[(100, 1000)]).run(9000) == [(1640, Say("says.0")), (2240, HangUp())]


def test_hangs_up_after_a_key() -> None:
    callee = persona(says=[{"dtmf": "9"}], hang_up={"after_turn": 1})
    assert World(callee, caller=[(100, 1000)]).run(9000) == [(1640, Press("9")), (1640, HangUp())]


def test_hangs_up_after_a_time_even_while_speaking() -> None:
    callee = persona(opening={"text": "Hello?", "after_ms": 200}, hang_up={"after_ms": 500})
    assert World(callee, caller=[(100, 1000)]).run(9000) == [(200, Say("opening")), (500, HangUp())]


def test_nothing_happens_after_the_end() -> None:
    script = World(persona(says=[{"text": "Yes."}]), caller=[]).script
    script.handle(Ended(10**15))
    assert script.handle(CallerStarted(10**15)) == []
    assert script.handle(CallerStopped(10**15, 10**15)) == []
    assert script.due_ns is None


def test_a_mailbox_greets_and_ends_when_it_is_full() -> None:
    callee = persona(answer={"voicemail": "Leave a message.", "beep": True})
    world = World(callee, caller=[(100, 5000), (6000, 9000)])
    assert world.run(70_000) == [(300, Say("voicemail")), (60_000, HangUp())]


# --- clips and the ear --------------------------------------------------------------------------


def test_clips_of_a_persona() -> None:
    callee = persona(opening={"text": "Hello?"}, says=[{"text": "A [200] b."}, {"dtmf": "1"}, {"text": "C."}])
    assert clip_texts(callee) == {"opening": "Hello?", "says.0": "A [200] b.", "says.2": "C."}
    assert clip_words(callee)["says.0"] == "A b."
    assert clip_texts(persona(answer={"voicemail": "Hi."})) == {"voicemail": "Hi."}


def test_the_ear_reports_each_spurt_once() -> None:
    ear = Ear(ends_ms=40)
    frames = [False, True, True, False, True, False, False, False, True]
    heard = [ear.frame(n * 20 * NS_PER_MS, voiced) for n, voiced in enumerate(frames)]
    ms = NS_PER_MS
    assert [h for h in heard if h is not None] == [
        CallerStarted(20 * ms),
        CallerStopped(120 * ms, 80 * ms),
        CallerStarted(160 * ms),
    ]
    assert ear.caller_speaks


def test_half_a_word_of_the_caller_within_a_line_is_no_answer() -> None:
    world = World(
        persona(says=[{"text": "Yes, it is me.", "reaction_ms": 200}, {"text": "No."}]),
        [(0, 500), (1100, 1300)],
    )
    said = [ms for ms, command in world.run(5000) if isinstance(command, Say)]
    assert len(said) == 1  # the caller was cut off while the line was said: it goes on, or says something new
