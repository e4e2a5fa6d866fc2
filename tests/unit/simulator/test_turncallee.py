"""The bench's callee as a transcript: what it hears, what it then says."""

from __future__ import annotations

from dialer.clock import NS_PER_MS
from dialer.simulator.turncallee import CallScript, Kind, Notice, Question, Remark, TurnCallee

FRAME = 20
CLEAN = Remark(Kind.CLEAN, "when is it due", "slt", 100, 50, ((0, 49),))
DAY = Remark(Kind.CLEAN, "on friday", "slt", 200, 40, ((0, 39),))
STOP = Remark(Kind.INTERRUPTION, "stop", "slt", 300, 20, ((0, 19),))
MM = Remark(Kind.BACKCHANNEL, "mm hm", "slt", 400, 10, ((0, 9),))


class Line:
    """Plays a call packet by packet."""

    def __init__(self, notices: tuple[Notice, ...] = (), turns: int = 2) -> None:
        script = CallScript(
            number="+12025550100",
            line="clean",
            noise="",
            echo_db=0.0,
            echo_ms=0,
            turns=turns,
            answers={Question.OPEN: (CLEAN,), Question.DATE: (DAY,)},
            notices=notices,
            reactions_ms=(100,),
            idle=(0, 10),
            notice_ms=5000,
        )
        self.callee = TurnCallee(script)
        self.t_ms = 1000

    def voice(self, ms: int) -> None:
        self._pass(ms, voiced=True)

    def silence(self, ms: int) -> None:
        self._pass(ms, voiced=False)

    def _pass(self, ms: int, voiced: bool) -> None:
        for _ in range(ms // FRAME):
            self.t_ms += FRAME
            self.callee.heard(self.t_ms * NS_PER_MS, voiced)
            self.callee.send(self.t_ms * NS_PER_MS)

    @property
    def texts(self) -> list[str]:
        return [said.remark.text for said in self.callee.said]


def test_it_answers_the_question_that_was_asked_once_the_prompt_is_over() -> None:
    line = Line()
    line.voice(1000)
    line.silence(340)
    assert line.texts == []
    line.silence(20)
    assert line.texts == ["when is it due"]
    assert not line.callee.said[0].into_prompt
    line.silence(1400)
    line.callee.asked(Question.DATE)
    line.voice(800)
    line.silence(400)
    assert line.texts == ["when is it due", "on friday"]


def test_packets_say_where_each_remark_began() -> None:
    line = Line()
    line.voice(1000)
    line.silence(360)
    assert line.callee.said[0].packet == (1000 + 360) // FRAME - 1


def test_idle_packets_loop_over_the_background() -> None:
    callee = Line().callee
    assert [callee.send(n) for n in (1, 2, 3)] == [0, 1, 2]


def test_a_remark_is_said_to_its_end_whatever_is_heard() -> None:
    line = Line()
    line.voice(1000)
    line.silence(360)
    frames = []
    for _ in range(CLEAN.frames - 1):
        line.t_ms += FRAME
        line.callee.heard(line.t_ms * NS_PER_MS, True)
        frames.append(line.callee.send(line.t_ms * NS_PER_MS))
    assert frames == list(range(101, 150))


def test_a_notice_is_interrupted_while_it_is_spoken() -> None:
    line = Line((Notice((), STOP, 900),))
    line.callee.asked(Question.LONG)
    line.voice(880)
    assert line.texts == []
    line.voice(40)
    assert line.texts == ["stop"]
    assert line.callee.said[0].into_prompt


def test_what_is_left_of_an_interrupted_prompt_is_no_reply() -> None:
    line = Line((Notice((), STOP, 900),))
    line.callee.asked(Question.LONG)
    line.voice(1100)  # 180 ms of it after the interruption began
    line.silence(1000)
    assert line.texts == ["stop"]
    line.callee.asked(Question.OPEN)
    line.voice(500)
    line.silence(360)
    assert line.texts == ["stop", "when is it due"]


def test_asides_want_no_answer_and_the_notice_is_answered_at_its_end() -> None:
    line = Line((Notice(((1000, MM), (2600, MM)), CLEAN),))
    line.callee.asked(Question.LONG)
    line.voice(5000)
    assert line.texts == ["mm hm", "mm hm"]
    line.silence(380)
    assert line.texts == ["mm hm", "mm hm", "when is it due"]


def test_each_notice_has_its_turn_even_if_the_caller_moves_on_before_its_end() -> None:
    line = Line((Notice(((500, MM),), CLEAN), Notice((), STOP, 900)))
    line.callee.asked(Question.LONG)
    line.voice(1000)
    line.silence(500)
    line.callee.asked(Question.OPEN)
    line.voice(500)
    line.silence(360 + 1000)
    line.callee.asked(Question.LONG)
    line.voice(1000)
    assert line.texts == ["mm hm", "when is it due", "stop"]


def test_a_notice_that_stops_early_is_given_time_to_go_on() -> None:
    line = Line((Notice(((1000, MM),), CLEAN),))
    line.callee.asked(Question.LONG)
    line.voice(1300)
    line.silence(1500)
    line.voice(3800)
    assert line.texts == ["mm hm"]
    line.silence(400)
    assert line.texts == ["mm hm", "when is it due"]


def test_after_a_reply_into_its_sentence_it_waits_for_another() -> None:
    line = Line()
    line.voice(1000)
    line.silence(360)
    line.voice(300)
    line.silence(700)  # its sentence has ended 20 ms ago
    line.silence(2400)
    assert len(line.texts) == 1
    line.silence(200)
    assert len(line.texts) == 2


def test_without_any_reply_it_goes_on_after_a_while() -> None:
    line = Line()
    line.voice(1000)
    line.silence(360 + 980 + 7900)
    assert len(line.texts) == 1
    line.silence(200)
    assert len(line.texts) == 2


def test_it_hangs_up_after_the_reply_to_its_last_remark_has_begun() -> None:
    line = Line(turns=1)
    line.voice(1000)
    line.silence(360 + 1000 + 300)
    assert not line.callee.over
    line.voice(420)
    assert line.callee.over
