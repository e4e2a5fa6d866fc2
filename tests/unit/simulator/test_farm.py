"""Who is called at which number. Real softphones: tests/sip/test_softphone.py."""

from __future__ import annotations

import re

import pytest

from dialer.simulator.farm import free_numbers, repeat
from tests.unit.simulator.fakes import persona

A = persona(name="a", number="+12025550101")
B = persona(name="b", number="+12025550142")


def test_every_number_is_kept_for_examples() -> None:
    numbers = list(free_numbers())
    assert len(set(numbers)) == len(numbers) == 1000
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", number) for number in numbers)


def test_personas_come_in_turn_and_later_ones_have_numbers_of_their_own() -> None:
    callees = repeat([A, B], 5)
    assert [c.persona.name for c in callees] == ["a", "b", "a", "b", "a"]
    assert [c.number for c in callees[:2]] == [A.number, B.number]
    assert len({c.number for c in callees}) == 5


def test_fewer_than_there_are() -> None:
    assert [c.persona.name for c in repeat([A, B], 1)] == ["a"]


def test_there_must_be_somebody_and_numbers_enough() -> None:
    with pytest.raises(ValueError, match="no persona"):
        repeat([], 3)
    with pytest.raises(ValueError, match="no numbers for 1003"):
        repeat([A, B], 1003)
