from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from dialer.errors import InputError, StorageError
from dialer.storage.base import DatabaseUnavailable, Suppress
from dialer.storage.models import Base, Suppression
from dialer.storage.records import SqlRecords
from dialer.storage.sql import check, make_engine, parse_url, reading, require_current, upgrade, writing
from tests.unit.storage.helpers import NOW, rows


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_migrations_make_what_the_models_say(url: str) -> None:
    engine = make_engine(url)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_upgrade_twice_is_once(url: str) -> None:
    state = check(url)
    assert state.ok
    assert upgrade(url) == state
    require_current(url)


def test_a_database_without_tables_is_refused_with_the_mend(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    with pytest.raises(DatabaseUnavailable, match="dialer db upgrade"):
        check(url)
    sqlite3.connect(tmp_path / "empty.db").close()
    assert check(url).current is None
    with pytest.raises(StorageError, match="dialer db upgrade"):
        require_current(url)
    records = SqlRecords(url)
    with pytest.raises(StorageError, match="dialer db upgrade"):
        records.controls()
    records.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite://", "sqlite:///:memory:", ""])
def test_addresses_that_cannot_be_used(url: str) -> None:
    with pytest.raises(InputError, match=r"sqlite:///dialer\.db"):
        parse_url(url)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mkdir"):
        make_engine(f"sqlite:///{tmp_path}/a/b/dialer.db")


def test_sqlite_is_set_up_for_durability(url: str) -> None:
    engine = make_engine(url)
    with reading(engine) as c:
        assert c.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert c.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert c.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_a_write_waits_for_another_connections_transaction(url: str) -> None:
    other = sqlite3.connect(path_of(url), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    records = SqlRecords(url, busy_ms=20_000)
    began = threading.Event()

    def write() -> None:
        began.set()
        records.apply([Suppress("+12025550100", "asked", "test", NOW)], again=False)

    thread = threading.Thread(target=write)
    thread.start()
    began.wait()
    other.execute("COMMIT")
    thread.join()
    other.close()
    assert rows(records.engine, Suppression, "pattern") == [("+12025550100",)]
    records.close()


def test_a_lock_that_stays_is_something_to_try_again(url: str) -> None:
    other = sqlite3.connect(path_of(url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    records = SqlRecords(url, busy_ms=1)
    op = Suppress("+12025550100", "asked", "test", NOW)
    with pytest.raises(DatabaseUnavailable, match="locked"):
        records.apply([op], again=False)
    records.controls()  # readers do not wait
    other.close()
    records.apply([op], again=True)
    records.close()


def test_errors_hold_no_personal_data(url: str) -> None:
    engine = make_engine(url)
    twice = [{"scope": "", "pattern": "+12025550100", "reason": "", "source": "", "created_at_ms": NOW}] * 2
    with pytest.raises(StorageError) as caught, writing(engine) as c:
        c.execute(sa.insert(Suppression), twice)
    assert "+12025550100" not in str(caught.value)
    engine.dispose()
