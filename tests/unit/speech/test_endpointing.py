from __future__ import annotations

from collections.abc import Callable

import pytest

from dialer.clock import NS_PER_MS
from dialer.dialog.messages import Expectation
from dialer.speech.endpointing import Endpointer, EndpointSettings, Signal

START, PAUSE, RESUMED = Signal.SPEECH_STARTED, Signal.PAUSE, Signal.RESUMED
ENDED, FALSE = Signal.TURN_ENDED, Signal.FALSE_START

Script = list[tuple[int, bool]]  # (for how many ms, speech)


def play(
    endpointer: Endpointer,
    script: Script,
    at_pause: Callable[[Endpointer], None] | None = None,
    start_ms: int = 0,
) -> list[tuple[int, Signal]]:
    """The signals with the ms at which they came; ``at_pause`` is called at each PAUSE."""
    seen = []
    now = start_ms
    for length, speech in script:
        for _ in range(length // 20):
            now += 20
            signal = endpointer.frame(now * NS_PER_MS, speech)
            if signal is not None:
                seen.append((now, signal))
                if signal is PAUSE and at_pause is not None:
                    at_pause(endpointer)
    return seen


def means(text: str, score: float = 0.9, complete: bool = True) -> Callable[[Endpointer], None]:
    return lambda endpointer: endpointer.understood(text, score, complete, stable_ms=200)


def test_a_confident_answer_ends_after_the_short_tail() -> None:
    endpointer = Endpointer()
    seen = play(endpointer, [(100, False), (600, True), (1000, False)], means("i already paid it"))
    assert seen == [(160, START), (860, PAUSE), (980, ENDED)]
    assert endpointer.speech_started_ns == 100 * NS_PER_MS
    assert endpointer.last_voiced_ns == 700 * NS_PER_MS
    assert not endpointer.in_speech


def test_one_word_is_quicker_where_one_is_expected() -> None:
    endpointer = Endpointer()
    endpointer.listen(Expectation.ONE_WORD)
    assert play(endpointer, [(300, True), (1000, False)], means("yes"))[-1] == (500, ENDED)
    seen = play(endpointer, [(300, True), (1000, False)], means("yes but not all of it"), 2000)
    assert seen[-1] == (2580, ENDED)


def test_nothing_understood_waits_for_the_full_tail() -> None:
    assert play(Endpointer(), [(600, True), (1000, False)])[-1] == (1400, ENDED)


@pytest.mark.parametrize(
    ("text", "score"), [("i will pay it on", 0.9), ("um", 0.9), ("something else", 0.1), ("", 0.9)]
)
def test_a_hesitant_answer_waits_for_the_full_tail(text: str, score: float) -> None:
    assert play(Endpointer(), [(600, True), (1000, False)], means(text, score))[-1] == (1400, ENDED)


def test_a_doubtful_answer_waits_for_something_between() -> None:
    (at, signal) = play(Endpointer(), [(600, True), (1000, False)], means("i may pay", 0.45))[-1]
    assert signal is ENDED
    assert 600 + 400 < at < 600 + 700


def test_numbers_are_waited_for_until_they_are_complete() -> None:
    endpointer = Endpointer()
    endpointer.listen(Expectation.DIGITS)
    seen = play(endpointer, [(600, True), (1000, False)], means("two oh two", complete=False))
    assert seen[-1] == (1400, ENDED)
    seen = play(endpointer, [(600, True), (1000, False)], means("on the third"), 2000)
    assert seen[-1] == (2000 + 600 + 460, ENDED)


def test_a_pause_inside_a_sentence_is_no_end() -> None:
    endpointer = Endpointer()
    script = [(400, True), (500, False), (400, True), (1000, False)]
    answers = iter(["i can pay but", "i can pay but not today"])
    seen = play(endpointer, script, lambda e: e.understood(next(answers), 0.9, True, 200))
    assert seen == [(60, START), (560, PAUSE), (940, RESUMED), (1460, PAUSE), (1580, ENDED)]


def test_what_was_understood_before_the_callee_went_on_counts_no_more() -> None:
    endpointer = Endpointer()
    play(endpointer, [(400, True), (200, False)], means("yes"))
    assert play(endpointer, [(400, True), (1000, False)], start_ms=600)[-1] == (1800, ENDED)


def test_words_that_just_changed_hold_the_end_back() -> None:
    endpointer = Endpointer()
    play(endpointer, [(400, True), (280, False)])
    endpointer.understood("yes", 0.9, True, stable_ms=0)
    assert play(endpointer, [(400, False)], start_ms=680) == [(780, ENDED)]


def test_words_lost_again_wait_for_the_full_tail() -> None:
    endpointer = Endpointer()
    play(endpointer, [(400, True), (200, False)], means("yes"))
    endpointer.understood("", 0.0, False, 0)
    assert play(endpointer, [(800, False)], start_ms=600) == [(1200, ENDED)]


def test_a_click_starts_nothing() -> None:
    assert play(Endpointer(), [(100, False), (40, True), (500, False)] * 3) == []


def test_a_cough_is_a_false_start() -> None:
    assert play(Endpointer(), [(80, True), (1000, False)]) == [(60, START), (240, PAUSE), (880, FALSE)]


def test_a_short_word_that_was_understood_is_a_turn() -> None:
    assert play(Endpointer(), [(80, True), (1000, False)], means("no"))[-1] == (360, ENDED)


def test_one_voiced_frame_in_a_pause_does_not_resume() -> None:
    script = [(400, True), (200, False), (20, True), (600, False)]
    assert play(Endpointer(), script)[-1] == (1200, ENDED)


def test_the_bounds_of_the_dialog_count() -> None:
    endpointer = Endpointer()
    endpointer.listen(Expectation.OPEN, min_tail_ms=400, max_tail_ms=1200)
    assert play(endpointer, [(600, True), (2000, False)], means("i paid"))[-1] == (1000, ENDED)
    assert play(endpointer, [(600, True), (2000, False)], start_ms=4000)[-1] == (5800, ENDED)


def test_listening_anew_keeps_the_open_utterance() -> None:
    endpointer = Endpointer()
    play(endpointer, [(400, True)])
    endpointer.listen(Expectation.ONE_WORD)
    assert endpointer.in_speech
    assert play(endpointer, [(1000, False)], means("yes"), 400) == [(560, PAUSE), (600, ENDED)]


def test_reset_forgets() -> None:
    endpointer = Endpointer()
    play(endpointer, [(400, True)])
    endpointer.reset()
    assert not endpointer.in_speech
    assert play(endpointer, [(1000, False)], start_ms=400) == []


def test_a_line_stuck_in_noise_is_cut() -> None:
    endpointer = Endpointer(EndpointSettings(max_turn_ms=2000))
    assert play(endpointer, [(2100, True)])[1] == (2000, ENDED)


def test_late_words_change_nothing() -> None:
    endpointer = Endpointer()
    play(endpointer, [(400, True), (1000, False)])
    endpointer.understood("yes", 0.9, True, 200)
    assert play(endpointer, [(200, True)], start_ms=1400) == [(1460, START)]
    assert endpointer.tail_ms == 800


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="pause_ms"):
        EndpointSettings(pause_ms=300)
    with pytest.raises(ValueError, match="unsure_score"):
        EndpointSettings(unsure_score=0.9)
