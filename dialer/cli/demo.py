"""``dialer demo``: the example campaign against simulated callees, over real SIP and RTP on loopback.

Everything is what a real run is: contacts from a CSV file in SQL, line cards, recognition, records. Only
the callees are simulated: softphones in processes of their own, each with a persona whose file names
the outcome that must follow.
"""

from __future__ import annotations

import asyncio
import csv
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

import dialer
from dialer.call import CallRecord
from dialer.campaign.base import CallJob, Wish
from dialer.campaign.calendar import ALWAYS_OPEN
from dialer.campaign.folder import Campaign, load_campaign
from dialer.campaign.importer import load_contacts
from dialer.campaign.samples import CONTACTS_FILE, import_rules
from dialer.cli.database import now_ms
from dialer.cli.output import console, percentiles, print_json
from dialer.cli.views import CallRow, live_view, summary
from dialer.errors import CampaignError, InputError, Mistake
from dialer.monitor.state import LiveSnapshot
from dialer.runs import Planned, RunOptions, RunResult, run_campaigns
from dialer.settings import Settings, SipSettings
from dialer.simulator.farm import SoftphoneFarm, repeat
from dialer.simulator.persona import load_personas
from dialer.simulator.softphone import Callee
from dialer.simulator.truth import CallTruth
from dialer.storage import lists, sql
from dialer.telephony.trunk import Trunk

EXAMPLE = Path(dialer.__file__).parents[1] / "campaigns" / "bill_reminder"
TRUNK = "softphones"
TIMES = ("answer_ms", "reply_ms", "gap_ms", "endpoint_ms")


def demo(
    contacts: Annotated[int, typer.Option(help="How many; 0: each persona once.", min=0, max=900)] = 0,
    lines: Annotated[int, typer.Option(help="Calls at once.", min=1, max=100)] = 12,
    language: Annotated[str | None, typer.Option(help="Only personas of this language.")] = None,
    campaign: Annotated[
        Path, typer.Option(help="A campaign's folder with personas.", metavar="DIR")
    ] = EXAMPLE,
    data: Annotated[Path, typer.Option(help="Where the database and recordings go.", metavar="DIR")] = Path(
        "var/demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Run the example campaign against simulated callees; exit status 1 where an outcome is unexpected."""
    folder = load_campaign(campaign)
    if language is not None and language not in folder.settings.languages:
        raise InputError(
            Mistake("--language", None, "", f"{folder.settings.name} has no {language!r}",
                    f"Use {', '.join(folder.settings.languages)}.")
        )  # fmt: skip
    personas = load_personas(campaign / "personas")
    callees = repeat(personas, contacts or len(personas))
    people = console(as_json)
    started = time.monotonic()
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    settings = Settings(
        database=f"sqlite:///{data}/demo-{stamp}.db",
        data_dir=data,
        lines=lines,
        sip=SipSettings(bind_address="127.0.0.1", port=0, rtp_port=0),
    )
    data.mkdir(parents=True, exist_ok=True)
    listed = _write_list(folder, callees, data / f"contacts-{stamp}.csv")
    result, truths = asyncio.run(_run(settings, folder, callees, listed, people))
    if len(result.records) < len(callees):
        people.print(f"[red]only {len(result.records)} of {len(callees)} contacts were called[/]")
    rows = _rows(result.records, callees, truths)
    times = _times(result.records)
    people.print(
        summary(
            rows,
            times,
            (time.monotonic() - started) * 1000,
            title=f"{folder.settings.name}: {len(rows)} calls",
        )
    )
    people.print(f"every call is in {settings.database}", highlight=False)
    as_expected = sum(row.as_expected for row in rows)
    if as_json:
        print_json(
            {
                "calls": len(rows),
                "as_expected": as_expected,
                "dispositions": dict(Counter(row.got for row in rows).most_common()),
                **{name: percentiles(values) for name, values in times.items()},
                "database": settings.database,
                "lines": lines,
                "seconds": round(time.monotonic() - started, 1),
                "unexpected": [
                    {"persona": row.contact, "expected": row.expected, "got": row.got}
                    for row in rows
                    if not row.as_expected
                ],
            }
        )
    if as_expected < len(callees):
        raise typer.Exit(1)


def _write_list(campaign: Campaign, callees: Sequence[Callee], path: Path) -> Path:
    """The contact list of this demo: each persona's row of the example's list, under the callee's number."""
    source = campaign.path / CONTACTS_FILE
    with source.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        header = reader.fieldnames or ()
        by_number = {row["number"]: row for row in reader}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        for callee in callees:
            row = by_number.get(callee.persona.number)
            if row is None:
                raise CampaignError(
                    f"{source} has no row for {callee.persona.number} ({callee.persona.name})"
                )
            writer.writerow({**row, "number": callee.number})
    return path


async def _run(
    settings: Settings, campaign: Campaign, callees: Sequence[Callee], listed: Path, people: Console
) -> tuple[RunResult, list[CallTruth]]:
    with people.status("starting softphones") as status:
        # A few lines more than the dialer has, since a callee's line is free a moment after ours.
        farm = SoftphoneFarm(callees, lines=settings.lines + 4)
        gateways = await farm.start()
        trunk = Trunk(TRUNK, gateways, gateway_channels=farm.calls_per_gateway)
        try:
            campaign_id = _load(settings, campaign, listed)
            plan = replace(
                campaign.settings.plan(campaign_id, datetime.now(UTC).date()),
                hours=ALWAYS_OPEN,  # softphones do not sleep
                trunks=(TRUNK,),
                lines=settings.lines,
                cps=None,
            )
            screen: Live | None = None

            def show(snapshot: LiveSnapshot) -> None:
                nonlocal screen
                if screen is None:
                    status.stop()
                    screen = Live(console=people, auto_refresh=False, transient=True)
                    screen.start()
                screen.update(live_view(snapshot), refresh=people.is_terminal)

            try:
                result = await run_campaigns(
                    settings,
                    [Planned(campaign, plan)],
                    RunOptions(
                        lines=settings.lines,
                        cps=settings.cps,
                        until_done=True,
                        planned=len(callees),
                        trunks={TRUNK: trunk},
                    ),
                    show,
                    status.update,
                    keep_records=True,
                )
            finally:
                if screen is not None:
                    screen.stop()
        finally:
            truths = await farm.close()
    return result, truths


def _load(settings: Settings, campaign: Campaign, listed: Path) -> int:
    sql.upgrade(settings.database)
    engine = sql.make_engine(settings.database)
    try:
        name = campaign.settings.name
        campaign_id = lists.ensure_campaign(engine, name, str(campaign.path.resolve()), now_ms())
        rules = replace(import_rules(campaign, datetime.now(UTC).date()), hours=ALWAYS_OPEN)
        report = load_contacts(listed, rules, lists.SqlContactSink(engine, campaign_id))
        if report.rejected:
            raise InputError(report.mistakes)
        lists.set_control(engine, name, now_ms(), wish=Wish.RUN)
        return campaign_id
    finally:
        engine.dispose()


def _rows(
    records: Sequence[tuple[CallJob, CallRecord]], callees: Sequence[Callee], truths: Sequence[CallTruth]
) -> list[CallRow]:
    truth_of = {truth.attempt_id: truth for truth in truths}
    by_number = {job.contact.number: (job, record) for job, record in records}
    rows = []
    for callee in callees:
        persona = callee.persona
        job, record = by_number.get(callee.number, (None, None))
        if job is None or record is None:
            rows.append(
                CallRow(persona.name, callee.number, persona.expect.disposition, "", note="not called")
            )
            continue
        truth = truth_of.get(job.attempt_id)
        rows.append(
            CallRow(
                contact=persona.name,
                number=callee.number,
                expected=persona.expect.disposition,
                got=record.disposition,
                turns=len(record.turns),
                answer_ms=record.answer_ms,
                reply_ms=_worst(turn.reply_ms for turn in record.turns),
                gap_ms=_worst(turn.gap_ms for turn in record.turns),
                callee_gap_ms=_worst(truth.gaps_ms) if truth is not None else None,
                note=record.cause if record.disposition in ("failed", "technical_failure") else "",
            )
        )
    return rows


def _worst(values: Any) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _times(records: Sequence[tuple[CallJob, CallRecord]]) -> Mapping[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in TIMES}
    for _, record in records:
        if record.answer_ms is not None:
            times["answer_ms"].append(record.answer_ms)
        for turn in record.turns:
            for name in TIMES[1:]:
                value = getattr(turn, name)
                # A key has no silence that ends it: it would only flatter these.
                if value is not None and turn.intent != "dtmf":
                    times[name].append(value)
    return times
