"""Stand-ins for the services around a conversation; they log what is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from dialer.audio import FRAME_BYTES, FRAME_MS
from dialer.clock import NS_PER_MS
from dialer.errors import Overloaded
from dialer.intent.base import IntentAnswer, IntentQuery
from dialer.speech.base import Hypothesis, RecognizerListener
from dialer.telephony.base import DialRequest, LegFlushed, LegHandler, LegVoiced


class FakeLeg:
    """A line whose frames are taken by ``FakeLine``."""

    call_id = "call"

    def __init__(self) -> None:
        self.log: list[str] = []
        self.queued: list[bytes] = []
        self.pending: list[tuple[int, int]] = []  # (utterance, frames)
        self.end = 0
        self.epoch = 0
        self.flushes: list[LegFlushed] = []
        self.played = 0
        self.now_ns = 0

    def play(self, pcm: bytes | memoryview, utterance: int) -> int:
        self.queued.append(bytes(pcm))
        frames = len(pcm) // FRAME_BYTES
        self.pending.append((utterance, frames))
        self.end += frames
        self.log.append(f"play {utterance} {frames}")
        return self.end

    def flush(self) -> None:
        self.log.append("flush")
        done = self.played
        utterance, played = 0, 0
        for number, frames in self.pending:
            if done < frames:
                utterance, played = number, done
                break
            done -= frames
        self.epoch += 1
        self.pending.clear()
        self.end = self.played = 0
        self.flushes.append(LegFlushed(self.now_ns, self.epoch, utterance, played))

    def hang_up(self, sip_code: int = 0) -> None:
        self.log.append("hang_up")

    def send_dtmf(self, digits: str) -> None:
        self.log.append(f"dtmf {digits}")

    def transfer(self, target: str) -> None:
        self.log.append(f"transfer {target}")


class FakeTelephony:
    """One line, placed at once."""

    lines = 1
    free_lines = 1

    def __init__(self) -> None:
        self.leg = FakeLeg()
        self.placed = asyncio.Event()
        self.handler: LegHandler | None = None
        self.request: DialRequest | None = None

    async def place(self, request: DialRequest, handler: LegHandler) -> FakeLeg:
        self.request = request
        self.handler = handler
        self.placed.set()
        return self.leg


class FakeLine:
    """Drives a runner as a line would: 20 ms a step, stamps made here."""

    def __init__(self, leg: FakeLeg, handler: LegHandler) -> None:
        self.leg = leg
        self.handler = handler
        self.now_ns = 1_000 * NS_PER_MS
        self.seq = 0
        self._voiced: set[tuple[int, int]] = set()

    def frame(self, voiced: bool = False) -> None:
        """20 ms: one frame of ours is taken, one of the callee's handed up."""
        self.now_ns += FRAME_MS * NS_PER_MS
        self.leg.now_ns = self.now_ns
        if self.leg.played < self.leg.end:
            self.leg.played += 1
            utterance = self._utterance_at(self.leg.played)
            if (self.leg.epoch, utterance) not in self._voiced:
                self._voiced.add((self.leg.epoch, utterance))
                self.handler.on_event(LegVoiced(self.now_ns, utterance))
        pcm = (b"\x00\x20" if voiced else b"\x00\x00") * (FRAME_BYTES // 2)
        self.handler.on_frame(memoryview(pcm), self.seq, self.now_ns, self.leg.played)
        self.seq += 1
        while self.leg.flushes:
            self.handler.on_event(self.leg.flushes.pop(0))

    def _utterance_at(self, played: int) -> int:
        for utterance, frames in self.leg.pending:
            if played <= frames:
                return utterance
            played -= frames
        return 0

    async def silence(self, ms: int) -> None:
        await self._frames(ms, voiced=False)

    async def speech(self, ms: int) -> None:
        await self._frames(ms, voiced=True)

    async def _frames(self, ms: int, voiced: bool) -> None:
        for _ in range(ms // FRAME_MS):
            self.frame(voiced)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def until_quiet(self, limit_ms: int = 60_000) -> None:
        """Until all that is queued has been played."""
        for _ in range(limit_ms // FRAME_MS):
            if self.leg.played >= self.leg.end:
                break
            await self.silence(FRAME_MS)
        await self.silence(2 * FRAME_MS)


class LoudnessVad:
    """A frame is speech when its second byte is not zero."""

    def is_speech(self, pcm: bytes | memoryview) -> bool:
        return pcm[1] != 0


class FakeRecognizer:
    """Says what the test wants: ``hear`` sets the words that are understood from then on."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.words = ""
        self.fed = 0
        self.utterance = 0
        self.listener: RecognizerListener | None = None

    def open(self, call_id: str, listener: RecognizerListener) -> FakeRecognizer:
        self.listener = listener
        return self

    def begin(self, utterance: int, context: str) -> None:
        self.utterance = utterance
        self.log.append(f"begin {context}")

    def feed(self, pcm: bytes | memoryview) -> None:
        self.fed += len(pcm) // FRAME_BYTES

    def partial(self) -> None:
        """The recogniser reports its running hypothesis."""
        assert self.listener is not None
        self.listener.on_hypothesis(Hypothesis(self.utterance, self.words, 0.9, final=False, audio_ms=0))

    def finish(self) -> None:
        self.log.append("finish")
        assert self.listener is not None
        self.listener.on_hypothesis(Hypothesis(self.utterance, self.words, 0.9, final=True, audio_ms=0))

    def cancel(self) -> None:
        self.log.append("cancel")

    def close(self) -> None:
        self.log.append("close")


class FakeIntents:
    """Knows the intent of each text; anything else is out of scope."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[IntentQuery] = []
        self.refuse = 0  # so many questions are refused first

    async def ask(self, query: IntentQuery) -> IntentAnswer:
        self.asked.append(query)
        if self.refuse:
            self.refuse -= 1
            raise Overloaded("full")
        intent = self.known.get(query.text)
        return IntentAnswer(intent, 0.95) if intent else IntentAnswer("out_of_scope", 0.9)


class FakePrompts:
    """Every prompt is as long as its text: one frame a character."""

    def __init__(self) -> None:
        self.ready: set[str] = set()
        self.fetched: list[str] = []

    async def prepare(self, texts: Iterable[str], language: str) -> None:
        self.ready.update(texts)

    def pin(self, call_id: str, texts: Sequence[str], language: str) -> None:
        pass

    def release(self, call_id: str) -> None:
        pass

    def get(self, text: str, language: str) -> bytes | None:
        return b"\x00\x10" * (FRAME_BYTES // 2) * len(text) if text in self.ready else None

    async def fetch(self, text: str, language: str) -> bytes:
        self.fetched.append(text)
        self.ready.add(text)
        pcm = self.get(text, language)
        assert pcm is not None
        return pcm


class FakeLive:
    """Keeps what would be shown."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def call_started(self, call_id: str, number: str, name: str) -> None:
        self.log.append(f"started {name}")

    def call_state(self, call_id: str, state: str) -> None:
        self.log.append(state)

    def call_heard(self, call_id: str, text: str, intent: str, reply_ms: float | None) -> None:
        self.log.append(f"heard {text!r} {intent}")

    def call_replied(self, call_id: str, reply_ms: float) -> None:
        self.log.append("replied")

    def call_ended(self, call_id: str, disposition: str) -> None:
        self.log.append(f"ended {disposition}")
