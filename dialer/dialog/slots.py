"""The kinds of slots, and the sentences that fill them (reading them back is ``intent.slots``)."""

from __future__ import annotations

from dialer.dialog.words import WEEKDAYS_EN, ordinal_en

KINDS = ("date", "amount")

# What an utterance of nothing but the value stands for: "on Friday" is a promise to pay later.
INTENT_OF_KIND = {"date": "will_pay_later", "amount": "will_pay_later"}


def sentences(language: str, kind: str) -> tuple[str, ...]:
    """Sentences that fill a slot of ``kind``, for a recogniser's grammar: lower case, numbers as words.

    Examples written by hand cannot hold every weekday and every day of the month. Empty where the
    language has no table for the kind.
    """
    return _SENTENCES.get((language, kind), ())


def _dates_en() -> tuple[str, ...]:
    days = [name.lower() for name in WEEKDAYS_EN]
    said = [
        "tomorrow",
        "tomorrow morning",
        "the day after tomorrow",
        "next week",
        "in a week",
        "in two weeks",
    ]
    said += ["in two days", "in three days", "at the end of the month", "at the end of the week"]
    said += ["the first of next month", "at the beginning of next month"]
    for day in days:
        said += [day, f"on {day}", f"next {day}", f"by {day}", f"no on {day}"]
        said += [f"{carrier} on {day}" for carrier in ("i will pay", "i can pay")]
    said += [f"on the {ordinal_en(n)}" for n in range(1, 32)]
    return tuple(said)


_SENTENCES: dict[tuple[str, str], tuple[str, ...]] = {("en", "date"): _dates_en()}
