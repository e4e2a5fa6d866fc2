from __future__ import annotations

import pytest

from dialer import audio
from dialer.telephony import wire


def test_constants_agree_with_those_that_need_numpy() -> None:
    assert wire.FRAME_BYTES == audio.FRAME_BYTES
    assert wire.FRAME_SAMPLES == audio.FRAME_SAMPLES
    assert wire.VOICED_PEAK == audio.VOICED_PEAK


def test_a_play_message_stays_under_16_kb_of_audio() -> None:
    assert wire.PLAY_FRAMES_MAX * wire.FRAME_BYTES <= 16_000 <= wire.MAX_MESSAGE


def test_control_messages_come_back_as_they_went() -> None:
    message = wire.control("dialled", 3, 65_535, sip_call_id="ä1", t_ns=7)
    assert message[0] == wire.CONTROL
    seen = wire.read_control(memoryview(message))
    assert seen == wire.Control("dialled", 3, 65_535, {"sip_call_id": "ä1", "t_ns": 7})


def test_a_control_message_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        wire.control("call", to="x" * wire.MAX_MESSAGE)


def test_no_kind_is_used_twice() -> None:
    kinds = [wire.FRAME, wire.EARLY_FRAME, wire.VOICED, wire.FLUSHED, wire.PLAY, wire.FLUSH, wire.CONTROL]
    assert len(set(kinds)) == len(kinds)
