"""Amounts and times in English utterances; days are in ``english_days``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal

from dialer.intent.slots import days
from dialer.intent.slots.english_days import mentions, read_date
from dialer.intent.slots.spoken_numbers import after_phrase, cardinal, listed, tokens

__all__ = ["read_amount", "read_date", "read_time"]

_CORRECTIONS = frozenset(listed("no sorry actually wait mean rather correction"))
_MONEY = frozenset(listed("dollar dollars buck bucks pound pounds euro euros quid yuan"))
_CENTS = frozenset(listed("cent cents penny pennies pence"))
_COUNTED = frozenset(
    listed(
        "day days week weeks month months year years hour hours minute minutes second seconds percent "
        "time times people person payment payments instalment instalments installment installments part "
        "parts kid kids o'clock am pm a.m p.m thirty more of th bills calls letters children"
    )
)


def read_amount(text: str) -> Decimal | None:
    """The first sum of money, or the last where the speaker corrects it ("fifty no sixty dollars").

    A number without money counts from 5 on where it counts nothing else ("i can pay fifty a month").
    """
    words = tokens(text)
    dates = {
        place for mention in mentions(words, date(2000, 1, 3)) for place in range(mention.start, mention.end)
    }
    found: list[tuple[Decimal, int]] = []
    place = 0
    while place < len(words):
        number = None if place in dates else cardinal(words, place)
        if number is None:
            place += 1
            continue
        value, end = number
        amount, end = _money(words, place, value, end)
        if amount is not None:
            if found and not _CORRECTIONS & set(words[found[-1][1] : place]):
                break
            found.append((amount, end))
        place = end
    return found[-1][0] if found else None


def _money(words: Sequence[str], start: int, value: Decimal, end: int) -> tuple[Decimal | None, int]:
    """The sum whose number stands at ``words[start:end]``, with its cents, and where it ends."""
    following = words[end] if end < len(words) else ""
    if following in _CENTS:
        return value / 100, end + 1
    if following in _MONEY:
        end += 1
        rest = end + 1 if words[end : end + 1] == ["and"] else end
        cents = cardinal(words, rest)
        if cents and cents[0] < 100:
            after = cents[1]
            if after < len(words) and words[after] in _CENTS:
                return value + cents[0] / 100, after + 1
            if rest == end and cents[0] >= 10 and after == len(words):  # "ten dollars fifty"
                return value + cents[0] / 100, after
        return value, end
    before = words[start - 1] if start else ""
    if before == "$":
        return value, end
    if (
        value < 5
        or following in _COUNTED
        or before in ("at", "number", "after", "past", "the", "to", "around")
    ):
        return None, end
    return value, end


# --- times --------------------------------------------------------------------------------------

_PARTS = {
    "morning": days.MORNING,
    "noon": days.NOON,
    "midday": days.NOON,
    "lunchtime": days.NOON,
    "lunch": days.NOON,
    "afternoon": days.AFTERNOON,
    "evening": days.EVENING,
    "tonight": days.EVENING,
    "night": days.EVENING,
}
_BEFORE_A_TIME = frozenset(listed("at after around about by before past until till from say like"))


def read_time(text: str) -> time | None:
    """The last clock time ("after six", "half past five", "7 pm"), else the part of the day.

    A bare hour from one to seven is in the afternoon or evening: nobody asks to be called at five in
    the morning.
    """
    words = tokens(text.replace("p.m.", "pm").replace("a.m.", "am").replace(":", " "))
    part = next((_PARTS[word] for word in reversed(words) if word in _PARTS), None)
    clock: time | None = None
    place = 0
    while place < len(words):
        found = _clock(words, place, part)
        if found is None:
            place += 1
        else:
            clock, place = found
    if clock is not None:
        return clock
    return time(part) if part is not None else None


def _clock(words: Sequence[str], place: int, part: int | None) -> tuple[time, int] | None:
    """The clock time that begins at ``words[place]``, and the place after it."""
    minutes = 0
    here = place
    if end := after_phrase(words, place, "half past", "quarter past", "a quarter past"):
        minutes, here = (30 if words[place] == "half" else 15), end
    elif end := after_phrase(words, place, "quarter to", "a quarter to"):
        minutes, here = -15, end
    hour = _small(words, here)
    if hour is None or not 1 <= hour <= 23:
        return None
    after = here + 1
    if here == place and (more := cardinal(words, after)) and more[0] in (15, 20, 30, 40, 45, 50, 10):
        minutes, after = int(more[0]), more[1]
    if words[after : after + 1] == ["o'clock"]:
        after += 1
        marked = True
    else:
        marked = here != place or (place > 0 and words[place - 1] in _BEFORE_A_TIME)
    half = words[after] if after < len(words) else ""
    if half == "m" or words[after : after + 2] in (["p", "m"], ["a", "m"]):
        half = f"{half}m"
    marked = marked or half in ("am", "pm") or (half == "in" and part is not None)
    if not marked or half in _COUNTED - {"am", "pm"} or half in _MONEY:
        return None
    if hour < 12 and (half == "pm" or (half != "am" and _is_late(hour, part))):
        hour += 12
    total = hour * 60 + minutes
    return time(total // 60 % 24, total % 60), after


def _small(words: Sequence[str], place: int) -> int | None:
    """An hour: one word only, so that "six thirty" is not 630."""
    number = cardinal(words[place : place + 1], 0)
    return int(number[0]) if number and number[0] == int(number[0]) else None


def _is_late(hour: int, part: int | None) -> bool:
    if part is None:
        return hour <= 7
    return part >= days.AFTERNOON or (part == days.NOON and hour <= 3)
