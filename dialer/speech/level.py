"""Loudness of rendered speech: one level for every prompt, whatever engine made it."""

from __future__ import annotations

import numpy as np

from dialer.audio import FRAME_SAMPLES, Pcm, pad_to_frames, trim_leading_silence, trim_trailing_silence

SPEECH_DBFS = -19.0
"""The level of the voiced parts (ITU-T P.56 speaks of active level; telephone prompts lie near -20 dBm0)."""

_KNEE = 0.5  # of full scale: peaks above are bent, not clipped


def active_level_dbfs(samples: Pcm) -> float:
    """Level of the frames within 25 dB of the loudest one, in dB under full scale; -96 for silence."""
    count = samples.size // FRAME_SAMPLES
    if count == 0:
        return -96.0
    frames = samples[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES).astype(np.float64)
    power = np.mean(frames * frames, axis=1)
    loudest = float(power.max())
    if loudest < 1.0:
        return -96.0
    active = power[power > loudest * 10**-2.5]
    return 10.0 * float(np.log10(active.mean() / 32768.0**2))


def normalise(samples: Pcm, target_dbfs: float = SPEECH_DBFS) -> Pcm:
    """``samples`` (int16, shape (n,)) at the wanted active level, peaks kept under -0.5 dBFS."""
    level = active_level_dbfs(samples)
    if level <= -90.0:
        return samples
    scaled = samples.astype(np.float64) / 32768.0 * 10 ** ((target_dbfs - level) / 20)
    size = np.abs(scaled)
    room = 0.944 - _KNEE
    bent = _KNEE + room * np.tanh((size - _KNEE) / room)
    limited = np.where(size > _KNEE, np.sign(scaled) * bent, scaled)
    return np.asarray(np.rint(limited * 32767.0), dtype=np.int16)


def finish_prompt(audio: Pcm) -> bytes:
    """Rendered speech (int16 at 8 kHz) as a prompt: one level, trimmed, whole frames."""
    pcm = normalise(audio).tobytes()
    return pad_to_frames(trim_trailing_silence(trim_leading_silence(pcm)))
