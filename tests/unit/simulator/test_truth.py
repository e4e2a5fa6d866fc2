"""The true times at the callee's end."""

from __future__ import annotations

import json

from dialer.clock import NS_PER_MS
from dialer.simulator.truth import CallTruth, TrueTimes

MS = NS_PER_MS


def call() -> CallTruth:
    return CallTruth("+12025550101", "somebody", answered_ns=1000 * MS)


def hear(times: TrueTimes, *spans: tuple[int, int], until: int, since: int = 1000) -> None:
    for ms in range(since, until, 20):
        times.frame(ms * MS, any(start <= ms < end for start, end in spans))


def test_answer_and_gap() -> None:
    truth = call()
    times = TrueTimes(truth)
    hear(times, (1040, 2000), until=2500)
    times.said("says.0", "Yes.", 2500 * MS, 3000 * MS)
    hear(times, (3400, 4000), since=2500, until=4000)
    assert truth.answer_ms == 40
    assert truth.gaps_ms == [400]
    assert truth.heard_ms == 960 + 600
    turn = truth.turns[0]
    assert (turn.interrupts, turn.barge_in_ms, turn.false_cut) == (False, None, False)


def test_an_interruption_is_measured_until_the_caller_is_silent() -> None:
    truth = call()
    times = TrueTimes(truth)
    hear(times, (1040, 2000), until=1900)
    times.said("says.0", "Wait.", 1900 * MS, 2600 * MS)
    hear(times, (1900, 2240), (3000, 3500), since=1900, until=3500)
    turn = truth.turns[0]
    assert turn.interrupts
    assert turn.barge_in_ms == 320
    assert turn.gap_ms == 400


def test_a_reply_into_a_line_is_a_false_cut_and_no_gap() -> None:
    truth = call()
    times = TrueTimes(truth)
    hear(times, (1040, 1500), until=2000)
    times.said("says.0", "I will pay.", 2000 * MS, 3500 * MS)
    hear(times, (2800, 3600), since=2000, until=3600)
    assert truth.turns[0].false_cut
    assert truth.gaps_ms == []


def test_a_line_without_a_reply() -> None:
    truth = call()
    TrueTimes(truth).said("says.0", "Yes.", 2000 * MS, 2500 * MS)
    assert truth.turns[0].gap_ms is None
    assert not truth.turns[0].false_cut


def test_openings_are_not_turns() -> None:
    truth = call()
    times = TrueTimes(truth)
    times.said("opening", "Hello?", 1200 * MS, 1500 * MS)
    hear(times, (1800, 1900), until=2000)
    assert truth.turns[0].gap_ms == 300
    assert truth.gaps_ms == []


def test_json_there_and_back() -> None:
    truth = call()
    times = TrueTimes(truth)
    times.said("says.0", "Yes.", 2000 * MS, 2500 * MS)
    hear(times, (2900, 3000), until=3000, since=2500)
    data = json.loads(json.dumps(truth.to_json()))
    assert data["turns"][0]["gap_ms"] == 400
    assert CallTruth.from_json(data) == truth
