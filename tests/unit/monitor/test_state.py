"""The live state of all calls."""

from __future__ import annotations

from dialer.clock import ManualClock
from dialer.conversation.base import LiveView
from dialer.monitor.state import DIALLING, RECENT, REPLIES, LiveState


def test_a_call_from_dialling_to_its_end() -> None:
    clock = ManualClock(now_ns=0)
    state = LiveState(clock, campaign="bills", lines=8, planned=12)
    state.call_started("a", "+12025550101", "Ann")
    clock.advance(100)
    assert state.snapshot().calls[0].state == DIALLING
    state.call_state("a", "ringing")
    state.call_state("a", "ask_identity")
    state.call_heard("a", "yes speaking", "confirm", None)
    state.call_replied("a", 31.5)
    call = state.snapshot().calls[0]
    assert (call.state, call.turns, call.heard, call.intent) == ("ask_identity", 1, "yes speaking", "confirm")
    assert call.reply_ms == 31.5
    clock.advance(900)
    state.call_ended("a", "will_pay_today")
    after = state.snapshot()
    assert after.calls == ()
    assert after.recent[0].disposition == "will_pay_today"
    assert after.recent[0].ended_ns == 1_000_000_000
    assert after.replies_ms == (31.5,)
    assert (after.campaign, after.lines, after.counts.planned) == ("bills", 8, 12)


def test_counts() -> None:
    state = LiveState(ManualClock())
    for call_id, disposition in (("a", "busy"), ("b", "paid"), ("c", "paid"), ("d", "")):
        state.call_started(call_id, "+12025550101", call_id)
        if disposition:
            state.call_ended(call_id, disposition)
            state.call_ended(call_id, disposition)
    counts = state.snapshot().counts
    assert (counts.started, counts.live, counts.ended) == (4, 1, 3)
    assert list(counts.dispositions.items()) == [("paid", 2), ("busy", 1)]


def test_a_new_turn_forgets_the_last_reply_time() -> None:
    state = LiveState(ManualClock())
    state.call_started("a", "+12025550101", "Ann")
    state.call_heard("a", "yes", "confirm", 20.0)
    state.call_heard("a", "no", "deny", None)
    call = state.snapshot().calls[0]
    assert (call.turns, call.reply_ms) == (2, None)


def test_what_comes_after_the_end_is_ignored() -> None:
    state = LiveState(ManualClock())
    state.call_state("gone", "ringing")
    state.call_heard("gone", "hello", "greeting", None)
    state.call_ended("gone", "busy")
    assert state.snapshot().counts.started == 0
    assert state.snapshot().counts.ended == 0


def test_memory_is_bounded() -> None:
    state = LiveState(ManualClock())
    for n in range(RECENT + 10):
        state.call_started(str(n), "+12025550101", "x")
        state.call_ended(str(n), "busy")
    for n in range(REPLIES + 10):
        state.call_replied("gone", float(n))
    snapshot = state.snapshot()
    assert len(snapshot.recent) == RECENT
    assert snapshot.recent[0].call_id == str(RECENT + 9)
    assert len(snapshot.replies_ms) == REPLIES


def test_a_snapshot_does_not_change() -> None:
    state = LiveState(ManualClock())
    before = state.snapshot()
    state.call_started("a", "+12025550101", "Ann")
    assert before.calls == ()


def test_conversations_can_use_it() -> None:
    view: LiveView = LiveState(ManualClock())
    view.call_started("a", "+12025550101", "Ann")
