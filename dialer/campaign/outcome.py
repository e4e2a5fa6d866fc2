"""What becomes of a contact after an attempt: retry rules, then the calendar. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dialer.call import CallRecord, Disposition
from dialer.campaign.base import CallJob, CampaignPlan, ContactNext, ContactState
from dialer.campaign.calendar import next_allowed, why_undecided
from dialer.campaign.retry import next_attempt_ms


def instant(at_ms: int) -> datetime:
    """Wall milliseconds since the epoch as an aware instant."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms)


def milliseconds(at: datetime) -> int:
    """An aware instant as wall milliseconds since the epoch, rounded up (never before the instant)."""
    return -((datetime.fromtimestamp(0, UTC) - at) // timedelta(milliseconds=1))


def next_allowed_ms(plan: CampaignPlan, zone: str, at_ms: int) -> int | None:
    """The first moment, not before ``at_ms``, at which the plan's hours allow a call to a zone."""
    allowed = next_allowed(plan.hours, zone, instant(at_ms))
    return None if allowed is None else milliseconds(allowed)


def after_call(
    plan: CampaignPlan, job: CallJob, record: CallRecord, ended_at_ms: int, spread: float
) -> ContactNext:
    """What becomes of the contact of a finished call.

    Args:
        plan: its campaign.
        job: the call as it was given out.
        record: how it ended.
        ended_at_ms: when, wall time.
        spread: 0..1, see ``retry.next_attempt_ms``.
    """
    if record.suppress:
        return ContactNext(ContactState.DONE, reason="asked never to be called again")
    if record.disposition == Disposition.UNKNOWN:
        return ContactNext(ContactState.HELD, reason="it is not known whether the person was reached")
    again_ms = next_attempt_ms(plan.retry, record.disposition, job.attempt_number, ended_at_ms, spread)
    if again_ms is None:
        return ContactNext(ContactState.DONE)
    due_ms = next_allowed_ms(plan, job.time_zone, again_ms)
    if due_ms is None:
        why = why_undecided(plan.hours, job.time_zone) or "the campaign's hours never open for it"
        return ContactNext(ContactState.BLOCKED, reason=why)
    return ContactNext(ContactState.READY, due_ms)
