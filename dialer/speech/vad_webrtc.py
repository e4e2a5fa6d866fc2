"""Voice activity by WebRTC's detector (``webrtcvad-wheels``) behind a gate on the level."""

from __future__ import annotations

import numpy as np
import webrtcvad

from dialer.audio import FRAME_BYTES, FRAME_SAMPLES, RATE
from dialer.errors import SpeechError


def _energy(dbfs: float) -> float:
    """Sum of squares of one frame whose root mean square lies at ``dbfs``."""
    return float(FRAME_SAMPLES * (32768.0 * 10 ** (dbfs / 20)) ** 2)


_QUIETEST = _energy(-55.0)  # comfort noise and codec idle noise lie below
_LOWEST_FLOOR = _energy(-75.0)
_ABOVE_FLOOR = 10**0.8  # 8 dB
_RISE = 10 ** (2.0 / 50)  # 20 dB a second, while the detector hears no speech
_FALL = 0.2
_WINDOW = 64  # frames, 1.28 s: speech has a stop or a pause in any such stretch, a hum has not


class WebRtcVad:
    """The voice activity of one line.

    WebRTC's detector takes hum and loud noise for speech; so a frame counts only when it is also well
    above the line's noise floor. The floor falls at once, rises slowly where no speech is heard, and
    never stays below the quietest frame of the last 1.28 s. About 5 us a frame.

    Args:
        mode: 0 (takes much for speech) to 3 (takes little).
    """

    def __init__(self, mode: int = 2) -> None:
        if not 0 <= mode <= 3:
            raise SpeechError(f"the mode of the voice activity detection is 0 to 3, not {mode}")
        self._vad = webrtcvad.Vad(mode)
        self._floor = _energy(-50.0)
        self._quietest = float("inf")
        self._left = _WINDOW

    def is_speech(self, pcm: bytes | memoryview) -> bool:
        """Whether this frame (20 ms of int16 mono at 8 kHz, 320 bytes) holds speech."""
        if len(pcm) != FRAME_BYTES:
            raise SpeechError(f"a frame has {FRAME_BYTES} bytes, not {len(pcm)}")
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        energy = float(samples.dot(samples))
        voiced = energy > _QUIETEST and bool(self._vad.is_speech(bytes(pcm), RATE))
        if energy < self._floor:
            self._floor = max(_LOWEST_FLOOR, self._floor + _FALL * (energy - self._floor))
        elif not voiced:
            self._floor = min(self._floor * _RISE, energy)
        self._quietest = min(self._quietest, energy)
        self._left -= 1
        if self._left == 0:
            self._floor = max(self._floor, self._quietest)
            self._quietest = float("inf")
            self._left = _WINDOW
        return voiced and energy > self._floor * _ABOVE_FLOOR
