from __future__ import annotations

import contextlib
import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.calendar import zone_of_number
from dialer.campaign.numbers import BadNumber, NumberReader


@pytest.mark.parametrize(
    ("text", "region", "e164", "zone"),
    [
        ("+1 (202) 555-0100", "", "+12025550100", "America/New_York"),
        ("202.555.0100", "US", "+12025550100", "America/New_York"),
        ("1 202 555 0100", "US", "+12025550100", "America/New_York"),
        ("+44 20 7946 0958", "US", "+442079460958", "Europe/London"),
        ("020 7946 0958", "GB", "+442079460958", "Europe/London"),
        ("+852 9123 4567", "", "+85291234567", "Asia/Hong_Kong"),
        ("138 0013 8000", "CN", "+8613800138000", "Asia/Shanghai"),
        ("+1 800 234 5678", "", "+18002345678", ""),
    ],
)
def test_numbers_as_people_write_them(text: str, region: str, e164: str, zone: str) -> None:
    number = NumberReader(region).read(text)
    assert (number.e164, number.time_zone) == (e164, zone)


@pytest.mark.parametrize(
    ("text", "region", "problem"),
    [
        ("202 555 0100", "", "no country code"),
        ("hello", "US", "no telephone number"),
        ("+1202555010", "", "too short"),
        ("+120255501000", "", "too long"),
        ("+1 102 555 0100", "", "cannot exist"),
        ("+1 202 555 0100 x7", "", "extension"),
        ("+999 123456", "", "number"),
    ],
)
def test_numbers_that_cannot_be_dialled(text: str, region: str, problem: str) -> None:
    with pytest.raises(BadNumber) as caught:
        NumberReader(region).read(text)
    assert problem in caught.value.problem
    assert caught.value.mend


def test_north_american_validity_never_hangs_on_the_last_three_digits() -> None:
    """What ``NumberReader`` remembers is right only while this holds in the library's metadata."""
    kinds = [
        "general_desc", "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost",
        "personal_number", "voip", "pager", "uan", "voicemail",
    ]  # fmt: skip
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        for kind in kinds:
            desc = getattr(metadata, kind)
            if desc is None or desc.national_number_pattern is None or 10 not in desc.possible_length:
                continue
            # One group of alternatives at most, with free digits behind every ten-digit one of them.
            for alternative in alternatives(desc.national_number_pattern):
                free = re.search(r"(?:\\d\{(\d)\}|\\d)$", alternative)
                assert free, (region, kind, alternative)
                assert int(free[1] or 1) >= 3, (region, kind, alternative)


def alternatives(pattern: str) -> list[str]:
    """The parts of a pattern that ``|`` separates at its top level."""
    parts, depth = [""], 0
    for character in pattern:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


@given(st.integers(2_000_000_000, 9_999_999_999))
def test_remembering_changes_nothing(national: int) -> None:
    reader = NumberReader("US")
    number = phonenumbers.parse(f"+1{national}")
    exchange = f"+1{str(national)[:7]}"
    for tail in ("000", "432"):  # so that the exchange is remembered from another number
        with contextlib.suppress(BadNumber):
            reader.read(exchange + tail)
    if phonenumbers.is_valid_number(number):
        read = reader.read(f"+1{national}")
        assert (read.e164, read.time_zone) == (f"+1{national}", zone_of_number(number))
    else:
        with pytest.raises(BadNumber):
            reader.read(f"+1{national}")
