"""The recogniser that knows the words."""

from __future__ import annotations

import asyncio

from dialer.bench.turns_recognizer import LATENCY_MS, ScriptedRecognizer
from dialer.clock import ManualClock
from dialer.simulator.turncallee import Kind, Remark
from dialer.speech.base import Hypothesis

NUMBER = "+12025550100"
FRAME = bytes(320)
# "i will" ends after 400 ms, "on friday" after 1400.
REMARK = Remark(
    Kind.HESITATION, "i will on friday", "slt", 7, 71, ((0, 20), (40, 70)), (400.0,),
    (("i", 10), ("will", 20), ("on", 50), ("friday", 70)),
)  # fmt: skip


class Told:
    def __init__(self) -> None:
        self.hypotheses: list[Hypothesis] = []

    def on_hypothesis(self, hypothesis: Hypothesis) -> None:
        self.hypotheses.append(hypothesis)

    def on_recognizer_failed(self, reason: str) -> None:
        raise AssertionError(reason)

    @property
    def texts(self) -> list[str]:
        return [hypothesis.text for hypothesis in self.hypotheses]


class Call:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told = Told()
        recognizer = ScriptedRecognizer(self.clock, {NUMBER: {REMARK.start: REMARK}})
        recognizer.expect("call", NUMBER)
        self.session = recognizer.open("call", self.told)
        recognizer.said(NUMBER, REMARK.start, self.clock.now_ns())

    def hear(self, ms: int) -> None:
        for _ in range(ms // 20):
            self.clock.advance(20)
            self.session.feed(FRAME)


def test_words_are_told_after_their_end() -> None:
    call = Call()
    call.session.begin(1, "state")
    call.hear(300)
    assert call.told.texts == []
    call.hear(100)
    assert call.told.texts == ["i"]
    call.hear(400 + LATENCY_MS)
    assert call.told.texts == ["i", "i will"]


async def test_the_final_words_follow_the_end_at_once() -> None:
    call = Call()
    call.session.begin(1, "state")
    call.hear(1420)
    call.session.finish()
    await asyncio.sleep(0)
    assert call.told.hypotheses[-1].final
    assert call.told.texts[-1] == "i will on friday"


def test_each_part_of_a_sentence_cut_in_two_has_its_own_words() -> None:
    call = Call()
    call.session.begin(1, "state")
    call.hear(780)
    call.session.cancel()
    call.session.begin(2, "state")
    call.hear(800)
    assert call.told.texts[-1] == "on friday"
    assert call.told.hypotheses[-1].utterance == 2


async def test_after_the_close_nothing_is_told() -> None:
    call = Call()
    call.session.begin(1, "state")
    call.hear(200)
    call.session.finish()
    call.session.close()
    await asyncio.sleep(0)
    assert call.told.texts == []
