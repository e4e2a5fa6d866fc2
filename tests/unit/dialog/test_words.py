from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dialer.dialog.words import day_en, digits_en, money_en, number_en, ordinal_en, weekday_en


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (20, "twenty"),
        (45, "forty five"),
        (100, "one hundred"),
        (123, "one hundred and twenty three"),
        (1000, "one thousand"),
        (1005, "one thousand and five"),
        (1250, "one thousand two hundred and fifty"),
        (15_000, "fifteen thousand"),
        (2_000_017, "two million and seventeen"),
        (999_999_999_999, "nine hundred and ninety nine billion nine hundred and ninety nine million "
         "nine hundred and ninety nine thousand nine hundred and ninety nine"),
        (-7, "minus seven"),
    ],
)  # fmt: skip
def test_numbers(value: int, words: str) -> None:
    assert number_en(value) == words


def test_a_number_that_nobody_can_say_is_an_error() -> None:
    with pytest.raises(ValueError, match="too large"):
        number_en(10**12)


@pytest.mark.parametrize(
    ("value", "words"),
    [(1, "first"), (2, "second"), (3, "third"), (5, "fifth"), (9, "ninth"), (11, "eleventh"), (12, "twelfth"),
     (20, "twentieth"), (21, "twenty first"), (30, "thirtieth"), (100, "one hundredth")],
)  # fmt: skip
def test_ordinals(value: int, words: str) -> None:
    assert ordinal_en(value) == words


@pytest.mark.parametrize(
    ("value", "currency", "words"),
    [
        ("123.45", "USD", "one hundred and twenty three dollars and forty five cents"),
        ("1", "USD", "one dollar"),
        ("1.01", "USD", "one dollar and one cent"),
        ("0.50", "USD", "fifty cents"),
        ("0", "USD", "zero dollars"),
        ("12.005", "USD", "twelve dollars and one cent"),
        ("1500", "JPY", "one thousand five hundred yen"),
        ("2.01", "GBP", "two pounds and one penny"),
    ],
)
def test_money(value: str, currency: str, words: str) -> None:
    assert money_en(Decimal(value), currency) == words


def test_money_that_cannot_be_said_is_an_error() -> None:
    with pytest.raises(ValueError, match="no words for the currency"):
        money_en(Decimal(1), "XAU")
    with pytest.raises(ValueError, match="negative"):
        money_en(Decimal(-1), "USD")


def test_days_and_digits() -> None:
    assert day_en(date(2026, 12, 3)) == "December third"
    assert day_en(date(2026, 1, 31)) == "January thirty first"
    assert weekday_en(date(2026, 12, 3)) == "Thursday"
    assert digits_en("+1 202-555 0199") == "one, two zero two, five five five, zero one nine nine"
