"""``dialer softphone``: a callee for tests and for trying things by ear."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from dialer.cli.output import out
from dialer.clock import ms_between
from dialer.errors import InputError, Mistake
from dialer.simulator.persona import load_persona
from dialer.simulator.report import Ready
from dialer.simulator.softphone import Callee, SoftphoneOptions, run_softphone
from dialer.simulator.truth import CallTruth


def softphone(
    persona: Annotated[Path | None, typer.Option(help="A persona file.", metavar="FILE")] = None,
    answer_with: Annotated[
        Path | None, typer.Option(help="A WAV (16-bit mono, 8 kHz) played to every caller.", metavar="WAV")
    ] = None,
    port: Annotated[int, typer.Option(help="SIP port; 0 for any that is free.", min=0, max=65535)] = 0,
    bind: Annotated[str, typer.Option(help="Local address of SIP and RTP.")] = "127.0.0.1",
    lines: Annotated[int, typer.Option(help="Calls at once.", min=1)] = 1,
    record: Annotated[Path | None, typer.Option(help="Folder for WAVs of what was heard.")] = None,
) -> None:
    """Answer calls as a persona does, until Ctrl-C; prints the URI to call."""
    if (persona is None) == (answer_with is None):
        raise InputError(
            Mistake("dialer softphone", None, "", "wants one of --persona and --answer-with", "Name one.")
        )
    callees: tuple[Callee, ...] = ()
    if persona is not None:
        read = load_persona(persona)
        callees = (Callee(read.number, read),)
    options = SoftphoneOptions(callees, answer_with, lines, port, bind, record)
    asyncio.run(_run(options))


async def _run(options: SoftphoneOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await run_softphone(options, PeopleReport(), stop)


class PeopleReport:
    """Tells a person at a terminal what a softphone does."""

    def ready(self, ready: Ready) -> None:
        """Calls can come."""
        for voice, stand_in in ready.stand_ins:
            out.print(f"flite is not installed: {voice} is spoken by {stand_in}", style="yellow")
        users = [number for number, _ in ready.numbers] or ["anybody"]
        for gateway in ready.gateways:
            for user in users:
                out.print(f"call me: [bold]sip:{user}@{gateway}[/]", highlight=False)

    def event(self, truth: CallTruth, t_ns: int, text: str) -> None:
        """Something happened in a call."""
        seconds = ms_between(truth.invited_ns, t_ns) / 1000
        out.print(f"{seconds:7.2f} s  {truth.persona or truth.number}: {text}", highlight=False, markup=False)

    def ended(self, truth: CallTruth) -> None:
        """A call is over."""
        gaps = ", ".join(f"{gap:.0f}" for gap in truth.gaps_ms)
        out.print(
            f"ended by {truth.ended_by or 'nobody'}, {len(truth.turns)} turns"
            + (f", gaps {gaps} ms" if gaps else ""),
            highlight=False,
        )

    def failed(self, problem: str) -> None:
        """The softphone cannot go on."""
        out.print(f"[red]{problem}[/]", highlight=False)
