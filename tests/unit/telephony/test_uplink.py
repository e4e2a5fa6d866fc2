from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from dialer.telephony import uplink
from dialer.telephony.uplink import Uplink, enlarge_buffers


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def fill(up: Uplink) -> int:
    sent = 0
    while up.frame(b"f" * 344):
        sent += 1
    return sent


def test_frames_are_dropped_and_events_kept_while_the_dialer_does_not_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    up = Uplink(ours)
    frames = fill(up)
    up.event(b"first")
    up.event(b"second")
    assert not up.frame(b"f" * 344)
    for _ in range(frames):
        theirs.recv(400)
    up.retry()
    assert [theirs.recv(400), theirs.recv(400)] == [b"first", b"second"]


def test_a_dialer_that_never_reads_ends_the_card(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "WAITING_MAX", 3)
    up = Uplink(pair[0])
    fill(up)
    for _ in range(3):
        up.event(b"e")
    with pytest.raises(BufferError):
        up.event(b"e")


def test_a_dialer_that_is_gone_is_no_error_here(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    up = Uplink(pair[0])
    assert not up.frame(b"f")
    up.event(b"e")


def test_buffers_grow(pair: tuple[socket.socket, socket.socket]) -> None:
    before = fill(Uplink(pair[0]))
    enlarge_buffers(pair[0])
    assert fill(Uplink(pair[0])) > before // 2
