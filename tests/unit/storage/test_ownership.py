from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dialer.campaign.base import CampaignPlan
from dialer.errors import StorageError
from dialer.storage import lists, queries
from dialer.storage.base import OpenAttempt, TakeContacts
from dialer.storage.models import Attempt, Contact, Run
from dialer.storage.ownership import own, owner_pid
from dialer.storage.records import SqlRecords
from tests.unit.storage.helpers import NOW, add_campaign, add_contacts, rows, slots


def test_a_second_run_is_told_who_owns_the_database(url: str) -> None:
    with own(url, NOW):
        with pytest.raises(StorageError, match=rf"process {os.getpid()}.*dialer stop"):
            own(url, NOW)
        assert owner_pid(url) == os.getpid()
    assert owner_pid(url) is None
    own(url, NOW).release()


def test_a_killed_owner_leaves_the_database_free(url: str) -> None:
    code = "import sys, os; from dialer.storage.ownership import own; own(sys.argv[1], 1); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == 9
    with own(url, NOW) as hold:
        assert hold.run_id == 2


def test_what_a_dead_run_left_open_is_held_and_never_redialled(url: str, records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    ids = add_contacts(records.engine, campaign, 3)
    plan = CampaignPlan(campaign, "bills")
    dead = own(url, NOW)
    op = TakeContacts(plan, slots(2), NOW, lambda _zone: True, dead.run_id)
    records.apply([op], again=False)
    records.apply([OpenAttempt("hand", "handcall", "sip:x@127.0.0.1", NOW)], again=False)
    dead.release()  # without an end: as after a crash

    with own(url, NOW + 1000) as hold:
        unknown = hold.reconcile(NOW + 1000)
        assert [(u.number, u.campaign, u.dialled_at_ms) for u in unknown] == [
            ("+12025550100", "bills", None),
            ("+12025550101", "bills", None),
        ]
        assert hold.reconcile(NOW + 1000) == []
        op = TakeContacts(plan, slots(3), NOW + 2000, lambda _zone: True, hold.run_id)
        [jobs] = records.apply([op], again=False)
        assert jobs is not None
        assert [job.contact.contact_id for job in jobs] == [ids[2]]
        assert hold.reconcile(NOW + 3000) == [], "its own open attempts are no crash"
        hold.release(NOW + 4000)
    states = dict(rows(records.engine, Contact, "id", "state"))  # type: ignore[arg-type, var-annotated]
    assert [states[i] for i in ids] == ["held", "held", "in_call"]
    dispositions = {d for _, d in rows(records.engine, Attempt, "id", "disposition")}
    assert dispositions == {"unknown", None}
    assert rows(records.engine, Run, "id", "ended_at_ms") == [(1, NOW + 1000), (2, NOW + 4000)]


def test_a_person_decides_about_held_contacts(url: str, records: SqlRecords) -> None:
    campaign = add_campaign(records.engine)
    add_contacts(records.engine, campaign, 2)
    dead = own(url, NOW)
    op = TakeContacts(CampaignPlan(campaign, "bills"), slots(2), NOW, lambda _zone: True, dead.run_id)
    records.apply([op], again=False)
    dead.release()
    with own(url, NOW) as hold:
        hold.reconcile(NOW)
    assert [u.number for u in queries.unknown_attempts(records.engine)] == ["+12025550100", "+12025550101"]
    assert lists.release_held(records.engine, "bills", NOW, call_again=True) == 2
    assert queries.unknown_attempts(records.engine) == []
    assert {state for _, state in rows(records.engine, Contact, "id", "state")} == {"ready"}


def test_old_tables_are_refused(tmp_path: object) -> None:
    with pytest.raises(StorageError, match="dialer db upgrade"):
        own(f"sqlite:///{tmp_path}/none.db", NOW)
