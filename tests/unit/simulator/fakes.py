"""A leg and a report that write down what they are asked, for the tests of the callee's end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from dialer.audio import FRAME_BYTES
from dialer.simulator.persona import Persona
from dialer.simulator.report import Ready
from dialer.simulator.truth import CallTruth
from dialer.telephony.base import IncomingCall


def persona(**more: Any) -> Persona:
    data = {"name": "somebody", "number": "+12025550101", "expect": {"disposition": "x"}, **more}
    return Persona.model_validate(data)


class FakeLeg:
    """An inbound leg on paper."""

    call_id = "in-1"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered = asyncio.Event()
        self.queued = 0
        self.pcm = b""

    def ring(self, early_media: bool = False) -> None:
        self.asked.append("ring")

    def answer(self) -> None:
        self.asked.append("answer")
        self.answered.set()

    def reject(self, sip_code: int, reason: str = "") -> None:
        self.asked.append(f"reject {sip_code}")

    def play(self, pcm: bytes | memoryview, utterance: int) -> int:
        self.asked.append(f"play {utterance}")
        self.queued += len(pcm) // FRAME_BYTES
        self.pcm += bytes(pcm)
        return self.queued

    def flush(self) -> None:
        self.asked.append("flush")

    def hang_up(self, sip_code: int = 0) -> None:
        self.asked.append("hang up")

    def send_dtmf(self, digits: str) -> None:
        self.asked.append(f"dtmf {digits}")

    def transfer(self, target: str) -> None:
        self.asked.append(f"transfer {target}")


class FakeReport:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.calls: list[CallTruth] = []
        self.problems: list[str] = []

    def ready(self, ready: Ready) -> None:
        self.told.append("ready")

    def event(self, truth: CallTruth, t_ns: int, text: str) -> None:
        self.told.append(text)

    def ended(self, truth: CallTruth) -> None:
        self.calls.append(truth)

    def failed(self, problem: str) -> None:
        self.problems.append(problem)


def invite(
    number: str = "+12025550101", headers: Mapping[str, str] | None = None
) -> tuple[IncomingCall, FakeLeg]:
    leg = FakeLeg()
    return IncomingCall(0, number, "dialer", headers or {}, leg), leg
