"""Lanes: the ready contacts of a campaign by priority, time zone and import.

The index ``ix_contacts_lanes`` holds each lane's contacts by ``due_at_ms``. The lanes are found by
jumping through the index from the head of one to the head of the next, so the cost grows with the number
of lanes, never with the number of contacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dialer.campaign.base import ContactState
from dialer.storage.models import Contact, Import

_order = (Contact.priority, Contact.time_zone, Contact.import_id, Contact.due_at_ms)
_ready = (Contact.campaign_id == sa.bindparam("campaign"), Contact.state == ContactState.READY.value)
_same_priority = Contact.priority == sa.bindparam("priority", type_=sa.Integer)
_same_zone = Contact.time_zone == sa.bindparam("zone", type_=sa.Text)
_import = sa.bindparam("import_id", type_=sa.BigInteger)


def _head(*where: sa.ColumnElement[bool]) -> Any:
    return sa.select(*_order).where(*_ready, *where).order_by(*_order).limit(1)


def _jump() -> Any:
    # Three plain ranges: SQLite would walk the index for one comparison of (priority, zone, import).
    parts = (
        _head(_same_priority, _same_zone, Contact.import_id > _import),
        _head(_same_priority, Contact.time_zone > sa.bindparam("zone", type_=sa.Text)),
        _head(Contact.priority > sa.bindparam("priority", type_=sa.Integer)),
    )
    return sa.union_all(*(sa.select(part.subquery()) for part in parts)).order_by(sa.text("1, 2, 3")).limit(1)


_first = _head()
_next = _jump()
_visible = sa.select(Import.id).where(
    Import.campaign_id == sa.bindparam("campaign"), Import.visible_at_ms.is_not(None)
)
_due = (
    sa.select(Contact.due_at_ms, Contact.id)
    .where(
        *_ready,
        _same_priority,
        _same_zone,
        Contact.import_id == _import,
        Contact.due_at_ms <= sa.bindparam("now_ms", type_=sa.BigInteger),
    )
    .order_by(Contact.due_at_ms, Contact.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class Lane:
    """Ready contacts that share these; ``due_at_ms`` is the earliest among them."""

    priority: int
    time_zone: str
    import_id: int
    due_at_ms: int


def find_lanes(connection: Connection, campaign_id: int) -> list[Lane]:
    """A campaign's lanes, those of imports that are not visible left out; in no order."""
    visible = set(connection.execute(_visible, {"campaign": campaign_id}).scalars())
    found: list[Lane] = []
    row = connection.execute(_first, {"campaign": campaign_id}).first()
    while row is not None:
        lane = Lane(row.priority, row.time_zone, row.import_id, row.due_at_ms)
        if lane.import_id in visible:
            found.append(lane)
        row = connection.execute(_next, _parameters(campaign_id, lane)).first()
    return found


def due_in(
    connection: Connection, campaign_id: int, lanes: Sequence[Lane], now_ms: int, most: int
) -> list[int]:
    """The ids of due contacts of several lanes, the earliest due first, then by their order in the list.

    Args:
        connection: in a transaction.
        campaign_id: whose lanes they are.
        lanes: of one priority.
        now_ms: wall time; what is due later is left out.
        most: how many ids at most.
    """
    found: list[tuple[int, int]] = []
    for lane in sorted(lanes, key=lambda lane: lane.due_at_ms):
        if lane.due_at_ms > now_ms or (len(found) >= most and lane.due_at_ms > found[most - 1][0]):
            break
        parameters = _parameters(campaign_id, lane) | {"now_ms": now_ms, "most": most}
        found += [(due_at_ms, contact_id) for due_at_ms, contact_id in connection.execute(_due, parameters)]
        found.sort()
    return [contact_id for _due_at_ms, contact_id in found[:most]]


def _parameters(campaign_id: int, lane: Lane) -> dict[str, Any]:
    return {
        "campaign": campaign_id,
        "priority": lane.priority,
        "zone": lane.time_zone,
        "import_id": lane.import_id,
    }
