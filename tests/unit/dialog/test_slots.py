from __future__ import annotations

from dialer.dialog.slots import INTENT_OF_KIND, KINDS, sentences


def test_the_grammar_of_days_knows_weekdays_and_days_of_the_month() -> None:
    days = sentences("en", "date")
    assert {"on friday", "next monday", "tomorrow", "on the first", "on the thirty first"} <= set(days)
    assert len(days) == len(set(days)) < 120  # grammars must stay small
    assert all(text == text.lower() and not any(c.isdigit() for c in text) for text in days)


def test_every_kind_has_the_intent_that_it_stands_for() -> None:
    assert set(INTENT_OF_KIND) == set(KINDS)
    assert sentences("en", "amount") == ()
