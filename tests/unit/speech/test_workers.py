"""Real worker processes with a handful of sentences."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
import pytest_asyncio

from dialer.audio import SILENT_FRAME
from dialer.errors import SpeechError
from dialer.speech.base import Hypothesis, LanguageContext, Voice
from dialer.speech.tts_flite import FliteSynthesizer
from dialer.speech.workers import SpeechWorkers
from tests.unit.speech.audio_samples import frames

YES_NO = LanguageContext("yes_no", "en", (("yes", "affirm"), ("yes i am", "affirm"), ("no", "deny")))
PAY = LanguageContext(
    "pay",
    "en",
    (("i already paid the bill", "paid"), ("i will pay on friday", "later"), ("call me tomorrow", "busy")),
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Listener:
    def __init__(self) -> None:
        self.heard: list[Hypothesis] = []
        self.failures: list[str] = []
        self.news = asyncio.Event()

    def on_hypothesis(self, hypothesis: Hypothesis) -> None:
        self.heard.append(hypothesis)
        self.news.set()

    def on_recognizer_failed(self, reason: str) -> None:
        self.failures.append(reason)
        self.news.set()

    async def _find(self, wanted: Callable[[Hypothesis], bool]) -> Hypothesis:
        async with asyncio.timeout(30):
            while True:
                for hypothesis in self.heard:
                    if wanted(hypothesis):
                        return hypothesis
                self.news.clear()
                await self.news.wait()

    async def final(self, utterance: int) -> Hypothesis:
        return await self._find(lambda h: h.final and h.utterance == utterance)

    async def partial(self, text: str) -> Hypothesis:
        return await self._find(lambda h: not h.final and h.text == text)

    async def failure(self) -> str:
        async with asyncio.timeout(30):
            while not self.failures:
                self.news.clear()
                await self.news.wait()
        return self.failures[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workers() -> AsyncIterator[SpeechWorkers]:
    pool = SpeechWorkers([YES_NO, PAY], workers=1)
    await pool.start()
    yield pool
    await pool.close()
    assert pool.pids() == []


async def said(text: str) -> list[bytes]:
    if not FliteSynthesizer.available():
        pytest.skip("flite is not installed")
    pcm = await FliteSynthesizer().synthesize(text, Voice("flite", "slt"))
    return [SILENT_FRAME] * 15 + frames(pcm) + [SILENT_FRAME] * 15


@pytest.mark.parametrize(
    ("context", "text"),
    [("pay", "i already paid the bill"), ("pay", "call me tomorrow"), ("yes_no", "yes i am")],
)
async def test_what_was_said_is_heard(workers: SpeechWorkers, context: str, text: str) -> None:
    listener = Listener()
    session = workers.open("call", listener)
    audio = await said(text)
    session.begin(1, context)
    for frame in audio:
        session.feed(memoryview(frame))
    await listener.partial(text)
    session.finish()
    final = await listener.final(1)
    assert final.text == text
    assert final.audio_ms == 20 * len(audio)
    partials = [h.text for h in listener.heard if not h.final]
    assert all(one != other for one, other in pairwise(partials))
    session.close()


async def test_many_calls_at_once_keep_apart(workers: SpeechWorkers) -> None:
    texts = ["i already paid the bill", "i will pay on friday", "call me tomorrow"]
    audio = {text: await said(text) for text in texts}
    calls = [(texts[n % 3], Listener()) for n in range(9)]
    sessions = [workers.open(f"call{n}", listener) for n, (_, listener) in enumerate(calls)]
    for session in sessions:
        session.begin(5, "pay")
    for n in range(max(len(a) for a in audio.values())):
        for session, (text, _) in zip(sessions, calls, strict=True):
            if n < len(audio[text]):
                session.feed(audio[text][n])
    for session in sessions:
        session.finish()
    for text, listener in calls:
        assert (await listener.final(5)).text == text
    for session in sessions:
        session.close()


async def test_a_cancelled_utterance_says_nothing_and_the_next_one_does(workers: SpeechWorkers) -> None:
    listener = Listener()
    session = workers.open("call", listener)
    session.begin(1, "yes_no")
    for frame in await said("no"):
        session.feed(frame)
    session.cancel()
    session.finish()
    session.begin(2, "pay")
    for frame in await said("call me tomorrow"):
        session.feed(frame)
    session.finish()
    assert (await listener.final(2)).text == "call me tomorrow"
    assert {h.utterance for h in listener.heard} == {2}
    session.close()
    session.close()
    session.feed(SILENT_FRAME)


async def test_silence_is_an_empty_final(workers: SpeechWorkers) -> None:
    listener = Listener()
    session = workers.open("call", listener)
    session.begin(1, "yes_no")
    session.finish()
    assert await listener.final(1) == Hypothesis(1, "", None, True, 0)
    session.close()


async def test_an_unknown_context_fails_the_call(workers: SpeechWorkers) -> None:
    listener = Listener()
    workers.open("call", listener).begin(1, "nowhere")
    assert "'nowhere'" in await listener.failure()


async def test_contexts_can_be_added_while_calls_are_open(workers: SpeechWorkers) -> None:
    listener = Listener()
    session = workers.open("call", listener)
    session.begin(1, "pay")
    audio = await said("i will pay on friday")
    for frame in audio[:30]:
        session.feed(frame)
    await workers.add_contexts(
        [LanguageContext("hold", "en", (("hold on", "wait"), ("wait a second", "wait")))]
    )
    for frame in audio[30:]:
        session.feed(frame)
    session.finish()
    assert (await listener.final(1)).text == "i will pay on friday"
    session.begin(2, "hold")
    for frame in await said("wait a second"):
        session.feed(frame)
    session.finish()
    assert (await listener.final(2)).text == "wait a second"
    session.close()


async def test_a_language_without_a_model_is_refused(workers: SpeechWorkers) -> None:
    with pytest.raises(SpeechError, match="en only, not 'yue'"):
        await workers.add_contexts([LanguageContext("x", "yue", (("你好", "greeting"),))])
    with pytest.raises(SpeechError, match="no sentence"):
        await workers.add_contexts([LanguageContext("x", "en", (("...", "greeting"),))])


async def test_a_dead_worker_is_told_and_replaced() -> None:
    pool = SpeechWorkers([YES_NO])
    await pool.start()
    try:
        (pid,) = pool.pids()
        listener = Listener()
        session = pool.open("call", listener)
        session.begin(1, "yes_no")
        os.kill(pid, signal.SIGKILL)
        assert "ended" in await listener.failure()
        session.feed(SILENT_FRAME)  # the call may not know it yet
        session.finish()
        with pytest.raises(SpeechError, match="no speech worker is ready"):
            pool.open("other", Listener())
        async with asyncio.timeout(30):
            await pool.wait_ready()
        assert pool.metrics()[0].pid != pid
        again = Listener()
        session = pool.open("other", again)
        session.begin(1, "yes_no")
        session.finish()
        await again.final(1)
    finally:
        await pool.close()


async def test_a_full_pool_refuses() -> None:
    pool = SpeechWorkers([YES_NO], sessions=1)
    with pytest.raises(SpeechError, match="no speech worker is ready"):
        pool.open("early", Listener())
    await pool.start()
    try:
        pool.open("one", Listener())
        with pytest.raises(SpeechError, match="full"):
            pool.open("two", Listener())
    finally:
        await pool.close()


async def test_a_bad_start_leaves_no_process() -> None:
    pool = SpeechWorkers([LanguageContext("x", "zh", (("你好", "greeting"),))])
    with pytest.raises(SpeechError, match="en only"):
        await pool.start()
    assert pool.pids() == []
    with pytest.raises(SpeechError, match="no recogniser is called 'other'"):
        SpeechWorkers([], engine="other")
