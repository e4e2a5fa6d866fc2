"""What the terminal shows."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from dialer.cli.views import (
    CallRow,
    calls_table,
    clock_text,
    live_view,
    outcome,
    summary,
    times_table,
    verdict,
)
from dialer.clock import NS_PER_S, ManualClock
from dialer.monitor.state import LiveState


def shown(view: RenderableType, width: int = 110, terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system="truecolor" if terminal else None,
    )
    console.print(view)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def running() -> LiveState:
    clock = ManualClock()
    state = LiveState(clock, campaign="bill_reminder", lines=8, planned=12)
    state.call_started("a", "+12025550101", "Ann Sample")
    state.call_state("a", "ask_identity")
    state.call_heard("a", "yes this is she", "confirm", 42.4)
    state.call_started("b", "+12025550102", "Bob Sample")
    state.call_started("c", "+12025550103", "Cat Sample")
    state.call_state("c", "ringing")
    clock.advance(12_000)
    state.call_ended("c", "busy")
    return state


def test_a_running_campaign() -> None:
    text = shown(live_view(running().snapshot()))
    for part in (
        "bill_reminder", "lines 2 of 8", "p95 42 ms", "1 of 12 calls", "0:12", "Ann Sample", "ask_identity",
        "“yes this is she”", "confirm", "42", "Bob Sample", "dialling", "Cat Sample", "busy 1",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("width", [100, 120])
def test_it_fits_the_width_without_colour(width: int) -> None:
    text = shown(live_view(running().snapshot()), width)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_colour_where_there_is_a_terminal() -> None:
    assert "\x1b[" in shown(live_view(running().snapshot()), terminal=True)


def test_calls_that_do_not_fit_are_counted() -> None:
    state = LiveState(ManualClock(), lines=30)
    for n in range(30):
        state.call_started(str(n), "+12025550101", f"Number {n}")
    text = shown(live_view(state.snapshot(), rows=10))
    assert "and 20 more live calls" in text
    assert "Number 9" in text
    assert "Number 10" not in text


def test_live_calls_come_before_ended_ones() -> None:
    text = shown(live_view(running().snapshot(), rows=2))
    assert "Cat Sample" not in text
    assert "Bob Sample" in text


def test_nothing_yet() -> None:
    text = shown(live_view(LiveState(ManualClock(), lines=4).snapshot()))
    assert "lines 0 of 4" in text
    assert "0 of 0 calls" in text


def test_a_drain_is_named() -> None:
    state = running()
    state.note = "draining"
    assert "draining" in shown(live_view(state.snapshot()))


ROWS = [
    CallRow("pays_today", "+12025550101", "will_pay_today", "will_pay_today", 3, 21.4, 120.6, 480.2, 470.0),
    CallRow("busy", "+12025550102", "busy", "busy"),
    CallRow("disputes", "+12025550103", "disputed", "hung_up", 1, 22.0, 230.0, 700.0, None),
]


def test_the_final_table_marks_what_went_wrong() -> None:
    lines = shown(calls_table(ROWS)).splitlines()
    paid = next(line for line in lines if "pays_today" in line)
    assert "✓ will_pay_today" in paid
    assert [word for word in paid.split() if word.isdigit()] == ["3", "21", "121", "480", "470"]
    assert "✗ hung_up, not disputed" in next(line for line in lines if "disputes" in line)


def test_columns_nobody_needs_are_left_out() -> None:
    text = shown(calls_table([CallRow("Ann", "+12025550101", "", "paid", 2)]))
    assert "callee" not in text
    assert "✓" not in text


def test_percentiles() -> None:
    text = shown(times_table({"reply_ms": [float(n) for n in range(1, 101)], "gap_ms": []}))
    reply = next(line for line in text.splitlines() if "reply_ms" in line).split()
    assert reply[-5:] == ["100", "50", "95", "99", "100"]
    assert next(line for line in text.splitlines() if "gap_ms" in line).split()[-1] == "0"


def test_the_verdict() -> None:
    assert verdict(ROWS, 12_340).plain == "3 calls in 12.3 s, 2 as expected, 1 not"
    assert verdict(ROWS[:2], 2000).plain == "2 calls in 2.0 s, 2 as expected"


@pytest.mark.parametrize("width", [100, 120])
def test_the_summary_fits(width: int) -> None:
    text = shown(
        summary(ROWS, {"answer_ms": [1.0], "endpoint_ms": [2.0]}, 1000, title="bill_reminder"), width
    )
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7, "0:07"), (760, "12:40"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_durations(seconds: int, text: str) -> None:
    assert clock_text(seconds * NS_PER_S) == text


def test_outcomes_are_told_apart() -> None:
    styles = {str(outcome(name).style) for name in ("will_pay_today", "busy", "failed", "cancelled")}
    assert len(styles) == 4
