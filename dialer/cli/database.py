"""What commands share that touch the database for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import Engine

from dialer.campaign.folder import Campaign, load_campaign
from dialer.errors import InputError, Mistake
from dialer.settings import Settings, load_settings
from dialer.storage import queries, sql

Database = Annotated[
    str | None, typer.Option("--database", help="SQLAlchemy URL; else the settings' own.", metavar="URL")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of standard output.")]


def now_ms() -> int:
    """Wall time, milliseconds since the epoch."""
    return int(datetime.now(UTC).timestamp() * 1000)


def make_database(settings: Settings) -> sql.SchemaState:
    """Bring the schema of the settings' database up to date; makes the data folder and a SQLite file."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return sql.upgrade(settings.database)


@contextmanager
def opened(database: str | None, *, make: bool = False) -> Iterator[Engine]:
    """An engine on an up-to-date database.

    Args:
        database: SQLAlchemy URL, None for the settings' own.
        make: bring the schema up to date (and make the file of SQLite) instead of refusing.

    Raises:
        StorageError: the schema is not this version's, or the database cannot be reached.
    """
    settings = load_settings(database=database)
    url = settings.database
    if make:
        make_database(settings)
    else:
        sql.require_current(url)
    engine = sql.make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def find_row(engine: Engine, name: str) -> queries.CampaignRow:
    """The campaign called ``name``.

    Raises:
        InputError: there is none; names those that there are.
    """
    rows = queries.campaigns(engine)
    for row in rows:
        if row.name == name:
            return row
    known = (
        ", ".join(row.name for row in rows)
        or "none: load one with `dialer campaign load DIR --contacts FILE`"
    )
    problem = f"there is no campaign {name!r} in the database"
    raise InputError(Mistake("campaign", None, "", problem, f"There are: {known}"))


def folder_of(row: queries.CampaignRow) -> Campaign:
    """The campaign's folder as it is now.

    Raises:
        InputError: it is gone, or has a mistake.
    """
    return load_campaign(Path(row.folder))
