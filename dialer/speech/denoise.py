"""Steady noise taken out of one utterance before it is recognised.

Audio whose noise is fainter than -60 dBFS passes as it is. Else a Wiener filter works on overlapping
windows of 32 ms, its gains from the decision-directed estimate of the signal to noise ratio (Ephraim and
Malah 1984; Scalart and Filho 1996). The noise is learnt once, from the quietest parts of the utterance's
beginning, whose pre-roll holds no speech. The gain never falls under a quarter: a recogniser takes faint
noise better than the holes that a thorough filter leaves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dialer.audio import Pcm

_SIZE = 256
_HOP = _SIZE // 2
_WINDOW = np.sqrt(np.hanning(_SIZE + 1)[:_SIZE])  # used twice, so that the overlapped parts sum to one
_LEAST_GAIN = 0.25
_FAINT = (32768.0 * 10 ** (-60 / 20)) ** 2 * _SIZE * _SIZE / 4  # -60 dBFS: such noise does no harm
_OVER = 1.5  # how much of the noise's mean power is subtracted
_MEMORY = 0.8  # of the last window's estimate
_QUIET_SHARE = 3  # one window in so many counts as quiet
_SMOOTH = np.ones(5) / 5  # over neighbouring lines: few windows give a rough spectrum


class Denoiser:
    """One utterance: ``learn`` from its beginning, then ``process`` all of it, the beginning included.

    Some 40 us for each 16 ms; the delay is 16 ms.
    """

    def __init__(self) -> None:
        self._least_gain = 1.0
        self._noise: NDArray[np.float64] = np.full(_HOP + 1, 1e-3)
        self._estimate: NDArray[np.float64] = np.zeros(_HOP + 1)
        self._waiting: NDArray[np.float64] = np.zeros(_HOP)
        self._overlap: NDArray[np.float64] = np.zeros(_HOP)

    def learn(self, samples: Pcm) -> None:
        """Take the quietest third of ``samples`` (int16, shape (n,), 8 kHz) for the noise."""
        if samples.size < _SIZE:
            return
        windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), _SIZE)[::_HOP]
        power = np.abs(np.fft.rfft(windows * _WINDOW)) ** 2
        order = np.argsort(power.sum(axis=1))
        quiet = power[order[: max(1, len(order) // _QUIET_SHARE)]].mean(axis=0)
        if quiet.sum() < _FAINT:
            return
        self._least_gain = _LEAST_GAIN
        edges = len(_SMOOTH) // 2
        around = np.lib.stride_tricks.sliding_window_view(np.pad(quiet, edges, mode="edge"), len(_SMOOTH))
        self._noise = np.asarray(around @ _SMOOTH, dtype=np.float64) + 1e-3

    def process(self, samples: Pcm) -> NDArray[np.float64]:
        """The samples so far less their noise: float64, whole windows only, 16 ms behind what went in."""
        joined = np.concatenate((self._waiting, samples.astype(np.float64)))
        count = max(0, (joined.size - _SIZE) // _HOP + 1)
        self._waiting = joined[count * _HOP :]
        out = np.empty(count * _HOP)
        for at in range(0, count * _HOP, _HOP):
            spectrum = np.fft.rfft(joined[at : at + _SIZE] * _WINDOW)
            ratio = (spectrum.real**2 + spectrum.imag**2) / self._noise
            estimate = _MEMORY * self._estimate + (1 - _MEMORY) * np.maximum(ratio - _OVER, 0.0)
            gain = np.maximum(estimate / (1 + estimate), self._least_gain)
            self._estimate = gain * gain * ratio
            cleaned = np.fft.irfft(spectrum * gain) * _WINDOW
            out[at : at + _HOP] = self._overlap + cleaned[:_HOP]
            self._overlap = cleaned[_HOP:]
        return out
