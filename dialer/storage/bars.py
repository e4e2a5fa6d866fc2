"""Who must not be called: do-not-call entries, missing consent, too many attempts of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dialer.call import Disposition
from dialer.campaign.base import CampaignPlan, ContactState
from dialer.campaign.retry import WEEK_MS, put_off_until_ms
from dialer.campaign.suppression import patterns_for
from dialer.storage.models import Attempt, Consent, Contact, Suppression

AUTOMATED_CALL = "automated_call"  # the kind of consent that a campaign may need
NO_CONSENT = "no consent to automated calls is on file"
PUT_OFF = "tried as often as is allowed of late, all campaigns together"
SUPPRESSED = "suppressed"  # the last disposition of a contact that a list forbids to call

_set_aside = (
    sa.update(Contact)
    .where(Contact.id == sa.bindparam("b_id"))
    .values(
        state=sa.bindparam("b_state"),
        last_disposition=sa.bindparam("b_disposition"),
        due_at_ms=sa.bindparam("b_due_at_ms"),
        blocked_reason=sa.bindparam("b_reason"),
    )
)
_entries = sa.select(Suppression.pattern, Suppression.reason, Suppression.source).where(
    Suppression.pattern.in_(sa.bindparam("patterns", expanding=True)),
    Suppression.scope.in_(sa.bindparam("scopes", expanding=True)),
)


def set_aside(connection: Connection, aside: Mapping[int, dict[str, Any]]) -> None:
    """Keep what ``barred`` found, so that these contacts do not come up again and say why."""
    connection.execute(_set_aside, list(aside.values()))


def suppression_reasons(connection: Connection, campaign: str, numbers: Sequence[str]) -> dict[str, str]:
    """Why each suppressed number among these may not be called in a campaign."""
    patterns = {number: patterns_for(number) for number in numbers}
    every = sorted({pattern for several in patterns.values() for pattern in several})
    why: dict[str, str] = {}
    for start in range(0, len(every), 1_000):
        chunk = {"patterns": every[start : start + 1_000], "scopes": ["", campaign]}
        for row in connection.execute(_entries, chunk):
            why[row.pattern] = f"suppressed: {row.reason} ({row.source})"
    return {
        number: next(why[pattern] for pattern in several if pattern in why)
        for number, several in patterns.items()
        if any(pattern in why for pattern in several)
    }


def barred(
    connection: Connection, plan: CampaignPlan, rows: Sequence[Any], now_ms: int
) -> dict[int, dict[str, Any]]:
    """The contacts among these that are not to be called now, by id: what ``set_aside`` makes of each.

    Args:
        connection: in a transaction.
        plan: says what is needed.
        rows: contacts, with ``id``, ``number``, ``due_at_ms`` and ``last_disposition``.
        now_ms: wall time.
    """
    aside: dict[int, dict[str, Any]] = {}

    def put(row: Any, state: ContactState, reason: str, disposition: str = "", due_ms: int = 0) -> None:
        aside[row.id] = {
            "b_id": row.id,
            "b_state": state.value,
            "b_reason": reason,
            "b_disposition": disposition or row.last_disposition,
            "b_due_at_ms": due_ms or row.due_at_ms,
        }

    numbers = [row.number for row in rows]
    for_ever = suppression_reasons(connection, plan.name, numbers)
    agreed = _consenting(connection, plan, numbers, now_ms) if plan.consent_required else set(numbers)
    recent = _recent_attempts(connection, plan, numbers, now_ms)
    for row in rows:
        until_ms = put_off_until_ms(recent.get(row.number, ()), plan.per_day, plan.per_week, now_ms)
        if row.number in for_ever:
            put(row, ContactState.DONE, for_ever[row.number], SUPPRESSED)
        elif row.number not in agreed:
            put(row, ContactState.BLOCKED, NO_CONSENT)
        elif until_ms is not None:
            put(row, ContactState.READY, PUT_OFF, due_ms=until_ms)
    return aside


def _consenting(connection: Connection, plan: CampaignPlan, numbers: Sequence[str], now_ms: int) -> set[str]:
    query = sa.select(Consent.number).where(
        Consent.number.in_(numbers),
        Consent.kind == AUTOMATED_CALL,
        Consent.scope.in_(["", plan.name]),
        Consent.given_at_ms <= now_ms,
        sa.or_(Consent.revoked_at_ms.is_(None), Consent.revoked_at_ms > now_ms),
    )
    return set(connection.execute(query).scalars())


def _recent_attempts(
    connection: Connection, plan: CampaignPlan, numbers: Sequence[str], now_ms: int
) -> dict[str, list[int]]:
    """The last week's attempts on each number, in all campaigns; what never was dialled is no attempt."""
    if plan.per_day is None and plan.per_week is None:
        return {}
    query = sa.select(Attempt.number, Attempt.opened_at_ms).where(
        Attempt.number.in_(numbers),
        Attempt.opened_at_ms > now_ms - WEEK_MS,
        sa.func.coalesce(Attempt.disposition, "") != Disposition.CANCELLED.value,
    )
    found: dict[str, list[int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.number, []).append(row.opened_at_ms)
    return found
