from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.intent.features import MAX_CHARACTERS, FeatureSettings, hash_texts, normalise

SETTINGS = FeatureSettings()


def buckets_of(text: str, settings: FeatureSettings = SETTINGS) -> list[int]:
    return sorted(hash_texts([text], settings).buckets.tolist())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  I'll  PAY, tomorrow! ", "i'll pay tomorrow"),
        ("i\u2019ll pay", "i'll pay"),
        ("我 明天 还款。", "我明天还款"),
        ("ＡＢＣ１２", "abc12"),
        ("pay 50 块", "pay 50 块"),
        ("...", ""),
        ("\ud800", ""),
    ],
)
def test_one_spelling_for_one_utterance(text: str, expected: str) -> None:
    assert normalise(text) == expected


@settings(deadline=None)
@given(st.text(max_size=60))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_a_row_has_the_same_buckets_alone_and_in_company(texts: list[str]) -> None:
    together = hash_texts(texts, SETTINGS)
    for row, text in enumerate(texts):
        mine = together.buckets[together.starts[row] : together.starts[row + 1]]
        assert sorted(mine.tolist()) == buckets_of(text)


def test_counts_the_n_grams_that_were_asked_for() -> None:
    # " pay it " has 8 characters: 8 + 7 + 6 n-grams of one to three.
    assert len(buckets_of("pay it", FeatureSettings(char_to=3, words=False))) == 21
    # Two words: two words, two pairs (the last one's with the edge), one opening word.
    assert len(buckets_of("pay it", FeatureSettings(char_to=3))) == 26


def test_the_order_of_words_matters_and_their_place_does_not_change_a_word() -> None:
    only_words = FeatureSettings(char_from=1, char_to=1)
    forward, backward = buckets_of("pay it now", only_words), buckets_of("now it pay", only_words)
    assert forward != backward
    assert len(set(forward) & set(backward)) >= len({"p", "a", "y", "i", "t", "n", "o", "w", " "}) + 3


def test_all_buckets_lie_in_the_table_and_spread() -> None:
    hashed = hash_texts([chr(0x4E00 + number) for number in range(2000)], FeatureSettings(bits=12, char_to=1))
    assert 0 <= hashed.buckets.min() <= hashed.buckets.max() < 1 << 12
    assert len(np.unique(hashed.buckets)) > 1400  # 2000 balls in 4096 bins fill about 1580


def test_long_and_empty_texts_are_taken() -> None:
    assert buckets_of("ha" * 5000) == buckets_of("ha" * (MAX_CHARACTERS // 2))
    assert len(buckets_of("")) == 3  # two edges and their pair
