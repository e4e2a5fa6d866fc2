"""A contact list as a file: its encoding and separator found by itself, its rows one by one.

UTF-8 with or without a byte order mark, UTF-16, GB18030; comma, semicolon or tab (RFC 4180 quoting).
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from dialer.errors import InputError, Mistake

CHUNK = 1 << 20
DELIMITERS = (",", ";", "\t")
_GB2312_SHARE = 0.95  # of the characters outside ASCII, for bytes that are not UTF-8 to be taken for Chinese


class ListFile:
    """An open list. ``rows`` may be walked once.

    Attributes:
        header: the cells of the first row, without outer spaces.
        sha256: of the bytes of the file, in hex.
        size: bytes.
        encoding: what the text was decoded with.
        delimiter: what separates the cells.
    """

    def __init__(self, path: Path, known_headers: Sequence[str]) -> None:
        """Open a list, find its encoding and separator and read its header.

        Args:
            path: the file.
            known_headers: headers that a campaign knows, in lower case; they decide the separator.

        Raises:
            InputError: there is no such file, it is empty, or it is not text that can be read.
        """
        self.path = path
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise _mistake(path, None, f"cannot be read: {error.strerror}", "Name a CSV file") from error
        try:
            self.size = path.stat().st_size
            self.encoding, self.sha256 = _examine(path, self._raw)
            self._raw.seek(0)
            text = io.TextIOWrapper(self._raw, encoding=self.encoding, newline="")
            first = text.readline()
            text.detach()  # or its end would close the file
            if not first.strip():
                raise _mistake(path, None, "is empty", "The first row names the columns")
            self.delimiter = max(DELIMITERS, key=lambda d: _known_cells(first, d, known_headers))
            self._raw.seek(0)
            self._text = io.TextIOWrapper(self._raw, encoding=self.encoding, newline="")
            self._reader = csv.reader(self._text, delimiter=self.delimiter, strict=True)
            self.header = [cell.strip() for cell in next(self._reader)]
        except csv.Error as error:
            self._raw.close()
            raise _mistake(path, 1, f"the header is damaged: {error}", "Check its quotes") from error
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> ListFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    @property
    def position(self) -> int:
        """How many bytes have been read, for a progress bar."""
        return self._raw.tell() if not self._raw.closed else self.size

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows after the header with their numbers (the header is row 1); empty rows are left out.

        Raises:
            InputError: a quote is never closed; nothing after it can be told apart.
        """
        row = 1
        while True:
            row += 1
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                raise _mistake(self.path, row, f"the row is damaged: {error}", "Check its quotes") from error
            if cells is None:
                return
            if any(cells):
                yield row, cells


def _mistake(path: Path, row: int | None, problem: str, mend: str) -> InputError:
    return InputError(Mistake(path, row, "", problem, mend))


def _known_cells(line: str, delimiter: str, known: Sequence[str]) -> tuple[int, int]:
    cells = [cell.strip().casefold() for cell in next(csv.reader([line], delimiter=delimiter))]
    return sum(cell in known for cell in cells), len(cells)


def _examine(path: Path, raw: io.BufferedReader) -> tuple[str, str]:
    """The encoding and the hash, in one pass (two where the bytes are not UTF-8)."""
    start = raw.read(4096)
    raw.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif start[1::2].count(0) > len(start) // 4:
        encoding = "utf-16-le"
    elif start[0::2].count(0) > len(start) // 4:
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    lines = 1
    bad: int | None = None
    while chunk := raw.read(CHUNK):
        digest.update(chunk)
        if bad is None:
            try:
                decoder.decode(chunk)
                lines += chunk.count(b"\n")
            except UnicodeDecodeError as error:
                bad = lines + error.object[: error.start].count(b"\n")
    if bad is None:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            bad = lines  # the file ends in the middle of a character
    if bad is None:
        return encoding, digest.hexdigest()
    if encoding == "utf-8" and _looks_chinese(raw):
        return "gb18030", digest.hexdigest()
    raise _mistake(
        path,
        bad,
        f"the text is not {encoding.upper()}",
        "Save the file as UTF-8 (in a spreadsheet: CSV UTF-8)",
    )


def _looks_chinese(raw: io.BufferedReader) -> bool:
    """Whether bytes that are not UTF-8 are GB18030: nearly all of its characters must be common ones.

    Western encodings decode as GB18030 too, but into rare characters.
    """
    raw.seek(0)
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    foreign = common = 0
    try:
        while chunk := raw.read(CHUNK):
            for character in decoder.decode(chunk):
                if character > "\x7f":
                    foreign += 1
                    common += len(character.encode("gb2312", "ignore")) == 2
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return foreign > 0 and common >= _GB2312_SHARE * foreign
