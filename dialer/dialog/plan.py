"""The dialog plan: a checked ``dialog.yaml`` as frozen values. ``schema`` makes it, ``machine`` walks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from dialer.dialog import slots as slot_words
from dialer.dialog.messages import Expectation
from dialer.speech.base import LanguageContext

# Names that a prompt or a condition may use besides contact columns, slots and the plan's values.
BUILT_IN_FIELDS = ("number", "language", "recording")

# What listeners say to show that they listen; ``dialog.yaml`` may name its own.
BACKCHANNELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en": frozenset({"mm", "mm hm", "mhm", "uh huh", "hm", "hmm", "ah", "oh", "i see"}),
        "zh": frozenset({"嗯", "嗯嗯", "哦", "噢", "啊"}),
        "yue": frozenset({"嗯", "係", "哦", "啊", "嗯嗯"}),
    }
)


class Example(Protocol):
    """One row of ``intents/<language>.jsonl`` (``intent.examples.Example``)."""

    @property
    def text(self) -> str:
        """What was said."""

    @property
    def intent(self) -> str:
        """Its label."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What can be said under one name.

    Attributes:
        name: its key in ``prompts``.
        texts: by language, one or several wordings (Jinja); they are used in turn.
        uninterruptible: speech does not stop it.
    """

    name: str
    texts: Mapping[str, tuple[str, ...]]
    uninterruptible: bool = False


@dataclass(frozen=True, slots=True)
class SayItem:
    """A prompt to say, if ``when`` (a Jinja expression; empty for always) holds."""

    prompt: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """What follows an intent, a digit or a filled slot.

    Attributes:
        to: the next state; empty to stay.
        say: said first.
        when: a Jinja expression over contact fields, slots and values; empty for always.
        outcome: disposition so far, from here on.
        put: slots to set to a fixed value.
        repeat: say the last things again.
        patience_ms: stay and listen this long without asking again; 0 for no.
    """

    to: str = ""
    say: tuple[SayItem, ...] = ()
    when: str = ""
    outcome: str = ""
    put: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    repeat: bool = False
    patience_ms: int = 0


@dataclass(frozen=True, slots=True)
class Nudge:
    """What is done when nothing (or nothing usable) was heard.

    Attributes:
        say: said before the question is asked again.
        times: how often, before giving up.
        then: the state that follows.
    """

    say: tuple[SayItem, ...]
    times: int
    then: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A blind transfer to a person.

    Attributes:
        target: name in the plan's ``targets``.
        failed: the state that follows when it did not go through.
        outcome: the disposition when it did.
    """

    target: str
    failed: str
    outcome: str


@dataclass(frozen=True, slots=True)
class State:
    """One step of the dialog. It listens unless it has ``next``, ``end`` or ``transfer``.

    Attributes:
        name: its key in ``states``; also the recogniser's context.
        say: said on entry.
        again: the question in other (shorter) words, for when it must be asked again.
        expect: kind of answer.
        on: moves by intent; the first whose condition holds is taken.
        keys: moves by DTMF digit.
        groups: names of the groups of global moves that hold here.
        ignore: intents that make no turn when they come into our prompt (a bare "hello?"), once.
        wants: slots read from what is said here.
        filled: taken when an utterance filled one of ``wants``, none is missing, and its intent leads
            nowhere.
        silence, no_match: see ``Nudge``.
        silence_ms, min_tail_ms, max_tail_ms: see ``messages.Listen``.
        threshold: least score at which an intent is believed.
        next: the state that follows at once.
        end: final: the disposition of the call.
        outcome: disposition so far, set on entry.
        suppress: reason for which this number must never be called again, set on entry.
        transfer: hand the call to a person.
    """

    name: str
    say: tuple[SayItem, ...]
    again: tuple[SayItem, ...]
    expect: Expectation
    on: Mapping[str, tuple[Move, ...]]
    keys: Mapping[str, tuple[Move, ...]]
    groups: tuple[str, ...]
    ignore: frozenset[str]
    wants: tuple[str, ...]
    filled: tuple[Move, ...]
    silence: Nudge
    no_match: Nudge
    silence_ms: int
    min_tail_ms: int
    max_tail_ms: int
    threshold: float
    next: str = ""
    end: str = ""
    outcome: str = ""
    suppress: str = ""
    transfer: Transfer | None = None

    @property
    def listens(self) -> bool:
        """Whether the callee is to speak here."""
        return not (self.next or self.end or self.transfer)


@dataclass(frozen=True, slots=True)
class Group:
    """Moves that hold in many states: they answer and return, or lead away."""

    name: str
    on: Mapping[str, tuple[Move, ...]]
    keys: Mapping[str, tuple[Move, ...]]


@dataclass(frozen=True, slots=True)
class DispositionInfo:
    """A way that a conversation can end; ``retry``: calling this contact again makes sense."""

    name: str
    description: str
    retry: bool


@dataclass(frozen=True, slots=True)
class Voicemail:
    """What an answering machine gets. ``leave_message`` False: hang up."""

    say: tuple[SayItem, ...]
    disposition: str
    leave_message: bool = True


@dataclass(frozen=True, slots=True)
class Ending:
    """A way out that the callee did not choose: say something, then perhaps a person, then the end."""

    say: tuple[SayItem, ...]
    disposition: str
    transfer: str = ""
    failed_say: tuple[SayItem, ...] = ()


@dataclass(frozen=True, slots=True)
class PrivateFields:
    """Contact fields that may be named only after one of the states ``after`` was passed."""

    fields: frozenset[str]
    after: frozenset[str]


@dataclass(frozen=True, slots=True)
class DialogPlan:
    """A dialog, checked.

    Attributes:
        start: the state of the greeting.
        languages: languages that every prompt has; the first is the default.
        values: fixed values that prompts may name (``bank``).
        slots: kind (``date``, ``amount``, ``text``) by slot name.
        targets: SIP URI or number by name, for transfers.
        announce_recording: value of ``recording`` in prompts and conditions.
        max_turns, turns_then: after so many callee turns the dialog goes there.
        voicemail, failure, drain: see ``Voicemail`` and ``Ending``.
        ignored_silence_ms: how long to wait for more after an ignored "hello?".
        machine_silence_ms: a machine's greeting is over after so much silence, where no beep is heard.
        backchannels: by language, what does not stop a prompt ("mm hm").
    """

    start: str
    languages: tuple[str, ...]
    prompts: Mapping[str, Prompt]
    states: Mapping[str, State]
    groups: Mapping[str, Group]
    dispositions: Mapping[str, DispositionInfo]
    slots: Mapping[str, str]
    values: Mapping[str, Any]
    targets: Mapping[str, str]
    voicemail: Voicemail
    failure: Ending
    drain: Ending
    max_turns: int
    turns_then: str
    private: PrivateFields = field(default_factory=lambda: PrivateFields(frozenset(), frozenset()))
    announce_recording: bool = False
    ignored_silence_ms: int = 2500
    machine_silence_ms: int = 1500
    backchannels: Mapping[str, frozenset[str]] = field(default_factory=lambda: BACKCHANNELS)

    def is_backchannel(self, text: str, language: str) -> bool:
        """Whether words spoken into a prompt of ours say no more than "go on"."""
        return " ".join(text.lower().replace("-", " ").split()) in self.backchannels.get(
            language, frozenset()
        )

    def allowed(self, state: State) -> frozenset[str]:
        """The intents that ``state`` can take: its own and those of its groups."""
        names = set(state.on) | set(state.ignore)
        for group in state.groups:
            names |= set(self.groups[group].on)
        return frozenset(names)

    def moves_on(self, state: State, intent: str) -> tuple[Move, ...]:
        """The moves for ``intent``; a state's own come before those of its groups."""
        if intent in state.on:
            return state.on[intent]
        for name in state.groups:
            group = self.groups[name]
            if intent in group.on:
                return group.on[intent]
        return ()

    def moves_on_key(self, state: State, digit: str) -> tuple[Move, ...]:
        """The moves for a DTMF digit; a state's own come before those of its groups."""
        if digit in state.keys:
            return state.keys[digit]
        for name in state.groups:
            group = self.groups[name]
            if digit in group.keys:
                return group.keys[digit]
        return ()

    def all_moves(self, state: State) -> Iterator[Move]:
        """Every move that can be taken in ``state``, whether its condition holds or not."""
        if not state.listens:
            return
        for moves in state.on.values():
            yield from moves
        for moves in state.keys.values():
            yield from moves
        yield from state.filled
        for name in state.groups:
            group = self.groups.get(name)
            if group is None:
                continue
            for intent, moves in group.on.items():
                if intent not in state.on:
                    yield from moves
            for digit, moves in group.keys.items():
                if digit not in state.keys:
                    yield from moves

    def contexts(
        self, language: str, examples: Sequence[Example], global_weight: float = 0.3
    ) -> list[LanguageContext]:
        """For each state that listens, the sentences that can be said there.

        Args:
            language: BCP 47 primary tag.
            examples: the campaign's examples of that language.
            global_weight: weight of intents that hold only through a group, a state's own having 1.0.

        Returns:
            One context a listening state, named like it. Where the state reads slots, sentences that
            fill them (dates) are among its sentences, under the intent that leads on.
        """
        by_intent: dict[str, list[str]] = {}
        for example in examples:
            by_intent.setdefault(example.intent, []).append(example.text)
        contexts = []
        for state in self.states.values():
            if not state.listens:
                continue
            own = set(state.on) | set(state.ignore)
            sentences = [
                (text, intent) for intent in sorted(self.allowed(state)) for text in by_intent.get(intent, ())
            ]
            for slot in state.wants:
                carrier = slot_words.INTENT_OF_KIND[self.slots[slot]]
                sentences += [(text, carrier) for text in slot_words.sentences(language, self.slots[slot])]
                own.add(carrier)
            weights = {
                intent: 1.0 if intent in own else global_weight
                for intent in {intent for _, intent in sentences}
            }
            contexts.append(
                LanguageContext(
                    name=state.name,
                    language=language,
                    sentences=tuple(dict.fromkeys(sentences)),
                    weights=MappingProxyType(weights),
                )
            )
        return contexts
