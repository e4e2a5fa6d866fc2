"""Scoring a model on labelled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dialer.intent.base import IntentClassifier
from dialer.intent.examples import Example

_CHUNK = 256
_COVERAGES = (1.0, 0.95, 0.9, 0.8)


def evaluate(classifier: IntentClassifier, rows: Sequence[Example]) -> dict[str, Any]:
    """How often the best label of all (no mask) is the row's own.

    Args:
        classifier: any model.
        rows: at least one; a label that the model does not know counts as a miss.

    Returns:
        ``rows``; ``accuracy``; ``macro_f1`` over the labels of ``rows``; ``by_language`` {tag: accuracy};
        ``by_intent`` {label: {``rows``, ``precision``, ``recall``, ``f1``}}; ``coverage`` {share of rows
        answered, the surest first: accuracy}; ``calibration_error`` (expected, 10 bins, 0..1);
        ``confusions``, the ten commonest as [label, answered, rows].
    """
    if not rows:
        raise ValueError("nothing to score")
    best, score = _answers(classifier, rows)
    truth = [row.intent for row in rows]
    right = np.array([answer == label for answer, label in zip(best, truth, strict=True)])
    by_language: dict[str, list[bool]] = {}
    for row, hit in zip(rows, right, strict=True):
        by_language.setdefault(row.language, []).append(bool(hit))
    by_intent = _by_intent(truth, best)
    wrong = Counter((label, answer) for label, answer in zip(truth, best, strict=True) if label != answer)
    return {
        "rows": len(rows),
        "accuracy": _rounded(right.mean()),
        "macro_f1": _rounded(np.mean([entry["f1"] for entry in by_intent.values()])),
        "by_language": {tag: _rounded(np.mean(hits)) for tag, hits in sorted(by_language.items())},
        "by_intent": by_intent,
        "coverage": _coverage(right, score),
        "calibration_error": _rounded(_calibration_error(right, score)),
        "confusions": [[label, answer, count] for (label, answer), count in wrong.most_common(10)],
    }


def _answers(classifier: IntentClassifier, rows: Sequence[Example]) -> tuple[list[str], NDArray[np.float32]]:
    best: list[str] = []
    scores: list[NDArray[np.float32]] = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        probabilities = classifier.predict([row.text for row in chunk], [row.language for row in chunk])
        best += [classifier.labels[column] for column in probabilities.argmax(axis=1)]
        scores.append(probabilities.max(axis=1))
    return best, np.concatenate(scores)


def _by_intent(truth: Sequence[str], best: Sequence[str]) -> dict[str, dict[str, float]]:
    asked, answered = Counter(truth), Counter(best)
    hits = Counter(label for label, answer in zip(truth, best, strict=True) if label == answer)
    report: dict[str, dict[str, float]] = {}
    for label in sorted(asked):
        recall = hits[label] / asked[label]
        precision = hits[label] / answered[label] if answered[label] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits[label] else 0.0
        report[label] = {
            "rows": asked[label],
            "precision": _rounded(precision),
            "recall": _rounded(recall),
            "f1": _rounded(f1),
        }
    return report


def _coverage(right: NDArray[np.bool_], score: NDArray[np.float32]) -> dict[str, float]:
    """Accuracy over the surest rows, for each share of rows that is answered at all."""
    surest = right[np.argsort(-score, kind="stable")]
    return {
        f"{share:g}": _rounded(surest[: max(1, round(len(surest) * share))].mean()) for share in _COVERAGES
    }


def _calibration_error(right: NDArray[np.bool_], score: NDArray[np.float32]) -> float:
    """Expected calibration error (Naeini et al. 2015) with ten bins of equal width."""
    bins = np.minimum((score * 10).astype(int), 9)
    gaps = [
        abs(float(right[bins == number].mean()) - float(score[bins == number].mean()))
        * int((bins == number).sum())
        for number in np.unique(bins)
    ]
    return sum(gaps) / len(right)


def _rounded(value: Any) -> float:
    return round(float(value), 4)
