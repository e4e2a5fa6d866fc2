"""Persona files: what they mean, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.errors import InputError
from dialer.simulator.persona import load_persona, load_personas, pieces, spoken

WHOLE = """\
name: pays_today
number: "+12025550101"
voice: slt
answer: {after_ms: 700}
noise_dbfs: -45
opening: {text: "Hello?", after_ms: 200}
says:
  - {text: "Yes, speaking.", reaction_ms: 300}
  - {text: "I will pay it [400] today.", interrupt_after_ms: 900}
  - {dtmf: "1"}
hang_up: {after_turn: 2}
expect: {disposition: will_pay_today}
"""


def write(folder: Path, text: str, name: str = "pays_today") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        load_persona(write(folder, text))
    return str(caught.value).replace(str(folder) + "/", "")


def test_a_whole_persona(tmp_path: Path) -> None:
    persona = load_persona(write(tmp_path, WHOLE))
    assert persona.number == "+12025550101"
    assert persona.answer.picks_up
    assert persona.answer.ring_ms == 700
    assert persona.noise_dbfs == -45
    assert [line.dtmf for line in persona.says] == [None, None, "1"]
    assert persona.says[1].interrupt_after_ms == 900
    assert persona.hang_up is not None
    assert persona.hang_up.after_turn == 2
    assert persona.expect.disposition == "will_pay_today"


@pytest.mark.parametrize(
    ("answer", "picks_up", "ring_ms", "beeps"),
    [
        ("{}", True, 400, False),
        ("{status: 486}", False, 0, False),
        ("{status: 603, after_ms: 900}", False, 900, False),
        ("{ring_out: true}", False, 0, False),
        ("{voicemail: 'Leave a message.', after_ms: 600}", True, 600, True),
        ("{voicemail: 'Leave a message.', beep: false}", True, 400, False),
    ],
)
def test_ways_to_answer(tmp_path: Path, answer: str, picks_up: bool, ring_ms: int, beeps: bool) -> None:
    text = f"name: pays_today\nnumber: '+12025550101'\nanswer: {answer}\nexpect: {{disposition: x}}\n"
    way = load_persona(write(tmp_path, text)).answer
    assert (way.picks_up, way.ring_ms, way.beeps) == (picks_up, ring_ms, beeps)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "voice: slt",
            "voise: slt",
            "pays_today.yaml:3 [voise]: the key 'voise' means nothing here. Did you mean",
        ),
        (
            "{after_ms: 700}",
            "{after: 700}",
            "pays_today.yaml:4 [answer.after]: the key 'after' means nothing",
        ),
        ('{dtmf: "1"}', "{dtmf: 1}", "pays_today.yaml:10 [says[2].dtmf]: input should be a valid string"),
        (
            '{dtmf: "1"}',
            '{dtmf: "x"}',
            "pays_today.yaml:10 [says[2].dtmf]: has something that is no telephone key",
        ),
        ('{dtmf: "1"}', "{reaction_ms: 5}", "pays_today.yaml:10 [says[2]]: a line is either text or dtmf"),
        ('{dtmf: "1"}', "{text: '[300]'}", "pays_today.yaml:10 [says[2]]: has no words"),
        ('{dtmf: "1"}', "{text: '[300] No'}", "pays_today.yaml:10 [says[2]]: begins with a pause"),
        ('"+12025550101"', "12025550101", "pays_today.yaml:2 [number]: input should be a valid string"),
        ('"+12025550101"', "'2025550101'", "pays_today.yaml:2 [number]: is no E.164 number"),
        ("expect: {disposition: will_pay_today}\n", "", "[expect]: 'expect' is missing"),
        ("{after_turn: 2}", "{after_turn: 4}", "hangs up after turn 4 of 3: lower hang_up.after_turn."),
        ("{after_turn: 2}", "{after_turn: 2, after_ms: 5}", "pays_today.yaml:11 [hang_up]: name one moment"),
        ("{after_ms: 700}", "{status: 486, ring_out: true}", "status and ring_out exclude each other"),
        ("{after_ms: 700}", "{status: 200}", "[answer.status]: input should be greater than or equal to 300"),
        ("{after_ms: 700}", "{beep: true}", "only a voicemail beeps"),
        ("{after_ms: 700}", "{ring_out: true, after_ms: 5}", "never picked up"),
        ("{after_ms: 700}", "{ring_out: true}", "never picks up, so it says nothing"),
        ("{after_ms: 700}", "{voicemail: 'Hi.'}", "a machine has its greeting only"),
        (
            "name: pays_today",
            "name: pays_later",
            "pays_today.yaml:1 [name]: 'pays_later' is written in a file",
        ),
        (
            "voice: slt",
            "voice: slt\nvoice: rms",
            "pays_today.yaml:4 [voice]: the key 'voice' is written twice",
        ),
        ("voice: slt", "voice: [slt", "not valid YAML"),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in WHOLE
    assert said in complaint(tmp_path, WHOLE.replace(old, new))


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_persona(write(tmp_path, WHOLE.replace("voice: slt", "voise: slt").replace("-45", "5")))
    assert [m.field for m in caught.value.mistakes] == ["noise_dbfs", "voise"]


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    assert "must be a mapping" in complaint(tmp_path, "- a\n- b\n")
    assert "must be a mapping" in complaint(tmp_path, "")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_persona(tmp_path / "none.yaml")


def test_a_folder_of_personas(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    write(tmp_path, WHOLE.replace("pays_today", "a_first").replace("0101", "0102"), "a_first")
    assert [p.name for p in load_personas(tmp_path)] == ["a_first", "pays_today"]


def test_two_personas_cannot_share_a_number(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    write(tmp_path, WHOLE.replace("name: pays_today", "name: a_first"), "a_first")
    with pytest.raises(
        InputError, match=r"pays_today\.yaml:2 \[number\].*already the number of a_first\.yaml"
    ):
        load_personas(tmp_path)


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no persona file"):
        load_personas(tmp_path)


def test_inner_pauses() -> None:
    assert pieces("I will pay it [400] today.") == [("I will pay it", 400), ("today.", 0)]
    assert pieces("[200] Well. [300]") == [("", 200), ("Well.", 300)]
    assert pieces("Yes.") == [("Yes.", 0)]
    assert spoken("I will pay it [400] today.") == "I will pay it today."
