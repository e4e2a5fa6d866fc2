"""Values in an utterance: the day of a promise, an amount, a time to call back. Pure rules.

``english`` (with ``english_days``) and ``chinese`` find values in words (Mandarin and Cantonese share
one table of patterns); ``spoken_numbers`` reads numbers as English speakers say them; ``days`` is the
calendar both lean on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, Protocol

from dialer.intent.slots import chinese, english

KINDS = ("date", "amount", "time", "text")


class _Language(Protocol):
    def read_date(self, text: str, today: date) -> date | None: ...

    def read_amount(self, text: str) -> Decimal | None: ...

    def read_time(self, text: str) -> time | None: ...


_LANGUAGES: Mapping[str, _Language] = {"en": english, "zh": chinese, "yue": chinese}


def read_slots(text: str, language: str, wants: Iterable[str], today: date) -> dict[str, Any]:
    """What of ``wants`` the words hold; what they do not hold is left out.

    Args:
        text: the words heard, numbers as words or digits.
        language: BCP 47 tag, of which the primary part counts; a language without rules reads only
            ``text``.
        wants: kinds, of ``KINDS``.
        today: the callee's local date.

    Returns:
        ``date``: a ``date``, today or later. Of several the last one said, without those that were
        ruled out ("not today, tomorrow"). A week or a month alone ("next week") is no day.
        ``amount``: a ``Decimal`` in whatever money the call is about.
        ``time``: a ``time``; parts of the day count as 10:00, 12:00, 15:00 and 19:00.
        ``text``: the words themselves.
    """
    rules = _LANGUAGES.get(language.partition("-")[0].lower())
    readers: dict[str, Callable[[], Any]] = {"text": lambda: text.strip() or None}
    if rules is not None:
        readers |= {
            "date": lambda: rules.read_date(text, today),
            "amount": lambda: rules.read_amount(text),
            "time": lambda: rules.read_time(text),
        }
    found = {kind: readers[kind]() for kind in wants if kind in readers}
    return {kind: value for kind, value in found.items() if value is not None}
