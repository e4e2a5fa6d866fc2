"""Which ``dialer run`` owns a database, and what a dead one left open.

SQLite: one run owns the file by ``flock`` on ``<file>.lock``; the kernel gives the lock back when the
process ends, however it ends. PostgreSQL: every run holds an advisory lock of its own number on a
connection that it keeps, so that others can tell a live run from a dead one.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from dialer.call import Disposition
from dialer.campaign.base import ContactState
from dialer.errors import StorageError
from dialer.storage.base import UnknownAttempt
from dialer.storage.models import Attempt, Campaign, Contact, Run
from dialer.storage.sql import make_engine, reading, require_current, sqlite_path, translated, writing

_LOCK_CLASS = 0x4449414C  # "DIAL": the first key of our advisory locks
_BY_HAND_MS = 24 * 3_600_000  # a call by hand that is open for longer than this is over


class Ownership:
    """A run's hold on a database, until ``release`` or the end of the process. Methods block."""

    def __init__(self, run_id: int, engine: Engine, lock: IO[str] | None, session: Connection | None) -> None:
        """Use ``own``."""
        self.run_id = run_id
        self._engine = engine
        self._lock = lock
        self._session = session

    def __enter__(self) -> Ownership:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def reconcile(self, now_ms: int) -> list[UnknownAttempt]:
        """Mark what dead runs left open as unknown and hold its contacts; never redialled blindly.

        Returns:
            Those attempts, the oldest first.
        """
        with writing(self._engine) as connection:
            dead = self._dead_runs(connection)
            left = (
                Attempt.disposition.is_(None),
                sa.or_(
                    Attempt.run_id.in_(dead),
                    sa.and_(Attempt.run_id.is_(None), Attempt.opened_at_ms < now_ms - _BY_HAND_MS),
                ),
            )
            rows = connection.execute(
                sa.select(
                    Attempt.id,
                    Attempt.contact_id,
                    Attempt.number,
                    Attempt.opened_at_ms,
                    Attempt.dialled_at_ms,
                )
                .add_columns(sa.func.coalesce(Campaign.name, "").label("campaign"))
                .outerjoin(Campaign, Campaign.id == Attempt.campaign_id)
                .where(*left)
                .order_by(Attempt.opened_at_ms)
            ).all()
            for start in range(0, len(rows), 500):
                part = rows[start : start + 500]
                connection.execute(
                    sa.update(Attempt)
                    .where(Attempt.id.in_([row.id for row in part]))
                    .values(
                        disposition=Disposition.UNKNOWN.value, ended_at_ms=now_ms, cause="the dialer ended"
                    )
                )
                connection.execute(
                    sa.update(Contact)
                    .where(
                        Contact.id.in_([row.contact_id for row in part if row.contact_id is not None]),
                        Contact.state == ContactState.IN_CALL.value,
                    )
                    .values(
                        state=ContactState.HELD.value,
                        last_disposition=Disposition.UNKNOWN.value,
                        blocked_reason="the dialer ended in the middle of an attempt: it is not known"
                        " whether the person was reached",
                    )
                )
            connection.execute(sa.update(Run).where(Run.id.in_(dead)).values(ended_at_ms=now_ms))
        return [
            UnknownAttempt(row.id, row.number, row.campaign, row.opened_at_ms, row.dialled_at_ms)
            for row in rows
        ]

    def release(self, now_ms: int | None = None) -> None:
        """End the hold. Twice is once.

        Args:
            now_ms: written as the run's end; left out where the run did not end well.
        """
        if self._lock is None and self._session is None:
            return
        try:
            if now_ms is not None:
                with writing(self._engine) as connection:
                    connection.execute(sa.update(Run).where(Run.id == self.run_id).values(ended_at_ms=now_ms))
        finally:
            if self._session is not None:
                self._session.close()
            if self._lock is not None:
                self._lock.close()  # gives the flock back
            self._lock = self._session = None
            self._engine.dispose()

    def _dead_runs(self, connection: Connection) -> Sequence[int]:
        open_runs = connection.execute(
            sa.select(Run.id).where(Run.ended_at_ms.is_(None), Run.id != self.run_id)
        ).scalars()
        runs = list(open_runs)
        # A run that ended well closed its attempts; one that could not has them in its spill file.
        if self._session is None:
            return runs
        dead = []
        for run in runs:
            free = sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK_CLASS, run))
            if connection.execute(free).scalar():
                dead.append(run)
        return dead


def own(url: str, now_ms: int) -> Ownership:
    """Take hold of a database for a ``dialer run``.

    Raises:
        StorageError: another run owns this SQLite database (the message names its process), or the
            tables are not those of this program.
    """
    require_current(url)
    path = sqlite_path(url)
    lock = None if path is None else _flock(path)
    engine = make_engine(url)
    try:
        with writing(engine) as connection:
            run_id = connection.execute(
                sa.insert(Run)
                .values(host=socket.gethostname(), pid=os.getpid(), started_at_ms=now_ms)
                .returning(Run.id)
            ).scalar_one()
        session = None if lock is not None else _advisory(engine, run_id)
    except BaseException:
        if lock is not None:
            lock.close()
        engine.dispose()
        raise
    return Ownership(run_id, engine, lock, session)


def owner_pid(url: str) -> int | None:
    """The process that owns a SQLite database now; None where none does (always for PostgreSQL)."""
    path = sqlite_path(url)
    if path is None:
        return None
    try:
        with _lock_path(path).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0)
    except FileNotFoundError:
        return None
    return None


def held_contacts(url: str, campaign: str) -> int:
    """How many contacts of a campaign are held because a crash left them unknown."""
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            return connection.execute(
                sa.select(sa.func.count())
                .select_from(Contact)
                .join(Campaign, Campaign.id == Contact.campaign_id)
                .where(Campaign.name == campaign, Contact.state == ContactState.HELD.value)
            ).scalar_one()
    finally:
        engine.dispose()


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _flock(path: Path) -> IO[str]:
    file = _lock_path(path).open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        pid = file.read().strip() or "unknown"
        file.close()
        raise StorageError(
            f"{path} is in use by another `dialer run` (process {pid}): stop that one"
            " (`dialer stop --drain` lets its calls finish), or give this one a database of its own"
        ) from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _advisory(engine: Engine, run_id: int) -> Connection:
    with translated():
        session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.execute(sa.select(sa.func.pg_advisory_lock(_LOCK_CLASS, run_id)))
        return session
