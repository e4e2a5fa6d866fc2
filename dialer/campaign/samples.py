"""A few contacts to try a campaign with: the first rows of its own list, else made-up values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from dialer.call import Contact
from dialer.campaign.calendar import ALWAYS_OPEN
from dialer.campaign.folder import Campaign, sample_fields
from dialer.campaign.importer import Clash, ImportRules, StagedContact, load_contacts

CONTACTS_FILE = "contacts.csv"


def import_rules(campaign: Campaign, today: date) -> ImportRules:
    """What the campaign says about its contact lists."""
    settings = campaign.settings
    return ImportRules(
        columns=settings.columns,
        languages=settings.languages,
        hours=settings.calling_hours(today),
        default_region=settings.default_region,
    )


class FirstContacts:
    """A ``ContactSink`` that keeps the first ``limit`` rows in memory and nothing else."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.contacts: list[Contact] = []

    def begin(self, file: str, sha256: str) -> bool:
        """Every list is new."""
        return True

    def stage(self, contacts: Sequence[StagedContact]) -> list[Clash]:
        """Keep what is still wanted."""
        for row in contacts[: self.limit - len(self.contacts)]:
            self.contacts.append(Contact(0, row.number, row.language, MappingProxyType(dict(row.fields))))
        return []

    def publish(self, loaded: int, rejected: int) -> None:
        """Nothing is stored."""

    def discard(self) -> None:
        """Nothing is stored."""


def sample_contacts(campaign: Campaign, limit: int) -> list[Contact]:
    """The first good rows of the folder's ``contacts.csv``; one contact with made-up values without it.

    Raises:
        InputError: there is a list and it cannot be read.
    """
    path = campaign.path / CONTACTS_FILE
    kept = FirstContacts(limit)
    if path.exists():
        rules = replace(import_rules(campaign, date.today()), hours=ALWAYS_OPEN)
        load_contacts(path, rules, kept, partial=True)
    if not kept.contacts:
        fields = MappingProxyType(sample_fields(campaign))
        kept.contacts.append(Contact(0, "+12025550100", campaign.settings.languages[0], fields))
    return kept.contacts


def sample_contact(campaign: Campaign) -> Contact:
    """The first of ``sample_contacts``."""
    return sample_contacts(campaign, 1)[0]
