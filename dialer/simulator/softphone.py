"""A softphone: answers calls as personas do, or plays a WAV to whoever calls.

``run_softphone`` is the whole of it. ``python -m dialer.simulator.softphone`` is the process that
``farm`` starts: it reads one JSON object (``job_line``) from standard input, announces itself and
reports its calls as JSON lines on standard output, and ends when standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialer import logs
from dialer.aio import spawn
from dialer.audio import read_wav, write_wav
from dialer.clock import Clock, SystemClock
from dialer.errors import DialerError
from dialer.simulator.callee import CalleeCall, attempt_of
from dialer.simulator.persona import Answer, Expect, Opening, Persona
from dialer.simulator.report import JsonReport, Ready, Report
from dialer.simulator.script import OPENING
from dialer.simulator.truth import CallTruth
from dialer.simulator.voices import FLITE_STAND_INS, Clip, VoiceBox, clip
from dialer.speech.tts_espeak import EspeakSynthesizer
from dialer.speech.tts_flite import FliteSynthesizer
from dialer.telephony.base import IncomingCall, LegEnded, LegEvent, LegHandler
from dialer.telephony.cards import CardPool
from dialer.telephony.trunk import CardSettings

NOT_FOUND = 404
BUSY = 486
FLITE_PROCESSES = 2
CLOSE_S = 3.0


@dataclass(frozen=True, slots=True)
class Callee:
    """A persona at a number."""

    number: str
    persona: Persona


@dataclass(frozen=True, slots=True)
class SoftphoneOptions:
    """What a softphone is to be.

    Attributes:
        callees: who can be called; a number that none of them has is answered with 404.
        answer_with: instead: a WAV (16-bit mono, 8 kHz) that is played to every caller.
        lines: calls at once.
        sip_port: SIP port of the first card; 0 for any that is free.
        bind_address: local address of SIP and RTP; empty for all.
        record: folder for a WAV of what each call heard; None for none.
    """

    callees: tuple[Callee, ...] = ()
    answer_with: Path | None = None
    lines: int = 4
    sip_port: int = 0
    bind_address: str = "127.0.0.1"
    record: Path | None = None


async def run_softphone(
    options: SoftphoneOptions, report: Report, stop: asyncio.Event, *, clock: Clock | None = None
) -> None:
    """Answer calls until ``stop`` is set; live calls are then hung up and reported.

    Everything that is said has been rendered before ``report.ready``.

    Raises:
        InputError: the WAV cannot be used.
        SpeechError: something cannot be rendered.
        TelephonyError: the SIP port is busy, or there are no lines to be had.
    """
    clock = clock or SystemClock()
    flite = FliteSynthesizer(FLITE_PROCESSES) if FliteSynthesizer.available() else None
    exchange = await _exchange(options, VoiceBox(EspeakSynthesizer(), flite), report, clock)
    settings = CardSettings(bind_address=options.bind_address, sip_port=options.sip_port, rtp_port=0)
    pool = CardPool(settings, {}, options.lines, clock=clock, callee=exchange)
    await pool.start()
    try:
        host = options.bind_address or "127.0.0.1"
        voices = {callee.persona.voice for callee in options.callees}
        report.ready(
            Ready(
                gateways=tuple(f"{host}:{port}" for port in pool.ports()),
                calls_per_gateway=pool.calls_per_card,
                numbers=tuple((callee.number, callee.persona.name) for callee in options.callees),
                stand_ins=()
                if flite is not None
                else tuple((v, FLITE_STAND_INS[v]) for v in sorted(voices & FLITE_STAND_INS.keys())),
            )
        )
        await stop.wait()
        await exchange.close()
    finally:
        await pool.close()


async def _exchange(options: SoftphoneOptions, voices: VoiceBox, report: Report, clock: Clock) -> Exchange:
    if options.answer_with is not None:
        path = options.answer_with
        pcm = (await asyncio.to_thread(read_wav, path)).tobytes()
        anybody = Persona(
            name="anybody",
            number="+10000000",
            answer=Answer(),
            opening=Opening(text=path.name),
            expect=Expect(disposition="any"),
        )
        clips = {anybody.name: {OPENING: clip(pcm, path.name)}}
        return Exchange({}, clips, report=report, clock=clock, record=options.record, anybody=anybody)
    personas = {callee.persona.name: callee.persona for callee in options.callees}
    rendered = await asyncio.gather(*(voices.render(persona) for persona in personas.values()))
    by_name = dict(zip(personas, rendered, strict=True))
    numbers = {_digits(callee.number): callee.persona for callee in options.callees}
    return Exchange(numbers, by_name, report=report, clock=clock, record=options.record)


def _digits(number: str) -> str:
    """A number as it is compared: trunks write it with or without the plus sign."""
    return "".join(c for c in number if c.isdigit())


class Exchange:
    """Puts calls through to personas by the number called; each number holds one call at a time.

    Args:
        personas: by the digits of their number.
        clips: what each persona may say, by the persona's name.
        report: who is told.
        clock: for stamps.
        record: folder for recordings; None for none.
        anybody: answers every number that no persona has, any number of calls; None for 404.
    """

    def __init__(
        self,
        personas: Mapping[str, Persona],
        clips: Mapping[str, Mapping[str, Clip]],
        *,
        report: Report,
        clock: Clock,
        record: Path | None = None,
        anybody: Persona | None = None,
    ) -> None:
        self._personas = personas
        self._clips = clips
        self._report = report
        self._clock = clock
        self._record = record
        self._anybody = anybody
        self._calls: list[CalleeCall] = []
        self._engaged: set[str] = set()
        self._unreported = 0
        self._recordings = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def on_incoming(self, call: IncomingCall) -> LegHandler:
        """Take the call: by whoever has the number."""
        number = _digits(call.to_user)
        persona = self._personas.get(number, self._anybody)
        if persona is None:
            return _Refused(call, NOT_FOUND, "", self._report)
        if number in self._engaged and persona is not self._anybody:
            return _Refused(call, BUSY, persona.name, self._report)
        self._engaged.add(number)
        self._unreported += 1
        self._idle.clear()
        taken = CalleeCall(
            call,
            persona,
            self._clips[persona.name],
            clock=self._clock,
            report=self._report,
            on_end=self._ended,
            record=self._record is not None,
        )
        self._calls.append(taken)
        return taken

    async def close(self) -> None:
        """Hang up every call and wait until all of them are reported."""
        for call in self._calls:
            call.hang_up()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._idle.wait()
        except TimeoutError:  # the far end does not answer our BYE: the pool ends those legs
            return

    def _ended(self, call: CalleeCall) -> None:
        self._calls.remove(call)
        self._engaged.discard(_digits(call.truth.number))
        if self._record is None or call.heard is None or not call.heard:
            self._told(call.truth)
            return
        self._recordings += 1
        name = f"{call.truth.persona}-{_digits(call.truth.number)}-{self._recordings}.wav"
        spawn(self._save(call, bytes(call.heard), self._record / name), name="softphone-recording")

    async def _save(self, call: CalleeCall, pcm: bytes, path: Path) -> None:
        try:
            await asyncio.to_thread(_write, path, pcm)
            call.truth.recording = str(path)
        except OSError as error:
            self._report.failed(f"cannot write {path}: {error.strerror}")
        finally:
            self._told(call.truth)

    def _told(self, truth: CallTruth) -> None:
        self._report.ended(truth)
        self._unreported -= 1
        if not self._unreported:
            self._idle.set()


def _write(path: Path, pcm: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, pcm)


class _Refused:
    """A call that nobody takes."""

    def __init__(self, call: IncomingCall, status: int, persona: str, report: Report) -> None:
        self._truth = CallTruth(
            call.to_user, persona, attempt_of(call), sip_status=status, invited_ns=call.t_ns
        )
        self._report = report
        call.leg.reject(status)

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        """No audio is heard."""

    def on_event(self, event: LegEvent) -> None:
        """Report the end."""
        if isinstance(event, LegEnded):
            self._truth.ended_ns = event.t_ns
            self._truth.ended_by = "callee"
            self._report.ended(self._truth)


# --- as a process of the farm -------------------------------------------------------------------


def job_line(options: SoftphoneOptions) -> bytes:
    """``options`` (of personas) as the line that the process reads."""
    job = {
        "callees": [[c.number, c.persona.model_dump(mode="json")] for c in options.callees],
        "lines": options.lines,
        "sip_port": options.sip_port,
        "bind_address": options.bind_address,
        "record": None if options.record is None else str(options.record),
    }
    return json.dumps(job).encode() + b"\n"


def read_job(line: bytes | str) -> SoftphoneOptions:
    """The inverse of ``job_line``."""
    job = json.loads(line)
    return SoftphoneOptions(
        callees=tuple(Callee(number, Persona.model_validate(persona)) for number, persona in job["callees"]),
        lines=job["lines"],
        sip_port=job["sip_port"],
        bind_address=job["bind_address"],
        record=None if job["record"] is None else Path(job["record"]),
    )


async def _serve(options: SoftphoneOptions, report: Report) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def until_closed() -> None:
        while await reader.read(4096):
            continue
        stop.set()

    spawn(until_closed(), name="softphone-stdin")
    try:
        await run_softphone(options, report, stop)
    finally:
        transport.close()


def main() -> int:
    """Serve the one job that standard input gives."""
    logs.configure()
    report = JsonReport(sys.stdout)
    try:
        asyncio.run(_serve(read_job(sys.stdin.readline()), report))
    except DialerError as error:
        report.failed(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
