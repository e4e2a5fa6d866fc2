"""The engine: how connections to SQLite and PostgreSQL are made, and the migrations run from code.

Everything here blocks and belongs in a thread of the record writer or in a short command. Synchronous
on purpose: sqlite3 is blocking code in any case, and the writer groups commits in one thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from dialer.errors import InputError, Mistake, StorageError
from dialer.storage.base import DatabaseUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
DEFAULT_BUSY_MS = 10_000
UNDEFINED_TABLE = "42P01"  # PostgreSQL 17, appendix A
_NO_TABLES = "the database has no tables of ours: run `dialer db upgrade`"


def parse_url(url: str) -> URL:
    """The address of a database.

    Args:
        url: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://user@host/name``.

    Raises:
        InputError: it is none of these.
    """
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise _bad_url(url) from error
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite")
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case _:
            raise _bad_url(url)


def _bad_url(url: str) -> InputError:
    return InputError(
        Mistake(
            "database",
            None,
            url,
            "is not the address of a database that can be used",
            "Write sqlite:///dialer.db or postgresql://user@host/name",
        )
    )


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL."""
    parsed = parse_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def make_engine(url: str, *, busy_ms: int = DEFAULT_BUSY_MS) -> Engine:
    """An engine whose transactions are durable when they are committed.

    SQLite: WAL, ``synchronous=FULL``, foreign keys, and every transaction of ``writing`` begins with
    BEGIN IMMEDIATE, so that it waits for another connection's transaction at its start (for ``busy_ms``)
    and can never fail in its middle because somebody else wrote.

    Raises:
        InputError: the address cannot be used, or its folder is missing.
        StorageError: PostgreSQL is asked for and psycopg is not installed.
    """
    parsed = parse_url(url)
    path = sqlite_path(url)
    if path is not None:
        if not path.absolute().parent.is_dir():
            raise InputError(
                Mistake(
                    path, None, "database", "its folder does not exist", f"mkdir -p {path.absolute().parent}"
                )
            )
        engine = sa.create_engine(parsed, connect_args={"timeout": busy_ms / 1000}, hide_parameters=True)
        _configure_sqlite(engine, busy_ms)
        return engine
    try:
        return sa.create_engine(
            parsed,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": max(2, round(busy_ms / 1000))},
        )
    except ModuleNotFoundError as error:
        raise StorageError("psycopg is missing: pip install 'outbound-dialer[postgres]'") from error


def _configure_sqlite(engine: Engine, busy_ms: int) -> None:
    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # sqlite3 must not begin transactions of its own accord
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={busy_ms}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("dialer_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into ours.

    Raises:
        DatabaseUnavailable: unreachable, locked, full, or the connection broke: later it may work.
        StorageError: anything else.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if "no such table" in str(error.orig):
            raise StorageError(_NO_TABLES) from error
        raise DatabaseUnavailable(_told(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable(_told(error)) from error
        if getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE:
            raise StorageError(_NO_TABLES) from error
        raise StorageError(_told(error)) from error
    except SQLAlchemyError as error:
        raise StorageError(str(error)) from error


def _told(error: DBAPIError) -> str:
    # The statement, its parameters and PostgreSQL's DETAIL are left out: they hold personal data.
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return f"the database refused: {lines[0]}"


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One durable transaction; committed when the block ends well. Errors are translated."""
    with translated(), engine.begin() as connection:
        yield connection


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A snapshot to read from; never waits for a writer on SQLite. Errors are translated."""
    with translated(), engine.connect() as plain:
        connection = plain.execution_options(dialer_reads=True)
        with connection.begin():
            yield connection


# --- migrations ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which migration a database stands at. ``current`` is None for a database without tables of ours."""

    current: str | None
    head: str

    @property
    def ok(self) -> bool:
        """Whether the tables are those that this program needs."""
        return self.current == self.head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(url: str) -> SchemaState:
    """Bring the tables of a database to the newest migration, making it where it is a new SQLite file.

    Raises:
        InputError, StorageError: see ``make_engine``.
    """
    engine = make_engine(url)
    try:
        with writing(engine) as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return check(url)
    finally:
        engine.dispose()


def check(url: str) -> SchemaState:
    """Which migration a database stands at.

    Raises:
        DatabaseUnavailable: it cannot be reached (a SQLite file that is not there included).
    """
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise StorageError(f"no migrations in {MIGRATIONS}")
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise DatabaseUnavailable(f"there is no database {path}: run `dialer db upgrade`")
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            return SchemaState(MigrationContext.configure(connection).get_current_revision(), head)
    finally:
        engine.dispose()


def require_current(url: str) -> None:
    """Go on only with the tables that this program needs.

    Raises:
        StorageError: they are older or newer; the message names the mend.
    """
    state = check(url)
    if not state.ok:
        raise StorageError(
            f"the database stands at migration {state.current or 'none'}, this program needs {state.head}:"
            " run `dialer db upgrade`"
        )
