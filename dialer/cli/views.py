"""What the terminal shows, as pure functions from values to rich renderables.

Colour only underlines what the words say, so that a terminal without colour (or a log file) loses
nothing. Meant for 100 to 120 columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dialer.call import Disposition
from dialer.cli.output import percentiles
from dialer.clock import NS_PER_S
from dialer.monitor.state import LiveCall, LiveSnapshot

REPLY_PROMISE_MS = 200.0

_NOT_REACHED = frozenset(
    {
        Disposition.BUSY,
        Disposition.NO_ANSWER,
        Disposition.REJECTED,
        Disposition.INVALID_NUMBER,
        Disposition.VOICEMAIL,
        Disposition.CONGESTION,
        Disposition.HUNG_UP,
        Disposition.NO_RESPONSE,
    }
)
_BROKEN = frozenset({Disposition.FAILED, Disposition.UNKNOWN})
_BEFORE_ANSWER = frozenset({"dialling", "ringing"})

_MEANING = {
    "answer_ms": "200 OK received to our first voice",
    "endpoint_ms": "callee's last voice to end of turn",
    "reply_ms": "end of turn to the reply's first voice",
    "gap_ms": "callee's last voice to the reply",
    "callee_gap_ms": "the same, measured by the callee",
    "barge_in_ms": "callee interrupts to our silence",
}


# --- a running campaign -------------------------------------------------------------------------


def live_view(snapshot: LiveSnapshot, *, rows: int = 20) -> RenderableType:
    """A running campaign: how far it is, its calls, and how the ended ones ended.

    Args:
        snapshot: the state to show.
        rows: lines for calls; live ones first, then the latest ended ones; what does not fit is counted.
    """
    return Group(_headline(snapshot), _progress(snapshot), _calls(snapshot, rows), _tally(snapshot))


def _headline(snapshot: LiveSnapshot) -> RenderableType:
    counts = snapshot.counts
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    left = Text(snapshot.campaign or "calls", style="bold")
    if snapshot.note:
        left.append(f"  {snapshot.note}", style="bold yellow")
    right = Text.assemble(
        ("lines ", "dim"), (f"{counts.live}", "bold cyan"), (f" of {snapshot.lines}", "dim"),
        ("   replies p95 ", "dim"), _reply(percentiles(snapshot.replies_ms)["p95"]), (" ms", "dim"),
        ("   time ", "dim"), clock_text(snapshot.t_ns - snapshot.since_ns),
    )  # fmt: skip
    line.add_row(left, right)
    return line


def _progress(snapshot: LiveSnapshot) -> RenderableType:
    counts = snapshot.counts
    total = counts.planned or counts.started
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(
        ProgressBar(
            total=max(total, 1), completed=counts.ended, complete_style="green", style="bright_black"
        ),
        Text(f"{counts.ended} of {total} calls", style="bold"),
    )
    return grid


def _calls(snapshot: LiveSnapshot, rows: int) -> RenderableType:
    table = Table(
        box=box.SIMPLE_HEAD, expand=True, pad_edge=False, header_style="dim", border_style="bright_black",
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("time", justify="right", width=5)
    table.add_column("contact", width=14, no_wrap=True, overflow="ellipsis")
    table.add_column("number", width=12, no_wrap=True)
    table.add_column("state", width=16, no_wrap=True, overflow="ellipsis")
    table.add_column("last heard", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("understood as", width=14, no_wrap=True, overflow="ellipsis")
    table.add_column("reply ms", justify="right", width=8)
    live = snapshot.calls[:rows]
    for call in live:
        table.add_row(*_call(call, snapshot.t_ns))
    ended = snapshot.recent[: rows - len(live)]
    for call in ended:
        table.add_row(*_call(call, snapshot.t_ns))
    hidden = len(snapshot.calls) - len(live)
    if hidden:
        table.caption = f"and {hidden} more live calls"
    return table


def _call(call: LiveCall, now_ns: int) -> tuple[Text, ...]:
    ended = call.ended_ns is not None
    faded = "dim" if ended else ""
    end_ns = call.ended_ns if call.ended_ns is not None else now_ns
    if ended:
        state = outcome(call.disposition)
    elif call.state in _BEFORE_ANSWER:
        state = Text(call.state, style="yellow")
    else:
        state = Text(call.state, style="cyan")
    heard = Text(f"“{call.heard}”" if call.heard else "", style=faded or "italic")
    return (
        Text(clock_text(end_ns - call.started_ns), style=faded),
        Text(call.name, style=faded or "bold"),
        Text(call.number, style="dim"),
        state,
        heard,
        Text(call.intent, style=faded),
        Text("") if call.reply_ms is None else _reply(call.reply_ms, faded),
    )


def _tally(snapshot: LiveSnapshot) -> RenderableType:
    text = Text()
    for name, count in snapshot.counts.dispositions.items():
        if text:
            text.append("   ")
        text.append_text(outcome(name))
        text.append(f" {count}", style="bold")
    return Padding(text, (0, 0, 0, 0))


# --- when it is over ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call of the final table; None or empty where it does not apply.

    Attributes:
        contact: the contact, or the persona that answered.
        number: the number dialled.
        expected: the disposition that should have followed; empty where nothing was expected.
        got: the disposition.
        turns: how many turns the callee took.
        answer_ms: 200 OK to our first voiced frame.
        reply_ms, gap_ms: the worst of its turns, as the dialer measured them.
        callee_gap_ms: the worst gap as the callee measured it.
        note: anything to be said about it.
    """

    contact: str
    number: str
    expected: str
    got: str
    turns: int = 0
    answer_ms: float | None = None
    reply_ms: float | None = None
    gap_ms: float | None = None
    callee_gap_ms: float | None = None
    note: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it ended as it should (or nothing was expected)."""
        return not self.expected or self.expected == self.got


def calls_table(rows: Sequence[CallRow], *, title: str = "") -> Table:
    """Every call: whether it ended as expected, and its worst times."""
    callee_view = any(row.callee_gap_ms is not None for row in rows)
    notes = any(row.note for row in rows)
    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        header_style="dim", border_style="bright_black", pad_edge=False,
    )  # fmt: skip
    table.add_column("contact", no_wrap=True)
    table.add_column("number", no_wrap=True, style="dim")
    table.add_column("outcome", no_wrap=True)
    for header in ("turns", "answer\nms", "worst\nreply ms", "worst\ngap ms"):
        table.add_column(header, justify="right")
    if callee_view:
        table.add_column("by the\ncallee", justify="right")
    if notes:
        table.add_column("", style="dim")
    for row in rows:
        cells: list[RenderableType] = [row.contact, row.number, _met(row)]
        cells.append(str(row.turns) if row.turns else "")
        reply = Text("") if row.reply_ms is None else _reply(row.reply_ms)
        cells += [_ms(row.answer_ms), reply, _ms(row.gap_ms)]
        if callee_view:
            cells.append(_ms(row.callee_gap_ms))
        if notes:
            cells.append(row.note)
        table.add_row(*cells)
    return table


def _met(row: CallRow) -> Text:
    """The outcome, and where it is another than expected, that too."""
    if not row.expected:
        return outcome(row.got)
    if row.as_expected:
        return Text("✓ ", style="green").append_text(outcome(row.got))
    return Text.assemble((f"✗ {row.got}", "bold red"), (f", not {row.expected}", "red"))


def times_table(times: Mapping[str, Sequence[float]]) -> Table:
    """Percentiles of measurements in ms, by name (``answer_ms``, ``reply_ms``, ...)."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", border_style="bright_black", pad_edge=False)
    table.add_column("measured", no_wrap=True)
    table.add_column("from → to", style="dim", no_wrap=True)
    for header in ("n", "p50", "p95", "p99", "max"):
        table.add_column(header, justify="right", min_width=5)
    for name, values in times.items():
        shares = percentiles(values)
        show = _reply if name == "reply_ms" else _ms
        table.add_row(
            Text(name, style="bold"),
            _MEANING.get(name, ""),
            str(len(values)),
            *(show(shares[p]) for p in ("p50", "p95", "p99")),
            show(max(values) if values else None),
        )
    return table


def verdict(rows: Sequence[CallRow], elapsed_ms: float) -> Text:
    """One line: how many calls, how many as expected, how long it took."""
    met = sum(row.as_expected for row in rows)
    style = "bold green" if met == len(rows) else "bold red"
    return Text.assemble(
        f"{len(rows)} calls in {elapsed_ms / 1000:.1f} s, ", (f"{met} as expected", style),
        "" if met == len(rows) else (f", {len(rows) - met} not", "bold red"),
    )  # fmt: skip


def summary(
    rows: Sequence[CallRow], times: Mapping[str, Sequence[float]], elapsed_ms: float, *, title: str = ""
) -> RenderableType:
    """The final table, the percentiles and the verdict."""
    return Group(calls_table(rows, title=title), times_table(times), verdict(rows, elapsed_ms))


# --- bits ---------------------------------------------------------------------------------------


def outcome(disposition: str) -> Text:
    """A disposition: reached green, not reached yellow, broken red, given up dim."""
    if disposition in _BROKEN:
        return Text(disposition, style="bold red")
    if disposition in _NOT_REACHED:
        return Text(disposition, style="yellow")
    if disposition == Disposition.CANCELLED:
        return Text(disposition, style="dim")
    return Text(disposition, style="green")


def clock_text(duration_ns: int) -> str:
    """``0:07``, ``12:40``, ``1:02:03``."""
    seconds = max(0, duration_ns) // NS_PER_S
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _ms(value: float | None) -> Text:
    return Text("") if value is None else Text(f"{value:.0f}")


def _reply(value: float | None, style: str = "") -> Text:
    """A reply time against the promise."""
    if value is None:
        return Text("–", style="dim")
    return Text(f"{value:.0f}", style=style or ("green" if value <= REPLY_PROMISE_MS else "bold red"))
