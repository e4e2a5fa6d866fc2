"""The dialog as a pure step function.

    (plan, state, event) -> step -> Step(state, commands)

It never waits and reads no clock: silence, speech, keys and failures come in as events, and the same
call with the same arguments gives the same answer, so "what would you say if" is a step whose result
is thrown away.

Phases, and what ends them:

    ringing --CallAnswered--> talking --MachineAnswered--> machine --MachineReady--> ended
                              talking --a `transfer` state--> transferring --TransferEnded--> talking | ended
                              talking --an `end` state, GoodbyeWanted, PartFailed--> ended

Rules that the runner leans on: every step that leaves the callee the word ends with one ``Listen``;
``HangUp``, ``TransferTo`` and ``WaitForBeep`` come last. ``TransferTo`` and ``HangUp`` take effect once
what was to be said has been played out; ``WaitForBeep`` at once, stopping what is being said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from dialer.call import Contact
from dialer.dialog.messages import (
    CallAnswered,
    DialogCommand,
    DialogEvent,
    GoodbyeWanted,
    HangUp,
    Heard,
    KeyPressed,
    Listen,
    MachineAnswered,
    MachineReady,
    NothingHeard,
    Outcome,
    PartFailed,
    Remember,
    Say,
    SpeechDone,
    Suppress,
    TransferEnded,
    TransferTo,
    WaitForBeep,
)
from dialer.dialog.plan import DialogPlan, Ending, Move, Nudge, SayItem, State
from dialer.dialog.render import fill, holds, values_for
from dialer.errors import CampaignError

OUT_OF_SCOPE = "out_of_scope"
_EMPTY: Mapping[str, Any] = MappingProxyType({})


class Phase(StrEnum):
    """What the call is doing; see the module's picture."""

    RINGING = "ringing"
    TALKING = "talking"
    MACHINE = "machine"
    TRANSFERRING = "transferring"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class DialogState:
    """Where a dialog stands.

    Attributes:
        phase: see ``Phase``.
        name: of the dialog state.
        contact: who is spoken with.
        slots: what has been learnt.
        silences, misses: nudges given in this state, since something usable was heard.
        ignored: whether a bare greeting was passed over in this state.
        turns: callee utterances and keys so far.
        counts: how often each prompt was said, which picks its next wording.
        last_said: what "sorry, what?" brings again.
        disposition: the outcome so far; empty for none.
        failing: a part of ours is gone: there is no dialog to come back to.
    """

    phase: Phase
    name: str
    contact: Contact
    slots: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    silences: int = 0
    misses: int = 0
    ignored: bool = False
    turns: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    last_said: tuple[Say, ...] = ()
    disposition: str = ""
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The state after an event, and what to do."""

    state: DialogState
    commands: tuple[DialogCommand, ...]


def start(plan: DialogPlan, contact: Contact) -> DialogState:
    """The state before the call is answered.

    Raises:
        CampaignError: the dialog has no prompts in the contact's language.
    """
    if contact.language not in plan.languages:
        raise CampaignError(
            f"the dialog speaks {', '.join(plan.languages)} and the contact {contact.language!r}"
        )
    return DialogState(Phase.RINGING, plan.start, contact)


def step(plan: DialogPlan, state: DialogState, event: DialogEvent) -> Step:
    """Take one event.

    Raises:
        RenderError: a prompt cannot be filled. The checks of ``dialog.yaml`` exclude it for contacts
            whose fields have the types that the campaign declares.
    """
    walk = _Walk(plan, state)
    if state.phase is not Phase.ENDED:
        walk.take(event)
    return walk.result()


class _Walk:
    """One step in the making: collects commands while the state moves on."""

    def __init__(self, plan: DialogPlan, state: DialogState) -> None:
        self._plan = plan
        self._state = state
        self._commands: list[DialogCommand] = []
        self._said: list[Say] = []

    def result(self) -> Step:
        return Step(self._state, tuple(self._commands))

    def take(self, event: DialogEvent) -> None:
        phase = self._state.phase
        match event:
            case GoodbyeWanted():
                self._end_with(self._plan.drain)
            case PartFailed():
                self._fail()
            case CallAnswered() if phase is Phase.RINGING:
                self._change(phase=Phase.TALKING)
                self._enter(self._plan.start)
            case MachineAnswered() if phase is Phase.TALKING:
                self._machine()
            case MachineReady() if phase is Phase.MACHINE:
                self._say(self._plan.voicemail.say)
                self._hang_up()
            case TransferEnded(done=done) if phase is Phase.TRANSFERRING:
                self._transferred(done)
            case Heard() if phase is Phase.TALKING:
                self._heard(event)
            case KeyPressed(digit=digit) if phase is Phase.TALKING:
                self._key(digit)
            case NothingHeard() if phase is Phase.TALKING:
                self._silence()
            case SpeechDone():
                pass  # what follows speech is told with it: Listen, HangUp, TransferTo
            case _:
                pass  # late for its phase: words into a machine's greeting, a key during a transfer

    # --- what the callee does ---------------------------------------------------------------------

    def _heard(self, event: Heard) -> None:
        here = self._here()
        if event.intent in here.ignore and event.interrupted and not self._state.ignored:
            # A bare "hello?" into our greeting: nothing is said, so the runner goes on with it. Said after
            # it, or twice, it is somebody who waits for us: they are asked again.
            self._change(ignored=True)
            self._listen(here, silence_ms=min(here.silence_ms, self._plan.ignored_silence_ms))
            return
        if not self._count_turn():
            return
        heard = self._wanted(here, event.slots)
        believed = event.score >= here.threshold and event.intent != OUT_OF_SCOPE
        moves = self._plan.moves_on(here, event.intent) if believed else ()
        if heard and all({**self._state.slots, **heard}.get(name) is not None for name in here.wants):
            # A value that was asked for is an answer, even where the words around it say nothing else.
            moves = (*moves, *here.filled)
        move = self._choose(moves, heard)
        if move is not None:
            # "I paid on Monday" tells a day, but not the one that was asked for: a value is kept only
            # where the move is about it.
            if move in here.filled or "heard" in move.when:
                self._put(heard)
            self._follow(move)
        elif heard:
            self._put(heard)
            self._change(silences=0, misses=0)
            self._ask_again(here)
        elif believed and event.intent in here.ignore:
            self._ask_again(here)
        else:
            self._miss(here)

    def _key(self, digit: str) -> None:
        if not self._count_turn():
            return
        here = self._here()
        move = self._choose(self._plan.moves_on_key(here, digit))
        if move is not None:
            self._follow(move)
        else:
            self._miss(here)

    def _silence(self) -> None:
        here = self._here()
        if self._state.silences >= here.silence.times:
            self._enter(here.silence.then)
            return
        self._change(silences=self._state.silences + 1)
        self._nudge(here, here.silence)

    def _miss(self, here: State) -> None:
        if self._state.misses >= here.no_match.times:
            self._enter(here.no_match.then)
            return
        self._change(misses=self._state.misses + 1, silences=0)
        self._nudge(here, here.no_match)

    def _count_turn(self) -> bool:
        """Count one callee turn; False where it was one too many and the dialog has gone to its close."""
        self._change(turns=self._state.turns + 1)
        if self._state.turns > self._plan.max_turns:
            self._enter(self._plan.turns_then)
            return False
        return True

    def _wanted(self, here: State, heard: Mapping[str, Any]) -> Mapping[str, Any]:
        """The slots of this state that were heard, by name; ``heard`` is by kind (or by name)."""
        values = {name: heard.get(name, heard.get(self._plan.slots[name])) for name in here.wants}
        return {name: value for name, value in values.items() if value is not None}

    # --- moving -----------------------------------------------------------------------------------

    def _choose(self, moves: Sequence[Move], heard: Mapping[str, Any] = _EMPTY) -> Move | None:
        # Conditions see what is known, and under ``heard`` what this very utterance told.
        values = self._values() | {"heard": {**dict.fromkeys(self._plan.slots), **heard}}
        return next((move for move in moves if holds(move.when, values)), None)

    def _follow(self, move: Move) -> None:
        self._put(move.put)
        if move.outcome:
            self._outcome(move.outcome)
        if move.to:
            self._say(move.say)
            self._enter(move.to)
            return
        self._change(silences=0, misses=0)
        here = self._here()
        if move.repeat:
            again = self._state.last_said
            self._say(move.say)
            # The polite lead-in ("of course") is not part of what is repeated, however often.
            self._commands.extend(again)
            self._said = list(again)
            self._listen(here)
        elif move.patience_ms:
            self._say(move.say)
            self._said = list(self._state.last_said)
            self._listen(here, silence_ms=move.patience_ms)
        else:
            self._say(move.say)
            self._ask_again(here)

    def _enter(self, name: str) -> None:
        """Go to a state and on through those that only speak, to one that listens or ends."""
        passed = set()
        while True:
            here = self._plan.states[name]
            if name in passed:
                raise CampaignError(f"the dialog turns in a circle at {name!r} without the callee")
            passed.add(name)
            self._change(name=name, silences=0, misses=0, ignored=False)
            if here.outcome:
                self._outcome(here.outcome)
            if here.suppress:
                self._commands.append(Suppress(here.suppress))
            self._say(here.say)
            if not here.next:
                break
            name = here.next
        if here.end:
            self._outcome(here.end)
            self._hang_up()
        elif here.transfer is not None:
            self._change(phase=Phase.TRANSFERRING)
            self._commands.append(TransferTo(self._plan.targets[here.transfer.target]))
        else:
            self._listen(here)

    def _nudge(self, here: State, nudge: Nudge) -> None:
        self._say(nudge.say)
        self._ask_again(here)

    def _ask_again(self, here: State) -> None:
        self._say(here.again)
        self._listen(here)

    def _listen(self, here: State, silence_ms: int | None = None) -> None:
        if self._said:
            self._change(last_said=tuple(self._said))
        self._commands.append(
            Listen(
                state=here.name,
                allowed=self._plan.allowed(here),
                expectation=here.expect,
                silence_ms=here.silence_ms if silence_ms is None else silence_ms,
                min_tail_ms=here.min_tail_ms,
                max_tail_ms=here.max_tail_ms,
                wants_slots=tuple(dict.fromkeys(self._plan.slots[name] for name in here.wants)),
            )
        )

    # --- other ways out ---------------------------------------------------------------------------

    def _machine(self) -> None:
        voicemail = self._plan.voicemail
        self._outcome(voicemail.disposition)
        if voicemail.leave_message and voicemail.say:
            self._change(phase=Phase.MACHINE)
            self._commands.append(WaitForBeep())
        else:
            self._hang_up()

    def _transferred(self, done: bool) -> None:
        here = self._here()
        if self._state.failing:
            ending = self._plan.failure
            if not done:
                self._say(ending.failed_say)
            self._hang_up()
            return
        assert here.transfer is not None
        self._change(phase=Phase.TALKING)
        if done:
            self._outcome(here.transfer.outcome)
            self._hang_up()
        else:
            self._enter(here.transfer.failed)

    def _fail(self) -> None:
        """A part of ours is gone: an apology, then a person or a goodbye; never dead air."""
        phase = self._state.phase
        if self._state.failing or phase is Phase.TRANSFERRING:
            return  # already on the way to a person, who does not need the part
        if phase is Phase.MACHINE:
            return  # the message is rendered already
        failure = self._plan.failure
        self._change(failing=True)
        if failure.transfer and phase is Phase.TALKING:
            self._keep_or(failure.disposition)
            self._say(failure.say)
            self._change(phase=Phase.TRANSFERRING)
            self._commands.append(TransferTo(self._plan.targets[failure.transfer]))
        else:
            self._end_with(failure)

    def _end_with(self, ending: Ending) -> None:
        self._keep_or(ending.disposition)
        if self._state.phase is Phase.TALKING:
            self._say(ending.say)
        self._hang_up()

    def _keep_or(self, disposition: str) -> None:
        if not self._state.disposition:
            self._outcome(disposition)

    # --- small parts ------------------------------------------------------------------------------

    def _here(self) -> State:
        return self._plan.states[self._state.name]

    def _change(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)

    def _values(self) -> dict[str, Any]:
        return values_for(self._plan, self._state.contact, self._state.slots)

    def _put(self, new: Mapping[str, Any]) -> None:
        if new:
            self._change(slots=MappingProxyType({**self._state.slots, **new}))
            self._commands.append(Remember(MappingProxyType(dict(new))))

    def _outcome(self, disposition: str) -> None:
        self._change(disposition=disposition)
        self._commands.append(Outcome(disposition))

    def _hang_up(self) -> None:
        self._change(phase=Phase.ENDED)
        self._commands.append(HangUp())

    def _say(self, items: Sequence[SayItem]) -> None:
        values = self._values()
        for item in items:
            if not holds(item.when, values):
                continue
            prompt = self._plan.prompts[item.prompt]
            wordings = prompt.texts[self._state.contact.language]
            count = self._state.counts.get(item.prompt, 0)
            text = fill(wordings[count % len(wordings)], self._state.contact.language, values)
            self._change(counts=MappingProxyType({**self._state.counts, item.prompt: count + 1}))
            if text:
                said = Say(item.prompt, text, prompt.uninterruptible)
                self._commands.append(said)
                self._said.append(said)
