from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dialer.call import Contact
from dialer.dialog.render import (
    RenderError,
    fill,
    holds,
    names_in,
    names_in_condition,
    needs_slots,
    static_texts,
    texts_before_dialling,
    values_for,
)
from tests.unit.dialog.plans import ANNA, good_plan


def test_fields_are_filled_and_white_space_is_joined() -> None:
    assert fill("Hello\n  {{ name }} ,\n bye", "en", {"name": "Anna"}) == "Hello Anna , bye"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("{{ amount | money }}", "one hundred and twenty three dollars and forty five cents"),
        ('{{ amount | money("GBP") }}', "one hundred and twenty three pounds and forty five pence"),
        ("{{ due | weekday }}, {{ due | day }}", "Thursday, December third"),
        ("{{ count | number }}", "twelve"),
        ("{{ count | ordinal }}", "twelfth"),
        ("{{ phone | digits }}", "two zero two, five five five"),
    ],
)
def test_filters_speak(text: str, spoken: str) -> None:
    values = {"amount": Decimal("123.45"), "due": date(2026, 12, 3), "count": 12, "phone": "202 555"}
    assert fill(text, "en", values) == spoken


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{{ name }}", {}),
        ("{{ name }}", {"name": None}),
        ("{{ due | day }}", {"due": "tomorrow"}),
        ("{{ amount | money }}", {"amount": "a lot"}),
        ('{{ amount | money("XXX") }}', {"amount": 1}),
        ("{{ name.__class__.__mro__ }}", {"name": "x"}),
        ("{{ ''.__class__ }}", {}),
        ("{{ 1 // 0 }}", {}),
        ("{{ name", {"name": "x"}),
    ],
)
def test_what_cannot_be_filled_is_an_error_and_never_a_gap(text: str, values: dict[str, object]) -> None:
    with pytest.raises(RenderError):
        fill(text, "en", values)


def test_a_language_without_words_has_no_filters() -> None:
    assert fill("{{ name }}", "fi", {"name": "Anna"}) == "Anna"
    with pytest.raises(RenderError):
        fill("{{ 3 | number }}", "fi", {})


def test_conditions() -> None:
    assert holds("", {})
    assert holds("day", {"day": 1})
    assert not holds("day", {"day": None})
    assert holds("not day and name == 'x'", {"day": None, "name": "x"})
    assert not holds("heard.day", {"heard": {"day": None}})
    with pytest.raises(RenderError):
        holds("amount > 3", {"amount": None})


def test_names() -> None:
    assert names_in("{{ a | money }} {% if b %}{{ c }}{% endif %}", "en") == {"a", "b", "c"}
    assert names_in_condition("a and heard.b") == {"a", "heard"}
    assert names_in_condition("") == frozenset()
    with pytest.raises(RenderError, match="monney"):
        names_in("{{ a | monney }}", "en")
    with pytest.raises(RenderError):
        names_in_condition("a +")


def test_everything_but_what_needs_a_slot_is_known_before_dialling(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    texts = texts_before_dialling(plan, ANNA)
    assert "Thanks." in texts
    assert "You owe twelve dollars and fifty cents. When?" in texts
    assert {"Is this Anna?", "Anna?"} <= set(texts)
    assert not [text for text in texts if text.startswith("On ")]
    assert needs_slots(plan, plan.prompts["day_right"], "en")
    assert len(texts) == len(set(texts))


def test_static_texts_are_those_without_the_contact(tmp_path: Path) -> None:
    texts = static_texts(good_plan(tmp_path), "en")
    assert "Hello, a machine of the bank. Are you Anna?" in texts
    assert not [text for text in texts if "owe" in text]


def test_a_contact_without_what_a_prompt_needs_is_told_before_dialling(tmp_path: Path) -> None:
    with pytest.raises(RenderError):
        texts_before_dialling(good_plan(tmp_path), Contact(1, "+12025550101", "en", {}))


def test_values_hold_fields_slots_values_and_what_is_built_in(tmp_path: Path) -> None:
    values = values_for(good_plan(tmp_path), ANNA, {})
    assert values["bank"] == "Harbour Bank"
    assert values["day"] is None
    assert values["number"] == "+12025550101"
    assert values["recording"] is False
