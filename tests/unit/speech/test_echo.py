"""Echo of our own voice is not speech of the callee."""

from __future__ import annotations

import numpy as np

from dialer.clock import NS_PER_MS
from dialer.speech.echo import EchoGate


def tone(dbfs: float) -> bytes:
    amplitude = 32768 * 10 ** (dbfs / 20) * np.sqrt(2)
    wave = amplitude * np.sin(2 * np.pi * 400 * np.arange(160) / 8000)
    return bytes(wave.astype("<i2").tobytes())


def test_echo_does_not_pass_while_we_speak_nor_just_after() -> None:
    gate = EchoGate(tail_ms=400)
    gate.speaking(1000 * NS_PER_MS)
    assert not gate.passes(tone(-39), 1020 * NS_PER_MS)
    assert not gate.passes(tone(-39), 1380 * NS_PER_MS)
    assert gate.passes(tone(-39), 1420 * NS_PER_MS)


def test_the_callee_passes_at_any_time() -> None:
    gate = EchoGate()
    gate.speaking(1000 * NS_PER_MS)
    assert gate.passes(tone(-22), 1020 * NS_PER_MS)


def test_the_gate_follows_the_callee() -> None:
    gate = EchoGate()
    for at in range(100):
        assert gate.passes(tone(-15), at * 20 * NS_PER_MS)
    assert gate.gate_dbfs == -28.0
    for at in range(100, 400):
        assert gate.passes(tone(-30), at * 20 * NS_PER_MS)
    assert gate.gate_dbfs == -36.0


def test_our_own_voice_teaches_nothing() -> None:
    gate = EchoGate()
    for at in range(50):
        gate.speaking(at * 20 * NS_PER_MS)
        gate.passes(tone(-39), at * 20 * NS_PER_MS)
    assert gate.gate_dbfs == -36.0
