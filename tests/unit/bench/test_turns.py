"""The campaign of the turn bench, and what the bench makes of a call's records."""

from __future__ import annotations

import numpy as np
import pytest

from dialer.audio import VOICED_PEAK, to_array
from dialer.bench.scripts.choose import CYCLE
from dialer.bench.turns import CAMPAIGN, POLICIES, QUESTIONS, Heard, commits_of, tails_of, variants
from dialer.call import TurnRecord
from dialer.campaign.folder import load_campaign
from dialer.dialog.messages import Expectation
from dialer.errors import InputError
from dialer.simulator.turncallee import STOPPED_MS, Question
from dialer.speech.tts_espeak import EspeakSynthesizer


def turn(text: str) -> TurnRecord:
    return TurnRecord(1, text, "affirm", 1.0, "a", "b")


def heard(t_ns: int, text: str) -> Heard:
    return Heard(t_ns, text, "affirm")


def test_every_question_is_asked_and_leads_on_whatever_is_heard() -> None:
    states = load_campaign(CAMPAIGN).dialog.states
    name = "first_wish"
    for question in CYCLE:
        state = states[name]
        assert QUESTIONS[name] is question
        expected = {Question.YES_NO: Expectation.ONE_WORD, Question.DATE: Expectation.DIGITS}
        assert state.expect is expected.get(question, Expectation.OPEN)
        leads = {move.to for moves in state.on.values() for move in moves}
        assert len(leads) == 1
        (name,) = leads
    assert name == "first_wish"


async def test_no_prompt_has_a_pause_that_could_be_taken_for_a_stop() -> None:
    campaign = load_campaign(CAMPAIGN)
    engine = EspeakSynthesizer()
    for prompt in campaign.dialog.prompts.values():
        pcm = await engine.synthesize(prompt.texts["en"][0], campaign.settings.voices["en"])
        loud = np.flatnonzero(np.abs(to_array(pcm).astype(np.int32)) > VOICED_PEAK)
        longest_ms = int(np.diff(loud).max()) / 8
        assert longest_ms < STOPPED_MS - 40, prompt.name


def test_fixed_policies_have_one_tail_in_every_state() -> None:
    with variants(POLICIES) as campaigns:
        adaptive, fixed_300, fixed_800 = campaigns
    assert adaptive.settings.endpointing == load_campaign(CAMPAIGN).settings.endpointing
    for campaign, tail_ms in ((fixed_300, 300), (fixed_800, 800)):
        settings = campaign.settings.endpointing
        tails = (settings.min_tail_ms, settings.one_word_tail_ms, settings.max_tail_ms)
        assert {*tails, settings.digits_tail_ms} == {tail_ms}
        for state in campaign.dialog.states.values():
            assert (state.min_tail_ms, state.max_tail_ms) == (tail_ms, tail_ms)


def test_tails_can_be_changed_one_by_one() -> None:
    assert tails_of("adaptive") == {}
    assert tails_of("adaptive:min_tail_ms=320,max_tail_ms=1000") == {"min_tail_ms": 320, "max_tail_ms": 1000}


@pytest.mark.parametrize("name", ["fixed", "fixed_", "adaptive:tail=3", "adaptive:max_tail_ms", "quick"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="adaptive"):
        tails_of(name)


def test_commits_without_a_record_were_taken_back() -> None:
    first, whole = turn("yes"), turn("i will pay on friday")
    commits = commits_of(
        [heard(1, "yes"), heard(2, "i will pay"), heard(3, "i will pay on friday")], [first, whole]
    )
    assert [commit.turn for commit in commits] == [first, None, whole]
