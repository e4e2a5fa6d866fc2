"""When a person may be called: hours of the day by the callee's own time zone. Pure.

A time zone here is one IANA name, or several with ``|`` between them where a number may lie in any of
them: then a call is allowed only while it is allowed in all of them. What cannot be decided is not
called: an unknown zone is never open, and ``why_undecided`` says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as number_zones
from phonenumbers.phonenumberutil import is_number_type_geographical

MINUTES_PER_DAY = 24 * 60
MAX_ZONES = 8  # more candidates than that (+1 800 has 42) say nothing about where a person is
_LOOK_AHEAD_DAYS = 400


@dataclass(frozen=True, slots=True)
class CallingHours:
    """The windows of each weekday, in the callee's local time.

    Attributes:
        windows: weekday (0 = Monday) to windows (first minute, minute after the last) of the local day,
            ascending; a weekday that is missing is closed. 1440 is midnight at the day's end.
        closed_days: local dates on which nobody is called (public holidays).
        any_zone: open at all times everywhere; the callee's zone does not matter then.
    """

    windows: Mapping[int, tuple[tuple[int, int], ...]]
    closed_days: frozenset[date] = frozenset()
    any_zone: bool = False

    def __hash__(self) -> int:
        return hash((tuple(sorted(self.windows.items())), self.closed_days, self.any_zone))


ALWAYS_OPEN = CallingHours(windows=dict.fromkeys(range(7), ((0, MINUTES_PER_DAY),)), any_zone=True)


def same_every_day(start_minute: int, end_minute: int) -> CallingHours:
    """One window, the same on all seven days."""
    return CallingHours(windows=dict.fromkeys(range(7), ((start_minute, end_minute),)))


@lru_cache(maxsize=1024)
def known_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None where there is no such zone."""
    if not name or name.startswith(("/", ".")):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name an OSError
        return None


def zone_of_number(number: phonenumbers.PhoneNumber | str, kind: int | None = None) -> str:
    """The time zones in which a number may lie.

    Args:
        number: parsed, or as E.164.
        kind: its ``phonenumbers.PhoneNumberType`` where that is known already; finding it is slow.

    Returns:
        IANA names with ``|`` between them; empty where the number tells nothing (toll-free, satellite,
        or more than ``MAX_ZONES`` candidates).
    """
    if isinstance(number, str):
        try:
            number = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return ""
    code = number.country_code
    if kind is not None and code is not None and is_number_type_geographical(kind, code):
        zones = number_zones.time_zones_for_geographical_number(number)
    else:
        zones = number_zones.time_zones_for_number(number)
    if not zones or len(zones) > MAX_ZONES or number_zones.UNKNOWN_TIMEZONE in zones:
        return ""
    return "|".join(zones)


def why_undecided(hours: CallingHours, zone: str) -> str:
    """Why it cannot be decided when this zone may be called; empty where it can."""
    if hours.any_zone:
        return ""
    if not zone:
        return "the number does not tell the time zone and the list has none"
    unknown = [name for name in zone.split("|") if known_zone(name) is None]
    return f"unknown time zone {unknown[0]!r}" if unknown else ""


def is_open(hours: CallingHours, zone: str, at: datetime) -> bool:
    """Whether a person in ``zone`` may be called at the instant ``at`` (aware)."""
    return next_allowed(hours, zone, at) == at


def next_allowed(hours: CallingHours, zone: str, at: datetime) -> datetime | None:
    """The first instant, not before ``at``, at which a person in ``zone`` may be called.

    Args:
        hours: the campaign's windows.
        zone: see the module.
        at: an aware instant.

    Returns:
        ``at`` itself where it is allowed; None where no instant within 400 days is, or where the zone
        is unknown.
    """
    if hours.any_zone:
        return at
    if why_undecided(hours, zone):
        return None
    infos = [info for info in map(known_zone, zone.split("|")) if info is not None]
    limit = at + timedelta(days=_LOOK_AHEAD_DAYS)
    candidate = at
    while candidate < limit:
        latest = candidate
        for info in infos:
            opened = _next_in_zone(hours, info, candidate)
            if opened is None:
                return None
            latest = max(latest, opened)
        if latest == candidate:
            return candidate
        candidate = latest
    return None


def _next_in_zone(hours: CallingHours, info: ZoneInfo, at: datetime) -> datetime | None:
    for opens, closes in _windows_from(hours, info, at.astimezone(info).date()):
        if at < closes:
            return max(at, opens)
    return None


def _windows_from(hours: CallingHours, info: ZoneInfo, first: date) -> Iterator[tuple[datetime, datetime]]:
    for offset in range(_LOOK_AHEAD_DAYS):
        day = first + timedelta(days=offset)
        if day in hours.closed_days:
            continue
        for start, end in hours.windows.get(day.weekday(), ()):
            opens, closes = _instant(day, start, info), _instant(day, end, info)
            if opens < closes:  # a window inside the hour that a change of clocks leaves out is empty
                yield opens, closes


def _instant(day: date, minute: int, info: ZoneInfo) -> datetime:
    """The instant of a local minute; one that a change of clocks leaves out is the change itself."""
    days, minute = divmod(minute, MINUTES_PER_DAY)
    local = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), info)
    instant = local.astimezone(UTC)
    if instant.astimezone(info).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # Before the gap's end in wall time: both offsets are tried by ``fold``; the change lies between them.
    before, after = local.replace(fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(info).utcoffset() == before.astimezone(info).utcoffset():
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
