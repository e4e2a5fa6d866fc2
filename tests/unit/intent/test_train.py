from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dialer.errors import InputError
from dialer.intent.examples import Example, is_held_out
from dialer.intent.train import (
    LinearSettings,
    campaign_classifier,
    hash_rows,
    held_out_report,
    train_campaign,
    train_linear,
)
from tests.unit.intent.test_linear import ROWS

QUICK = LinearSettings(min_rows=1)


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    folder = tmp_path / "campaign"
    (folder / "intents").mkdir(parents=True)
    for language, rows in ROWS.items():
        extra = [Example(f"{row.text} {row.text}", row.intent, language) for row in rows]
        lines = [json.dumps({"text": row.text, "intent": row.intent}) for row in [*rows, *extra]]
        (folder / "intents" / f"{language}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_same_rows_and_seed_give_the_same_model() -> None:
    one, other = train_linear(ROWS, QUICK), train_linear(ROWS, QUICK)
    assert one.card == other.card
    np.testing.assert_array_equal(one.predict(["yes"], ["en"]), other.predict(["yes"], ["en"]))


def test_the_hash_knows_rows_and_settings_but_not_their_order() -> None:
    rows = ROWS["en"]
    assert hash_rows(rows, QUICK) == hash_rows(rows[::-1], QUICK)
    assert hash_rows(rows, QUICK) != hash_rows(rows[1:], QUICK)
    assert hash_rows(rows, QUICK) != hash_rows(rows, LinearSettings(min_rows=1, seed=1))


@pytest.mark.parametrize(
    "rows", [[("yes", "affirm"), ("yeah", "affirm")], [("a", "x"), ("b", "y"), ("c", "y")]]
)
def test_too_few_rows_are_the_users_mistake(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(InputError):
        train_linear({"en": [Example(text, intent, "en") for text, intent in rows]}, QUICK)


def test_a_campaign_is_trained_once_for_the_same_examples(campaign: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = campaign_classifier(campaign, cache, QUICK)
    [folder] = cache.iterdir()
    stamp = (folder / "weights.npz").stat().st_mtime_ns
    again = campaign_classifier(campaign, cache, QUICK)
    assert (folder / "weights.npz").stat().st_mtime_ns == stamp
    assert again.card == first.card

    with (campaign / "intents" / "en.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"text": "certainly", "intent": "affirm"}\n')
    assert campaign_classifier(campaign, cache, QUICK).name != first.name
    assert len(list(cache.iterdir())) == 2


def test_a_damaged_cache_is_trained_again(campaign: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = campaign_classifier(campaign, cache, QUICK)
    [folder] = cache.iterdir()
    (folder / "weights.npz").write_bytes(b"nothing")
    assert campaign_classifier(campaign, cache, QUICK).card == first.card
    assert campaign_classifier(campaign, cache, QUICK).card == first.card


def test_held_out_rows_are_scored_by_a_model_that_never_saw_them(campaign: Path, tmp_path: Path) -> None:
    report = held_out_report(campaign, QUICK)
    aside = [
        t for rows in ROWS.values() for r in rows for t in (r.text, f"{r.text} {r.text}") if is_held_out(t)
    ]
    assert report["rows"] == len(aside) > 0
    assert report["rows"] + report["trained_rows"] == 40

    trained = train_campaign(campaign, tmp_path / "model", QUICK)
    assert trained["held_out"] == report
    assert trained["rows"] == {"en": 20, "zh": 20}
    assert trained["model"] != report["model"]
