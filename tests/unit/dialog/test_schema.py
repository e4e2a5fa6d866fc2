from __future__ import annotations

from pathlib import Path

import pytest

from dialer.dialog.messages import Expectation
from dialer.dialog.plan import Move, SayItem
from dialer.dialog.schema import make_plan
from dialer.yamlfile import read_yaml
from tests.unit.dialog.plans import SMALL, changed, good_plan, problems, read


def test_short_forms_mean_the_long_ones(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    hello, bill = plan.states["hello"], plan.states["bill"]
    assert hello.on["affirm"] == (Move(to="bill"),)
    assert hello.say == (SayItem("greet"),)
    assert bill.say == (SayItem("thanks"), SayItem("owed"))
    assert bill.wants == ("day",)
    assert plan.prompts["greet_again"].texts["en"] == ("Is this Anna?", "Anna?")


def test_what_a_state_leaves_out_comes_from_the_defaults(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    ask_day = plan.states["ask_day"]
    assert ask_day.again == ask_day.say
    assert ask_day.silence.then == "nobody"
    assert ask_day.groups == ("anywhere",)
    assert ask_day.expect is Expectation.DIGITS
    assert (ask_day.silence_ms, ask_day.threshold) == (3000, 0.5)


def test_a_state_may_change_one_thing_of_a_nudge(tmp_path: Path) -> None:
    plan = good_plan(tmp_path, changed(("say: which_day\n", "say: which_day\n    silence: {times: 0}\n")))
    silence = plan.states["ask_day"].silence
    assert (silence.times, silence.then, silence.say) == (0, "nobody", (SayItem("there"),))


def test_the_campaign_can_set_the_threshold(tmp_path: Path) -> None:
    path = tmp_path / "dialog.yaml"
    path.write_text(changed(("say: which_day\n", "say: which_day\n    threshold: 0.9\n")))
    plan = make_plan(read_yaml(path), threshold=0.3)
    assert plan is not None
    assert plan.states["hello"].threshold == 0.3
    assert plan.states["ask_day"].threshold == 0.9


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("    again: greet_again", "    agian: greet_again", "states.hello.agian", "means nothing here"),
        (
            "    say: which_day\n",
            "    say: which_day\n    end: unclear\n",
            "states.ask_day",
            "does not listen",
        ),
        ("next: hello_again}", "next: hello_again, end: unclear}", "states.no_desk", "only one of"),
        ("    wants: day\n    filled", "    filled", "states.ask_day", "`filled` needs `wants`"),
        ("    expect: digits", "    expect: digitts", "states.ask_day.expect", "input should be"),
        ("turns: 8", "turns: many", "limits.turns", "valid integer"),
        ('keys: {"1": bill}', 'keys: {"17": bill}', "states.hello.keys.17", "match pattern"),
        ("thanks: {en: Thanks.}", "thanks: Thanks.", "prompts.thanks", "under their languages"),
        ("  silence: {say: there, times: 2, then: nobody}", "  silence: {say: there}", "defaults", "needs"),
        (
            "who: {say: we_are}",
            "who: {say: we_are, to: bill, repeat: true}",
            "groups.anywhere.on.who",
            "only one",
        ),
        ("start: hello\n", "", "start", "is missing"),
        ("start: hello\n", "start: hello\nstart: hello\n", "start", "written twice"),
    ],
)
def test_a_wrong_shape_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, field: str, problem: str
) -> None:
    plan, mistakes = read(tmp_path, changed((old, new)))
    hits = [m for m in mistakes if m.field == field and problem in m.problem]
    assert hits, problems(mistakes)
    assert hits[0].line is not None
    assert plan is None or "twice" in problem


def test_an_empty_or_broken_file_has_only_its_own_mistake(tmp_path: Path) -> None:
    plan, mistakes = read(tmp_path, SMALL.replace("start:", "start: [", 1))
    assert plan is None
    assert len(mistakes) == 1
