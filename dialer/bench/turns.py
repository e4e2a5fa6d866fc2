"""``dialer bench turns``: what turn-taking is like at the other end of the line, three policies in one run.

phrases, seed --> scripts --> callees (processes of their own, plain SIP and RTP)
                                 |  real calls, ``calls`` at once, one wave for each policy
campaign (bench/campaigns/turns) --> Host: cards, recogniser, conversations, as in ``dialer run``
                                 |
the callees' stamps + the dialer's records --> judge --> figures
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from dialer.app import Host, RecordLink
from dialer.audio import FRAME_BYTES, FRAMES_PER_S, trim_leading_silence, trim_trailing_silence
from dialer.bench.figures import percentiles
from dialer.bench.processes import Cost
from dialer.bench.scripts.audio import Studio
from dialer.bench.scripts.choose import choose
from dialer.bench.turns_figures import details, policy_figures
from dialer.bench.turns_judge import CallVerdict, Commit, judge
from dialer.bench.turns_recognizer import ScriptedRecognizer
from dialer.call import CallRecord, Contact, TurnRecord, new_id
from dialer.campaign.base import CallJob
from dialer.campaign.folder import SETTINGS_FILE, Campaign, load_campaign
from dialer.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from dialer.errors import InputError, Mistake
from dialer.settings import Settings, SipSettings
from dialer.simulator.turncallee import CallScript, Question, Remark
from dialer.simulator.turnfarm import TurnFarm, TurnStream
from dialer.speech.tts_espeak import EspeakSynthesizer
from dialer.telephony.trunk import Trunk

CAMPAIGN = Path(__file__).parent / "campaigns" / "turns"
QUESTIONS: Mapping[str, Question] = {
    "first_wish": Question.OPEN,
    "second_wish": Question.OPEN,
    "third_wish": Question.OPEN,
    "first_day": Question.DATE,
    "second_day": Question.DATE,
    "got_letter": Question.YES_NO,
    "notice": Question.LONG,
}
"""Which question each state of that campaign asks."""

NOTICE = "notice"
TAILS = ("min_tail_ms", "one_word_tail_ms", "digits_tail_ms", "max_tail_ms")
POLICIES = ("adaptive", "fixed_300", "fixed_800")
"""What is compared where nothing else is wished; ``tails_of`` reads these names."""

_FIXED = re.compile(r"fixed_(\d+)")
_SETTING = re.compile(r"(\w+)=(\d+)")

RECOGNISERS = ("sphinx", "scripted")
TURNS = 21
STAGGER_S = 0.13
JITTER_MAX_MS = 5.0
"""Callees whose own packets (p99) left later than this make a run invalid."""


@dataclass(frozen=True, slots=True)
class TurnsOptions:
    """What to measure.

    Attributes:
        calls: at once.
        recogniser: ``sphinx`` or ``scripted``.
        seed: of the callees.
        turns: remarks of each callee that want an answer.
        data: folder of caches and recordings.
        details: a file for a JSON line an utterance, and the recordings are kept; None for neither.
        policies: names that ``tails_of`` reads.
    """

    calls: int = 20
    recogniser: str = "sphinx"
    seed: int = 1
    turns: int = TURNS
    data: Path = Path("var/bench")
    details: Path | None = None
    policies: tuple[str, ...] = POLICIES


@dataclass(frozen=True, slots=True)
class Heard:
    """A commit as the bench saw it."""

    t_ns: int
    text: str
    intent: str


@dataclass(slots=True)
class _Wave:
    """All calls of one policy."""

    records: dict[str, CallRecord]
    heard: dict[str, list[Heard]]
    attempts: dict[str, str]  # call id by attempt id
    cost: dict[str, Any]


class _View:
    """The bench's eye in the dialer: it stamps commits and tells callees what they were asked."""

    def __init__(self, clock: Clock, told: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._told = told
        self.heard: dict[str, list[Heard]] = {}
        self.numbers: dict[str, str] = {}
        self.wanted = 0
        self.up = asyncio.Event()
        self.down = asyncio.Event()
        self._answered: set[str] = set()

    def expect(self, numbers: Mapping[str, str]) -> None:
        """A wave begins: numbers by call id."""
        self.numbers = dict(numbers)
        self.heard = {call_id: [] for call_id in numbers}
        self.up.clear()
        self.down.clear()
        self._answered.clear()

    def call_started(self, call_id: str, number: str, name: str) -> None:
        """Nothing to do."""

    def call_state(self, call_id: str, state: str) -> None:
        """The dialog has moved."""
        self._told(self.numbers[call_id], state)
        if state in QUESTIONS and call_id not in self._answered:
            self._answered.add(call_id)
            if len(self._answered) == len(self.numbers):
                self.up.set()

    def call_heard(self, call_id: str, text: str, intent: str, reply_ms: float | None) -> None:
        """A turn was committed."""
        self.heard[call_id].append(Heard(self._clock.now_ns(), text, intent))

    def call_replied(self, call_id: str, reply_ms: float) -> None:
        """Nothing to do."""

    def call_ended(self, call_id: str, disposition: str) -> None:
        """The first of them ends the measuring of costs."""
        self.up.set()
        self.down.set()


@dataclass(slots=True)
class _Stage:
    """What all waves share."""

    options: TurnsOptions
    host: Host
    view: _View
    trunk_of: Mapping[str, str]  # by number
    scripted: ScriptedRecognizer | None
    waves: dict[str, _Wave] = field(default_factory=dict)


async def bench_turns(options: TurnsOptions, announce: Callable[[str], None]) -> dict[str, Any]:
    """Measure.

    Args:
        options: what.
        announce: told, in a few words, what is being done.

    Returns:
        ``policies``, ``calls``, ``recogniser``, ``seed``, ``seconds``, ``callee_jitter_ms``, ``valid``, and
        how the callees spoke (``voices``, ``lines``). The names under a policy are those of
        ``turns_figures.policy_figures`` and of the costs.

    Raises:
        DialerError: something could not be started.
    """
    clock = SystemClock()
    began_ns = clock.now_ns()
    announce("rendering the callees")
    scripts, audio = await _scripts(options)
    scripted = None
    if options.recogniser == "scripted":
        scripted = ScriptedRecognizer(clock, {script.number: _remarks(script) for script in scripts})
    farm = TurnFarm(scripts, audio, QUESTIONS, scripted.said if scripted is not None else _ignored)
    try:
        gateways = await farm.start()
        trunks = {f"callees{n}": gateway for n, gateway in enumerate(dict.fromkeys(gateways.values()))}
        name_of = {gateway: name for name, gateway in trunks.items()}
        view = _View(clock, farm.state)
        with variants(options.policies) as campaigns:
            host = Host(
                Settings(
                    data_dir=options.data,
                    lines=options.calls,
                    sip=SipSettings(bind_address="127.0.0.1", port=0, rtp_port=0),
                ),
                campaigns,
                lines=options.calls,
                link=RecordLink(suppress=_nothing, dialled=_nothing),
                live=view,
                trunks={name: Trunk(name, (gateway,)) for name, gateway in trunks.items()},
                clock=clock,
                announce=announce,
                recognizer=scripted,
            )
            async with host:
                trunk_of = {number: name_of[gateway] for number, gateway in gateways.items()}
                stage = _Stage(options, host, view, trunk_of, scripted)
                for policy, campaign in zip(options.policies, campaigns, strict=True):
                    announce(f"{policy}: {options.calls} calls of {options.turns} turns")
                    stage.waves[policy] = await _wave(stage, campaign, scripts)
    finally:
        streams = await farm.close()
    verdicts = {policy: _verdicts(wave, scripts, streams) for policy, wave in stage.waves.items()}
    if options.details is not None:
        await asyncio.to_thread(_write_details, options.details, verdicts)
    late_ms = np.concatenate([stream.late_ns for stream in streams]) / NS_PER_MS
    jitter = percentiles(late_ms)
    return {
        "policies": {
            policy: policy_figures(verdicts[policy]) | wave.cost for policy, wave in stage.waves.items()
        },
        "calls": options.calls,
        "recogniser": options.recogniser,
        "seed": options.seed,
        "seconds": round((clock.now_ns() - began_ns) / NS_PER_S, 1),
        "voices": _count(r.voice for script in scripts for r in _remarks(script).values() if r.voice),
        "lines": _count(script.line for script in scripts),
        "callee_jitter_ms": jitter,
        "valid": jitter["p99"] <= JITTER_MAX_MS,
    }


async def _scripts(options: TurnsOptions) -> tuple[list[CallScript], dict[str, bytes]]:
    cache = options.data / "cache" / "callees"
    campaign = load_campaign(CAMPAIGN)
    text = campaign.dialog.prompts[NOTICE].texts["en"][0]
    notice = await EspeakSynthesizer().synthesize(text, campaign.settings.voices["en"])
    voiced = trim_trailing_silence(trim_leading_silence(notice), keep_ms=0)
    notice_ms = len(voiced) * 1000 // (FRAME_BYTES * FRAMES_PER_S)
    studio = Studio(cache)
    scripts, audio = [], {}
    for plan in choose(options.calls, options.turns, options.seed, human=studio.has_human()):
        script, audio[plan.number] = await studio.call(plan, notice_ms)
        scripts.append(script)
    return scripts, audio


@contextmanager
def variants(policies: Sequence[str]) -> Iterator[list[Campaign]]:
    """The bench's campaign once for each policy: copies of its folder, each with tails of its own.

    Raises:
        InputError: a policy's name or its tails make no sense.
    """
    with tempfile.TemporaryDirectory(prefix="bench-turns-") as folder:
        yield [_variant(Path(folder), f"turns_{n}", policy) for n, policy in enumerate(policies)]


def tails_of(policy: str) -> dict[str, int]:
    """The tails (``endpointing`` of ``campaign.yaml``) that a policy's name stands for, ms.

    ``adaptive`` is the product's own, ``adaptive:min_tail_ms=320,max_tail_ms=1000`` with some of them
    changed, ``fixed_300`` the same silence whatever was said.

    Raises:
        InputError: it is none of these.
    """
    fixed = _FIXED.fullmatch(policy)
    if fixed:
        return dict.fromkeys(TAILS, int(fixed[1]))
    name, _, changed = policy.partition(":")
    settings = [_SETTING.fullmatch(part) for part in changed.split(",")] if changed else []
    tails = {found[1]: int(found[2]) for found in settings if found}
    if name != "adaptive" or len(tails) < len(settings) or not tails.keys() <= set(TAILS):
        raise InputError(
            Mistake(
                "--policy", None, "", f"{policy!r} is none",
                f"Name `adaptive`, `fixed_300`, or `adaptive:NAME=MS,...` with {', '.join(TAILS)}",
            )
        )  # fmt: skip
    return tails


def _variant(parent: Path, name: str, policy: str) -> Campaign:
    folder = parent / name
    shutil.copytree(CAMPAIGN, folder)
    file = folder / SETTINGS_FILE
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings |= {"name": name, "endpointing": tails_of(policy)}
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_campaign(folder)


async def _wave(stage: _Stage, campaign: Campaign, scripts: Sequence[CallScript]) -> _Wave:
    """Hold all calls of one policy at once."""
    jobs = [_job(campaign, script, stage.trunk_of[script.number]) for script in scripts]
    stage.view.expect({job.call_id: job.contact.number for job in jobs})
    records: dict[str, CallRecord] = {}

    async def hold(index: int, job: CallJob) -> None:
        await asyncio.sleep(index * STAGGER_S)  # so that the callees do not all speak at once
        if stage.scripted is not None:
            stage.scripted.expect(job.call_id, job.contact.number)
        record = await stage.host.run_call(job)
        if record.recording and stage.options.details is None:
            await asyncio.to_thread(Path(record.recording).unlink, missing_ok=True)
        records[job.call_id] = record

    async with asyncio.TaskGroup() as group:
        for index, job in enumerate(jobs):
            group.create_task(hold(index, job), name=f"bench-call-{index}")
        cost = await _measure(stage)
    await _all_lines_free(stage)
    return _Wave(records, stage.view.heard, {job.attempt_id: job.call_id for job in jobs}, cost)


async def _measure(stage: _Stage) -> dict[str, Any]:
    """What our processes cost while all calls are up: from the last answer to the first end."""
    calls = stage.options.calls
    await stage.view.up.wait()
    pids = stage.host.pids()
    costs = {name: Cost(ids) for name, ids in pids.items()}
    clock = SystemClock()
    since_ns = clock.now_ns()
    await stage.view.down.wait()
    took_s = (clock.now_ns() - since_ns) / NS_PER_S
    cpu = {name: 100 * cost.cpu_seconds() / took_s for name, cost in costs.items()}
    pss = {name: await asyncio.to_thread(cost.pss_mb) for name, cost in costs.items()}
    return {
        "cpu_percent_per_call": round(sum(cpu.values()) / calls, 3),
        "cpu_percent": {name: round(value, 1) for name, value in cpu.items()},
        "measured_s": round(took_s, 1),
        "pss_mb_per_call": round(sum(pss.values()) / calls, 2),
        "pss_mb": {name: round(value, 1) for name, value in pss.items()},
    }


async def _all_lines_free(stage: _Stage) -> None:
    """A line is free a moment after its call."""
    while stage.host.cards.free_lines < stage.options.calls:
        await stage.host.cards.wait_for_change()


def _job(campaign: Campaign, script: CallScript, trunk: str) -> CallJob:
    return CallJob(
        call_id=new_id(),
        attempt_id=new_id(),
        campaign_id=0,
        campaign_name=campaign.settings.name,
        contact=Contact(0, script.number, "en"),
        trunk=trunk,
    )


def _verdicts(wave: _Wave, scripts: Sequence[CallScript], streams: Sequence[TurnStream]) -> list[CallVerdict]:
    script_of = {script.number: script for script in scripts}
    verdicts = []
    for stream in streams:
        call_id = wave.attempts.get(stream.attempt_id)
        if call_id is not None and call_id in wave.records:
            commits = commits_of(wave.heard[call_id], wave.records[call_id].turns)
            verdicts.append(judge(script_of[stream.number], stream, call_id, commits))
    return verdicts


def commits_of(heard: Sequence[Heard], turns: Sequence[TurnRecord]) -> list[Commit]:
    """Lay the records of turns beside the commits; commits that have none were taken back."""
    left = list(turns)
    commits = []
    for commit in reversed(heard):
        kept = bool(left) and (left[-1].text, left[-1].intent) == (commit.text, commit.intent)
        commits.append(Commit(commit.t_ns, left.pop() if kept else None))
    return commits[::-1]


def _write_details(path: Path, verdicts: Mapping[str, Sequence[CallVerdict]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for policy, calls in verdicts.items():
            for verdict in calls:
                for row in details(policy, verdict):
                    file.write(msgspec.json.encode(row) + b"\n")


def _remarks(script: CallScript) -> dict[int, Remark]:
    """Everything that a callee may say, by its place in its audio."""
    found = [remark for remarks in script.answers.values() for remark in remarks]
    for notice in script.notices:
        found += [notice.remark, *(aside for _, aside in notice.asides)]
    return {remark.start: remark for remark in found}


def _count(things: Iterator[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for thing in things:
        counted[thing] = counted.get(thing, 0) + 1
    return counted


def _ignored(_number: str, _start: int, _t_ns: int) -> None:
    return None


async def _nothing(_first: str, _second: str) -> None:
    return None
