from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dialer.campaign.calendar import is_open
from dialer.campaign.columns import ColumnKind, ContactColumn
from dialer.campaign.retry import DAY_MS, HOUR_MS, NEVER, RetryRule
from dialer.campaign.settings_schema import CampaignSettings, make_settings
from dialer.speech.base import Voice
from dialer.yamlfile import YamlFile, read_yaml

TODAY = date(2026, 3, 2)
SMALL = """\
name: small
languages: [en]
voices:
  en: {name: en-us, rate_wpm: 180}
hours:
  monday-friday: ["09:00-12:00", "13:00-20:00"]
  sunday: 10:00-12:00
holidays: {country: US}
retry:
  no_answer: {after: 2h, jitter: 10m}
  voicemail: never
attempts: {total: 5}
pacing: {lines: 3, cps: 1}
longest_call: 90s
ring_timeout: 20s
consent: {required: true}
contacts:
  default_region: US
  columns:
    number: {kind: phone, required: true, headers: [Phone]}
    name: {required: true}
    amount: {kind: decimal}
"""


def read(tmp_path: Path, text: str) -> tuple[CampaignSettings | None, YamlFile]:
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    file = read_yaml(path)
    return make_settings(file), file


def good(tmp_path: Path, text: str = SMALL) -> CampaignSettings:
    settings, file = read(tmp_path, text)
    assert settings is not None, file.mistakes
    assert not file.mistakes
    return settings


def test_everything_arrives_as_frozen_values(tmp_path: Path) -> None:
    settings = good(tmp_path)
    assert settings.voices["en"] == Voice("espeak", "en-us", 180)
    assert settings.retry.rule("no_answer") == RetryRule(2 * HOUR_MS, 600_000)
    assert settings.retry.rule("voicemail") == NEVER
    assert settings.retry.rule("rejected").after_ms == DAY_MS  # from the shared rules
    assert settings.retry.max_attempts == settings.attempts.total == 5
    assert (settings.longest_call_ms, settings.ring_timeout_ms) == (90_000, 20_000)
    assert settings.columns[0] == ContactColumn("number", ColumnKind.PHONE, True, ("Phone",))
    assert settings.columns[1] == ContactColumn("name", ColumnKind.TEXT, True)
    assert settings.consent_required
    assert settings.leave_message
    plan = settings.plan(7, TODAY)
    assert (plan.campaign_id, plan.name, plan.lines, plan.cps) == (7, "small", 3, 1.0)


@pytest.mark.parametrize(
    ("at", "opened"),
    [
        (datetime(2026, 3, 2, 15, 0, tzinfo=UTC), True),  # Monday 10:00 in New York
        (datetime(2026, 3, 2, 17, 30, tzinfo=UTC), False),  # between the two windows
        (datetime(2026, 3, 2, 18, 30, tzinfo=UTC), True),
        (datetime(2026, 3, 7, 15, 0, tzinfo=UTC), False),  # Saturday is not named
        (datetime(2026, 3, 8, 15, 0, tzinfo=UTC), True),  # Sunday
        (datetime(2026, 5, 25, 15, 0, tzinfo=UTC), False),  # Memorial Day, a Monday
        (datetime(2027, 7, 5, 15, 0, tzinfo=UTC), False),  # Independence Day, observed
    ],
)
def test_hours_and_holidays(tmp_path: Path, at: datetime, opened: bool) -> None:
    assert is_open(good(tmp_path).calling_hours(TODAY), "America/New_York", at) is opened


def test_hours_can_be_always(tmp_path: Path) -> None:
    hours = 'hours:\n  monday-friday: ["09:00-12:00", "13:00-20:00"]\n  sunday: 10:00-12:00\n'
    text = SMALL.replace(hours, "hours: always\n")
    holidays = good(tmp_path, text).calling_hours(TODAY)
    assert not is_open(holidays, "America/New_York", datetime(2026, 12, 25, 15, 0, tzinfo=UTC))
    always = good(tmp_path, text.replace("holidays: {country: US}\n", ""))
    assert always.calling_hours(TODAY).any_zone


def test_a_range_of_days_may_go_over_the_weekend(tmp_path: Path) -> None:
    text = SMALL.replace("  sunday: 10:00-12:00\n", "").replace("monday-friday", "saturday-monday")
    windows = good(tmp_path, text).windows
    assert windows is not None
    assert sorted(windows) == [0, 5, 6]


@pytest.mark.parametrize(
    ("old", "new", "field", "line", "problem"),
    [
        ("name: small", "name: Small Campaign", "name", 1, "match pattern"),
        ("rate_wpm: 180", "rate: 180", "voices.en.rate", 4, "means nothing here"),
        ("languages: [en]", "languages: [en, zh]", "", 1, "no voice for zh"),
        ("sunday: 10:00-12:00", "sunday: 10-12", "hours.sunday", 7, "09:00-20:00"),
        ("sunday: 10:00-12:00", "sunday: 12:00-10:00", "hours.sunday", 7, "end after it begins"),
        ("sunday: 10:00-12:00", "sunday: 10:00-25:00", "hours.sunday", 7, "no such time"),
        ("sunday: 10:00-12:00", "sonntag: 10:00-12:00", "hours.sonntag", 7, "no weekday"),
        ("sunday: 10:00-12:00", "friday: 10:00-12:00", "hours.friday", 7, "given twice"),
        ('"13:00-20:00"', '"11:00-20:00"', "hours.monday-friday", 6, "overlap"),
        ("country: US", "country: XX", "holidays", 8, "not known"),
        ("after: 2h", "after: 2", "retry.no_answer.after", 10, "like `10m`"),
        ("voicemail: never", "voicemail: nevr", "retry.voicemail", 11, "valid dictionary"),
        ("consent: {required: true}\n", "", "consent", 1, "is missing"),
        ("kind: phone", "kind: fone", "contacts.columns.number.kind", 20, "input should be"),
        ("kind: phone, ", "", "contacts", 17, "one column must be of the kind phone"),
        ("amount: {kind: decimal}", "amount: {kind: phone}", "contacts", 17, "only one column"),
        ("amount: {kind: decimal}", "amount: {headers: [phone]}", "contacts", 17, "stands for"),
        ("pacing: {lines: 3, cps: 1}", "pacing: {lines: 0}", "pacing.lines", 13, "greater than"),
    ],
)
def test_a_mistake_has_its_line_and_field(
    tmp_path: Path, *, old: str, new: str, field: str, line: int, problem: str
) -> None:
    assert SMALL.count(old) == 1
    settings, file = read(tmp_path, SMALL.replace(old, new))
    hits = [m for m in file.mistakes if m.field == field and problem in m.problem]
    assert hits, "\n".join(map(str, file.mistakes))
    assert hits[0].line == line
    assert hits[0].mend
    assert settings is None or field.startswith("hours")
