"""The callee of ``dialer bench turns``: asked a question, it says the next thing of its script. Pure.

It answers a question once the caller has been silent for ``ENDS_MS`` and a reaction time more. Into a long
prompt (a *notice*) it says asides, which want no answer, or one interruption, which does. What it says it
says to the end, whatever the caller does, and notes which packet of its stream was the first one: with the
stream's stamps, that is the truth of every utterance.

Which question was asked, the bench tells it (``asked``); everything else it hears. Stamps are
monotonic nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from dialer.clock import NS_PER_MS

T = TypeVar("T")

ENDS_MS = 250
"""The caller has finished when it was silent for this long; its prompts have no such pause within."""

STOPPED_MS = 200
"""Speech of the caller after a silence this long is no longer the prompt that was interrupted."""

NOTICE_STOPS_MS = 2500
"""A notice that was stopped before its end may go on: so long the callee waits before it answers."""

SECOND_REPLY_MS = 2500
"""After a reply that came into our sentence: so long the callee waits for one that comes after it."""

GIVES_UP_MS = 8000
"""Without any reply the callee says the next thing after so long."""

LAST_REPLY_MS = 400
"""The callee hangs up so long after the reply to the last thing it said began."""


class Question(StrEnum):
    """What the caller has asked."""

    OPEN = "open"
    DATE = "date"
    YES_NO = "yes_no"
    LONG = "long"  # a notice: a long prompt that ends in an open question


class Kind(StrEnum):
    """What a remark is there to try."""

    CLEAN = "clean"
    HESITATION = "hesitation"
    CORRECTION = "correction"
    INTERRUPTION = "interruption"
    BACKCHANNEL = "backchannel"  # an aside, like a cough
    COUGH = "cough"

    @property
    def aside(self) -> bool:
        """Whether it wants no answer."""
        return self in (Kind.BACKCHANNEL, Kind.COUGH)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say: a part of the call's audio.

    Attributes:
        kind: see ``Kind``.
        text: the words.
        voice: who speaks.
        start, frames: where it lies in the call's audio, in frames of 20 ms.
        voiced: its stretches of speech, each from a first to a last voiced frame, counted from ``start``.
        pauses_ms: the true pauses between those stretches, to the sample.
        words: each word and the frame at which it has been said.
    """

    kind: Kind
    text: str
    voice: str
    start: int
    frames: int
    voiced: tuple[tuple[int, int], ...]
    pauses_ms: tuple[float, ...] = ()
    words: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """What a callee does about a long prompt.

    Attributes:
        asides: each with the time after the prompt's beginning, ms.
        remark: the interruption, or the answer at the prompt's end.
        after_ms: when the interruption comes; 0 for an answer.
    """

    asides: tuple[tuple[int, Remark], ...]
    remark: Remark
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class CallScript:
    """One callee.

    Attributes:
        number: whom one calls to get it.
        line: ``clean``, ``noisy`` or ``echo``.
        noise: the noise's name on a noisy line.
        echo_db, echo_ms: what comes back of the caller's voice, and how late; 0 and 0 for nothing.
        turns: after so many remarks (asides not counted) it hangs up.
        answers: by question, said in this order, over and over.
        notices: what it does about long prompts, over and over.
        reactions_ms: how long it thinks before it answers, over and over.
        idle: first frame and number of frames of the line's background noise in the call's audio.
        notice_ms: how long a long prompt is.
    """

    number: str
    line: str
    noise: str
    echo_db: float
    echo_ms: int
    turns: int
    answers: Mapping[Question, tuple[Remark, ...]]
    notices: tuple[Notice, ...]
    reactions_ms: tuple[int, ...]
    idle: tuple[int, int]
    notice_ms: int


@dataclass(frozen=True, slots=True)
class Said:
    """A remark that was said.

    Attributes:
        remark: what.
        packet: index of its first frame among the packets that were sent.
        question: what had been asked.
        into_prompt: the caller was speaking when it began.
    """

    remark: Remark
    packet: int
    question: Question
    into_prompt: bool


@dataclass(slots=True)
class TurnCallee:
    """One call of one callee. Feed it every packet heard and sent, in the order of time.

    Attributes:
        script: what it does.
        said: what it has said so far.
        over: it wants to hang up.
        packets: how many have been sent.
    """

    script: CallScript
    said: list[Said] = field(default_factory=list)
    over: bool = False
    _question: Question = Question.OPEN
    packets: int = 0
    _turns: int = 0
    _used: dict[Question, int] = field(default_factory=dict)
    _saying: Remark | None = None
    _at: int = 0
    _said_ns: int = 0  # end of our last remark
    _last_voiced_ns: int = 0  # of the caller
    _prompt_ns: int = 0  # when the caller began to speak since our last remark began; 0 for not yet
    _prompt_silent_ns: int = 0  # pauses of that prompt that were stops
    _old_prompt: bool = False  # what is heard is the prompt that we spoke into
    _notice: Notice | None = None
    _notice_at_ns: int = 0
    _asides: int = 0

    def asked(self, question: Question) -> None:
        """The caller's dialog has come to this question; its prompt follows."""
        self._question = question
        self._notice = None

    def heard(self, t_ns: int, voiced: bool) -> None:
        """A packet of the caller."""
        if not voiced:
            return
        silent_ns = t_ns - self._last_voiced_ns
        if self._old_prompt and silent_ns >= STOPPED_MS * NS_PER_MS:
            self._old_prompt = False
        if self._prompt_ns and silent_ns >= STOPPED_MS * NS_PER_MS:
            self._prompt_silent_ns += silent_ns
        if not self._prompt_ns and not self._old_prompt:
            self._prompt_ns = t_ns
            self._prompt_silent_ns = 0
        self._last_voiced_ns = t_ns

    def send(self, t_ns: int) -> int:
        """What the packet that leaves now holds: a frame of the call's audio, by its index."""
        packet, self.packets = self.packets, self.packets + 1
        if self._saying is None:
            self._saying = self._what_is_due(t_ns)
            if self._saying is not None:
                self._begin(self._saying, packet, t_ns)
        remark = self._saying
        if remark is None:
            first, count = self.script.idle
            return first + packet % count
        frame = remark.start + self._at
        self._at += 1
        if self._at >= remark.frames:
            self._saying = None
            self._said_ns = t_ns
        return frame

    def _begin(self, remark: Remark, packet: int, t_ns: int) -> None:
        speaking = self._speaks(t_ns)
        self._at = 0
        self.said.append(Said(remark, packet, self._question, speaking))
        if not remark.kind.aside:
            self._turns += 1
            self._old_prompt = speaking
            self._prompt_ns = 0
            self._notice = None

    def _speaks(self, t_ns: int) -> bool:
        """Whether the caller is speaking now."""
        return t_ns - self._last_voiced_ns < STOPPED_MS * NS_PER_MS // 2

    def _what_is_due(self, t_ns: int) -> Remark | None:
        done = self._turns >= self.script.turns
        if done and self._prompt_ns and t_ns - self._prompt_ns >= LAST_REPLY_MS * NS_PER_MS:
            self.over = True
        if self._question is Question.LONG and not done:
            remark = self._into_notice(t_ns)
            if remark is not None:
                return remark
        if not self._may_speak(t_ns):
            return None
        if done:
            self.over = True
            return None
        return self._next()

    def _into_notice(self, t_ns: int) -> Remark | None:
        if self._notice is None and self._prompt_ns:
            self._notice = self._another_notice()
            self._notice_at_ns = self._prompt_ns
            self._asides = 0
        notice = self._notice
        if notice is None or not self._speaks(t_ns):
            return None
        since_ns = t_ns - self._notice_at_ns
        if self._asides < len(notice.asides):
            after_ms, aside = notice.asides[self._asides]
            if since_ns >= after_ms * NS_PER_MS:
                self._asides += 1
                return aside
        elif notice.after_ms and self._prompt_ns and since_ns >= notice.after_ms * NS_PER_MS:
            return self._next()
        return None

    def _may_speak(self, t_ns: int) -> bool:
        """Whether it is our turn."""
        if not self._prompt_ns:
            return self._said_ns > 0 and t_ns - self._said_ns >= GIVES_UP_MS * NS_PER_MS
        silent_ns = t_ns - max(self._last_voiced_ns, self._said_ns)
        if self._last_voiced_ns < self._said_ns and not self._notice:
            return silent_ns >= SECOND_REPLY_MS * NS_PER_MS
        if self._question is Question.LONG:
            played_ns = self._last_voiced_ns - self._prompt_ns - self._prompt_silent_ns
            if played_ns < (self.script.notice_ms - ENDS_MS) * NS_PER_MS:
                return silent_ns >= NOTICE_STOPS_MS * NS_PER_MS
        reaction_ms = _in_turn(self.script.reactions_ms, self._turns)
        return silent_ns >= (ENDS_MS + reaction_ms) * NS_PER_MS

    def _another_notice(self) -> Notice:
        used = self._used.get(Question.LONG, 0)
        self._used[Question.LONG] = used + 1
        return _in_turn(self.script.notices, used)

    def _next(self) -> Remark:
        if self._question is Question.LONG:
            return (self._notice or self._another_notice()).remark
        used = self._used.get(self._question, 0)
        self._used[self._question] = used + 1
        return _in_turn(self.script.answers[self._question], used)


def _in_turn(things: tuple[T, ...], count: int) -> T:
    return things[count % len(things)]
