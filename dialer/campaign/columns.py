"""The columns of a campaign's contact list, as ``campaign.yaml`` describes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ColumnKind(StrEnum):
    """How the text of a cell is read, and what a value of it is in ``Contact.fields``."""

    TEXT = "text"  # str
    DECIMAL = "decimal"  # decimal.Decimal: ``1234.50``, ``1,234.50``
    DATE = "date"  # datetime.date: ``2026-03-15``
    INT = "int"  # int
    PHONE = "phone"  # the number to call: E.164 in ``Contact.number``; exactly one column has it
    LANGUAGE = "language"  # ``Contact.language``: a BCP 47 primary tag; at most one column has it
    TIME_ZONE = "time_zone"  # the callee's IANA time zone; at most one column has it


@dataclass(frozen=True, slots=True)
class ContactColumn:
    """One column.

    Attributes:
        name: the key in ``Contact.fields`` (kinds phone, language and time_zone have their own places).
        kind: how cells are read; a plain string of the same spelling is accepted by ``ColumnKind(...)``.
        required: the column must be there and no cell of it may be empty.
        headers: other spellings of the header in a file, compared without case and outer spaces;
            ``name`` itself is always accepted.
    """

    name: str
    kind: ColumnKind = ColumnKind.TEXT
    required: bool = False
    headers: tuple[str, ...] = ()
