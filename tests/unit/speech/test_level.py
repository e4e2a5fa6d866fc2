from __future__ import annotations

import numpy as np
import pytest

from dialer.audio import FRAME_BYTES, VOICED_PEAK, Pcm, peak, to_array
from dialer.speech.level import SPEECH_DBFS, active_level_dbfs, finish_prompt, normalise


def tone(level: float, samples: int = 8000) -> Pcm:
    return np.asarray(level * np.sin(np.arange(samples) * 0.3), dtype=np.int16)


@pytest.mark.parametrize("level", [50, 1000, 30000])
def test_every_loudness_becomes_the_one_level(level: int) -> None:
    assert active_level_dbfs(normalise(tone(level))) == pytest.approx(SPEECH_DBFS, abs=0.3)


def test_pauses_do_not_count() -> None:
    audio = np.concatenate((tone(1000), np.zeros(16000, np.int16), tone(1000)))
    assert active_level_dbfs(audio) == pytest.approx(active_level_dbfs(tone(1000)), abs=0.3)


def test_peaks_are_bent_not_clipped() -> None:
    audio = tone(1000)
    audio[4000:4010] = 32000
    out = normalise(audio)
    assert np.abs(out.astype(int)).max() <= 0.945 * 32767


def test_silence_stays_silence() -> None:
    assert not normalise(np.zeros(1600, np.int16)).any()
    assert active_level_dbfs(np.zeros(10, np.int16)) == -96.0


def test_a_finished_prompt_begins_with_sound_and_is_whole_frames() -> None:
    audio = np.concatenate((np.zeros(3000, np.int16), tone(3000, 4001), np.zeros(9000, np.int16)))
    pcm = finish_prompt(audio)
    assert len(pcm) % FRAME_BYTES == 0
    assert peak(pcm[:FRAME_BYTES]) > VOICED_PEAK
    assert to_array(pcm).size < 4001 + 480 + 160 + 1
