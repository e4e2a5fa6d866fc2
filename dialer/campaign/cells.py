"""The cells of a contact list as typed values. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from dialer.campaign.columns import ColumnKind

MAX_TEXT = 1_000
_DECIMAL = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?", re.ASCII)
_INT = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DATE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}", re.ASCII)


class BadCell(ValueError):  # noqa: N818 - it is the cell that is bad
    """A cell that is not of its column's kind; ``problem`` and ``mend`` as in ``errors.Mistake``."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend


def read_text(cell: str) -> str:
    """Text in one line, at most 1,000 characters."""
    if not cell.isprintable():
        cell = " ".join(cell.split())
        if not cell.isprintable():
            raise BadCell("holds a character that cannot be shown", "Type the cell anew")
    if len(cell) > MAX_TEXT:
        raise BadCell(f"is longer than {MAX_TEXT} characters", "Shorten it")
    return cell


def read_decimal(cell: str) -> Decimal:
    """``1234.50`` or ``1,234.50``; never a float, since it may be an amount of money."""
    if not _DECIMAL.fullmatch(cell):
        raise BadCell(f"{cell!r} is no amount", "Write it as 1234.50, without a currency")
    return Decimal(cell.replace(",", ""))


def read_int(cell: str) -> int:
    """A whole number of at most 18 digits."""
    if not _INT.fullmatch(cell):
        raise BadCell(f"{cell!r} is no whole number", "Write it as 1234")
    return int(cell)


def read_date(cell: str) -> date:
    """``2026-03-15`` or ``2026/3/15``: year first, since 03/04 means two things."""
    if _DATE.fullmatch(cell):
        year, month, day = map(int, re.split("[-/]", cell))
        try:
            return date(year, month, day)
        except ValueError as error:
            raise BadCell(f"{cell!r} is no day of the calendar", "Correct the date") from error
    raise BadCell(f"{cell!r} is no date", "Write it as 2026-03-15")


FIELD_READERS: Mapping[ColumnKind, Callable[[str], Any]] = MappingProxyType(
    {
        ColumnKind.TEXT: read_text,
        ColumnKind.DECIMAL: read_decimal,
        ColumnKind.INT: read_int,
        ColumnKind.DATE: read_date,
    }
)
"""How cells become values of ``Contact.fields``; the other kinds have places of their own."""
