"""From verdicts to the figures that ``dialer bench turns`` prints (DESIGN parts 2 and 5). Pure.

Utterances on noisy lines are kept apart (``noisy``); what is said on lines with echo counts as on any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dialer.bench.figures import percentiles
from dialer.bench.turns_judge import CallVerdict, FalseAlarm, Utterance
from dialer.call import TurnRecord
from dialer.clock import NS_PER_MS
from dialer.simulator.turncallee import Kind

PAUSES_MS = (250, 300, 400, 500, 600, 700)


def policy_figures(verdicts: Sequence[CallVerdict]) -> dict[str, Any]:
    """Everything about one policy but what it cost."""
    quiet = [verdict for verdict in verdicts if verdict.script.line != "noisy"]
    noisy = [verdict for verdict in verdicts if verdict.script.line == "noisy"]
    echoing = [verdict for verdict in verdicts if verdict.script.line == "echo"]
    everything = _utterances(verdicts)
    heard = _utterances(quiet)
    clean = _clean(heard)
    interruptions = [u for u in heard if u.said.into_prompt]
    return {
        "gap_ms": _times(clean, lambda u: u.gap_ms),
        "endpoint_ms": _record_times(clean, lambda turn: turn.endpoint_ms),
        "reply_ms": _record_times(everything, lambda turn: turn.reply_ms),
        "barge_in_ms": _percentiles(u.barge_in_ms for u in interruptions),
        **_counts(quiet),
        "clean_turns": len(clean),
        "barge_ins": len(interruptions),
        "barge_ins_ignored": sum(u.ignored for u in interruptions),
        "gap_ms_by_kind": {
            kind.value: _times([u for u in heard if u.said.remark.kind is kind], lambda u: u.gap_ms)
            for kind in Kind
            if not kind.aside
        },
        "dialer_gap_ms": _record_times(clean, lambda turn: turn.gap_ms),
        "views_differ_ms": _percentiles(_differences(clean)),
        "noisy": {
            **_counts(noisy),
            "gap_ms": _times(_clean(_utterances(noisy)), lambda u: u.gap_ms),
            "clean_turns": len(_clean(_utterances(noisy))),
        },
        "echo": {**_counts(echoing), "by_db": _by_level(echoing)},
        "false_cut_share_all_lines": _share(sum(bool(u.cuts) for u in everything), len(everything)),
        "calls_broken_off": sum(verdict.broken_off for verdict in verdicts),
    }


def details(policy: str, verdict: CallVerdict) -> list[dict[str, Any]]:
    """A row for each utterance and each false alarm of a call; times in ms since the callee's answer."""

    def at(t_ns: int) -> float | None:
        return round((t_ns - verdict.answered_ns) / NS_PER_MS) if t_ns else None

    script = verdict.script
    place = {
        "policy": policy,
        "call_id": verdict.call_id,
        "number": script.number,
        "line": script.line,
        "noise": script.noise,
        "echo_db": script.echo_db,
    }
    rows = [
        {
            **place,
            "at_ms": at(u.first_ns),
            "kind": u.said.remark.kind.value,
            "question": u.said.question.value,
            "voice": u.said.remark.voice,
            "text": u.said.remark.text,
            "pauses_ms": [round(pause) for pause in u.said.remark.pauses_ms],
            "last_ms": at(u.last_ns),
            "reply_ms": at(u.reply_ns),
            "gap_ms": u.gap_ms,
            "cuts": [{"pause_ms": pause, "at_ms": at(t_ns)} for pause, t_ns in u.cuts],
            "talked_over_ms": at(u.talked_over_ns),
            "reopened": u.reopened,
            "answer_taken_back": u.answer_taken_back,
            "missed": u.missed,
            "barge_in_ms": u.barge_in_ms,
            "ignored": u.ignored,
            "heard": u.turn.text if u.turn is not None else None,
            "intent": u.turn.intent if u.turn is not None else None,
            "score": u.turn.score if u.turn is not None else None,
            "endpoint_ms": u.turn.endpoint_ms if u.turn is not None else None,
            "dialer_reply_ms": u.turn.reply_ms if u.turn is not None else None,
            "dialer_gap_ms": u.turn.gap_ms if u.turn is not None else None,
        }
        for u in verdict.utterances
    ]
    rows += [
        {**place, "at_ms": at(alarm.t_ns), "kind": kind, "cause": alarm.cause, "heard": alarm.heard}
        for kind, alarms in (
            ("false_barge_in", verdict.false_barge_ins),
            ("false_turn", verdict.false_turns),
        )
        for alarm in alarms
    ]
    return sorted(rows, key=lambda row: row["at_ms"] or 0)


def _counts(verdicts: Sequence[CallVerdict]) -> dict[str, Any]:
    heard = _utterances(verdicts)
    cut = [u for u in heard if u.cuts]
    missed = sum(u.missed for u in heard)
    stopped = _by_cause(verdicts, lambda v: v.false_barge_ins)
    asides: Counter[str] = Counter()
    for verdict in verdicts:
        asides.update(verdict.asides)
    return {
        "turns": len(heard),
        "false_cuts": len(cut),
        "false_cut_share": _share(len(cut), len(heard)),
        "cut_share_by_pause_ms": _cut_shares(heard),
        "sentences_by_pause_ms": {str(ms): _with_pause(heard, ms)[0] for ms in PAUSES_MS},
        "cuts_talked_over": sum(bool(u.talked_over_ns) for u in cut),
        "cuts_reopened": sum(u.reopened for u in cut),
        "cuts_into_speech": sum(any(pause is None for pause, _ in u.cuts) for u in heard),
        "missed_turns": missed,
        "missed_share": _share(missed, len(heard)),
        "answers_taken_back": sum(u.answer_taken_back for u in heard),
        "false_barge_ins": sum(stopped.values()),
        "false_barge_ins_by": stopped,
        "asides": dict(asides),
        "backchannels_stop_share": _share(stopped.get("backchannel", 0), asides.get("backchannel", 0)),
        "false_turns": sum(len(verdict.false_turns) for verdict in verdicts),
        "false_turns_by": _by_cause(verdicts, lambda v: v.false_turns),
    }


def _by_level(verdicts: Sequence[CallVerdict]) -> dict[str, dict[str, int]]:
    """What echo of each level did."""
    levels = sorted({verdict.script.echo_db for verdict in verdicts})
    found = {}
    for level in levels:
        at = [verdict for verdict in verdicts if verdict.script.echo_db == level]
        heard = _utterances(at)
        found[f"{level:g}"] = {
            "turns": len(heard),
            "false_cuts": sum(bool(u.cuts) for u in heard),
            "missed_turns": sum(u.missed for u in heard),
            "answers_taken_back": sum(u.answer_taken_back for u in heard),
            "false_barge_ins": _by_cause(at, lambda v: v.false_barge_ins).get("echo", 0),
            "false_turns": _by_cause(at, lambda v: v.false_turns).get("echo", 0),
        }
    return found


def _cut_shares(heard: Sequence[Utterance]) -> dict[str, float | None]:
    shares = {}
    for ms in PAUSES_MS:
        sentences, cut = _with_pause(heard, ms)
        shares[str(ms)] = _share(cut, sentences)
    return shares


def _with_pause(heard: Sequence[Utterance], ms: int) -> tuple[int, int]:
    """Sentences with a pause of ``ms`` within, and how many of them were cut there."""
    having = [u for u in heard if any(round(pause) == ms for pause in u.said.remark.pauses_ms)]
    cut = [u for u in having if any(pause is not None and round(pause) == ms for pause, _ in u.cuts)]
    return len(having), len(cut)


def _clean(heard: Iterable[Utterance]) -> list[Utterance]:
    """Utterances without inner pauses that were said into silence."""
    return [u for u in heard if u.said.remark.kind is Kind.CLEAN and not u.said.into_prompt]


def _utterances(verdicts: Iterable[CallVerdict]) -> list[Utterance]:
    return [utterance for verdict in verdicts for utterance in verdict.utterances]


def _by_cause(
    verdicts: Iterable[CallVerdict], alarms: Callable[[CallVerdict], Sequence[FalseAlarm]]
) -> dict[str, int]:
    return dict(Counter(alarm.cause for verdict in verdicts for alarm in alarms(verdict)).most_common())


def _differences(heard: Iterable[Utterance]) -> list[float]:
    """How much longer the callee's gap is than the dialer's own."""
    return [
        u.gap_ms - u.turn.gap_ms
        for u in heard
        if u.gap_ms is not None and u.turn is not None and u.turn.gap_ms is not None
    ]


def _times(heard: Iterable[Utterance], value: Callable[[Utterance], float | None]) -> dict[str, float]:
    return _percentiles(value(u) for u in heard)


def _record_times(
    heard: Iterable[Utterance], value: Callable[[TurnRecord], float | None]
) -> dict[str, float]:
    return _percentiles(value(u.turn) for u in heard if u.turn is not None)


def _percentiles(values: Iterable[float | None]) -> dict[str, float]:
    return percentiles([value for value in values if value is not None], with_max=False)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
