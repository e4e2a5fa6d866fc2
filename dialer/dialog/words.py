"""Numbers, money and dates as they are spoken. English; further languages add an entry to ``SPEAKERS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS_EN = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
# Singular and plural of the unit and of its hundredth; None where the currency has none in use.
_CURRENCIES_EN: dict[str, tuple[str, str, str | None, str | None]] = {
    "USD": ("dollar", "dollars", "cent", "cents"),
    "HKD": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "CNY": ("yuan", "yuan", "fen", "fen"),
    "JPY": ("yen", "yen", None, None),
}


def number_en(value: int) -> str:
    """A whole number below 10^12 in words: 123 is "one hundred and twenty three"."""
    if value < 0:
        return "minus " + number_en(-value)
    if value >= 10**12:
        raise ValueError(f"{value} is too large to be spoken")
    if value < 20:
        return _SMALL[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_SMALL[value % 10]}" if value % 10 else "")
    if value < 1000:
        rest = value % 100
        return f"{_SMALL[value // 100]} hundred" + (f" and {number_en(rest)}" if rest else "")
    for size, name in _GROUPS:
        if value >= size:
            head, rest = divmod(value, size)
            joint = " and " if 0 < rest < 100 else " "
            return f"{number_en(head)} {name}" + (joint + number_en(rest) if rest else "")
    raise AssertionError(value)


def ordinal_en(value: int) -> str:
    """ "first", "twenty third", for 1 and above."""
    head, _, last = number_en(value).rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return f"{head} {last}".strip()


def money_en(value: Decimal, currency: str) -> str:
    """ "one hundred and twenty three dollars and forty five cents"; rounded half up to hundredths.

    Raises:
        ValueError: the currency is unknown here, or the sum is negative or too large.
    """
    if currency not in _CURRENCIES_EN:
        raise ValueError(f"no words for the currency {currency!r} (known: {', '.join(_CURRENCIES_EN)})")
    one, many, part_one, part_many = _CURRENCIES_EN[currency]
    step = Decimal("0.01") if part_one else Decimal(1)
    exact = Decimal(value).quantize(step, rounding=ROUND_HALF_UP)
    if exact < 0:
        raise ValueError(f"a negative sum cannot be spoken: {value}")
    whole, part = int(exact), int(exact % 1 * 100)
    units = f"{number_en(whole)} {one if whole == 1 else many}"
    if not part:
        return units
    parts = f"{number_en(part)} {part_one if part == 1 else part_many}"
    return f"{units} and {parts}" if whole else parts


def day_en(value: date) -> str:
    """ "December third"."""
    return f"{MONTHS_EN[value.month - 1]} {ordinal_en(value.day)}"


def weekday_en(value: date) -> str:
    """ "Friday"."""
    return WEEKDAYS_EN[value.weekday()]


def digits_en(value: str) -> str:
    """Digits one by one, in the groups they are written in: "20 55" is "two zero, five five"."""
    groups = ["".join(c for c in part if c.isdigit()) for part in value.replace("-", " ").split()]
    return ", ".join(" ".join(_SMALL[int(c)] for c in group) for group in groups if group)


@dataclass(frozen=True, slots=True)
class Speaker:
    """How one language says things; the Jinja filters of prompts."""

    number: Callable[[int], str]
    ordinal: Callable[[int], str]
    money: Callable[[Decimal, str], str]
    day: Callable[[date], str]
    weekday: Callable[[date], str]
    digits: Callable[[str], str]


SPEAKERS: dict[str, Speaker] = {
    "en": Speaker(number_en, ordinal_en, money_en, day_en, weekday_en, digits_en),
}
