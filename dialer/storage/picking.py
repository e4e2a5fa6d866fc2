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
from dialer.call import Disposition
from dialer.campaign.base import CallJob, ContactState, Slot, ZoneDue
from dialer.campaign.retry import WEEK_MS, put_off_until_ms
from dialer.campaign.suppression import patterns_for
from dialer.storage.base import TakeContacts
from dialer.storage.codec import load_values
from dialer.storage.models import Attempt, Consent, Contact, Import, Suppression

AUTOMATED_CALL = "automated_call"  # the kind of consent that a campaign may need
NO_CONSENT = "no consent to automated calls is on file"
PUT_OFF = "tried as often as is allowed of late, all campaigns together"
SUPPRESSED = "suppressed"  # the last disposition of a contact that a list forbids to call
_LANES_KEPT_MS = (
    1_000  # a lane that appears (a new import, a retry at another priority) waits so long at most
)
_LANES_A_QUERY = 100
_MAX_ROUNDS = 20  # of contacts that turn out not to be called; the next take goes on

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
_set_aside = (
    sa.update(Contact)
    .where(Contact.id == sa.bindparam("b_id"))
    .values(
        state=sa.bindparam("b_state"),
        last_disposition=sa.bindparam("b_disposition"),
        due_at_ms=sa.bindparam("b_due_at_ms"),
        blocked_reason=sa.bindparam("b_reason"),
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
    Contact.last_disposition,
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
            aside = _barred(connection, op, rows)
            taken += [row for row in rows if row.id not in aside]
            if not aside:
                break
            connection.execute(_set_aside, list(aside.values()))
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
        kept = self._lanes.get(op.plan.campaign_id)
        if kept is None or not 0 <= op.now_ms - kept[0] < _LANES_KEPT_MS:
            kept = (op.now_ms, self.lanes(connection, op.plan.campaign_id))
            self._lanes[op.plan.campaign_id] = kept
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
                    Contact.campaign_id == op.plan.campaign_id,
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


def suppression_reasons(connection: Connection, campaign: str, numbers: Sequence[str]) -> dict[str, str]:
    """Why each suppressed number among these may not be called in a campaign."""
    patterns = {number: patterns_for(number) for number in numbers}
    every = sorted({pattern for several in patterns.values() for pattern in several})
    why: dict[str, str] = {}
    for start in range(0, len(every), 1_000):
        chunk = {"patterns": every[start : start + 1_000], "scopes": ["", campaign]}
        for row in connection.execute(_entries, chunk):
            why[row.pattern] = f"suppressed: {row.reason} ({row.source})"
    return {
        number: next(why[pattern] for pattern in several if pattern in why)
        for number, several in patterns.items()
        if any(pattern in why for pattern in several)
    }


def _barred(connection: Connection, op: TakeContacts, rows: Sequence[Any]) -> dict[int, dict[str, Any]]:
    """The contacts among these that are not to be called now, as parameters of ``_set_aside``."""
    aside: dict[int, dict[str, Any]] = {}

    def put(row: Any, state: ContactState, reason: str, disposition: str = "", due_ms: int = 0) -> None:
        aside[row.id] = {
            "b_id": row.id,
            "b_state": state.value,
            "b_reason": reason,
            "b_disposition": disposition or row.last_disposition,
            "b_due_at_ms": due_ms or row.due_at_ms,
        }

    numbers = [row.number for row in rows]
    for_ever = suppression_reasons(connection, op.plan.name, numbers)
    agreed = _consenting(connection, op, numbers) if op.plan.consent_required else set(numbers)
    recent = _recent_attempts(connection, op, numbers)
    for row in rows:
        until_ms = put_off_until_ms(recent.get(row.number, ()), op.plan.per_day, op.plan.per_week, op.now_ms)
        if row.number in for_ever:
            put(row, ContactState.DONE, for_ever[row.number], SUPPRESSED)
        elif row.number not in agreed:
            put(row, ContactState.BLOCKED, NO_CONSENT)
        elif until_ms is not None:
            put(row, ContactState.READY, PUT_OFF, due_ms=until_ms)
    return aside


def _consenting(connection: Connection, op: TakeContacts, numbers: Sequence[str]) -> set[str]:
    query = sa.select(Consent.number).where(
        Consent.number.in_(numbers),
        Consent.kind == AUTOMATED_CALL,
        Consent.scope.in_(["", op.plan.name]),
        Consent.given_at_ms <= op.now_ms,
        sa.or_(Consent.revoked_at_ms.is_(None), Consent.revoked_at_ms > op.now_ms),
    )
    return set(connection.execute(query).scalars())


def _recent_attempts(
    connection: Connection, op: TakeContacts, numbers: Sequence[str]
) -> dict[str, list[int]]:
    """The last week's attempts on each number, in all campaigns; what never was dialled is no attempt."""
    if op.plan.per_day is None and op.plan.per_week is None:
        return {}
    query = sa.select(Attempt.number, Attempt.opened_at_ms).where(
        Attempt.number.in_(numbers),
        Attempt.opened_at_ms > op.now_ms - WEEK_MS,
        sa.func.coalesce(Attempt.disposition, "") != Disposition.CANCELLED.value,
    )
    found: dict[str, list[int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.number, []).append(row.opened_at_ms)
    return found


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
