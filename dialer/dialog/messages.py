"""Events that the dialog machine takes and commands that it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The callee picked up: say the greeting."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One callee utterance, understood as ``intent`` with ``score``.

    ``interrupted``: it was spoken into a prompt of ours, which was stopped for it.
    """

    text: str
    intent: str
    score: float
    slots: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class NothingHeard:
    """The callee stayed silent for as long as the last ``Listen`` allowed."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A DTMF digit."""

    digit: str


@dataclass(frozen=True, slots=True)
class SpeechDone:
    """Everything that was to be said has been played out."""


@dataclass(frozen=True, slots=True)
class MachineAnswered:
    """An answering machine or voicemail took the call; its greeting may still be running."""


@dataclass(frozen=True, slots=True)
class MachineReady:
    """The beep was heard (or the greeting ended without one): a message can be left now."""


@dataclass(frozen=True, slots=True)
class TransferEnded:
    """The transfer to a person went through, or did not."""

    done: bool


@dataclass(frozen=True, slots=True)
class PartFailed:
    """Something of ours failed for good in this call: ``recognizer``, ``intent``, ``synthesizer``."""

    part: str


@dataclass(frozen=True, slots=True)
class GoodbyeWanted:
    """Operations drain the system (or the longest call is reached): say goodbye and end."""


DialogEvent: TypeAlias = (
    CallAnswered
    | Heard
    | NothingHeard
    | KeyPressed
    | SpeechDone
    | MachineAnswered
    | MachineReady
    | TransferEnded
    | PartFailed
    | GoodbyeWanted
)

# --- commands -----------------------------------------------------------------------------------


class Expectation(StrEnum):
    """What kind of answer a state waits for; endpointing waits accordingly."""

    ONE_WORD = "one_word"  # yes or no
    OPEN = "open"  # a sentence
    DIGITS = "digits"  # numbers and dates: people pause inside
    NOTHING = "nothing"  # we only speak


@dataclass(frozen=True, slots=True)
class Say:
    """Speak ``text`` (already filled in). Several follow one another without a gap."""

    prompt: str
    text: str
    uninterruptible: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """After what is to be said: listen.

    Attributes:
        state: the dialog state; also the recogniser's context.
        allowed: the intents this state can take (its own and the global ones).
        expectation: see ``Expectation``.
        silence_ms: after our audio has ended and nothing was heard for this long, ``NothingHeard``.
        min_tail_ms, max_tail_ms: bounds of the pause that ends a turn.
        wants_slots: names of the slots to be read from the utterance (``date``, ``amount``).
    """

    state: str
    allowed: frozenset[str]
    expectation: Expectation = Expectation.OPEN
    silence_ms: int = 5000
    min_tail_ms: int = 280
    max_tail_ms: int = 800
    wants_slots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitForBeep:
    """Be silent until the machine's greeting is over, then ``MachineReady``."""

    max_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The disposition so far; the last one stands."""

    disposition: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Slots to keep with the call's record."""

    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Suppress:
    """Never call this number again; in force before the call's record closes."""

    reason: str


@dataclass(frozen=True, slots=True)
class TransferTo:
    """Blind transfer to a person; ``TransferEnded`` follows."""

    target: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call once everything queued has been played out."""


DialogCommand: TypeAlias = Say | Listen | WaitForBeep | Outcome | Remember | Suppress | TransferTo | HangUp
