"""What the shape of ``dialog.yaml`` cannot say: everything that could go wrong in a call is a mistake here.

All mistakes are collected, each with its line and what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from dialer.call import Disposition
from dialer.dialog import graph
from dialer.dialog.plan import BUILT_IN_FIELDS, DialogPlan, SayItem, State
from dialer.dialog.render import RenderError, fill, holds, names_in, names_in_condition
from dialer.dialog.slots import KINDS
from dialer.errors import Mistake
from dialer.intent.base import OUT_OF_SCOPE
from dialer.yamlfile import Place, YamlFile, did_you_mean

SHARED_DISPOSITIONS = frozenset(d.value for d in Disposition)
_SAMPLE_SLOTS: Mapping[str, Any] = {
    "date": date(2026, 12, 3),
    "amount": Decimal("12.50"),
    "text": "something",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the dialog leans on.

    Attributes:
        fields: contact columns with a sample value each, of the column's type.
        optional: columns that may be empty.
        intents: by language, the intents that have examples; empty where they could not be read.
    """

    fields: Mapping[str, Any]
    optional: frozenset[str] = frozenset()
    intents: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))


def check_plan(plan: DialogPlan, file: YamlFile, around: Surroundings) -> list[Mistake]:
    """Every mistake of a dialog, in the order of the file's lines.

    Args:
        plan: made from ``file`` by ``schema.make_plan``.
        file: gives the lines.
        around: see ``Surroundings``.
    """
    check = _Check(plan, file, around)
    check.references()
    check.dispositions()
    check.intents()
    check.slots()
    check.conditions()
    check.prompts()
    check.states()
    if check.walkable:
        check.walks()
        check.private_fields()
        check.unknown_slots()
    unique = dict.fromkeys(check.mistakes)
    return sorted(unique, key=lambda mistake: mistake.line or 0)


class _Check:
    def __init__(self, plan: DialogPlan, file: YamlFile, around: Surroundings) -> None:
        self._plan = plan
        self._file = file
        self._around = around
        self.mistakes: list[Mistake] = []
        self.walkable = True  # every name leads somewhere and every text can be read

    def _add(self, place: Place, problem: str, mend: str) -> None:
        inner = {"silence": 4, "no_match": 4, "groups": 3}.get(str(place[2]) if len(place) > 3 else "")
        if inner is not None and place[:inner] not in self._file.lines:
            place = ("defaults", *place[2:])  # the state left it out
        self.mistakes.append(self._file.mistake(place, problem, mend))

    def _known(self, place: Place, what: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        if name not in names:
            self.walkable = False
            self._add(place, f"there is no {what} {name!r}", did_you_mean(name, names))

    # --- names that must lead somewhere -----------------------------------------------------------

    def references(self) -> None:
        plan = self._plan
        self._known(("start",), "state", plan.start, plan.states)
        self._known(("limits", "then"), "state", plan.turns_then, plan.states)
        if plan.failure.transfer:
            self._known(("failure", "transfer"), "target", plan.failure.transfer, plan.targets)
        for name, target in plan.targets.items():
            if not re.fullmatch(r"(sips?:|tel:)\S+|\+[1-9]\d{6,14}", target):
                problem = f"{target!r} cannot be called"
                self._add(("targets", name), problem, "Write a SIP URI, or a number like +12025550100")
        for index, name in enumerate(sorted(plan.private.after)):
            self._known(("private", "after", index), "state", name, plan.states)
        for name in sorted(plan.private.fields):
            self._known(("private", "fields"), "contact column", name, self._around.fields)
        for state in plan.states.values():
            here: Place = ("states", state.name)
            for index, group in enumerate(state.groups):
                self._known((*here, "groups", index), "group", group, plan.groups)
            if state.transfer is not None:
                self._known((*here, "transfer", "target"), "target", state.transfer.target, plan.targets)
            for edge in graph.edges(plan, state):
                if edge.to and edge.place[0] == "states":
                    place = (
                        edge.place if edge.place[-1] in ("next", "then", "failed") else (*edge.place, "to")
                    )
                    self._known(place, "state", edge.to, plan.states)
        for place, moves in self._group_moves():
            for index, move in enumerate(moves):
                if move.to:
                    self._known((*place, index, "to"), "state", move.to, plan.states)
        used = set()
        for place, items in self._says():
            for index, item in enumerate(items):
                self._known((*place, index), "prompt", item.prompt, plan.prompts)
                used.add(item.prompt)
        for name in plan.prompts:
            if name not in used:
                self._add(
                    ("prompts", name), f"the prompt {name!r} is never said", "Remove it, or say it somewhere"
                )
        grouped = {group for state in plan.states.values() for group in state.groups}
        for name in plan.groups:
            if name not in grouped:
                self._add(
                    ("groups", name), f"no state uses the group {name!r}", "Remove it, or name it in a state"
                )

    def dispositions(self) -> None:
        plan = self._plan
        named: list[tuple[Place, str]] = [
            (("voicemail", "disposition"), plan.voicemail.disposition),
            (("failure", "disposition"), plan.failure.disposition),
            (("drain", "disposition"), plan.drain.disposition),
        ]
        for state in plan.states.values():
            here: Place = ("states", state.name)
            named += [((*here, "end"), state.end), ((*here, "outcome"), state.outcome)]
            if state.transfer is not None:
                named.append(((*here, "transfer", "outcome"), state.transfer.outcome))
        for place, moves in self._moves():
            named += [((*place, index, "outcome"), move.outcome) for index, move in enumerate(moves)]
        known = SHARED_DISPOSITIONS | plan.dispositions.keys()
        for place, name in named:
            if name and name not in known:
                mend = f"Declare it under `dispositions`. {did_you_mean(name, known)}"
                self._add(place, f"the disposition {name!r} is not declared", mend)

    def intents(self) -> None:
        plan, examples = self._plan, self._around.intents
        every = frozenset().union(*examples.values()) if examples else frozenset()
        named: dict[str, Place] = {}
        for state in plan.states.values():
            for index, intent in enumerate(sorted(state.ignore)):
                named.setdefault(intent, ("states", state.name, "ignore", index))
            for intent in state.on:
                named.setdefault(intent, ("states", state.name, "on", intent))
        for group in plan.groups.values():
            for intent in group.on:
                named.setdefault(intent, ("groups", group.name, "on", intent))
        for intent, place in named.items():
            if intent == OUT_OF_SCOPE:
                self._add(place, "out_of_scope is no answer to wait for", "Use `no_match`")
            elif every and intent not in every:
                self._add(place, f"the intent {intent!r} has no examples", did_you_mean(intent, every))
            else:
                for language in plan.languages:
                    if language in examples and intent not in examples[language]:
                        problem = f"the intent {intent!r} has no examples in {language}"
                        self._add(place, problem, f"Add rows to intents/{language}.jsonl")

    def slots(self) -> None:
        plan = self._plan
        for name, kind in plan.slots.items():
            if kind not in (*KINDS, "text"):
                self._add(("slots", name), f"no slot can be a {kind!r}", did_you_mean(kind, (*KINDS, "text")))
            for taken, what in (
                (self._around.fields, "a contact column"),
                (plan.values, "a value"),
                ((*BUILT_IN_FIELDS, "heard"), "a built-in field"),
            ):
                if name in taken:
                    self._add(("slots", name), f"the slot {name!r} is also {what}", "Give it another name")
        for name in plan.values:
            if name in self._around.fields or name in BUILT_IN_FIELDS:
                self._add(("values", name), f"the value {name!r} is also a field", "Give it another name")
        for state in plan.states.values():
            for index, name in enumerate(state.wants):
                self._known(("states", state.name, "wants", index), "slot", name, plan.slots)
        for place, moves in self._moves():
            for index, move in enumerate(moves):
                for name in move.put:
                    self._known((*place, index, "put", name), "slot", name, plan.slots)

    # --- texts ------------------------------------------------------------------------------------

    def conditions(self) -> None:
        for place, moves in self._moves():
            for index, move in enumerate(moves):
                self._condition((*place, index, "when"), move.when)
                if not move.when and index + 1 < len(moves):
                    problem = "the moves after this one are never taken: it has no condition"
                    self._add((*place, index), problem, "Put it last, or give it a `when`")
        for place, items in self._says():
            for index, item in enumerate(items):
                self._condition((*place, index, "when"), item.when)

    def _condition(self, place: Place, condition: str) -> None:
        try:
            unknown = names_in_condition(condition) - self._names() - {"heard"}
            if not unknown and condition:
                heard = {name: self._slot_sample(name) for name in self._plan.slots}
                holds(condition, self._sample(full=True) | {"heard": heard})
        except RenderError as error:
            self.walkable = False
            self._add(place, f"the condition is wrong: {error}", "Write an expression like `heard.date`")
            return
        for name in sorted(unknown):
            self._add(
                place, f"the condition names {name!r}, which is unknown", did_you_mean(name, self._names())
            )

    def prompts(self) -> None:
        plan = self._plan
        for prompt in plan.prompts.values():
            here: Place = ("prompts", prompt.name)
            for language in plan.languages:
                if not prompt.texts.get(language):
                    problem = f"the prompt {prompt.name!r} has no text in {language}"
                    self._add(here, problem, f"Add `{language}: ...`")
            for language, texts in prompt.texts.items():
                if language not in plan.languages:
                    mend = f"Add it to `languages`. {did_you_mean(language, plan.languages)}"
                    self._add((*here, language), f"{language!r} is no language of this dialog", mend)
                    continue
                for index, text in enumerate(texts):
                    self._text((*here, language, index), language, text)

    def _text(self, place: Place, language: str, text: str) -> None:
        try:
            names = names_in(text, language)
        except RenderError as error:
            self.walkable = False
            self._add(place, f"the text cannot be read: {error}", "Check the braces and the filter's name")
            return
        unknown = names - self._names()
        for name in sorted(unknown):
            problem = f"the text names {name!r}, which is no contact column, slot or value"
            self._add(place, problem, did_you_mean(name, self._names()))
        if unknown:
            return
        try:
            fill(text, language, self._sample(full=True))
        except RenderError as error:
            self._add(place, str(error), "Check that the filter suits the field")
            return
        try:
            fill(text, language, self._sample(full=False))
        except RenderError:
            empty = ", ".join(sorted(names & self._around.optional))
            mend = "Make the column `required`, or write `{% if ... %}` around it"
            self._add(place, f"the text cannot be said where {empty} is empty", mend)

    def _names(self) -> frozenset[str]:
        plan = self._plan
        return frozenset((*self._around.fields, *plan.slots, *plan.values, *BUILT_IN_FIELDS))

    def _slot_sample(self, name: str) -> Any:
        return _SAMPLE_SLOTS.get(self._plan.slots[name], "something")

    def _sample(self, full: bool) -> dict[str, Any]:
        fields = {
            name: value if full or name not in self._around.optional else None
            for name, value in self._around.fields.items()
        }
        slots = {name: self._slot_sample(name) for name in self._plan.slots}
        built_in = {"number": "+12025550100", "language": self._plan.languages[0], "recording": True}
        return {**self._plan.values, **fields, **built_in, **slots}

    # --- states and ways --------------------------------------------------------------------------

    def states(self) -> None:
        for state in self._plan.states.values():
            here: Place = ("states", state.name)
            if state.min_tail_ms > state.max_tail_ms:
                problem = f"min_tail_ms {state.min_tail_ms} is above max_tail_ms {state.max_tail_ms}"
                self._add((*here, "min_tail_ms"), problem, "Lower it, or raise max_tail_ms")
            if not state.listens:
                continue
            if not (state.on or state.keys or state.filled):
                problem = "the state listens, but no answer leads anywhere"
                self._add(here, problem, "Give it `on`, `keys`, `next` or `end`")
            if not state.again:
                problem = "the state has nothing to ask when it was not understood"
                self._add(here, problem, "Give it `say` or `again`")
        then = self._plan.states.get(self._plan.turns_then)
        while then is not None and then.next and then.next != self._plan.turns_then:
            then = self._plan.states.get(then.next)
        if then is not None and not then.end:
            problem = f"the state {self._plan.turns_then!r} does not end the call"
            self._add(("limits", "then"), problem, "Name a state with `end`")

    def walks(self) -> None:
        plan = self._plan
        reached = graph.reachable(plan)
        for name in plan.states:
            if name not in reached:
                self._add(("states", name), f"no way leads to the state {name!r}", "Lead there, or remove it")
        for name in sorted(graph.without_end(plan) & reached):
            problem = f"from the state {name!r} no way leads to the end of the call"
            self._add(("states", name), problem, "Lead to a state with `end`")
        for loop in graph.silent_loops(plan):
            path = " -> ".join([*loop, loop[0]])
            problem = f"the dialog goes round for ever without the callee: {path}"
            self._add(("states", loop[0]), problem, "Let one of them end the call")

    def private_fields(self) -> None:
        """A private field may be named only after its gate was passed, whatever way is taken."""
        private = self._plan.private
        if not private.fields:
            return
        gates = " or ".join(repr(name) for name in sorted(private.after))
        early = graph.reachable(self._plan, stop_at=private.after)

        def look(place: Place, items: Iterable[SayItem]) -> None:
            for item in items:
                named = self._prompt_names(item) & private.fields
                if named:
                    problem = f"{item.prompt!r} names {', '.join(sorted(named))} before {gates}"
                    self._add(place, problem, "Say it later, or leave the field out")

        for place, items, state in self._says_by_state():
            if state is None or state.name in early:
                look(place, items)

    def unknown_slots(self) -> None:
        """A slot may be named only where it is known on every way there."""
        plan = self._plan
        known = graph.known_slots(plan)

        def look(place: Place, items: Iterable[SayItem], there: frozenset[str]) -> None:
            for item in items:
                held = there | graph.slots_that_hold(plan, item.when)
                for slot in sorted((self._prompt_names(item) & plan.slots.keys()) - held):
                    problem = f"{item.prompt!r} names the slot {slot!r}, which may not be known here"
                    self._add(place, problem, "Lead here only by moves that fill it (`filled`, `heard.…`)")

        for place, items, state in self._says_by_state():
            there = known.get(state.name, frozenset()) if state is not None else frozenset()
            if place[-1] == "say" and len(place) > 3 and state is not None:
                fills = next(
                    (e.fills for e in graph.edges(plan, state) if e.place == place[:-1]), frozenset()
                )
                there |= fills
            look(place, items, there)

    def _prompt_names(self, item: SayItem) -> frozenset[str]:
        prompt = self._plan.prompts[item.prompt]
        return frozenset().union(
            *(names_in(text, language) for language, texts in prompt.texts.items() for text in texts)
        )

    # --- places -----------------------------------------------------------------------------------

    def _group_moves(self) -> Iterator[tuple[Place, tuple[Any, ...]]]:
        for group in self._plan.groups.values():
            for intent, moves in group.on.items():
                yield ("groups", group.name, "on", intent), moves
            for digit, moves in group.keys.items():
                yield ("groups", group.name, "keys", digit), moves

    def _moves(self) -> Iterator[tuple[Place, tuple[Any, ...]]]:
        for state in self._plan.states.values():
            here: Place = ("states", state.name)
            for intent, moves in state.on.items():
                yield (*here, "on", intent), moves
            for digit, moves in state.keys.items():
                yield (*here, "keys", digit), moves
            yield (*here, "filled"), state.filled
        yield from self._group_moves()

    def _says(self) -> Iterator[tuple[Place, tuple[SayItem, ...]]]:
        for place, items, _ in self._says_by_state():
            yield place, items
        for place, moves in self._group_moves():
            for index, move in enumerate(moves):
                yield (*place, index, "say"), move.say

    def _says_by_state(self) -> Iterator[tuple[Place, tuple[SayItem, ...], State | None]]:
        """Everything that is said, its place, and the state in which it is said (None: in any)."""
        plan = self._plan
        yield ("voicemail", "say"), plan.voicemail.say, None
        yield ("failure", "say"), plan.failure.say, None
        yield ("failure", "failed_say"), plan.failure.failed_say, None
        yield ("drain", "say"), plan.drain.say, None
        for state in plan.states.values():
            here: Place = ("states", state.name)
            yield (*here, "say"), state.say, state
            if not state.listens:
                continue
            yield (*here, "again"), state.again, state
            for key, nudge in (("silence", state.silence), ("no_match", state.no_match)):
                yield (*here, key, "say"), nudge.say, state
            for edge in graph.edges(plan, state):
                if edge.say:
                    yield (*edge.place, "say"), edge.say, state
