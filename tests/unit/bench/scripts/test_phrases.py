"""The phrases of the bench's callees."""

from __future__ import annotations

import pytest

from dialer.bench.scripts.audio import HUMAN_FOLDER
from dialer.bench.scripts.choose import CYCLE
from dialer.bench.scripts.phrases import PAUSE, PhraseBook, phrase_books, pieces
from dialer.simulator.turncallee import Kind, Question


def test_pieces_are_cut_at_pauses() -> None:
    assert pieces("um [pause] on [200] friday", 400) == [("um", 400), ("on", 200), ("friday", 0)]


@pytest.mark.parametrize("book", phrase_books())
def test_every_question_has_an_answer_of_each_kind_it_is_answered_with(book: PhraseBook) -> None:
    for question in CYCLE:
        assert book.of(Kind.CLEAN, question)
    for question in (Question.OPEN, Question.DATE):
        assert all(PAUSE in phrase for phrase in book.of(Kind.HESITATION, question))
        assert book.of(Kind.CORRECTION, question)


def test_recorded_phrases_have_words() -> None:
    book = phrase_books()[1]
    tables = (*book.clean.values(), *book.hesitation.values(), *book.correction.values(), book.interruption)
    for phrase in (phrase for table in tables for phrase in table):
        for piece, _ in pieces(phrase):
            assert all(name in book.words for name in piece.split())


@pytest.mark.skipif(not HUMAN_FOLDER.is_dir(), reason="asterisk-core-sounds-en-wav is not installed")
def test_every_recorded_phrase_is_installed() -> None:
    assert all((HUMAN_FOLDER / f"{name}.wav").is_file() for name in phrase_books()[1].words)
