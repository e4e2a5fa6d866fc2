"""``dialer call``: one call to a number or SIP URI, now, to hear a campaign or to try a trunk."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from dialer.app import Host
from dialer.call import CallRecord, Contact, new_id
from dialer.campaign.base import CallJob, Wish
from dialer.campaign.cells import FIELD_READERS, BadCell
from dialer.campaign.columns import ColumnKind
from dialer.campaign.folder import Campaign, load_campaign
from dialer.campaign.samples import sample_contact
from dialer.cli.database import make_database
from dialer.cli.output import console, print_json
from dialer.clock import SystemClock
from dialer.errors import InputError, Mistake, TelephonyError
from dialer.monitor.state import LiveState
from dialer.runs import open_records, record_link
from dialer.settings import Settings, load_settings
from dialer.telephony.destination import is_sip_uri, parse_uri


def call(
    destination: Annotated[str, typer.Argument(help="A SIP URI, or a number in E.164 (+12025550101).")],
    campaign: Annotated[Path, typer.Option(help="The campaign's folder.", metavar="DIR")],
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="A value of the contact, NAME=VALUE; else those of the first contact.", metavar="NAME=VALUE"
        ),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language of the prompts.")] = None,
    trunk: Annotated[str | None, typer.Option(help="Name of the trunk, for a number.")] = None,
    database: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of the records.", metavar="URL")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Ring a number of your own and hear the campaign; exit status 0 when a record was written."""
    settings = load_settings(database=database, lines=1)
    folder = load_campaign(campaign)
    contact = _contact(folder, destination, field or [], language)
    if is_sip_uri(destination):
        try:
            parse_uri(destination)
        except TelephonyError as error:
            raise InputError(Mistake(destination, None, "", str(error), "")) from error
    elif trunk and trunk not in settings.trunks:
        known = ", ".join(settings.trunks) or "none"
        raise InputError(Mistake("--trunk", None, "", f"there is no trunk {trunk!r}", f"There are: {known}"))
    elif not settings.trunks:
        raise InputError(
            Mistake(
                "dialer.yaml", None, "trunks", f"no trunk to dial {destination} over",
                "Add a trunk, or name a SIP URI: dialer call sip:user@host",
            )
        )  # fmt: skip
    make_database(settings)
    if not is_sip_uri(destination):
        trunk = trunk or next(iter(settings.trunks))
    record = asyncio.run(_place(settings, folder, contact, trunk or "", as_json))
    _report(record, as_json)


def _contact(campaign: Campaign, destination: str, given: list[str], language: str | None) -> Contact:
    sample = sample_contact(campaign)
    fields: dict[str, Any] = dict(sample.fields)
    columns = {column.name: column for column in campaign.settings.columns}
    for text in given:
        name, _, value = text.partition("=")
        if name not in columns or name not in fields:
            known = ", ".join(sorted(fields))
            raise InputError(Mistake("--field", None, name, "is no field of the campaign", f"Use {known}."))
        try:
            fields[name] = FIELD_READERS[ColumnKind(columns[name].kind)](value)
        except BadCell as error:
            raise InputError(Mistake("--field", None, name, error.problem, error.mend)) from error
    if language is not None and language not in campaign.settings.languages:
        raise InputError(
            Mistake("--language", None, "", f"the campaign has no {language!r}",
                    f"Use {', '.join(campaign.settings.languages)}.")
        )  # fmt: skip
    return Contact(0, destination, language or sample.language, MappingProxyType(fields))


async def _place(
    settings: Settings, campaign: Campaign, contact: Contact, trunk: str, as_json: bool
) -> CallRecord:
    clock = SystemClock()
    live = LiveState(clock, campaign=campaign.settings.name, lines=1, planned=1)
    people = console(as_json)
    async with open_records(settings.database, settings.data_dir, clock, None) as writer:
        with people.status("starting") as status:
            host = Host(
                settings,
                [campaign],
                lines=1,
                link=record_link(writer),
                live=live,
                clock=clock,
                announce=status.update,
            )
            async with host:
                job = CallJob(
                    call_id=new_id(),
                    attempt_id=new_id(),
                    campaign_id=0,
                    campaign_name=campaign.settings.name,
                    contact=contact,
                    trunk=trunk,
                )
                await writer.open_attempt(job.attempt_id, job.call_id, contact.number, trunk=trunk)
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, host.end_calls, Wish.DRAIN)
                status.update(f"calling {contact.number} (Ctrl-C says goodbye)")
                try:
                    record = await host.run_call(job)
                except Exception as error:
                    await writer.close_call(_failed(job, error), number=contact.number, trunk=trunk)
                    raise
                finally:
                    for number in (signal.SIGINT, signal.SIGTERM):
                        loop.remove_signal_handler(number)
                await writer.close_call(record, number=contact.number, trunk=trunk)
    return record


def _failed(job: CallJob, error: Exception) -> CallRecord:
    now_ms = datetime.now(UTC).timestamp() * 1000
    return CallRecord(job.call_id, job.attempt_id, "failed", cause=str(error), started_at_ms=now_ms)


def _report(record: CallRecord, as_json: bool) -> None:
    if as_json:
        shown = asdict(record)
        turns = ("round_id", "text", "intent", "score", "state_from", "state_to", "reply_text",
                 "endpoint_ms", "reply_ms", "gap_ms", "barge_in_ms", "suspected_cut", "slots")  # fmt: skip
        shown["turns"] = [
            {"state": turn["state_from"], **{name: turn[name] for name in turns}} for turn in shown["turns"]
        ]
        print_json(shown)
        return
    out = console(False)
    out.print(f"[bold]{record.disposition}[/]  {record.cause}", highlight=False)
    for turn in record.turns:
        reply = "" if turn.reply_ms is None else f"  (reply {turn.reply_ms:.0f} ms)"
        out.print(
            f"  {turn.round_id}. “{turn.text}” → {turn.intent} {turn.score:.2f}{reply}", highlight=False
        )
        out.print(f"     {turn.reply_text}", style="dim", highlight=False)
    if record.recording:
        out.print(f"recording: {record.recording}", highlight=False)
