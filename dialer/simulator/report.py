"""How a softphone tells what happens: JSON lines for programs, readable lines for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Protocol, TextIO

from dialer.clock import ms_between
from dialer.simulator.truth import CallTruth

READY = "ready"
CALL = "call"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ready:
    """A softphone takes calls.

    Attributes:
        gateways: ``host:port`` of every SIP port.
        calls_per_gateway: how many calls each of them holds at once.
        numbers: who can be called: number and name; empty where anybody can.
        stand_ins: voices that are spoken by another one, because flite is not installed.
    """

    gateways: tuple[str, ...]
    calls_per_gateway: int
    numbers: tuple[tuple[str, str], ...]
    stand_ins: tuple[tuple[str, str], ...] = ()


class Report(Protocol):
    """Who is told."""

    def ready(self, ready: Ready) -> None:
        """Calls can come."""

    def event(self, truth: CallTruth, t_ns: int, text: str) -> None:
        """Something happened in a call."""

    def ended(self, truth: CallTruth) -> None:
        """A call is over."""

    def failed(self, problem: str) -> None:
        """The softphone cannot go on."""


class JsonReport:
    """One JSON object a line: ``{"event": "ready" | "call" | "failed", ...}``."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def ready(self, ready: Ready) -> None:
        """Calls can come."""
        self._write(event=READY, **asdict(ready))

    def event(self, truth: CallTruth, t_ns: int, text: str) -> None:
        """Left out: programs get whole calls."""

    def ended(self, truth: CallTruth) -> None:
        """A call is over."""
        self._write(event=CALL, **truth.to_json())

    def failed(self, problem: str) -> None:
        """The softphone cannot go on."""
        self._write(event=FAILED, problem=problem)

    def _write(self, **fields: object) -> None:
        self._out.write(json.dumps(fields) + "\n")
        self._out.flush()


class HumanReport:
    """A line an event, with the time since the INVITE."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def ready(self, ready: Ready) -> None:
        """Calls can come: where to."""
        for name, stand_in in ready.stand_ins:
            self._write(f"flite is not installed: the voice {stand_in} of eSpeak NG speaks for {name}")
        gateway = ready.gateways[0]
        if not ready.numbers:
            self._write(f"call sip:anybody@{gateway}")
        for number, name in ready.numbers:
            self._write(f"call sip:{number}@{gateway}   ({name})")
        if len(ready.gateways) > 1:
            self._write(f"or the same at {', '.join(ready.gateways[1:])}")
        self._write(f"{ready.calls_per_gateway} calls at once on each; Ctrl-C ends")

    def event(self, truth: CallTruth, t_ns: int, text: str) -> None:
        """Something happened in a call."""
        who = truth.persona or truth.number
        self._write(f"{ms_between(truth.invited_ns, t_ns) / 1000:8.2f} s  {who:<20} {text}")

    def ended(self, truth: CallTruth) -> None:
        """A call is over: the true times of its turns."""
        self.event(truth, truth.ended_ns, f"over, ended by the {truth.ended_by}")
        for turn in truth.turns:
            times = [
                f"{name} {value:.0f} ms"
                for name, value in (
                    ("answered after", turn.gap_ms),
                    ("caller silent after", turn.barge_in_ms),
                )
                if value is not None
            ]
            if turn.false_cut:
                times.append("cut short by the caller")
            self._write(f"{'':11} {'':<20}   “{turn.text}” {', '.join(times)}")
        if truth.recording:
            self._write(f"{'':11} {'':<20}   heard: {truth.recording}")

    def failed(self, problem: str) -> None:
        """The softphone cannot go on."""
        self._write(problem)

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
