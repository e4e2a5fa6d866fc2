"""``dialer bench``: figures, printed; see docs/architecture.md for what each name means."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from dialer.bench.lines import bench_churn, bench_lines
from dialer.cli.output import console, print_json

app = typer.Typer(help="Measure this host.", no_args_is_help=True)

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
