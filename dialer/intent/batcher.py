"""One model call for the questions of many calls.

A question is handed to an engine as soon as one is idle; what arrives while all engines are busy is
gathered for the next. On a CPU this beats a fixed window ("32 requests or 5 ms"): nobody waits for
company, and under load the batches grow by themselves. Questions that come in the same turn of the
event loop go together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from dialer.clock import NS_PER_MS, Clock, SystemClock
from dialer.errors import IntentError, Overloaded
from dialer.intent.base import IntentAnswer, IntentClassifier, IntentQuery
from dialer.intent.reading import AnswerReader

log = structlog.get_logger()


@dataclass(slots=True)
class BatcherStats:
    """Counters since the start; sums are for rates, so that any reader can take differences.

    Attributes:
        requests: questions taken in.
        refused: questions refused because the queue was full.
        cancelled: questions whose asker went away before the model saw them.
        failed: questions the model failed on.
        batches, rows: model calls, and the questions in them.
        queue_ms: sum over questions, from being asked to the model's start.
        queue_ms_max: the longest of them.
        model_ms: sum over batches, the model's own time.
        model_ms_max: the longest of them.
        waiting: questions in the queue now.
    """

    requests: int = 0
    refused: int = 0
    cancelled: int = 0
    failed: int = 0
    batches: int = 0
    rows: int = 0
    queue_ms: float = 0.0
    queue_ms_max: float = 0.0
    model_ms: float = 0.0
    model_ms_max: float = 0.0
    waiting: int = 0


_Entry: TypeAlias = tuple[IntentQuery, "asyncio.Future[IntentAnswer]", int]
"""A question in the queue, its asker's future, when it was asked (a tuple: half the cost of a class)."""


class _Engine:
    """One thread that runs the model, and the reader that belongs to it."""

    def __init__(self, classifier: IntentClassifier, number: int) -> None:
        self.classifier = classifier
        self.reader = AnswerReader(classifier.labels, classifier.name)
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"intent-{number}")

    def answer(self, queries: Sequence[IntentQuery]) -> list[IntentAnswer | IntentError]:
        """The answers, in the engine's thread; when a batch fails, its rows are tried one by one.

        So one text that the model cannot take costs one call its answer, not thirty-two.
        """
        try:
            return list(self._predict(queries))
        except Exception as error:
            if len(queries) == 1:
                failure = IntentError(f"{self.classifier.name} failed: {error!r}")
                failure.__cause__ = error
                return [failure]
            return [answer for query in queries for answer in self.answer([query])]

    def _predict(self, queries: Sequence[IntentQuery]) -> list[IntentAnswer]:
        probabilities = self.classifier.predict(
            [query.text for query in queries], [query.language for query in queries]
        )
        return self.reader.read(probabilities, [query.allowed for query in queries])


class IntentBatcher:
    """An ``IntentEngine`` that gathers questions. All methods are for the event loop's thread.

    ``IntentQuery.key`` is not looked at here: the store that gives the same answer to the same key
    stands in front of the batcher, so that an answer found there costs no place in a batch.
    """

    def __init__(
        self,
        classifier: IntentClassifier,
        *,
        max_rows: int = 32,
        max_wait_ms: float = 5.0,
        min_rows: int = 1,
        engines: int = 1,
        queue: int = 1024,
        clock: Clock | None = None,
    ) -> None:
        """Take a model; nothing runs before ``start``.

        Args:
            classifier: the model; with several engines it is called from several threads at a time.
            max_rows: the largest batch.
            max_wait_ms: how long an idle engine waits for ``min_rows``, counted from the oldest
                question.
            min_rows: with 1 an idle engine never waits; more is the fixed window, for devices whose
                large batches are nearly free.
            engines: threads, one model call each at a time.
            queue: questions waiting for an engine; more are refused with ``Overloaded``.
            clock: for the counters; the system's unless a test brings its own.
        """
        if not (1 <= min_rows <= max_rows and engines >= 1 and queue >= 1 and max_wait_ms >= 0):
            raise ValueError("the bounds of the batcher do not go together")
        self._classifier = classifier
        self._max_rows = max_rows
        self._max_wait_ms = max_wait_ms
        self._min_rows = min_rows
        self._engine_count = engines
        self._limit = queue
        self._now_ns = (clock or SystemClock()).now_ns
        self._waiting: deque[_Entry] = deque()
        self._engines: list[_Engine] = []
        self._idle: list[_Engine] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._soon = False  # ``_dispatch`` runs in this or the next turn of the loop
        self._timer: asyncio.TimerHandle | None = None
        self._all_idle = asyncio.Event()
        self._open = False
        self._stats = BatcherStats()

    async def start(self) -> None:
        """Start the engines; each answers one empty question first, so that no call pays for warming up.

        Raises:
            IntentError: the model cannot answer.
        """
        if self._engines:
            raise IntentError("the batcher was started already")
        self._loop = asyncio.get_running_loop()
        self._engines = [_Engine(self._classifier, number) for number in range(self._engine_count)]
        for engine in self._engines:
            [answer] = await self._loop.run_in_executor(
                engine.thread, engine.answer, [IntentQuery(text="", language="en")]
            )
            if isinstance(answer, IntentError):
                await self.close()
                raise answer
        self._idle = list(self._engines)
        self._all_idle.set()
        self._open = True
        log.info("intent_batcher.started", model=self._classifier.name, engines=self._engine_count)

    async def close(self) -> None:
        """Refuse what waits, let running batches end, stop the threads. May be called twice."""
        was_open, self._open = self._open, False
        self._cancel_timer()
        while self._waiting:
            _, future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(IntentError("the intent engine was closed"))
        if was_open:
            await self._all_idle.wait()
        for engine in self._engines:
            engine.thread.shutdown(wait=False)
        self._engines = []
        self._idle = []

    async def ask(self, query: IntentQuery) -> IntentAnswer:
        """Classify one utterance.

        Raises:
            Overloaded: the queue is full.
            IntentError: the model failed, or the batcher is not running.
        """
        loop = self._loop
        if not self._open or loop is None:
            raise IntentError("the intent engine is not running")
        if len(self._waiting) >= self._limit:
            self._stats.refused += 1
            raise Overloaded(f"{self._limit} questions wait already")
        self._stats.requests += 1
        future: asyncio.Future[IntentAnswer] = loop.create_future()
        entry = (query, future, self._now_ns())
        self._waiting.append(entry)
        if self._idle and not self._soon:
            self._dispatch_soon(loop)
        try:
            return await future
        except asyncio.CancelledError:
            self._forget(entry)
            raise

    def stats(self) -> BatcherStats:
        """The counters; the object is live, copy it to keep it."""
        self._stats.waiting = len(self._waiting)
        return self._stats

    def _forget(self, entry: _Entry) -> None:
        """An asker was cancelled: its entry must neither reach the model nor take up room."""
        try:
            self._waiting.remove(entry)
        except ValueError:
            return  # the model has it, or ``_take`` saw it first
        self._stats.cancelled += 1

    def _dispatch_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        self._soon = True
        loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """Hand batches to idle engines until there are no more of the one or the other."""
        self._soon = False
        self._cancel_timer()
        while self._idle and self._waiting:
            if len(self._waiting) < self._min_rows and self._wait_for_company():
                return
            batch = self._take()
            if not batch:
                return
            engine = self._idle.pop()
            self._all_idle.clear()
            engine.thread.submit(self._work, engine, batch)

    def _wait_for_company(self) -> bool:
        """Arm the timer unless the oldest question has waited long enough."""
        assert self._loop is not None
        waited_ms = (self._now_ns() - self._waiting[0][2]) / NS_PER_MS
        left_ms = self._max_wait_ms - waited_ms
        if left_ms <= 0:
            return False
        self._timer = self._loop.call_later(left_ms / 1000, self._dispatch)
        return True

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take(self) -> list[_Entry]:
        """The oldest live questions, at most ``max_rows``; dead ones on the way are dropped."""
        batch: list[_Entry] = []
        waiting = self._waiting
        while waiting and len(batch) < self._max_rows:
            entry = waiting.popleft()
            if entry[1].done():  # cancelled, and its task has not run since
                self._stats.cancelled += 1
            else:
                batch.append(entry)
        return batch

    def _work(self, engine: _Engine, batch: list[_Entry]) -> None:
        """In the engine's thread: run the model, hand the answers back to the loop."""
        began_ns = self._now_ns()
        answers = engine.answer([query for query, _, _ in batch])
        ended_ns = self._now_ns()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._finish, engine, batch, answers, began_ns, ended_ns)

    def _finish(
        self,
        engine: _Engine,
        batch: list[_Entry],
        answers: list[IntentAnswer | IntentError],
        began_ns: int,
        ended_ns: int,
    ) -> None:
        assert self._loop is not None
        queue_ns = 0
        for (_, future, asked_ns), answer in zip(batch, answers, strict=True):
            queue_ns += began_ns - asked_ns
            if isinstance(answer, IntentError):
                self._stats.failed += 1
                if not future.done():
                    future.set_exception(answer)
            elif not future.done():
                future.set_result(answer)
        self._idle.append(engine)
        if len(self._idle) == len(self._engines):
            self._all_idle.set()
        if self._waiting and not self._soon:
            # After the askers have run, not before: what they ask next goes along, and the engine
            # does not wrestle with them for the interpreter (measured: half the CPU a request).
            self._dispatch_soon(self._loop)
        self._count(batch, queue_ns, began_ns, ended_ns)

    def _count(self, batch: list[_Entry], queue_ns: int, began_ns: int, ended_ns: int) -> None:
        stats = self._stats
        stats.batches += 1
        stats.rows += len(batch)
        stats.queue_ms += queue_ns / NS_PER_MS
        stats.queue_ms_max = max(stats.queue_ms_max, (began_ns - batch[0][2]) / NS_PER_MS)
        stats.model_ms += (ended_ns - began_ns) / NS_PER_MS
        stats.model_ms_max = max(stats.model_ms_max, (ended_ns - began_ns) / NS_PER_MS)
