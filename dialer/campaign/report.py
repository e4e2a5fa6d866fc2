"""A campaign summed up: counts, rates and percentiles, and the calls as a CSV. Pure."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TextIO

from dialer.campaign.importer import neutral
from dialer.campaign.outcome import instant

LATENCIES = ("answer_ms", "reply_ms", "gap_ms", "endpoint_ms")


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as a report needs it. Times in ms; ``started_at_ms`` is wall time since the epoch."""

    call_id: str
    number: str
    started_at_ms: int
    disposition: str
    cause: str
    sip_code: int | None
    talk_ms: float
    answer_ms: float | None
    setup_ms: float | None
    hung_up_by: str
    recording: str
    turns: int
    caller_id: str = ""
    trunk: str = ""
    mos: float | None = None
    slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """A campaign in numbers.

    Attributes:
        contacts: how many contacts are in which state.
        attempts: that ended; ``open_attempts``: that have not (calls in progress).
        answered: attempts that were answered by somebody or something.
        dispositions: how attempts ended, the most frequent first.
        talk_ms: all calls together.
        percentiles: ``p50``, ``p95``, ``p99`` of each of ``LATENCIES`` (and ``n``, how many there are).
    """

    campaign: str
    contacts: Mapping[str, int]
    attempts: int
    open_attempts: int
    answered: int
    dispositions: Mapping[str, int]
    talk_ms: float
    percentiles: Mapping[str, Mapping[str, float]]

    @property
    def answer_rate(self) -> float | None:
        """Answered of all attempts, 0..1; None without any."""
        return self.answered / self.attempts if self.attempts else None


def percentiles(values: Iterable[float | None]) -> dict[str, float]:
    """``p50``, ``p95`` and ``p99`` by the nearest rank, and how many values there were; None is left out."""
    known = sorted(value for value in values if value is not None)
    found: dict[str, float] = {"n": len(known)}
    for percent in (50, 95, 99):
        if known:
            rank = -(-percent * len(known) // 100)
            found[f"p{percent}"] = round(known[rank - 1], 1)
    return found


def summed(
    campaign: str,
    contacts: Mapping[str, int],
    open_attempts: int,
    calls: Iterable[tuple[str, float | None, float]],
    latencies: Mapping[str, Sequence[float | None]],
) -> CampaignReport:
    """Sum a campaign up.

    Args:
        campaign: its name.
        contacts: counts by state.
        open_attempts: calls in progress.
        calls: disposition, ``setup_ms`` (None where it was not answered) and ``talk_ms`` of each.
        latencies: the values of each of ``LATENCIES``.
    """
    dispositions: Counter[str] = Counter()
    answered, talk_ms = 0, 0.0
    for disposition, setup_ms, talked_ms in calls:
        dispositions[disposition] += 1
        answered += setup_ms is not None
        talk_ms += talked_ms
    return CampaignReport(
        campaign=campaign,
        contacts=dict(contacts),
        attempts=dispositions.total(),
        open_attempts=open_attempts,
        answered=answered,
        dispositions=dict(dispositions.most_common()),
        talk_ms=talk_ms,
        percentiles={name: percentiles(latencies.get(name, ())) for name in LATENCIES},
    )


_CSV_COLUMNS = (
    *("call_id", "started", "number", "disposition", "cause", "sip_code", "hung_up_by", "talk_s"),
    *("setup_ms", "answer_ms", "turns", "mos", "caller_id", "trunk", "recording", "slots"),
)


def write_csv(calls: Iterable[CallRow], file: TextIO) -> int:
    """Write calls as CSV with a header; cells that a spreadsheet would run as a formula are neutralised.

    Args:
        calls: in the order wanted.
        file: open for text, with ``newline=""``.

    Returns:
        How many rows, without the header.
    """
    writer = csv.writer(file)
    writer.writerow(_CSV_COLUMNS)
    count = 0
    for call in calls:
        count += 1
        cells = (
            call.call_id,
            instant(call.started_at_ms).isoformat(timespec="milliseconds"),
            call.number,
            call.disposition,
            call.cause,
            call.sip_code,
            call.hung_up_by,
            round(call.talk_ms / 1000, 1),
            call.setup_ms,
            call.answer_ms,
            call.turns,
            call.mos,
            call.caller_id,
            call.trunk,
            call.recording,
            "; ".join(f"{name}={_shown(value)}" for name, value in call.slots.items()),
        )
        writer.writerow([neutral("" if cell is None else str(cell)) for cell in cells])
    return count


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
