"""``dialer bench``: figures, printed; see docs/architecture.md for what each name means."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dialer.bench.lines import bench_churn, bench_lines
from dialer.bench.turns import POLICIES, TURNS, TurnsOptions, bench_turns
from dialer.cli.output import console, print_json

app = typer.Typer(help="Measure this host.", no_args_is_help=True)


class Recogniser(StrEnum):
    """Who hears in ``turns``."""

    SPHINX = "sphinx"
    SCRIPTED = "scripted"


Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of standard output.")]


@app.command()
def lines(
    lines: Annotated[int, typer.Option(help="Calls at once.", min=1, max=2000)] = 100,
    seconds: Annotated[float, typer.Option(help="How long, once all are up.", min=2, max=600)] = 20,
    as_json: Json = False,
) -> None:
    """Calls whose audio is echoed through the dialer: CPU, gaps, losses, memory a line."""
    with console(as_json).status(f"{lines} calls for {seconds:g} s"):
        result = asyncio.run(bench_lines(lines=lines, seconds=seconds))
    report(result, as_json)


@app.command()
def churn(
    calls: Annotated[int, typer.Option(help="Calls in all.", min=1, max=100_000)] = 2000,
    seconds: Annotated[float, typer.Option(help="Length of a call.", min=0.5, max=60)] = 3,
    lines: Annotated[int, typer.Option(help="Calls at once.", min=1, max=500)] = 40,
    as_json: Json = False,
) -> None:
    """Many short calls in one run: crashes of cards, growth of processes."""
    with console(as_json).status(f"{calls} calls of {seconds:g} s over {lines} lines"):
        result = asyncio.run(bench_churn(calls=calls, seconds=seconds, lines=lines))
    report(result, as_json)


@app.command()
def turns(
    calls: Annotated[int, typer.Option(help="Calls at once.", min=1, max=100)] = 20,
    recogniser: Annotated[
        Recogniser, typer.Option(help="`scripted` knows the words; everything else is real.")
    ] = Recogniser.SPHINX,
    seed: Annotated[int, typer.Option(help="Of the callees.")] = 1,
    turns: Annotated[int, typer.Option(help="Turns of each call.", min=7, max=120)] = TURNS,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="`adaptive`, `fixed_MS`, `adaptive:max_tail_ms=MS,...`; several times for several. "
            f"Default: {', '.join(POLICIES)}.",
            metavar="NAME",
        ),
    ] = None,
    details: Annotated[
        Path | None,
        typer.Option(help="Write a JSON line an utterance, and keep the recordings.", metavar="FILE"),
    ] = None,
    data: Annotated[Path, typer.Option(help="Where caches and recordings go.", metavar="DIR")] = Path(
        "var/bench"
    ),
    as_json: Json = False,
) -> None:
    """Turn-taking as callees of real calls measure it: gaps, cuts, misses, barge-in, for three policies."""
    options = TurnsOptions(
        calls=calls,
        recogniser=recogniser.value,
        seed=seed,
        turns=turns,
        data=data,
        details=details,
        policies=tuple(policy) if policy else POLICIES,
    )
    with console(as_json).status("starting") as status:
        result = asyncio.run(bench_turns(options, status.update))
    if as_json:
        print_json(result)
        return
    policies = result.pop("policies")
    table = Table()
    table.add_column("")
    for name in policies:
        table.add_column(name)
    for figure in next(iter(policies.values())):
        table.add_row(figure, *(_shown(figures[figure]) for figures in policies.values()))
    console(False).print(table)
    report(result, as_json=False)


def report(result: dict[str, Any], as_json: bool) -> None:
    """Print a bench's result: a table for people, or JSON."""
    if as_json:
        print_json(result)
        return
    table = Table(show_header=False, box=None)
    for name, value in result.items():
        table.add_row(name, _shown(value))
    console(False).print(table)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)
