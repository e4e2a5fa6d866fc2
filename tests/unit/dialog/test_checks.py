from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from dialer.dialog.checks import Surroundings
from tests.unit.dialog.plans import FIELDS, INTENTS, SMALL, changed, problems, read


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if words in line)


def test_a_good_dialog_has_no_mistakes(tmp_path: Path) -> None:
    assert problems(read(tmp_path, SMALL)[1]) == ""


class Case(NamedTuple):
    """``old`` becomes ``new``; then the line with ``where`` has a mistake that says these words."""

    old: str
    new: str
    where: str
    field: str
    problem: str
    mend: str


ONE_MISTAKE = [
    Case("affirm: bill, deny: stranger}\n    keys", "affirm: bil, deny: stranger}\n    keys", "affirm: bil,",
         "states.hello.on.affirm", "no state 'bil'", "'bill'"),
    Case("start: hello", "start: helo", "start: helo", "start", "no state 'helo'", "'hello'"),
    Case("turns: 8, then: tired", "turns: 8, then: tried", "turns: 8", "limits.then", "no state 'tried'",
         "'tired'"),
    Case("times: 2, then: nobody", "times: 2, then: nobdy", "then: nobdy", "defaults.silence.then",
         "no state 'nobdy'", "'nobody'"),
    Case("next: hello_again", "next: hello_agan", "next: hello_agan", "states.no_desk.next", "no state",
         "'hello_again'"),
    Case("failed: no_desk", "failed: no_dsk", "failed: no_dsk", "states.desk.transfer.failed", "no state",
         "'no_desk'"),
    Case("{target: desk, failed", "{target: desc, failed", "target: desc", "states.desk.transfer.target",
         "no target 'desc'", "'desk'"),
    Case("broken, transfer: desk", "broken, transfer: dusk", "transfer: dusk", "failure.transfer",
         "no target", "'desk'"),
    Case("human: desk", "human: desck", "human: desck", "groups.anywhere.on.human", "no state 'desck'",
         "'desk'"),
    Case("say: greet\n", "say: greeet\n", "say: greeet", "states.hello.say", "no prompt 'greeet'", "'greet'"),
    Case("who: {say: we_are}", "who: {say: we_re}", "say: we_re", "groups.anywhere.on.who.say", "no prompt",
         "'we_are'"),
    Case("silence: {say: there", "silence: {say: ther", "say: ther,", "defaults.silence.say", "no prompt",
         "'there'"),
    Case("end: promised}", "end: promissed}", "end: promissed", "states.promised.end",
         "disposition 'promissed' is not declared", "'promised'"),
    Case("{outcome: promised, say", "{outcome: promises, say", "outcome: promises",
         "states.bill.on.paid.outcome", "not declared", "'promised'"),
    Case("message, disposition: voicemail", "message, disposition: voicemal", "voicemal",
         "voicemail.disposition", "not declared", "'voicemail'"),
    Case("deny: desk\n", "denny: desk\n", "denny", "states.bill.on.denny", "'denny' has no examples",
         "'deny'"),
    Case("ignore: greeting", "ignore: greting", "ignore", "states.hello.ignore", "no examples", "'greeting'"),
    Case("on: {paid: stranger}", "on: {out_of_scope: stranger}", "out_of_scope",
         "states.ask_day.on.out_of_scope", "no answer to wait for", "no_match"),
    Case("slots: {day: date}", "slots: {day: dat}", "slots: {day: dat}", "slots.day",
         "no slot can be a 'dat'", "'date'"),
    Case("    wants: day\n    filled", "    wants: dya\n    filled", "wants: dya", "states.ask_day.wants",
         "no slot 'dya'", "'day'"),
    Case("values: {bank", "values: {number", "values: {number", "values.number", "also a field",
         "another name"),
    Case("{when: heard.day, to", "{when: hard.day, to", "when: hard.day", "states.bill.on.later[0].when",
         "names 'hard'", "Known"),
    Case("{when: heard.day, to", "{when: 'heard.day +', to", "heard.day +", "states.bill.on.later[0].when",
         "condition is wrong", "expression"),
    Case("{when: heard.day, to: sure_day}", "{to: ask_day}", "- {to: ask_day}", "states.bill.on.later[0]",
         "never taken", "last"),
    Case("You owe {{ amount | money }}", "You owe {{ amont | money }}", "amont", "prompts.owed.en",
         "names 'amont'", "'amount'"),
    Case("You owe {{ amount | money }}", "You owe {{ amount | monney }}", "monney", "prompts.owed.en",
         "cannot be read", "filter"),
    Case("You owe {{ amount | money }}", "You owe {{ amount | day }}", "amount | day", "prompts.owed.en",
         "is not a date", "suits"),
    Case("You owe {{ amount | money }}", "You owe {{ amount | money", "amount | money", "prompts.owed.en",
         "cannot be read", "braces"),
    Case("thanks: {en: Thanks.}", "thanks: {zh: 谢谢}", "谢谢", "prompts.thanks", "no text in en", "en"),
    Case("bye: {en: Goodbye.}", "bye: {en: Goodbye., fi: Hei.}", "Hei", "prompts.bye.fi", "no language",
         "languages"),
    Case("bye: {en: Goodbye.}", "bye: {en: Goodbye.}\n  spare: {en: Spare.}", "spare", "prompts.spare",
         "never said", "Remove"),
    Case("  tired: {say", "  island: {say: bye, end: unclear}\n  tired: {say", "island", "states.island",
         "no way leads to the state 'island'", "remove"),
    Case("deny: stranger}\n  nobody", "deny: stranger}\n    min_tail_ms: 900\n  nobody", "min_tail_ms: 900",
         "states.hello_again.min_tail_ms", "above max_tail_ms", "Lower"),
    Case("    on: {affirm: promised, deny: stranger}\n", "    expect: open\n", "hello_again:",
         "states.hello_again", "no answer leads anywhere", "`on`"),
    Case("again: greet_again", "again: []", "  hello:", "states.hello", "nothing to ask", "again"),
    Case("turns: 8, then: tired", "turns: 8, then: ask_day", "turns: 8", "limits.then",
         "does not end the call", "`end`"),
    Case("{say: nobody_free, next: hello_again}", "{say: nobody_free, next: desk}", "desk: {say",
         "states.desk", "round for ever without the callee: desk -> no_desk -> desk", "end"),
    Case("say: [thanks, owed]", "say: [thanks, owed]\n    silence: {then: bill}", "  bill:", "states.bill",
         "round for ever without the callee: bill -> bill", "end"),
    Case('greet_again: {en: ["Is this Anna?"', 'greet_again: {en: ["Do you owe {{ amount }}?"',
         "again: greet_again", "states.hello.again", "names amount before 'bill'", "later"),
    Case("message: {en: Please call us.}", 'message: {en: "Pay {{ amount }}."}', "voicemail: {say",
         "voicemail.say", "names amount before 'bill'", "leave the field out"),
    Case("we_are: {en: The bank.}", 'we_are: {en: "{{ amount }}"}', "who: {say: we_are}",
         "groups.anywhere.on.who.say", "names amount before 'bill'", "later"),
    Case("        - {to: ask_day}", "        - {to: sure_day}", "say: day_right", "states.sure_day.say",
         "slot 'day', which may not be known", "fill"),
    Case('which_day: {en: "Which day?"}', 'which_day: {en: "Not {{ day | day }}?"}', "say: which_day",
         "states.ask_day.say", "slot 'day', which may not be known", "fill"),
    Case("{fields: [amount]", "{fields: [amunt]", "private", "private.fields", "no contact column 'amunt'",
         "'amount'"),
    Case("after: [bill]", "after: [bil]", "private", "private.after[0]", "no state 'bil'", "'bill'"),
    Case("groups: [anywhere]", "groups: [anywhre]", "groups: [anywhre]", "defaults.groups[0]",
         "no group 'anywhre'", "'anywhere'"),
    Case('desk: "sip:desk@127.0.0.1"', "desk: desk", "targets", "targets.desk",
         "cannot be called", "SIP URI"),
]  # fmt: skip


@pytest.mark.parametrize("case", ONE_MISTAKE, ids=[f"{case.field}-{i}" for i, case in enumerate(ONE_MISTAKE)])
def test_a_mistake_has_its_line_its_field_and_a_mend(tmp_path: Path, case: Case) -> None:
    text = changed((case.old, case.new))
    _, mistakes = read(tmp_path, text)
    hits = [m for m in mistakes if m.field == case.field and case.problem in m.problem]
    assert hits, problems(mistakes)
    assert case.mend in hits[0].mend
    assert hits[0].line == line_of(text, case.where)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = changed(
        ("start: hello", "start: helo"),
        ("end: stranger}", "end: strangr}"),
        ("thanks: {en: Thanks.}", "thanks: {en: 'Thanks {{ nme }}.'}"),
    )
    _, mistakes = read(tmp_path, text)
    assert len(mistakes) == 3, problems(mistakes)
    assert [m.line for m in mistakes] == sorted(m.line or 0 for m in mistakes)


def test_a_state_from_which_nothing_ends_the_call_is_a_mistake(tmp_path: Path) -> None:
    text = changed(
        (
            "  hello_again:\n    say: owed_generic\n    on: {affirm: promised, deny: stranger}\n",
            "  hello_again:\n    say: owed_generic\n    groups: []\n"
            "    on: {affirm: hello_again, deny: hello_again}\n    silence: {then: hello_again}\n"
            "    no_match: {then: hello_again}\n",
        )
    )
    _, mistakes = read(tmp_path, text)
    told = problems(mistakes)
    assert "from the state 'hello_again' no way leads to the end" in told
    assert "hello_again -> hello_again" in told


def test_an_intent_needs_examples_in_each_language_of_the_dialog(tmp_path: Path) -> None:
    around = Surroundings(fields=FIELDS, intents={"en": INTENTS - {"paid"}, "fi": INTENTS})
    _, mistakes = read(tmp_path, SMALL, around)
    assert {m.field for m in mistakes} == {"states.bill.on.paid"}
    assert mistakes[0].problem == "the intent 'paid' has no examples in en"
    assert mistakes[0].mend == "Add rows to intents/en.jsonl"


def test_a_column_that_may_be_empty_needs_care_in_a_prompt(tmp_path: Path) -> None:
    around = Surroundings(fields=FIELDS, optional=frozenset({"amount"}), intents={"en": INTENTS})
    _, mistakes = read(tmp_path, SMALL, around)
    assert [m.field for m in mistakes] == ["prompts.owed.en"]
    assert "cannot be said where amount is empty" in mistakes[0].problem
    careful = changed(("{{ amount | money }}", "{% if amount %}{{ amount | money }}{% endif %}"))
    assert problems(read(tmp_path, careful, around)[1]) == ""


def test_a_slot_must_not_share_its_name(tmp_path: Path) -> None:
    around = Surroundings(fields={**FIELDS, "day": "x"}, intents={"en": INTENTS})
    _, mistakes = read(tmp_path, SMALL, around)
    assert "the slot 'day' is also a contact column" in problems(mistakes)


def test_where_examples_could_not_be_read_intents_are_not_judged(tmp_path: Path) -> None:
    assert problems(read(tmp_path, SMALL, Surroundings(fields=FIELDS))[1]) == ""
