"""Rows to start from."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dialer.call import CallRecord, TurnRecord, new_id
from dialer.campaign.base import Slot
from dialer.storage.codec import dump_values
from dialer.storage.models import Campaign, Contact, Import
from dialer.storage.sql import reading, writing

NOW = 1_767_600_000_000


def add_campaign(engine: Engine, name: str = "bills") -> int:
    with writing(engine) as c:
        return c.execute(
            sa.insert(Campaign).values(name=name, folder="", created_at_ms=NOW).returning(Campaign.id)
        ).scalar_one()


def add_contacts(
    engine: Engine,
    campaign_id: int,
    count: int,
    *,
    first: int = 100,
    due_at_ms: int = NOW,
    zone: str = "America/New_York",
    priority: int = 0,
    visible: bool = True,
) -> list[int]:
    with writing(engine) as c:
        import_id = c.execute(
            sa.insert(Import)
            .values(
                campaign_id=campaign_id,
                file="contacts.csv",
                sha256="0" * 64,
                loaded=count,
                rejected=0,
                started_at_ms=NOW,
                touched_at_ms=NOW,
                visible_at_ms=NOW if visible else None,
            )
            .returning(Import.id)
        ).scalar_one()
        return [
            c.execute(
                sa.insert(Contact)
                .values(
                    campaign_id=campaign_id,
                    import_id=import_id,
                    row=row + 2,
                    number=f"+1202555{first + row:04d}",
                    language="en",
                    time_zone=zone,
                    fields=dump_values({"name": f"Person {row}"}),
                    state="ready",
                    priority=priority,
                    due_at_ms=due_at_ms,
                    attempts=0,
                    last_disposition="",
                    blocked_reason="",
                )
                .returning(Contact.id)
            ).scalar_one()
            for row in range(count)
        ]


def slots(count: int) -> tuple[Slot, ...]:
    return tuple(Slot(new_id(), new_id(), "+12025550199", "main") for _ in range(count))


def a_record(
    call_id: str, attempt_id: str, disposition: str = "will_pay_today", turns: int = 2
) -> CallRecord:
    return CallRecord(
        call_id,
        attempt_id,
        disposition,
        cause="200 OK",
        sip_code=200,
        sip_call_id="abc@127.0.0.1",
        started_at_ms=float(NOW),
        talk_ms=9000.0,
        answer_ms=21.5,
        recording=f"var/recordings/{call_id}.wav",
        turns=[
            TurnRecord(n, "yes", "affirm", 0.9, "greet", "ask", reply_ms=12.0 * n, gap_ms=300.0)
            for n in range(1, turns + 1)
        ],
    )


def rows(engine: Engine, table: type, *columns: str) -> list[tuple[object, ...]]:
    with reading(engine) as c:
        picked = [getattr(table, name) for name in columns]
        return [tuple(row) for row in c.execute(sa.select(*picked).order_by(picked[0]))]
