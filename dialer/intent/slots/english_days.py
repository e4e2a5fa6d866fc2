"""Days in English utterances.

They are found by rules that each look at one place in the words and say which day is meant and where
the words for it end; the longest match at a place wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dialer.intent.slots import days
from dialer.intent.slots.spoken_numbers import after_phrase, cardinal, listed, ordinal, tokens

_WEEKDAYS = listed("monday tuesday wednesday thursday friday saturday sunday")
_MONTHS = listed("january february march april may june july august september october november december")
_NEGATIONS = frozenset(
    listed("not isn't can't cannot couldn't won't don't didn't never neither nor wasn't unable")
)
_UNITS = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14}
_NOT_AHEAD = listed("ago late overdue before old behind back straight notice")
_NOT_A_DAY = frozenset(
    listed(
        "time times one ones thing half part payment payments instalment installment call person week month "
        "notice bill letter reminder floor place party thought reason"
    )
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A value in the words: it stands at ``words[start:end]``."""

    day: date
    start: int
    end: int


Rule = Callable[[Sequence[str], int, date], tuple[date | None, int] | None]


def read_date(text: str, today: date) -> date | None:
    """The last day that was named and not ruled out, today or later."""
    words = tokens(text)
    named = [
        mention
        for mention in mentions(words, today)
        if mention.day >= today and not _ruled_out(words, mention.start)
    ]
    return named[-1].day if named else None


def mentions(words: Sequence[str], today: date) -> Iterator[Mention]:
    """Every day that is named, in the order of the words; days that are over may be among them."""
    place = 0
    while place < len(words):
        found = [match for rule in _RULES if (match := rule(words, place, today)) is not None]
        if not found:
            place += 1
            continue
        day, end = max(found, key=lambda match: match[1])
        if day is not None:
            yield Mention(day, place, end)
        place = end


def _ruled_out(words: Sequence[str], start: int) -> bool:
    """Whether a negation stands shortly before ("not today", "i can't pay on friday") and no "but"."""
    before = list(words[max(0, start - 4) : start])
    for turn in ("but", "until", "till", "before", "then", "so"):
        if turn in before:
            before = before[len(before) - before[::-1].index(turn) :]
            if turn in ("until", "till", "before"):  # "not until friday" is friday
                return False
    return any(word in _NEGATIONS for word in before)


def _today(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    end = after_phrase(
        words,
        place,
        *("today", "tonight", "now", "right now", "right away", "straight away", "immediately"),
        *("this morning", "this afternoon", "this evening", "this minute", "end of the day", "end of day"),
        *("before midnight", "by midnight", "close of business", "later on today", "too day"),
    )
    # "a week from now" and "from now on" are other things.
    if end is None or (place and words[place - 1] in ("from", "until", "till", "by", "just", "of")):
        return (today, end) if end is not None and words[place] in ("today", "tonight") else None
    return today, end


def _tomorrow(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    if end := after_phrase(words, place, "day after tomorrow", "the day after tomorrow", "overmorrow"):
        return today + timedelta(days=2), end
    if end := after_phrase(words, place, "tomorrow", "to morrow", "the next day", "the following day"):
        return today + timedelta(days=1), end
    return None


def _past(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    """ "Last friday", "yesterday": taken here so that no other rule reads the weekday."""
    if end := after_phrase(words, place, "yesterday", "the day before yesterday", "last week", "last month"):
        return None, end
    if words[place] in ("last", "past") and place + 1 < len(words) and words[place + 1] in _WEEKDAYS:
        return None, place + 2
    return None


def _weekday(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    here, which = place, ""
    if words[here] in ("next", "this", "coming", "following") and here + 1 < len(words):
        which, here = words[here], here + 1
        if words[here] == "coming" and here + 1 < len(words):
            which, here = "coming", here + 1
    if words[here] not in _WEEKDAYS:
        return None
    weekday = _WEEKDAYS.index(words[here])
    here += 1
    if (end := after_phrase(words, here, "next week", "of next week")) or which in ("next", "following"):
        return days.in_week(today, weekday, 1), end or here
    if end := after_phrase(words, here, "after next", "week"):
        return days.in_week(today, weekday, 1) + timedelta(days=7 if words[end - 1] == "next" else 0), end
    if end := after_phrase(words, here, "this week", "of this week"):
        return days.in_week(today, weekday, 0), end
    # "Friday the fifteenth" is one day: the number says which.
    dated = here + 1 if here < len(words) and words[here] == "the" else here
    if number := ordinal(words, dated):
        return days.next_day_of_month(today, number[0]), number[1]
    if which == "this" and weekday == today.weekday():
        return today, here
    return days.coming(today, weekday), here


def _span(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    """ "In three days", "a week from friday", "give me a couple of weeks"; "two weeks ago" is none."""
    if end := after_phrase(words, place, "a couple of", "couple of", "a couple", "couple"):
        count = 2
    elif end := after_phrase(words, place, "a few", "few", "a few more", "few more", "several"):
        count = 3
    elif end := after_phrase(words, place, "a", "an", "another", "one more"):
        count = 1
    elif number := cardinal(words, place):
        if number[0] != int(number[0]) or number[0] > 365:
            return None
        count, end = int(number[0]), number[1]
    else:
        return None
    if end < len(words) and words[end] in ("more", "business", "working", "other"):
        end += 1
    if end >= len(words) or words[end] not in (*_UNITS, "month", "months"):
        return None
    unit, end = words[end], end + 1
    before = words[max(0, place - 2) : place]
    if after_phrase(
        words, end, "ago", "late", "overdue", "before", "old", "behind", "back", "straight", "notice"
    ):
        return None, end + 1
    if {"for", "been", "last", "past", "every", "per", "once", "twice"} & set(before):
        return None, end
    if words[place] in ("a", "an") and not _leads_a_span(words, place, end):
        return None, end  # "fifty a month"
    start = today
    if end < len(words) and words[end] == "from":
        for rule in (_today_plain, _tomorrow, _weekday):
            if end + 1 < len(words) and (match := rule(words, end + 1, today)) and match[0]:
                start, end = match[0], match[1]
                break
    if unit.startswith("month"):
        return days.add_months(start, count), end
    return start + timedelta(days=count * _UNITS[unit]), end


def _leads_a_span(words: Sequence[str], place: int, end: int) -> bool:
    """Whether "a week" is a time from now: "in a week", "give me a week", "a week from friday"."""
    lead = {"in", "within", "me", "need", "another", "maybe", "after", "takes", "be", "about", "want", "have"}
    after = {"from", "or", "later", "time", "tops", "max", "to", "please", "at"}
    before = words[place - 1] if place else ""
    return before in lead or not before or (end < len(words) and words[end] in after)


def _today_plain(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    return (today, place + 1) if words[place] in ("now", "today") else None


def _week(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    """Parts of a week: its end, the weekend, the start of the next one."""
    if end := after_phrase(
        words, place, "end of the week", "end of this week", "later this week", "end of week"
    ):
        return days.end_of_week(today), end
    if end := after_phrase(words, place, "after the weekend", "after this weekend"):
        return days.in_week(today, 0, 1), end
    if end := after_phrase(words, place, "next weekend"):
        return days.weekend(today, 1), end
    if end := after_phrase(words, place, "weekend"):
        return days.weekend(today), end
    for weekday, phrases in (
        (0, ("early next week", "beginning of next week", "start of next week", "first thing next week")),
        (2, ("middle of next week", "mid next week", "midweek")),
        (4, ("end of next week", "late next week")),
    ):
        if end := after_phrase(words, place, *phrases):
            return days.in_week(today, weekday, 1), end
    return None


def _month_part(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    """ "End of the month", "the beginning of next month", "the middle of march", "the end of the year"."""
    for part, heads in (
        ("end", ("end of", "close of", "last day of", "month end")),
        ("start", ("beginning of", "start of", "first day of", "early")),
        ("middle", ("middle of", "mid")),
    ):
        if words[place:][:2] == ["month", "end"]:
            return days.end_of_month(today), place + 2
        here = after_phrase(words, place, *heads)
        if here is None:
            continue
        if end := after_phrase(words, here, "next month", "the next month", "the following month"):
            return _part_of(part, days.add_months(today.replace(day=1), 1)), end
        if end := after_phrase(words, here, "the month", "this month", "month"):
            day = _part_of(part, today.replace(day=1))
            return (day if day >= today else _part_of(part, days.add_months(day, 1))), end
        if here < len(words) and words[here] in _MONTHS:
            first = days.next_date(today.replace(day=1), _MONTHS.index(words[here]) + 1, 1)
            return (None if first is None else _part_of(part, first)), here + 1
        if part == "end" and (end := after_phrase(words, here, "the year", "this year", "year")):
            return date(today.year, 12, 31), end
    return None


def _part_of(part: str, first: date) -> date:
    return {"start": first, "middle": first.replace(day=15), "end": days.end_of_month(first)}[part]


def _numbered(words: Sequence[str], place: int, today: date) -> tuple[date | None, int] | None:
    """ "The fifteenth", "the first of next month", "march third", "the third of march"."""
    if words[place] in _MONTHS:
        number = ordinal(words, place + 1 + (words[place + 1 : place + 2] == ["the"]))
        if number is None and (plain := cardinal(words, place + 1)):
            number = (int(plain[0]), plain[1])
        if number is None:
            return None
        return days.next_date(today, _MONTHS.index(words[place]) + 1, number[0]), number[1]
    with_article = words[place] == "the"
    number = ordinal(words, place + 1 if with_article else place)
    if number is None and with_article and place and words[place - 1] in ("on", "by", "until", "till"):
        # "On the fifteen": how a recogniser hears "on the fifteenth".
        plain = cardinal(words, place + 1)
        number = (int(plain[0]), plain[1]) if plain else None
    if number is None or not 1 <= number[0] <= 31:
        return None
    value, end = number
    if after := after_phrase(
        words, end, "of next month", "next month", "of the next month", "of the following month"
    ):
        return days.day_of_month(today, value, 1), after
    if after := after_phrase(words, end, "of this month", "of the month", "this month"):
        return days.next_day_of_month(today, value), after
    month = end + 1 if words[end : end + 1] == ["of"] else end
    if month < len(words) and words[month] in _MONTHS:
        return days.next_date(today, _MONTHS.index(words[month]) + 1, value), month + 1
    if not with_article or (end < len(words) and words[end] in _NOT_A_DAY):
        return None
    return days.next_day_of_month(today, value), end


_RULES: tuple[Rule, ...] = (_past, _today, _tomorrow, _weekday, _span, _week, _month_part, _numbered)
