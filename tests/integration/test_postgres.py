"""The records on PostgreSQL: the tests of SQLite over again, and what only a server can show."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from dialer.campaign.base import CampaignPlan
from dialer.errors import StorageError
from dialer.storage.base import DatabaseUnavailable, OpenAttempt, TakeContacts
from dialer.storage.models import Attempt, Base, Contact, Suppression
from dialer.storage.ownership import own
from dialer.storage.records import SqlRecords
from dialer.storage.sql import check, make_engine, reading, upgrade, writing
from dialer.storage.writer import RecordWriter
from tests.unit.storage import test_lists, test_queries, test_records
from tests.unit.storage.helpers import NOW, a_record, add_campaign, add_contacts, rows, slots

pytestmark = pytest.mark.postgres

campaign = test_lists.campaign

# The same behaviour on both databases: the same tests, with this folder's fixtures.
for _module in (test_records, test_lists, test_queries):
    for _name in [name for name in vars(_module) if name.startswith("test_")]:
        assert _name not in globals(), _name
        globals()[_name] = getattr(_module, _name)


def test_migrations_make_what_the_models_say(url: str, engine: sa.Engine) -> None:
    assert check(url).ok
    assert upgrade(url).ok
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        check(f"postgresql://nobody@/nothing?host={tmp_path}")


def test_two_hosts_never_take_the_same_contact(records: SqlRecords, url: str) -> None:
    campaign_id = add_campaign(records.engine)
    add_contacts(records.engine, campaign_id, 60)
    taken: list[int] = []
    together = threading.Barrier(4)

    def take_some() -> None:
        mine = SqlRecords(url)
        together.wait()
        for _ in range(30):
            op = TakeContacts(CampaignPlan(campaign_id, "bills"), slots(3), NOW, lambda _zone: True)
            [jobs] = mine.apply([op], again=False)
            taken.extend(job.contact.contact_id for job in jobs or ())
        mine.close()

    threads = [threading.Thread(target=take_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 60
    assert len(rows(records.engine, Attempt, "id")) == 60


def test_a_dead_run_is_told_from_a_live_one(records: SqlRecords, url: str) -> None:
    campaign_id = add_campaign(records.engine)
    add_contacts(records.engine, campaign_id, 2)
    plan = CampaignPlan(campaign_id, "bills")
    alive, dead = own(url, NOW), own(url, NOW)
    for hold in (alive, dead):
        op = TakeContacts(plan, slots(1), NOW, lambda _zone: True, hold.run_id)
        records.apply([op], again=False)
    dead.release()
    with own(url, NOW) as later:
        assert [unknown.number for unknown in later.reconcile(NOW)] == ["+12025550101"]
    assert [state for _, state in rows(records.engine, Contact, "id", "state")] == ["in_call", "held"]
    alive.release(NOW)


def test_a_value_that_the_database_will_not_take_is_a_storage_error(records: SqlRecords) -> None:
    with pytest.raises(StorageError):
        records.apply([OpenAttempt("a1", "c1", "NUL \x00 inside", NOW)], again=False)


def test_errors_hold_no_personal_data(engine: sa.Engine) -> None:
    twice = [{"scope": "", "pattern": "+12025550100", "reason": "", "source": "", "created_at_ms": NOW}] * 2
    with pytest.raises(StorageError) as caught, writing(engine) as c:
        c.execute(sa.insert(Suppression), twice)
    assert "+12025550100" not in str(caught.value)


def test_a_database_without_tables_is_refused_with_the_mend(engine: sa.Engine) -> None:
    with writing(engine) as c:
        c.execute(sa.text("DROP TABLE controls"))
    records = SqlRecords(engine.url.render_as_string(hide_password=False))
    with pytest.raises(StorageError, match="dialer db upgrade"):
        records.controls()
    records.close()


async def test_a_broken_connection_is_mended_and_nothing_is_lost(url: str, tmp_path: Path) -> None:
    records = SqlRecords(url)
    writer = RecordWriter(records, spill=tmp_path / "spill")
    await writer.start()
    await writer.open_attempt("a1", "c1", "+12025550100")
    admin = make_engine(url)
    with writing(admin) as c:
        c.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    await writer.close_call(a_record("c1", "a1"), number="+12025550100")
    await writer.close()
    assert rows(admin, Attempt, "id", "disposition") == [("a1", "will_pay_today")]
    assert not (tmp_path / "spill").exists()
    admin.dispose()
