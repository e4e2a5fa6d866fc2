"""What really happened at the callee's end of a call: the true times that the dialer's own are held against.

``TrueTimes`` is fed with stamps and keeps, for each thing said, its first and last voiced sample and the
first voiced frame of the caller's reply. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dialer.clock import NS_PER_MS, ms_between

GIVES_WAY_MS = 200
"""An interrupted caller has stopped when it was not voiced for this long: longer than between words."""


@dataclass(slots=True)
class CalleeTurn:
    """Something the callee said, and what followed.

    Attributes:
        clip: ``opening``, ``voicemail``, ``says.0``, ...
        text: the words.
        first_voiced_ns, last_voiced_ns: its first and last voiced sample, as given to RTP.
        interrupts: the caller was speaking when it began.
        caller_silent_ns: for an interruption: the last voiced frame heard before the caller stopped.
        reply_ns: the first voiced frame of the caller's reply.
    """

    clip: str
    text: str
    first_voiced_ns: int
    last_voiced_ns: int
    interrupts: bool = False
    caller_silent_ns: int | None = None
    reply_ns: int | None = None

    @property
    def false_cut(self) -> bool:
        """Whether the caller's reply began before we had finished."""
        return self.reply_ns is not None and self.reply_ns < self.last_voiced_ns

    @property
    def gap_ms(self) -> float | None:
        """Our last voiced sample to the reply; None without a reply or where it cut us short."""
        if self.reply_ns is None or self.false_cut:
            return None
        return ms_between(self.last_voiced_ns, self.reply_ns)

    @property
    def barge_in_ms(self) -> float | None:
        """Our first voiced sample to the caller's silence; None unless we interrupted and it gave way."""
        if self.caller_silent_ns is None:
            return None
        return max(0.0, ms_between(self.first_voiced_ns, self.caller_silent_ns))


@dataclass(slots=True)
class CallTruth:
    """One call as the callee saw it.

    Attributes:
        number: the number called.
        persona: who answered; empty where nobody has the number.
        attempt_id: the INVITE's ``X-Attempt-Id``, empty without one.
        sip_status: what the callee sent as final answer; 0 where the caller gave up first.
        invited_ns, answered_ns, ended_ns: the INVITE, the call up, its end.
        answer_ms: the call up to the first voiced frame heard.
        ended_by: ``caller`` or ``callee``.
        keys: digits heard (RFC 4733) from the caller.
        heard_ms: how much voiced audio of the caller was heard.
        recording: WAV of what was heard; empty for none.
        turns: what was said, in order.
    """

    number: str
    persona: str
    attempt_id: str = ""
    sip_status: int = 0
    invited_ns: int = 0
    answered_ns: int | None = None
    ended_ns: int = 0
    answer_ms: float | None = None
    ended_by: str = ""
    keys: str = ""
    heard_ms: int = 0
    recording: str = ""
    turns: list[CalleeTurn] = field(default_factory=list)

    @property
    def gaps_ms(self) -> list[float]:
        """The gap of every turn that was answered, openings left out."""
        return [t.gap_ms for t in self.turns if t.gap_ms is not None and t.clip.startswith("says.")]

    def to_json(self) -> dict[str, Any]:
        """Plain values for one JSON line, the derived times with them."""
        data = asdict(self)
        for plain, turn in zip(data["turns"], self.turns, strict=True):
            plain |= {"gap_ms": turn.gap_ms, "barge_in_ms": turn.barge_in_ms, "false_cut": turn.false_cut}
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CallTruth:
        """The inverse of ``to_json``."""
        derived = ("gap_ms", "barge_in_ms", "false_cut")
        turns = [CalleeTurn(**{k: v for k, v in t.items() if k not in derived}) for t in data["turns"]]
        return cls(**{**data, "turns": turns})


class TrueTimes:
    """Collects the turns of one call."""

    def __init__(self, truth: CallTruth) -> None:
        self._truth = truth
        self._last_voiced_ns: int | None = None

    def frame(self, t_ns: int, voiced: bool, frame_ms: int = 20) -> None:
        """One frame of the caller, stamped when it arrived."""
        truth = self._truth
        turn = truth.turns[-1] if truth.turns else None
        waits = turn is not None and turn.interrupts and turn.caller_silent_ns is None
        if turn is not None and waits and self._quiet(t_ns):
            turn.caller_silent_ns = self._last_voiced_ns
            waits = False
        if not voiced:
            return
        truth.heard_ms += frame_ms
        if truth.answered_ns is not None and truth.answer_ms is None:
            truth.answer_ms = ms_between(truth.answered_ns, t_ns)
        self._last_voiced_ns = t_ns
        if turn is not None and not waits and turn.reply_ns is None and t_ns > turn.first_voiced_ns:
            turn.reply_ns = t_ns

    def said(self, clip: str, text: str, first_voiced_ns: int, last_voiced_ns: int) -> None:
        """The callee says something, known from its first voiced frame on."""
        interrupts = self._last_voiced_ns is not None and not self._quiet(first_voiced_ns)
        self._truth.turns.append(
            CalleeTurn(clip, text, first_voiced_ns, last_voiced_ns, interrupts=interrupts)
        )

    def _quiet(self, t_ns: int) -> bool:
        last = self._last_voiced_ns
        return last is not None and t_ns - last >= GIVES_WAY_MS * NS_PER_MS
