"""Which callees a seed gives."""

from __future__ import annotations

from collections import Counter

import pytest

from dialer.bench.scripts.choose import CallPlan, choose
from dialer.simulator.turncallee import Kind


def pauses(plans: list[CallPlan]) -> Counter[int]:
    return Counter(
        phrase.pause_ms
        for plan in plans
        if plan.line != "noisy"
        for phrases in plan.answers.values()
        for phrase in phrases
        if phrase.kind is Kind.HESITATION
    )


def test_the_same_seed_gives_the_same_callees() -> None:
    assert choose(20, 21, seed=7) == choose(20, 21, seed=7)
    assert choose(20, 21, seed=7) != choose(20, 21, seed=8)


def test_twenty_calls_have_enough_sentences_of_each_pause_on_lines_without_noise() -> None:
    counted = pauses(choose(20, 21, seed=1))
    assert counted[250] >= 100
    assert counted[400] >= 50
    assert counted[600] >= 50
    assert all(counted[ms] > 0 for ms in (300, 500, 700))


def test_the_lines_are_shared_out() -> None:
    assert Counter(plan.line for plan in choose(20, 21, seed=1)) == {"clean": 14, "echo": 4, "noisy": 2}


def test_lines_with_echo_take_every_level_in_turn() -> None:
    levels = [plan.echo_db for plan in choose(20, 21, seed=1) if plan.line == "echo"]
    assert sorted(levels) == [-30.0, -25.0, -20.0, -15.0]


def test_some_long_prompts_get_asides_and_most_an_interruption() -> None:
    notices = [notice for plan in choose(20, 21, seed=1) for notice in plan.notices]
    interrupted = [notice for notice in notices if notice.after_ms]
    assert len(interrupted) == 40
    assert all(len(notice.asides) == 3 for notice in notices if not notice.after_ms)


def test_without_recorded_prompts_nobody_has_that_voice() -> None:
    assert any(plan.voice == "human" for plan in choose(10, 21, seed=1))
    assert not any(plan.voice == "human" for plan in choose(10, 21, seed=1, human=False))


def test_numbers_are_reserved_ones_and_there_are_a_hundred() -> None:
    numbers = [plan.number for plan in choose(100, 7, seed=1)]
    assert numbers[0] == "+12025550100"
    assert numbers[-1] == "+12025550199"
    with pytest.raises(ValueError, match="100"):
        choose(101, 7, seed=1)
