"""How a softphone tells what happens: the protocol, and JSON lines for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Protocol, TextIO

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
