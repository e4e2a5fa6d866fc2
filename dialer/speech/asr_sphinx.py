"""pocketsphinx as a recogniser of telephone English, for use inside a speech worker.

One ``SphinxEngine`` a process. A decoder holds one open utterance; decoders are pooled and shared by all
calls. With a dictionary of only the campaign's words a decoder costs some 3 MB and 13 ms, so the pool grows
on demand. Each context is a trigram model of its own (``lm``), loaded into a decoder when first used
there.

What made the difference (figures in docs/speech.md):

- the cepstral mean at the start of a call is that of telephone speech, not the library's (word errors 72 %
  against 12 %), and each call keeps its own as it adapts;
- no second pass (``fwdflat``, ``bestpath``): the final text follows the end within 3 ms.
"""

from __future__ import annotations

import re
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pocketsphinx

from dialer.audio import RATE, to_array
from dialer.errors import SpeechError
from dialer.speech.base import LanguageContext
from dialer.speech.lm import arpa, weighted_sentences
from dialer.speech.resample import DoubleRate

LANGUAGES = ("en",)

TELEPHONE_MEAN = "44.54,26.10,-35.12,44.17,-27.89,9.01,6.38,-16.01,18.76,-10.84,9.77,1.44,1.67"
"""Cepstral mean of speech at about -20 dBFS through G.711, doubled to 16 kHz."""

_SETTINGS: Mapping[str, object] = {
    "lm": None,
    "loglevel": "FATAL",
    "samprate": 2 * RATE,
    "fwdflat": False,
    "bestpath": False,
    "lw": 10.0,
}
_VARIANT = re.compile(r"\(\d+\)$")
_SEARCHES_KEPT = 24  # of one decoder; some 1 MB each


class SphinxUtterance:
    """One utterance in a decoder. Not thread-safe; all calls hold the GIL."""

    def __init__(self, engine: SphinxEngine, decoder: _PooledDecoder, mean: str) -> None:
        self._engine = engine
        self._decoder = decoder
        self._double = DoubleRate()
        self._samples = 0
        decoder.sphinx.set_cmn(mean)
        decoder.sphinx.start_utt()

    @property
    def audio_ms(self) -> int:
        """How much audio has been decoded."""
        return self._samples * 1000 // RATE

    def feed(self, pcm: bytes) -> None:
        """Decode some more: int16 mono at 8 kHz."""
        samples = to_array(pcm)
        self._samples += samples.size
        self._decoder.sphinx.process_raw(self._double.convert(samples).tobytes(), False, False)

    def text(self) -> str:
        """The words so far."""
        best = self._decoder.sphinx.hyp()
        return _plain(best.hypstr) if best is not None else ""

    def finish(self) -> tuple[str, str]:
        """End the utterance: the final words, and the cepstral mean for the call's next one."""
        sphinx = self._decoder.sphinx
        sphinx.end_utt()
        best = sphinx.hyp()
        text = _plain(best.hypstr) if best is not None else ""
        mean = str(sphinx.get_cmn(False))
        self._engine.release(self._decoder)
        return text, mean

    def cancel(self) -> None:
        """End the utterance without a result."""
        self._decoder.sphinx.end_utt()
        self._engine.release(self._decoder)


def _plain(words: str) -> str:
    kept = (_VARIANT.sub("", word) for word in words.split() if word[0] not in "<[+")
    return " ".join(kept)


class _PooledDecoder:
    """A decoder, the age of its dictionary, and the contexts loaded into it, least recently used first."""

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
        self._search_of: dict[str, str] = {}  # context name to the name of its model (equal ones share)
        self._sentences: dict[str, dict[tuple[str, ...], float]] = {}  # by the model's name
        self._keys: dict[frozenset[tuple[tuple[str, ...], float]], str] = {}
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
        return context in self._search_of

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
        wanted = {c.name: weighted_sentences(c.sentences, c.weights) for c in contexts}
        for context in contexts:
            if context.language not in LANGUAGES:
                raise SpeechError(
                    f"pocketsphinx understands {', '.join(LANGUAGES)} only, not {context.language!r} "
                    f"(context {context.name})"
                )
        missing = self._learn({w for found in wanted.values() for words in found for w in words})
        for name, found in wanted.items():
            heard = {words: weight for words, weight in found.items() if not missing.intersection(words)}
            if not heard:
                raise SpeechError(f"the context {name} has no sentence that can be recognised")
            key = frozenset(heard.items())
            model = self._keys.setdefault(key, f"m{len(self._keys)}")
            self._search_of[name] = model
            if model not in self._sentences:
                self._sentences[model] = heard
                self._model_path(model).write_text(arpa(heard))
        self._write_dictionary()
        # Decoders with the older dictionary leave the pool when their utterance ends.
        self._generation += 1
        self._idle.clear()
        return [
            f"no pronunciation is known for {word!r}: its sentences are left out" for word in sorted(missing)
        ]

    def warm_up(self, decoders: int) -> None:
        """Have this many decoders ready, with every model loaded that they may keep."""
        while len(self._idle) < min(decoders, self._most):
            decoder = self._make()
            for model in list(self._sentences)[:_SEARCHES_KEPT]:
                self._load(decoder, model)
            self._idle.append(decoder)

    def begin(self, context: str, mean: str = TELEPHONE_MEAN) -> SphinxUtterance | None:
        """Open an utterance; None while all decoders are in use.

        Raises:
            SpeechError: no such context.
        """
        model = self._search_of.get(context)
        if model is None:
            raise SpeechError(f"no language model is known for {context!r}")
        if self._busy >= self._most:
            return None
        decoder = self._take(model)
        self._busy += 1
        self._load(decoder, model)
        decoder.sphinx.activate_search(model)
        return SphinxUtterance(self, decoder, mean)

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
            while len(decoder.loaded) >= _SEARCHES_KEPT:
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
        return unknown - self._words.keys()

    def _write_dictionary(self) -> None:
        with self._dictionary.open("w") as file:
            for word, spoken in sorted(self._words.items()):
                for number, phones in enumerate(spoken, start=1):
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
