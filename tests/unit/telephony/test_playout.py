from __future__ import annotations

import pytest

from dialer.telephony.playout import PlayoutRing, is_voiced
from dialer.telephony.wire import FRAME_BYTES, VOICED_PEAK

SILENT = bytes(FRAME_BYTES)


def tone(peak: int = 8000) -> bytes:
    return (peak.to_bytes(2, "little", signed=True) + bytes(2)) * (FRAME_BYTES // 4)


def test_frames_come_out_in_order_and_are_counted() -> None:
    ring = PlayoutRing(4)
    ring.put(1, tone(300) + tone(400))
    ring.put(2, tone(500))
    assert [ring.take() for _ in range(4)] == [tone(300), tone(400), tone(500), None]
    assert (ring.epoch, ring.played, ring.utterance, ring.utterance_played) == (4, 3, 2, 1)


def test_the_first_voiced_frame_of_each_utterance_is_marked_once() -> None:
    ring = PlayoutRing(0)
    ring.put(1, SILENT + tone() + tone())
    ring.put(2, tone())
    marks = []
    for _ in range(4):
        ring.take()
        marks.append(ring.voiced)
        ring.voiced = 0
    assert marks == [0, 1, 0, 2]


def test_running_dry_inside_an_utterance_is_an_underrun() -> None:
    ring = PlayoutRing(0)
    ring.put(1, tone())
    ring.take()
    assert ring.take() is None
    assert ring.underruns == 0  # nothing more may have been meant to come
    ring.put(1, tone())
    assert ring.underruns == 1
    ring.take()
    ring.take()
    ring.put(2, tone())
    assert ring.underruns == 1  # a pause between two utterances is none


def test_waiting_for_the_first_audio_is_no_underrun() -> None:
    ring = PlayoutRing(0)
    ring.take()
    ring.put(1, tone())
    assert ring.underruns == 0


def test_what_was_stopped_is_the_present_utterance_or_the_next() -> None:
    ring = PlayoutRing(0)
    assert (ring.present(), ring.left()) == ((0, 0), 0)
    ring.put(1, tone() * 3)
    assert (ring.present(), ring.left()) == ((1, 0), 3)
    ring.take()
    assert (ring.present(), ring.left()) == ((1, 1), 2)
    ring.take()
    ring.take()
    ring.put(2, tone() * 2)
    assert (ring.present(), ring.left()) == ((2, 0), 2)


@pytest.mark.parametrize(
    ("peak", "voiced"),
    [(VOICED_PEAK, False), (VOICED_PEAK + 1, True), (-VOICED_PEAK - 1, True), (-32768, True)],
)
def test_voiced_means_a_peak_above_minus_45_dbfs(peak: int, voiced: bool) -> None:
    assert is_voiced(tone(peak)) is voiced
