"""Playout: what was really played, what a flush leaves over."""

from __future__ import annotations

from dialer.audio import FRAME_BYTES
from dialer.conversation.playout import Playout
from dialer.telephony.base import LegFlushed
from tests.unit.conversation.fakes import FakeLeg


def prompt(frames: int, value: int = 1) -> bytes:
    return bytes([value]) * FRAME_BYTES * frames


def playing() -> tuple[Playout, FakeLeg]:
    leg = FakeLeg()
    playout = Playout()
    playout.attach(leg)
    return playout, leg


def test_it_is_busy_until_the_last_frame_was_taken() -> None:
    playout, _ = playing()
    playout.say("a", "A", prompt(2))
    playout.say("b", "B", prompt(1))
    playout.advance(2)
    assert playout.busy
    assert playout.remaining_frames == 1
    playout.advance(3)
    assert not playout.busy


def test_advance_gives_the_frame_that_was_played() -> None:
    playout, _ = playing()
    playout.say("a", "A", prompt(1, 1) + prompt(1, 2))
    playout.say("b", "B", prompt(1, 3))
    frames = [bytes(playout.advance(n)) for n in (1, 2, 3, 3)]
    assert frames == [prompt(1, 1), prompt(1, 2), prompt(1, 3), bytes(FRAME_BYTES)]


def test_a_cut_prompt_is_resumed_where_it_stopped() -> None:
    playout, leg = playing()
    playout.say("a", "A", prompt(4, 1) + prompt(6, 2))
    playout.say("b", "B", prompt(5, 3))
    playout.advance(4)
    playout.stop()
    assert leg.log[-1] == "flush"
    cut = playout.flushed(LegFlushed(0, epoch=1, utterance=1, frames_played=4))
    assert cut is not None
    assert cut.prompt == "a"
    assert playout.resume()
    assert leg.queued[-2:] == [prompt(6, 2), prompt(5, 3)]


def test_what_was_played_out_before_the_flush_is_not_resumed() -> None:
    playout, _ = playing()
    playout.say("a", "A", prompt(4))
    playout.say("b", "B", prompt(4))
    playout.stop()
    cut = playout.flushed(LegFlushed(0, epoch=1, utterance=2, frames_played=1))
    assert cut is not None
    assert cut.prompt == "b"
    assert playout.resume()
    assert playout.remaining_frames == 3


def test_a_flush_of_nothing_leaves_nothing() -> None:
    playout, leg = playing()
    playout.stop()
    assert leg.log == []
    assert not playout.resume()


def test_uninterruptible_holds_only_while_that_prompt_plays() -> None:
    playout, _ = playing()
    playout.say("notice", "N", prompt(2), uninterruptible=True)
    playout.say("question", "Q", prompt(2))
    assert playout.uninterruptible
    playout.advance(2)
    assert not playout.uninterruptible
