"""The words of a campaign at work, and the protocol of the store that its scheduler needs.

Wall times are milliseconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from dialer.call import CallRecord, Contact
from dialer.campaign.calendar import ALWAYS_OPEN, CallingHours
from dialer.campaign.retry import DEFAULT_RULES, RetryRules


class ContactState(StrEnum):
    """Where a contact stands. The path is ready -> in_call -> ready (again later) or done."""

    READY = "ready"  # may be called from ``due_at_ms`` on
    IN_CALL = "in_call"  # an attempt is open
    DONE = "done"  # no further attempt; the last disposition says why
    BLOCKED = "blocked"  # whether it may be called cannot be decided; ``blocked_reason`` says why
    HELD = "held"  # a crash left the outcome unknown: a person must look first


class Wish(StrEnum):
    """What people want of a campaign, or of the whole system."""

    RUN = "run"
    PAUSE = "pause"  # no new calls; live calls go on
    DRAIN = "drain"  # no new calls; live calls say goodbye; then the run ends
    STOP = "stop"  # emergency: no new calls at once, live calls end within 1 s; then the run ends


@dataclass(frozen=True, slots=True)
class Control:
    """The wished state. ``lines`` and ``cps`` (calls per second) override the caps where not None."""

    wish: Wish = Wish.PAUSE
    lines: int | None = None
    cps: float | None = None


@dataclass(frozen=True, slots=True)
class Controls:
    """Everything that is wished: of the whole system, and of each campaign by name.

    A campaign that nobody ever started waits: it is called only after ``campaign start``.
    """

    overall: Control = Control(Wish.RUN)
    campaigns: Mapping[str, Control] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, campaign: str) -> Control:
        """The wish for one campaign."""
        return self.campaigns.get(campaign, Control())


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """How a campaign is to be called: what the scheduler needs of ``campaign.yaml``.

    Attributes:
        campaign_id: primary key of the campaign in the database.
        name: its name.
        hours: when its contacts may be called, in their own time.
        retry: when they are called again.
        trunks: names of trunks, used in turn; empty for the default one.
        caller_ids: E.164 numbers shown, used in turn; empty for the trunk's own.
        lines: at most so many calls at once; None for as many as there are.
        cps: at most so many new calls in any second; None for no cap.
        per_day, per_week: attempts on one number over all campaigns, in any 24 hours and any 7 days;
            None for no cap.
        consent_required: only numbers with a consent to automated calls on file are called.
    """

    campaign_id: int
    name: str
    hours: CallingHours = ALWAYS_OPEN
    retry: RetryRules = DEFAULT_RULES
    trunks: tuple[str, ...] = ()
    caller_ids: tuple[str, ...] = ()
    lines: int | None = None
    cps: float | None = None
    per_day: int | None = None
    per_week: int | None = None
    consent_required: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A line that was set aside for a call before it is known whom to call."""

    call_id: str
    attempt_id: str
    caller_id: str = ""
    trunk: str = ""


@dataclass(frozen=True, slots=True)
class CallJob:
    """One call to place; its attempt is on disk already.

    Attributes:
        attempt_number: counts the contact's attempts from 1, this one included.
        due_at_ms: since when the contact had been due.
    """

    call_id: str
    attempt_id: str
    campaign_id: int
    campaign_name: str
    contact: Contact
    caller_id: str = ""
    trunk: str = ""
    attempt_number: int = 1
    due_at_ms: int = 0
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class ContactNext:
    """What becomes of a contact when its attempt has ended.

    Attributes:
        state: READY with ``due_at_ms``, DONE, or BLOCKED with a ``reason``.
        due_at_ms: when it may be called again; kept from before where None.
        counts: False where the attempt was not the contact's doing (no line, stopped before the
            dialling) and is not counted.
    """

    state: ContactState
    due_at_ms: int | None = None
    reason: str = ""
    counts: bool = True


@dataclass(frozen=True, slots=True)
class ZoneDue:
    """The ready contacts of one time zone: the earliest ``due_at_ms`` among them."""

    time_zone: str
    due_at_ms: int


class CampaignStore(Protocol):
    """Contacts and attempts, as the scheduler uses them.

    Every method raises StorageError where the database stays away, except ``close_call``: what it is
    given is kept in any case.
    """

    async def controls(self) -> Controls:
        """The wished state, read without waiting for writers."""

    async def due_zones(self, campaign_id: int) -> Sequence[ZoneDue]:
        """The time zones that have ready contacts, due or not."""

    async def take(
        self, plan: CampaignPlan, slots: Sequence[Slot], now_ms: int, is_open: Callable[[str], bool]
    ) -> list[CallJob]:
        """Mark the next due contacts as in call and write their attempts, in one durable commit.

        Contacts come by priority, then by ``due_at_ms``, then by their order in the list. On the way
        suppressed ones are marked as done, those without a needed consent as blocked, and those that
        were tried too often of late are put off; each says why.

        Args:
            plan: the campaign.
            slots: one for each call that could be placed now.
            now_ms: the wall time; what is due later is left alone.
            is_open: whether contacts of a time zone may be called now; a pure function.

        Returns:
            At most one job for each slot.
        """

    async def close_call(self, job: CallJob, record: CallRecord, after: ContactNext) -> None:
        """Write the call, its turns, the attempt's outcome and what becomes of the contact, at once."""


@dataclass(frozen=True, slots=True)
class ActiveCall:
    """A call that is being placed or held. ``since_ns`` is the monotonic stamp of its start."""

    call_id: str
    campaign: str
    number: str
    since_ns: int


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """One campaign, as the progress view shows it; counts are of this run."""

    name: str
    wish: Wish
    active: int = 0
    attempts: int = 0
    dispositions: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    next_due_at_ms: int | None = None  # None: nothing is waiting
    lines: int | None = None
    cps: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the scheduler is doing.

    ``state`` is ``running``, ``waiting``, ``blind``, ``draining``, ``stopping`` or ``ended``. ``blind``:
    the wished state cannot be read, so no new calls are placed; ``note`` says why.
    """

    state: str = "waiting"
    campaigns: tuple[CampaignProgress, ...] = ()
    active: tuple[ActiveCall, ...] = ()
    note: str = ""
