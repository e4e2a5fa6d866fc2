"""Reads and checks a campaign's folder: settings, dialog, examples.

Nothing is dialled from a folder with a mistake in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dialer.campaign.columns import ColumnKind
from dialer.campaign.retry import SHARED_RULES
from dialer.campaign.settings_schema import CampaignSettings, make_settings
from dialer.dialog.checks import SHARED_DISPOSITIONS, Surroundings, check_plan
from dialer.dialog.plan import DialogPlan
from dialer.dialog.schema import make_plan
from dialer.errors import InputError, Mistake
from dialer.intent.examples import Example, load_examples
from dialer.yamlfile import YamlFile, did_you_mean, read_yaml

SETTINGS_FILE = "campaign.yaml"
DIALOG_FILE = "dialog.yaml"

# One value of each kind, to try the prompts with. Phone, language and time zone are no fields.
_SAMPLES: Mapping[ColumnKind, Any] = {
    ColumnKind.TEXT: "Anna",
    ColumnKind.DECIMAL: Decimal("123.45"),
    ColumnKind.DATE: date(2026, 12, 3),
    ColumnKind.INT: 3,
}


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as its folder says it.

    Attributes:
        path: the folder.
        settings: ``campaign.yaml``.
        dialog: ``dialog.yaml``, with what the settings decide (recording notice, voicemail, threshold).
        examples: ``intents/<language>.jsonl`` by language.
    """

    path: Path
    settings: CampaignSettings
    dialog: DialogPlan
    examples: Mapping[str, Sequence[Example]]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found: the campaign where nothing is wrong, else the mistakes."""

    path: Path
    mistakes: tuple[Mistake, ...]
    campaign: Campaign | None

    @property
    def good(self) -> bool:
        """Whether the campaign can be run."""
        return self.campaign is not None


def load_campaign(path: Path) -> Campaign:
    """Read a campaign's folder.

    Raises:
        InputError: every mistake that was found in its files.
    """
    report = check_campaign(path)
    if report.campaign is None:
        raise InputError(list(report.mistakes))
    return report.campaign


def check_campaign(path: Path) -> CheckReport:
    """Read a campaign's folder and collect every mistake in it."""
    if not path.is_dir():
        mistake = Mistake(path, None, "", "there is no such folder", "Name a campaign's folder")
        return CheckReport(path, (mistake,), None)
    settings_file = read_yaml(path / SETTINGS_FILE)
    dialog_file = read_yaml(path / DIALOG_FILE)
    mistakes: list[Mistake] = []
    settings = make_settings(settings_file)
    if settings is None:
        plan = make_plan(dialog_file)
    else:
        tails_ms = (settings.endpointing.min_tail_ms, settings.endpointing.max_tail_ms)
        plan = make_plan(dialog_file, settings.threshold, tails_ms)
    examples: Mapping[str, Sequence[Example]] = {}
    try:
        examples = load_examples(path)
    except InputError as error:
        mistakes += error.mistakes
    if plan is not None and settings is not None:
        dialog_file.mistakes += check_plan(plan, dialog_file, _surroundings(settings, examples))
        settings_file.mistakes += _check_languages(settings, plan, settings_file, examples)
        settings_file.mistakes += _check_retry(settings, plan, settings_file)
    found = (*settings_file.mistakes, *dialog_file.mistakes, *mistakes)
    if found or plan is None or settings is None:
        return CheckReport(path, found, None)
    plan = replace(
        plan,
        announce_recording=settings.recording.enabled and settings.recording.announce,
        voicemail=replace(plan.voicemail, leave_message=settings.leave_message),
    )
    return CheckReport(path, (), Campaign(path, settings, plan, MappingProxyType(dict(examples))))


def sample_fields(campaign: Campaign) -> dict[str, Any]:
    """Made-up values for the contact fields of a campaign."""
    return {
        column.name: _SAMPLES[column.kind] for column in campaign.settings.columns if column.kind in _SAMPLES
    }


def _surroundings(settings: CampaignSettings, examples: Mapping[str, Sequence[Example]]) -> Surroundings:
    columns = [column for column in settings.columns if column.kind in _SAMPLES]
    return Surroundings(
        fields=MappingProxyType({column.name: _SAMPLES[column.kind] for column in columns}),
        optional=frozenset(column.name for column in columns if not column.required),
        intents=MappingProxyType(
            {language: frozenset(row.intent for row in rows) for language, rows in examples.items()}
        ),
    )


def _check_languages(
    settings: CampaignSettings,
    plan: DialogPlan,
    file: YamlFile,
    examples: Mapping[str, Sequence[Example]],
) -> list[Mistake]:
    found = []
    for index, language in enumerate(settings.languages):
        place = ("languages", index)
        if language not in plan.languages:
            problem = f"the dialog has no prompts in {language!r}"
            mend = f"Add it to `languages` in {DIALOG_FILE}. {did_you_mean(language, plan.languages)}"
            found.append(file.mistake(place, problem, mend))
        elif examples and language not in examples:
            problem = f"there are no example utterances in {language!r}"
            found.append(file.mistake(place, problem, f"Write intents/{language}.jsonl"))
    return found


def _check_retry(settings: CampaignSettings, plan: DialogPlan, file: YamlFile) -> list[Mistake]:
    """A disposition that says "again" needs a time; one that says "done" must not have one."""
    found = []
    known = SHARED_DISPOSITIONS | plan.dispositions.keys()
    for name, rule in settings.retry.rules.items():
        info = plan.dispositions.get(name)
        if name not in known:
            problem = f"there is no disposition {name!r}"
            found.append(file.mistake(("retry", name), problem, did_you_mean(name, known)))
        elif info is not None and not info.retry and rule.after_ms is not None:
            problem = f"{DIALOG_FILE} says that nobody is called again after {name!r}"
            found.append(
                file.mistake(("retry", name), problem, "Remove the rule, or set `retry: true` there")
            )
    for name, info in plan.dispositions.items():
        if info.retry and name not in settings.retry.rules and name not in SHARED_RULES:
            problem = f"{DIALOG_FILE} says that calling again after {name!r} makes sense, but not when"
            found.append(file.mistake(("retry", name), problem, f"Add `{name}: {{after: 1d}}`, or `never`"))
    return found
