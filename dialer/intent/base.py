"""The protocol of an intent model, and the question and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

OUT_OF_SCOPE = "out_of_scope"


@dataclass(frozen=True, slots=True)
class IntentQuery:
    """One question.

    Attributes:
        text: the words heard.
        language: BCP 47 primary tag.
        allowed: the labels that the dialog state can take; empty for all. ``out_of_scope`` is always
            allowed.
        key: ``(call_id, round_id)`` of a committed turn; None for a speculative question, which is
            never stored.
    """

    text: str
    language: str
    allowed: frozenset[str] = frozenset()
    key: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class IntentAnswer:
    """The answer: the best allowed label, its score in 0..1, the runners-up, and who said so."""

    intent: str
    score: float
    ranked: tuple[tuple[str, float], ...] = ()
    model: str = ""


class IntentClassifier(Protocol):
    """A model. Called from one executor thread at a time."""

    name: str
    labels: Sequence[str]

    def predict(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated probabilities, float32, shape (len(texts), len(labels)), rows summing to 1."""


class IntentEngine(Protocol):
    """What the conversation asks."""

    async def ask(self, query: IntentQuery) -> IntentAnswer:
        """Classify one utterance.

        Raises:
            Overloaded: the queue is full.
            IntentError: the model failed.
        """
