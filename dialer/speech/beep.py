"""The beep after which a message can be left.

A beep is one tone: nearly all energy of the frame lies in one spectral line between 350 and 2,000 Hz,
and that line keeps its frequency and its level for 160 ms. Speech and music do not: their harmonics share
the energy, and both glide.
"""

from __future__ import annotations

from math import log10

import numpy as np

from dialer.audio import FRAME_MS, FRAME_SAMPLES, RATE

_WINDOW = np.hanning(FRAME_SAMPLES).astype(np.float32)
_SIZE = 256  # of the transform: lines 31 Hz apart, the frame's own resolution is about 100 Hz
_LINE_HZ = RATE / _SIZE
_LOWEST, _HIGHEST = round(350 / _LINE_HZ), round(2000 / _LINE_HZ)
_SIDE = 3  # lines on each side that belong to the tone's main lobe (Hann over 160 samples)
_PURITY = 0.93  # share of the energy in the main lobe
_LEAST_ENERGY = FRAME_SAMPLES * (32768.0 * 10 ** (-42 / 20)) ** 2  # of the plain frame: -42 dBFS
_SAME_HZ = 15.0
_SAME_DB = 2.5
_LONGEST_MS = 3000  # a longer tone is no beep but a line out of order; it counts as one


class BeepDetector:
    """Watches one line; some 20 us a frame.

    Args:
        least_ms: a shorter tone is no beep.
    """

    def __init__(self, least_ms: int = 160) -> None:
        self._least_frames = -(-least_ms // FRAME_MS)
        self._frames = 0
        self._hz = 0.0
        self._db = 0.0

    def frame(self, pcm: bytes | memoryview) -> bool:
        """One frame of the callee (20 ms of int16 mono at 8 kHz).

        Returns:
            True once for each beep, with the first frame after its end: now it can be spoken.
        """
        tone = _tone_of(pcm)
        if tone is not None and self._frames and self._is_same(*tone):
            self._frames += 1
            return self._frames == _LONGEST_MS // FRAME_MS
        # A frame that the tone fills only in part belongs to neither count.
        was_beep = self._least_frames <= self._frames < _LONGEST_MS // FRAME_MS
        self._frames = 0
        if tone is not None:
            self._hz, self._db = tone
            self._frames = 1
        return was_beep

    def _is_same(self, hz: float, db: float) -> bool:
        return abs(hz - self._hz) <= _SAME_HZ and abs(db - self._db) <= _SAME_DB


def _tone_of(pcm: bytes | memoryview) -> tuple[float, float] | None:
    """Frequency in Hz and level in dB of the frame's one tone, or None where it is not one tone."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
    if float(samples.dot(samples)) < _LEAST_ENERGY:
        return None
    spectrum = np.fft.rfft(samples * _WINDOW, _SIZE)
    power = spectrum.real**2 + spectrum.imag**2
    top = int(power[_LOWEST : _HIGHEST + 1].argmax()) + _LOWEST
    lobe = float(power[top - _SIDE : top + _SIDE + 1].sum())
    if lobe < _PURITY * float(power.sum()):
        return None
    # The vertex of the parabola through the logarithms of the three highest lines.
    left, middle, right = (log10(float(power[top + step]) + 1e-9) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    offset = 0.5 * (left - right) / bend if bend else 0.0
    return (top + offset) * _LINE_HZ, 10 * log10(lobe)
