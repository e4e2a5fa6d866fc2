"""The store in memory and the store on SQL behave alike: the same tests for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from dialer.call import CallRecord, Contact, new_id
from dialer.campaign.base import (
    CallJob,
    CampaignPlan,
    CampaignStore,
    ContactNext,
    ContactState,
    Slot,
    Wish,
    ZoneDue,
)
from dialer.campaign.memory import MemoryStore, StoredContact
from dialer.campaign.retry import DAY_MS
from dialer.campaign.suppression import SuppressionEntry
from dialer.storage import lists
from dialer.storage.models import Consent
from dialer.storage.models import Contact as ContactRow
from dialer.storage.records import SqlRecords
from dialer.storage.sql import reading, upgrade, writing
from dialer.storage.store import RecordStore
from dialer.storage.writer import RecordWriter
from tests.unit.storage.helpers import NOW, add_campaign, add_contacts

ZONES = ("America/New_York", "Asia/Tokyo")


@dataclass
class Subject:
    """A store with two contacts a zone in campaign 1, and ways to look behind it."""

    store: CampaignStore
    state: Callable[[int], tuple[str, int, str]]  # contact id -> state, attempts, last disposition
    suppress: Callable[[str], None]
    consent: Callable[[str], None]


def in_memory() -> Subject:
    store = MemoryStore()
    for n, zone in enumerate([ZONES[0], ZONES[0], ZONES[1], ZONES[1]]):
        contact = Contact(n + 1, f"+1202555{100 + n:04d}", "en", {"name": f"Person {n}"})
        store.contacts.append(StoredContact(contact, 1, zone, NOW))

    def state(contact_id: int) -> tuple[str, int, str]:
        stored = store.contacts[contact_id - 1]
        return stored.state.value, stored.attempts, stored.last_disposition

    return Subject(
        store,
        state,
        lambda number: store.suppressions.append(SuppressionEntry(number)),
        store.consents.add,
    )


def on_sql(records: SqlRecords, writer: RecordWriter) -> Subject:
    engine = records.engine
    assert add_campaign(engine) == 1
    add_contacts(engine, 1, 2, first=100)
    add_contacts(engine, 1, 2, first=102, zone=ZONES[1])

    def state(contact_id: int) -> tuple[str, int, str]:
        with reading(engine) as c:
            row = c.execute(
                sa.select(ContactRow.state, ContactRow.attempts, ContactRow.last_disposition).where(
                    ContactRow.id == contact_id
                )
            ).one()
        return row.state, row.attempts, row.last_disposition

    def consent(number: str) -> None:
        with writing(engine) as c:
            c.execute(
                sa.insert(Consent).values(
                    number=number, scope="", kind="automated_call", source="form", given_at_ms=NOW
                )
            )

    return Subject(
        RecordStore(writer),
        state,
        lambda number: [lists.suppress(engine, [SuppressionEntry(number)], NOW)].clear(),
        consent,
    )


@pytest.fixture(params=["memory", "sqlite"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "memory":
        yield in_memory()
        return
    url = f"sqlite:///{tmp_path / 'dialer.db'}"
    upgrade(url)
    records = SqlRecords(url)
    writer = RecordWriter(records, spill=tmp_path / "spill")
    await writer.start()
    yield on_sql(records, writer)
    await writer.close()


PLAN = CampaignPlan(1, "bills")


async def take(
    subject: Subject,
    count: int = 9,
    plan: CampaignPlan = PLAN,
    now_ms: int = NOW,
    zones: tuple[str, ...] = ZONES,
) -> list[CallJob]:
    slots = [Slot(new_id(), new_id(), "+12025550199", "main") for _ in range(count)]
    return await subject.store.take(plan, slots, now_ms, lambda zone: zone in zones)


def ids(jobs: list[CallJob]) -> list[int]:
    return [job.contact.contact_id for job in jobs]


async def test_contacts_are_taken_once_and_in_order(subject: Subject) -> None:
    assert ids(await take(subject, 3)) == [1, 2, 3]
    assert ids(await take(subject, 3)) == [4]
    assert subject.state(1) == ("in_call", 1, "")


async def test_jobs_carry_contact_slot_and_count(subject: Subject) -> None:
    [job] = await take(subject, 1)
    assert job.contact == Contact(1, "+12025550100", "en", {"name": "Person 0"})
    assert (job.caller_id, job.trunk, job.attempt_number) == ("+12025550199", "main", 1)
    assert (job.time_zone, job.due_at_ms, job.campaign_name) == (ZONES[0], NOW, "bills")


async def test_closed_zones_and_the_future_are_left_alone(subject: Subject) -> None:
    assert ids(await take(subject, zones=(ZONES[1],))) == [3, 4]
    assert await take(subject, now_ms=NOW - 1) == []
    assert await subject.store.due_zones(1) == [ZoneDue(ZONES[0], NOW)]
    assert await subject.store.due_zones(2) == []


async def test_a_closed_call_decides_what_becomes_of_the_contact(subject: Subject) -> None:
    first, second, third, fourth = await take(subject)
    for job, after in (
        (first, ContactNext(ContactState.DONE)),
        (second, ContactNext(ContactState.READY, NOW + 5000)),
        (third, ContactNext(ContactState.READY, counts=False)),
        (fourth, ContactNext(ContactState.HELD, reason="who knows")),
    ):
        await subject.store.close_call(job, CallRecord(job.call_id, job.attempt_id, "busy"), after)
    assert [subject.state(n) for n in (1, 2, 3, 4)] == [
        ("done", 1, "busy"),
        ("ready", 1, "busy"),
        ("ready", 0, "busy"),
        ("held", 1, "busy"),
    ]
    assert ids(await take(subject, now_ms=NOW + 2000)) == [3]
    [again] = await take(subject, now_ms=NOW + 6000)
    assert (again.contact.contact_id, again.attempt_number) == (2, 2)


async def test_never_call_again_holds_for_the_next_take(subject: Subject) -> None:
    [job] = await take(subject, 1)
    record = CallRecord(job.call_id, job.attempt_id, "opted_out", suppress=True)
    await subject.store.close_call(job, record, ContactNext(ContactState.READY, NOW))
    assert ids(await take(subject, now_ms=NOW + 2000)) == [2, 3, 4]
    assert subject.state(1)[::2] == ("done", "suppressed")


async def test_suppressed_numbers_and_prefixes_are_passed_over(subject: Subject) -> None:
    subject.suppress("+12025550101")
    subject.suppress("+12025550103*")
    assert ids(await take(subject, 2)) == [1, 3]
    assert await take(subject) == []
    assert [subject.state(n)[0] for n in (2, 4)] == ["done", "done"]


async def test_a_needed_consent_that_is_missing_blocks(subject: Subject) -> None:
    subject.consent("+12025550102")
    plan = CampaignPlan(1, "bills", consent_required=True)
    assert ids(await take(subject, plan=plan)) == [3]
    assert [subject.state(n)[0] for n in (1, 2, 4)] == ["blocked"] * 3


async def test_a_number_that_was_tried_too_often_waits(subject: Subject) -> None:
    plan = CampaignPlan(1, "bills", per_day=1)
    [job] = await take(subject, 1, plan)
    record = CallRecord(job.call_id, job.attempt_id, "busy")
    await subject.store.close_call(job, record, ContactNext(ContactState.READY, NOW))
    assert 1 not in ids(await take(subject, plan=plan, now_ms=NOW + 5000))
    [again] = await take(subject, plan=plan, now_ms=NOW + DAY_MS + 5000)
    assert again.contact.contact_id == 1


async def test_nobody_wished_anything(subject: Subject) -> None:
    controls = await subject.store.controls()
    assert (controls.overall.wish, controls.of("bills").wish) == (Wish.RUN, Wish.PAUSE)
