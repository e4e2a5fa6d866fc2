"""Flite as a synthesizer: the ``flite`` program (Debian package ``flite``), for simulated callees.

Its voices are the clearest English that needs no download; it is slower than eSpeak NG (RTF 0.012) and
runs as a process for each text, so it is meant for audio rendered before a run, not for live prompts.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import wave
from pathlib import Path

import numpy as np

from dialer.audio import RATE, Pcm
from dialer.errors import SpeechError
from dialer.speech.base import Voice
from dialer.speech.level import finish_prompt
from dialer.speech.resample import resample

VOICES = ("slt", "rms", "kal", "awb", "kal16")
_NORMAL_WPM = 165  # what a duration stretch of 1 stands for


class FliteSynthesizer:
    """The ``flite`` program; at most ``processes`` of it at a time.

    Args:
        processes: how many texts are rendered at once.
        timeout_s: a rendering that takes longer is ended and is an error.
    """

    def __init__(self, processes: int = 1, timeout_s: float = 30.0) -> None:
        self._slots = asyncio.Semaphore(processes)
        self._timeout_s = timeout_s

    @staticmethod
    def available() -> bool:
        """Whether the program is installed."""
        return shutil.which("flite") is not None

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        """Render ``text`` with one of ``VOICES``: int16 mono at 8 kHz, trimmed, whole frames.

        Pitch and volume of ``voice`` are not used: the program has neither.

        Raises:
            SpeechError: not installed, the voice is unknown, or the program failed.
        """
        if voice.engine != "flite":
            raise SpeechError(f"the voice {voice.name!r} is of the engine {voice.engine!r}, not flite")
        if voice.name not in VOICES:
            raise SpeechError(f"flite has no voice {voice.name!r}; it has {', '.join(VOICES)}")
        if not text.strip():
            return b""
        async with self._slots:
            audio, rate = await self._render(text, voice)
        return await asyncio.get_running_loop().run_in_executor(
            None, lambda: finish_prompt(resample(audio, rate, RATE))
        )

    async def _render(self, text: str, voice: Voice) -> tuple[Pcm, int]:
        handle, name = tempfile.mkstemp(suffix=".wav", prefix="flite-")
        os.close(handle)
        path = Path(name)
        stretch = _NORMAL_WPM / max(60, voice.rate_wpm)
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    "flite", "-voice", voice.name, "--setf", f"duration_stretch={stretch:.3f}",
                    "-t", text, "-o", name,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
            except FileNotFoundError as error:
                raise SpeechError("flite is not installed (Debian package flite)") from error
            try:
                async with asyncio.timeout(self._timeout_s):
                    _, errors = await process.communicate()
            except BaseException as error:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                if isinstance(error, TimeoutError):
                    raise SpeechError(f"flite took longer than {self._timeout_s:g} s") from error
                raise
            if process.returncode != 0:
                raise SpeechError(f"flite failed: {errors.decode(errors='replace').strip()[:200]}")
            return _read(path)
        finally:
            path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[Pcm, int]:
    try:
        with wave.open(str(path), "rb") as file:
            return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2"), file.getframerate()
    except (EOFError, wave.Error) as error:
        raise SpeechError(f"flite wrote no audio: {error}") from error
