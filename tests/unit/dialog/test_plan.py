from __future__ import annotations

from pathlib import Path

from dialer.dialog.slots import sentences
from dialer.intent.examples import Example
from tests.unit.dialog.plans import good_plan

EXAMPLES = [
    Example("yes", "affirm", "en"),
    Example("yes", "affirm", "en"),
    Example("who is this", "who", "en"),
    Example("i'll pay later", "later", "en"),
    Example("what's the weather", "out_of_scope", "en"),
]


def test_a_context_holds_what_can_be_said_in_its_state(tmp_path: Path) -> None:
    contexts = {c.name: c for c in good_plan(tmp_path).contexts("en", EXAMPLES)}
    assert set(contexts) == {"hello", "bill", "ask_day", "sure_day", "hello_again"}
    assert contexts["hello"].sentences == (("yes", "affirm"), ("who is this", "who"))
    assert contexts["hello"].weights == {"affirm": 1.0, "who": 0.3}
    assert ("i'll pay later", "later") in contexts["bill"].sentences


def test_a_context_that_wants_a_day_knows_days(tmp_path: Path) -> None:
    contexts = {c.name: dict(c.sentences) for c in good_plan(tmp_path).contexts("en", EXAMPLES)}
    assert contexts["ask_day"]["on friday"] == "will_pay_later"
    assert contexts["ask_day"]["on the twenty third"] == "will_pay_later"
    assert "on friday" not in contexts["hello"]
    assert sentences("fi", "date") == ()


def test_backchannels(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    assert plan.is_backchannel("Mm-hm", "en")
    assert not plan.is_backchannel("yes", "en")
    assert not plan.is_backchannel("mm hm", "fi")
