"""One simulated callee during one call: events with stamps in, commands out; no I/O and no clock.

The rules:

* It rings for ``answer.ring_ms``, then picks up, refuses, or goes on ringing.
* After picking up it says its opening without waiting for the caller.
* A line is said when the caller has finished (``Ear``) and ``reaction_ms`` more have passed. If the
  caller goes on meanwhile, the line waits for the next end.
* A line with ``interrupt_after_ms`` is said so long after the caller's prompt began, or as soon as an
  ordinary line would be, whichever comes first. One prompt is interrupted at most once, and what is
  left of it while the dialer stops is not taken for an answer.
* When every line has been said and the caller asks again, the last one is repeated, at most twice and
  after a longer wait, so that a caller who ends the call after a goodbye hears nothing more.
* A line that has begun is said to its end, whatever the caller does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from dialer.clock import NS_PER_MS
from dialer.simulator.persona import Line, Persona, spoken

CALLER_ENDS_MS = 350
"""The caller has finished when it was not voiced for this long; pauses between words are shorter."""

TAIL_MS = 500
"""An interrupted prompt that goes on for longer than this past our line is a prompt in its own right."""

MOST_REPEATS = 2
REPEAT_MS = 1200
GREETING_AFTER_MS = 300
MAILBOX_MS = 60_000

OPENING = "opening"
VOICEMAIL = "voicemail"

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invited:
    """The phone starts to ring."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The call is up."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class CallerStarted:
    """The caller's first voiced frame after a pause."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class CallerStopped:
    """The caller has finished.

    Attributes:
        t_ns: now, ``CALLER_ENDS_MS`` after the last voiced frame.
        last_voiced_ns: the last voiced frame.
    """

    t_ns: int
    last_voiced_ns: int


@dataclass(frozen=True, slots=True)
class Said:
    """What ``Say`` asked for has been played out."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Tick:
    """``due_ns`` has come (or time has passed in any case)."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over; nothing more is asked for."""

    t_ns: int


ScriptEvent: TypeAlias = Invited | Answered | CallerStarted | CallerStopped | Said | Tick | Ended

# --- commands -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ring:
    """Send 180 Ringing."""


@dataclass(frozen=True, slots=True)
class PickUp:
    """Answer the call."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Reject the call with a SIP status."""

    status: int


@dataclass(frozen=True, slots=True)
class Say:
    """Play a rendered clip (``opening``, ``voicemail``, ``says.0``, ...); ``Said`` must follow."""

    clip: str


@dataclass(frozen=True, slots=True)
class Press:
    """Send digits."""

    digits: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


ScriptCommand: TypeAlias = Ring | PickUp | Refuse | Say | Press | HangUp


def clip_of(index: int) -> str:
    """The name of the clip of line ``index`` (from 0)."""
    return f"says.{index}"


def clip_texts(persona: Persona) -> dict[str, str]:
    """Everything that a persona may say, by clip name, pauses still in it."""
    texts: dict[str, str] = {}
    if persona.opening is not None:
        texts[OPENING] = persona.opening.text
    if persona.answer.voicemail is not None:
        texts[VOICEMAIL] = persona.answer.voicemail
    for index, line in enumerate(persona.says):
        if line.text is not None:
            texts[clip_of(index)] = line.text
    return texts


def clip_words(persona: Persona) -> dict[str, str]:
    """The words of each clip as a person would write them down."""
    return {name: spoken(text) for name, text in clip_texts(persona).items()}


# --- hearing ------------------------------------------------------------------------------------


class Ear:
    """Turns voiced and silent frames of the caller into starts and stops."""

    def __init__(self, ends_ms: int = CALLER_ENDS_MS) -> None:
        self._ends_ns = ends_ms * NS_PER_MS
        self._last_voiced_ns: int | None = None

    @property
    def caller_speaks(self) -> bool:
        """Whether the caller has started and not yet finished."""
        return self._last_voiced_ns is not None

    def frame(self, t_ns: int, voiced: bool) -> CallerStarted | CallerStopped | None:
        """One frame of 20 ms, stamped when it arrived."""
        if voiced:
            started = self._last_voiced_ns is None
            self._last_voiced_ns = t_ns
            return CallerStarted(t_ns) if started else None
        last = self._last_voiced_ns
        if last is not None and t_ns - last >= self._ends_ns:
            self._last_voiced_ns = None
            return CallerStopped(t_ns, last)
        return None


# --- the callee ---------------------------------------------------------------------------------


class Phase(Enum):
    """Where the call is; the only steps are downward."""

    IDLE = auto()
    RINGING = auto()  # until picked up or refused
    PICKING_UP = auto()  # 200 OK sent, not yet up
    TALKING = auto()
    OVER = auto()  # nothing more is said: refused, hung up, or ended by the caller


class CalleeScript:
    """One callee in one call.

    Feed every event to ``handle`` in the order of time and a ``Tick`` once ``due_ns`` has come.
    """

    def __init__(self, persona: Persona) -> None:
        self._persona = persona
        self._phase = Phase.IDLE
        self._next = 0  # the line to be said next
        self._repeats = 0
        self._saying: str | None = None
        self._said_ns = 0
        self._line_said = False  # what was said last was a line, not the opening
        self._prompt_ns: int | None = None  # when the caller began to speak since our last line began
        # What is due, None where nothing is.
        self._answer_at: int | None = None
        self._opening_at: int | None = None
        self._line_at: int | None = None
        self._hang_up_at: int | None = None

    @property
    def phase(self) -> Phase:
        """Where the call is."""
        return self._phase

    @property
    def due_ns(self) -> int | None:
        """When a ``Tick`` is wanted, None where only another event can change anything."""
        times = [self._answer_at, self._hang_up_at]
        if self._saying is None:
            times += [self._opening_at, self._line_at]
        return min((t for t in times if t is not None), default=None)

    def handle(self, event: ScriptEvent) -> list[ScriptCommand]:
        """What the callee does now."""
        if self._phase is Phase.OVER:
            return []
        commands: list[ScriptCommand] = []
        match event:
            case Invited():
                commands += self._invited(event.t_ns)
            case Answered():
                self._answered(event.t_ns)
            case CallerStarted():
                if self._prompt_ns is None:
                    self._prompt_ns = event.t_ns
                self._line_at = self._interruption()
            case CallerStopped():
                self._caller_stopped(event)
            case Said():
                commands += self._said(event.t_ns)
            case Ended():
                self._phase = Phase.OVER
                self._forget()
            case Tick():
                pass
        return commands + self._what_is_due(event.t_ns)

    def _invited(self, t_ns: int) -> list[ScriptCommand]:
        answer = self._persona.answer
        self._phase = Phase.RINGING
        if not answer.ring_out:
            self._answer_at = t_ns + answer.ring_ms * NS_PER_MS
        return [Ring()] if answer.ring_out or answer.ring_ms > 0 else []

    def _answered(self, t_ns: int) -> None:
        self._phase = Phase.TALKING
        persona = self._persona
        if persona.answer.voicemail is not None:
            self._opening_at = t_ns + GREETING_AFTER_MS * NS_PER_MS
            self._hang_up_at = t_ns + MAILBOX_MS * NS_PER_MS
        elif persona.opening is not None:
            self._opening_at = t_ns + persona.opening.after_ms * NS_PER_MS
        if persona.hang_up is not None and persona.hang_up.after_ms is not None:
            self._hang_up_at = t_ns + persona.hang_up.after_ms * NS_PER_MS

    def _caller_stopped(self, event: CallerStopped) -> None:
        during_line = self._saying not in (None, OPENING)
        if during_line or (self._line_said and event.last_voiced_ns < self._said_ns):
            self._prompt_ns = None  # the caller gave way to us, or fitted a remark into our line
            return
        ours_ago_ns = event.last_voiced_ns - self._said_ns
        if self._prompt_ns is None and ours_ago_ns < TAIL_MS * NS_PER_MS:
            return  # what was left of the prompt that we interrupted
        line = self._line()
        if line is None:
            return
        reaction_ms = line.reaction_ms
        if self._next >= len(self._persona.says):
            reaction_ms = max(reaction_ms, REPEAT_MS)
        at = event.t_ns + reaction_ms * NS_PER_MS
        self._line_at = at if self._line_at is None else min(at, self._line_at)

    def _said(self, t_ns: int) -> list[ScriptCommand]:
        said, self._saying = self._saying, None
        self._said_ns = t_ns
        self._line_said = said not in (None, OPENING, VOICEMAIL)
        if said is None or said in (OPENING, VOICEMAIL):
            return []
        self._line_at = self._interruption()
        hang_up = self._persona.hang_up
        if hang_up is not None and hang_up.after_turn == self._next:
            return self._end()
        return []

    def _interruption(self) -> int | None:
        """When the running prompt is to be interrupted."""
        if self._prompt_ns is None or self._next >= len(self._persona.says):
            return None
        after_ms = self._persona.says[self._next].interrupt_after_ms
        return None if after_ms is None else self._prompt_ns + after_ms * NS_PER_MS

    def _line(self) -> Line | None:
        """The line to say next; the last one again where all have been said."""
        says = self._persona.says
        if self._next < len(says):
            return says[self._next]
        return says[-1] if says and self._repeats < MOST_REPEATS else None

    def _what_is_due(self, t_ns: int) -> list[ScriptCommand]:
        if self._hang_up_at is not None and t_ns >= self._hang_up_at:
            return self._end()
        if self._answer_at is not None and t_ns >= self._answer_at:
            self._answer_at = None
            status = self._persona.answer.status
            if status is not None:
                self._phase = Phase.OVER
                return [Refuse(status)]
            self._phase = Phase.PICKING_UP
            return [PickUp()]
        if self._saying is not None or self._phase is not Phase.TALKING:
            return []
        if self._opening_at is not None and t_ns >= self._opening_at:
            self._opening_at = None
            self._saying = OPENING if self._persona.answer.voicemail is None else VOICEMAIL
            return [Say(self._saying)]
        if self._line_at is not None and t_ns >= self._line_at:
            return self._speak(t_ns)
        return []

    def _speak(self, t_ns: int) -> list[ScriptCommand]:
        self._line_at = None
        line = self._line()
        if line is None:
            return []
        index = min(self._next, len(self._persona.says) - 1)
        if self._next < len(self._persona.says):
            self._next += 1
        else:
            self._repeats += 1
        self._prompt_ns = None
        self._saying = clip_of(index)
        if line.dtmf is None:
            return [Say(self._saying)]
        return [Press(line.dtmf), *self._said(t_ns)]

    def _end(self) -> list[ScriptCommand]:
        self._phase = Phase.OVER
        self._forget()
        return [HangUp()]

    def _forget(self) -> None:
        self._answer_at = self._opening_at = self._line_at = self._hang_up_at = None
