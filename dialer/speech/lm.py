"""Language models made from example sentences: words, counts, and the ARPA text that decoders read.

Pure: sentences in, text out. The model is a trigram with absolute discounting and back-off (Ney, Essen and
Kneser 1994), computed over weighted sentences.

Each example sentence stands in it twice: as its words, so that others made of the same words can be
heard, and as one long word of its own (a unit: ``i_already_paid``). A decoder without a second pass finds
the long words far more surely than the same words one by one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log10

START, END = "<s>", "</s>"
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?")
_ORDER = 3
_DISCOUNT = 0.3
_UNIT_SHARE = 0.97  # of a sentence's weight that its unit gets, the words the rest
_SHARED_GROWTH = 1.15  # a model may hold this much more than what a context asks for
_SHY_END = 0.05  # how much rarer than its count an end is where none was seen
_NEVER = -99.0  # log10 of what ARPA calls impossible

Ngram = tuple[str, ...]
_Counts = dict[Ngram, dict[str, float]]


def words_of(text: str) -> tuple[str, ...]:
    """The words of an English sentence as a recogniser knows them: lower case, without punctuation."""
    return tuple(_WORD.findall(text.lower().replace("’", "'")))


def weighted_sentences(
    sentences: Iterable[tuple[str, str]], weights: Mapping[str, float]
) -> dict[tuple[str, ...], float]:
    """Each distinct sentence and its weight.

    Args:
        sentences: (text, intent).
        weights: how much likelier than usual an intent is; 1 where it is not named.

    The sentences of an intent share its weight, so that an intent with many examples is not likelier
    for having them; a short sentence gets more than a long one (by the inverse of its length), since
    "yes" is said more often than any one of the longer ways to say it.
    """
    by_intent: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for text, intent in sentences:
        words = words_of(text)
        if words:
            by_intent[intent].add(words)
    if not by_intent:
        return {}
    usual = sum(len(found) for found in by_intent.values()) / len(by_intent)
    total: dict[tuple[str, ...], float] = defaultdict(float)
    for intent, found in by_intent.items():
        parts = sum(1 / len(words) for words in found)
        for words in found:
            total[words] += weights.get(intent, 1.0) * usual / len(words) / parts
    return dict(total)


def unit_of(words: tuple[str, ...]) -> str:
    """The name of the long word that stands for a sentence; of one word, the word itself."""
    return "_".join(words)


def with_units(sentences: Mapping[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """The sentences with their units beside them, the weight divided between the two."""
    divided: dict[tuple[str, ...], float] = {}
    for words, weight in sentences.items():
        if len(words) == 1:
            divided[words] = weight
        else:
            divided[(unit_of(words),)] = weight * _UNIT_SHARE
            divided[words] = weight * (1 - _UNIT_SHARE)
    return divided


def share_models(
    contexts: Mapping[str, Mapping[tuple[str, ...], float]],
) -> list[tuple[tuple[str, ...], dict[tuple[str, ...], float]]]:
    """Group contexts whose sentences are nearly the same: states of one dialog mostly differ in weights.

    A context joins a group where none of the group's contexts is given more than 15 % of sentences that
    it did not ask for. The weights of a group are the means of its contexts'.

    Args:
        contexts: weighted sentences by the context's name.

    Returns:
        For each group the names of its contexts, and its weighted sentences.
    """
    groups: list[tuple[list[str], set[tuple[str, ...]], int]] = []  # names, all sentences, smallest context
    for name in sorted(contexts, key=lambda name: (-len(contexts[name]), name)):
        own = contexts[name].keys()
        for at, (names, together, smallest) in enumerate(groups):
            union = together | own
            if len(union) <= _SHARED_GROWTH * min(smallest, len(own)):
                names.append(name)
                groups[at] = (names, union, min(smallest, len(own)))
                break
        else:
            groups.append(([name], set(own), len(own)))
    return [
        (
            tuple(names),
            {words: sum(contexts[n].get(words, 0.0) for n in names) / len(names) for words in together},
        )
        for names, together, _ in groups
    ]


def _count(sentences: Mapping[tuple[str, ...], float]) -> list[_Counts]:
    """How often each word follows each history, by the history's length."""
    counts: list[_Counts] = [defaultdict(lambda: defaultdict(float)) for _ in range(_ORDER)]
    for words, weight in sentences.items():
        tokens = (START, *words, END)
        for at in range(1, len(tokens)):
            for length in range(min(at, _ORDER - 1) + 1):
                counts[length][tokens[at - length : at]][tokens[at]] += weight
    return counts


def arpa(sentences: Mapping[tuple[str, ...], float]) -> str:
    """A trigram model in ARPA's text format.

    Args:
        sentences: the words of each sentence and its weight; at least one.
    """
    counts = _count(sentences)
    # Otherwise every back-off would favour stopping, and noise be heard as half a sentence.
    counts[0][()][END] *= _SHY_END
    # Probabilities by length of the history; the shorter ones first, since the longer ones back off to them.
    probability: list[dict[Ngram, float]] = [{}, {}, {}]
    backoff: dict[Ngram, float] = {}
    for length, table in enumerate(counts):
        for history, followers in table.items():
            total = sum(followers.values())
            # Weighted counts can be below one; the discount follows the smallest of them.
            discount = _DISCOUNT * min(1.0, *followers.values()) if length else 0.0
            for word, count in followers.items():
                probability[length][(*history, word)] = (count - discount) / total
            if length:
                seen = sum(_lower(probability, (*history, word)) for word in followers)
                left = discount * len(followers) / total
                backoff[history] = left / max(1e-6, 1.0 - seen)
    return _write(probability, backoff)


def _lower(probability: Sequence[Mapping[Ngram, float]], ngram: Ngram) -> float:
    """What the model of one order less gives for an n-gram that it has seen."""
    return probability[len(ngram) - 2][ngram[1:]]


def _write(probability: Sequence[Mapping[Ngram, float]], backoff: Mapping[Ngram, float]) -> str:
    unigrams = {(START,): 0.0, **probability[0]}
    tables = [unigrams, probability[1], probability[2]]
    lines = ["\\data\\", *(f"ngram {n}={len(table)}" for n, table in enumerate(tables, start=1))]
    for order, table in enumerate(tables, start=1):
        lines += ["", f"\\{order}-grams:"]
        for ngram in sorted(table):
            chance = table[ngram]
            entry = f"{log10(chance) if chance > 0 else _NEVER:.4f}\t{' '.join(ngram)}"
            if order < _ORDER and ngram[-1] != END:
                entry += f"\t{log10(max(backoff.get(ngram, 1.0), 1e-9)):.4f}"
            lines.append(entry)
    return "\n".join([*lines, "", "\\end\\", ""])
