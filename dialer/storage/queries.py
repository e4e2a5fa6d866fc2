"""What commands read: lists, due contacts, reports, calls and their turns. Blocking; snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from dialer.call import CallRecord, TurnRecord
from dialer.campaign.base import CampaignPlan, ContactState, Control, Wish
from dialer.campaign.calendar import why_undecided
from dialer.campaign.outcome import next_allowed_ms
from dialer.campaign.report import LATENCIES, CallRow, CampaignReport, summed
from dialer.errors import StorageError
from dialer.storage.bars import barred
from dialer.storage.base import UnknownAttempt
from dialer.storage.codec import load_values
from dialer.storage.lists import find_campaign
from dialer.storage.models import (
    Attempt,
    Call,
    Campaign,
    Contact,
    ControlRow,
    Import,
    Recording,
    Turn,
)
from dialer.storage.sql import reading


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign in a list; ``contacts`` are counts by ``ContactState``."""

    campaign_id: int
    name: str
    folder: str
    control: Control
    contacts: dict[str, int]


@dataclass(frozen=True, slots=True)
class DueRow:
    """Who would be called when, or why not.

    Attributes:
        at_ms: when the contact could be called at the earliest, wall time; None where it is not.
        why_not: empty where ``at_ms`` is given.
    """

    contact_id: int
    number: str
    state: str
    time_zone: str
    attempts: int
    last_disposition: str
    at_ms: int | None
    why_not: str


def campaigns(engine: Engine) -> list[CampaignRow]:
    """Every campaign with its contacts counted, by name."""
    with reading(engine) as connection:
        controls = {
            row.scope: Control(Wish(row.wish), row.lines, row.cps)
            for row in connection.execute(
                sa.select(ControlRow.scope, ControlRow.wish, ControlRow.lines, ControlRow.cps)
            )
        }
        return [
            CampaignRow(
                row.id,
                row.name,
                row.folder,
                controls.get(row.name, Control()),
                _contact_counts(connection, row.id),
            )
            for row in connection.execute(
                sa.select(Campaign.id, Campaign.name, Campaign.folder).order_by(Campaign.name)
            )
        ]


def _contact_counts(connection: Connection, campaign_id: int) -> dict[str, int]:
    query = (
        sa.select(Contact.state, sa.func.count())
        .join(Import, Import.id == Contact.import_id)
        .where(Contact.campaign_id == campaign_id, Import.visible_at_ms.is_not(None))
        .group_by(Contact.state)
    )
    counts = {state: count for state, count in connection.execute(query)}  # noqa: C416 - rows, not tuples
    return {state.value: counts[state.value] for state in ContactState if state.value in counts}


def due(engine: Engine, plan: CampaignPlan, now_ms: int, limit: int = 100) -> list[DueRow]:
    """Who would be called when, the first ones first; then those that will not be, with the reason.

    Args:
        engine: the database.
        plan: the campaign, for its hours.
        now_ms: wall time.
        limit: at most so many of those that will be called, and so many of those that will not.
    """
    columns = (
        Contact.id,
        Contact.number,
        Contact.state,
        Contact.time_zone,
        Contact.attempts,
        Contact.last_disposition,
        Contact.due_at_ms,
        Contact.blocked_reason,
        Contact.priority,
    )
    base = (
        sa.select(*columns)
        .join(Import, Import.id == Contact.import_id)
        .where(Contact.campaign_id == plan.campaign_id, Import.visible_at_ms.is_not(None))
    )
    ready = (
        base.where(Contact.state == ContactState.READY.value)
        .order_by(Contact.priority.desc(), Contact.due_at_ms, Contact.id)
        .limit(limit)
    )
    others = (
        base.where(
            Contact.state.in_([ContactState.BLOCKED.value, ContactState.HELD.value, ContactState.DONE.value]),
            sa.or_(Contact.state != ContactState.DONE.value, Contact.blocked_reason != ""),
        )
        .order_by(Contact.id)
        .limit(limit)
    )
    with reading(engine) as connection:
        waiting = connection.execute(ready).all()
        aside = barred(connection, plan, waiting, now_ms)
        found = [_due_row(plan, row, now_ms, aside.get(row.id)) for row in waiting]
        found += [
            DueRow(
                row.id,
                row.number,
                row.state,
                row.time_zone,
                row.attempts,
                row.last_disposition,
                None,
                row.blocked_reason or row.last_disposition,
            )
            for row in connection.execute(others)
        ]
    never = float("inf")
    return sorted(found, key=lambda row: never if row.at_ms is None else row.at_ms)


def _due_row(plan: CampaignPlan, row: Any, now_ms: int, aside: Mapping[str, Any] | None) -> DueRow:
    due_ms, why_not = row.due_at_ms, ""
    if aside is not None:
        due_ms = aside["b_due_at_ms"]
        why_not = "" if aside["b_state"] == ContactState.READY.value else aside["b_reason"]
    at_ms = None if why_not else next_allowed_ms(plan, row.time_zone, max(now_ms, due_ms))
    if at_ms is None and not why_not:
        why_not = why_undecided(plan.hours, row.time_zone) or "the campaign's hours never open for it"
    return DueRow(
        row.id,
        row.number,
        row.state,
        row.time_zone,
        row.attempts,
        row.last_disposition,
        at_ms,
        why_not,
    )


def report(engine: Engine, campaign: str, since_ms: int = 0) -> CampaignReport:
    """A campaign summed up, from calls that started at ``since_ms`` or later.

    Raises:
        CampaignError: there is no such campaign.
    """
    campaign_id = find_campaign(engine, campaign)
    of_it = sa.and_(Call.campaign_id == campaign_id, Call.started_at_ms >= since_ms)
    turn_names = [name for name in LATENCIES if hasattr(Turn, name)]
    with reading(engine) as connection:
        open_attempts = connection.execute(
            sa.select(sa.func.count())
            .select_from(Attempt)
            .where(Attempt.campaign_id == campaign_id, Attempt.disposition.is_(None))
        ).scalar_one()
        calls = connection.execute(
            sa.select(Call.disposition, Call.setup_ms, Call.talk_ms, Call.answer_ms).where(of_it)
        ).all()
        turns = connection.execute(
            sa.select(*(getattr(Turn, name) for name in turn_names))
            .join(Call, Call.call_id == Turn.call_id)
            .where(of_it)
        ).all()
        latencies = {name: [getattr(row, name) for row in turns] for name in turn_names}
        latencies["answer_ms"] = [row.answer_ms for row in calls]
        return summed(
            campaign,
            _contact_counts(connection, campaign_id),
            open_attempts,
            ((row.disposition, row.setup_ms, row.talk_ms) for row in calls),
            latencies,
        )


def calls(engine: Engine, campaign: str | None = None, since_ms: int = 0) -> Iterator[CallRow]:
    """Calls in the order in which they were placed, of one campaign or of all; read as they are taken.

    Raises:
        CampaignError: there is no such campaign.
    """
    turns = sa.select(sa.func.count()).where(Turn.call_id == Call.call_id).correlate(Call).scalar_subquery()
    query = (
        sa.select(
            Call.call_id,
            Call.number,
            Call.started_at_ms,
            Call.disposition,
            Call.cause,
            Call.sip_code,
            Call.talk_ms,
            Call.answer_ms,
            Call.setup_ms,
            Call.hung_up_by,
            sa.func.coalesce(Recording.path, "").label("recording"),
            turns.label("turns"),
            Call.caller_id,
            Call.trunk,
            Call.mos,
            Call.slots,
        )
        .outerjoin(Recording, Recording.call_id == Call.call_id)
        .where(Call.started_at_ms >= since_ms)
        .order_by(Call.started_at_ms, Call.call_id)
    )
    if campaign is not None:
        query = query.where(Call.campaign_id == find_campaign(engine, campaign))
    with reading(engine) as connection:
        streamed = connection.execution_options(yield_per=1_000)
        for row in streamed.execute(query):
            cells = row._asdict()
            yield CallRow(**{**cells, "slots": load_values(row.slots)})


def call(engine: Engine, call_id: str) -> CallRecord:
    """A call with its turns, as it was recorded.

    Args:
        engine: the database.
        call_id: the id, or the beginning of it where that is enough.

    Raises:
        StorageError: there is none, or several begin so.
    """
    with reading(engine) as connection:
        found = connection.execute(
            sa.select(Call).where(Call.call_id.startswith(call_id, autoescape=True)).limit(2)
        ).all()
        if len(found) != 1:
            problem = "several calls begin with" if found else "there is no call"
            raise StorageError(f"{problem} {call_id!r}")
        [row] = found
        path = connection.execute(sa.select(Recording.path).where(Recording.call_id == row.call_id)).scalar()
        turns = connection.execute(
            sa.select(Turn).where(Turn.call_id == row.call_id).order_by(Turn.round_id)
        ).all()
    kept = row._asdict()
    record = {name: kept[name] for name in CallRecord.__slots__ if name in kept}
    record.update(
        started_at_ms=float(row.started_at_ms),
        slots=load_values(row.slots),
        recording=path or "",
        turns=[_turn(turn._asdict()) for turn in turns],
    )
    return CallRecord(**record)


def _turn(kept: dict[str, Any]) -> TurnRecord:
    turn = {name: kept[name] for name in TurnRecord.__slots__}
    turn["slots"] = load_values(turn["slots"])
    return TurnRecord(**turn)


def unknown_attempts(engine: Engine) -> list[UnknownAttempt]:
    """The attempts that a crash left unknown and whose contacts are still held, the oldest first."""
    query = (
        sa.select(Attempt.id, Attempt.number, Campaign.name, Attempt.opened_at_ms, Attempt.dialled_at_ms)
        .join(Contact, Contact.id == Attempt.contact_id)
        .join(Campaign, Campaign.id == Attempt.campaign_id)
        .where(Contact.state == ContactState.HELD.value, Attempt.disposition == "unknown")
        .order_by(Attempt.opened_at_ms)
    )
    with reading(engine) as connection:
        return [UnknownAttempt(*row) for row in connection.execute(query)]
