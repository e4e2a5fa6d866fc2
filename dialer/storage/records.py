"""The record writer's protocol on SQL: every kind of write as statements of one transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection, Engine

from dialer.call import CallRecord, TurnRecord
from dialer.campaign.base import CallJob, Control, Controls, Wish, ZoneDue
from dialer.errors import StorageError
from dialer.storage.base import (
    AttemptDialled,
    CloseCall,
    OpenAttempt,
    Suppress,
    TakeContacts,
    WriteOp,
)
from dialer.storage.codec import dump_values
from dialer.storage.lanes import find_lanes
from dialer.storage.models import (
    Attempt,
    Call,
    Contact,
    ControlRow,
    Recording,
    Suppression,
    Turn,
)
from dialer.storage.picking import Picker
from dialer.storage.sql import make_engine, reading, writing

_open_attempt = sa.insert(Attempt)
_dialled = (
    sa.update(Attempt)
    .where(Attempt.id == sa.bindparam("b_id"))
    .values(dialled_at_ms=sa.bindparam("b_at_ms"), sip_call_id=sa.bindparam("b_sip_call_id"))
)
_end_attempt = (
    sa.update(Attempt)
    .where(Attempt.id == sa.bindparam("b_id"))
    .values(
        ended_at_ms=sa.bindparam("b_at_ms"),
        disposition=sa.bindparam("b_disposition"),
        cause=sa.bindparam("b_cause"),
        sip_call_id=sa.case(
            (
                sa.bindparam("b_sip_call_id", type_=sa.Text) != "",
                sa.bindparam("b_sip_call_id", type_=sa.Text),
            ),
            else_=Attempt.sip_call_id,
        ),
    )
)
_free_contact = (
    sa.update(Contact)
    .where(Contact.id == sa.bindparam("b_id"))
    .values(
        state=sa.bindparam("b_state"),
        due_at_ms=sa.func.coalesce(sa.bindparam("b_due_at_ms", type_=sa.BigInteger), Contact.due_at_ms),
        attempts=Contact.attempts - sa.bindparam("b_uncounted", type_=sa.Integer),
        last_disposition=sa.bindparam("b_disposition"),
        last_attempt_at_ms=sa.bindparam("b_at_ms"),
        blocked_reason=sa.bindparam("b_reason"),
    )
)
_insert_turns = sa.insert(Turn)
_insert_recording = sa.insert(Recording)
# Columns that a record fills by itself; the others are written by name below.
_RECORD_COLUMNS = tuple(
    field.name
    for field in dataclasses.fields(CallRecord)
    if field.name
    not in {"call_id", "attempt_id", "disposition", "started_at_ms", "slots", "turns", "recording"}
)
_TURN_COLUMNS = tuple(field.name for field in dataclasses.fields(TurnRecord) if field.name != "slots")


class SqlRecords:
    """``dialer.storage.base.Records`` on SQLite or PostgreSQL.

    ``apply`` is called from one thread, ``controls`` and ``due_zones`` from another.
    """

    def __init__(self, url: str, *, busy_ms: int = 2_000) -> None:
        """Open nothing yet.

        Args:
            url: see ``sql.parse_url``.
            busy_ms: how long a SQLite write waits for another connection's before it is
                ``DatabaseUnavailable``; short, since the writer tries again by itself.
        """
        self._engine = make_engine(url, busy_ms=busy_ms)
        self._picker = Picker()
        insert = sqlite_insert if self._engine.dialect.name == "sqlite" else pg_insert
        self._call_once = (
            insert(Call).on_conflict_do_nothing(index_elements=[Call.call_id]).returning(Call.call_id)
        )
        self._attempt_once = insert(Attempt).on_conflict_do_nothing(index_elements=[Attempt.id])
        self._suppress_once = insert(Suppression).on_conflict_do_nothing(
            index_elements=[Suppression.pattern, Suppression.scope]
        )

    @property
    def engine(self) -> Engine:
        """The engine, for commands and tests that share the database."""
        return self._engine

    def apply(self, ops: Sequence[WriteOp], *, again: bool) -> list[list[CallJob] | None]:
        """See ``Records.apply``."""
        with writing(self._engine) as connection:
            return [self._apply_one(connection, op, again) for op in ops]

    def controls(self) -> Controls:
        """See ``Records.controls``."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(ControlRow.scope, ControlRow.wish, ControlRow.lines, ControlRow.cps)
            ).all()
        wished = {row.scope: Control(Wish(row.wish), row.lines, row.cps) for row in rows}
        overall = wished.pop("", Control(Wish.RUN))
        return Controls(overall, wished)

    def due_zones(self, campaign_id: int) -> list[ZoneDue]:
        """See ``Records.due_zones``."""
        with reading(self._engine) as connection:
            earliest: dict[str, int] = {}
            for lane in find_lanes(connection, campaign_id):
                known = earliest.get(lane.time_zone, lane.due_at_ms)
                earliest[lane.time_zone] = min(known, lane.due_at_ms)
        return [ZoneDue(zone, due_at_ms) for zone, due_at_ms in earliest.items()]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _apply_one(self, connection: Connection, op: WriteOp, again: bool) -> list[CallJob] | None:
        match op:
            case TakeContacts():
                return self._picker.take(connection, op, again)
            case OpenAttempt():
                connection.execute(self._attempt_once if again else _open_attempt, _attempt_row(op))
            case AttemptDialled():
                connection.execute(
                    _dialled, {"b_id": op.attempt_id, "b_at_ms": op.at_ms, "b_sip_call_id": op.sip_call_id}
                )
            case Suppress():
                connection.execute(self._suppress_once, _suppression_row(op))
            case CloseCall():
                self._close_call(connection, op)
        return None

    def _close_call(self, connection: Connection, op: CloseCall) -> None:
        record = op.record
        held = connection.execute(sa.select(Attempt.id).where(Attempt.id == record.attempt_id)).first()
        if held is None:  # written by hand, or the database was replaced: nothing is lost
            opened = OpenAttempt(
                attempt_id=record.attempt_id,
                call_id=record.call_id,
                number=op.number,
                opened_at_ms=round(record.started_at_ms) or op.ended_at_ms,
                campaign_id=op.campaign_id,
                contact_id=op.contact_id,
                caller_id=op.caller_id,
                trunk=op.trunk,
            )
            connection.execute(self._attempt_once, _attempt_row(opened))
        if connection.execute(self._call_once, _call_row(op)).first() is None:
            return  # stored already: the answer to an earlier try was lost
        connection.execute(
            _end_attempt,
            {
                "b_id": record.attempt_id,
                "b_at_ms": op.ended_at_ms,
                "b_disposition": str(record.disposition),
                "b_cause": record.cause,
                "b_sip_call_id": record.sip_call_id,
            },
        )
        if record.turns:
            connection.execute(_insert_turns, _turn_rows(record))
        if record.recording:
            connection.execute(
                _insert_recording,
                {"call_id": record.call_id, "path": record.recording, "created_at_ms": op.ended_at_ms},
            )
        if record.suppress:
            said = Suppress(op.number, "the callee asked for it", f"call {record.call_id}", op.ended_at_ms)
            connection.execute(self._suppress_once, _suppression_row(said))
        if op.contact_id is not None and op.after is not None:
            connection.execute(
                _free_contact,
                {
                    "b_id": op.contact_id,
                    "b_state": str(op.after.state),
                    "b_due_at_ms": op.after.due_at_ms,
                    "b_uncounted": 0 if op.after.counts else 1,
                    "b_disposition": str(record.disposition),
                    "b_at_ms": op.ended_at_ms,
                    "b_reason": op.after.reason,
                },
            )


def _attempt_row(op: OpenAttempt) -> dict[str, Any]:
    return {
        "id": op.attempt_id,
        "call_id": op.call_id,
        "run_id": op.run_id,
        "campaign_id": op.campaign_id,
        "contact_id": op.contact_id,
        "number": op.number,
        "caller_id": op.caller_id,
        "trunk": op.trunk,
        "opened_at_ms": op.opened_at_ms,
        "sip_call_id": "",
        "cause": "",
    }


def _suppression_row(op: Suppress) -> dict[str, Any]:
    return {
        "scope": op.scope,
        "pattern": op.number,
        "reason": op.reason,
        "source": op.source,
        "created_at_ms": op.at_ms,
    }


def _call_row(op: CloseCall) -> dict[str, Any]:
    record = op.record
    return {
        "call_id": record.call_id,
        "attempt_id": record.attempt_id,
        "campaign_id": op.campaign_id,
        "contact_id": op.contact_id,
        "number": op.number,
        "caller_id": op.caller_id,
        "trunk": op.trunk,
        "started_at_ms": round(record.started_at_ms) or op.ended_at_ms,
        "ended_at_ms": op.ended_at_ms,
        "disposition": str(record.disposition),
        "slots": dump_values(record.slots),
        **{name: getattr(record, name) for name in _RECORD_COLUMNS},
    }


def _turn_rows(record: CallRecord) -> list[dict[str, Any]]:
    rounds = [turn.round_id for turn in record.turns]
    if len(set(rounds)) != len(rounds):
        raise StorageError(f"call {record.call_id}: a round_id is used twice: {rounds}")
    return [
        {
            "call_id": record.call_id,
            "slots": dump_values(turn.slots),
            **{name: getattr(turn, name) for name in _TURN_COLUMNS},
        }
        for turn in record.turns
    ]
