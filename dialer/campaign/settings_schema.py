"""Shape of ``campaign.yaml``, and the frozen settings made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Literal

import holidays as public_holidays
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dialer.campaign.base import CampaignPlan
from dialer.campaign.calendar import ALWAYS_OPEN, MINUTES_PER_DAY, CallingHours
from dialer.campaign.columns import ColumnKind, ContactColumn
from dialer.campaign.retry import DAY_MS, HOUR_MS, MINUTE_MS, NEVER, RetryRule, RetryRules
from dialer.speech.base import Voice
from dialer.speech.endpointing import EndpointSettings
from dialer.yamlfile import YamlFile, shape_mistakes

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNIT_MS = {"s": 1000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_ENDPOINTING = EndpointSettings()
_HOLIDAY_YEARS = 3  # this year and the two after it


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """Public holidays on which nobody is called: ISO 3166 country and perhaps a subdivision."""

    country: str
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class AttemptCaps:
    """Attempts on one number: ``per_day`` and ``per_week`` over all campaigns; None for no cap."""

    total: int = 3
    per_day: int | None = None
    per_week: int | None = None


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """Whether calls are recorded, and whether the callee is told so (``recording`` in prompts)."""

    enabled: bool = True
    announce: bool = True


@dataclass(frozen=True, slots=True)
class CampaignSettings:
    """A campaign's settings, checked.

    Attributes:
        name: unique in a database.
        languages: BCP 47 primary tags; the first is the default of contacts that name none.
        voices: by language.
        trunks: names of trunks, used in turn; empty for the host's default.
        caller_ids: E.164 numbers shown, used in turn.
        windows: calling windows by weekday, see ``CallingHours``; None for always.
        holidays: see ``HolidayRule``; None where holidays are like other days.
        attempts, retry: how often, and when again.
        lines, cps: at most so many calls at once and a second; None for no cap of its own.
        longest_call_ms: then the dialog says goodbye.
        ring_timeout_ms: then an unanswered call is given up.
        consent_required: only contacts with a consent on file are called.
        default_region: ISO 3166 country of numbers written without a country code.
        columns: of the contact list.
        leave_message: whether a machine gets the dialog's message, or is hung up on.
        detect_machines: whether answering machines are looked for.
        endpointing: when a turn ends.
        threshold: least score at which an intent is believed; None for the dialog's own.
    """

    name: str
    description: str
    languages: tuple[str, ...]
    voices: Mapping[str, Voice]
    trunks: tuple[str, ...]
    caller_ids: tuple[str, ...]
    windows: Mapping[int, tuple[tuple[int, int], ...]] | None
    holidays: HolidayRule | None
    attempts: AttemptCaps
    retry: RetryRules
    lines: int | None
    cps: float | None
    longest_call_ms: int
    ring_timeout_ms: int
    recording: RecordingRule
    consent_required: bool
    default_region: str
    columns: tuple[ContactColumn, ...]
    leave_message: bool
    detect_machines: bool
    endpointing: EndpointSettings
    threshold: float | None

    def calling_hours(self, today: date) -> CallingHours:
        """When contacts may be called; holidays are known for this year and the two after it."""
        if self.windows is None and self.holidays is None:
            return ALWAYS_OPEN
        windows = self.windows if self.windows is not None else ALWAYS_OPEN.windows
        closed: frozenset[date] = frozenset()
        if self.holidays is not None:
            days = public_holidays.country_holidays(
                self.holidays.country,
                subdiv=self.holidays.subdivision or None,
                years=range(today.year, today.year + _HOLIDAY_YEARS),
            )
            closed = frozenset(days)
        return CallingHours(windows, closed)

    def plan(self, campaign_id: int, today: date) -> CampaignPlan:
        """What the scheduler needs, under the id that the database gave the campaign."""
        return CampaignPlan(
            campaign_id=campaign_id,
            name=self.name,
            hours=self.calling_hours(today),
            retry=self.retry,
            trunks=self.trunks,
            caller_ids=self.caller_ids,
            lines=self.lines,
            cps=self.cps,
            per_day=self.attempts.per_day,
            per_week=self.attempts.per_week,
            consent_required=self.consent_required,
        )


# --- shapes --------------------------------------------------------------------------------------


def _duration_ms(value: object) -> object:
    match = re.fullmatch(r"(\d+)\s*([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a time is a number with s, m, h or d behind it, like `10m`")
    return int(match[1]) * _UNIT_MS[match[2]]


def _window(value: object) -> object:
    match = re.fullmatch(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a window is written like `09:00-20:00`")
    first, last = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if int(match[2]) > 59 or int(match[4]) > 59 or last > MINUTES_PER_DAY:
        raise ValueError("there is no such time of the day")
    if first >= last:
        raise ValueError("a window must end after it begins (split one that goes over midnight)")
    return (first, last)


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _hours(value: object) -> object:
    return None if value == "always" else value


def _retry(value: object) -> object:
    return {"after": None} if value == "never" else value


Duration = Annotated[int, BeforeValidator(_duration_ms)]
Windows = Annotated[list[Annotated[tuple[int, int], BeforeValidator(_window)]], BeforeValidator(_listed)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class VoiceShape(_Shape):
    """One entry of ``voices``; see ``speech.base.Voice``."""

    engine: str = "espeak"
    name: str
    rate_wpm: Annotated[int, Field(ge=80, le=400)] = 165
    pitch: Annotated[int, Field(ge=0, le=99)] = 50
    volume: Annotated[int, Field(ge=0, le=200)] = 100


class HolidaysShape(_Shape):
    """``holidays``."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    subdivision: str = ""

    @model_validator(mode="after")
    def _is_known(self) -> HolidaysShape:
        known = public_holidays.list_supported_countries()
        if self.country not in known:
            raise ValueError(f"the holidays of {self.country!r} are not known")
        if self.subdivision and self.subdivision not in known[self.country]:
            raise ValueError(f"{self.country} has no subdivision {self.subdivision!r}")
        return self


class AttemptsShape(_Shape):
    """``attempts``."""

    total: Annotated[int, Field(ge=1, le=50)] = 3
    per_day: Annotated[int, Field(ge=1, le=50)] | None = None
    per_week: Annotated[int, Field(ge=1, le=50)] | None = None


class RetryShape(_Shape):
    """One entry of ``retry``: ``never``, or ``{after: 2h, jitter: 10m}``."""

    after: Duration | None
    jitter: Duration = 0


class PacingShape(_Shape):
    """``pacing``."""

    lines: Annotated[int, Field(ge=1, le=5000)] | None = None
    cps: Annotated[float, Field(gt=0, le=1000, strict=False)] | None = None


class RecordingShape(_Shape):
    """``recording``."""

    enabled: bool = True
    announce: bool = True


class ConsentShape(_Shape):
    """``consent``."""

    required: bool


class ColumnShape(_Shape):
    """One entry of ``contacts.columns``."""

    kind: Annotated[ColumnKind, Field(strict=False)] = ColumnKind.TEXT
    required: bool = False
    headers: list[str] = []


class ContactsShape(_Shape):
    """``contacts``."""

    default_region: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    columns: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ColumnShape]

    @model_validator(mode="after")
    def _fits(self) -> ContactsShape:
        for kind, least in ((ColumnKind.PHONE, 1), (ColumnKind.LANGUAGE, 0), (ColumnKind.TIME_ZONE, 0)):
            names = [name for name, column in self.columns.items() if column.kind is kind]
            if len(names) > 1:
                raise ValueError(f"only one column can be of the kind {kind}, not {' and '.join(names)}")
            if len(names) < least:
                raise ValueError(f"one column must be of the kind {kind}")
        owner: dict[str, str] = {}
        for name, column in self.columns.items():
            for header in {name, *(h.strip().casefold() for h in column.headers)}:
                if owner.setdefault(header, name) != name:
                    raise ValueError(f"the header {header!r} stands for {owner[header]} and for {name}")
        return self


class EndpointingShape(_Shape):
    """``endpointing``; see ``speech.endpointing.EndpointSettings``."""

    min_tail_ms: Annotated[int, Field(ge=160, le=2000)] = _ENDPOINTING.min_tail_ms
    one_word_tail_ms: Annotated[int, Field(ge=160, le=2000)] = _ENDPOINTING.one_word_tail_ms
    digits_tail_ms: Annotated[int, Field(ge=160, le=3000)] = _ENDPOINTING.digits_tail_ms
    max_tail_ms: Annotated[int, Field(ge=200, le=5000)] = _ENDPOINTING.max_tail_ms

    @model_validator(mode="after")
    def _in_order(self) -> EndpointingShape:
        if not self.one_word_tail_ms <= self.min_tail_ms <= self.max_tail_ms:
            raise ValueError("one_word_tail_ms <= min_tail_ms <= max_tail_ms must hold")
        return self


class CampaignShape(_Shape):
    """The whole file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
    description: str = ""
    languages: Annotated[list[str], Field(min_length=1)]
    voices: dict[str, VoiceShape]
    trunks: list[str] = []
    caller_ids: list[Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")]] = []
    hours: Annotated[dict[str, Windows] | None, BeforeValidator(_hours)]
    holidays: HolidaysShape | None = None
    attempts: AttemptsShape = AttemptsShape()
    retry: dict[str, Annotated[RetryShape, BeforeValidator(_retry)]] = {}
    pacing: PacingShape = PacingShape()
    longest_call: Duration = 5 * MINUTE_MS
    ring_timeout: Duration = 30_000
    recording: RecordingShape = RecordingShape()
    consent: ConsentShape
    contacts: ContactsShape
    voicemail: Literal["message", "hang_up"] = "message"
    detect_machines: bool = True
    endpointing: EndpointingShape = EndpointingShape()
    threshold: Annotated[float, Field(ge=0, le=1, strict=False)] | None = None

    @model_validator(mode="after")
    def _every_language_has_a_voice(self) -> CampaignShape:
        silent = [language for language in self.languages if language not in self.voices]
        if silent:
            raise ValueError(f"there is no voice for {', '.join(silent)}: add it under `voices`")
        return self


_MODELS: Mapping[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        CampaignShape, ContactsShape, ColumnShape, VoiceShape, AttemptsShape, RetryShape, PacingShape,
        RecordingShape, ConsentShape, EndpointingShape, HolidaysShape,
    )
}  # fmt: skip


def make_settings(file: YamlFile) -> CampaignSettings | None:
    """The settings that ``file`` describes; mistakes are added to its ``mistakes`` (then None)."""
    if not file.data:
        return None
    try:
        shape = CampaignShape.model_validate(file.data)
    except ValidationError as error:
        file.mistakes.extend(shape_mistakes(file, error, _MODELS))
        return None
    windows = _windows(shape, file)
    rules = {
        name: NEVER if rule.after is None else RetryRule(rule.after, rule.jitter)
        for name, rule in shape.retry.items()
    }
    holidays = shape.holidays
    return CampaignSettings(
        name=shape.name,
        description=shape.description,
        languages=tuple(shape.languages),
        voices=MappingProxyType({name: Voice(**voice.model_dump()) for name, voice in shape.voices.items()}),
        trunks=tuple(shape.trunks),
        caller_ids=tuple(shape.caller_ids),
        windows=windows,
        holidays=HolidayRule(holidays.country, holidays.subdivision) if holidays is not None else None,
        attempts=AttemptCaps(**shape.attempts.model_dump()),
        retry=RetryRules(MappingProxyType(rules), shape.attempts.total),
        lines=shape.pacing.lines,
        cps=shape.pacing.cps,
        longest_call_ms=shape.longest_call,
        ring_timeout_ms=shape.ring_timeout,
        recording=RecordingRule(shape.recording.enabled, shape.recording.announce),
        consent_required=shape.consent.required,
        default_region=shape.contacts.default_region,
        columns=tuple(
            ContactColumn(name, column.kind, column.required, tuple(column.headers))
            for name, column in shape.contacts.columns.items()
        ),
        leave_message=shape.voicemail == "message",
        detect_machines=shape.detect_machines,
        endpointing=EndpointSettings(**shape.endpointing.model_dump()),
        threshold=shape.threshold,
    )


def _windows(shape: CampaignShape, file: YamlFile) -> Mapping[int, tuple[tuple[int, int], ...]] | None:
    """``monday-friday: 09:00-20:00`` by weekday; a weekday that is not named is closed."""
    if shape.hours is None:
        return None
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for key, windows in shape.hours.items():
        first, _, last = key.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            mend = "Write `monday` or `monday-friday`"
            file.mistakes.append(file.mistake(("hours", key), f"{key!r} is no weekday", mend))
            continue
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        ordered = sorted(windows)
        if any(a[1] > b[0] for a, b in pairwise(ordered)):
            file.mistakes.append(file.mistake(("hours", key), "two windows overlap", "Join them"))
        for day in range(start, end + 1) if start <= end else (*range(start, 7), *range(end + 1)):
            if day in found:
                problem = f"{WEEKDAYS[day]} is given twice"
                file.mistakes.append(file.mistake(("hours", key), problem, "Name each day once"))
            found[day] = tuple(ordered)
    return MappingProxyType(found)
