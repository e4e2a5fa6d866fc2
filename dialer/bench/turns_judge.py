"""What became of each thing a callee said: answered, cut, missed, or wrongly obeyed. Pure.

Everything is judged by the callee's own stamps (packets sent and received) but for one: when the dialer
committed turns. Its records are only laid beside them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dialer.call import TurnRecord
from dialer.clock import NS_PER_MS, ms_between
from dialer.simulator.turncallee import STOPPED_MS, CallScript, Question, Said
from dialer.simulator.turnfarm import TurnStream

FRAME_MS = 20
ASIDE_ECHOES_MS = 1500
"""What happens this soon after an aside is put down to it."""

HEARS_MS = 100
"""A commit this soon after an utterance began is about something that was heard before it."""

RESUMES_MS = 1500
"""A short prompt that goes on after a pause of up to this was stopped; later, it is another prompt."""

PROMPT_END_MS = 300
"""A notice that stops this close to its end has ended."""

IGNORED_MS = 2000
"""An interruption that has not silenced us after this was ignored."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A turn that the dialer committed: when, and its record; None where it took the turn back."""

    t_ns: int
    turn: TurnRecord | None


@dataclass(frozen=True, slots=True)
class Utterance:
    """A remark that wanted an answer. Stamps are monotonic ns.

    Attributes:
        said: what, and in answer to what.
        first_ns, last_ns: its first and last voiced packet.
        cuts: for each cut, the pause it came in (ms; None where it came into speech) and when.
        talked_over_ns: the first voiced packet of ours that came before its end; 0 for none. A cut without
            one was a commit only.
        reopened: a turn was committed in it and taken back.
        answer_taken_back: a turn was committed after its end and taken back, and no other stands.
        reply_ns: the first voiced packet of the reply, 0 for none.
        turn: the dialer's record of the answer.
        barge_in_ms: for an interruption: until we were silent.
        missed: it should have been answered and never was.
    """

    said: Said
    first_ns: int
    last_ns: int
    cuts: tuple[tuple[float | None, int], ...]
    talked_over_ns: int
    reopened: bool
    answer_taken_back: bool
    reply_ns: int
    turn: TurnRecord | None
    barge_in_ms: float | None
    missed: bool

    @property
    def gap_ms(self) -> float | None:
        """What the callee felt; None where there was no reply, or one too early."""
        if self.missed or self.cuts or not self.reply_ns:
            return None
        return ms_between(self.last_ns, self.reply_ns)

    @property
    def ignored(self) -> bool:
        """An interruption that did not stop us."""
        return self.said.into_prompt and self.barge_in_ms is None


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """Something that was no turn and was taken for one: when, what caused it, and what was heard in it.

    ``cause`` is ``backchannel``, ``cough``, ``echo``, ``noise`` or ``other``.
    """

    t_ns: int
    cause: str
    heard: str = ""


@dataclass(slots=True)
class CallVerdict:
    """One call.

    Attributes:
        asides: how many of each kind were said.
        false_barge_ins: prompts of ours that stopped for nothing.
        false_turns: turns that were committed for nothing.
        broken_off: the call ended before the callee had said everything.
    """

    script: CallScript
    call_id: str
    answered_ns: int
    utterances: list[Utterance] = field(default_factory=list)
    asides: dict[str, int] = field(default_factory=dict)
    false_barge_ins: list[FalseAlarm] = field(default_factory=list)
    false_turns: list[FalseAlarm] = field(default_factory=list)
    broken_off: bool = False


def judge(
    script: CallScript,
    stream: TurnStream,
    call_id: str,
    commits: Sequence[Commit],
) -> CallVerdict:
    """Judge one call.

    Args:
        script: of the callee.
        stream: what it heard and said.
        call_id: the dialer's.
        commits: every turn that the dialer committed, in order.
    """
    return _Judge(script, stream, call_id, commits).verdict()


class _Judge:
    def __init__(
        self,
        script: CallScript,
        stream: TurnStream,
        call_id: str,
        commits: Sequence[Commit],
    ) -> None:
        self._script = script
        self._sent: list[int] = stream.sent_ns.tolist()
        self._voice: list[int] = stream.arrival_ns[stream.voiced == 1].tolist()  # voiced packets of ours
        self._ended_ns = stream.ended_ns or (self._sent[-1] if self._sent else 0)
        self._commits = commits
        self._verdict = CallVerdict(script, call_id, stream.answered_ns)
        whole = [s for s in stream.said if s.packet + s.remark.frames <= len(self._sent)]
        self._wanting = [s for s in whole if not s.remark.kind.aside]
        self._asides = [s for s in whole if s.remark.kind.aside]
        self._verdict.broken_off = len(self._wanting) < script.turns

    def verdict(self) -> CallVerdict:
        verdict = self._verdict
        for aside in self._asides:
            verdict.asides[aside.remark.kind] = verdict.asides.get(aside.remark.kind, 0) + 1
        ends = [*(self._first(said) for said in self._wanting[1:]), self._ended_ns]
        begins = [self._first(said) for said in self._wanting]
        before = begins[0] if begins else self._ended_ns
        self._alarms(None, 0, before, self._commits_in(0, before))
        for said, begin, end in zip(self._wanting, begins, ends, strict=True):
            utterance = self._utterance(said, end)
            verdict.utterances.append(utterance)
            heard_from = begin if not said.into_prompt else self._silent_from(begin) + FRAME_MS * NS_PER_MS
            self._alarms(utterance, heard_from, end, self._commits_in(begin, end))
        return verdict

    # --- one utterance ----------------------------------------------------------------------------

    def _utterance(self, said: Said, end_ns: int) -> Utterance:
        first_ns, last_ns = self._first(said), self._last(said)
        heard_from, barge_in_ms = first_ns, None
        if said.into_prompt:
            silent_ns = self._silent_from(first_ns)
            barge_in_ms = ms_between(first_ns, silent_ns) + FRAME_MS
            heard_from = silent_ns
            if barge_in_ms > IGNORED_MS:
                barge_in_ms = None
        commits = self._commits_in(first_ns, end_ns)
        hears_ns = first_ns + HEARS_MS * NS_PER_MS
        cuts_ns = [commit.t_ns for commit in commits if hears_ns <= commit.t_ns < last_ns]
        into = self._voiced_in(heard_from, last_ns) if barge_in_ms is not None or not said.into_prompt else 0
        if into and not cuts_ns:
            cuts_ns = [into]
        standing = [commit for commit in commits if commit.turn is not None]
        answer = next((commit.turn for commit in standing if commit.t_ns >= last_ns), None)
        if answer is None and cuts_ns and standing:
            answer = standing[-1].turn
        reply_ns = self._voiced_in(max(heard_from, last_ns), end_ns)
        return Utterance(
            said=said,
            first_ns=first_ns,
            last_ns=last_ns,
            cuts=tuple((self._pause_of(said, t_ns), t_ns) for t_ns in cuts_ns),
            talked_over_ns=into,
            reopened=any(commit.turn is None and commit.t_ns < last_ns for commit in commits),
            answer_taken_back=answer is None and any(commit.t_ns >= last_ns for commit in commits),
            reply_ns=reply_ns,
            turn=answer,
            barge_in_ms=barge_in_ms,
            missed=not cuts_ns and (answer is None or not reply_ns),
        )

    def _pause_of(self, said: Said, t_ns: int) -> float | None:
        """The inner pause that a cut belongs to: the last one that had begun."""
        found = None
        for (_, last), pause_ms in zip(said.remark.voiced, said.remark.pauses_ms, strict=False):
            if t_ns > self._sent[said.packet + last]:
                found = pause_ms
        return found

    # --- alarms -----------------------------------------------------------------------------------

    def _alarms(self, utterance: Utterance | None, since_ns: int, end_ns: int, commits: list[Commit]) -> None:
        """What went wrong between an utterance (None: the beginning of the call) and the next one."""
        cut = utterance is not None and bool(utterance.cuts)
        missed = utterance is not None and utterance.missed  # then we ask again, and may be heard twice
        early_ns = utterance.first_ns + HEARS_MS * NS_PER_MS if utterance is not None else end_ns
        early = [commit for commit in commits if commit.t_ns < early_ns]
        standing = [commit for commit in commits if commit.t_ns >= early_ns and commit.turn is not None]
        for commit in early + (standing[1:] if not cut else []):
            heard = commit.turn.text if commit.turn is not None else ""
            self._verdict.false_turns.append(FalseAlarm(commit.t_ns, self._cause(commit.t_ns), heard))
        runs = list(self._runs(since_ns, end_ns))
        notice = self._next_question(utterance) is Question.LONG
        played_ns = 0
        for (start_ns, stop_ns), following in zip(runs, [*runs[1:], None], strict=False):
            played_ns += stop_ns - start_ns
            pause_ns = following[0] - stop_ns if following is not None else 0
            if notice:
                stopped = played_ns < (self._script.notice_ms - PROMPT_END_MS) * NS_PER_MS and (
                    following is not None or stop_ns + STOPPED_MS * NS_PER_MS < end_ns
                )
            else:
                stopped = 0 < pause_ns <= RESUMES_MS * NS_PER_MS
            if stopped and not cut and not missed:
                self._verdict.false_barge_ins.append(FalseAlarm(stop_ns, self._cause(stop_ns)))

    def _next_question(self, utterance: Utterance | None) -> Question | None:
        """What was asked after an utterance."""
        place = self._wanting.index(utterance.said) + 1 if utterance is not None else 0
        return self._wanting[place].question if place < len(self._wanting) else None

    def _cause(self, t_ns: int) -> str:
        for aside in reversed(self._asides):
            if self._first(aside) <= t_ns <= self._last(aside) + ASIDE_ECHOES_MS * NS_PER_MS:
                return aside.remark.kind
        return {"echo": "echo", "noisy": "noise"}.get(self._script.line, "other")

    # --- stamps -----------------------------------------------------------------------------------

    def _first(self, said: Said) -> int:
        return self._sent[said.packet + said.remark.voiced[0][0]]

    def _last(self, said: Said) -> int:
        return self._sent[said.packet + said.remark.voiced[-1][1]]

    def _voiced_in(self, since_ns: int, until_ns: int) -> int:
        """The first voiced packet of ours after ``since_ns`` and before ``until_ns``; 0 for none."""
        place = bisect_right(self._voice, since_ns)
        found = self._voice[place] if place < len(self._voice) else 0
        return found if found < until_ns else 0

    def _silent_from(self, t_ns: int) -> int:
        """The last voiced packet of ours before we are silent for ``STOPPED_MS``, from ``t_ns`` on."""
        place = max(0, bisect_right(self._voice, t_ns) - 1)
        for this, following in pairwise(self._voice[place:]):
            if following - this >= STOPPED_MS * NS_PER_MS:
                return max(this, t_ns)
        return max(self._voice[-1], t_ns) if self._voice else t_ns

    def _runs(self, since_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
        """Stretches of our voice without a silence of ``STOPPED_MS``."""
        start = last = 0
        for t_ns in self._voice[bisect_right(self._voice, since_ns) : bisect_right(self._voice, until_ns)]:
            if start and t_ns - last >= STOPPED_MS * NS_PER_MS:
                yield start, last
                start = t_ns
            start = start or t_ns
            last = t_ns
        if start:
            yield start, last

    def _commits_in(self, since_ns: int, until_ns: int) -> list[Commit]:
        return [commit for commit in self._commits if since_ns < commit.t_ns <= until_ns]
