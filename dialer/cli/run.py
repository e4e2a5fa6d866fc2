"""``dialer run``: call the contacts of started campaigns. ``dialer stop``: end that, from anywhere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.live import Live

from dialer.campaign.base import Wish
from dialer.cli.database import Database, find_row, folder_of, now_ms, opened
from dialer.cli.output import out
from dialer.cli.views import live_view
from dialer.errors import CampaignError, InputError, Mistake
from dialer.monitor.state import LiveSnapshot
from dialer.runs import Planned, RunOptions, RunResult, run_campaigns
from dialer.settings import load_settings
from dialer.storage import lists, queries
from dialer.storage.ownership import owner_pid


def run(
    campaign: Annotated[
        list[str] | None, typer.Option(help="A campaign to call, and to start; else all that are started.")
    ] = None,
    lines: Annotated[int | None, typer.Option(help="Calls at once.", min=1, max=5000)] = None,
    cps: Annotated[float | None, typer.Option(help="New calls a second.", min=0.01)] = None,
    until_done: Annotated[bool, typer.Option("--until-done", help="End when nobody is due.")] = False,
    database: Database = None,
) -> None:
    """Call until stopped; Ctrl-C lets live calls say goodbye, a second one ends them."""
    settings = load_settings(database=database, lines=lines, cps=cps)
    if not settings.trunks:
        raise InputError(
            Mistake("dialer.yaml", None, "trunks", "there is no trunk to dial over",
                    "Add one: see docs/operations.md, or try `dialer demo`.")
        )  # fmt: skip
    today = datetime.now(UTC).date()
    with opened(settings.database, make=True) as engine:
        rows = [find_row(engine, name) for name in campaign] if campaign else queries.campaigns(engine)
        if not rows:
            raise CampaignError(
                "there are no campaigns: load one with `dialer campaign load DIR --contacts FILE`"
            )
        planned = []
        for row in rows:
            if not campaign and row.control.wish is not Wish.RUN:
                continue
            folder = folder_of(row)
            planned.append(Planned(folder, folder.settings.plan(row.campaign_id, today)))
        if not planned:
            raise CampaignError(
                "no campaign is started: `dialer campaign start NAME`, or run --campaign NAME"
            )
        pid = owner_pid(settings.database)
        if pid is None:  # else the run is refused below, and must not change what the other one is to do
            for name in campaign or ():
                lists.set_control(engine, name, now_ms(), wish=Wish.RUN)
            # A stop of an earlier run is over once somebody starts the next one.
            lists.set_control(engine, "", now_ms(), wish=Wish.RUN)
    options = RunOptions(lines=settings.lines, cps=settings.cps, until_done=until_done)
    out.print(f"starting {settings.lines} lines", highlight=False)
    with Live(console=out, auto_refresh=False) as screen:

        def show(snapshot: LiveSnapshot) -> None:
            screen.update(live_view(snapshot), refresh=True)

        result = asyncio.run(run_campaigns(settings, planned, options, show))
    _report(result)


def _report(result: RunResult) -> None:
    for campaign in result.progress.campaigns:
        outcomes = ", ".join(f"{count} {name}" for name, count in campaign.dispositions.items()) or "none"
        out.print(f"{campaign.name}: {campaign.attempts} calls ({outcomes})", highlight=False)
    if result.unknown:
        out.print(
            f"[yellow]{len(result.unknown)} attempts of an earlier run are unknown[/];"
            " their contacts are held: see `dialer campaign list --due`,"
            " decide with `dialer campaign release`",
            highlight=False,
        )
    if result.spilled:
        out.print(
            f"[yellow]{result.spilled} records wait in a spill file[/]: the next run brings them back",
            highlight=False,
        )
        raise typer.Exit(1)


def stop(
    drain: Annotated[bool, typer.Option("--drain", help="Let live calls say goodbye.")] = False,
    database: Database = None,
) -> None:
    """Emergency stop: no new calls at once, live calls end within a second."""
    with opened(database) as engine:
        lists.set_control(engine, "", now_ms(), wish=Wish.DRAIN if drain else Wish.STOP)
    out.print("draining" if drain else "stopping", highlight=False)
