"""The composition root: puts the parts of a host together, starts them in order, ends them in reverse.

    async with Host(settings, campaigns, lines=20, link=..., live=...) as host:
        record = await host.run_call(job)

Line cards come first, before anything heavy is loaded here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dialer.call import CallRecord
from dialer.campaign.base import CallJob, Wish
from dialer.campaign.folder import Campaign
from dialer.clock import Clock, SystemClock
from dialer.conversation.base import ConversationSettings, LiveView, Services
from dialer.conversation.runner import CallRunner
from dialer.dialog import render
from dialer.errors import CampaignError
from dialer.intent.batcher import IntentBatcher
from dialer.intent.train import campaign_classifier
from dialer.settings import Settings
from dialer.speech.amd import GREETINGS
from dialer.speech.base import LanguageContext, Recognizer, Synthesizer
from dialer.speech.prompts import PromptCache
from dialer.speech.tts_espeak import EspeakSynthesizer
from dialer.speech.vad_webrtc import WebRtcVad
from dialer.speech.workers import SpeechWorkers
from dialer.telephony.base import DialRequest
from dialer.telephony.cards import CardPool
from dialer.telephony.trunk import Trunk

MACHINE = "machine"  # under this label machines' greetings are in the language model; no intent

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RecordLink:
    """How calls reach the records while they last.

    Attributes:
        suppress: ``(number, reason)`` is on the do-not-call list, durably, when it returns.
        dialled: ``(attempt_id, sip_call_id)``: the INVITE has left.
    """

    suppress: Callable[[str, str], Coroutine[Any, Any, None]]
    dialled: Callable[[str, str], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Running:
    campaign: Campaign
    services: Services
    settings: ConversationSettings


class Host:
    """All that a host needs to hold calls; an async context manager."""

    def __init__(
        self,
        settings: Settings,
        campaigns: Sequence[Campaign],
        *,
        lines: int,
        link: RecordLink,
        live: LiveView,
        trunks: Mapping[str, Trunk] | None = None,
        clock: Clock | None = None,
        announce: Announce = lambda _: None,
        recognizer: Recognizer | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            settings: of the host.
            campaigns: all that may be called for in this run.
            lines: calls at once.
            link: to the records.
            live: where calls are shown.
            trunks: by name; None for those of the settings.
            clock: time.
            announce: told, in a few words, what is being started.
            recognizer: hears instead of speech workers, which are not started then (for benches).
        """
        self._settings = settings
        self._campaigns = campaigns
        self._lines = lines
        self._link = link
        self._live = live
        self._clock = clock or SystemClock()
        self._announce = announce
        self._recognizer = recognizer
        self._workers: SpeechWorkers | None = None
        if trunks is None:
            trunks = {name: shape.trunk(name) for name, shape in settings.trunks.items()}
        self._trunks = trunks
        self._stack = AsyncExitStack()
        self._running: dict[str, _Running] = {}
        self._calls: dict[str, CallRunner] = {}
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="recordings")
        self.cards: CardPool

    # --- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Host:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        self._stack.callback(self._disk.shutdown)
        loop = asyncio.get_running_loop()
        self._announce("starting line cards")
        sip = self._settings.sip.card_settings()
        self.cards = CardPool(sip, self._trunks, self._lines, clock=self._clock)
        await self.cards.start()
        self._stack.push_async_callback(self.cards.close)

        self._announce("training intents")
        cache = self._settings.data_dir / "cache"
        engines: dict[str, IntentBatcher] = {}
        for campaign in self._campaigns:
            classifier = await loop.run_in_executor(
                None, campaign_classifier, campaign.path, cache / "intents"
            )
            engine = IntentBatcher(classifier)
            await engine.start()
            self._stack.push_async_callback(engine.close)
            engines[campaign.settings.name] = engine

        recognizer = self._recognizer or await self._start_workers()

        synthesizer: Synthesizer = EspeakSynthesizer()
        for campaign in self._campaigns:
            name = campaign.settings.name
            prompts = PromptCache(synthesizer, campaign.settings.voices, folder=cache / "prompts")
            for language in campaign.settings.languages:
                await prompts.prepare(render.static_texts(campaign.dialog, language), language)
            services = Services(
                clock=self._clock,
                telephony=self.cards,
                recognizer=recognizer,
                intents=engines[name],
                prompts=prompts,
                new_vad=WebRtcVad,
                suppress=self._link.suppress,
                dialled=self._link.dialled,
                recording_path=self._recording_path if campaign.settings.recording.enabled else _unrecorded,
                live=self._live,
                context_prefix=context_prefix(campaign),
            )
            self._running[name] = _Running(campaign, services, conversation_settings(campaign))

    async def _start_workers(self) -> SpeechWorkers:
        self._announce("warming up the recogniser")
        self._workers = SpeechWorkers(
            [context for campaign in self._campaigns for context in contexts_of(campaign)],
            workers=self._settings.worker_count(self._lines),
        )
        await self._workers.start()
        self._stack.push_async_callback(self._workers.close)
        return self._workers

    def pids(self) -> dict[str, list[int]]:
        """The processes of this host by what they are: ``dialer``, ``server``, ``cards``, ``speech``."""
        return {
            "dialer": [os.getpid()],
            "server": [self.cards.server_pid()],
            "cards": self.cards.card_pids(),
            "speech": self._workers.pids() if self._workers is not None else [],
        }

    # --- calls ------------------------------------------------------------------------------------

    @property
    def lines(self) -> int:
        """How many calls can be held at this moment: free lines and those in use, within what was asked."""
        return min(self._lines, self.cards.free_lines + len(self._calls))

    async def run_call(self, job: CallJob) -> CallRecord:
        """Hold one call, from the INVITE to its record.

        Raises:
            NoFreeLine: nothing was dialled.
            TelephonyError, SpeechError, CampaignError: nothing was dialled.
        """
        running = self._running.get(job.campaign_name)
        if running is None:
            raise CampaignError(f"the campaign {job.campaign_name!r} is not part of this run")
        settings = running.campaign.settings
        runner = CallRunner(
            DialRequest(
                call_id=job.call_id,
                attempt_id=job.attempt_id,
                destination=job.contact.number,
                trunk=job.trunk or self._default_trunk(job.contact.number),
                caller_id=job.caller_id,
                ring_timeout_ms=settings.ring_timeout_ms,
            ),
            job.contact,
            running.campaign.dialog,
            running.services,
            running.settings,
            today=self._today(job.time_zone),
            disk=self._disk,
        )
        self._calls[job.call_id] = runner
        try:
            return await runner.run()
        finally:
            del self._calls[job.call_id]

    def end_calls(self, wish: Wish) -> None:
        """Live calls say goodbye (DRAIN) or end at once (STOP)."""
        for runner in list(self._calls.values()):
            if wish is Wish.STOP:
                runner.stop()
            else:
                runner.drain()

    def _default_trunk(self, destination: str) -> str:
        if destination.startswith(("sip:", "sips:")) or not self._trunks:
            return ""
        return next(iter(self._trunks))

    def _today(self, time_zone: str) -> date:
        try:
            return self._clock.wall().astimezone(ZoneInfo(time_zone or "UTC")).date()
        except (ZoneInfoNotFoundError, ValueError):
            return self._clock.wall().date()

    def _recording_path(self, call_id: str) -> Path:
        day = self._clock.wall().strftime("%Y-%m-%d")
        return self._settings.data_dir / "recordings" / day / f"{call_id}.wav"


def _unrecorded(_call_id: str) -> None:
    return None


def context_prefix(campaign: Campaign) -> str:
    """Keeps the recogniser contexts of several campaigns apart."""
    return f"{campaign.settings.name}/"


def contexts_of(campaign: Campaign) -> list[LanguageContext]:
    """What the recogniser must be ready to hear in a campaign's states; at first also machines."""
    prefix = context_prefix(campaign)
    contexts = []
    for language in campaign.settings.languages:
        machines = tuple((text, MACHINE) for text in GREETINGS.get(language, ()))
        for context in campaign.dialog.contexts(language, campaign.examples.get(language, ())):
            first = context.name == campaign.dialog.start and campaign.settings.detect_machines
            sentences = (*context.sentences, *machines) if first else context.sentences
            name = f"{prefix}{language}/{context.name}"
            contexts.append(replace(context, name=name, sentences=tuple(sentences)))
    return contexts


def conversation_settings(campaign: Campaign) -> ConversationSettings:
    """A campaign's settings as its conversations take them."""
    settings = campaign.settings
    return ConversationSettings(
        longest_call_ms=settings.longest_call_ms,
        detect_machines=settings.detect_machines,
        endpointing=settings.endpointing,
    )
