from __future__ import annotations

from datetime import time
from decimal import Decimal

import pytest

from dialer.intent.slots.english import read_amount, read_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a hundred and fifty dollars", "150"),
        ("one hundred fifty", "150"),
        ("i can pay one fifty", "150"),
        ("two twenty five", "225"),
        ("twelve hundred dollars", "1200"),
        ("a thousand two hundred and six pounds", "1206"),
        ("fifty bucks", "50"),
        ("i can pay fifty a month", "50"),
        ("twenty dollars and fifty cents", "20.50"),
        ("ten dollars fifty", "10.50"),
        ("ninety nine cents", "0.99"),
        ("$1,250.50", "1250.50"),
        ("120 dollars", "120"),
        ("fifty no sixty dollars", "60"),
        ("i can give you a hundred now and fifty next month", "100"),
        ("forty dollars on the fifteenth", "40"),
        ("two dollars", "2"),
    ],
)
def test_amounts(text: str, expected: str) -> None:
    assert read_amount(text) == Decimal(expected)


@pytest.mark.parametrize(
    "text",
    ["", "in ten days", "on the fifteenth", "three payments", "after six", "call me at seven", "no money"],
)
def test_no_amount(text: str) -> None:
    assert read_amount(text) is None


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("after six", 18, 0),
        ("call me at nine", 9, 0),
        ("at nine in the evening", 21, 0),
        ("half past five", 17, 30),
        ("a quarter to four", 15, 45),
        ("at six thirty", 18, 30),
        ("seven pm", 19, 0),
        ("11 am", 11, 0),
        ("eight o'clock", 8, 0),
        ("after twelve", 12, 0),
        ("at 14:30", 14, 30),
        ("tomorrow morning", 10, 0),
        ("around noon", 12, 0),
        ("in the afternoon", 15, 0),
        ("sometime tonight", 19, 0),
        ("after five no after six", 18, 0),
    ],
)
def test_times(text: str, hour: int, minute: int) -> None:
    assert read_time(text) == time(hour, minute)


@pytest.mark.parametrize("text", ["", "later", "in ten minutes", "one fifty", "i owe about six dollars"])
def test_no_time(text: str) -> None:
    assert read_time(text) is None
