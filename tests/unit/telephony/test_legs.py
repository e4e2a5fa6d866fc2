from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dialer.telephony import base
from dialer.telephony.causes import NO_RESPONSE, RING_TIMEOUT
from dialer.telephony.legs import CardLeg
from dialer.telephony.wire import (
    CONTROL,
    DOWN,
    FLUSH,
    FRAME_BYTES,
    PLAY,
    PLAY_FRAMES_MAX,
    RING_FRAMES,
    Control,
    read_control,
)

FRAME = bytes(FRAME_BYTES)


class Card:
    """Takes what a leg sends; ``full`` refuses audio, as a full socket does."""

    def __init__(self) -> None:
        self.full = False
        self.sent: list[Any] = []

    def try_send(self, message: bytes) -> bool:
        if self.full:
            return False
        self.send(message)
        return True

    def send(self, message: bytes) -> None:
        if message[0] == CONTROL:
            order = read_control(message)
            self.sent.append((order.kind, dict(order.fields)))
            return
        kind, _, _, epoch, utterance = DOWN.unpack_from(message)
        frames = (len(message) - DOWN.size) // FRAME_BYTES
        self.sent.append(("play", epoch, utterance, frames) if kind == PLAY else ("flush", epoch))
        assert kind in (PLAY, FLUSH)

    def frames(self) -> int:
        return sum(entry[3] for entry in self.sent if entry[0] == "play")


class Listener:
    def __init__(self) -> None:
        self.events: list[base.LegEvent] = []
        self.frames: list[tuple[int, int]] = []
        self.fails: Callable[[], bool] = lambda: False

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        if self.fails():
            raise RuntimeError("on purpose")
        self.frames.append((seq, played))

    def on_event(self, event: base.LegEvent) -> None:
        self.events.append(event)
        if self.fails():
            raise RuntimeError("on purpose")


@pytest.fixture
def card() -> Card:
    return Card()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def leg(card: Card, listener: Listener) -> CardLeg:
    leg = CardLeg("c1", 0, 1, card)
    leg.listen(listener)
    return leg


def heard(leg: CardLeg, seq: int, epoch: int, played: int) -> None:
    leg.take_frame(memoryview(FRAME), seq, 0, epoch, played)


def over(leg: CardLeg, **fields: Any) -> None:
    usual = {"t_ns": 9, "code": 200, "reason": "OK", "q850": None, "heard": True, "by_bye": False}
    leg.take_control(Control("ended", 0, 1, {**usual, "answered": False, **fields}))


def test_long_audio_goes_down_in_pieces_under_credits(card: Card, leg: CardLeg) -> None:
    assert leg.play(FRAME * 400, 7) == 400
    assert card.sent == [("play", 0, 7, PLAY_FRAMES_MAX)] * 3
    assert card.frames() == RING_FRAMES
    heard(leg, 0, 0, 20)
    assert card.sent[-1] == ("play", 0, 7, 20)
    for played in range(40, 401, 20):
        heard(leg, played, 0, played)
    assert card.frames() == 400


def test_the_end_frame_counts_in_the_present_epoch(leg: CardLeg) -> None:
    assert leg.play(FRAME * 3, 1) == 3
    assert leg.play(memoryview(FRAME * 2), 2) == 5
    leg.flush()
    assert leg.play(FRAME, 3) == 1


def test_played_frames_of_an_older_epoch_are_not_reported(leg: CardLeg, listener: Listener) -> None:
    leg.play(FRAME * 9, 1)
    heard(leg, 0, 0, 4)
    leg.flush()
    heard(leg, 1, 0, 5)
    heard(leg, 2, 1, 0)
    assert listener.frames == [(0, 4), (1, 0), (2, 0)]


def test_a_flush_throws_away_what_waits_here(card: Card, leg: CardLeg) -> None:
    leg.play(FRAME * 400, 1)
    leg.flush()
    heard(leg, 0, 1, 0)
    assert card.sent[-1] == ("flush", 1)
    leg.play(FRAME * 2, 2)
    assert card.sent[-1] == ("play", 1, 2, 2)


def test_a_full_socket_keeps_audio_until_there_is_room(card: Card, leg: CardLeg) -> None:
    card.full = True
    leg.play(FRAME, 1)
    leg.play(FRAME * 2, 2)
    assert card.sent == []
    card.full = False
    leg.pump()
    assert card.sent == [("play", 0, 1, 1), ("play", 0, 2, 2)]


@pytest.mark.parametrize(("pcm", "utterance"), [(bytes(319), 1), (FRAME, 0), (FRAME, -1)])
def test_play_takes_whole_frames_and_an_utterance(leg: CardLeg, pcm: bytes, utterance: int) -> None:
    with pytest.raises(ValueError, match="whole frames"):
        leg.play(pcm, utterance)


@pytest.mark.parametrize(
    ("waiting", "card_says", "reported"),
    [
        (0, (5, 30, 10), (5, 30)),  # in the middle of 5, ten frames thrown away in the card
        (0, (5, 30, 0), (0, 0)),  # 5 had been played out
        (400, (1, 40, 110), (1, 40)),
        (400, (1, 150, 0), (1, 150)),  # the card ran dry while more of the same waited here
    ],
)
def test_flushed_tells_what_was_stopped(
    leg: CardLeg, listener: Listener, waiting: int, card_says: tuple[int, int, int], reported: tuple[int, int]
) -> None:
    if waiting:
        leg.play(FRAME * waiting, 1)
    leg.flush()
    utterance, played, dropped = card_says
    leg.take_flushed(1, utterance, played, dropped, 3)
    assert listener.events == [base.LegFlushed(3, 1, *reported)]


def test_flushed_names_the_utterance_that_waited_behind_a_finished_one(
    leg: CardLeg, listener: Listener
) -> None:
    leg.play(FRAME * RING_FRAMES, 1)
    leg.play(FRAME, 2)
    leg.flush()
    leg.take_flushed(1, 1, RING_FRAMES, 0, 3)
    assert listener.events == [base.LegFlushed(3, 1, 2, 0)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"code": 486, "reason": "Busy Here", "q850": 17}, (486, "Busy Here", 17, "callee", False)),
        ({"code": 404, "reason": "Not Found"}, (404, "Not Found", None, "network", False)),
        ({"code": 408, "reason": "x", "heard": False}, (408, NO_RESPONSE, None, "network", False)),
        ({"code": 408, "reason": "Timeout"}, (408, "Timeout", None, "network", False)),
        ({"by_bye": True, "answered": True}, (200, "OK", None, "callee", True)),
        ({"code": 408, "answered": True}, (200, "OK", None, "network", True)),
        ({"code": 0, "reason": "no such codec"}, (0, "no such codec", None, "us", False)),
    ],
)
def test_how_a_call_ended(
    leg: CardLeg, listener: Listener, fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    over(leg, **fields)
    assert listener.events == [base.LegEnded(9, *expected)]
    assert leg.ended


def test_hanging_up_is_ours_and_twice_is_once(card: Card, leg: CardLeg, listener: Listener) -> None:
    leg.hang_up()
    leg.hang_up()
    assert card.sent == [("hangup", {"code": 0, "reason": ""})]
    over(leg, answered=True)
    over(leg, answered=True)
    assert listener.events == [base.LegEnded(9, 200, "OK", None, "us", True)]


@pytest.mark.parametrize(
    ("heard_anything", "expected"),
    [(True, (487, RING_TIMEOUT, None, "us", False)), (False, (408, NO_RESPONSE, None, "network", False))],
)
async def test_ringing_out_differs_from_a_dead_trunk(
    leg: CardLeg, card: Card, listener: Listener, heard_anything: bool, expected: tuple[Any, ...]
) -> None:
    leg.ring_for(0)
    while not card.sent:
        await yield_once()
    assert card.sent == [("hangup", {"code": 0, "reason": ""})]
    over(leg, code=487, reason="Request Terminated", heard=heard_anything)
    assert listener.events == [base.LegEnded(9, *expected)]


async def yield_once() -> None:
    import asyncio

    await asyncio.sleep(0)


def test_nothing_is_sent_or_told_after_the_end(card: Card, leg: CardLeg, listener: Listener) -> None:
    over(leg)
    leg.play(FRAME, 1)
    leg.flush()
    leg.hang_up()
    leg.transfer("sip:a@b")
    leg.take_voiced(1, 1)
    assert card.sent == []
    assert len(listener.events) == 1


@pytest.mark.parametrize("where", ["frame", "event"])
def test_a_listener_that_raises_ends_its_leg_only_and_hears_the_end(
    card: Card, leg: CardLeg, listener: Listener, where: str
) -> None:
    listener.fails = lambda: True
    if where == "frame":
        heard(leg, 0, 0, 0)
    else:
        leg.take_voiced(1, 1)
    assert card.sent == [("hangup", {"code": 0, "reason": ""})]
    listener.fails = lambda: False
    heard(leg, 1, 0, 0)
    over(leg, answered=True)
    assert listener.frames == []
    assert isinstance(listener.events[-1], base.LegEnded)


def test_a_transfer_that_the_stack_refuses_is_a_failed_transfer(leg: CardLeg, listener: Listener) -> None:
    leg.take_control(Control("refused", 0, 1, {"t_ns": 4, "command": "transfer", "message": "no"}))
    assert listener.events == [base.LegTransfer(4, 0, True)]


def test_orders(card: Card, leg: CardLeg) -> None:
    leg.send_dtmf("12#")
    leg.transfer("sip:+12025550102@127.0.0.1")
    leg.ring(early_media=True)
    leg.answer()
    leg.reject(486, "Busy Here")
    assert card.sent == [
        ("dtmf", {"digits": "12#"}),
        ("transfer", {"target": "sip:+12025550102@127.0.0.1"}),
        ("ring", {"early_media": True}),
        ("answer", {}),
        ("hangup", {"code": 486, "reason": "Busy Here"}),
    ]


def test_orders_that_make_no_sense_are_refused(leg: CardLeg) -> None:
    with pytest.raises(ValueError, match="DTMF"):
        leg.send_dtmf("1x")
    with pytest.raises(ValueError, match="reject"):
        leg.reject(200)
