"""A small dialog to test with, and ways to change it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

from dialer.call import Contact
from dialer.dialog.checks import Surroundings, check_plan
from dialer.dialog.machine import DialogState, Phase, Step, start, step
from dialer.dialog.messages import CallAnswered, DialogCommand, DialogEvent, Heard, Outcome, Say
from dialer.dialog.plan import DialogPlan
from dialer.dialog.schema import make_plan
from dialer.errors import Mistake
from dialer.yamlfile import read_yaml

SMALL = """\
start: hello
languages: [en]
values: {bank: Harbour Bank}
slots: {day: date}
targets: {desk: "sip:desk@127.0.0.1"}
private: {fields: [amount], after: [bill]}
limits: {turns: 8, then: tired}
dispositions:
  promised: {description: will pay, retry: false}
  stranger: {description: somebody else, retry: false}
  opted_out: {description: never again, retry: false}
  handed_over: {description: with a person, retry: false}
  broken: {description: our fault, retry: true}
  cut_short: {description: drained, retry: true}
  unclear: {description: not understood, retry: true}
voicemail: {say: message, disposition: voicemail}
failure: {say: sorry_broken, disposition: broken, transfer: desk, failed_say: bye}
drain: {say: must_go, disposition: cut_short}
defaults:
  silence_ms: 3000
  groups: [anywhere]
  silence: {say: there, times: 2, then: nobody}
  no_match: {say: what, times: 2, then: lost}
groups:
  anywhere:
    on:
      ask_repeat: {say: sure, repeat: true}
      wait: {say: sure, patience_ms: 9000}
      who: {say: we_are}
      opt_out: never
      human: desk
    keys: {"9": never}
states:
  hello:
    say: greet
    again: greet_again
    expect: one_word
    ignore: greeting
    on: {affirm: bill, deny: stranger}
    keys: {"1": bill}
  bill:
    say: [thanks, owed]
    again: owed_again
    wants: day
    on:
      later:
        - {when: heard.day, to: sure_day}
        - {to: ask_day}
      paid: {outcome: promised, say: thanks}
      deny: desk
  ask_day:
    say: which_day
    expect: digits
    wants: day
    filled: sure_day
    on: {paid: stranger}
  sure_day:
    say: day_right
    expect: one_word
    outcome: promised
    on: {affirm: promised, deny: ask_day}
  promised: {say: bye, end: promised}
  stranger: {say: bye, end: stranger}
  never: {say: bye, suppress: asked, end: opted_out}
  desk: {say: sure, transfer: {target: desk, failed: no_desk, outcome: handed_over}}
  no_desk: {say: nobody_free, next: hello_again}
  hello_again:
    say: owed_generic
    on: {affirm: promised, deny: stranger}
  nobody: {say: bye, end: no_response}
  lost: {say: bye, end: unclear}
  tired: {say: bye, end: unclear}
prompts:
  greet: {en: "Hello, {% if recording %}recorded, {% endif %}a machine of the bank. Are you Anna?"}
  greet_again: {en: ["Is this Anna?", "Anna?"]}
  thanks: {en: Thanks.}
  owed: {en: "You owe {{ amount | money }}. When?"}
  owed_again: {en: ["When will you pay?", "Which day suits?"]}
  owed_generic: {en: "Will you pay?"}
  which_day: {en: "Which day?"}
  day_right: {en: "On {{ day | weekday }}?"}
  bye: {en: Goodbye.}
  there: {en: ["Hello?", "Are you there?"]}
  what: {en: ["Sorry?", "Pardon me?"]}
  sure: {en: Sure.}
  we_are: {en: The bank.}
  nobody_free: {en: Nobody is free.}
  message: {en: Please call us.}
  sorry_broken: {en: A fault.}
  must_go: {en: I must go.}
"""

FIELDS = {"amount": Decimal("12.50")}
INTENTS = frozenset(
    {"ask_repeat", "wait", "who", "opt_out", "human", "greeting", "affirm", "deny", "later", "paid"}
)
ANNA = Contact(1, "+12025550101", "en", FIELDS)
FRIDAY = date(2026, 12, 4)


def changed(*pairs: tuple[str, str]) -> str:
    """SMALL with each first text replaced by the second; the first must be there once."""
    text = SMALL
    for old, new in pairs:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text


def read(
    tmp_path: Path, text: str, around: Surroundings | None = None
) -> tuple[DialogPlan | None, list[Mistake]]:
    path = tmp_path / "dialog.yaml"
    path.write_text(text, encoding="utf-8")
    file = read_yaml(path)
    plan = make_plan(file)
    if plan is None:
        return None, file.mistakes
    surroundings = around or Surroundings(fields=FIELDS, intents={"en": INTENTS})
    return plan, [*file.mistakes, *check_plan(plan, file, surroundings)]


def good_plan(tmp_path: Path, text: str = SMALL) -> DialogPlan:
    plan, mistakes = read(tmp_path, text)
    assert not mistakes, "\n".join(map(str, mistakes))
    assert plan is not None
    return plan


def heard(intent: str, score: float = 0.9, text: str = "", **slots: object) -> Heard:
    return Heard(text or intent, intent, score, slots)


class Talk:
    """A call with the machine: feeds events, keeps what was said and done in the last step."""

    def __init__(self, plan: DialogPlan, contact: Contact = ANNA) -> None:
        self.plan = plan
        self.state: DialogState = start(plan, contact)
        self.commands: tuple[DialogCommand, ...] = ()

    def __call__(self, *events: DialogEvent) -> str:
        """Take events; returns what is said in answer to the last one."""
        for event in events:
            taken: Step = step(self.plan, self.state, event)
            self.state, self.commands = taken.state, taken.commands
        return self.said

    def answered(self) -> Talk:
        self(CallAnswered())
        return self

    @property
    def said(self) -> str:
        return " ".join(c.text for c in self.commands if isinstance(c, Say))

    def last(self) -> DialogCommand:
        return self.commands[-1]

    def phase(self) -> Phase:
        return self.state.phase

    @property
    def outcomes(self) -> list[str]:
        return [c.disposition for c in self.commands if isinstance(c, Outcome)]

    def kinds(self) -> list[str]:
        return [type(c).__name__ for c in self.commands]


def problems(mistakes: Iterable[Mistake]) -> str:
    return "\n".join(map(str, mistakes))
