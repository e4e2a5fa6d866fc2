"""``dialer campaign``: check a folder, load its contacts, start and pause it, see how it goes."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dialer.campaign.base import Wish
from dialer.campaign.folder import Campaign, check_campaign, load_campaign
from dialer.campaign.importer import ImportReport, load_contacts
from dialer.campaign.report import CampaignReport, write_csv
from dialer.campaign.samples import import_rules, sample_contacts
from dialer.cli.database import Database, Json, find_row, folder_of, now_ms, opened
from dialer.cli.output import console, err, out, print_json
from dialer.cli.speak import speak_prompts
from dialer.errors import InputError
from dialer.storage import lists, queries

app = typer.Typer(help="Campaigns: check, load, list, start, pause, report.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The campaign's folder.", metavar="DIR")]
Name = Annotated[str, typer.Argument(help="The campaign's name.")]


@app.command()
def check(
    folder: Folder,
    speak: Annotated[
        Path | None,
        typer.Option(
            help="Write every prompt, with the values of real rows, to WAV files here.", metavar="DIR"
        ),
    ] = None,
    rows: Annotated[int, typer.Option(help="How many rows of contacts.csv to speak with.", min=1)] = 2,
    as_json: Json = False,
) -> None:
    """Read a campaign's folder and name every mistake in it; exit status 2 where there are any."""
    report = check_campaign(folder)
    if report.campaign is None:
        if as_json:
            print_json({"folder": folder, "good": False, "mistakes": [asdict(m) for m in report.mistakes]})
        raise InputError(list(report.mistakes))
    campaign = report.campaign
    written: list[Path] = []
    if speak is not None:
        with console(as_json).status("speaking"):
            written = asyncio.run(speak_prompts(campaign, sample_contacts(campaign, rows), speak))
    figures = {
        "states": len(campaign.dialog.states),
        "prompts": len(campaign.dialog.prompts),
        "intents": len({row.intent for rows_ in campaign.examples.values() for row in rows_}),
        "examples": {language: len(rows_) for language, rows_ in campaign.examples.items()},
    }
    if as_json:
        print_json({"folder": folder, "good": True, "mistakes": [], "spoken": len(written), **figures})
        return
    examples = ", ".join(f"{len(rows_)} {language}" for language, rows_ in campaign.examples.items())
    out.print(
        f"[green]{campaign.settings.name} is good[/]: {figures['states']} states,"
        f" {figures['prompts']} prompts,"
        f" {figures['intents']} intents from {examples} examples",
        highlight=False,
    )
    if speak is not None:
        out.print(f"{len(written)} WAV files and index.txt in {speak}", highlight=False)


@app.command()
def load(
    folder: Folder,
    contacts: Annotated[Path, typer.Option(help="The contact list, CSV.", metavar="FILE")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Load the good rows although some are bad.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where mistakes are written; else FILE.rejects.csv.", metavar="FILE")
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Load contacts into a campaign, all or none; the same file again changes nothing."""
    campaign = load_campaign(folder)
    rejects = rejects or contacts.with_name(contacts.name + ".rejects.csv")
    with opened(database, make=True) as engine:
        campaign_id = lists.ensure_campaign(engine, campaign.settings.name, str(folder.resolve()), now_ms())
        report = _load(
            campaign, contacts, lists.SqlContactSink(engine, campaign_id), partial, rejects, as_json
        )
    if as_json:
        print_json({"campaign": campaign.settings.name, **asdict(report)})
    if report.loaded == 0 and not report.unchanged:
        _explain(report)
        raise typer.Exit(2)
    if as_json:
        return
    if report.unchanged:
        out.print(f"{contacts} was loaded before: nothing changes", highlight=False)
        return
    out.print(f"{report.loaded} contacts loaded into {campaign.settings.name}", highlight=False)
    if report.blocked:
        out.print(
            f"{report.blocked} of them cannot be called yet, see"
            f" `dialer campaign list {campaign.settings.name} --due`",
            highlight=False,
        )
    if report.rejected:
        out.print(f"[yellow]{report.rejected} rows left out[/], see {report.rejects}", highlight=False)


def _load(
    campaign: Campaign,
    contacts: Path,
    sink: lists.SqlContactSink,
    partial: bool,
    rejects: Path,
    as_json: bool,
) -> ImportReport:
    columns = (TextColumn("loading"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(as_json), transient=True) as bar:
        task = bar.add_task("loading", total=None)
        return load_contacts(
            contacts,
            import_rules(campaign, datetime.now(UTC).date()),
            sink,
            partial=partial,
            rejects=rejects,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _explain(report: ImportReport) -> None:
    for mistake in report.mistakes[:20]:
        err.print(f"[red]error:[/] {escape(str(mistake))}", highlight=False, soft_wrap=True)
    err.print(
        f"{report.rejected} of {report.rows} rows are bad, nothing was loaded"
        + (f"; all of them are in {report.rejects}" if report.rejects else "")
        + ". Mend them, or load the others with --partial.",
        highlight=False,
        soft_wrap=True,
    )


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="One campaign; else all.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Who would be called when, and why not.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many contacts.", min=1)] = 100,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Campaigns with their contacts counted; with --due, who would be called when, and why not."""
    with opened(database) as engine:
        rows = [find_row(engine, name)] if name else queries.campaigns(engine)
        if not due:
            _list_campaigns(rows, as_json)
            return
        now = now_ms()
        found = {
            row.name: queries.due(
                engine, folder_of(row).settings.plan(row.campaign_id, datetime.now(UTC).date()), now, limit
            )
            for row in rows
        }
    if as_json:
        print_json(
            {"due": {campaign: [asdict(contact) for contact in list_] for campaign, list_ in found.items()}}
        )
        return
    for campaign, contacts in found.items():
        table = Table(
            "number",
            "when (their time)",
            "state",
            "attempts",
            "last",
            "why not",
            title=campaign,
            title_justify="left",
            box=None,
        )
        for contact in contacts:
            table.add_row(
                contact.number,
                _when(contact.at_ms, contact.time_zone, now),
                contact.state,
                str(contact.attempts),
                contact.last_disposition,
                contact.why_not,
            )
        out.print(table)


def _when(at_ms: int | None, time_zone: str, now: int) -> str:
    if at_ms is None:
        return "never"
    if at_ms <= now:
        return "now"
    zone = ZoneInfo(time_zone) if time_zone else UTC
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%a %Y-%m-%d %H:%M %Z}"


def _list_campaigns(rows: list[queries.CampaignRow], as_json: bool) -> None:
    if as_json:
        print_json({"campaigns": [asdict(row) for row in rows]})
        return
    table = Table("campaign", "wish", "lines", "cps", "contacts", "folder", box=None)
    for row in rows:
        contacts = ", ".join(f"{count} {state}" for state, count in row.contacts.items()) or "none"
        table.add_row(
            row.name,
            row.control.wish.value,
            "-" if row.control.lines is None else str(row.control.lines),
            "-" if row.control.cps is None else f"{row.control.cps:g}",
            contacts,
            row.folder,
        )
    out.print(table)


@app.command()
def start(
    name: Name,
    lines: Annotated[int | None, typer.Option(help="Calls at once; 0 takes the cap away.", min=0)] = None,
    cps: Annotated[
        float | None, typer.Option(help="New calls a second; 0 takes the cap away.", min=0)
    ] = None,
    database: Database = None,
) -> None:
    """Let a campaign be called; a running dialer follows within a second."""
    _wish(name, Wish.RUN, database, lines, cps)


@app.command()
def pause(name: Name, database: Database = None) -> None:
    """No new calls for a campaign; live ones go on."""
    _wish(name, Wish.PAUSE, database, None, None)


def _wish(name: str, wish: Wish, database: str | None, lines: int | None, cps: float | None) -> None:
    with opened(database) as engine:
        find_row(engine, name)
        control = lists.set_control(engine, name, now_ms(), wish=wish, lines=lines, cps=cps)
    caps = [
        f"{control.lines} lines" if control.lines else "",
        f"{control.cps:g} calls/s" if control.cps else "",
    ]
    out.print(
        f"{name}: {control.wish.value} {', '.join(cap for cap in caps if cap)}".rstrip(), highlight=False
    )


@app.command()
def release(
    name: Name,
    call_again: Annotated[bool, typer.Option("--call-again/--done", help="Call them again, or let them be.")],
    database: Database = None,
) -> None:
    """Decide about contacts that a crash left unknown: they are held until you do."""
    with opened(database) as engine:
        find_row(engine, name)
        count = lists.release_held(engine, name, now_ms(), call_again=call_again)
    out.print(f"{count} contacts {'will be called again' if call_again else 'are done'}", highlight=False)


@app.command()
def report(
    name: Name,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write every call to this CSV file; - for standard output.", metavar="FILE"),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Attempts, answers, outcomes, talk time, latencies."""
    if as_json and str(csv) == "-":
        raise typer.BadParameter("standard output holds one of --json and --csv -", param_hint="--csv")
    with opened(database) as engine:
        find_row(engine, name)
        summed = queries.report(engine, name)
        if csv is not None and str(csv) == "-":
            write_csv(queries.calls(engine, name), sys.stdout)
            return
        if csv is not None:
            with csv.open("w", newline="", encoding="utf-8") as file:
                count = write_csv(queries.calls(engine, name), file)
            console(as_json).print(f"{count} calls written to {csv}", highlight=False)
    if as_json:
        print_json({**asdict(summed), "answer_rate": summed.answer_rate})
    else:
        _show(summed)


def _show(report: CampaignReport) -> None:
    rate = "-" if report.answer_rate is None else f"{report.answer_rate:.0%}"
    out.print(
        f"[bold]{report.campaign}[/]: {report.attempts} attempts, {report.answered} answered ({rate}),"
        f" {report.talk_ms / 60_000:.1f} minutes of talk, {report.open_attempts} calls now",
        highlight=False,
    )
    most = max(report.dispositions.values(), default=1)
    table = Table("disposition", "attempts", "", box=None)
    for disposition, count in report.dispositions.items():
        table.add_row(disposition, str(count), "█" * max(1, round(30 * count / most)))
    out.print(table)
    times = Table("times, ms", "p50", "p95", "p99", "n", box=None)
    for name, shares in report.percentiles.items():
        if shares.get("n"):
            times.add_row(name, *(f"{shares[p]:.0f}" for p in ("p50", "p95", "p99")), f"{shares['n']:.0f}")
    out.print(times)
