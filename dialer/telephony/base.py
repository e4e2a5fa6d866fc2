"""The protocols of a telephone line, and the events that it reports.

Services see these and never a line card. All stamps are ``CLOCK_MONOTONIC`` nanoseconds taken in the
process where the thing happened. Handlers run in the event loop's thread and must return within
microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeAlias

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DialRequest:
    """One call to place.

    Attributes:
        call_id: ours; travels in every log line and record.
        attempt_id: travels in the INVITE as ``X-Attempt-Id``.
        destination: E.164 number (``+12025550101``), or a SIP URI for a call made by hand.
        trunk: the trunk's name; empty where the destination is a SIP URI.
        caller_id: E.164 number shown to the callee; empty for the trunk's own identity.
        ring_timeout_ms: give up (CANCEL) after this long without an answer.
        headers: further headers of the INVITE.
    """

    call_id: str
    attempt_id: str
    destination: str
    trunk: str = ""
    caller_id: str = ""
    ring_timeout_ms: int = 30_000
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


@dataclass(frozen=True, slots=True)
class LegDialled:
    """The INVITE has left. ``sip_call_id`` is its Call-ID."""

    t_ns: int
    sip_call_id: str


@dataclass(frozen=True, slots=True)
class LegRinging:
    """A provisional response: 180 or 183; ``early_media`` where it carried SDP."""

    t_ns: int
    sip_code: int
    early_media: bool


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """200 OK was received (RFC 3261 section 13.2.2.4); audio queued by ``Leg.play`` starts by itself."""

    t_ns: int
    codec: str


@dataclass(frozen=True, slots=True)
class LegVoiced:
    """The first voiced frame (peak above -45 dBFS) of an utterance of ours was taken by pjmedia."""

    t_ns: int
    utterance: int


@dataclass(frozen=True, slots=True)
class LegFlushed:
    """Our audio was stopped.

    Attributes:
        utterance: the one that was being played (or next to be played), 0 where nothing was queued.
        frames_played: how many frames of that utterance had been taken.
        t_ns: from this stamp on, our side is silent.
    """

    t_ns: int
    epoch: int
    utterance: int
    frames_played: int


@dataclass(frozen=True, slots=True)
class LegDtmf:
    """A digit from the callee (RFC 4733 or SIP INFO)."""

    t_ns: int
    digit: str
    method: str


@dataclass(frozen=True, slots=True)
class LegStats:
    """RTP statistics, cumulative since the answer; sampled every second and before we hang up."""

    t_ns: int
    rx_packets: int
    rx_lost: int
    tx_packets: int
    rx_jitter_ms: float
    jitter_buffer_ms: float
    rtt_ms: float
    frames_dropped: int
    underruns: int


@dataclass(frozen=True, slots=True)
class LegTransfer:
    """Progress of a blind transfer (REFER, RFC 3515): the SIP status; final when ``done``."""

    t_ns: int
    sip_code: int
    done: bool


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The call is over; no event and no frame follows.

    Attributes:
        sip_code: the final status of the INVITE, or 200 where it had been answered; 0 where our own
            side failed before the network answered.
        reason: SIP reason phrase, or what failed on our side (``card crashed``).
        q850: the Reason header's Q.850 cause, where there was one (RFC 3326).
        by: ``callee``, ``us`` or ``network``.
        answered: whether 200 OK had been received.
    """

    t_ns: int
    sip_code: int
    reason: str
    q850: int | None
    by: str
    answered: bool


LegEvent: TypeAlias = (
    LegDialled
    | LegRinging
    | LegAnswered
    | LegVoiced
    | LegFlushed
    | LegDtmf
    | LegStats
    | LegTransfer
    | LegEnded
)


class LegHandler(Protocol):
    """Who listens to a leg. Called in the loop's thread, in the order in which things happened."""

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        """20 ms of the callee.

        Args:
            pcm: int16 little-endian mono at 8 kHz, 320 bytes; valid only during the call.
            seq: counts frames from 0 without gaps at the card; where numbers are missing here, the
                hand-over dropped frames and silence must stand for them.
            t_ns: when the card got it.
            played: frames of ours taken by RTP in the present epoch.
        """

    def on_event(self, event: LegEvent) -> None:
        """Anything but audio."""


class Leg(Protocol):
    """One call on one line."""

    call_id: str

    def play(self, pcm: bytes | memoryview, utterance: int) -> int:
        """Queue audio; before the answer it waits in the card and starts with the answer.

        Audio goes to the card under credits and is never dropped. Silence follows by itself when
        the queue is empty.

        Args:
            pcm: whole frames of int16 mono at 8 kHz.
            utterance: a number above 0 that ``LegVoiced`` and ``LegFlushed`` report.

        Returns:
            The frame of the present epoch at which this audio ends: it was played out when
            ``on_frame`` reports ``played`` at or past it.
        """

    def flush(self) -> None:
        """Stop our audio now: queued frames are thrown away, a new epoch begins, ``LegFlushed`` follows."""

    def hang_up(self, sip_code: int = 0) -> None:
        """End the call (BYE, CANCEL); ``LegEnded`` follows. Twice is once."""

    def send_dtmf(self, digits: str) -> None:
        """Send digits as RFC 4733 events."""

    def transfer(self, target: str) -> None:
        """Blind transfer to a SIP URI by REFER; ``LegTransfer`` follows."""


class Telephony(Protocol):
    """The lines of a host."""

    @property
    def lines(self) -> int:
        """How many calls can be held at once when everything is well."""

    @property
    def free_lines(self) -> int:
        """How many calls could be placed now (slots that are usable again, on cards that answer)."""

    async def place(self, request: DialRequest, handler: LegHandler) -> Leg:
        """Send the INVITE.

        Raises:
            NoFreeLine: no slot is usable.
            TelephonyError: the destination or trunk cannot be used; the message names the mend.
        """


class InboundLeg(Leg, Protocol):
    """A call that came in (simulated callees only; the dialer refuses them)."""

    def ring(self, early_media: bool = False) -> None:
        """180 Ringing, or 183 Session Progress with SDP; ``play`` is then heard before the answer."""

    def answer(self) -> None:
        """200 OK."""

    def reject(self, sip_code: int, reason: str = "") -> None:
        """A final status of 300 or above."""


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """An INVITE that a line card in callee mode received."""

    t_ns: int
    to_user: str
    from_user: str
    headers: Mapping[str, str]
    leg: InboundLeg


class IncomingHandler(Protocol):
    """Who takes calls in callee mode."""

    def on_incoming(self, call: IncomingCall) -> LegHandler:
        """Called in the loop's thread; returns who listens to the leg. Answer with ``call.leg``."""
