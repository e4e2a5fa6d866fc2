"""From rows of probabilities to answers, in the light of what the dialog state can take.

A state that asks yes or no can take few labels, and between those the rest must not stand in the
way: the answer is the most probable allowed label, its score its share of the allowed probability
(``out_of_scope`` is always allowed). But when most of the probability lies on labels that the state
cannot take, sharing it out would turn noise into a confident wrong answer: then the answer is
``out_of_scope``, and its score is everything that is not on the allowed labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dialer.errors import IntentError
from dialer.intent.base import OUT_OF_SCOPE, IntentAnswer

LEAST_INSIDE = 0.5
"""The share of the probability that must lie on allowed labels for one of them to be the answer."""

RANKED = 3
_MOST_MASKS = 1024  # states times campaigns; beyond it the table starts anew


class AnswerReader:
    """Reads one model's rows. Keeps a table of masks: one reader a thread."""

    def __init__(self, labels: Sequence[str], model: str) -> None:
        """Take the model's labels, in the order of its columns, and its name."""
        self._columns = len(labels)
        known = list(labels)
        if OUT_OF_SCOPE not in known:
            known.append(OUT_OF_SCOPE)
        self._other = known.index(OUT_OF_SCOPE)
        self._labels = known
        self._model = model
        self._number_of: dict[frozenset[str], int] = {}
        self._masks = np.empty((0, len(known)), dtype=np.bool_)

    def read(
        self, probabilities: NDArray[np.float32], allowed: Sequence[frozenset[str]]
    ) -> list[IntentAnswer]:
        """One answer a row.

        Args:
            probabilities: float32, shape (len(allowed), labels), rows summing to 1.
            allowed: the labels that each row's state can take, empty for all; a label that the model
                does not have is never answered.

        Raises:
            IntentError: the shape is wrong or a figure is not finite.
        """
        if probabilities.shape != (len(allowed), self._columns):
            raise IntentError(f"{self._model} answered with shape {probabilities.shape}")
        if not np.isfinite(probabilities).all():
            raise IntentError(f"{self._model} answered with figures that are not finite")
        scores = probabilities
        if self._columns < len(self._labels):
            scores = np.concatenate((scores, np.zeros((len(allowed), 1), dtype=np.float32)), axis=1)
        if any(allowed):
            scores = self._masked(scores, allowed)
        count = min(RANKED, len(self._labels))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        best = scores[np.arange(len(allowed))[:, None], order]
        pairs = list(
            zip(map(self._labels.__getitem__, order.ravel().tolist()), best.ravel().tolist(), strict=True)
        )
        return [
            IntentAnswer(*pairs[start], tuple(pairs[start : start + count]), self._model)
            for start in range(0, len(pairs), count)
        ]

    def _masked(self, scores: NDArray[np.float32], allowed: Sequence[frozenset[str]]) -> NDArray[np.float32]:
        mask = self._masks_of(allowed)
        inside = np.where(mask, scores, np.float32(0))
        mass = inside.sum(axis=1)
        lost = mass < LEAST_INSIDE
        if lost.any():
            other = self._other
            inside[lost, other] = 1 - (mass[lost] - inside[lost, other])
            mass[lost] = 1
        inside /= mass[:, None]
        return inside

    def _masks_of(self, allowed: Sequence[frozenset[str]]) -> NDArray[np.bool_]:
        """The rows' masks, bool, shape (rows, labels)."""
        number_of = self._number_of
        try:
            numbers = [number_of[labels] for labels in allowed]
        except KeyError:
            # A mask that was not asked for before: rare, so everything may be built again.
            wanted = set(allowed)
            kept = {} if len(number_of) + len(wanted) > _MOST_MASKS else number_of
            self._number_of = number_of = {labels: number for number, labels in enumerate(wanted.union(kept))}
            self._masks = np.array(
                [
                    [not labels or label in labels or label == OUT_OF_SCOPE for label in self._labels]
                    for labels in number_of
                ],
                dtype=np.bool_,
            )
            numbers = [number_of[labels] for labels in allowed]
        return self._masks[numbers]
