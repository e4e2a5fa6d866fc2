"""The state of all calls right now, in memory: cheap to update, read as snapshots.

Everything runs in the event loop's thread. Memory is bounded: live calls are as many as there are
lines, ended ones are kept up to ``RECENT``, replies up to ``REPLIES``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from dialer.clock import Clock

RECENT = 50
REPLIES = 1000

DIALLING = "dialling"


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One call as people watch it.

    Attributes:
        call_id: ours.
        number: the number dialled.
        name: how the campaign calls the contact.
        started_ns: when it was dialled.
        state: ``dialling``, ``ringing``, ``answered``, then the dialog's states.
        turns: how many turns the callee has taken.
        heard: the callee's last words.
        intent: how they were understood.
        reply_ms: how long our last reply took; None before the first and while it is unknown.
        disposition: how it ended; empty while it lasts.
        ended_ns: when it ended; None while it lasts.
    """

    call_id: str
    number: str
    name: str
    started_ns: int
    state: str = DIALLING
    turns: int = 0
    heard: str = ""
    intent: str = ""
    reply_ms: float | None = None
    disposition: str = ""
    ended_ns: int | None = None


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """How far the run is.

    Attributes:
        planned: contacts to be called; 0 where that is not known.
        started: calls dialled.
        live: calls now.
        ended: calls over.
        dispositions: ended calls by disposition, the most frequent first.
    """

    planned: int = 0
    started: int = 0
    live: int = 0
    ended: int = 0
    dispositions: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class LiveSnapshot:
    """Everything at one moment.

    Attributes:
        t_ns: the moment.
        campaign: what is being run.
        since_ns: when the run began.
        lines: calls that can be held at once.
        counts: how far the run is.
        calls: live calls, the oldest first.
        recent: ended calls, the latest first.
        replies_ms: the last reply times, the oldest first.
        note: what the run is doing besides calling (``draining``); empty for nothing.
    """

    t_ns: int
    campaign: str = ""
    since_ns: int = 0
    lines: int = 0
    counts: LiveCounts = LiveCounts()
    calls: tuple[LiveCall, ...] = ()
    recent: tuple[LiveCall, ...] = ()
    replies_ms: tuple[float, ...] = ()
    note: str = ""


class LiveState:
    """Keeps the state; the conversations call it (``dialer.conversation.base.LiveView``).

    Args:
        clock: for the stamps.
        campaign: the name shown.
        lines: calls that can be held at once.
        planned: contacts to be called; may be set later.
    """

    def __init__(self, clock: Clock, *, campaign: str = "", lines: int = 0, planned: int = 0) -> None:
        self._clock = clock
        self._since_ns = clock.now_ns()
        self._live: dict[str, LiveCall] = {}
        self._recent: deque[LiveCall] = deque(maxlen=RECENT)
        self._replies: deque[float] = deque(maxlen=REPLIES)
        self._dispositions: Counter[str] = Counter()
        self._started = 0
        self.campaign = campaign
        self.lines = lines
        self.planned = planned
        self.note = ""

    def call_started(self, call_id: str, number: str, name: str) -> None:
        """The number is being dialled."""
        self._started += 1
        self._live[call_id] = LiveCall(call_id, number, name, self._clock.now_ns())

    def call_state(self, call_id: str, state: str) -> None:
        """``ringing``, ``answered``, or the dialog's state. Ignored once the call has ended."""
        call = self._live.get(call_id)
        if call is not None:
            self._live[call_id] = replace(call, state=state)

    def call_heard(self, call_id: str, text: str, intent: str, reply_ms: float | None) -> None:
        """A turn was taken; ``reply_ms`` may follow by ``call_replied``."""
        call = self._live.get(call_id)
        if call is None:
            return
        self._live[call_id] = replace(call, turns=call.turns + 1, heard=text, intent=intent, reply_ms=None)
        if reply_ms is not None:
            self.call_replied(call_id, reply_ms)

    def call_replied(self, call_id: str, reply_ms: float) -> None:
        """The reply to the last turn has begun, ``reply_ms`` after the end-of-turn decision."""
        self._replies.append(reply_ms)
        call = self._live.get(call_id)
        if call is not None:
            self._live[call_id] = replace(call, reply_ms=reply_ms)

    def call_ended(self, call_id: str, disposition: str) -> None:
        """It is over. Twice is once."""
        call = self._live.pop(call_id, None)
        if call is None:
            return
        self._dispositions[disposition] += 1
        self._recent.appendleft(replace(call, disposition=disposition, ended_ns=self._clock.now_ns()))

    def snapshot(self) -> LiveSnapshot:
        """Everything as it is now."""
        ended = self._dispositions.total()
        return LiveSnapshot(
            t_ns=self._clock.now_ns(),
            campaign=self.campaign,
            since_ns=self._since_ns,
            lines=self.lines,
            counts=LiveCounts(
                planned=self.planned,
                started=self._started,
                live=len(self._live),
                ended=ended,
                dispositions=MappingProxyType(dict(self._dispositions.most_common())),
            ),
            calls=tuple(self._live.values()),
            recent=tuple(self._recent),
            replies_ms=tuple(self._replies),
            note=self.note,
        )
