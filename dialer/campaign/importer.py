"""Loads a contact list: every row is read and checked, staged in batches, and made visible at once.

Nothing is loaded unless every row is good (or ``partial``). Memory does not grow with the list: rows
are staged as they are read, and duplicates are found by the store. Blocking; time comes in as a value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dialer.campaign.base import ContactState
from dialer.campaign.calendar import CallingHours, known_zone, why_undecided
from dialer.campaign.cells import FIELD_READERS, BadCell
from dialer.campaign.columns import ColumnKind, ContactColumn
from dialer.campaign.listfile import ListFile
from dialer.campaign.numbers import BadNumber, NumberReader
from dialer.errors import InputError, Mistake

BATCH = 2_000
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")
MAX_MISTAKES = 1_000  # kept in memory; the rejects file has them all


@dataclass(frozen=True, slots=True)
class StagedContact:
    """A checked row on its way into the store."""

    row: int
    number: str
    language: str
    time_zone: str
    fields: Mapping[str, Any]
    state: ContactState = ContactState.READY
    blocked_reason: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """A row whose number is there already: ``where`` says where, as words."""

    row: int
    number: str
    where: str


class ContactSink(Protocol):
    """Where an import goes. Methods block; each is one short transaction at a time."""

    def begin(self, file: str, sha256: str) -> bool:
        """Start an import; False where a list with this very content was loaded before."""

    def stage(self, contacts: Sequence[StagedContact]) -> list[Clash]:
        """Keep rows, unseen; those whose number is there already are left out and returned."""

    def publish(self, loaded: int, rejected: int) -> None:
        """Make everything that was staged visible, at once."""

    def discard(self) -> None:
        """Forget everything that was staged."""


@dataclass(frozen=True, slots=True)
class ImportRules:
    """What a campaign says about its list.

    Attributes:
        columns: see ``ContactColumn``.
        languages: of the campaign; the first one stands for contacts that name none.
        hours: of the campaign; whether the time zone must be known.
        default_region: ISO 3166 country of numbers written without a country code; empty for none.
    """

    columns: Sequence[ContactColumn]
    languages: Sequence[str]
    hours: CallingHours
    default_region: str = ""


@dataclass(slots=True)
class ImportReport:
    """What came of a loading.

    Attributes:
        rows: in the file, without the header.
        loaded: contacts that are in the campaign now because of it.
        blocked: of those, how many cannot be called until something is decided (no time zone).
        rejected: rows with a mistake.
        mistakes: the first ``MAX_MISTAKES`` of them.
        unchanged: this very content was loaded before; nothing was done.
        rejects: the file with every mistake, where there were any and one was asked for.
    """

    rows: int = 0
    loaded: int = 0
    blocked: int = 0
    rejected: int = 0
    mistakes: list[Mistake] = field(default_factory=list)
    unchanged: bool = False
    rejects: Path | None = None

    @property
    def good(self) -> bool:
        """Whether what was asked for was done."""
        return self.unchanged or self.loaded > 0


def load_contacts(
    path: Path,
    rules: ImportRules,
    sink: ContactSink,
    *,
    partial: bool = False,
    rejects: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Load a contact list.

    Args:
        path: a CSV file.
        rules: the campaign's.
        sink: the campaign's contacts in the store.
        partial: load the good rows although there are bad ones.
        rejects: where to write every mistake as CSV (row, field, value, problem, mend); the file is
            made only where there are some.
        progress: called after every batch with bytes read and bytes in all.

    Returns:
        The report; ``loaded`` is 0 where rows were bad and ``partial`` was not asked for.

    Raises:
        InputError: the file as a whole cannot be used (missing column, encoding, damaged quotes).
    """
    report = ImportReport()
    known = [name for column in rules.columns for name in _spellings(column)]
    with ListFile(path, known) as file, ExitStack() as stack:
        reader = _RowReader(file, rules)
        if not sink.begin(str(path), file.sha256):
            report.unchanged = True
            return report
        writer = _Rejects(rejects, stack)
        try:
            for batch in _batches(file.rows()):
                _load_batch(batch, reader, sink, report, writer)
                if progress is not None:
                    progress(file.position, file.size)
            if report.rejected and not partial:
                sink.discard()
                report.loaded = report.blocked = 0
            elif report.loaded:
                sink.publish(report.loaded, report.rejected)
            else:
                sink.discard()
        except BaseException:
            sink.discard()
            raise
    report.rejects = writer.path
    if report.rows == 0:
        raise InputError(Mistake(path, None, "", "has no rows", "There must be a contact below the header"))
    return report


def _batches(rows: Iterator[tuple[int, list[str]]]) -> Iterator[list[tuple[int, list[str]]]]:
    batch: list[tuple[int, list[str]]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _load_batch(
    batch: Sequence[tuple[int, list[str]]],
    reader: _RowReader,
    sink: ContactSink,
    report: ImportReport,
    rejects: _Rejects,
) -> None:
    contacts: dict[str, StagedContact] = {}
    mistakes: list[Mistake] = []
    for row, cells in batch:
        report.rows += 1
        contact, wrong = reader.read(row, cells)
        if contact is None:
            mistakes += wrong
        elif contact.number in contacts:
            mistakes.append(reader.twice(row, contact.number, f"in row {contacts[contact.number].row}"))
        else:
            contacts[contact.number] = contact
    clashes = sink.stage(list(contacts.values())) if contacts else []
    for clash in clashes:
        del contacts[clash.number]
        mistakes.append(reader.twice(clash.row, clash.number, clash.where))
    report.loaded += len(contacts)
    report.blocked += sum(contact.state is ContactState.BLOCKED for contact in contacts.values())
    mistakes.sort(key=lambda mistake: mistake.line or 0)
    report.rejected += len({mistake.line for mistake in mistakes})
    report.mistakes += mistakes[: MAX_MISTAKES - len(report.mistakes)]
    rejects.add(mistakes, dict(batch))


def _spellings(column: ContactColumn) -> set[str]:
    return {column.name.casefold(), *(header.strip().casefold() for header in column.headers)}


class _RowReader:
    """Rows of one file as contacts."""

    def __init__(self, file: ListFile, rules: ImportRules) -> None:
        self._path = file.path
        self._rules = rules
        self._numbers = NumberReader(rules.default_region)
        self._languages = {language.casefold(): language for language in rules.languages}
        self._width = len(file.header)
        self._places = _find_columns(file, rules.columns)
        self._fields = [
            (place, column, FIELD_READERS[ColumnKind(column.kind)])
            for column, place in self._places
            if ColumnKind(column.kind) in FIELD_READERS
        ]
        self._phone = self._one(ColumnKind.PHONE)
        self._language = self._one(ColumnKind.LANGUAGE)
        self._zone = self._one(ColumnKind.TIME_ZONE)
        if self._phone is None:
            mend = "Give one column of campaign.yaml the kind `phone`"
            raise InputError(Mistake(file.path, 1, "", "no column holds the number to call", mend))

    def _one(self, kind: ColumnKind) -> tuple[int, ContactColumn] | None:
        return next(((place, c) for c, place in self._places if ColumnKind(c.kind) is kind), None)

    def twice(self, row: int, number: str, where: str) -> Mistake:
        assert self._phone is not None
        return Mistake(
            self._path,
            row,
            self._phone[1].name,
            f"{number} is there already, {where}",
            "Take the row out, or load the others with --partial",
        )

    def read(self, row: int, cells: list[str]) -> tuple[StagedContact | None, list[Mistake]]:
        """The contact, or what is wrong with the row."""
        wrong: list[Mistake] = []

        def mistake(column: ContactColumn, problem: str, mend: str) -> None:
            wrong.append(Mistake(self._path, row, column.name, problem, mend))

        if len(cells) != self._width:
            if len(cells) > self._width and any(cell.strip() for cell in cells[self._width :]):
                problem = f"the row has {len(cells)} cells, the header {self._width}"
                return None, [Mistake(self._path, row, "", problem, "Quote cells that hold the separator")]
            cells = cells + [""] * (self._width - len(cells))
        fields: dict[str, Any] = {}
        for place, column, read in self._fields:
            cell = cells[place].strip()
            if not cell:
                if column.required:
                    mistake(column, "is empty", "Fill the cell")
                continue
            try:
                fields[column.name] = read(cell)
            except BadCell as bad:
                mistake(column, bad.problem, bad.mend)
        assert self._phone is not None
        number, zone = "", ""
        cell = cells[self._phone[0]].strip()
        try:
            if not cell:
                raise BadNumber("is empty", "Every row needs a number to call")
            dial = self._numbers.read(cell)
            number, zone = dial.e164, dial.time_zone
        except BadNumber as bad:
            mistake(self._phone[1], bad.problem, bad.mend)
        language = self._read_language(cells, mistake)
        zone = self._read_zone(cells, mistake) or zone
        if wrong:
            return None, wrong
        reason = why_undecided(self._rules.hours, zone)
        state = ContactState.BLOCKED if reason else ContactState.READY
        return StagedContact(row, number, language, zone, fields, state, reason), wrong

    def _read_language(self, cells: list[str], mistake: Callable[[ContactColumn, str, str], None]) -> str:
        if self._language is None:
            return self._rules.languages[0]
        place, column = self._language
        cell = cells[place].strip()
        if not cell:
            if column.required:
                mistake(column, "is empty", "Fill the cell")
            return self._rules.languages[0]
        spoken = self._languages.get(cell.casefold())
        if spoken is None:
            known = ", ".join(self._rules.languages)
            mistake(column, f"the campaign does not speak {cell!r}", f"It speaks {known}")
            return ""
        return spoken

    def _read_zone(self, cells: list[str], mistake: Callable[[ContactColumn, str, str], None]) -> str:
        if self._zone is None:
            return ""
        place, column = self._zone
        cell = cells[place].strip()
        if not cell and column.required:
            mistake(column, "is empty", "Fill the cell")
        if cell and known_zone(cell) is None:
            mistake(column, f"there is no time zone {cell!r}", "Write an IANA name such as America/New_York")
        return cell


def _find_columns(file: ListFile, columns: Sequence[ContactColumn]) -> list[tuple[ContactColumn, int]]:
    """Where each of the campaign's columns is in the file; columns that it does not know are ignored."""
    headers = [header.casefold() for header in file.header]
    found: list[tuple[ContactColumn, int]] = []
    mistakes: list[Mistake] = []
    for column in columns:
        places = [place for place, header in enumerate(headers) if header in _spellings(column)]
        if len(places) > 1:
            names = " and ".join(repr(file.header[place]) for place in places)
            mistakes.append(
                Mistake(file.path, 1, column.name, f"the columns {names} both mean it", "Take one out")
            )
        elif places:
            found.append((column, places[0]))
        elif column.required or ColumnKind(column.kind) is ColumnKind.PHONE:
            mistakes.append(
                Mistake(
                    file.path,
                    1,
                    column.name,
                    f"the column is missing (there are {', '.join(filter(None, file.header))})",
                    f"Add it, or name its header under `contacts.columns.{column.name}.headers`",
                )
            )
    if mistakes:
        raise InputError(mistakes)
    return found


class _Rejects:
    """The file of mistakes, made with the first one."""

    def __init__(self, path: Path | None, stack: ExitStack) -> None:
        self.path: Path | None = None
        self._wanted = path
        self._stack = stack
        self._write: Callable[[Sequence[str]], Any] | None = None

    def add(self, mistakes: Sequence[Mistake], rows: Mapping[int, list[str]]) -> None:
        if not mistakes or self._wanted is None:
            return
        if self._write is None:
            file = self._stack.enter_context(self._wanted.open("w", encoding="utf-8-sig", newline=""))
            self._write = csv.writer(file).writerow
            self._write(["row", "field", "problem", "mend", "cells"])
            self.path = self._wanted
        for mistake in mistakes:
            cells = rows.get(mistake.line or 0, [])
            self._write(
                [str(mistake.line), mistake.field, mistake.problem, mistake.mend, *map(neutral, cells)]
            )


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, "CSV injection"); numbers stay as they are."""
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and cell and not _PLAIN_NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
