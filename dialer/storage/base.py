"""The writes as values, and the protocol that carries them out.

A write is a value so that it can wait in a queue, be tried again, and be spilled to a file while the
database is away. Wall times are milliseconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from dialer.call import CallRecord
from dialer.campaign.base import CallJob, CampaignPlan, ContactNext, Controls, Slot, ZoneDue
from dialer.errors import StorageError


class DatabaseUnavailable(StorageError):  # noqa: N818 - named for what the caller does about it
    """The database cannot be reached, is locked or is full: the same write may succeed later."""


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt, before its INVITE leaves; without ``campaign_id`` and ``contact_id`` for a call by hand."""

    attempt_id: str
    call_id: str
    number: str
    opened_at_ms: int
    run_id: int | None = None
    campaign_id: int | None = None
    contact_id: int | None = None
    caller_id: str = ""
    trunk: str = ""


@dataclass(frozen=True, slots=True)
class AttemptDialled:
    """The INVITE has left."""

    attempt_id: str
    sip_call_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CloseCall:
    """The end of an attempt: call, turns, recording, outcome, suppression and the contact's next state.

    Written twice it counts once. ``after`` is None for a call by hand.
    """

    record: CallRecord
    number: str
    ended_at_ms: int
    campaign_id: int | None = None
    contact_id: int | None = None
    caller_id: str = ""
    trunk: str = ""
    after: ContactNext | None = None


@dataclass(frozen=True, slots=True)
class Suppress:
    """Never call a number again; ``scope`` a campaign's name, or empty for all."""

    number: str
    reason: str
    source: str
    at_ms: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class TakeContacts:
    """See ``CampaignStore.take``; its result is a list of ``CallJob``."""

    plan: CampaignPlan
    slots: tuple[Slot, ...]
    now_ms: int
    is_open: Callable[[str], bool]
    run_id: int | None = None


SpillableOp: TypeAlias = AttemptDialled | CloseCall | Suppress
WriteOp: TypeAlias = OpenAttempt | TakeContacts | SpillableOp


@dataclass(frozen=True, slots=True)
class UnknownAttempt:
    """An attempt that a crash left open; its contact is held until a person has looked."""

    attempt_id: str
    number: str
    campaign: str
    opened_at_ms: int
    dialled_at_ms: int | None


class Records(Protocol):
    """A database that keeps the records. Methods block; they are called in threads of the writer.

    Raises:
        DatabaseUnavailable: try again later.
        StorageError: this will never succeed.
    """

    def apply(self, ops: Sequence[WriteOp], *, again: bool) -> list[list[CallJob] | None]:
        """Carry out writes in one durable transaction, all or none.

        Args:
            ops: in order.
            again: some of these may have been committed already, the answer being lost.

        Returns:
            One result for each write: the jobs of a ``TakeContacts``, otherwise None.
        """

    def controls(self) -> Controls:
        """The wished state; does not wait for a writer."""

    def due_zones(self, campaign_id: int) -> list[ZoneDue]:
        """See ``CampaignStore.due_zones``."""

    def close(self) -> None:
        """Give the connections back."""
