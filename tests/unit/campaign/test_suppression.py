from __future__ import annotations

import pytest

from dialer.campaign.suppression import SuppressionEntry, checked_pattern, hit, patterns_for
from dialer.errors import InputError

NUMBER = "+12025550100"


@pytest.mark.parametrize(
    ("pattern", "scope", "campaign", "hits"),
    [
        (NUMBER, "", "bills", True),
        (NUMBER, "bills", "bills", True),
        (NUMBER, "bills", "polls", False),
        ("+1202*", "", "bills", True),
        ("+1*", "", "bills", True),
        (f"{NUMBER}*", "", "bills", True),
        ("+1203*", "", "bills", False),
        ("+1202", "", "bills", False),
    ],
)
def test_entries_hit_by_number_and_prefix(pattern: str, scope: str, campaign: str, hits: bool) -> None:
    entry = SuppressionEntry(pattern, scope)
    assert (hit(NUMBER, campaign, [entry]) is entry) == hits
    assert (pattern in patterns_for(NUMBER)) == (hits or scope == "bills")


def test_a_global_entry_is_told_first() -> None:
    entries = [SuppressionEntry(NUMBER, "bills", "local"), SuppressionEntry(NUMBER, "", "global")]
    found = hit(NUMBER, "bills", entries)
    assert found is not None
    assert found.reason == "global"


@pytest.mark.parametrize(
    ("written", "kept"), [("+1 (202) 555-0100", NUMBER), ("+1202 *", "+1202*"), ("+1.202.555.0100", NUMBER)]
)
def test_patterns_have_one_spelling(written: str, kept: str) -> None:
    assert checked_pattern(written) == kept


@pytest.mark.parametrize("written", ["2025550100", "", "*", "+*", "+1202*5", "+12025550100000000", "hello"])
def test_what_is_no_pattern(written: str) -> None:
    with pytest.raises(InputError, match="international form"):
        checked_pattern(written)
