"""Draws the picture of the live view: ``python docs/img/pictures.py`` writes ``live.svg`` beside itself.

The calls in it are invented; the view is the real one. For PNG: ``cairosvg live.svg -o live.png``.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI

from dialer.cli.views import live_view
from dialer.clock import ManualClock
from dialer.monitor.state import LiveState

WIDTH = 112
HERE = Path(__file__).parent

# No fonts from elsewhere: the reader's own monospace font will do.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
_FONTS = "DejaVu Sans Mono, Menlo, Consolas, monospace"


def draw(view: RenderableType, title: str, name: str) -> None:
    """Write one picture."""
    console = Console(
        record=True, width=WIDTH, force_terminal=True, color_system="truecolor", file=io.StringIO()
    )
    console.print(view)
    console.print()  # or the last line's underscores are cut off
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=_FORMAT, unique_id=name)
    (HERE / f"{name}.svg").write_text(
        svg.replace("Fira Code, monospace", _FONTS).replace("Fira Code", _FONTS)
    )


def live() -> RenderableType:
    """Half a minute into a campaign."""
    clock = ManualClock()
    state = LiveState(clock, campaign="bill_reminder", lines=8, planned=16)

    def call(index: int, name: str, *turns: tuple[str, str, float], at: str, wait_s: float) -> str:
        clock.advance(wait_s * 1000)
        call_id = str(index)
        state.call_started(call_id, f"+120255501{index:02}", name)
        state.call_state(call_id, at)
        for heard, intent, reply_ms in turns:
            state.call_heard(call_id, heard, intent, reply_ms)
        return call_id

    yes = ("yes speaking", "is_self", 31.0)
    paid = ("i paid it last week", "already_paid", 38.0)
    today = ("i will pay it today", "will_pay_today", 42.0)
    done = [
        (call(1, "Ann Keller", yes, paid, at="x", wait_s=0), "already_paid"),
        (call(2, "Ben Okafor", at="x", wait_s=0.2), "busy"),
        (call(3, "Carla Diaz", yes, today, at="x", wait_s=0.2), "will_pay_today"),
        (call(4, "Dora Lindqvist", at="x", wait_s=0.2), "voicemail"),
    ]  # fmt: skip
    call(
        5, "Edwin Park", yes, ("not today but on friday", "will_pay_later", 58.0), at="confirm_day", wait_s=3
    )
    call(6, "Farah Aziz", yes, ("can i talk to somebody", "ask_human", 33.0), at="to_agent", wait_s=2)
    call(7, "Goran Ilic", yes, at="bill", wait_s=4)
    call(8, "Hannah Moss", at="opening", wait_s=3)
    call(9, "Ivan Petrov", yes, ("that amount is not right", "dispute_amount", 74.0), at="dispute", wait_s=2)
    call(10, "Jia Chen", at="ringing", wait_s=2)
    call(11, "Kofi Mensah", at="dialling", wait_s=1)
    for call_id, disposition in done:
        clock.advance(900)
        state.call_ended(call_id, disposition)
    return live_view(state.snapshot(), rows=12)


if __name__ == "__main__":
    draw(live(), "dialer run --campaign bill_reminder", "live")
