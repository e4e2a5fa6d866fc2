"""G.711 A-law and mu-law (ITU-T G.711) by tables: one octet a sample, 8 kHz, 160 octets a frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dialer.audio import VOICED_PEAK, Pcm, to_array

PCMU = 0
PCMA = 8
"""Static RTP payload types (RFC 3551 table 4)."""

ALAW_SILENCE = 0xD5
"""The octet of the smallest positive sample."""


def _alaw_values() -> Pcm:
    """What each A-law octet stands for: int16, shape (256,)."""
    octet = np.arange(256, dtype=np.int32) ^ 0x55
    segment, step = (octet >> 4) & 7, octet & 15
    magnitude = np.where(segment == 0, (step << 4) + 8, ((step << 4) + 0x108) << np.maximum(segment - 1, 0))
    return np.where(octet & 0x80, magnitude, -magnitude).astype(np.int16)


def _ulaw_values() -> Pcm:
    """What each mu-law octet stands for: int16, shape (256,)."""
    octet = ~np.arange(256, dtype=np.int32) & 0xFF
    segment, step = (octet >> 4) & 7, octet & 15
    magnitude = (((step << 3) + 0x84) << segment) - 0x84
    return np.where(octet & 0x80, -magnitude, magnitude).astype(np.int16)


def _nearest(values: Pcm) -> NDArray[np.uint8]:
    """The octet whose value is nearest to each 16-bit sample: shape (65536,), by ``sample & 0xFFFF``."""
    order = np.argsort(values, kind="stable")
    ranked = values[order].astype(np.int32)
    samples = np.arange(-32768, 32768, dtype=np.int32)
    above = np.clip(np.searchsorted(ranked, samples), 1, len(ranked) - 1)
    below = above - 1
    chosen = np.where(samples - ranked[below] <= ranked[above] - samples, below, above)
    table = np.empty(65536, dtype=np.uint8)
    table[samples & 0xFFFF] = order[chosen]
    return table


ALAW_VALUES = _alaw_values()
ULAW_VALUES = _ulaw_values()
_TO_ALAW = _nearest(ALAW_VALUES)
_TO_ULAW = _nearest(ULAW_VALUES)

ALAW_VOICED = bytes((np.abs(ALAW_VALUES.astype(np.int32)) > VOICED_PEAK).astype(np.uint8))
"""For ``bytes.translate``: 1 where an A-law octet is above -45 dBFS, else 0."""


def alaw_encode(pcm: bytes) -> bytes:
    """A-law octets of int16 little-endian PCM."""
    return _TO_ALAW[to_array(pcm).view(np.uint16)].tobytes()


def alaw_decode(octets: bytes) -> bytes:
    """int16 little-endian PCM of A-law octets."""
    return ALAW_VALUES[np.frombuffer(octets, dtype=np.uint8)].astype("<i2").tobytes()


def ulaw_encode(pcm: bytes) -> bytes:
    """mu-law octets of int16 little-endian PCM."""
    return _TO_ULAW[to_array(pcm).view(np.uint16)].tobytes()


def ulaw_decode(octets: bytes) -> bytes:
    """int16 little-endian PCM of mu-law octets."""
    return ULAW_VALUES[np.frombuffer(octets, dtype=np.uint8)].astype("<i2").tobytes()


def alaw_voiced(octets: bytes) -> bool:
    """Whether a frame of A-law is voiced (peak above -45 dBFS)."""
    return 1 in octets.translate(ALAW_VOICED)
