"""Reads ``phrases.yaml``: what callees can say, by what it tries and by the question it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dialer.simulator.turncallee import Kind, Question

FILE = Path(__file__).with_name("phrases.yaml")
PAUSE = "[pause]"
_MARK = re.compile(r"\[(pause|\d+)\]")

Table = Mapping[Question, Sequence[str]]


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """What one sort of voice can say; ``words`` is what is said in each file of a human voice."""

    clean: Table
    hesitation: Table
    correction: Table
    interruption: Sequence[str]
    backchannel: Sequence[str]
    words: Mapping[str, str]

    def of(self, kind: Kind, question: Question) -> Sequence[str]:
        """The phrases of a kind that answer a question."""
        tables = {
            Kind.CLEAN: self.clean,
            Kind.HESITATION: self.hesitation,
            Kind.CORRECTION: self.correction,
        }
        return tables[kind][question]

    def said(self, piece: str) -> str:
        """The words of a piece of a phrase."""
        return " ".join(self.words.get(part, part) for part in piece.split())


def pieces(phrase: str, pause_ms: int = 0) -> list[tuple[str, int]]:
    """Cut a phrase at its pauses; ``[pause]`` stands for ``pause_ms``.

    Returns:
        Pieces, each with the pause after it in ms (0 for the last).
    """
    parts = _MARK.split(phrase)
    marks = [pause_ms if mark == "pause" else int(mark) for mark in parts[1::2]]
    return [(piece.strip(), pause) for piece, pause in zip(parts[::2], [*marks, 0], strict=True)]


@cache
def phrase_books() -> tuple[PhraseBook, PhraseBook]:
    """The synthesized voices' book and the human voice's."""
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    synthesized, human = data["synthesized"], data["human"]
    return _book(synthesized, synthesized), _book(human, synthesized)


def _book(data: Mapping[str, Any], synthesized: Mapping[str, Any]) -> PhraseBook:
    return PhraseBook(
        clean=_table(data["clean"]),
        hesitation=_table(data["hesitation"]),
        correction=_table(data["correction"]),
        interruption=data["interruption"],
        backchannel=synthesized["backchannel"],
        words=data.get("words", {}),
    )


def _table(data: Mapping[str, Sequence[str]]) -> Table:
    return {Question(question): phrases for question, phrases in data.items()}
