"""The store in memory: the SQL store's twin, for tests and for benches without a database.

``tests/unit/campaign/test_store.py`` holds both to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dialer.call import CallRecord, Contact
from dialer.campaign.base import (
    CallJob,
    CampaignPlan,
    ContactNext,
    ContactState,
    Controls,
    Slot,
    ZoneDue,
)
from dialer.campaign.retry import put_off_until_ms
from dialer.campaign.suppression import GLOBAL, SuppressionEntry, hit


@dataclass(slots=True)
class StoredContact:
    """A contact with where it stands."""

    contact: Contact
    campaign_id: int
    time_zone: str
    due_at_ms: int
    priority: int = 0
    state: ContactState = ContactState.READY
    attempts: int = 0
    last_disposition: str = ""
    blocked_reason: str = ""


@dataclass(slots=True)
class MemoryStore:
    """``CampaignStore`` without a disk. Tests read and set its fields."""

    contacts: list[StoredContact] = field(default_factory=list)
    suppressions: list[SuppressionEntry] = field(default_factory=list)
    wished: Controls = field(default_factory=Controls)
    open_attempts: dict[str, CallJob] = field(default_factory=dict)
    records: list[CallRecord] = field(default_factory=list)
    consents: set[str] = field(default_factory=set)
    history: list[tuple[str, int]] = field(default_factory=list)

    async def controls(self) -> Controls:
        """See ``CampaignStore.controls``."""
        return self.wished

    async def due_zones(self, campaign_id: int) -> Sequence[ZoneDue]:
        """See ``CampaignStore.due_zones``."""
        earliest: dict[str, int] = {}
        for stored in self._ready(campaign_id):
            known = earliest.get(stored.time_zone, stored.due_at_ms)
            earliest[stored.time_zone] = min(known, stored.due_at_ms)
        return [ZoneDue(zone, due) for zone, due in earliest.items()]

    async def take(
        self, plan: CampaignPlan, slots: Sequence[Slot], now_ms: int, is_open: Callable[[str], bool]
    ) -> list[CallJob]:
        """See ``CampaignStore.take``."""
        due = [s for s in self._ready(plan.campaign_id) if s.due_at_ms <= now_ms and is_open(s.time_zone)]
        due.sort(key=lambda s: (-s.priority, s.due_at_ms, s.contact.contact_id))
        left = list(slots)
        jobs = []
        for stored in due:
            if not left:
                break
            entry = hit(stored.contact.number, plan.name, self.suppressions)
            if entry is not None:
                stored.state = ContactState.DONE
                stored.last_disposition = "suppressed"
                stored.blocked_reason = f"suppressed: {entry.reason} ({entry.source})"
                continue
            number = stored.contact.number
            if plan.consent_required and number not in self.consents:
                stored.state = ContactState.BLOCKED
                stored.blocked_reason = "no consent to automated calls is on file"
                continue
            until_ms = put_off_until_ms(
                [at for called, at in self.history if called == number], plan.per_day, plan.per_week, now_ms
            )
            if until_ms is not None:
                stored.due_at_ms = until_ms
                continue
            self.history.append((number, now_ms))
            slot = left.pop(0)
            stored.state = ContactState.IN_CALL
            stored.attempts += 1
            job = CallJob(
                call_id=slot.call_id,
                attempt_id=slot.attempt_id,
                campaign_id=plan.campaign_id,
                campaign_name=plan.name,
                contact=stored.contact,
                caller_id=slot.caller_id,
                trunk=slot.trunk,
                attempt_number=stored.attempts,
                due_at_ms=stored.due_at_ms,
                time_zone=stored.time_zone,
            )
            self.open_attempts[slot.attempt_id] = job
            jobs.append(job)
        return jobs

    async def close_call(self, job: CallJob, record: CallRecord, after: ContactNext) -> None:
        """See ``CampaignStore.close_call``."""
        del self.open_attempts[job.attempt_id]
        self.records.append(record)
        if record.suppress:
            self.suppressions.append(
                SuppressionEntry(
                    job.contact.number, GLOBAL, "the callee asked for it", f"call {record.call_id}"
                )
            )
        for stored in self.contacts:
            if stored.contact.contact_id == job.contact.contact_id:
                stored.state = after.state
                stored.due_at_ms = stored.due_at_ms if after.due_at_ms is None else after.due_at_ms
                stored.attempts -= 0 if after.counts else 1
                stored.last_disposition = str(record.disposition)
                stored.blocked_reason = after.reason

    def _ready(self, campaign_id: int) -> list[StoredContact]:
        return [s for s in self.contacts if s.campaign_id == campaign_id and s.state is ContactState.READY]
