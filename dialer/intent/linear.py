"""The built-in model: hashed n-grams and multinomial logistic regression, for all languages together.

Small enough to be trained when a campaign loads, quick enough (tens of microseconds a row) to be
asked at every pause, and calibrated: one temperature, fitted on rows that the weights had not seen.
"""

from __future__ import annotations

import itertools
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dialer.errors import IntentError
from dialer.intent.features import FeatureSettings, hash_texts

FORMAT = 1
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "weights.npz"

_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The buckets that training saw often enough, and how telling each is.

    Column 0 stands for every other bucket.

    Attributes:
        settings: the n-grams that are counted.
        buckets: int64, shape (columns - 1,), ascending: those of columns 1 and up.
        idf: float32, shape (columns,), inverse document frequency.
    """

    settings: FeatureSettings
    buckets: NDArray[np.int64]
    idf: NDArray[np.float32]

    def columns(self) -> NDArray[np.int32]:
        """For each bucket its column: int32, shape (2 ** bits,)."""
        table = np.zeros(1 << self.settings.bits, dtype=np.int32)
        table[self.buckets] = np.arange(1, len(self.buckets) + 1, dtype=np.int32)
        return table

    def matrix(self, texts: Sequence[str]) -> sparse.csr_array:
        """The features of rows, each of unit length: float32, shape (len(texts), columns)."""
        hashed = hash_texts(texts, self.settings)
        columns = self.columns()[hashed.buckets]
        values = self.idf[columns]
        lengths = np.sqrt(np.add.reduceat(np.square(values), hashed.starts[:-1]))
        values = values / np.repeat(np.maximum(lengths, _TINY), np.diff(hashed.starts))
        rows = sparse.csr_array(
            (values, columns, hashed.starts.astype(np.int32)), shape=(len(texts), len(self.idf))
        )
        rows.sum_duplicates()
        return rows


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known about a trained model besides its weights; ``config.json`` of its folder.

    Attributes:
        name: ``linear-`` and the start of the data hash; stands in the records of calls.
        labels: in the order of the weights' columns.
        data_hash: of the rows and of the settings it was trained with.
        temperature: what the logits are divided by.
        rows: how many examples per language.
        report: figures taken while training, as ``dialer.intent.train`` explains them.
    """

    name: str
    labels: tuple[str, ...]
    data_hash: str
    temperature: float
    rows: Mapping[str, int]
    report: Mapping[str, Any] = field(default_factory=dict)


class LinearClassifier:
    """An ``IntentClassifier`` over hashed n-grams; threads may share it, it is never written to."""

    def __init__(
        self,
        card: ModelCard,
        vocabulary: Vocabulary,
        weights: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None:
        """Take a trained model.

        Args:
            card: its labels and origin.
            vocabulary: its columns.
            weights: float32, shape (columns, labels).
            bias: float32, shape (labels,).

        Raises:
            IntentError: the shapes do not belong together, or a figure is not finite.
        """
        if weights.shape != (len(vocabulary.idf), len(card.labels)) or bias.shape != (len(card.labels),):
            raise IntentError(f"the weights of {card.name} do not fit its labels and columns")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all() and card.temperature > 0):
            raise IntentError(f"the weights of {card.name} are not finite numbers")
        self.card = card
        self.name = card.name
        self.labels: Sequence[str] = card.labels
        self._vocabulary = vocabulary
        self._column_of = vocabulary.columns()
        self._weights = weights / np.float32(card.temperature)
        self._bias = bias / np.float32(card.temperature)
        self._raw = (weights, bias)

    def predict(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated probabilities, float32, shape (len(texts), len(labels)), rows summing to 1.

        ``languages`` is not needed: the scripts tell themselves apart.
        """
        if not texts:
            return np.empty((0, len(self.labels)), dtype=np.float32)
        hashed = hash_texts(texts, self._vocabulary.settings)
        columns = self._column_of[hashed.buckets]
        values = self._vocabulary.idf[columns]
        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        starts = hashed.starts.tolist()
        # Row by row: for one row, the commonest batch, a sparse matrix costs more than it saves.
        for row, (start, end) in enumerate(itertools.pairwise(starts)):
            mine = values[start:end]
            length = max(math.sqrt(mine @ mine), _TINY)
            logits[row] = (mine @ self._weights[columns[start:end]]) / length
        return softmax(logits + self._bias)

    def save(self, folder: Path) -> None:
        """Write the model folder: ``weights.npz``, then ``config.json`` (its presence says complete)."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).unlink(missing_ok=True)
        weights, bias = self._raw
        with (folder / WEIGHTS_NAME).open("wb") as file:
            np.savez(
                file,
                weights=weights,
                bias=bias,
                buckets=self._vocabulary.buckets,
                idf=self._vocabulary.idf,
            )
        config = {
            "format": FORMAT,
            "kind": "linear",
            "features": asdict(self._vocabulary.settings),
            **asdict(self.card),
        }
        partial = folder / f"{CONFIG_NAME}.part"
        partial.write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        partial.replace(folder / CONFIG_NAME)

    @classmethod
    def load(cls, folder: Path) -> LinearClassifier:
        """Read a model folder that ``save`` wrote.

        Raises:
            IntentError: the folder is incomplete, of another kind or format, or damaged.
        """
        try:
            config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
            if (config.get("format"), config.get("kind")) != (FORMAT, "linear"):
                raise IntentError(f"{folder} is no linear model of format {FORMAT}; train it again")
            with (folder / WEIGHTS_NAME).open("rb") as file:
                stored = np.load(file, allow_pickle=False)
                arrays = {name: stored[name] for name in ("weights", "bias", "buckets", "idf")}
            card = ModelCard(
                name=config["name"],
                labels=tuple(config["labels"]),
                data_hash=config["data_hash"],
                temperature=float(config["temperature"]),
                rows=config["rows"],
                report=config["report"],
            )
            vocabulary = Vocabulary(
                FeatureSettings(**config["features"]),
                arrays["buckets"].astype(np.int64),
                arrays["idf"].astype(np.float32),
            )
            return cls(
                card,
                vocabulary,
                arrays["weights"].astype(np.float32),
                arrays["bias"].astype(np.float32),
            )
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            raise IntentError(f"the model folder {folder} cannot be read: {error}") from error


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of logits to rows of probabilities, without overflow."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
