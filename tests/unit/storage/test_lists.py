from __future__ import annotations

from pathlib import Path

import pytest

from dialer.campaign.base import Control, Wish
from dialer.campaign.calendar import ALWAYS_OPEN
from dialer.campaign.columns import ColumnKind, ContactColumn
from dialer.campaign.importer import ImportReport, ImportRules, load_contacts
from dialer.campaign.suppression import SuppressionEntry
from dialer.clock import ManualClock
from dialer.errors import CampaignError, InputError, StorageError
from dialer.storage import lists, queries
from dialer.storage.lists import SqlContactSink
from dialer.storage.models import Audit, Contact, Import
from dialer.storage.records import SqlRecords
from tests.unit.storage.helpers import NOW, add_campaign, rows

RULES = ImportRules(
    (ContactColumn("number", ColumnKind.PHONE, required=True), ContactColumn("name")), ("en",), ALWAYS_OPEN
)


def load(
    records: SqlRecords, path: Path, numbers: list[str], campaign_id: int = 1, partial: bool = False
) -> ImportReport:
    path.write_text("number,name\n" + "".join(f"{n},Anna\n" for n in numbers))
    sink = SqlContactSink(records.engine, campaign_id, ManualClock())
    return load_contacts(path, RULES, sink, partial=partial)


@pytest.fixture
def campaign(records: SqlRecords) -> int:
    return add_campaign(records.engine)


def test_a_list_becomes_contacts(records: SqlRecords, campaign: int, tmp_path: Path) -> None:
    assert load(records, tmp_path / "a.csv", ["+12025550100", "+12025550101"]).loaded == 2
    assert rows(records.engine, Contact, "row", "number", "state") == [
        (2, "+12025550100", "ready"),
        (3, "+12025550101", "ready"),
    ]
    [row] = queries.campaigns(records.engine)
    assert row.contacts == {"ready": 2}


def test_the_same_file_again_changes_nothing(records: SqlRecords, campaign: int, tmp_path: Path) -> None:
    load(records, tmp_path / "a.csv", ["+12025550100"])
    assert load(records, tmp_path / "other-name.csv", ["+12025550100"]).unchanged
    assert len(rows(records.engine, Import, "id")) == 1


def test_a_bad_list_leaves_nothing(records: SqlRecords, campaign: int, tmp_path: Path) -> None:
    report = load(records, tmp_path / "a.csv", ["+12025550100", "nonsense"])
    assert report.loaded == 0
    assert rows(records.engine, Contact, "id") == []
    assert rows(records.engine, Import, "id") == []
    assert load(records, tmp_path / "a.csv", ["+12025550100"]).loaded == 1


def test_duplicates_are_found_across_batches_and_imports(
    records: SqlRecords, campaign: int, tmp_path: Path
) -> None:
    many = [f"+1212555{n:04d}" for n in range(2100)]
    first = tmp_path / "first.csv"
    load(records, first, many)
    report = load(records, tmp_path / "second.csv", ["+12025550100", many[7]], partial=True)
    assert (report.loaded, report.rejected) == (1, 1)
    assert f"from row 9 of {first}" in report.mistakes[0].problem
    report = load(records, tmp_path / "third.csv", [f"+1213555{n:04d}" for n in [*range(2100), 3]])
    assert [(m.line, m.problem) for m in report.mistakes] == [
        (2102, "+12135550003 is there already, in row 5")
    ]


def test_a_dead_import_is_cleared_and_a_live_one_respected(
    records: SqlRecords, campaign: int, tmp_path: Path
) -> None:
    clock = ManualClock()
    sink = SqlContactSink(records.engine, campaign, clock)
    sink.begin("dead.csv", "a" * 64)
    with pytest.raises(StorageError, match="another list is being loaded"):
        SqlContactSink(records.engine, campaign, clock).begin("b.csv", "b" * 64)
    clock.advance(61_000)
    assert SqlContactSink(records.engine, campaign, clock).begin("b.csv", "b" * 64)
    assert [file for _, file in rows(records.engine, Import, "id", "file")] == ["b.csv"]


def test_campaigns_are_made_once_and_missing_ones_named(records: SqlRecords) -> None:
    first = lists.ensure_campaign(records.engine, "bills", "old", NOW)
    assert lists.ensure_campaign(records.engine, "bills", "new", NOW) == first
    assert [row.folder for row in queries.campaigns(records.engine)] == ["new"]
    with pytest.raises(CampaignError, match="there are: bills"):
        lists.find_campaign(records.engine, "bils")


def test_wishes_are_kept_and_only_what_is_named_changes(records: SqlRecords, campaign: int) -> None:
    engine = records.engine
    assert lists.set_control(engine, "bills", NOW, wish=Wish.RUN, lines=4) == Control(Wish.RUN, 4)
    assert lists.set_control(engine, "bills", NOW, cps=2.5) == Control(Wish.RUN, 4, 2.5)
    assert lists.set_control(engine, "bills", NOW, wish=Wish.PAUSE, lines=0) == Control(Wish.PAUSE, None, 2.5)
    assert lists.set_control(engine, "", NOW, wish=Wish.STOP).wish is Wish.STOP
    controls = records.controls()
    assert controls.overall.wish is Wish.STOP
    assert controls.of("bills") == Control(Wish.PAUSE, None, 2.5)
    with pytest.raises(CampaignError):
        lists.set_control(engine, "unknown", NOW, wish=Wish.RUN)
    assert len(rows(engine, Audit, "id")) == 4


def test_the_do_not_call_list(records: SqlRecords) -> None:
    engine = records.engine
    entries = [SuppressionEntry("+1 202 555 0100", reason="asked"), SuppressionEntry("+1203*", "bills")]
    assert lists.suppress(engine, entries, NOW) == 2
    assert lists.suppress(engine, entries, NOW) == 0
    assert [e.pattern for e in lists.suppressions(engine)] == ["+12025550100", "+1203*"]
    assert [e.pattern for e in lists.suppressions(engine, "bills")] == ["+1203*"]
    assert lists.unsuppress(engine, "+12025550100", "", NOW)
    assert not lists.unsuppress(engine, "+12025550100", "", NOW)
    with pytest.raises(InputError):
        lists.suppress(engine, [SuppressionEntry("hello")], NOW)
