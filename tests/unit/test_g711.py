from __future__ import annotations

import numpy as np
import pytest

from dialer import g711
from dialer.audio import VOICED_PEAK


def samples(*values: int) -> bytes:
    return np.array(values, dtype="<i2").tobytes()


def test_known_values() -> None:
    # ITU-T G.711 tables 1a and 2a: the largest values, and the smallest ones around zero
    assert [int(g711.ALAW_VALUES[octet]) for octet in (0xAA, 0x2A, 0xD5, 0x55)] == [32256, -32256, 8, -8]
    assert [int(g711.ULAW_VALUES[octet]) for octet in (0x80, 0x00, 0xFF, 0x7F)] == [32124, -32124, 0, 0]
    assert g711.alaw_encode(samples(1)) == bytes([g711.ALAW_SILENCE])


@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_every_octet_comes_back(law: str) -> None:
    octets = bytes(range(256))
    encode, decode = getattr(g711, f"{law}_encode"), getattr(g711, f"{law}_decode")
    again = decode(encode(decode(octets)))
    assert again == decode(octets)


@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_every_sample_is_near_its_code(law: str) -> None:
    values = np.arange(-32768, 32768, dtype=np.int32)
    encode, decode = getattr(g711, f"{law}_encode"), getattr(g711, f"{law}_decode")
    decoded = np.frombuffer(decode(encode(values.astype("<i2").tobytes())), dtype="<i2").astype(np.int32)
    assert np.all(
        np.abs(decoded - values) <= np.maximum(8, np.abs(values) / 16) + 640 * (np.abs(values) > 32_000)
    )


def test_voiced_octets() -> None:
    assert not g711.alaw_voiced(g711.alaw_encode(samples(*[VOICED_PEAK - 16] * 160)))
    assert g711.alaw_voiced(g711.alaw_encode(samples(*[0] * 159, VOICED_PEAK + 16)))
