from __future__ import annotations

from pathlib import Path

import pytest

from dialer.errors import InputError
from dialer.intent.examples import Example, is_held_out, load_examples, load_rows


def write(folder: Path, *lines: str, language: str = "en") -> Path:
    file = folder / "intents" / f"{language}.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_reads_a_campaigns_languages(tmp_path: Path) -> None:
    write(tmp_path, '{"text": "yes", "intent": "affirm"}', "", '{"text": "no", "intent": "deny"}')
    write(tmp_path, '{"text": "是的", "intent": "affirm"}', language="zh")
    assert load_examples(tmp_path) == {
        "en": [Example("yes", "affirm", "en"), Example("no", "deny", "en")],
        "zh": [Example("是的", "affirm", "zh")],
    }


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '{"text": "yes", "intent": "affirm"}',
        "yes",
        '["yes"]',
        '{"text": "?!", "intent": "affirm"}',
        '{"text": "ok"}',
        '{"text": "Yes!", "intent": "deny"}',
    )
    with pytest.raises(InputError) as caught:
        load_examples(tmp_path)
    assert [mistake.line for mistake in caught.value.mistakes] == [2, 3, 4, 5, 6]
    assert all(mistake.file == file for mistake in caught.value.mistakes)
    assert '"Yes!" is deny here and affirm in line 1' in str(caught.value)


def test_no_examples_at_all_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no example utterances"):
        load_examples(tmp_path)
    write(tmp_path, "")
    with pytest.raises(InputError, match="no rows"):
        load_examples(tmp_path)


def test_rows_for_scoring_may_say_their_language_and_repeat(tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    file.write_text(
        '{"text": "yes", "intent": "affirm", "language": "en"}\n{"text": "yes", "intent": "deny"}\n',
        encoding="utf-8",
    )
    assert [row.language for row in load_rows(file)] == ["en", "test"]
    assert [row.language for row in load_rows(file, "zh")] == ["en", "zh"]
    with pytest.raises(InputError, match="cannot be read"):
        load_rows(tmp_path / "nothing.jsonl")


def test_the_rule_of_the_held_out_rows_ignores_spelling_and_takes_about_15_percent() -> None:
    assert is_held_out("I'll pay") == is_held_out("i'll  pay!")
    share = sum(is_held_out(f"text {number}") for number in range(4000)) / 4000
    assert 0.13 < share < 0.17
