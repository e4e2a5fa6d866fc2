"""The calendar that promises are made by. Weeks begin on Monday (0); Sunday is 6."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

MORNING, NOON, AFTERNOON, EVENING = 10, 12, 15, 19
"""The hour that a part of the day stands for when somebody is to be called back."""


def add_months(day: date, months: int) -> date:
    """The same day so many months on, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def end_of_month(day: date, months: int = 0) -> date:
    """The last day of the month that is so many months on."""
    first = add_months(day.replace(day=1), months)
    return first.replace(day=monthrange(first.year, first.month)[1])


def day_of_month(today: date, number: int, months: int = 0) -> date | None:
    """Day ``number`` of the month that is so many months on; None where it has no such day."""
    first = add_months(today.replace(day=1), months)
    if not 1 <= number <= monthrange(first.year, first.month)[1]:
        return None
    return first.replace(day=number)


def next_day_of_month(today: date, number: int) -> date | None:
    """The next date, today or later, with this day of the month."""
    if not 1 <= number <= 31:
        return None
    found = (day_of_month(today, number, months) for months in range(3))
    return next((day for day in found if day is not None and day >= today), None)


def next_date(today: date, month: int, number: int) -> date | None:
    """The next date, today or later, with this month and day, at most eight years away (29 February)."""
    for year in range(today.year, today.year + 9):
        try:
            day = date(year, month, number)
        except ValueError:
            continue
        if day >= today:
            return day
    return None


def coming(today: date, weekday: int) -> date:
    """The next such weekday after today: said on a Friday, "Friday" is in a week."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def in_week(today: date, weekday: int, weeks: int) -> date:
    """The weekday of the calendar week that is so many weeks on."""
    return today + timedelta(days=weekday - today.weekday() + 7 * weeks)


def end_of_week(today: date) -> date:
    """Friday; from Saturday on, Sunday."""
    return in_week(today, 4 if today.weekday() <= 4 else 6, 0)


def weekend(today: date, weeks: int = 0) -> date:
    """Saturday of the week that is so many weeks on; on a Sunday, that Sunday."""
    return today if weeks == 0 and today.weekday() == 6 else in_week(today, 5, weeks)
