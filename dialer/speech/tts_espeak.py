"""eSpeak NG as a synthesizer, through ``espeakng-loader`` and ctypes.

The library keeps global state: one synthesis a process at a time. It runs in one thread of its own and
releases the GIL meanwhile (RTF about 0.001, so a queue of prompts is short). eSpeak NG is GPL-3.0.

Source: espeak-ng ``speak_lib.h`` (the names of the constants are its own).
"""

from __future__ import annotations

import asyncio
import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np

from dialer.audio import RATE, Pcm
from dialer.errors import SpeechError
from dialer.speech.base import Voice
from dialer.speech.level import finish_prompt
from dialer.speech.resample import resample

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_EE_OK = 0
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT

# This variant writes outside its memory with the tone languages and ends the process.
_FORBIDDEN_VARIANTS = frozenset({"rob"})

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _VoiceStruct(ctypes.Structure):
    """The first fields of ``espeak_VOICE``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
    )


class _Engine:
    """The library of this process; every method runs in the engine's thread."""

    def __init__(self) -> None:
        try:
            self._lib: Any = ctypes.CDLL(espeakng_loader.get_library_path())
            data = Path(espeakng_loader.get_data_path())
        except (OSError, RuntimeError) as error:
            raise SpeechError(f"eSpeak NG cannot be loaded: {error}") from error
        self.rate: int = self._lib.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, bytes(data), _DONT_EXIT)
        if self.rate <= 0:
            raise SpeechError("eSpeak NG cannot be initialised: its data folder is missing or damaged")
        # The library itself takes a variant that does not exist for none.
        self._variants = frozenset(file.name for file in (data / "voices" / "!v").iterdir())
        self._pieces: list[bytes] = []
        # Kept as an attribute: the library holds only the bare pointer.
        self._callback = _Callback(self._take)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceStruct))

    def _take(self, wav: Any, count: int, _events: Any) -> int:
        if wav and count > 0:
            self._pieces.append(ctypes.string_at(wav, 2 * count))
        return 0

    @cached_property
    def voices(self) -> dict[str, str]:
        """What ``Voice.name`` may be (``en-us``, ``cmn``, ``yue``, ...) and the voice file of each."""
        found: dict[str, str] = {}
        table = self._lib.espeak_ListVoices(None)
        at = 0
        while table[at]:
            voice = table[at].contents
            identifier = voice.identifier.decode()
            if "!v" not in identifier:
                found.setdefault(identifier.rpartition("/")[2].lower(), identifier)
                # ``languages``: a priority byte and a terminated name; further ones follow, a zero ends it.
                if voice.languages:
                    found[ctypes.string_at(voice.languages + 1).decode().lower()] = identifier
            at += 1
        return found

    def sounds(self, word: str, voice: Voice) -> tuple[str, ...]:
        self._use(voice)
        text = ctypes.create_string_buffer(word.encode())
        at = ctypes.c_void_p(ctypes.addressof(text))
        between = ord("_") << 8  # put between the sounds, eSpeak's own mnemonics
        found: bytes = self._lib.espeak_TextToPhonemes(ctypes.byref(at), _CHARS_UTF8, between) or b""
        return tuple(sound for sound in found.decode().strip().split("_") if sound)

    def _use(self, voice: Voice) -> None:
        base, _, variant = voice.name.partition("+")
        identifier = self.voices.get(base.lower())
        if identifier is None:
            names = sorted(self.voices)
            choices = ", ".join([name for name in names if name[:2] == base[:2].lower()] or names)
            raise SpeechError(f"eSpeak NG has no voice {voice.name!r}; it has {choices}")
        if variant in _FORBIDDEN_VARIANTS:
            raise SpeechError(f"the eSpeak NG variant {variant!r} ends its process with some languages")
        if variant and variant not in self._variants:
            raise SpeechError(f"eSpeak NG has no variant {variant!r}; it has f1 to f5, m1 to m8 and others")
        full_name = f"{identifier}+{variant}" if variant else identifier
        if self._lib.espeak_SetVoiceByName(full_name.encode()) != _EE_OK:
            raise SpeechError(f"eSpeak NG cannot load the voice {voice.name!r}")

    def render(self, text: str, voice: Voice) -> Pcm:
        self._use(voice)
        self._lib.espeak_SetParameter(_RATE, voice.rate_wpm, 0)
        self._lib.espeak_SetParameter(_VOLUME, voice.volume, 0)
        self._lib.espeak_SetParameter(_PITCH, voice.pitch, 0)
        data = text.encode() + b"\0"
        self._pieces.clear()
        status = self._lib.espeak_Synth(
            data, ctypes.c_size_t(len(data)), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if status != _EE_OK:
            raise SpeechError(f"eSpeak NG failed with status {status}")
        audio = np.frombuffer(b"".join(self._pieces), dtype=np.int16)
        self._pieces.clear()
        return audio


# One library a process, so one thread a process, whoever makes a synthesizer.
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak")
_engine: _Engine | None = None


def _get_engine() -> _Engine:
    global _engine  # noqa: PLW0603 - the library itself is global to the process
    if _engine is None:
        _engine = _Engine()
    return _engine


def _synthesize(text: str, voice: Voice) -> bytes:
    engine = _get_engine()
    audio = resample(engine.render(text, voice), engine.rate, RATE)
    return finish_prompt(audio)


def sounds_of(word: str, voice: Voice) -> tuple[str, ...]:
    """How ``voice`` would speak ``word``: eSpeak NG's mnemonics, one a sound, with stress marks.

    Blocks, for less than a millisecond after the first time.

    Raises:
        SpeechError: the voice is unknown, or the engine failed.
    """
    return _thread.submit(lambda: _get_engine().sounds(word, voice)).result()


class EspeakSynthesizer:
    """eSpeak NG; any number of these share the process's one engine thread."""

    async def voices(self) -> tuple[str, ...]:
        """The names that ``Voice.name`` may have (with ``+variant`` appended where wished)."""
        return await asyncio.get_running_loop().run_in_executor(
            _thread, lambda: tuple(sorted(_get_engine().voices))
        )

    async def check(self, voice: Voice) -> None:
        """Raise ``SpeechError`` where ``voice`` cannot speak."""
        await self.synthesize("1", voice)

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        """Render ``text``: int16 mono at 8 kHz, trimmed, whole frames; empty for a text without sound.

        Raises:
            SpeechError: the voice is unknown (the message names the choices) or the engine failed.
        """
        if voice.engine != "espeak":
            raise SpeechError(f"the voice {voice.name!r} is of the engine {voice.engine!r}, not espeak")
        if not text.strip():
            return b""
        return await asyncio.get_running_loop().run_in_executor(_thread, _synthesize, text, voice)
