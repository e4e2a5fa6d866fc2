from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dialer.speech.denoise import Denoiser
from tests.unit.speech.audio_samples import noise, silence, tone

DELAY = 128


def cleaned(samples: NDArray[Any], piece: int = 160) -> NDArray[np.float64]:
    denoiser = Denoiser()
    denoiser.learn(samples[: 8 * 640])
    return np.concatenate([denoiser.process(samples[i : i + piece]) for i in range(0, samples.size, piece)])


def power(samples: NDArray[Any]) -> float:
    return float(np.mean(samples.astype(float) ** 2))


def test_clean_audio_passes_as_it_is() -> None:
    clean = np.concatenate((silence(300), tone(700, 700, -20.0)))
    out = cleaned(clean)
    assert np.max(np.abs(out[DELAY + 2700 :] - clean[2700 : out.size - DELAY])) < 40


def test_noise_falls_and_a_tone_stays() -> None:
    mixed = np.concatenate((silence(400), tone(700, 1000, -20.0), silence(600))) + noise(2000, -40.0)
    out = cleaned(mixed)
    assert power(out[800:3000]) < 0.15 * power(mixed[800:3000])
    assert power(out[12_500:15_500]) < 0.15 * power(mixed[12_500:15_500])
    assert power(out[4000:10_000]) > 0.8 * power(mixed[4000:10_000])


def test_faint_noise_is_left_alone() -> None:
    faint = noise(1000, -65.0)
    out = cleaned(faint)[DELAY:]
    assert np.allclose(out, faint[: out.size], atol=0.5)


def test_pieces_make_no_difference() -> None:
    mixed = np.concatenate((noise(400, -45.0), tone(500, 400, -20.0)))
    one, other = cleaned(mixed, 160), cleaned(mixed, 1000)
    assert np.allclose(one, other[: one.size])


def test_short_beginnings_and_nothing_are_no_harm() -> None:
    denoiser = Denoiser()
    denoiser.learn(silence(10))
    assert denoiser.process(silence(10)).size == 0
    assert denoiser.process(silence(0)).size == 0
    assert not denoiser.process(silence(100)).any()
