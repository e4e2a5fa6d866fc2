from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.campaign.calendar import (
    ALWAYS_OPEN,
    CallingHours,
    is_open,
    known_zone,
    next_allowed,
    same_every_day,
    why_undecided,
    zone_of_number,
)

DAY = same_every_day(9 * 60, 20 * 60)
NY = "America/New_York"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        (NY, utc(2026, 1, 5, 15), utc(2026, 1, 5, 15)),  # 10:00 there
        (NY, utc(2026, 1, 5, 13), utc(2026, 1, 5, 14)),  # 08:00
        (NY, utc(2026, 1, 6, 1), utc(2026, 1, 6, 14)),  # 20:00: the end is outside
        (NY, utc(2026, 7, 6, 13), utc(2026, 7, 6, 13)),  # summer time: 09:00
        ("Asia/Kolkata", utc(2026, 1, 5, 3), utc(2026, 1, 5, 3, 30)),  # half-hour offset
        ("Asia/Shanghai", utc(2026, 1, 5, 12), utc(2026, 1, 6, 1)),  # 20:00 there
        ("Pacific/Kiritimati", utc(2026, 1, 4, 19), utc(2026, 1, 4, 19)),  # already Monday 09:00
    ],
)
def test_windows_are_in_the_callees_time(zone: str, at: datetime, expected: datetime) -> None:
    assert next_allowed(DAY, zone, at) == expected


def test_weekdays_and_holidays_are_closed() -> None:
    hours = CallingHours(dict.fromkeys(range(5), ((540, 1200),)), frozenset({date(2026, 1, 5)}))
    friday_night = utc(2026, 1, 3, 2)
    assert next_allowed(hours, NY, friday_night) == utc(2026, 1, 6, 14)  # not Sat, Sun, nor Monday the 5th


def test_several_windows_a_day() -> None:
    hours = same_every_day(600, 720)
    hours = CallingHours(dict.fromkeys(range(7), ((600, 720), (840, 900))))
    assert next_allowed(hours, NY, utc(2026, 1, 5, 17)) == utc(2026, 1, 5, 19)


def test_a_number_in_several_zones_is_called_when_all_allow_it() -> None:
    both = "America/New_York|America/Los_Angeles"
    assert next_allowed(DAY, both, utc(2026, 1, 5, 14)) == utc(2026, 1, 5, 17)
    assert next_allowed(DAY, both, utc(2026, 1, 6, 2)) == utc(2026, 1, 6, 17)


def test_zones_that_never_agree_are_never_called() -> None:
    hours = same_every_day(9 * 60, 10 * 60)
    assert next_allowed(hours, "America/New_York|Asia/Tokyo", utc(2026, 1, 5)) is None


@pytest.mark.parametrize("zone", ["", "Nowhere/Known", "/etc/passwd", "America", "America/New_York|x"])
def test_what_cannot_be_decided_is_not_called(zone: str) -> None:
    assert why_undecided(DAY, zone)
    assert next_allowed(DAY, zone, utc(2026, 1, 5, 15)) is None
    assert not is_open(DAY, zone, utc(2026, 1, 5, 15))


def test_always_open_needs_no_zone() -> None:
    assert is_open(ALWAYS_OPEN, "", utc(2026, 1, 5, 3))
    assert not why_undecided(ALWAYS_OPEN, "")


def test_the_hour_that_spring_leaves_out() -> None:
    # New York, 8 March 2026: 02:00 becomes 03:00 at 07:00 UTC.
    opens_inside = same_every_day(150, 600)
    assert next_allowed(opens_inside, NY, utc(2026, 3, 8, 5)) == utc(2026, 3, 8, 7)
    only_inside = same_every_day(130, 170)
    assert next_allowed(only_inside, NY, utc(2026, 3, 8, 5)) == utc(2026, 3, 9, 6, 10)


def test_the_hour_that_autumn_gives_twice() -> None:
    # New York, 1 November 2026: 02:00 becomes 01:00 at 06:00 UTC. The window opens once, at the first 01:30.
    assert next_allowed(same_every_day(90, 180), NY, utc(2026, 11, 1, 4)) == utc(2026, 11, 1, 5, 30)
    assert is_open(same_every_day(90, 180), NY, utc(2026, 11, 1, 6, 45))


@settings(max_examples=200, deadline=None)
@given(
    at=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),
    zone=st.sampled_from(
        [NY, "Europe/London", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Asia/Tehran"]
    ),
    start=st.integers(0, 1380),
    length=st.integers(61, 600),
)
def test_what_is_allowed_lies_in_a_window(at: datetime, zone: str, start: int, length: int) -> None:
    hours = same_every_day(start, min(1440, start + length))
    found = next_allowed(hours, zone, at)
    assert found is not None
    assert at <= found <= at + timedelta(days=2)
    assert is_open(hours, zone, found)
    if found > at:
        assert not is_open(hours, zone, found - timedelta(milliseconds=1))
    info = known_zone(zone)
    assert info is not None
    local = found.astimezone(info)
    minute = local.hour * 60 + local.minute
    changes = (found - timedelta(hours=3)).astimezone(info).utcoffset() != (
        found + timedelta(hours=3)
    ).astimezone(info).utcoffset()
    assert changes or start <= minute < start + length


@pytest.mark.parametrize(
    ("number", "zone"),
    [("+12025550100", NY), ("+18005550100", ""), ("+442079460958", "Europe/London"), ("+1", ""), ("x", "")],
)
def test_the_zone_of_a_number(number: str, zone: str) -> None:
    assert zone_of_number(number) == zone
