"""Picking the next contacts: due, allowed, in order; taken together with their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dialer.call import Contact as CallContact
from dialer.campaign.base import CallJob, ContactState, Slot
from dialer.storage.bars import barred, set_aside
from dialer.storage.base import TakeContacts
from dialer.storage.codec import load_values
from dialer.storage.lanes import Lane, due_in, find_lanes
from dialer.storage.models import Attempt, Contact

_LANES_KEPT_MS = 1_000  # a lane that appears (a new import, a retry that falls due) waits so long at most
_MAX_ROUNDS = 20  # of contacts that turn out not to be called; the next take goes on

_mark_in_call = (
    sa.update(Contact)
    .where(Contact.id.in_(sa.bindparam("ids", expanding=True)), Contact.state == ContactState.READY.value)
    .values(state=ContactState.IN_CALL.value, attempts=Contact.attempts + 1)
    .returning(Contact.id)
)
_open_attempts = sa.insert(Attempt)
_columns = (
    Contact.id,
    Contact.number,
    Contact.language,
    Contact.time_zone,
    Contact.fields,
    Contact.attempts,
    Contact.due_at_ms,
    Contact.last_disposition,
)
_contacts = sa.select(*_columns).where(Contact.id.in_(sa.bindparam("ids", expanding=True)))


class Picker:
    """Takes due contacts; remembers a campaign's lanes for a second."""

    def __init__(self) -> None:
        self._lanes: dict[int, tuple[int, list[Lane]]] = {}

    def take(self, connection: Connection, op: TakeContacts, again: bool) -> list[CallJob]:
        """See ``CampaignStore.take``; inside the caller's transaction."""
        if again and (jobs := self._taken_before(connection, op)):
            return jobs
        taken: list[Any] = []
        for _round in range(_MAX_ROUNDS):
            rows = self._due(connection, op, len(op.slots) - len(taken), {row.id for row in taken})
            if not rows:
                break
            aside = barred(connection, op.plan, rows, op.now_ms)
            taken += [row for row in rows if row.id not in aside]
            if not aside:
                break
            set_aside(connection, aside)
        if not taken:
            return []
        # Another host may have taken some of them since they were read: only what this changed is ours.
        ours = set(connection.execute(_mark_in_call, {"ids": [row.id for row in taken]}).scalars())
        pairs = list(zip([row for row in taken if row.id in ours], op.slots, strict=False))
        if not pairs:
            return []
        connection.execute(_open_attempts, [_attempt(op, row, slot) for row, slot in pairs])
        return [_job(op, row, slot, row.attempts + 1) for row, slot in pairs]

    def _due(self, connection: Connection, op: TakeContacts, most: int, skip: set[int]) -> Sequence[Any]:
        """Due contacts, in order; those in ``skip`` are taken already."""
        campaign_id = op.plan.campaign_id
        kept = self._lanes.get(campaign_id)
        if kept is None or not 0 <= op.now_ms - kept[0] < _LANES_KEPT_MS:
            kept = (op.now_ms, find_lanes(connection, campaign_id))
            self._lanes[campaign_id] = kept
        open_zones = {zone for zone in {lane.time_zone for lane in kept[1]} if op.is_open(zone)}
        lanes = [lane for lane in kept[1] if lane.time_zone in open_zones]
        ids: list[int] = []
        for priority in sorted({lane.priority for lane in lanes}, reverse=True):
            level = [lane for lane in lanes if lane.priority == priority]
            found = due_in(connection, campaign_id, level, op.now_ms, most + len(skip))
            ids += [contact_id for contact_id in found if contact_id not in skip]
            if len(ids) >= most:
                break
        if not ids:
            return []
        rows = {row.id: row for row in connection.execute(_contacts, {"ids": ids[:most]})}
        return [rows[contact_id] for contact_id in ids[:most]]

    @staticmethod
    def _taken_before(connection: Connection, op: TakeContacts) -> list[CallJob]:
        """The jobs of an earlier try whose answer was lost."""
        slots = {slot.attempt_id: slot for slot in op.slots}
        rows = connection.execute(
            sa.select(*_columns, Attempt.id.label("attempt_id"))
            .join(Attempt, Attempt.contact_id == Contact.id)
            .where(Attempt.id.in_(list(slots)))
        ).all()
        found = {row.attempt_id: row for row in rows}
        return [
            _job(op, found[key], slot, found[key].attempts) for key, slot in slots.items() if key in found
        ]


def _attempt(op: TakeContacts, row: Any, slot: Slot) -> dict[str, Any]:
    return {
        "id": slot.attempt_id,
        "call_id": slot.call_id,
        "run_id": op.run_id,
        "campaign_id": op.plan.campaign_id,
        "contact_id": row.id,
        "number": row.number,
        "caller_id": slot.caller_id,
        "trunk": slot.trunk,
        "opened_at_ms": op.now_ms,
        "sip_call_id": "",
        "cause": "",
    }


def _job(op: TakeContacts, row: Any, slot: Slot, attempt_number: int) -> CallJob:
    return CallJob(
        call_id=slot.call_id,
        attempt_id=slot.attempt_id,
        campaign_id=op.plan.campaign_id,
        campaign_name=op.plan.name,
        contact=CallContact(row.id, row.number, row.language, load_values(row.fields)),
        caller_id=slot.caller_id,
        trunk=slot.trunk,
        attempt_number=attempt_number,
        due_at_ms=row.due_at_ms,
        time_zone=row.time_zone,
    )
