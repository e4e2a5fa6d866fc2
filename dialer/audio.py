"""The audio of a telephone line as values: 16-bit mono at 8 kHz in frames of 20 ms.

Everything here is a pure function of its arguments.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dialer.errors import InputError, Mistake

RATE = 8000
FRAME_MS = 20
FRAME_SAMPLES = RATE * FRAME_MS // 1000
FRAME_BYTES = 2 * FRAME_SAMPLES
FRAMES_PER_S = 1000 // FRAME_MS
SILENT_FRAME = bytes(FRAME_BYTES)

VOICED_PEAK = round(32768 * 10 ** (-45 / 20))
"""A frame of ours is voiced when its peak is above this (-45 dBFS)."""

Pcm = NDArray[np.int16]


def to_array(pcm: bytes | bytearray | memoryview) -> Pcm:
    """The samples of little-endian 16-bit PCM, without a copy: int16, shape (n,)."""
    return np.frombuffer(pcm, dtype="<i2")


def peak(pcm: bytes | memoryview) -> int:
    """The largest absolute sample, 0 for nothing."""
    samples = to_array(pcm)
    if samples.size == 0:
        return 0
    return max(int(samples.max()), -int(samples.min()))


def level_dbfs(pcm: bytes | memoryview) -> float:
    """Root mean square level in dB under full scale; -96 for digital silence."""
    samples = to_array(pcm).astype(np.float64)
    if samples.size == 0:
        return -96.0
    rms = float(np.sqrt(np.mean(samples * samples)))
    return max(-96.0, 20.0 * float(np.log10(max(rms, 1e-9) / 32768.0)))


def pad_to_frames(pcm: bytes) -> bytes:
    """``pcm`` with silence added up to a whole number of frames."""
    rest = len(pcm) % FRAME_BYTES
    return pcm if rest == 0 else pcm + bytes(FRAME_BYTES - rest)


def trim_leading_silence(pcm: bytes, keep_ms: int = 0) -> bytes:
    """``pcm`` from its first voiced sample on (less ``keep_ms``), so that the first frame is heard."""
    loud = np.flatnonzero(np.abs(to_array(pcm).astype(np.int32)) > VOICED_PEAK)
    if loud.size == 0:
        return b""
    start = max(0, int(loud[0]) - keep_ms * RATE // 1000)
    return pcm[2 * start :]


def trim_trailing_silence(pcm: bytes, keep_ms: int = 60) -> bytes:
    """``pcm`` up to its last voiced sample and ``keep_ms`` more."""
    loud = np.flatnonzero(np.abs(to_array(pcm).astype(np.int32)) > VOICED_PEAK)
    if loud.size == 0:
        return b""
    return pcm[: 2 * (int(loud[-1]) + 1 + keep_ms * RATE // 1000)]


def read_wav(path: Path) -> Pcm:
    """The samples of a mono 16-bit 8 kHz WAV file.

    Raises:
        InputError: the file is missing, no WAV, or of another format; names the mend.
    """
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise InputError(
            Mistake(path, None, "", f"cannot be read as WAV ({error})", "Name a WAV file.")
        ) from error
    if shape != (1, 2, RATE):
        raise InputError(
            Mistake(
                path,
                None,
                "",
                f"has {shape[0]} channel(s), {8 * shape[1]} bits, {shape[2]} Hz",
                f"Convert it: sox IN.wav -r {RATE} -c 1 -b 16 OUT.wav",
            )
        )
    return to_array(data)


def write_wav(path: Path, pcm: bytes, channels: int = 1) -> None:
    """Write 16-bit 8 kHz PCM (interleaved where there are two channels) as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
