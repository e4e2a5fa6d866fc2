"""pocketsphinx as a recogniser of telephone English, for use inside a speech worker.

One ``SphinxEngine`` a process. A decoder holds one open utterance; decoders are pooled and shared by all
calls. With a dictionary of only the campaign's words a decoder costs 3 MB and 15 ms. Contexts with much
the same sentences share one language model (``lm``); a model of 4,500 sentences costs a decoder 10 MB and
0.1 s to load, so each decoder keeps a few, and an utterance goes to an idle decoder that has its model.

What made the difference (figures in docs/speech.md):

- the cepstral mean is set to that of telephone speech: with the library's own, 72 % of the words of a
  call's first utterance are wrong, against 12 %;
- the level is brought to one figure first, since the mean holds for one level only;
- no flat second pass (``fwdflat``, 20-40 ms at the end), only ``bestpath`` (2-4 ms): the final text is nearly
  always that of the last partial; what it loses in accuracy the units of ``lm`` bring back;
- steady noise is filtered out (``denoise``), learnt from the pre-roll of each utterance;
- the fillers ([NOISE], [SPEECH]) are made unlikely: in noise they swallowed short words.
"""

from __future__ import annotations

import re
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, islice, product
from pathlib import Path

import numpy as np
import pocketsphinx

from dialer.audio import RATE, Pcm, to_array
from dialer.errors import SpeechError
from dialer.speech.arpabet import arpabet
from dialer.speech.base import LanguageContext, Voice
from dialer.speech.denoise import Denoiser
from dialer.speech.level import active_level_dbfs
from dialer.speech.lm import arpa, share_models, unit_of, weighted_sentences, with_units
from dialer.speech.resample import DoubleRate
from dialer.speech.tts_espeak import sounds_of

LANGUAGES = ("en",)

_MEAN = "48.97,31.53,-32.49,51.39,-24.77,9.21,10.07,-17.01,17.86,-9.83,10.44,3.80,1.56"
"""Cepstral mean of speech (without its pauses) at ``_LEVEL_DBFS`` through G.711, doubled to 16 kHz, half of
it in noise of -45 and -40 dBFS."""

_LEVEL_DBFS = -21.0
_MOST_GAIN_DB = 15.0
_HOLD_BYTES = 2 * RATE * 640 // 1000  # a pre-roll and some 300 ms of speech: enough to judge the level

_SETTINGS: Mapping[str, object] = {
    "lm": None,
    "loglevel": "FATAL",
    "samprate": 2 * RATE,
    "fwdflat": False,
    "bestpath": False,
    "lw": 8.0,
    "fillprob": 1e-20,
}
_VARIANT = re.compile(r"\(\d+\)$")
_MODELS_KEPT = 4  # of one decoder
_READER = Voice(name="en-us")  # of words that are in no dictionary
_UNIT_VARIANTS = 2  # pronunciations of a unit


class SphinxUtterance:
    """One utterance in a decoder. Not thread-safe; all calls hold the GIL.

    The first 0.64 s are held back to learn the level and the noise, then decoded in some 30 ms.
    """

    def __init__(self, engine: SphinxEngine, decoder: _PooledDecoder) -> None:
        self._engine = engine
        self._decoder = decoder
        self._double = DoubleRate()
        self._held = bytearray()
        self._denoiser = Denoiser()
        self._gain: float | None = None
        self._samples = 0
        decoder.sphinx.set_cmn(_MEAN)
        decoder.sphinx.start_utt()

    @property
    def audio_ms(self) -> int:
        """How much audio has been taken."""
        return self._samples * 1000 // RATE

    def feed(self, pcm: bytes) -> None:
        """Decode some more: int16 mono at 8 kHz."""
        self._samples += len(pcm) // 2
        if self._gain is None:
            self._held += pcm
            if len(self._held) >= _HOLD_BYTES:
                self._release_held()
        else:
            self._decode(to_array(pcm), self._gain)

    def _release_held(self) -> None:
        samples = to_array(bytes(self._held))
        self._held.clear()
        self._denoiser.learn(samples)
        level = active_level_dbfs(samples)
        wanted_db = max(-_MOST_GAIN_DB, min(_MOST_GAIN_DB, _LEVEL_DBFS - level)) if level > -90 else 0.0
        self._gain = 10 ** (wanted_db / 20)
        self._decode(samples, self._gain)

    def _decode(self, samples: Pcm, gain: float) -> None:
        cleaned = self._denoiser.process(samples)
        louder = np.clip(cleaned * gain, -32768, 32767).astype(np.int16)
        if not louder.size:
            return
        self._decoder.sphinx.process_raw(self._double.convert(louder).tobytes(), False, False)

    def text(self) -> str:
        """The words so far."""
        best = self._decoder.sphinx.hyp()
        return _plain(best.hypstr) if best is not None else ""

    def finish(self) -> str:
        """End the utterance: the final words."""
        if self._held:
            self._release_held()
        self._decoder.sphinx.end_utt()
        text = self.text()
        self._engine.release(self._decoder)
        return text

    def cancel(self) -> None:
        """End the utterance without a result."""
        self._decoder.sphinx.end_utt()
        self._engine.release(self._decoder)


def _plain(words: str) -> str:
    kept = (_VARIANT.sub("", word) for word in words.split() if word[0] not in "<[+")
    return " ".join(kept).replace("_", " ")


class _PooledDecoder:
    """A decoder, the age of its dictionary, and the models loaded into it, least recently used first."""

    def __init__(self, sphinx: pocketsphinx.Decoder, generation: int) -> None:
        self.sphinx = sphinx
        self.generation = generation
        self.loaded: OrderedDict[str, None] = OrderedDict()


class SphinxEngine:
    """The decoders of one process.

    Args:
        decoders: the most utterances that can be open at once.
    """

    def __init__(self, decoders: int = 16) -> None:
        self._most = decoders
        self._folder = tempfile.TemporaryDirectory(prefix="dialer-lm-")
        self._dictionary = Path(self._folder.name) / "words.dict"
        self._numbers = count()  # of models; never used again, since decoders may still hold an old one
        self._model_of: dict[str, str] = {}  # by the context's name
        self._sentences: dict[str, frozenset[tuple[str, ...]]] = {}  # by the model's name
        self._words: dict[str, tuple[str, ...]] = {}
        self._idle: list[_PooledDecoder] = []
        self._busy = 0
        self._generation = 0

    @property
    def busy(self) -> int:
        """How many utterances are open."""
        return self._busy

    def knows(self, context: str) -> bool:
        """Whether utterances can be begun in this context."""
        return context in self._model_of

    def close(self) -> None:
        """Remove the files of the models."""
        self._idle.clear()
        self._folder.cleanup()

    def add_contexts(self, contexts: Sequence[LanguageContext]) -> list[str]:
        """Make models of these contexts; one whose name is known is replaced.

        Returns:
            Remarks for the log: words that were left out because nobody knows how they are spoken.

        Raises:
            SpeechError: a language without a model, or a context without a sentence that can be heard.
        """
        for context in contexts:
            if context.language not in LANGUAGES:
                raise SpeechError(
                    f"pocketsphinx understands {', '.join(LANGUAGES)} only, not {context.language!r} "
                    f"(context {context.name})"
                )
        wanted = {c.name: weighted_sentences(c.sentences, c.weights) for c in contexts}
        missing = self._learn({w for found in wanted.values() for words in found for w in words})
        heard: dict[str, dict[tuple[str, ...], float]] = {}
        for name, found in wanted.items():
            heard[name] = {k: weight for k, weight in found.items() if not missing.intersection(k)}
            if not heard[name]:
                raise SpeechError(f"the context {name} has no sentence that can be recognised")
        for names, mixed in share_models(heard):
            model = f"m{next(self._numbers)}"
            self._sentences[model] = frozenset(mixed)
            self._model_of.update(dict.fromkeys(names, model))
            self._model_path(model).write_text(arpa(with_units(mixed)))
        for unused in self._sentences.keys() - set(self._model_of.values()):
            del self._sentences[unused]
            self._model_path(unused).unlink()
        self._write_dictionary()
        # Decoders with the older dictionary leave the pool when their utterance ends.
        self._generation += 1
        self._idle.clear()
        return [
            f"no pronunciation is known for {word!r}: its sentences are left out" for word in sorted(missing)
        ]

    def warm_up(self, decoders: int) -> None:
        """Have this many decoders ready, the models spread over them."""
        models = list(self._sentences)
        while len(self._idle) < min(decoders, self._most):
            decoder = self._make()
            first = len(self._idle) * _MODELS_KEPT
            for step in range(min(_MODELS_KEPT, len(models))):
                self._load(decoder, models[(first + step) % len(models)])
            self._idle.append(decoder)

    def begin(self, context: str) -> SphinxUtterance | None:
        """Open an utterance; None while all decoders are in use.

        Raises:
            SpeechError: no such context.
        """
        model = self._model_of.get(context)
        if model is None:
            raise SpeechError(f"no language model is known for {context!r}")
        if self._busy >= self._most:
            return None
        decoder = self._take(model)
        self._busy += 1
        self._load(decoder, model)
        decoder.sphinx.activate_search(model)
        return SphinxUtterance(self, decoder)

    def release(self, decoder: _PooledDecoder) -> None:
        """Take a decoder back (for ``SphinxUtterance``)."""
        self._busy -= 1
        if decoder.generation == self._generation:
            self._idle.append(decoder)

    def _take(self, model: str) -> _PooledDecoder:
        for at, decoder in enumerate(self._idle):
            if model in decoder.loaded:
                return self._idle.pop(at)
        return self._idle.pop() if self._idle else self._make()

    def _make(self) -> _PooledDecoder:
        try:
            sphinx = pocketsphinx.Decoder(dict=str(self._dictionary), **_SETTINGS)
        except RuntimeError as error:
            raise SpeechError(f"pocketsphinx cannot start: {error}") from error
        return _PooledDecoder(sphinx, self._generation)

    def _load(self, decoder: _PooledDecoder, model: str) -> None:
        if model not in decoder.loaded:
            while len(decoder.loaded) >= _MODELS_KEPT:
                oldest, _ = decoder.loaded.popitem(last=False)
                decoder.sphinx.remove_search(oldest)
            decoder.sphinx.add_lm_file(model, str(self._model_path(model)))
            decoder.loaded[model] = None
        decoder.loaded.move_to_end(model)

    def _model_path(self, model: str) -> Path:
        return Path(self._folder.name) / f"{model}.arpa"

    def _learn(self, words: Iterable[str]) -> set[str]:
        """Find how new words are spoken; returns those that nobody knows."""
        unknown = {word for word in words if word not in self._words}
        if unknown:
            self._words.update(read_dictionary(unknown))
            for word in sorted(unknown - self._words.keys()):
                # As a synthesizer would say it: right more often than not, and better than not at all.
                phones = arpabet(sounds_of(word, _READER))
                if phones is not None:
                    self._words[word] = (phones,)
        return unknown - self._words.keys()

    def _write_dictionary(self) -> None:
        spoken = dict(self._words)
        for sentences in self._sentences.values():
            for words in sentences:
                if len(words) > 1:
                    ways = product(*(self._words[word] for word in words))
                    spoken[unit_of(words)] = tuple(map(" ".join, islice(ways, _UNIT_VARIANTS)))
        with self._dictionary.open("w") as file:
            for word, variants in sorted(spoken.items()):
                for number, phones in enumerate(variants, start=1):
                    name = word if number == 1 else f"{word}({number})"
                    file.write(f"{name} {phones}\n")


def read_dictionary(words: set[str]) -> dict[str, tuple[str, ...]]:
    """The pronunciations (ARPAbet, spaced) that pocketsphinx's own dictionary has of ``words``."""
    found: dict[str, list[str]] = {}
    with Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).open() as file:
        for line in file:
            name, _, phones = line.strip().partition(" ")
            word = _VARIANT.sub("", name)
            if word in words:
                found.setdefault(word, []).append(phones)
    return {word: tuple(spoken) for word, spoken in found.items()}
