"""Verdicts about calls that are written out packet by packet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dialer.bench.turns_judge import CallVerdict, Commit, judge
from dialer.call import TurnRecord
from dialer.clock import NS_PER_MS
from dialer.simulator.turncallee import CallScript, Kind, Question, Remark, Said
from dialer.simulator.turnfarm import TurnStream

MS = NS_PER_MS
NOTICE_MS = 6000


def remark(kind: Kind, *stretches: tuple[int, int], pauses_ms: tuple[float, ...] = ()) -> Remark:
    return Remark(kind, "words", "slt", 0, stretches[-1][1] + 1, stretches, pauses_ms)


ONE_SECOND = remark(Kind.CLEAN, (0, 49))
HESITATES = remark(Kind.HESITATION, (0, 24), (45, 69), pauses_ms=(400.0,))
BACKCHANNEL = remark(Kind.BACKCHANNEL, (0, 19))
TURN = TurnRecord(1, "words", "affirm", 1.0, "a", "b")


def verdict(
    said: Sequence[tuple[int, Remark, Question]],
    ours: Sequence[tuple[int, int]],
    commits: Sequence[tuple[int, TurnRecord | None]],
    *,
    ends_ms: int = 20_000,
    line: str = "clean",
) -> CallVerdict:
    """Judge a call.

    Args:
        said: when each remark began, in ms.
        ours: stretches of our voice, in ms.
        commits: when each turn was committed.
    """
    arrival = np.arange(0, ends_ms, 20)
    voiced = np.zeros(arrival.size, dtype=np.uint8)
    for first, last in ours:
        voiced[(arrival >= first) & (arrival < last)] = 1
    stream = TurnStream(
        number="+12025550100",
        attempt_id="a",
        answered_ns=0,
        ended_ns=ends_ms * MS,
        said=tuple(Said(what, at // 20, question, bool(voiced[at // 20 - 1])) for at, what, question in said),
        arrival_ns=arrival * MS,
        voiced=voiced,
        sent_ns=np.arange(0, ends_ms, 20) * MS,
        late_ns=np.zeros(arrival.size, dtype=np.int64),
    )
    script = CallScript(
        number="+12025550100",
        line=line,
        noise="",
        echo_db=0.0,
        echo_ms=0,
        turns=len([1 for _, what, _ in said if not what.kind.aside]),
        answers={},
        notices=(),
        reactions_ms=(),
        idle=(0, 1),
        notice_ms=NOTICE_MS,
    )
    return judge(script, stream, "call", [Commit(at * MS, turn) for at, turn in commits])


def test_the_gap_is_from_the_last_voiced_packet_to_the_first_of_the_reply() -> None:
    result = verdict([(2000, ONE_SECOND, Question.OPEN)], [(0, 1500), (3300, 4000)], [(3280, TURN)])
    (utterance,) = result.utterances
    assert utterance.gap_ms == 3300 - (2000 + 49 * 20)
    assert utterance.turn is TURN
    assert not utterance.missed
    assert not utterance.cuts
    assert not result.false_barge_ins
    assert not result.false_turns
    assert not result.broken_off


def test_a_commit_in_a_pause_cuts_the_sentence_there() -> None:
    result = verdict([(2000, HESITATES, Question.OPEN)], [(3800, 4500)], [(2800, TURN), (3780, TURN)])
    (utterance,) = result.utterances
    assert [pause for pause, _ in utterance.cuts] == [400.0]
    assert utterance.talked_over_ns == 0
    assert utterance.gap_ms is None
    assert not utterance.missed


def test_our_voice_in_a_sentence_cuts_it_even_if_the_commit_was_not_seen() -> None:
    result = verdict([(2000, HESITATES, Question.OPEN)], [(3000, 3400), (3800, 4500)], [(3780, TURN)])
    (utterance,) = result.utterances
    assert [pause for pause, _ in utterance.cuts] == [400.0]
    assert utterance.talked_over_ns == 3000 * MS


def test_a_turn_that_was_taken_back_is_a_cut_all_the_same() -> None:
    result = verdict([(2000, HESITATES, Question.OPEN)], [(3800, 4500)], [(2800, None), (3780, TURN)])
    (utterance,) = result.utterances
    assert utterance.cuts
    assert utterance.reopened
    assert utterance.turn is TURN


def test_no_reply_is_a_missed_turn() -> None:
    result = verdict([(2000, ONE_SECOND, Question.OPEN)], [(0, 1500)], [])
    assert result.utterances[0].missed
    assert result.utterances[0].gap_ms is None


def test_asking_again_without_a_turn_is_no_answer() -> None:
    result = verdict([(2000, ONE_SECOND, Question.OPEN)], [(0, 1500), (6000, 7000)], [])
    assert result.utterances[0].missed


def test_an_answer_that_was_taken_back_is_none() -> None:
    result = verdict([(2000, ONE_SECOND, Question.OPEN)], [(3300, 3600)], [(3280, None)])
    assert result.utterances[0].missed
    assert result.utterances[0].answer_taken_back


def test_an_interruption_is_measured_until_our_last_voiced_packet() -> None:
    stop = remark(Kind.INTERRUPTION, (0, 29))
    result = verdict([(3000, stop, Question.LONG)], [(1000, 3200), (4000, 5000)], [(3900, TURN)])
    (utterance,) = result.utterances
    assert utterance.barge_in_ms == pytest.approx(200)
    assert utterance.gap_ms == 4000 - (3000 + 29 * 20)
    assert not utterance.cuts
    assert not result.false_barge_ins


def test_an_interruption_that_changes_nothing_was_ignored() -> None:
    stop = remark(Kind.INTERRUPTION, (0, 29))
    result = verdict([(3000, stop, Question.LONG)], [(1000, 7000), (8000, 9000)], [(7900, TURN)])
    assert result.utterances[0].ignored


def test_a_notice_stopped_by_a_backchannel_is_a_false_barge_in() -> None:
    result = verdict(
        [(2000, BACKCHANNEL, Question.LONG), (9500, ONE_SECOND, Question.LONG)],
        [(1000, 2300), (3000, 7800), (11_000, 12_000)],
        [(10_900, TURN)],
    )
    assert [alarm.cause for alarm in result.false_barge_ins] == ["backchannel"]
    assert result.asides == {"backchannel": 1}
    assert len(result.utterances) == 1


def test_a_notice_that_plays_to_its_end_was_not_stopped() -> None:
    result = verdict(
        [(2000, BACKCHANNEL, Question.LONG), (8000, ONE_SECOND, Question.LONG)],
        [(1000, 7000), (9500, 10_000)],
        [(9400, TURN)],
    )
    assert not result.false_barge_ins


def test_a_short_prompt_that_goes_on_after_a_stop_was_stopped_by_the_lines_echo() -> None:
    result = verdict(
        [(4000, ONE_SECOND, Question.OPEN)],
        [(1000, 1500), (2100, 3000), (5300, 6000)],
        [(5200, TURN)],
        line="echo",
    )
    assert [alarm.cause for alarm in result.false_barge_ins] == ["echo"]


def test_a_turn_that_nobody_took_is_false() -> None:
    result = verdict(
        [(4000, ONE_SECOND, Question.OPEN)],
        [(1000, 3000), (5300, 6000)],
        [(2000, TURN), (5200, TURN)],
        line="echo",
    )
    assert [alarm.cause for alarm in result.false_turns] == ["echo"]
    assert result.utterances[0].turn is TURN


def test_a_commit_at_the_very_start_of_an_utterance_is_about_something_earlier() -> None:
    result = verdict(
        [(4000, ONE_SECOND, Question.OPEN)], [(1000, 3000), (5300, 6000)], [(4040, TURN), (5200, TURN)]
    )
    assert len(result.false_turns) == 1
    assert not result.utterances[0].cuts


def test_a_remark_that_the_end_of_the_call_cut_off_is_not_judged() -> None:
    result = verdict(
        [(2000, ONE_SECOND, Question.OPEN), (4900, ONE_SECOND, Question.OPEN)],
        [(3300, 4500)],
        [(3280, TURN)],
        ends_ms=5000,
    )
    assert len(result.utterances) == 1
    assert result.broken_off
