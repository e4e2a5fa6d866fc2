"""The dialog as a graph of states: what can be reached, what goes round for ever, what is known where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dialer.dialog.plan import DialogPlan, Move, SayItem, State
from dialer.yamlfile import Place


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from a state.

    Attributes:
        to: the state it leads to; empty to stay.
        say: what is said on the way.
        needs_callee: whether it takes a word or a key of the callee; silence does not.
        fills: slots that are known once it was taken.
        place: where in the file it stands.
    """

    to: str
    say: tuple[SayItem, ...]
    needs_callee: bool
    fills: frozenset[str]
    place: Place


def edges(plan: DialogPlan, state: State) -> list[Edge]:
    """Every way out of ``state``; a group's ways are listed for each state that uses it."""
    here: Place = ("states", state.name)
    if state.next:
        return [Edge(state.next, (), False, frozenset(), (*here, "next"))]
    if state.transfer is not None:
        return [Edge(state.transfer.failed, (), False, frozenset(), (*here, "transfer", "failed"))]
    if state.end:
        return []
    found: list[Edge] = []
    for intent, moves in state.on.items():
        found += _moves(plan, moves, (*here, "on", intent), frozenset())
    for digit, moves in state.keys.items():
        found += _moves(plan, moves, (*here, "keys", digit), frozenset())
    found += _moves(plan, state.filled, (*here, "filled"), frozenset(state.wants))
    for name in state.groups:
        group = plan.groups.get(name)
        if group is None:
            continue
        for intent, moves in group.on.items():
            if intent not in state.on:
                found += _moves(plan, moves, ("groups", name, "on", intent), frozenset())
        for digit, moves in group.keys.items():
            if digit not in state.keys:
                found += _moves(plan, moves, ("groups", name, "keys", digit), frozenset())
    for key, nudge, needs_callee in (("silence", state.silence, False), ("no_match", state.no_match, True)):
        found.append(Edge(nudge.then, (), needs_callee, frozenset(), (*here, key, "then")))
    return found


def _moves(plan: DialogPlan, moves: Sequence[Move], place: Place, fills: frozenset[str]) -> Iterator[Edge]:
    for index, move in enumerate(moves):
        known = fills | frozenset(move.put) | slots_that_hold(plan, move.when)
        yield Edge(move.to, move.say, True, known, (*place, index))


def slots_that_hold(plan: DialogPlan, condition: str) -> frozenset[str]:
    """The slots that must be known where ``condition`` (a plain conjunction) is true."""
    if not condition or re.search(r"\b(or|not|is|else)\b|==|!=|<|>", condition):
        return frozenset()
    return frozenset(re.findall(r"\w+", condition)) & plan.slots.keys()


def reachable(plan: DialogPlan, stop_at: frozenset[str] = frozenset()) -> set[str]:
    """The states that a call can come to; ``stop_at`` are entered by nobody and led through by none."""
    seen: set[str] = set()
    waiting = [name for name in (plan.start, plan.turns_then) if name not in stop_at]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in plan.states:
            continue
        seen.add(name)
        waiting += [e.to for e in edges(plan, plan.states[name]) if e.to and e.to not in stop_at]
    return seen


def without_end(plan: DialogPlan) -> set[str]:
    """The states from which no way leads to the end of the call (a transfer that works is an end)."""
    before: dict[str, set[str]] = {}
    for state in plan.states.values():
        for edge in edges(plan, state):
            before.setdefault(edge.to, set()).add(state.name)
    good = {state.name for state in plan.states.values() if state.end or state.transfer is not None}
    waiting = list(good)
    while waiting:
        for name in before.get(waiting.pop(), ()):
            if name not in good:
                good.add(name)
                waiting.append(name)
    return set(plan.states) - good


def silent_loops(plan: DialogPlan) -> list[list[str]]:
    """Circles that the dialog walks without any input of the callee; each once, from its first state."""
    follow = {
        state.name: [e.to for e in edges(plan, state) if not e.needs_callee and e.to in plan.states]
        for state in plan.states.values()
    }
    order = {name: index for index, name in enumerate(plan.states)}
    loops: dict[frozenset[str], list[str]] = {}

    def walk(name: str, path: list[str], on_path: set[str], done: set[str]) -> None:
        for to in follow[name]:
            if to in on_path:
                loop = path[path.index(to) :]
                first = min(range(len(loop)), key=lambda i: order[loop[i]])
                loops.setdefault(frozenset(loop), loop[first:] + loop[:first])
            elif to not in done:
                walk(to, [*path, to], on_path | {to}, done)
        done.add(name)

    done: set[str] = set()
    for name in plan.states:
        if name not in done:
            walk(name, [name], {name}, done)
    return list(loops.values())


def known_slots(plan: DialogPlan) -> Mapping[str, frozenset[str]]:
    """By reachable state, the slots that are known on entry whichever way it was reached."""
    everything = frozenset(plan.slots)
    known = dict.fromkeys(reachable(plan), everything)
    # The start knows nothing, and the turn limit can strike anywhere.
    for name in (plan.start, plan.turns_then):
        if name in known:
            known[name] = frozenset()
    waiting = list(known)
    while waiting:
        name = waiting.pop()
        for edge in edges(plan, plan.states[name]):
            if edge.to not in known:
                continue
            meet = known[edge.to] & (known[name] | edge.fills)
            if meet != known[edge.to]:
                known[edge.to] = meet
                waiting.append(edge.to)
    return known
