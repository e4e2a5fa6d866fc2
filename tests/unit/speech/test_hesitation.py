from __future__ import annotations

import pytest

from dialer.speech.hesitation import looks_unfinished


@pytest.mark.parametrize(
    "text",
    [
        "um", "i will pay um", "yes but", "I paid it on", "my", "well", "well so", "i want to", "it's",
        "I'll pay if", "the", "Because...", "i would like to pay with",
    ],
)  # fmt: skip
def test_english_that_wants_more(text: str) -> None:
    assert looks_unfinished(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "yes", "no", "i will", "i don't want to", "what is this about", "who are you calling for", "okay",
        "i think that is his", "yes i am", "", "on friday", "i already paid it", "how much is it",
        "no not at all",
    ],
)  # fmt: skip
def test_english_that_is_whole(text: str) -> None:
    assert not looks_unfinished(text, "en")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我想 问 一下 那个", "zh"),
        ("因为", "zh"),
        ("不過，", "zh"),
        ("我听日俾，不過", "yue"),
        ("即係", "yue"),
    ],
)
def test_chinese_that_wants_more(text: str, language: str) -> None:
    assert looks_unfinished(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [("我已经付了", "zh"), ("嗯", "zh"), ("唔该", "yue"), ("我聽日俾", "yue"), ("and", "de")],
)
def test_what_is_whole_elsewhere(text: str, language: str) -> None:
    assert not looks_unfinished(text, language)
