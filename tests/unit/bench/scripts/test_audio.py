"""The rendered callees: are their truths true?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dialer.audio import FRAME_BYTES, VOICED_PEAK, to_array
from dialer.bench.scripts.audio import Studio
from dialer.bench.scripts.choose import CallPlan, Phrase, PlannedNotice
from dialer.g711 import alaw_decode
from dialer.simulator.turncallee import Kind, Question

VOICE = "en-us+f3"
PLAN = CallPlan(
    number="+12025550100",
    voice=VOICE,
    line="clean",
    noise="",
    echo_db=0.0,
    echo_ms=0,
    turns=7,
    answers={Question.OPEN: (Phrase(Kind.HESITATION, "i will pay [pause] on friday", VOICE, 400),)},
    notices=(
        PlannedNotice(
            ((1000, Phrase(Kind.COUGH, "", "")), (2000, Phrase(Kind.BACKCHANNEL, "mm hm", VOICE))),
            Phrase(Kind.CLEAN, "yes", VOICE),
            0,
        ),
    ),
    reactions_ms=(100,),
)


async def test_pauses_are_exact_and_the_truth_is_where_the_speech_is(tmp_path: Path) -> None:
    script, audio = await Studio(tmp_path).call(PLAN, 5000)
    remark = script.answers[Question.OPEN][0]
    assert remark.pauses_ms == (400.0,)
    assert remark.text == "i will pay on friday"
    pcm = np.abs(to_array(alaw_decode(audio)).astype(np.int32)).reshape(-1, FRAME_BYTES // 2)
    loud = pcm[remark.start : remark.start + remark.frames].max(axis=1) > VOICED_PEAK
    (first, pause_begins), (pause_ends, last) = remark.voiced
    assert loud[first]
    assert loud[last]
    assert first == 0
    assert last == remark.frames - 1
    assert not loud[pause_begins + 1 : pause_ends].any()
    assert 18 <= pause_ends - pause_begins <= 21


async def test_words_end_in_order_within_their_stretch(tmp_path: Path) -> None:
    script, _ = await Studio(tmp_path).call(PLAN, 5000)
    remark = script.answers[Question.OPEN][0]
    ends = [frame for _, frame in remark.words]
    assert [word for word, _ in remark.words] == ["i", "will", "pay", "on", "friday"]
    assert ends == sorted(ends)
    assert ends[2] == remark.voiced[0][1]
    assert ends[4] == remark.voiced[1][1]


@pytest.mark.parametrize("noise", ["white", "pink"])
async def test_noise_is_15_db_below_the_speech(tmp_path: Path, noise: str) -> None:
    script, audio = await Studio(tmp_path).call(replace(PLAN, line="noisy", noise=noise), 5000)
    first, count = script.idle
    idle = to_array(alaw_decode(audio))[first * 160 : (first + count) * 160].astype(np.float64)
    assert 20 * np.log10(np.sqrt(np.mean(idle**2)) / 32768) == pytest.approx(-35.0, abs=0.5)


async def test_asides_are_short_and_heard(tmp_path: Path) -> None:
    script, _ = await Studio(tmp_path).call(PLAN, 5000)
    (_, cough), (_, hum) = script.notices[0].asides
    assert cough.kind is Kind.COUGH
    assert hum.text == "mm hm"
    assert 200 <= cough.frames * 20 <= 400
    assert 300 <= hum.frames * 20 <= 500
