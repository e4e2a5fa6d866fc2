from __future__ import annotations

from decimal import Decimal

import pytest

from dialer.intent.slots.spoken_numbers import after_phrase, cardinal, ordinal, tokens


@pytest.mark.parametrize(
    ("text", "value", "rest"),
    [
        ("a hundred and fifty", 150, []),
        ("three hundred and some", 300, ["and", "some"]),
        ("two thousand and five", 2005, []),
        ("nineteen hundred and eighty four", 1984, []),
        ("one fifty", 150, []),
        ("six thirty five now", 635, ["now"]),
        ("twenty-one", 21, []),
        ("fifty sixty", 50, ["sixty"]),
        ("zero", 0, []),
        ("1,250.50 left", Decimal("1250.50"), ["left"]),
        ("5 hundred", 500, []),
    ],
)
def test_cardinals(text: str, value: Decimal, rest: list[str]) -> None:
    words = tokens(text)
    found = cardinal(words, 0)
    assert found is not None
    assert (found[0], words[found[1] :]) == (value, rest)


@pytest.mark.parametrize("text", ["a dog", "hundred", "and five", "15th", "1.2.3", "first"])
def test_no_cardinal(text: str) -> None:
    assert cardinal(tokens(text), 0) is None


@pytest.mark.parametrize(
    ("text", "value"), [("first", 1), ("twenty first", 21), ("thirtieth", 30), ("22nd", 22), ("twelfth", 12)]
)
def test_ordinals(text: str, value: int) -> None:
    words = tokens(text)
    assert ordinal(words, 0) == (value, len(words))


@pytest.mark.parametrize("text", ["twenty", "twenty tenth", "22", "one"])
def test_no_ordinal(text: str) -> None:
    assert ordinal(tokens(text), 0) is None


def test_the_longest_phrase_wins() -> None:
    words = tokens("Today's the DAY after tomorrow")
    assert words[0] == "today"
    assert after_phrase(words, 1, "the day", "the day after") == 4
    assert after_phrase(words, 0, "tomorrow") is None
