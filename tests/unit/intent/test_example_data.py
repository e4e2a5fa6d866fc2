"""The shipped example campaign's utterances: enough of them, each label distinct, each its own text."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from dialer.intent.examples import Example, is_held_out, load_examples
from dialer.intent.features import normalise

CAMPAIGN = Path(__file__).parents[3] / "campaigns" / "bill_reminder"
LABELS = (
    "affirm deny is_self wrong_person third_party already_paid will_pay_today will_pay_later cannot_pay "
    "refuse_to_pay dispute_amount ask_amount ask_due_date ask_how_to_pay ask_instalment check_bill "
    "check_balance ask_who_is_calling ask_if_robot ask_human busy_call_back opt_out ask_repeat wait greeting "
    "goodbye abuse out_of_scope"
)


@pytest.fixture(scope="module")
def examples() -> dict[str, list[Example]]:
    return load_examples(CAMPAIGN)  # which also refuses one text under two labels


@pytest.mark.parametrize(
    ("language", "least", "least_outside"), [("en", 80, 300), ("zh", 80, 300), ("yue", 40, 40)]
)
def test_every_label_has_enough_rows(
    examples: dict[str, list[Example]], language: str, least: int, least_outside: int
) -> None:
    counts = Counter(row.intent for row in examples[language])
    assert set(counts) == set(LABELS.split())
    assert counts["out_of_scope"] >= least_outside
    assert min(counts.values()) >= least


@pytest.mark.parametrize("language", ["en", "zh", "yue"])
def test_no_row_stands_twice(examples: dict[str, list[Example]], language: str) -> None:
    texts = Counter(normalise(row.text) for row in examples[language])
    assert [text for text, count in texts.items() if count > 1] == []


def test_english_is_spelled_as_recognisers_spell(examples: dict[str, list[Example]]) -> None:
    assert [row.text for row in examples["en"] if not re.fullmatch("[a-z' ]+", row.text)] == []


@pytest.mark.parametrize("language", ["en", "zh", "yue"])
def test_every_label_has_held_out_rows(examples: dict[str, list[Example]], language: str) -> None:
    rows = examples[language]
    aside = [row for row in rows if is_held_out(row.text)]
    assert 0.12 < len(aside) / len(rows) < 0.18
    assert {row.intent for row in aside} == {row.intent for row in rows}
