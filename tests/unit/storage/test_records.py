from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa

from dialer.call import CallRecord, TurnRecord
from dialer.campaign.base import CampaignPlan, ContactNext, ContactState, Wish, ZoneDue
from dialer.errors import StorageError
from dialer.storage.base import AttemptDialled, CloseCall, OpenAttempt, Suppress, TakeContacts
from dialer.storage.models import Attempt, Call, Contact, ControlRow, Recording, Suppression, Turn
from dialer.storage.records import SqlRecords
from dialer.storage.sql import writing
from tests.unit.storage.helpers import NOW, a_record, add_campaign, add_contacts, rows, slots

EVERYWHERE = lambda _zone: True  # noqa: E731


def take(records: SqlRecords, campaign_id: int, count: int, now_ms: int = NOW, **extra: object) -> list[int]:
    op = TakeContacts(CampaignPlan(campaign_id, "bills"), slots(count), now_ms, EVERYWHERE)
    op = dataclasses.replace(op, **extra)  # type: ignore[arg-type]
    [jobs] = records.apply([op], again=False)
    assert jobs is not None
    return [job.contact.contact_id for job in jobs]


def test_every_field_of_a_record_has_a_column() -> None:
    kept = {c.key for c in Call.__table__.columns} | {"turns", "recording"}
    assert {f.name for f in dataclasses.fields(CallRecord)} <= kept
    assert {f.name for f in dataclasses.fields(TurnRecord)} <= {c.key for c in Turn.__table__.columns}


def test_taking_marks_contacts_and_opens_attempts(records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    ids = add_contacts(records.engine, campaign, 3)
    op = TakeContacts(CampaignPlan(campaign, "bills"), slots(2), NOW, EVERYWHERE)
    [jobs] = records.apply([op], again=False)
    assert jobs is not None
    assert [job.contact.contact_id for job in jobs] == ids[:2]
    assert jobs[0].contact.fields == {"name": "Person 0"}
    assert (jobs[0].attempt_number, jobs[0].caller_id, jobs[0].trunk) == (1, "+12025550199", "main")
    assert rows(records.engine, Contact, "id", "state", "attempts") == [
        (ids[0], "in_call", 1),
        (ids[1], "in_call", 1),
        (ids[2], "ready", 0),
    ]
    assert {r[1:] for r in rows(records.engine, Attempt, "id", "contact_id", "disposition")} == {
        (ids[0], None),
        (ids[1], None),
    }


def test_taking_again_after_a_lost_answer_gives_the_same_jobs(records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    add_contacts(records.engine, campaign, 3)
    op = TakeContacts(CampaignPlan(campaign, "bills"), slots(2), NOW, EVERYWHERE)
    [first] = records.apply([op], again=False)
    [second] = records.apply([op], again=True)
    assert first == second


def test_order_is_priority_then_due_then_list(records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    late = add_contacts(records.engine, campaign, 2, first=100)
    early = add_contacts(records.engine, campaign, 2, first=110, due_at_ms=NOW - 1000, zone="Asia/Tokyo")
    urgent = add_contacts(records.engine, campaign, 1, first=120, priority=5)
    assert take(records, campaign, 9) == [*urgent, *early, *late]


def test_what_is_not_due_closed_staged_or_foreign_is_left_alone(records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    add_contacts(records.engine, campaign, 1, first=100, due_at_ms=NOW + 1)
    add_contacts(records.engine, campaign, 1, first=110, zone="Asia/Tokyo")
    add_contacts(records.engine, campaign, 1, first=120, visible=False)
    add_contacts(records.engine, add_campaign(records.engine, "other"), 1, first=130)
    assert take(records, campaign, 9, is_open=lambda zone: zone != "Asia/Tokyo") == []
    assert sorted(records.due_zones(campaign), key=lambda z: z.time_zone) == [
        ZoneDue("America/New_York", NOW + 1),
        ZoneDue("Asia/Tokyo", NOW),
    ]


def test_suppressed_contacts_are_passed_over_and_say_why(records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    ids = add_contacts(records.engine, campaign, 4, first=100)
    records.apply(
        [
            Suppress("+12025550100", "asked", "call 1", NOW),
            Suppress("+1202555010*", "court order", "operator", NOW, "another campaign"),
            Suppress("+12025550102", "wrong person", "operator", NOW, "bills"),
            Suppress("+12025550102", "again", "operator", NOW, "bills"),
        ],
        again=False,
    )
    assert take(records, campaign, 2) == [ids[1], ids[3]]
    assert rows(records.engine, Contact, "id", "state", "last_disposition", "blocked_reason")[0] == (
        ids[0],
        "done",
        "suppressed",
        "suppressed: asked (call 1)",
    )


def test_a_call_is_closed_in_one_transaction(records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    [contact] = add_contacts(records.engine, campaign, 1)
    op = TakeContacts(CampaignPlan(campaign, "bills"), slots(1), NOW, EVERYWHERE)
    [jobs] = records.apply([op], again=False)
    assert jobs is not None
    [job] = jobs
    record = a_record(job.call_id, job.attempt_id)
    record.slots = {"amount": Decimal("12.50"), "day": date(2026, 1, 6)}
    record.suppress = True
    close = CloseCall(
        record, "+12025550100", NOW + 9000, campaign, contact, after=ContactNext(ContactState.DONE)
    )
    records.apply([AttemptDialled(job.attempt_id, "abc", NOW + 5), close], again=False)
    records.apply([close], again=True)  # the answer was lost: nothing is counted twice
    engine = records.engine
    assert rows(engine, Call, "call_id", "disposition", "answer_ms") == [
        (job.call_id, "will_pay_today", 21.5)
    ]
    assert rows(engine, Turn, "round_id", "reply_ms") == [(1, 12.0), (2, 24.0)]
    assert rows(engine, Recording, "path") == [(record.recording,)]
    assert rows(engine, Attempt, "disposition", "ended_at_ms", "dialled_at_ms", "sip_call_id") == [
        ("will_pay_today", NOW + 9000, NOW + 5, "abc@127.0.0.1")
    ]
    assert rows(engine, Contact, "state", "attempts", "last_disposition") == [("done", 1, "will_pay_today")]
    assert rows(engine, Suppression, "pattern", "source") == [("+12025550100", f"call {job.call_id}")]


def test_an_attempt_that_does_not_count_is_taken_back(records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    [contact] = add_contacts(records.engine, campaign, 1)
    [jobs] = records.apply(
        [TakeContacts(CampaignPlan(campaign, "bills"), slots(1), NOW, EVERYWHERE)], again=False
    )
    assert jobs is not None
    record = CallRecord(jobs[0].call_id, jobs[0].attempt_id, "cancelled")
    after = ContactNext(ContactState.READY, NOW + 1000, counts=False)
    records.apply([CloseCall(record, "+12025550100", NOW, campaign, contact, after=after)], again=False)
    assert rows(records.engine, Contact, "state", "attempts", "due_at_ms") == [("ready", 0, NOW + 1000)]


def test_a_call_by_hand_needs_no_campaign(records: SqlRecords) -> None:
    opened = OpenAttempt("a1", "c1", "sip:test@127.0.0.1:5060", NOW)
    records.apply([opened, CloseCall(a_record("c1", "a1"), opened.number, NOW)], again=False)
    assert rows(records.engine, Call, "call_id", "campaign_id", "contact_id") == [("c1", None, None)]


def test_a_call_without_its_attempt_is_kept(records: SqlRecords) -> None:
    records.apply([CloseCall(a_record("c1", "a1"), "+12025550100", NOW)], again=True)
    assert rows(records.engine, Attempt, "id", "disposition") == [("a1", "will_pay_today")]


def test_a_round_is_stored_once_for_ever(records: SqlRecords) -> None:
    record = a_record("c1", "a1")
    record.turns[1].round_id = 1
    with pytest.raises(StorageError, match="round_id"):
        records.apply([CloseCall(record, "+12025550100", NOW)], again=False)
    assert rows(records.engine, Call, "call_id") == []


def test_controls_are_read_by_scope(records: SqlRecords) -> None:
    assert records.controls().overall.wish is Wish.RUN
    assert records.controls().of("bills").wish is Wish.PAUSE
    with writing(records.engine) as c:
        c.execute(
            sa.insert(ControlRow),
            [
                {
                    "scope": "",
                    "wish": "drain",
                    "lines": 4,
                    "cps": None,
                    "changed_at_ms": NOW,
                    "changed_by": "",
                },
                {
                    "scope": "bills",
                    "wish": "run",
                    "lines": 2,
                    "cps": 1.5,
                    "changed_at_ms": NOW,
                    "changed_by": "",
                },
            ],
        )
    controls = records.controls()
    assert (controls.overall.wish, controls.overall.lines) == (Wish.DRAIN, 4)
    assert (controls.of("bills").wish, controls.of("bills").cps) == (Wish.RUN, 1.5)
