"""From text to hashed n-gram features, without a Python loop over characters.

A text is normalised, turned into code points, and every n-gram is a polynomial hash (modulo 2**64)
of the code points it covers, computed by numpy for all rows of a batch at once. One rule serves
languages with and without spaces: character n-grams run over the whole text, word n-grams over what
stands between spaces (a Chinese utterance is one "word", so its word feature is the whole utterance).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NOT_SPOKEN = re.compile(r"[^\w' ]+|_+")
_SPACES = re.compile(r"\s+")
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK_GAP = re.compile(f"(?<=[{_CJK}]) (?=[{_CJK}])")

MAX_CHARACTERS = 400
"""Longer texts are cut: a telephone turn never is so long, and time per row stays bounded."""

_EDGE = 32  # the space: marks the edges of a text and of every word
_LONGEST = MAX_CHARACTERS + 2
_ODD = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2**64


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    powers: NDArray[np.uint64] = np.cumprod(np.full(count, base, dtype=np.uint64), dtype=np.uint64)
    return powers


_BASE = np.uint64(_ODD)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_POWERS = _powers(_ODD, _LONGEST)
_INVERSES = _powers(pow(_ODD, -1, 1 << 64), _LONGEST)
_SALTS = _powers(0xD6E8FEB86659FD93, 16)  # one per n-gram size
_SALT_WORD = np.uint64(0x632BE59BD9B4E019)
_SALT_PAIR = np.uint64(0x8CB92BA72F3D8DD7)
_SALT_OPENS = np.uint64(0xF1357AEA2E62A9C5)
_WORD_SLOTS = 3


def normalise(text: str) -> str:
    """One spelling for one utterance: NFKC, lower case, straight apostrophes, no punctuation.

    Spaces that a recogniser puts between Chinese characters are taken out. Text that is spelled
    like this already comes back as it is.
    """
    # Folding the case can undo the normal form ("\u0345" becomes a Greek iota), hence the second pass.
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = text.replace("\u2019", "'")
    text = _SPACES.sub(" ", _NOT_SPOKEN.sub(" ", text)).strip()
    return _CJK_GAP.sub("", text)


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """Which n-grams are counted, and into how many buckets.

    Attributes:
        bits: buckets are ``2**bits``.
        char_from, char_to: shortest and longest character n-gram, at most 16; the text's edges count
            as spaces.
        words: whether words, pairs of neighbouring words and the first and last word are features too.
    """

    bits: int = 20
    char_from: int = 1
    char_to: int = 4
    words: bool = True


@dataclass(frozen=True, slots=True)
class Hashed:
    """The buckets of each row, one entry an occurrence, in the order of the text.

    Attributes:
        buckets: int64, shape (n,).
        starts: int64, shape (rows + 1,): ``buckets[starts[i]:starts[i + 1]]`` are row i's.
    """

    buckets: NDArray[np.int64]
    starts: NDArray[np.int64]


def hash_texts(texts: Sequence[str], settings: FeatureSettings) -> Hashed:
    """The hashed n-grams of ``texts``, normalised first; an empty text has the edges only."""
    padded = [f" {normalise(text)[:MAX_CHARACTERS]} " for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded], dtype=np.int64)
    ends = np.cumsum(lengths)
    position = np.arange(len(codes)) - np.repeat(ends - lengths, lengths)
    left = np.repeat(lengths, lengths) - position  # characters left in the row, this one included

    # One line a position, one slot for each n-gram that begins there: so rows stay together.
    sizes = np.arange(settings.char_from, settings.char_to + 1)
    slots = len(sizes) + (_WORD_SLOTS if settings.words else 0)
    hashes = np.empty((len(codes), slots), dtype=np.uint64)
    valid = np.zeros((len(codes), slots), dtype=np.bool_)
    rolling = codes
    for size in range(1, settings.char_to + 1):
        if size > 1:
            rolling = rolling[:-1] * _BASE + codes[size - 1 :]
        if size >= settings.char_from:
            hashes[: len(rolling), size - settings.char_from] = rolling + _SALTS[size - 1]
    valid[:, : len(sizes)] = left[:, None] >= sizes
    if settings.words:
        _add_words(codes, position, hashes[:, len(sizes) :], valid[:, len(sizes) :])

    # A multiplicative hash has its best bits at the top.
    chosen = hashes[valid]
    chosen = (chosen ^ (chosen >> np.uint64(32))) * _MIX
    chosen = (chosen ^ (chosen >> np.uint64(29))) * _BASE
    buckets = (chosen >> np.uint64(64 - settings.bits)).astype(np.int64)
    so_far = np.concatenate((_ZERO, np.cumsum(np.count_nonzero(valid, axis=1))))
    return Hashed(buckets, so_far[np.concatenate((_ZERO, ends))])


_ZERO = np.zeros(1, dtype=np.int64)


def _add_words(
    codes: NDArray[np.uint64],
    position: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    valid: NDArray[np.bool_],
) -> None:
    """Fill the three word slots at the first character of every word.

    Slot 0 is the word; slot 1 the word and the next one (the edge, for the last); slot 2 the first
    word of a row: "pay" first and "pay" last in an utterance are different things to say.
    """
    space = codes == _EDGE
    # Rows begin and end with a space, so no word runs over from one row into the next.
    first = np.flatnonzero(space[:-1] & ~space[1:]) + 1
    if not len(first):
        return
    # A word's hash is the sum of code * base ** (place in the word): taken over places in the row,
    # then divided (by the inverse) by the power of the word's own place.
    weighted = np.where(space, np.uint64(0), codes * _POWERS[position])
    words = np.add.reduceat(weighted, first) * _INVERSES[position[first]]
    opens = position[first] == 1
    following = np.empty_like(words)
    following[:-1] = words[1:]
    following[-1] = 0
    following[:-1][opens[1:]] = 0
    hashes[first, 0] = words + _SALT_WORD
    hashes[first, 1] = words * _SALT_PAIR + following
    hashes[first, 2] = words + _SALT_OPENS
    valid[first, 0] = True
    valid[first, 1] = True
    valid[first, 2] = opens
