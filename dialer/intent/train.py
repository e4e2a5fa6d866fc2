"""Training the linear model: in seconds, the same result for the same rows, settings and seed.

``train_linear`` is the whole of it. ``campaign_classifier`` does it for a campaign folder and keeps
the model in a cache folder named by the hash of the rows, so only changed examples cost time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar

from dialer.errors import InputError, IntentError, Mistake
from dialer.intent.evaluate import evaluate
from dialer.intent.examples import Example, flatten, is_held_out, load_examples, unique
from dialer.intent.features import FeatureSettings, hash_texts
from dialer.intent.lbfgs import Vector, minimise
from dialer.intent.linear import LinearClassifier, ModelCard, Vocabulary, softmax

log = structlog.get_logger()

_RECIPE = 1
"""Goes into the data hash: raise it when a change here makes other models of the same rows."""


@dataclass(frozen=True, slots=True)
class LinearSettings:
    """How the linear model is trained.

    Attributes:
        features: the n-grams.
        min_rows: an n-gram is kept that occurs in at least so many rows.
        penalty: L2 penalty on the weights, per row.
        unknown_idf: how heavily n-grams outside the vocabulary weigh in a row's length, 0 to 1 of the
            heaviest: strange words make an answer less sure (halves the calibration error here).
        dev_share: rows kept from the weights while the temperature is fitted.
        seed: of the dev split.
    """

    features: FeatureSettings = field(default_factory=FeatureSettings)
    min_rows: int = 2
    penalty: float = 2e-6
    unknown_idf: float = 0.5
    dev_share: float = 0.15
    seed: int = 0


def train_linear(
    examples: Mapping[str, Sequence[Example]], settings: LinearSettings | None = None
) -> LinearClassifier:
    """Train one model for all languages together.

    First on a part of the rows, to fit the temperature on the rest; then, from those weights on, on
    all rows.

    Args:
        examples: rows by language.
        settings: the recipe.

    Returns:
        The model. Its card's report has ``dev`` (``evaluate`` of the dev rows by the first weights).

    Raises:
        InputError: fewer than two labels, or a label with fewer than two rows.
    """
    settings = settings or LinearSettings()
    rows = unique(flatten(examples))
    labels = tuple(sorted({row.intent for row in rows}))
    _check(rows, labels)
    index = {label: number for number, label in enumerate(labels)}
    targets = np.array([index[row.intent] for row in rows], dtype=np.int64)
    texts = [row.text for row in rows]

    vocabulary = _vocabulary(texts, settings)
    matrix = vocabulary.matrix(texts)
    dev = _dev_rows(targets, settings)
    weights, bias = _fit(matrix[~dev], targets[~dev], len(labels), settings.penalty, None)
    logits = matrix[dev] @ weights + bias
    temperature = _fit_temperature(logits, targets[dev])
    data_hash = hash_rows(rows, settings)
    card = ModelCard(
        name=f"linear-{data_hash[:8]}",
        labels=labels,
        data_hash=data_hash,
        temperature=temperature,
        rows={language: len(examples[language]) for language in sorted(examples)},
    )
    partly = LinearClassifier(card, vocabulary, weights, bias)
    report = {"dev": evaluate(partly, [row for row, is_dev in zip(rows, dev, strict=True) if is_dev])}
    weights, bias = _fit(matrix, targets, len(labels), settings.penalty, (weights, bias))
    card = ModelCard(card.name, labels, data_hash, temperature, card.rows, report)
    return LinearClassifier(card, vocabulary, weights, bias)


def campaign_classifier(
    campaign: Path, cache: Path | None, settings: LinearSettings | None = None
) -> LinearClassifier:
    """The model of a campaign: from the cache when the examples have not changed, else trained.

    Blocks for seconds when it trains: call it before calls start, or in a thread.

    Args:
        campaign: a campaign folder with ``intents/<language>.jsonl``.
        cache: where model folders are kept; None to keep none.
        settings: the recipe.

    Raises:
        InputError: the examples are wrong.
    """
    settings = settings or LinearSettings()
    examples = load_examples(campaign)
    folder = cache / hash_rows(unique(flatten(examples)), settings) if cache else None
    if folder is not None and folder.exists():
        try:
            return LinearClassifier.load(folder)
        except IntentError as error:
            log.warning("intent_model.damaged", folder=str(folder), error=str(error))
    model = train_linear(examples, settings)
    if folder is not None:
        model.save(folder)
    log.info("intent_model.trained", model=model.name, rows=sum(map(len, examples.values())))
    return model


def held_out_report(campaign: Path, settings: LinearSettings | None = None) -> dict[str, Any]:
    """What to expect of a campaign's model: trained without the held-out rows, scored on them.

    Returns:
        As ``evaluate``, with ``model`` and ``trained_rows``.

    Raises:
        InputError: the examples are wrong, or none of them is held out.
    """
    examples = load_examples(campaign)
    aside = [row for row in flatten(examples) if is_held_out(row.text)]
    if not aside:
        raise InputError(Mistake(campaign / "intents", None, "", "no row is held out", "Write more examples"))
    kept = {
        language: [row for row in rows if not is_held_out(row.text)] for language, rows in examples.items()
    }
    model = train_linear(kept, settings)
    scored = evaluate(model, aside)
    return {"model": model.name, "trained_rows": sum(map(len, kept.values())), **scored}


def train_campaign(campaign: Path, folder: Path, settings: LinearSettings | None = None) -> dict[str, Any]:
    """Train a campaign's model on all its rows into a model folder.

    Returns:
        ``model``, ``folder``, ``labels``, ``rows`` by language, ``data_hash``, ``temperature``, and
        ``held_out``, the ``held_out_report`` taken before.

    Raises:
        InputError: the examples are wrong.
    """
    held_out = held_out_report(campaign, settings)
    model = train_linear(load_examples(campaign), settings)
    model.save(folder)
    return {
        "model": model.name,
        "folder": str(folder),
        "labels": list(model.labels),
        "rows": dict(model.card.rows),
        "data_hash": model.card.data_hash,
        "temperature": model.card.temperature,
        "held_out": held_out,
    }


def hash_rows(rows: Sequence[Example], settings: LinearSettings) -> str:
    """32 hexadecimal digits that change with any row, setting or the recipe, not with the order."""
    lines = sorted(json.dumps([row.language, row.intent, row.text], ensure_ascii=False) for row in rows)
    head = json.dumps([_RECIPE, asdict(settings)], sort_keys=True)
    return hashlib.blake2b("\n".join([head, *lines]).encode(), digest_size=16).hexdigest()


def _check(rows: Sequence[Example], labels: Sequence[str]) -> None:
    counts = dict.fromkeys(labels, 0)
    for row in rows:
        counts[row.intent] += 1
    scarce = [label for label, count in counts.items() if count < 2]
    if scarce or len(labels) < 2:
        problem = f"too few rows for {', '.join(scarce)}" if scarce else "fewer than two intents have rows"
        raise InputError(Mistake("intents", None, "intent", problem, "Write at least two rows an intent"))


def _vocabulary(texts: Sequence[str], settings: LinearSettings) -> Vocabulary:
    hashed = hash_texts(texts, settings.features)
    row_of = np.repeat(np.arange(len(texts), dtype=np.int64), np.diff(hashed.starts))
    once_a_row = np.unique((row_of << settings.features.bits) | hashed.buckets)
    buckets, rows_with = np.unique(once_a_row & ((1 << settings.features.bits) - 1), return_counts=True)
    frequent = rows_with >= settings.min_rows
    idf = 1 + np.log((1 + len(texts)) / (1 + rows_with[frequent]))
    unknown = settings.unknown_idf * (1 + np.log(1 + len(texts)))
    return Vocabulary(
        settings.features, buckets[frequent], np.concatenate(([unknown], idf)).astype(np.float32)
    )


def _dev_rows(targets: NDArray[np.int64], settings: LinearSettings) -> NDArray[np.bool_]:
    """A share of every label's rows, at least one, never all of them."""
    dice = np.random.default_rng(settings.seed)
    dev = np.zeros(len(targets), dtype=np.bool_)
    for label in range(int(targets.max()) + 1):
        rows = dice.permutation(np.flatnonzero(targets == label))
        dev[rows[: max(1, round(len(rows) * settings.dev_share))]] = True
    return dev


def _fit(
    matrix: sparse.csr_array,
    targets: NDArray[np.int64],
    labels: int,
    penalty: float,
    start: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Multinomial logistic regression: weights (columns, labels) and bias (labels,), float32."""
    rows, columns = matrix.shape
    transposed = matrix.T.tocsr()
    size = columns * labels
    each = np.arange(rows)

    def objective(parameters: Vector) -> tuple[float, Vector]:
        weights = parameters[:size].reshape(columns, labels)
        probabilities = softmax(matrix @ weights + parameters[size:])
        likelihood = np.log(np.maximum(probabilities[each, targets], 1e-30)).sum(dtype=np.float64)
        loss = -likelihood / rows + penalty / 2 * float(parameters[:size] @ parameters[:size])
        probabilities[each, targets] -= 1
        probabilities /= rows
        gradient = np.empty_like(parameters)
        gradient[:size] = (transposed @ probabilities).ravel()
        gradient[:size] += np.float32(penalty) * parameters[:size]
        gradient[size:] = probabilities.sum(axis=0)
        return float(loss), gradient

    if start is None:
        first = np.zeros(size + labels, dtype=np.float32)
    else:
        first = np.concatenate((start[0].ravel(), start[1]))
    found = minimise(objective, first)
    return found[:size].reshape(columns, labels), found[size:]


def _fit_temperature(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """The temperature that makes the likelihood of unseen rows greatest (Guo et al. 2017)."""
    each = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.float32(np.exp(log_temperature)))
        return -float(np.log(np.maximum(probabilities[each, targets], 1e-30)).mean())

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))
