"""Values of a call: who is called, how it ended, and the measurements of DESIGN part 2."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


def new_id() -> str:
    """A fresh id for a call or an attempt: 32 lower-case hex digits, safe in a SIP header."""
    return uuid.uuid4().hex


class Disposition(StrEnum):
    """How an attempt ended as the network or the line saw it.

    A conversation that reaches a final state has the disposition which the campaign's ``dialog.yaml``
    names there (``will_pay_today``, ``opted_out``, ...); these are the ones every campaign shares.
    """

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    VOICEMAIL = "voicemail"
    CONGESTION = "congestion"  # no circuit, overload: the network's fault, try again soon
    FAILED = "failed"  # and why: ``cause`` says it
    CANCELLED = "cancelled"  # we gave up before the answer (stop, drain)
    HUNG_UP = "hung_up"  # the callee ended the call before any outcome
    NO_RESPONSE = "no_response"  # answered, but nothing was said
    UNKNOWN = "unknown"  # a crash left it open: held and reconciled, never redialled blindly


@dataclass(frozen=True, slots=True)
class Contact:
    """One person of a list, as dialling and dialog need them.

    Attributes:
        contact_id: primary key in the database; 0 for a call made by hand.
        number: E.164 with the plus sign, or a SIP URI for a call made by hand.
        language: BCP 47 primary tag of the prompts (``en``, ``zh``, ``yue``).
        fields: the other columns, values typed by the campaign (str, int, Decimal, date).
    """

    contact_id: int
    number: str
    language: str
    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class TurnRecord:
    """One callee utterance and our answer to it; times in ms, None where the thing never happened."""

    round_id: int
    text: str
    intent: str
    score: float
    state_from: str
    state_to: str
    reply_text: str = ""
    endpoint_ms: float | None = None
    reply_ms: float | None = None
    gap_ms: float | None = None
    barge_in_ms: float | None = None
    suspected_cut: bool = False
    speech_start_ms: float | None = None  # since the answer
    speech_end_ms: float | None = None  # since the answer
    slots: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class CallRecord:
    """What is kept of a call when it ends (the CDR and its turns)."""

    call_id: str
    attempt_id: str
    disposition: str
    cause: str = ""  # SIP status and reason, or the part of ours that failed
    sip_code: int | None = None
    q850: int | None = None
    sip_call_id: str = ""
    started_at_ms: float = 0.0  # wall clock, ms since the epoch, of the INVITE
    ring_ms: float | None = None  # INVITE to first 180/183
    setup_ms: float | None = None  # INVITE to 200 OK
    talk_ms: float = 0.0  # 200 OK to the end
    answer_ms: float | None = None
    hung_up_by: str = ""  # "callee", "us", "network"
    codec: str = ""
    jitter_ms: float | None = None
    loss_percent: float | None = None
    mos: float | None = None
    jitter_buffer_ms: float | None = None
    frames_dropped: int = 0
    underruns: int = 0
    recording: str = ""
    transfer_status: int | None = None
    suppress: bool = False  # the callee asked never to be called again
    slots: dict[str, Any] = field(default_factory=dict)
    turns: list[TurnRecord] = field(default_factory=list)
