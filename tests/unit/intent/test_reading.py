from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dialer.errors import IntentError
from dialer.intent.base import IntentAnswer
from dialer.intent.reading import AnswerReader

LABELS = ("affirm", "deny", "greeting", "out_of_scope")
YES_NO = frozenset({"affirm", "deny"})


def rows(*lines: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(lines, dtype=np.float32)


def read_one(line: tuple[float, ...], allowed: frozenset[str]) -> IntentAnswer:
    [answer] = AnswerReader(LABELS, "m").read(rows(line), [allowed])
    return answer


def test_without_a_mask_the_best_label_of_all() -> None:
    answer = read_one((0.1, 0.2, 0.6, 0.1), frozenset())
    assert answer.intent == "greeting"
    assert [label for label, _ in answer.ranked] == ["greeting", "deny", "affirm"]


def test_a_mask_shares_out_what_lies_inside() -> None:
    answer = read_one((0.5, 0.05, 0.4, 0.05), YES_NO)
    assert answer.intent == "affirm"
    assert answer.score == pytest.approx(0.5 / 0.6)
    assert "greeting" not in dict(answer.ranked)


def test_a_strong_label_outside_never_becomes_a_confident_wrong_one() -> None:
    answer = read_one((0.06, 0.01, 0.92, 0.01), YES_NO)
    assert answer.intent == "out_of_scope"
    assert answer.score == pytest.approx(0.93)
    assert dict(answer.ranked)["affirm"] == pytest.approx(0.06)


def test_out_of_scope_is_always_allowed() -> None:
    answer = read_one((0.1, 0.1, 0.1, 0.7), YES_NO)
    assert answer.intent == "out_of_scope"
    assert answer.score == pytest.approx(0.7 / 0.9)


def test_scores_of_a_row_never_pass_one() -> None:
    dice = np.random.default_rng(1)
    table = dice.dirichlet(np.full(4, 0.3), size=200).astype(np.float32)
    for answer in AnswerReader(LABELS, "m").read(table, [YES_NO] * 200):
        assert 0 <= answer.score <= 1 + 1e-6
        assert answer.intent in YES_NO | {"out_of_scope"}
        assert answer.score == max(score for _, score in answer.ranked)


def test_rows_of_one_batch_keep_their_own_masks() -> None:
    line = (0.45, 0.0, 0.5, 0.05)
    reader = AnswerReader(LABELS, "m")
    for _ in range(2):
        answers = reader.read(rows(line, line, line), [YES_NO, frozenset(), frozenset({"greeting"})])
        assert [answer.intent for answer in answers] == ["affirm", "greeting", "greeting"]


def test_a_model_without_out_of_scope_can_still_be_asked_with_a_mask() -> None:
    reader = AnswerReader(("card", "loan"), "m")
    [sure, lost] = reader.read(rows((0.9, 0.1), (0.1, 0.9)), [frozenset({"card"})] * 2)
    assert (sure.intent, lost.intent) == ("card", "out_of_scope")


def test_labels_that_the_model_does_not_have_are_never_answered() -> None:
    answer = read_one((0.3, 0.3, 0.3, 0.1), frozenset({"something_new"}))
    assert answer.intent == "out_of_scope"


def test_the_table_of_masks_stays_bounded() -> None:
    reader = AnswerReader(LABELS, "m")
    for number in range(1500):
        [answer] = reader.read(rows((0.9, 0.0, 0.1, 0.0)), [frozenset({"affirm", f"label {number}"})])
        assert answer.intent == "affirm"
    assert len(reader._masks) <= 1024


@pytest.mark.parametrize("table", [np.zeros((1, 3), np.float32), np.full((1, 4), np.nan, np.float32)])
def test_a_model_that_answers_nonsense_is_an_error(table: NDArray[np.float32]) -> None:
    with pytest.raises(IntentError):
        AnswerReader(LABELS, "m").read(table, [frozenset()])
