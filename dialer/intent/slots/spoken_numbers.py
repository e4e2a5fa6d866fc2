"""English words and numbers as spoken: "a hundred and fifty", "one fifty", "twenty first"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal


def listed(words: str) -> list[str]:
    """The words of a table, written as a sentence so that it can be read as one."""
    return words.split()


_TOKEN = re.compile(r"\d+(?:[.,]\d+)*(?:st|nd|rd|th)?|\$|[a-z]+(?:'[a-z]+)?")
_UNITS = {
    word: value
    for value, word in enumerate(
        listed(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
            "sixteen seventeen eighteen nineteen"
        )
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(listed("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        listed(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
        ),
        start=1,
    )
} | {"thirtieth": 30}


def tokens(text: str) -> list[str]:
    """The words and figures of an utterance, in lower case, without a possessive "'s"."""
    plain = text.lower().replace("\u2019", "'").replace("-", " ")
    return [word.removesuffix("'s") for word in _TOKEN.findall(plain)]


def after_phrase(words: Sequence[str], place: int, *phrases: str) -> int | None:
    """The place after the longest of ``phrases`` that stands at ``place``."""
    for phrase in sorted(phrases, key=len, reverse=True):
        parts = phrase.split()
        if list(words[place : place + len(parts)]) == parts:
            return place + len(parts)
    return None


def cardinal(words: Sequence[str], start: int) -> tuple[Decimal, int] | None:
    """The number that begins at ``words[start]`` and the place after it; None where none begins.

    "one fifty" is 150 and "two twenty five" 225, as prices are said; "a" counts only before
    "hundred", "thousand" and "couple".
    """
    if start >= len(words):
        return None
    if words[start][0].isdigit():
        return _digits(words, start)
    total = group = Decimal(0)
    place, seen = start, False
    while place < len(words):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else ""
        if word in ("a", "an") and not seen and following in ("hundred", "thousand"):
            group, seen = Decimal(1), True
        elif word == "hundred" and seen and 0 < group < 100:
            group *= 100
        elif word == "thousand" and seen and 0 < group < 1000:
            total, group = total + group * 1000, Decimal(0)
        elif word == "and" and seen and group % 100 == 0 and _below_hundred(words, place + 1):
            pass
        elif small := _below_hundred(words, place):
            value, end = small
            if group % 100 == 0:
                group += value
            elif group < 10 and value >= 10:
                group = group * 100 + value
            else:
                break
            seen, place = True, end
            continue
        else:
            break
        place += 1
    return (total + group, place) if seen else None


def _digits(words: Sequence[str], start: int) -> tuple[Decimal, int] | None:
    """Figures as a recogniser may write them: "1,250.50", and "5 hundred"."""
    figures = words[start].replace(",", "")
    if not figures.replace(".", "", 1).isdecimal():
        return None
    value, place = Decimal(figures), start + 1
    while place < len(words) and words[place] in ("hundred", "thousand"):
        value *= 100 if words[place] == "hundred" else 1000
        place += 1
    return value, place


def _below_hundred(words: Sequence[str], start: int) -> tuple[int, int] | None:
    if start >= len(words):
        return None
    word = words[start]
    if word in _UNITS:
        return _UNITS[word], start + 1
    if word not in _TENS:
        return None
    unit = _UNITS.get(words[start + 1], 0) if start + 1 < len(words) else 0
    return (_TENS[word] + unit, start + 2) if 1 <= unit <= 9 else (_TENS[word], start + 1)


def ordinal(words: Sequence[str], start: int) -> tuple[int, int] | None:
    """The ordinal 1 to 99 that begins at ``words[start]`` ("twenty first", "21st"), and the place after."""
    if start >= len(words):
        return None
    word = words[start]
    if word in _ORDINALS:
        return _ORDINALS[word], start + 1
    if word[0].isdigit() and word[-2:] in ("st", "nd", "rd", "th") and word[:-2].isdigit():
        return int(word[:-2]), start + 1
    if word in _TENS and start + 1 < len(words) and _ORDINALS.get(words[start + 1], 10) < 10:
        return _TENS[word] + _ORDINALS[words[start + 1]], start + 2
    return None
