"""What commands write: campaigns, imports, do-not-call entries, wishes. Short transactions, blocking.

They may run beside a ``dialer run`` on the same database; whatever it must know it sees within a second.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection, Engine

from dialer.campaign.base import ContactState, Control, Wish
from dialer.campaign.importer import BATCH, Clash, StagedContact
from dialer.campaign.outcome import milliseconds
from dialer.campaign.suppression import SuppressionEntry, checked_pattern
from dialer.clock import Clock, SystemClock
from dialer.errors import CampaignError, StorageError
from dialer.storage.codec import dump_values
from dialer.storage.models import Audit, Campaign, Contact, ControlRow, Import, Suppression
from dialer.storage.sql import reading, writing

DEAD_IMPORT_MS = 60_000  # an import that staged nothing for so long is dead

_insert_contacts = sa.insert(Contact)
_there = sa.select(Contact.number, Contact.row, Contact.import_id).where(
    Contact.campaign_id == sa.bindparam("campaign")
)
_there_on_sqlite = _there.where(Contact.number.in_(sa.bindparam("numbers", expanding=True)))
# PostgreSQL compares every contact with every one of 2,000 parameters (6 s a batch at 80,000 contacts) as
# long as its statistics do not know the table yet; a join it does by the index.
_wanted = (
    sa.func.unnest(sa.bindparam("numbers", type_=ARRAY(sa.Text))).table_valued("number").render_derived()
)
_there_on_postgres = _there.join_from(_wanted, Contact, Contact.number == _wanted.c.number)


def insert_for(engine: Engine) -> Any:
    """The dialect's INSERT, which knows ON CONFLICT."""
    return sqlite_insert if engine.dialect.name == "sqlite" else pg_insert


def note(connection: Connection, now_ms: int, action: str, subject: str, detail: str = "") -> None:
    """Write who did what into the audit, inside the caller's transaction."""
    connection.execute(
        sa.insert(Audit).values(at_ms=now_ms, actor=_actor(), action=action, subject=subject, detail=detail)
    )


def _actor() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return "unknown"


# --- campaigns ----------------------------------------------------------------------------------


def ensure_campaign(engine: Engine, name: str, folder: str, now_ms: int) -> int:
    """The id of a campaign; it is made where it is new, and its folder is kept up to date."""
    with writing(engine) as connection:
        insert = insert_for(engine)(Campaign).values(name=name, folder=folder, created_at_ms=now_ms)
        return int(
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=[Campaign.name], set_={"folder": folder}
                ).returning(Campaign.id)
            ).scalar_one()
        )


def find_campaign(engine: Engine, name: str) -> int:
    """The id of a campaign.

    Raises:
        CampaignError: there is none of that name; the message lists those that are there.
    """
    with reading(engine) as connection:
        names = {n: i for i, n in connection.execute(sa.select(Campaign.id, Campaign.name))}
    if name not in names:
        there = ", ".join(sorted(names)) or "none; `dialer campaign load` makes one"
        raise CampaignError(f"there is no campaign {name!r} in the database (there are: {there})")
    return int(names[name])


class SqlContactSink:
    """``ContactSink`` of one campaign."""

    def __init__(self, engine: Engine, campaign_id: int, clock: Clock | None = None) -> None:
        """``clock``: contacts are due from the moment of this call on."""
        self._engine = engine
        self._campaign_id = campaign_id
        self._clock = clock or SystemClock()
        self._due_at_ms = self._now_ms
        self._import_id: int | None = None

    @property
    def import_id(self) -> int | None:
        """The import that was begun."""
        return self._import_id

    @property
    def _now_ms(self) -> int:
        return milliseconds(self._clock.wall())

    def begin(self, file: str, sha256: str) -> bool:
        """See ``ContactSink.begin``.

        Raises:
            StorageError: another import of this campaign is running.
        """
        with writing(self._engine) as connection:
            rows = connection.execute(
                sa.select(Import.id, Import.sha256, Import.visible_at_ms, Import.touched_at_ms).where(
                    Import.campaign_id == self._campaign_id,
                    sa.or_(Import.sha256 == sha256, Import.visible_at_ms.is_(None)),
                )
            ).all()
            if any(row.visible_at_ms is not None for row in rows):
                return False
            if any(row.touched_at_ms > self._now_ms - DEAD_IMPORT_MS for row in rows):
                raise StorageError(
                    "another list is being loaded into this campaign; try again when it is done"
                    f" (or, if it was ended, in {DEAD_IMPORT_MS // 1000} s)"
                )
            dead = [row.id for row in rows]
        for import_id in dead:
            self._forget(import_id)
        with writing(self._engine) as connection:
            self._import_id = connection.execute(
                sa.insert(Import)
                .values(
                    campaign_id=self._campaign_id,
                    file=file,
                    sha256=sha256,
                    loaded=0,
                    rejected=0,
                    started_at_ms=self._now_ms,
                    touched_at_ms=self._now_ms,
                )
                .returning(Import.id)
            ).scalar_one()
        return True

    def stage(self, contacts: Sequence[StagedContact]) -> list[Clash]:
        """See ``ContactSink.stage``."""
        with writing(self._engine) as connection:
            there = self._there(connection, [contact.number for contact in contacts])
            fresh = [self._row(contact) for contact in contacts if contact.number not in there]
            if fresh:
                connection.execute(_insert_contacts, fresh)
            connection.execute(
                sa.update(Import).where(Import.id == self._import_id).values(touched_at_ms=self._now_ms)
            )
        return [Clash(c.row, c.number, there[c.number]) for c in contacts if c.number in there]

    def publish(self, loaded: int, rejected: int) -> None:
        """See ``ContactSink.publish``."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(Import)
                .where(Import.id == self._import_id)
                .values(loaded=loaded, rejected=rejected, visible_at_ms=self._now_ms)
            )
            note(connection, self._now_ms, "contacts.loaded", f"import {self._import_id}", str(loaded))
            if connection.dialect.name == "postgresql":
                # Picking must not wait for the server's own round of statistics.
                connection.execute(sa.text("ANALYZE contacts"))

    def discard(self) -> None:
        """See ``ContactSink.discard``."""
        if self._import_id is not None:
            self._forget(self._import_id)
            self._import_id = None

    def _there(self, connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
        """The numbers among these that the campaign has already, and where each came from."""
        query = _there_on_sqlite if connection.dialect.name == "sqlite" else _there_on_postgres
        found = connection.execute(query, {"campaign": self._campaign_id, "numbers": numbers}).all()
        if not found:
            return {}
        # Two questions, since a join would tempt PostgreSQL to walk whole imports for every batch.
        files = connection.execute(sa.select(Import.id, Import.file)).all()
        name_of = {row.id: row.file for row in files}
        return {
            row.number: f"in row {row.row}"
            if row.import_id == self._import_id
            else f"from row {row.row} of {name_of[row.import_id]}"
            for row in found
        }

    def _row(self, contact: StagedContact) -> dict[str, Any]:
        return {
            "campaign_id": self._campaign_id,
            "import_id": self._import_id,
            "row": contact.row,
            "number": contact.number,
            "language": contact.language,
            "time_zone": contact.time_zone,
            "fields": dump_values(contact.fields),
            "state": contact.state.value,
            "priority": 0,
            "due_at_ms": self._due_at_ms,
            "attempts": 0,
            "last_disposition": "",
            "blocked_reason": contact.blocked_reason,
        }

    def _forget(self, import_id: int) -> None:
        some = (
            sa.select(Contact.id)
            .where(Contact.campaign_id == self._campaign_id, Contact.import_id == import_id)
            .limit(BATCH)
        )
        while True:
            with writing(self._engine) as connection:
                gone = connection.execute(sa.delete(Contact).where(Contact.id.in_(some))).rowcount
                if gone == 0:
                    connection.execute(sa.delete(Import).where(Import.id == import_id))
                    return


def release_held(engine: Engine, campaign: str, now_ms: int, *, call_again: bool) -> int:
    """Decide about the contacts that a crash left unknown.

    Args:
        engine: the database.
        campaign: its name.
        now_ms: wall time.
        call_again: whether they are to be called again (else they are done).

    Returns:
        How many there were.
    """
    campaign_id = find_campaign(engine, campaign)
    state = ContactState.READY if call_again else ContactState.DONE
    with writing(engine) as connection:
        count = connection.execute(
            sa.update(Contact)
            .where(Contact.campaign_id == campaign_id, Contact.state == ContactState.HELD.value)
            .values(state=state.value, blocked_reason="")
        ).rowcount
        note(connection, now_ms, "contacts.released", campaign, f"{count} {state.value}")
        return count


# --- do not call --------------------------------------------------------------------------------


def suppress(engine: Engine, entries: Iterable[SuppressionEntry], now_ms: int) -> int:
    """Add do-not-call entries; those that are there already stay as they are.

    Returns:
        How many were new.

    Raises:
        InputError: a pattern is neither a number nor a prefix.
    """
    rows = [
        {
            "scope": entry.scope,
            "pattern": checked_pattern(entry.pattern),
            "reason": entry.reason,
            "source": entry.source,
            "created_at_ms": entry.created_at_ms or now_ms,
        }
        for entry in entries
    ]
    added = 0
    insert = (
        insert_for(engine)(Suppression)
        .on_conflict_do_nothing(index_elements=[Suppression.pattern, Suppression.scope])
        .returning(Suppression.id)
    )
    with writing(engine) as connection:
        for row in rows:
            added += connection.execute(insert, row).first() is not None
        subject = f"{rows[0]['pattern']}" if len(rows) == 1 else f"{len(rows)} entries"
        note(connection, now_ms, "suppressions.added", subject, f"{added} new")
    return added


def unsuppress(engine: Engine, pattern: str, scope: str, now_ms: int) -> bool:
    """Take a do-not-call entry out; whether there was one. The audit keeps that it was there."""
    with writing(engine) as connection:
        there = connection.execute(
            sa.delete(Suppression)
            .where(Suppression.pattern == checked_pattern(pattern), Suppression.scope == scope)
            .returning(Suppression.reason)
        ).first()
        if there is not None:
            note(connection, now_ms, "suppressions.removed", pattern, f"scope {scope!r}, was: {there.reason}")
        return there is not None


def suppressions(engine: Engine, scope: str | None = None) -> list[SuppressionEntry]:
    """The do-not-call list: of one scope, or all of it; the newest first."""
    query = sa.select(Suppression).order_by(Suppression.created_at_ms.desc(), Suppression.pattern)
    if scope is not None:
        query = query.where(Suppression.scope == scope)
    with reading(engine) as connection:
        return [
            SuppressionEntry(row.pattern, row.scope, row.reason, row.source, row.created_at_ms)
            for row in connection.execute(query)
        ]


# --- wishes -------------------------------------------------------------------------------------


def set_control(
    engine: Engine,
    scope: str,
    now_ms: int,
    *,
    wish: Wish | None = None,
    lines: int | None = None,
    cps: float | None = None,
) -> Control:
    """Wish something of a campaign (``scope`` its name), or of the whole system (``scope`` empty).

    Args:
        engine: the database.
        scope: see above.
        now_ms: wall time.
        wish: RUN, PAUSE, DRAIN or STOP; unchanged where None.
        lines: cap for calls at once; unchanged where None, no cap of its own where 0 or less.
        cps: cap for calls a second, likewise.

    Returns:
        What is wished now; a running dialer follows within a second.

    Raises:
        CampaignError: there is no such campaign.
    """
    if scope:
        find_campaign(engine, scope)
    with writing(engine) as connection:
        row = connection.execute(
            sa.select(ControlRow.wish, ControlRow.lines, ControlRow.cps).where(ControlRow.scope == scope)
        ).first()
        before = Control(Wish.PAUSE if scope else Wish.RUN)
        if row is not None:
            before = Control(Wish(row.wish), row.lines, row.cps)
        after = Control(
            wish or before.wish,
            before.lines if lines is None else (lines if lines > 0 else None),
            before.cps if cps is None else (cps if cps > 0 else None),
        )
        values = {
            "wish": after.wish.value,
            "lines": after.lines,
            "cps": after.cps,
            "changed_at_ms": now_ms,
            "changed_by": _actor(),
        }
        insert = insert_for(engine)(ControlRow).values(scope=scope, **values)
        connection.execute(insert.on_conflict_do_update(index_elements=[ControlRow.scope], set_=values))
        note(connection, now_ms, "control.set", scope or "everything", str(after))
    return after
