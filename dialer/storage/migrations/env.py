"""Alembic's entry: run by ``sql.upgrade`` with a connection, or by the ``alembic`` command with a URL."""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

from dialer.storage.models import Base
from dialer.storage.sql import make_engine, writing


def _run(connection: Connection) -> None:
    # SQLite cannot alter most things of a table: alembic copies it into a new one there.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    url = context.get_x_argument(as_dictionary=True).get("url", "sqlite:///dialer.db")
    with writing(make_engine(url)) as opened:
        _run(opened)
