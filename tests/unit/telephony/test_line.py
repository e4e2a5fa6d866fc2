from __future__ import annotations

from dialer.telephony.line import Line, SocketPlaces, Totals
from dialer.telephony.wire import DROPPED, FLUSHED, FRAME_BYTES, UP

FRAME = b"\x10\x27" * (FRAME_BYTES // 2)


def test_a_flush_begins_an_epoch_and_tells_what_was_stopped() -> None:
    line = Line(2)
    line.begin(9)
    line.ring.put(5, FRAME * 4)
    line.ring.take()
    message = line.flushed(line.flush(1), 77)
    assert UP.unpack_from(message) == (FLUSHED, 2, 9, 5, 77, 1, 1)
    assert DROPPED.unpack_from(message, UP.size) == (3,)
    assert (line.ring.epoch, line.ring.take()) == (1, None)


def test_underruns_are_counted_over_all_epochs() -> None:
    line = Line(0)
    for epoch in (1, 2):
        line.ring.put(1, FRAME)
        line.ring.take()
        line.ring.take()
        line.ring.put(1, FRAME)
        line.flush(epoch)
    assert line.underruns == 2


def test_another_call_begins_from_nothing() -> None:
    line = Line(0)
    line.ring.put(1, FRAME)
    line.gate = line.streaming = line.answered = True
    line.next_frame = line.frames_dropped = 3
    line.begin(2)
    assert (line.gate, line.streaming, line.answered) == (False, False, False)
    assert (line.next_frame, line.frames_dropped, line.serial) == (0, 0, 2)
    assert line.ring.take() is None


def test_counts_go_on_over_a_re_invite() -> None:
    totals = Totals()
    seen = []
    for stream in (((50, 1, 50), (80, 2, 79)), ((10, 0, 11), (90, 3, 91))):
        for received, lost, sent in stream:
            figures: dict[str, float] = {
                "rx_packets": received,
                "rx_lost": lost,
                "tx_packets": sent,
                "rtt_ms": 4.0,
            }
            totals.carry_over(figures)
            seen.append(tuple(figures.values()))
        totals.stream_ended()
    assert seen == [(50, 1, 50, 4.0), (80, 2, 79, 4.0), (90, 2, 90, 4.0), (170, 5, 170, 4.0)]


def test_calls_that_end_at_once_are_held_back_until_sockets_are_free_again() -> None:
    places = SocketPlaces(4)
    for call in range(23):
        places.close(call * 0.01)
    assert places.free(0.23)
    places.close(0.23)
    assert not places.free(0.24)
    assert places.free(0.61)  # the first socket's half second is over
