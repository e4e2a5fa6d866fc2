from __future__ import annotations

import numpy as np
import pytest

from dialer.speech.resample import DoubleRate, resample


def tone(
    hz: float, rate: int, seconds: float, level: float = 8000.0
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    at = np.arange(int(rate * seconds)) / rate
    return (level * np.sin(2 * np.pi * hz * at)).astype(np.int16)


@pytest.mark.parametrize("hz", [100, 440, 1000, 3000])
def test_a_tone_keeps_its_level_and_its_time(hz: int) -> None:
    out = resample(tone(hz, 22050, 0.5), 22050, 8000)
    wanted = tone(hz, 8000, 0.5)
    assert out.shape == wanted.shape
    middle = slice(400, -400)
    assert np.max(np.abs(out[middle].astype(int) - wanted[middle])) < 60


def test_what_the_target_cannot_carry_is_removed() -> None:
    out = resample(tone(6000, 22050, 0.5), 22050, 8000)
    assert np.max(np.abs(out[400:-400])) < 20


def test_the_same_rate_is_the_same_audio() -> None:
    samples = tone(500, 8000, 0.1)
    assert resample(samples, 8000, 8000) is samples
    assert resample(samples[:0], 22050, 8000).size == 0


def test_doubling_in_pieces_equals_doubling_at_once() -> None:
    samples = tone(1234, 8000, 0.4)
    whole = DoubleRate().convert(samples)
    pieces = DoubleRate()
    joined = np.concatenate([pieces.convert(samples[i : i + 160]) for i in range(0, samples.size, 160)])
    assert joined.size == 2 * samples.size
    assert np.max(np.abs(joined.astype(int) - whole)) <= 1


def test_doubling_leaves_no_image_above_four_kilohertz() -> None:
    out = DoubleRate().convert(tone(1000, 8000, 0.5)).astype(float)[1000:]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(out.size)))
    hz = np.fft.rfftfreq(out.size, 1 / 16000)
    assert spectrum[hz > 4500].max() < spectrum.max() / 1000


def test_reset_forgets_the_line() -> None:
    double = DoubleRate()
    double.convert(tone(1000, 8000, 0.02))
    double.reset()
    assert not double.convert(np.zeros(160, np.int16)).any()
