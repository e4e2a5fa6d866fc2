"""Picking the next contacts, by lanes.

A lane is a (priority, time zone, import) that has ready contacts; the index ``ix_contacts_lanes`` holds
each lane's contacts by ``due_at_ms``. The lanes are found by jumping through the index from one to the
next, so the cost grows with the number of lanes, never with the number of contacts. Only lanes whose
zone is open and whose import is visible are looked into.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dialer.call import Contact as CallContact
from dialer.campaign.base import CallJob, ContactState, Slot, ZoneDue
from dialer.campaign.suppression import patterns_for
from dialer.storage.base import TakeContacts
from dialer.storage.codec import load_values
from dialer.storage.models import Attempt, Contact, Import, Suppression

SUPPRESSED = "suppressed"  # the last disposition of a contact that a list forbids to call
_LANES_KEPT_MS = (
    1_000  # a lane that appears (a new import, a retry at another priority) waits so long at most
)
_LANES_A_QUERY = 100
_MAX_ROUNDS = 20  # of contacts that turn out to be suppressed; the next take goes on

_first_lane = (
    sa.select(Contact.priority, Contact.time_zone, Contact.import_id)
    .where(Contact.campaign_id == sa.bindparam("campaign"), Contact.state == ContactState.READY.value)
    .order_by(Contact.priority, Contact.time_zone, Contact.import_id)
    .limit(1)
)
_next_lane = _first_lane.where(
    sa.tuple_(Contact.priority, Contact.time_zone, Contact.import_id)
    > sa.tuple_(
        sa.bindparam("priority", type_=sa.Integer),
        sa.bindparam("zone", type_=sa.Text),
        sa.bindparam("import_id", type_=sa.BigInteger),
    )
)
_visible = sa.select(Import.id).where(
    Import.campaign_id == sa.bindparam("campaign"), Import.visible_at_ms.is_not(None)
)
_earliest = sa.select(sa.func.min(Contact.due_at_ms)).where(
    Contact.campaign_id == sa.bindparam("campaign"),
    Contact.state == ContactState.READY.value,
    Contact.priority == sa.bindparam("priority"),
    Contact.time_zone == sa.bindparam("zone"),
    Contact.import_id == sa.bindparam("import_id"),
)
_mark_in_call = (
    sa.update(Contact)
    .where(Contact.id.in_(sa.bindparam("ids", expanding=True)), Contact.state == ContactState.READY.value)
    .values(state=ContactState.IN_CALL.value, attempts=Contact.attempts + 1)
    .returning(Contact.id)
)
_mark_suppressed = (
    sa.update(Contact)
    .where(Contact.id == sa.bindparam("b_id"))
    .values(
        state=ContactState.DONE.value, last_disposition=SUPPRESSED, blocked_reason=sa.bindparam("b_reason")
    )
)
_open_attempts = sa.insert(Attempt)
_entries = sa.select(Suppression.pattern, Suppression.reason, Suppression.source).where(
    Suppression.pattern.in_(sa.bindparam("patterns", expanding=True)),
    Suppression.scope.in_(sa.bindparam("scopes", expanding=True)),
)
_columns = (
    Contact.id,
    Contact.number,
    Contact.language,
    Contact.time_zone,
    Contact.fields,
    Contact.attempts,
    Contact.priority,
    Contact.due_at_ms,
)


@dataclass(frozen=True, slots=True)
class Lane:
    """Ready contacts that share these."""

    priority: int
    time_zone: str
    import_id: int


class Picker:
    """Takes due contacts; remembers a campaign's lanes for a second."""

    def __init__(self) -> None:
        self._lanes: dict[int, tuple[int, list[Lane]]] = {}

    def lanes(self, connection: Connection, campaign_id: int) -> list[Lane]:
        """The campaign's visible lanes, the highest priority first."""
        visible = set(connection.execute(_visible, {"campaign": campaign_id}).scalars())
        found: list[Lane] = []
        row = connection.execute(_first_lane, {"campaign": campaign_id}).first()
        while row is not None:
            lane = Lane(*row)
            if lane.import_id in visible:
                found.append(lane)
            row = connection.execute(
                _next_lane,
                {
                    "campaign": campaign_id,
                    "priority": lane.priority,
                    "zone": lane.time_zone,
                    "import_id": lane.import_id,
                },
            ).first()
        return sorted(found, key=lambda lane: (-lane.priority, lane.import_id, lane.time_zone))

    def due_zones(self, connection: Connection, campaign_id: int) -> list[ZoneDue]:
        """The earliest due contact of each time zone."""
        earliest: dict[str, int] = {}
        for lane in self.lanes(connection, campaign_id):
            due = connection.execute(
                _earliest,
                {
                    "campaign": campaign_id,
                    "priority": lane.priority,
                    "zone": lane.time_zone,
                    "import_id": lane.import_id,
                },
            ).scalar()
            if due is not None:
                earliest[lane.time_zone] = min(due, earliest.get(lane.time_zone, due))
        return [ZoneDue(zone, due) for zone, due in earliest.items()]

    def take(self, connection: Connection, op: TakeContacts, again: bool) -> list[CallJob]:
        """See ``CampaignStore.take``; inside the caller's transaction."""
        if again and (jobs := self._taken_before(connection, op)):
            return jobs
        taken: list[Any] = []
        for _round in range(_MAX_ROUNDS):
            rows = self._due(connection, op, len(op.slots) - len(taken), {row.id for row in taken})
            if not rows:
                break
            reasons = self._suppressed(connection, op, [row.number for row in rows])
            taken += [row for row in rows if row.number not in reasons]
            if not reasons:
                break
            connection.execute(
                _mark_suppressed,
                [{"b_id": row.id, "b_reason": reasons[row.number]} for row in rows if row.number in reasons],
            )
        if not taken:
            return []
        # Another host may have taken some of them since they were read: only what this changed is ours.
        ours = set(connection.execute(_mark_in_call, {"ids": [row.id for row in taken]}).scalars())
        pairs = list(zip([row for row in taken if row.id in ours], op.slots, strict=False))
        if not pairs:
            return []
        connection.execute(_open_attempts, [_attempt(op, row, slot) for row, slot in pairs])
        return [_job(op, row, slot, row.attempts + 1) for row, slot in pairs]

    def _due(self, connection: Connection, op: TakeContacts, limit: int, skip: set[int]) -> Sequence[Any]:
        """Due contacts, in order; the rows in ``skip`` are taken already."""
        kept = self._lanes.get(op.campaign_id)
        if kept is None or not 0 <= op.now_ms - kept[0] < _LANES_KEPT_MS:
            kept = (op.now_ms, self.lanes(connection, op.campaign_id))
            self._lanes[op.campaign_id] = kept
        open_zones = {zone for zone in {lane.time_zone for lane in kept[1]} if op.is_open(zone)}
        rows: list[Any] = []
        for priority in sorted({lane.priority for lane in kept[1]}, reverse=True):
            lanes = [lane for lane in kept[1] if lane.priority == priority and lane.time_zone in open_zones]
            found: list[Any] = []
            for start in range(0, len(lanes), _LANES_A_QUERY):
                found += self._due_in(
                    connection, op, lanes[start : start + _LANES_A_QUERY], limit + len(skip)
                )
            found = [row for row in found if row.id not in skip]
            found.sort(key=lambda row: (row.due_at_ms, row.id))
            rows += found[: limit - len(rows)]
            if len(rows) >= limit:
                break
        return rows

    @staticmethod
    def _due_in(connection: Connection, op: TakeContacts, lanes: Sequence[Lane], limit: int) -> Iterable[Any]:
        if not lanes:
            return []
        parts = [
            sa.select(
                sa.select(*_columns)
                .where(
                    Contact.campaign_id == op.campaign_id,
                    Contact.state == ContactState.READY.value,
                    Contact.priority == lane.priority,
                    Contact.time_zone == lane.time_zone,
                    Contact.import_id == lane.import_id,
                    Contact.due_at_ms <= op.now_ms,
                )
                .order_by(Contact.due_at_ms, Contact.id)
                .limit(limit)
                .subquery()
            )
            for lane in lanes
        ]
        query = parts[0] if len(parts) == 1 else sa.union_all(*parts)
        return connection.execute(query).all()

    @staticmethod
    def _suppressed(connection: Connection, op: TakeContacts, numbers: Sequence[str]) -> dict[str, str]:
        """Why each suppressed number among these may not be called."""
        patterns = {number: patterns_for(number) for number in numbers}
        every = sorted({p for several in patterns.values() for p in several})
        rows = connection.execute(_entries, {"patterns": every, "scopes": ["", op.campaign_name]}).all()
        if not rows:
            return {}
        why = {row.pattern: f"suppressed: {row.reason} ({row.source})" for row in rows}
        return {
            number: next(why[p] for p in several if p in why)
            for number, several in patterns.items()
            if any(p in why for p in several)
        }

    @staticmethod
    def _taken_before(connection: Connection, op: TakeContacts) -> list[CallJob]:
        """The jobs of an earlier try whose answer was lost."""
        slots = {slot.attempt_id: slot for slot in op.slots}
        rows = connection.execute(
            sa.select(*_columns, Attempt.id.label("attempt_id"))
            .join(Attempt, Attempt.contact_id == Contact.id)
            .where(Attempt.id.in_(list(slots)))
        ).all()
        return [_job(op, row, slots[row.attempt_id], row.attempts) for row in rows]


def _attempt(op: TakeContacts, row: Any, slot: Slot) -> dict[str, Any]:
    return {
        "id": slot.attempt_id,
        "call_id": slot.call_id,
        "run_id": op.run_id,
        "campaign_id": op.campaign_id,
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
        campaign_id=op.campaign_id,
        campaign_name=op.campaign_name,
        contact=CallContact(row.id, row.number, row.language, load_values(row.fields)),
        caller_id=slot.caller_id,
        trunk=slot.trunk,
        attempt_number=attempt_number,
        due_at_ms=row.due_at_ms,
        time_zone=row.time_zone,
    )
