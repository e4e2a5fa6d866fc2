"""From verdicts to figures."""

from __future__ import annotations

import pytest

from dialer.bench.turns_figures import details, policy_figures
from dialer.bench.turns_judge import CallVerdict, FalseAlarm, Utterance
from dialer.call import TurnRecord
from dialer.clock import NS_PER_MS
from dialer.simulator.turncallee import CallScript, Kind, Question, Remark, Said

MS = NS_PER_MS


def call(line: str, utterances: list[Utterance], **more: object) -> CallVerdict:
    script = CallScript("+12025550100", line, "", -20.0, 60, 1, {}, (), (), (0, 1), 5000)
    verdict = CallVerdict(script, "call", 0, utterances)
    for name, value in more.items():
        setattr(verdict, name, value)
    return verdict


def utterance(
    gap_ms: float,
    kind: Kind = Kind.CLEAN,
    pauses_ms: tuple[float, ...] = (),
    cut_in_ms: float | None = None,
    missed: bool = False,
) -> Utterance:
    turn = TurnRecord(
        1, "w", "affirm", 1.0, "a", "b", endpoint_ms=gap_ms - 30, reply_ms=20, gap_ms=gap_ms - 10
    )
    return Utterance(
        said=Said(Remark(kind, "w", "slt", 0, 50, ((0, 49),), pauses_ms), 0, Question.OPEN, False),
        first_ns=0,
        last_ns=1000 * MS,
        cuts=((cut_in_ms, 500 * MS),) if cut_in_ms is not None else (),
        talked_over_ns=0,
        reopened=False,
        answer_taken_back=False,
        reply_ns=0 if missed else round((1000 + gap_ms) * MS),
        turn=None if missed else turn,
        barge_in_ms=None,
        missed=missed,
    )


def test_the_gap_is_of_clean_utterances_on_lines_without_noise() -> None:
    figures = policy_figures(
        [
            call("clean", [utterance(300), utterance(900, Kind.HESITATION, (250.0,))]),
            call("echo", [utterance(320)]),
            call("noisy", [utterance(2000)]),
        ]
    )
    assert figures["gap_ms"] == {"p50": 310.0, "p95": 319.0, "p99": 319.8}
    assert figures["endpoint_ms"]["p50"] == 280.0
    assert figures["views_differ_ms"]["p50"] == 10.0
    assert figures["turns"] == 3
    assert figures["clean_turns"] == 2
    assert figures["noisy"]["turns"] == 1
    assert figures["noisy"]["gap_ms"]["p50"] == 2000.0


def test_cuts_are_counted_by_sentence_and_by_pause() -> None:
    heard = [
        utterance(300, Kind.HESITATION, (250.0,)),
        utterance(300, Kind.HESITATION, (250.0,), cut_in_ms=250.0),
        utterance(300, Kind.HESITATION, (600.0,), cut_in_ms=600.0),
        utterance(300),
    ]
    figures = policy_figures([call("clean", heard)])
    assert figures["false_cuts"] == 2
    assert figures["false_cut_share"] == 0.5
    assert figures["cut_share_by_pause_ms"]["250"] == 0.5
    assert figures["cut_share_by_pause_ms"]["600"] == 1.0
    assert figures["cut_share_by_pause_ms"]["400"] is None


def test_alarms_are_counted_by_cause() -> None:
    figures = policy_figures(
        [
            call(
                "echo",
                [utterance(300, missed=True)],
                asides={"backchannel": 4},
                false_barge_ins=[FalseAlarm(1, "backchannel"), FalseAlarm(2, "echo")],
                false_turns=[FalseAlarm(3, "echo")],
            )
        ]
    )
    assert figures["missed_turns"] == 1
    assert figures["false_barge_ins"] == 2
    assert figures["false_barge_ins_by"] == {"backchannel": 1, "echo": 1}
    assert figures["backchannels_stop_share"] == 0.25
    assert figures["echo"]["false_barge_ins"] == 2
    assert figures["echo"]["by_db"] == {
        "-20": {
            "turns": 1,
            "false_cuts": 0,
            "missed_turns": 1,
            "answers_taken_back": 0,
            "false_barge_ins": 1,
            "false_turns": 1,
        }
    }


def test_details_are_in_the_order_of_time() -> None:
    rows = details("adaptive", call("clean", [utterance(300)], false_turns=[FalseAlarm(-5 * MS, "other")]))
    assert [row["kind"] for row in rows] == ["false_turn", "clean"]
    assert rows[1]["gap_ms"] == pytest.approx(300)
