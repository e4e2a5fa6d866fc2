"""The scheduler's store, on the record writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dialer.call import CallRecord
from dialer.campaign.base import CallJob, CampaignPlan, ContactNext, Controls, Slot, ZoneDue
from dialer.storage.base import TakeContacts
from dialer.storage.writer import RecordWriter


class RecordStore:
    """``CampaignStore`` on the database behind a record writer."""

    def __init__(self, writer: RecordWriter) -> None:
        """``writer``: started."""
        self._writer = writer

    async def controls(self) -> Controls:
        """See ``CampaignStore.controls``."""
        return await self._writer.read(lambda records: records.controls())

    async def due_zones(self, campaign_id: int) -> Sequence[ZoneDue]:
        """See ``CampaignStore.due_zones``."""
        return await self._writer.read(lambda records: records.due_zones(campaign_id))

    async def take(
        self, plan: CampaignPlan, slots: Sequence[Slot], now_ms: int, is_open: Callable[[str], bool]
    ) -> list[CallJob]:
        """See ``CampaignStore.take``."""
        return await self._writer.take(TakeContacts(plan, tuple(slots), now_ms, is_open, self._writer.run_id))

    async def close_call(self, job: CallJob, record: CallRecord, after: ContactNext) -> None:
        """See ``CampaignStore.close_call``."""
        await self._writer.close_call(
            record,
            number=job.contact.number,
            campaign_id=job.campaign_id,
            contact_id=job.contact.contact_id,
            caller_id=job.caller_id,
            trunk=job.trunk,
            after=after,
        )
