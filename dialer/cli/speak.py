"""Every prompt of a campaign as a WAV file, for people to hear before anybody is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dialer.audio import write_wav
from dialer.call import Contact
from dialer.campaign.folder import Campaign
from dialer.dialog import render
from dialer.speech.prompts import PromptCache
from dialer.speech.tts_espeak import EspeakSynthesizer

_WORDS_IN_NAME = 6


async def speak_prompts(campaign: Campaign, contacts: Sequence[Contact], folder: Path) -> list[Path]:
    """Write what each of ``contacts`` could hear.

    Args:
        campaign: whose prompts and voices.
        contacts: with the values to speak; texts that are the same for all are written once.
        folder: made where it is missing; also gets ``index.txt``, file name and words line by line.

    Returns:
        The WAV files, in the dialog's order.

    Raises:
        SpeechError: a voice cannot speak a text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cache = PromptCache(EspeakSynthesizer(), campaign.settings.voices)
    written: dict[tuple[str, str], Path] = {}
    for contact in contacts:
        for text in render.texts_before_dialling(campaign.dialog, contact):
            key = (contact.language, text)
            if key in written:
                continue
            pcm = await cache.fetch(text, contact.language)
            words = "-".join(re.findall(r"\w+", text.lower())[:_WORDS_IN_NAME])
            path = folder / f"{len(written) + 1:03}-{contact.language}-{words}.wav"
            write_wav(path, pcm)
            written[key] = path
    index = [f"{path.name}\t{text}" for (_, text), path in written.items()]
    (folder / "index.txt").write_text("\n".join(index) + "\n", encoding="utf-8")
    return list(written.values())
