from __future__ import annotations

from datetime import date

import pytest

from dialer.intent.slots.english_days import read_date

TODAY = date(2026, 3, 11)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", "2026-03-11"),
        ("i can pay right now", "2026-03-11"),
        ("i'll do it by the end of the day", "2026-03-11"),
        ("tomorrow", "2026-03-12"),
        ("um tomorrow morning", "2026-03-12"),
        ("the day after tomorrow", "2026-03-13"),
        ("not today but tomorrow", "2026-03-12"),
        ("tomorrow not today", "2026-03-12"),
        ("tomorrow no wait i'll do it today", "2026-03-11"),
        ("i can't today but on friday", "2026-03-13"),
        ("not until friday", "2026-03-13"),
        ("on friday", "2026-03-13"),
        ("i will pay on friday", "2026-03-13"),
        ("this friday", "2026-03-13"),
        ("this coming monday", "2026-03-16"),
        ("on wednesday", "2026-03-18"),
        ("this wednesday", "2026-03-11"),
        ("next friday", "2026-03-20"),
        ("next monday", "2026-03-16"),
        ("monday next week", "2026-03-16"),
        ("wednesday no thursday i'll pay on thursday", "2026-03-12"),
        ("a week from friday", "2026-03-20"),
        ("two weeks from tomorrow", "2026-03-26"),
        ("friday week", "2026-03-20"),
        ("in three days", "2026-03-14"),
        ("in a couple of days", "2026-03-13"),
        ("give me a week", "2026-03-18"),
        ("i need a few more days", "2026-03-14"),
        ("a week from now", "2026-03-18"),
        ("two weeks", "2026-03-25"),
        ("in a month", "2026-04-11"),
        ("in 10 days", "2026-03-21"),
        ("on the fifteenth", "2026-03-15"),
        ("the 15th", "2026-03-15"),
        ("on the fifteen", "2026-03-15"),
        ("the second", "2026-04-02"),
        ("on the twenty first", "2026-03-21"),
        ("the thirty first", "2026-03-31"),
        ("friday the thirteenth", "2026-03-13"),
        ("the first of next month", "2026-04-01"),
        ("the fifth of april", "2026-04-05"),
        ("april third", "2026-04-03"),
        ("april the third", "2026-04-03"),
        ("january 5", "2027-01-05"),
        ("i get paid on the first so then", "2026-04-01"),
        ("at the end of the month", "2026-03-31"),
        ("end of next month", "2026-04-30"),
        ("at the beginning of next month", "2026-04-01"),
        ("the middle of the month", "2026-03-15"),
        ("the end of march", "2026-03-31"),
        ("by the end of the week", "2026-03-13"),
        ("over the weekend", "2026-03-14"),
        ("after the weekend", "2026-03-16"),
        ("early next week", "2026-03-16"),
    ],
)
def test_days(text: str, expected: str) -> None:
    assert read_date(text, TODAY) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "next week",
        "next month sometime",
        "when i get paid",
        "i paid yesterday",
        "i paid last friday",
        "two weeks ago",
        "i've been sick for three weeks",
        "i can pay fifty a month",
        "wait a second",
        "it's the first time i hear of it",
        "not today",
        "i can't pay on friday",
        "you may call me",
        "the thirty third",
        "february the thirtieth",
    ],
)
def test_no_day(text: str) -> None:
    assert read_date(text, TODAY) is None
