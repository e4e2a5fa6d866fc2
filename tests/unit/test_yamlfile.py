from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from dialer.yamlfile import did_you_mean, dotted, read_yaml, shape_mistakes


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_that_yaml_1_1_would_turn_into_something_else_stay_words(tmp_path: Path) -> None:
    file = read_yaml(write(tmp_path, "on: yes\nat: 09:30\nday: 2026-12-03\nphone: +12025550101\n"))
    assert file.data == {"on": "yes", "at": "09:30", "day": "2026-12-03", "phone": "+12025550101"}
    assert not file.mistakes


def test_plain_scalars_have_their_types(tmp_path: Path) -> None:
    file = read_yaml(write(tmp_path, 'a: [1, 2.5, true, ~, "1"]\n1: x\n'))
    assert file.data == {"a": [1, 2.5, True, None, "1"], "1": "x"}


def test_every_place_has_its_line(tmp_path: Path) -> None:
    file = read_yaml(write(tmp_path, "a:\n  b: 1\n  c:\n    - x\n    - y\n"))
    assert file.line_of(("a", "c", 1)) == 5
    assert file.line_of(("a", "b")) == 2


def test_a_place_that_is_not_written_has_the_line_of_what_is_around_it(tmp_path: Path) -> None:
    file = read_yaml(write(tmp_path, "a:\n  say: hello\n"))
    mistake = file.mistake(("a", "say", 0, "prompt"), "p", "m")
    assert (mistake.line, mistake.field) == (2, "a.say")
    missing = file.mistake(("a", "end"), "p", "m")
    assert (missing.line, missing.field) == (1, "a.end")


def test_duplicate_keys_are_mistakes_that_name_both_lines(tmp_path: Path) -> None:
    file = read_yaml(write(tmp_path, "a:\n  b: 1\n  b: 2\n"))
    (mistake,) = file.mistakes
    assert mistake.line == 3
    assert mistake.field == "a.b"
    assert "first on line 2" in mistake.problem
    assert file.data == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1,\nb: 2\n", 3, "not valid YAML"),
        ("- a\n- b\n", 1, "must be a mapping"),
        ("", 1, "must be a mapping"),
        ("a: &x\n  b: *x\n", 2, "alias"),
    ],
)
def test_what_is_no_mapping_is_a_mistake(tmp_path: Path, text: str, line: int, words: str) -> None:
    (mistake,) = read_yaml(write(tmp_path, text)).mistakes
    assert mistake.line == line
    assert words in mistake.problem


def test_a_file_that_is_missing_or_no_text_is_a_mistake(tmp_path: Path) -> None:
    assert "does not exist" in read_yaml(tmp_path / "none.yaml").mistakes[0].problem
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"a: \xff\xfe\n")
    assert "cannot be read" in read_yaml(bad).mistakes[0].problem
    bell = tmp_path / "bell.yaml"
    bell.write_bytes(b"a: \x07\n")
    assert "not valid YAML" in read_yaml(bell).mistakes[0].problem


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    colour: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    inner: Inner


def test_shape_mistakes_have_lines_and_propose_what_was_meant(tmp_path: Path) -> None:
    file = read_yaml(write(tmp_path, "inner:\n  color: 3\n"))
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(file.data)
    missing, extra = shape_mistakes(file, error.value, {"Inner": Inner, "Outer": Outer})
    assert (missing.line, missing.field, missing.problem) == (1, "inner.colour", "'colour' is missing")
    assert (extra.line, extra.field, extra.mend) == (2, "inner.color", "Did you mean 'colour'?")


def test_dotted_and_did_you_mean() -> None:
    assert dotted(("states", "ask", "on", 0)) == "states.ask.on[0]"
    assert did_you_mean("openin", ["opening", "bill"]) == "Did you mean 'opening'?"
    assert did_you_mean("xyz", ["a", "b"]) == "Known: a, b"
    assert did_you_mean("xyz", []) == "None is declared yet"
