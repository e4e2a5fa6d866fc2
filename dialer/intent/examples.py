"""Example utterances: the files of a campaign, and which rows are kept aside.

A campaign's ``intents/<language>.jsonl`` has one ``{"text": ..., "intent": ...}`` a line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialer.errors import InputError, Mistake
from dialer.intent.features import normalise

HELD_OUT_PERCENT = 15


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled utterance.

    Attributes:
        text: as spoken, or as a recogniser wrote it.
        intent: its label.
        language: BCP 47 primary tag.
    """

    text: str
    intent: str
    language: str


def is_held_out(text: str) -> bool:
    """Whether a row is one of the 15 % that models are scored on and that nobody tunes with.

    The rule is a hash of the normalised text, so it holds for every file, in every order, for ever;
    the same words in two languages fall on the same side.
    """
    digest = hashlib.blake2b(normalise(text).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 100 < HELD_OUT_PERCENT


def load_examples(campaign: Path) -> dict[str, list[Example]]:
    """Every language's rows of a campaign folder, languages in alphabetical order.

    Raises:
        InputError: no file, a row that is no example, or one text under two labels of a language.
    """
    files = sorted((campaign / "intents").glob("*.jsonl"))
    if not files:
        raise InputError(
            Mistake(
                campaign / "intents",
                None,
                "",
                "there are no example utterances",
                'Write intents/<language>.jsonl with lines like {"text": "yes", "intent": "affirm"}',
            )
        )
    mistakes: list[Mistake] = []
    examples: dict[str, list[Example]] = {}
    for file in files:
        rows, found = _read(file, file.stem, one_label=True)
        examples[file.stem] = rows
        mistakes += found
    if mistakes:
        raise InputError(mistakes)
    return examples


def load_rows(file: Path, language: str | None = None) -> list[Example]:
    """The rows of one file; each may say its own ``language``.

    Args:
        file: JSON lines with ``text``, ``intent`` and perhaps ``language``.
        language: for rows that do not say; None: the file's stem (``en.jsonl``).

    Raises:
        InputError: the file is not there or a row is no example.
    """
    rows, mistakes = _read(file, language or file.stem, one_label=False)
    if mistakes:
        raise InputError(mistakes)
    return rows


def _read(file: Path, language: str, *, one_label: bool) -> tuple[list[Example], list[Mistake]]:
    """Rows and mistakes; ``one_label`` also demands that one text has one label."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [Mistake(file, None, "", f"it cannot be read ({error})", "Save it as UTF-8 text")]
    rows: list[Example] = []
    mistakes: list[Mistake] = []
    label_of: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parse(line, language)
        if isinstance(row, str):
            mend = 'Write {"text": "...", "intent": "..."}'
            mistakes.append(Mistake(file, number, "", row, mend))
            continue
        rows.append(row)
        known = label_of.setdefault(normalise(row.text), (row.intent, number))
        if one_label and known[0] != row.intent:
            problem = f'"{row.text}" is {row.intent} here and {known[0]} in line {known[1]}'
            mistakes.append(Mistake(file, number, "intent", problem, "Keep one of the two"))
    if not rows and not mistakes:
        mistakes.append(Mistake(file, None, "", "it has no rows", "Write examples or remove the file"))
    return rows, mistakes


def _parse(line: str, language: str) -> Example | str:
    """The example, or what is wrong with the line."""
    try:
        row = json.loads(line)
    except ValueError:
        return "the line is not JSON"
    if not isinstance(row, dict):
        return "the line is not an object"
    text, intent = row.get("text"), row.get("intent")
    if not isinstance(text, str) or not normalise(text):
        return '"text" is missing or has no words'
    if not isinstance(intent, str) or not intent:
        return '"intent" is missing'
    spoken = row.get("language", language)
    return Example(text, intent, spoken if isinstance(spoken, str) else language)


def unique(rows: Iterable[Example]) -> list[Example]:
    """The rows without repetitions of the same normalised text and label, in their order."""
    seen: set[tuple[str, str]] = set()
    kept: list[Example] = []
    for row in rows:
        key = (normalise(row.text), row.intent)
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept


def flatten(examples: Mapping[str, Sequence[Example]]) -> list[Example]:
    """All languages' rows in one list, languages in alphabetical order."""
    return [row for language in sorted(examples) for row in examples[language]]
