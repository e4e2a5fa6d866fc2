"""The tables.

Times are wall-clock milliseconds since the epoch (``*_at_ms``, UTC, 64 bit): they compare and index
the same way in every database. Spans are milliseconds (``*_ms``). A word that is None was never known.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows by itself only where the key is spelled INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")

READY_LANES = "ix_contacts_lanes"


class Base(DeclarativeBase):
    """The one metadata; constraints are named so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Campaign(Base):
    """A campaign as the database knows it; what it says and when it may call is in its folder."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    folder: Mapped[str] = mapped_column(Text, default="")
    created_at_ms: Mapped[int] = mapped_column(BigInteger)


class Import(Base):
    """One loading of one list. Its contacts count for nothing until ``visible_at_ms`` is set."""

    __tablename__ = "imports"
    __table_args__ = (Index(None, "campaign_id", "sha256"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    file: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    loaded: Mapped[int] = mapped_column(Integer, default=0)
    rejected: Mapped[int] = mapped_column(Integer, default=0)
    started_at_ms: Mapped[int] = mapped_column(BigInteger)
    touched_at_ms: Mapped[int] = mapped_column(BigInteger)  # old and not visible: left by a dead import
    visible_at_ms: Mapped[int | None] = mapped_column(BigInteger)


class Contact(Base):
    """One person of a list. ``state`` is a ``dialer.campaign.base.ContactState``.

    A lane is the set of contacts that share state, import, time zone and priority; inside a lane they
    lie by ``due_at_ms``. Picking looks into the lanes whose zone is open, so closed hours and staged
    imports are never scanned.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("campaign_id", "number"),
        Index(None, "import_id"),
        Index(READY_LANES, "campaign_id", "state", "priority", "time_zone", "import_id", "due_at_ms", "id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"))
    row: Mapped[int] = mapped_column(Integer)
    number: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text)  # IANA names, "|" between where several are possible
    fields: Mapped[str] = mapped_column(Text)  # JSON, see ``codec``
    state: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(Integer, default=0)  # higher goes first
    due_at_ms: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    last_disposition: Mapped[str] = mapped_column(Text, default="")
    last_attempt_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    blocked_reason: Mapped[str] = mapped_column(Text, default="")


class Run(Base):
    """One ``dialer run``: who holds the attempts that are open."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    started_at_ms: Mapped[int] = mapped_column(BigInteger)
    ended_at_ms: Mapped[int | None] = mapped_column(BigInteger)


class Attempt(Base):
    """One try to reach a contact, written before its INVITE leaves; open while ``disposition`` is None."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index(None, "contact_id"),
        Index(None, "number", "opened_at_ms"),
        Index(None, "campaign_id", "opened_at_ms"),
        Index(
            "ix_attempts_open",
            "run_id",
            sqlite_where=text("disposition IS NULL"),
            postgresql_where=text("disposition IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(32), unique=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"))
    number: Mapped[str] = mapped_column(Text)  # E.164, or the SIP URI of a call made by hand
    caller_id: Mapped[str] = mapped_column(Text, default="")
    trunk: Mapped[str] = mapped_column(Text, default="")
    opened_at_ms: Mapped[int] = mapped_column(BigInteger)
    dialled_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    sip_call_id: Mapped[str] = mapped_column(Text, default="")
    ended_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    disposition: Mapped[str | None] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text, default="")


class Call(Base):
    """The call detail record: the columns are those of ``dialer.call.CallRecord``."""

    __tablename__ = "calls"
    __table_args__ = (Index(None, "campaign_id", "started_at_ms"), Index(None, "started_at_ms"))

    call_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"), unique=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"))
    number: Mapped[str] = mapped_column(Text)
    caller_id: Mapped[str] = mapped_column(Text, default="")
    trunk: Mapped[str] = mapped_column(Text, default="")
    started_at_ms: Mapped[int] = mapped_column(BigInteger)
    ended_at_ms: Mapped[int] = mapped_column(BigInteger)
    disposition: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text, default="")
    sip_code: Mapped[int | None] = mapped_column(Integer)
    q850: Mapped[int | None] = mapped_column(Integer)
    sip_call_id: Mapped[str] = mapped_column(Text, default="")
    ring_ms: Mapped[float | None]
    setup_ms: Mapped[float | None]
    talk_ms: Mapped[float] = mapped_column(default=0.0)
    answer_ms: Mapped[float | None]
    hung_up_by: Mapped[str] = mapped_column(Text, default="")
    codec: Mapped[str] = mapped_column(Text, default="")
    jitter_ms: Mapped[float | None]
    loss_percent: Mapped[float | None]
    mos: Mapped[float | None]
    jitter_buffer_ms: Mapped[float | None]
    frames_dropped: Mapped[int] = mapped_column(Integer, default=0)
    underruns: Mapped[int] = mapped_column(Integer, default=0)
    transfer_status: Mapped[int | None] = mapped_column(Integer)
    suppress: Mapped[bool] = mapped_column(default=False)
    slots: Mapped[str] = mapped_column(Text, default="{}")  # JSON, see ``codec``


class Turn(Base):
    """One turn of a call: ``dialer.call.TurnRecord``. ``(call_id, round_id)`` is unique for ever."""

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("call_id", "round_id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("calls.call_id"))
    round_id: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    intent: Mapped[str] = mapped_column(Text)
    score: Mapped[float]
    state_from: Mapped[str] = mapped_column(Text)
    state_to: Mapped[str] = mapped_column(Text)
    reply_text: Mapped[str] = mapped_column(Text, default="")
    endpoint_ms: Mapped[float | None]
    reply_ms: Mapped[float | None]
    gap_ms: Mapped[float | None]
    barge_in_ms: Mapped[float | None]
    suspected_cut: Mapped[bool] = mapped_column(default=False)
    speech_start_ms: Mapped[float | None]
    speech_end_ms: Mapped[float | None]
    slots: Mapped[str] = mapped_column(Text, default="{}")


class Recording(Base):
    """The sound of a call, on disk."""

    __tablename__ = "recordings"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("calls.call_id"), unique=True)
    path: Mapped[str] = mapped_column(Text)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)


class Suppression(Base):
    """Do not call. ``scope`` is a campaign's name, or empty for all; ``pattern`` a number, or ``+44*``."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("pattern", "scope"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    scope: Mapped[str] = mapped_column(Text, default="")
    pattern: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(Text, default="")
    created_at_ms: Mapped[int] = mapped_column(BigInteger)


class Consent(Base):
    """What a person agreed to (an automated voice, a recording), where it was given, until when."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "number", "kind"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    number: Mapped[str] = mapped_column(String(32))
    scope: Mapped[str] = mapped_column(Text, default="")
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text, default="")
    given_at_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_at_ms: Mapped[int | None] = mapped_column(BigInteger)


class User(Base):
    """A person who may look at or change things; the password is an argon2 hash."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    role: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    disabled_at_ms: Mapped[int | None] = mapped_column(BigInteger)


class Audit(Base):
    """Who changed what. Rows are added, never changed."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "at_ms"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, default="")


class ControlRow(Base):
    """The wished state of a campaign (``scope`` its name), or of the whole system (``scope`` empty)."""

    __tablename__ = "controls"

    scope: Mapped[str] = mapped_column(Text, primary_key=True)
    wish: Mapped[str] = mapped_column(Text)
    lines: Mapped[int | None] = mapped_column(Integer)
    cps: Mapped[float | None]
    changed_at_ms: Mapped[int] = mapped_column(BigInteger)
    changed_by: Mapped[str] = mapped_column(Text, default="")
