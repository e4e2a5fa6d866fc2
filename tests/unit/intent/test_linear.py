from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dialer.errors import IntentError
from dialer.intent.examples import Example
from dialer.intent.linear import LinearClassifier
from dialer.intent.train import LinearSettings, train_linear

ROWS = {
    "en": [Example(t, "affirm", "en") for t in ("yes", "yeah sure", "yes please", "that's right", "yep")]
    + [Example(t, "deny", "en") for t in ("no", "nope", "no thanks", "not at all", "no way")],
    "zh": [Example(t, "affirm", "zh") for t in ("是的", "对", "对的", "没错", "好的")]
    + [Example(t, "deny", "zh") for t in ("不是", "不对", "不要", "没有", "不行")],
}


@pytest.fixture(scope="module")
def model() -> LinearClassifier:
    return train_linear(ROWS, LinearSettings(min_rows=1))


def test_learns_two_languages_in_one_model(model: LinearClassifier) -> None:
    texts = ["yes", "no", "是的", "不是"]
    probabilities = model.predict(texts, ["en", "en", "zh", "zh"])
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (4, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert [model.labels[column] for column in probabilities.argmax(axis=1)] == ["affirm", "deny"] * 2


def test_a_row_is_answered_the_same_alone_and_in_a_batch(model: LinearClassifier) -> None:
    texts = ["yes please", "", "没错", "something else altogether"]
    together = model.predict(texts, ["en"] * 4)
    alone = np.concatenate([model.predict([text], ["en"]) for text in texts])
    np.testing.assert_array_equal(together, alone)
    assert model.predict([], []).shape == (0, 2)


def test_a_saved_model_answers_as_before(model: LinearClassifier, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    again = LinearClassifier.load(tmp_path / "m")
    assert again.card == model.card
    np.testing.assert_array_equal(again.predict(["yes"], ["en"]), model.predict(["yes"], ["en"]))
    config = json.loads((tmp_path / "m" / "config.json").read_text(encoding="utf-8"))
    assert config["labels"] == ["affirm", "deny"]
    assert config["data_hash"].startswith(model.name.removeprefix("linear-"))


@pytest.mark.parametrize(
    "damage", ["no config", "no weights", "cut weights", "other kind", "not json", "labels"]
)
def test_a_broken_folder_is_one_clear_error(model: LinearClassifier, tmp_path: Path, damage: str) -> None:
    model.save(tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "weights.npz"
    match damage:
        case "no config":
            config.unlink()
        case "no weights":
            weights.unlink()
        case "cut weights":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "other kind":
            config.write_text(config.read_text().replace('"linear"', '"encoder"'))
        case "not json":
            config.write_text("{")
        case _:
            stored = json.loads(config.read_text())
            config.write_text(json.dumps(stored | {"labels": ["affirm"]}))
    with pytest.raises(IntentError):
        LinearClassifier.load(tmp_path)
