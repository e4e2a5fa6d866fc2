from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.intent.slots import KINDS, read_slots

TODAY = date(2026, 3, 11)


def test_reads_what_is_wanted_and_leaves_out_what_is_not_there() -> None:
    text = "fifty dollars on friday"
    assert read_slots(text, "en-US", ["date", "amount", "time"], TODAY) == {
        "date": date(2026, 3, 13),
        "amount": Decimal(50),
    }
    assert read_slots(text, "en", ["amount"], TODAY) == {"amount": Decimal(50)}
    assert read_slots("下周五", "zh", ["date"], TODAY) == {"date": date(2026, 3, 20)}
    assert read_slots("聽日", "yue", ["date"], TODAY) == {"date": date(2026, 3, 12)}
    assert read_slots(" whatever ", "fr", ["date", "text"], TODAY) == {"text": "whatever"}


SAID = (
    "the first of next month friday in a week from march two hundred dollars and fifty cents half past six "
    "not today tomorrow end weekend couple 15 31st 99999999999 after 下 个 月 三 十 号 星期 天"
    " 点 半 块 过 百 万"
)
WORDS = st.sampled_from(SAID.split())


@settings(deadline=None)
@given(
    st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=30),
    st.sampled_from(["en", "zh", "yue"]),
    st.dates(date(2024, 1, 1), date(2040, 12, 31)),
)
def test_never_fails_and_never_names_a_day_that_is_over(text: str, language: str, today: date) -> None:
    found = read_slots(text, language, KINDS, today)
    assert found.get("date", today) >= today
    assert found.get("amount", 0) >= 0
