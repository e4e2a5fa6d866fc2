from __future__ import annotations

import pytest

from dialer.call import Disposition
from dialer.campaign.retry import (
    DAY_MS,
    MINUTE_MS,
    NEVER,
    WEEK_MS,
    RetryRule,
    RetryRules,
    next_attempt_ms,
    put_off_until_ms,
)

NOW = 1_767_600_000_000


def test_the_shared_rules_stand_unless_a_campaign_says_otherwise() -> None:
    rules = RetryRules({"busy": RetryRule(MINUTE_MS), "voicemail": NEVER, "promised": RetryRule(DAY_MS)})
    assert next_attempt_ms(rules, "busy", 1, NOW, 0) == NOW + MINUTE_MS
    assert next_attempt_ms(rules, "voicemail", 1, NOW, 0) is None
    assert next_attempt_ms(rules, "promised", 1, NOW, 0) == NOW + DAY_MS
    assert next_attempt_ms(rules, Disposition.NO_ANSWER, 1, NOW, 0) == NOW + 120 * MINUTE_MS


def test_outcomes_that_nobody_names_are_final() -> None:
    assert next_attempt_ms(RetryRules(), "will_pay_today", 1, NOW, 0) is None
    assert next_attempt_ms(RetryRules(), Disposition.INVALID_NUMBER, 1, NOW, 0) is None


def test_attempts_are_capped() -> None:
    rules = RetryRules(max_attempts=3)
    assert next_attempt_ms(rules, "busy", 2, NOW, 0) is not None
    assert next_attempt_ms(rules, "busy", 3, NOW, 0) is None


@pytest.mark.parametrize(("spread", "extra"), [(0.0, 0), (0.5, 500), (1.0, 1000)])
def test_jitter_is_added(spread: float, extra: int) -> None:
    rules = RetryRules({"busy": RetryRule(MINUTE_MS, jitter_ms=1000)})
    assert next_attempt_ms(rules, "busy", 1, NOW, spread) == NOW + MINUTE_MS + extra


@pytest.mark.parametrize(
    ("ago", "per_day", "per_week", "wait"),
    [
        ([], 1, 1, None),
        ([1000], None, None, None),
        ([1000], 2, None, None),
        ([1000, 5000], 2, None, DAY_MS - 5000),
        ([1000, 5000, 9000], 2, None, DAY_MS - 5000),
        ([DAY_MS + 1], 1, None, None),
        ([1000, 2 * DAY_MS], 2, 2, WEEK_MS - 2 * DAY_MS),
    ],
)
def test_a_number_is_not_tried_too_often(
    ago: list[int], per_day: int | None, per_week: int | None, wait: int | None
) -> None:
    found = put_off_until_ms([NOW - past for past in ago], per_day, per_week, NOW)
    assert found == (None if wait is None else NOW + wait)
