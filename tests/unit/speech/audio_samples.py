"""Audio that several tests use, made by rule."""

from __future__ import annotations

import numpy as np

from dialer.audio import FRAME_BYTES, RATE, Pcm


def tone(hz: float, ms: int, level_dbfs: float = -20.0) -> Pcm:
    at = np.arange(RATE * ms // 1000) / RATE
    peak = 32768 * 10 ** (level_dbfs / 20) * np.sqrt(2)
    return np.asarray(peak * np.sin(2 * np.pi * hz * at), dtype=np.int16)


def noise(ms: int, level_dbfs: float, seed: int = 1) -> Pcm:
    size = RATE * ms // 1000
    samples = np.random.default_rng(seed).normal(0, 32768 * 10 ** (level_dbfs / 20), size)
    return np.asarray(np.clip(samples, -32768, 32767), dtype=np.int16)


def silence(ms: int) -> Pcm:
    return np.zeros(RATE * ms // 1000, dtype=np.int16)


def frames(pcm: Pcm | bytes) -> list[bytes]:
    data = pcm if isinstance(pcm, bytes) else pcm.tobytes()
    return [data[i : i + FRAME_BYTES] for i in range(0, len(data) - FRAME_BYTES + 1, FRAME_BYTES)]
