"""Sample-rate conversion by polyphase FIR filters in numpy.

Written here because the live path needs a filter with a small, constant delay (soxr's streaming
resampler releases its output in bursts of up to 115 ms), and because importing ``scipy.signal`` would
cost every speech worker some 40 MB.

Source: F. J. Harris, "Multirate Signal Processing for Communication Systems", ch. 7 (polyphase
interpolators); J. F. Kaiser's window with beta 8 (about 80 dB of stop band).
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

_BETA = 8.0


def _low_pass(taps: int, cutoff: float) -> NDArray[np.float64]:
    """A windowed sinc; ``cutoff`` as a fraction of the sampling rate, unit gain at 0 Hz."""
    at = np.arange(taps) - (taps - 1) / 2
    kernel = 2 * cutoff * np.sinc(2 * cutoff * at) * np.kaiser(taps, _BETA)
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


class DoubleRate:
    """Streaming 8 kHz to 16 kHz for one line; keeps the filter's history between calls.

    The delay is constant: 24 samples at 16 kHz, 1.5 ms.
    """

    _TAPS = 48

    def __init__(self) -> None:
        # The two phases of the interpolator, each with unit gain, reversed for np.convolve's order.
        kernel = 2 * _low_pass(self._TAPS, 0.235)
        self._even = kernel[0::2].astype(np.float32)
        self._odd = kernel[1::2].astype(np.float32)
        self._history = np.zeros(self._TAPS // 2 - 1, dtype=np.float32)

    def reset(self) -> None:
        """Forget the history: the next sample starts another utterance."""
        self._history[:] = 0.0

    def convert(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """``samples`` (int16, shape (n,), 8 kHz) as int16, shape (2 n,), 16 kHz."""
        joined = np.concatenate((self._history, samples.astype(np.float32)))
        self._history = joined[joined.size - self._history.size :]
        out = np.empty(2 * samples.size, dtype=np.float32)
        out[0::2] = np.convolve(joined, self._even, "valid")
        out[1::2] = np.convolve(joined, self._odd, "valid")
        np.clip(out, -32768.0, 32767.0, out=out)
        return out.astype(np.int16)


@lru_cache(maxsize=8)
def _phases(up: int, down: int) -> NDArray[np.float32]:
    """The interpolator's filters, float32, shape (up, taps): one row for each fractional position."""
    # 32 zero crossings at the narrower of the two rates, pass band up to 90 % of its half.
    widest = max(1.0, down / up)
    taps = 2 * int(np.ceil(16 * widest))
    cutoff = 0.45 / (up * widest)
    kernel = up * _low_pass(taps * up, cutoff)
    return np.ascontiguousarray(kernel.reshape(taps, up).T[:, ::-1]).astype(np.float32)


def resample(samples: NDArray[np.int16], source_rate: int, target_rate: int) -> NDArray[np.int16]:
    """A whole recording at another rate, aligned in time with the original.

    Args:
        samples: int16 mono, shape (n,).
        source_rate: its rate in Hz.
        target_rate: the wanted rate in Hz.

    Returns:
        int16 mono, shape (ceil(n * target_rate / source_rate),).
    """
    if source_rate == target_rate or samples.size == 0:
        return samples
    shared = gcd(source_rate, target_rate)
    up, down = target_rate // shared, source_rate // shared
    phases = _phases(up, down)
    taps = phases.shape[1]
    length = -(-samples.size * up // down)
    # Position of every output sample on the grid of ``up`` times the source's rate; the constant moves it
    # by half the filter so that nothing is delayed.
    at = np.arange(length, dtype=np.int64) * down + (taps * up - 1) // 2
    newest, phase = at // up, at % up
    padded = np.concatenate(
        (np.zeros(taps, np.float32), samples.astype(np.float32), np.zeros(taps + 1, np.float32))
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps)
    out = np.empty(length, dtype=np.float32)
    for start in range(0, length, 8192):  # bounds the memory of the gathered windows
        part = slice(start, start + 8192)
        out[part] = np.einsum("ij,ij->i", windows[newest[part] + 1], phases[phase[part]])
    return np.clip(np.rint(out), -32768, 32767).astype(np.int16)
