"""When a contact is called again, by how the last attempt ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from dialer.call import Disposition

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class RetryRule:
    """Call again ``after_ms`` after the end of the attempt, plus up to ``jitter_ms``; never where None."""

    after_ms: int | None
    jitter_ms: int = 0


NEVER = RetryRule(None)

# What every campaign starts from; ``campaign.yaml`` overrides by disposition. Outcomes of a conversation
# (``will_pay_today``) are not here, so they are final unless a campaign says otherwise.
SHARED_RULES: Mapping[str, RetryRule] = MappingProxyType(
    {
        Disposition.BUSY: RetryRule(10 * MINUTE_MS, jitter_ms=MINUTE_MS),
        Disposition.NO_ANSWER: RetryRule(2 * HOUR_MS, jitter_ms=10 * MINUTE_MS),
        Disposition.REJECTED: RetryRule(DAY_MS, jitter_ms=HOUR_MS),
        Disposition.VOICEMAIL: RetryRule(DAY_MS, jitter_ms=HOUR_MS),
        Disposition.CONGESTION: RetryRule(5 * MINUTE_MS, jitter_ms=MINUTE_MS),
        Disposition.FAILED: RetryRule(HOUR_MS, jitter_ms=10 * MINUTE_MS),
        Disposition.HUNG_UP: RetryRule(DAY_MS, jitter_ms=HOUR_MS),
        Disposition.NO_RESPONSE: RetryRule(4 * HOUR_MS, jitter_ms=10 * MINUTE_MS),
        Disposition.CANCELLED: RetryRule(15 * MINUTE_MS, jitter_ms=MINUTE_MS),
        Disposition.INVALID_NUMBER: NEVER,
    }
)


@dataclass(frozen=True, slots=True)
class RetryRules:
    """The rules of a campaign.

    Attributes:
        rules: by disposition; those of ``SHARED_RULES`` stand where a campaign names none.
        max_attempts: a contact is never tried more often than this.
    """

    rules: Mapping[str, RetryRule] = field(default_factory=lambda: MappingProxyType({}))
    max_attempts: int = 3

    def rule(self, disposition: str) -> RetryRule:
        """The rule for a disposition; final where neither the campaign nor the shared rules name it."""
        return self.rules.get(disposition) or SHARED_RULES.get(disposition, NEVER)


DEFAULT_RULES = RetryRules()


def next_attempt_ms(
    rules: RetryRules, disposition: str, attempts: int, ended_at_ms: int, spread: float
) -> int | None:
    """When to call again.

    Args:
        rules: the campaign's.
        disposition: how the attempt ended.
        attempts: how many attempts the contact has had, this one included.
        ended_at_ms: when it ended.
        spread: 0..1, how much of the jitter to take; random in service, fixed in tests.

    Returns:
        Wall time in ms; None where the contact is done.
    """
    if attempts >= rules.max_attempts:
        return None
    rule = rules.rule(disposition)
    if rule.after_ms is None:
        return None
    return ended_at_ms + rule.after_ms + round(rule.jitter_ms * spread)


def put_off_until_ms(
    attempts_ms: Sequence[int], per_day: int | None, per_week: int | None, now_ms: int
) -> int | None:
    """When a number may be tried again that was tried at these times, in any campaign.

    Args:
        attempts_ms: wall times of its attempts, in any order; older ones than a week do not matter.
        per_day, per_week: caps for any 24 hours and any 7 days; None for no cap.
        now_ms: wall time.

    Returns:
        The moment; None where it may be tried now.
    """
    newest_first = sorted(attempts_ms, reverse=True)
    moments = [
        newest_first[cap - 1] + span_ms
        for cap, span_ms in ((per_day, DAY_MS), (per_week, WEEK_MS))
        if cap is not None and len(newest_first) >= cap
    ]
    until_ms = max(moments, default=now_ms)
    return until_ms if until_ms > now_ms else None
