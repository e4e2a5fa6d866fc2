from __future__ import annotations

import codecs
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dialer.campaign.base import ContactState
from dialer.campaign.calendar import ALWAYS_OPEN, same_every_day
from dialer.campaign.columns import ColumnKind, ContactColumn
from dialer.campaign.importer import (
    MAX_MISTAKES,
    Clash,
    ImportReport,
    ImportRules,
    StagedContact,
    load_contacts,
    neutral,
)
from dialer.errors import InputError

COLUMNS = (
    ContactColumn("number", ColumnKind.PHONE, required=True, headers=("phone", "telephone")),
    ContactColumn("name", required=True, headers=("First Name", "姓名")),
    ContactColumn("amount", ColumnKind.DECIMAL, required=True),
    ContactColumn("due_date", ColumnKind.DATE),
    ContactColumn("times", ColumnKind.INT),
    ContactColumn("language", ColumnKind.LANGUAGE),
    ContactColumn("zone", ColumnKind.TIME_ZONE),
)
RULES = ImportRules(COLUMNS, ("en", "zh"), ALWAYS_OPEN, "US")
HEADER = "number,name,amount,due_date,times,language,zone"


class MemorySink:
    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.staged: dict[str, StagedContact] = {}
        self.visible: dict[str, StagedContact] = {}
        self.batches: list[int] = []
        self.discarded = 0
        self._hash = ""

    def begin(self, file: str, sha256: str) -> bool:
        self._hash = sha256
        return sha256 not in self.seen

    def stage(self, contacts: Sequence[StagedContact]) -> list[Clash]:
        self.batches.append(len(contacts))
        there = {**self.visible, **self.staged}
        clashes = [
            Clash(c.row, c.number, f"in row {there[c.number].row}") for c in contacts if c.number in there
        ]
        self.staged.update({c.number: c for c in contacts if c.number not in there})
        return clashes

    def publish(self, loaded: int, rejected: int) -> None:
        assert loaded == len(self.staged)
        self.visible.update(self.staged)
        self.staged = {}
        self.seen.add(self._hash)

    def discard(self) -> None:
        self.discarded += 1
        self.staged = {}


def load(
    tmp_path: Path, text: str | bytes, sink: MemorySink | None = None, partial: bool = False, **kind: object
) -> tuple[ImportReport, MemorySink]:
    path = tmp_path / "contacts.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    sink = sink or MemorySink()
    rules = RULES if not kind else ImportRules(**{**_fields(RULES), **kind})  # type: ignore[arg-type]
    return load_contacts(path, rules, sink, partial=partial, rejects=tmp_path / "rejects.csv"), sink


def _fields(rules: ImportRules) -> dict[str, object]:
    return {name: getattr(rules, name) for name in ImportRules.__slots__}


def rows(*lines: str) -> str:
    return "\n".join((HEADER, *lines)) + "\n"


def test_a_good_list_is_loaded_with_its_types(tmp_path: Path) -> None:
    report, sink = load(
        tmp_path,
        rows(
            '(202) 555-0100,Anna,"1,234.50",2026-03-15,2,zh,America/Chicago', "+1 202 555 0101,Bob,7,,,,", ""
        ),
    )
    assert (report.rows, report.loaded, report.rejected, report.rejects) == (2, 2, 0, None)
    first, second = sink.visible.values()
    assert first.number == "+12025550100"
    assert first.fields == {
        "name": "Anna",
        "amount": Decimal("1234.50"),
        "due_date": date(2026, 3, 15),
        "times": 2,
    }
    assert (first.language, first.time_zone, first.row) == ("zh", "America/Chicago", 2)
    assert (second.language, second.time_zone, second.fields["amount"]) == (
        "en",
        "America/New_York",
        Decimal(7),
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
        ("gb18030", b""),
    ],
)
def test_encoding_and_separator_are_found(tmp_path: Path, separator: str, encoding: str, mark: bytes) -> None:
    text = separator.join(["Telephone", "姓名", "Amount"]) + "\r\n"
    text += separator.join(["+12025550100", "王小明", "12.50"]) + "\r\n"
    report, sink = load(tmp_path, mark + text.encode(encoding))
    assert report.mistakes == []
    assert sink.visible["+12025550100"].fields["name"] == "王小明"


def test_another_encoding_is_named_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, rows("+12025550100,Anna,1,,,,", "+12025550101,Jürgen,1,,,,").encode("latin-1"))
    [mistake] = caught.value.mistakes
    assert mistake.line == 3
    assert "UTF-8" in str(mistake)


def test_a_missing_column_is_named_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, "phone,first name\n+12025550100,Anna\n")
    [mistake] = caught.value.mistakes
    assert (mistake.field, mistake.line) == ("amount", 1)
    assert "phone, first name" in mistake.problem
    assert "contacts.columns.amount.headers" in mistake.mend


def test_a_bad_number_in_row_17_loads_nothing(tmp_path: Path) -> None:
    lines = [f"+1202555{n:04d},Anna,1,,,," for n in range(100, 130)]
    lines[15] = "+1202555,Anna,1,,,,"
    report, sink = load(tmp_path, rows(*lines))
    assert (report.rows, report.loaded, report.rejected) == (30, 0, 1)
    assert sink.visible == sink.staged == {}
    [mistake] = report.mistakes
    assert (mistake.line, mistake.field) == (17, "number")
    assert "too short" in mistake.problem
    assert report.rejects is not None
    assert "17,number," in report.rejects.read_text("utf-8-sig")


def test_partial_loads_the_good_rows(tmp_path: Path) -> None:
    report, sink = load(tmp_path, rows("+12025550100,Anna,1,,,,", "nonsense,Bob,1,,,,"), partial=True)
    assert (report.loaded, report.rejected) == (1, 1)
    assert list(sink.visible) == ["+12025550100"]


@pytest.mark.parametrize(
    ("line", "field", "problem"),
    [
        ("+12025550100,,1,,,,", "name", "is empty"),
        ("+12025550100,Anna,12 EUR,,,,", "amount", "is no amount"),
        ("+12025550100,Anna,1,15.03.2026,,,", "due_date", "is no date"),
        ("+12025550100,Anna,1,2026-02-30,,,", "due_date", "no day of the calendar"),
        ("+12025550100,Anna,1,,many,,", "times", "no whole number"),
        ("+12025550100,Anna,1,,,fr,", "language", "does not speak 'fr'"),
        ("+12025550100,Anna,1,,,,Mars/Base", "zone", "no time zone 'Mars/Base'"),
        (",Anna,1,,,,", "number", "is empty"),
        ("202555010x,Anna,1,,,,", "number", "number"),
        ("+12025550100 ext 5,Anna,1,,,,", "number", "extension"),
        ("+12025550100,An\x07na,1,,,,", "name", "cannot be shown"),
        ("+12025550100,Anna,1,,,,,,surplus", "", "9 cells"),
    ],
)
def test_each_mistake_names_its_field(tmp_path: Path, line: str, field: str, problem: str) -> None:
    report, _ = load(tmp_path, rows(line))
    [mistake] = report.mistakes
    assert (mistake.line, mistake.field) == (2, field)
    assert problem in mistake.problem
    assert mistake.mend


def test_every_mistake_of_a_row_is_told(tmp_path: Path) -> None:
    report, _ = load(tmp_path, rows("x,,y,,,,"))
    assert sorted(m.field for m in report.mistakes) == ["amount", "name", "number"]
    assert report.rejected == 1


def test_duplicates_in_the_file_and_in_the_campaign(tmp_path: Path) -> None:
    _, sink = load(tmp_path, rows("+12025550100,Anna,1,,,,"))
    report, _ = load(
        tmp_path,
        rows("202 555 0101,Bob,1,,,,", "+12025550101,Bob,1,,,,", "+12025550100,Anna,1,,,,"),
        sink,
    )
    assert [(m.line, m.problem) for m in report.mistakes] == [
        (3, "+12025550101 is there already, in row 2"),
        (4, "+12025550100 is there already, in row 2"),
    ]


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    text = rows("+12025550100,Anna,1,,,,")
    _, sink = load(tmp_path, text)
    before = dict(sink.visible)
    report, _ = load(tmp_path, text, sink)
    assert report.unchanged
    assert report.good
    assert sink.visible == before


def test_a_contact_whose_zone_nobody_knows_is_blocked_and_says_why(tmp_path: Path) -> None:
    report, sink = load(tmp_path, rows("+1 800 234 5678,Anna,1,,,,"), hours=same_every_day(9 * 60, 20 * 60))
    assert (report.loaded, report.blocked) == (1, 1)
    [contact] = sink.visible.values()
    assert contact.state is ContactState.BLOCKED
    assert "time zone" in contact.blocked_reason


def test_long_lists_go_in_batches_and_keep_few_mistakes(tmp_path: Path) -> None:
    good = [f"+1{area}555{n:04d},Anna,1,,,," for area in (202, 212) for n in range(2500)]
    bad = ["x,Anna,1,,,,"] * (MAX_MISTAKES + 50)
    report, sink = load(tmp_path, rows(*good, *bad), partial=True)
    assert max(sink.batches) <= 2000
    assert (report.loaded, report.rejected, len(report.mistakes)) == (5000, MAX_MISTAKES + 50, MAX_MISTAKES)
    assert report.rejects is not None
    assert len(report.rejects.read_text("utf-8-sig").splitlines()) == MAX_MISTAKES + 51


def test_progress_reaches_the_end_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(rows(*(f"+1202555{n:04d},Anna,1,,,," for n in range(100))))
    seen: list[tuple[int, int]] = []
    load_contacts(path, RULES, MemorySink(), progress=lambda done, size: seen.append((done, size)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        ((HEADER + "\n").encode(), "has no rows"),
        (rows('+12025550100,"Anna,1,,,,').encode(), "damaged"),
        (b"number,phone,name,amount\n+12025550100,+12025550100,a,1\n", "both mean it"),
    ],
)
def test_a_file_that_is_no_list(tmp_path: Path, text: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        load(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_contacts(tmp_path / "nowhere.csv", RULES, MemorySink())


def test_a_failing_store_leaves_nothing_staged(tmp_path: Path) -> None:
    class Failing(MemorySink):
        def publish(self, loaded: int, rejected: int) -> None:
            raise RuntimeError("disk full")

    sink = Failing()
    with pytest.raises(RuntimeError):
        load(tmp_path, rows("+12025550100,Anna,1,,,,"), sink)
    assert sink.discarded == 1


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-2+3", "'-2+3"), ("+12025550100", "+12025550100"),
     ("-12.5", "-12.5"), ("plain", "plain"), ("", ""), ("\t=1", "'\t=1")],
)  # fmt: skip
def test_formulas_are_neutralised(cell: str, shown: str) -> None:
    assert neutral(cell) == shown
