from __future__ import annotations

import pytest

from dialer.intent.evaluate import evaluate
from dialer.intent.examples import Example
from tests.unit.intent.fakes import HeldModel


def test_scores_by_language_and_by_intent() -> None:
    rows = [
        Example("yes", "affirm", "en"),
        Example("yes indeed", "affirm", "en"),
        Example("no", "deny", "en"),
        Example("不", "deny", "zh"),
    ]
    report = evaluate(HeldModel(), rows)
    assert (report["rows"], report["accuracy"]) == (4, 0.75)
    assert report["by_language"] == {"en": 0.6667, "zh": 1.0}
    assert report["by_intent"]["affirm"] == {"rows": 2, "precision": 1.0, "recall": 0.5, "f1": 0.6667}
    assert report["by_intent"]["deny"]["f1"] == 0.8
    assert report["macro_f1"] == pytest.approx((0.6667 + 0.8) / 2, abs=1e-4)
    assert report["confusions"] == [["affirm", "deny", 1]]
    assert report["calibration_error"] == pytest.approx(0.1, abs=1e-3)


def test_a_label_that_the_model_does_not_know_is_a_miss() -> None:
    report = evaluate(HeldModel(), [Example("yes", "unheard_of", "en")])
    assert (report["accuracy"], report["macro_f1"]) == (0.0, 0.0)
