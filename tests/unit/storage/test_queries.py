from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from dialer.call import CallRecord
from dialer.campaign.base import CampaignPlan, ContactNext, ContactState
from dialer.campaign.calendar import same_every_day
from dialer.campaign.outcome import milliseconds
from dialer.campaign.suppression import SuppressionEntry
from dialer.errors import StorageError
from dialer.storage import lists, queries
from dialer.storage.base import CloseCall, TakeContacts
from dialer.storage.records import SqlRecords
from tests.unit.storage.helpers import NOW, a_record, add_campaign, add_contacts, slots


@pytest.fixture
def campaign(records: SqlRecords) -> int:
    return add_campaign(records.engine)


def call_all(records: SqlRecords, campaign: int, *made: CallRecord | None) -> None:
    op = TakeContacts(CampaignPlan(campaign, "bills"), slots(len(made)), NOW, lambda _zone: True)
    [jobs] = records.apply([op], again=False)
    assert jobs is not None
    for job, record in zip(jobs, made, strict=True):
        if record is None:
            continue
        record.call_id, record.attempt_id = job.call_id, job.attempt_id
        done = ContactNext(ContactState.DONE)
        contact = job.contact
        records.apply(
            [CloseCall(record, contact.number, NOW + 1, campaign, contact.contact_id, after=done)],
            again=False,
        )


def test_who_would_be_called_when_and_why_not(records: SqlRecords, campaign: int) -> None:
    engine = records.engine
    add_contacts(engine, campaign, 2, first=100)
    add_contacts(engine, campaign, 1, first=110, zone="Asia/Tokyo")
    add_contacts(engine, campaign, 1, first=120, zone="")
    add_contacts(engine, campaign, 1, first=130, visible=False)
    lists.suppress(engine, [SuppressionEntry("+12025550101", reason="asked")], NOW)
    plan = CampaignPlan(campaign, "bills", hours=same_every_day(9 * 60, 20 * 60))
    now_ms = milliseconds(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))  # 10:00 in New York, 00:00 in Tokyo
    due = queries.due(engine, plan, now_ms)
    assert [(row.number, row.at_ms, row.why_not) for row in due] == [
        ("+12025550100", now_ms, ""),
        ("+12025550110", milliseconds(datetime(2026, 1, 6, 0, 0, tzinfo=UTC)), ""),
        ("+12025550101", None, "suppressed: asked ()"),
        ("+12025550120", None, "the number does not tell the time zone and the list has none"),
    ]


def test_a_campaign_in_numbers(records: SqlRecords, campaign: int) -> None:
    add_contacts(records.engine, campaign, 4)
    answered = a_record("", "")
    answered.setup_ms = 900.0
    call_all(records, campaign, answered, CallRecord("", "", "busy", started_at_ms=NOW), None)
    report = queries.report(records.engine, "bills")
    assert report.contacts == {"ready": 1, "in_call": 1, "done": 2}
    assert (report.attempts, report.answered, report.open_attempts) == (2, 1, 1)
    assert report.dispositions == {"will_pay_today": 1, "busy": 1}
    assert report.percentiles["reply_ms"] == {"n": 2, "p50": 12.0, "p95": 24.0, "p99": 24.0}
    assert report.percentiles["answer_ms"]["p50"] == 21.5
    assert queries.report(records.engine, "bills", since_ms=NOW + 1).attempts == 0


def test_calls_and_one_call_with_its_turns(records: SqlRecords, campaign: int) -> None:
    add_contacts(records.engine, campaign, 1)
    record = a_record("", "", turns=3)
    record.slots = {"amount": Decimal("12.50"), "day": date(2026, 3, 1)}
    record.turns[0].slots = {"n": 1}
    call_all(records, campaign, record)
    [row] = queries.calls(records.engine, "bills")
    assert (row.call_id, row.turns, row.recording) == (record.call_id, 3, record.recording)
    assert row.slots == record.slots
    assert list(queries.calls(records.engine)) == [row]
    assert queries.call(records.engine, record.call_id) == record
    assert queries.call(records.engine, record.call_id[:8]) == record
    with pytest.raises(StorageError, match="no call"):
        queries.call(records.engine, "zzz")
