from __future__ import annotations

from datetime import date

from dialer.intent.slots import days

WEDNESDAY = date(2026, 3, 11)
FRIDAY, SATURDAY, SUNDAY = date(2026, 3, 13), date(2026, 3, 14), date(2026, 3, 15)


def test_months_of_other_lengths() -> None:
    assert days.add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert days.add_months(date(2026, 12, 15), 2) == date(2027, 2, 15)
    assert days.end_of_month(date(2027, 12, 31), 2) == date(2028, 2, 29)
    assert days.day_of_month(WEDNESDAY, 31, 1) is None
    assert days.next_day_of_month(date(2026, 4, 1), 31) == date(2026, 5, 31)
    assert days.next_day_of_month(WEDNESDAY, 11) == WEDNESDAY
    assert days.next_day_of_month(WEDNESDAY, 32) is None
    assert days.next_date(WEDNESDAY, 2, 29) == date(2028, 2, 29)
    assert days.next_date(WEDNESDAY, 2, 30) is None


def test_weekdays_are_never_today_unless_the_week_is_named() -> None:
    assert days.coming(FRIDAY, 4) == date(2026, 3, 20)
    assert days.in_week(FRIDAY, 4, 0) == FRIDAY
    assert days.in_week(SUNDAY, 0, 1) == date(2026, 3, 16)


def test_the_ends_of_a_week() -> None:
    assert days.end_of_week(WEDNESDAY) == days.end_of_week(FRIDAY) == FRIDAY
    assert days.end_of_week(SATURDAY) == SUNDAY
    assert days.weekend(WEDNESDAY) == days.weekend(SATURDAY) == SATURDAY
    assert days.weekend(SUNDAY) == SUNDAY
    assert days.weekend(SUNDAY, 1) == date(2026, 3, 21)
