"""The dialer's side of the speech workers: starts them, restarts them, and speaks with them.

Each worker is a process (``worker``) that serves many calls. When one dies its calls are told
(``on_recognizer_failed``) and another is started; new calls go to those that are ready meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from dialer.aio import spawn
from dialer.errors import SpeechError
from dialer.speech import wire
from dialer.speech.base import LanguageContext, RecognizerListener

log = structlog.get_logger()

ENGINES = ("sphinx",)

_START_S = 30.0  # to load and warm up
_SILENT_S = 10.0  # a worker that says nothing for so long hangs
_END_S = 2.0  # to end by itself once its socket is closed
_RESTART_FIRST_S, _RESTART_MOST_S = 0.1, 10.0
_MOST_UNSENT = 4 * 2**20  # bytes; four minutes of audio: beyond it the worker hangs


@dataclass(frozen=True, slots=True)
class WorkerMetrics:
    """What a worker last told of itself.

    Attributes:
        pid: of the process.
        sessions: calls it serves.
        utterances: those that are open or not yet finished.
        backlog_ms: audio that waits for the decoder.
        decoded_ms: audio decoded since its start.
        cpu_s: processor seconds since its start.
    """

    pid: int
    sessions: int = 0
    utterances: int = 0
    backlog_ms: int = 0
    decoded_ms: int = 0
    cpu_s: float = 0.0


class WorkerSession:
    """The recogniser of one call (``base.RecognizerSession``)."""

    def __init__(self, worker: _Worker, number: int, call_id: str, listener: RecognizerListener) -> None:
        self.number = number
        self.call_id = call_id
        self.listener = listener
        self._worker: _Worker | None = worker
        self._utterance: int | None = None
        self._awaited: set[int] = set()

    def begin(self, utterance: int, context: str) -> None:
        """Start an utterance; one that is open is forgotten."""
        if self._worker is not None:
            if self._utterance is not None:
                self._awaited.discard(self._utterance)
            self._utterance = utterance
            self._awaited.add(utterance)
            self._worker.send(wire.pack_begin(self.number, utterance, context))

    def feed(self, pcm: bytes | memoryview) -> None:
        """Audio of the open utterance; ignored where none is open."""
        if self._worker is not None and self._utterance is not None:
            self._worker.send(wire.pack(wire.AUDIO, self.number, pcm))

    def finish(self) -> None:
        """No more audio: the final hypothesis follows."""
        if self._worker is not None and self._utterance is not None:
            self._utterance = None
            self._worker.send(wire.pack(wire.FINISH, self.number))

    def cancel(self) -> None:
        """Forget the open utterance."""
        if self._worker is not None and self._utterance is not None:
            self._awaited.discard(self._utterance)
            self._utterance = None
            self._worker.send(wire.pack(wire.CANCEL, self.number))

    def close(self) -> None:
        """The call is over; nothing is reported any more. Twice is once."""
        if self._worker is not None:
            self._worker.forget(self)
            self._worker = None

    def on_message(self, message: wire.Message) -> None:
        """A message of the worker for this session."""
        if message.kind == wire.HYPOTHESIS:
            hypothesis = wire.read_hypothesis(message.payload)
            if hypothesis.utterance in self._awaited:
                if hypothesis.final:
                    self._awaited.discard(hypothesis.utterance)
                self.listener.on_hypothesis(hypothesis)
        elif message.kind == wire.FAILED:
            self.fail(message.payload.decode())

    def fail(self, reason: str) -> None:
        """The recogniser is gone for this call."""
        self.close()
        self.listener.on_recognizer_failed(reason)


class _Worker(asyncio.Protocol):
    """One worker process and its socket."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sessions: dict[int, WorkerSession] = {}
        self.ready = False
        self.remarks: list[str] = []
        self.metrics = WorkerMetrics(0)
        self.process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.Transport | None = None
        self._unpacker = wire.Unpacker()
        self._answers: list[asyncio.Future[None]] = []
        self._next_session = 1
        self._heard_at = 0.0
        self.ended = asyncio.get_running_loop().create_future()

    async def start(self, contexts: Sequence[LanguageContext]) -> None:
        """Start the process and wait until it is warm.

        Raises:
            SpeechError: it ended, took too long, or refused a context.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dialer.speech.worker",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
        self.metrics = WorkerMetrics(self.process.pid)
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        await loop.create_connection(lambda: self, sock=ours)
        await self.learn(contexts)
        self.ready = True

    async def learn(self, contexts: Sequence[LanguageContext]) -> None:
        """Give the worker contexts and wait until it is warm with them.

        Raises:
            SpeechError: it ended, took too long, or refused a context.
        """
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self.send(wire.pack_contexts(contexts))
        try:
            async with asyncio.timeout(_START_S):
                await answer
        except TimeoutError as error:
            raise SpeechError(f"the speech worker took longer than {_START_S:g} s to get ready") from error

    def open(self, call_id: str, listener: RecognizerListener) -> WorkerSession:
        """A session of this worker."""
        session = WorkerSession(self, self._next_session, call_id, listener)
        self.sessions[session.number] = session
        self._next_session += 1
        return session

    def forget(self, session: WorkerSession) -> None:
        """The session is closed."""
        if self.sessions.pop(session.number, None) is not None:
            self.send(wire.pack(wire.CLOSE, session.number))

    def send(self, data: bytes) -> None:
        """Queue bytes for the worker. More than ``_MOST_UNSENT`` of them unsent end it: it hangs."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self.kill("it takes no more audio")

    def check_alive(self) -> None:
        """End the process where it has been silent for too long."""
        silent_s = asyncio.get_running_loop().time() - self._heard_at
        if self.ready and silent_s > _SILENT_S:
            self.kill(f"it has said nothing for {silent_s:.0f} s")

    def kill(self, reason: str) -> None:
        """End the process at once; its death is then handled as any other."""
        log.warning("speech_worker.killed", worker=self.number, reason=reason)
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
        if self._transport is not None:
            self._transport.abort()

    async def stop(self) -> None:
        """Close the socket, which ends the process; kill it where it does not end."""
        if self._transport is not None:
            self._transport.close()
        if self.process is None:
            return
        try:
            async with asyncio.timeout(_END_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    # asyncio.Protocol, in the loop's thread

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is in use."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes of the worker."""
        self._heard_at = asyncio.get_running_loop().time()
        for message in self._unpacker.feed(data):
            if message.session:
                session = self.sessions.get(message.session)
                if session is not None:
                    session.on_message(message)
            elif message.kind == wire.METRICS:
                self.metrics = WorkerMetrics(self.metrics.pid, **json.loads(message.payload))
            elif message.kind == wire.READY:
                self._take_answer(json.loads(message.payload))

    def _take_answer(self, content: Mapping[str, object]) -> None:
        answer = self._answers.pop(0)
        if answer.done():
            return
        if "error" in content:
            answer.set_exception(SpeechError(str(content["error"])))
            return
        remarks = content["remarks"]
        assert isinstance(remarks, list)
        self.remarks = remarks
        answer.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process ended, or we closed the socket."""
        self.ready = False
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(SpeechError("the speech worker ended before it was ready"))
        self._answers.clear()
        sessions = list(self.sessions.values())
        self.sessions.clear()
        for session in sessions:
            session.fail("the speech worker ended")
        if not self.ended.done():
            self.ended.set_result(None)


class SpeechWorkers:
    """A pool of speech workers (``base.Recognizer``).

    Args:
        language_contexts: what can be said in each dialog state; ``add_contexts`` adds more.
        workers: how many processes.
        engine: the recogniser; ``sphinx`` is the only one so far.
        sessions: the most calls a worker serves at once.

    Raises:
        SpeechError: the engine is unknown.
    """

    def __init__(
        self,
        language_contexts: Sequence[LanguageContext],
        workers: int = 1,
        engine: str = "sphinx",
        sessions: int = 64,
    ) -> None:
        if engine not in ENGINES:
            raise SpeechError(f"no recogniser is called {engine!r}; there are {', '.join(ENGINES)}")
        self._contexts = {context.name: context for context in language_contexts}
        self._count = workers
        self._most_sessions = sessions
        self._workers: list[_Worker | None] = [None] * workers
        self._keepers: list[asyncio.Task[None]] = []
        self._some_ready = asyncio.Event()

    async def start(self) -> None:
        """Start every worker; they are warm when this returns.

        Raises:
            SpeechError: one cannot start; none is left running.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._count):
                    group.create_task(self._start_one(number), name=f"speech-worker-{number}")
        except ExceptionGroup as errors:
            await self.close()
            raise errors.exceptions[0] from None
        remarks = next((w.remarks for w in self._workers if w is not None), [])
        if remarks:
            log.info("speech_worker.remarks", count=len(remarks), remarks=remarks)
        self._keepers = [
            spawn(self._keep(number), name=f"speech-keeper-{number}") for number in range(self._count)
        ]

    async def close(self) -> None:
        """End every worker; open sessions are told."""
        for keeper in self._keepers:
            keeper.cancel()
        for keeper in self._keepers:
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        self._keepers = []
        await asyncio.gather(*(worker.stop() for worker in self._workers if worker is not None))
        self._workers = [None] * self._count

    def open(self, call_id: str, listener: RecognizerListener) -> WorkerSession:
        """A session for one call, on the worker that has the fewest.

        Raises:
            SpeechError: no worker is ready, or all are full.
        """
        ready = [worker for worker in self._workers if worker is not None and worker.ready]
        if not ready:
            raise SpeechError("no speech worker is ready")
        worker = min(ready, key=lambda candidate: len(candidate.sessions))
        if len(worker.sessions) >= self._most_sessions:
            raise SpeechError(f"all {len(ready)} speech workers are full ({self._most_sessions} calls each)")
        return worker.open(call_id, listener)

    async def add_contexts(self, contexts: Sequence[LanguageContext]) -> None:
        """Make more contexts known to every worker, also to those started later.

        Raises:
            SpeechError: a worker refused one; then none of them counts as known.
        """
        ready = [worker for worker in self._workers if worker is not None and worker.ready]
        await asyncio.gather(*(worker.learn(contexts) for worker in ready))
        self._contexts.update((context.name, context) for context in contexts)

    async def wait_ready(self) -> None:
        """Return once at least one worker is ready."""
        while not any(worker is not None and worker.ready for worker in self._workers):
            self._some_ready.clear()
            await self._some_ready.wait()

    def pids(self) -> list[int]:
        """The processes."""
        return [
            worker.process.pid
            for worker in self._workers
            if worker is not None and worker.process is not None and worker.process.returncode is None
        ]

    def metrics(self) -> list[WorkerMetrics]:
        """What each live worker last told of itself (about every second)."""
        return [worker.metrics for worker in self._workers if worker is not None and worker.ready]

    async def _start_one(self, number: int) -> None:
        worker = _Worker(number)
        self._workers[number] = worker
        try:
            await worker.start(list(self._contexts.values()))
        except BaseException:
            await worker.stop()
            raise
        self._some_ready.set()
        log.info("speech_worker.ready", worker=number, pid=worker.metrics.pid)

    async def _keep(self, number: int) -> None:
        """Restart a worker whenever it dies, ever more slowly where it keeps dying."""
        loop = asyncio.get_running_loop()
        pause_s = _RESTART_FIRST_S
        while True:
            started_at = loop.time()
            worker = self._workers[number]
            if worker is not None:
                await self._watch(worker)
                await worker.stop()
                code = worker.process.returncode if worker.process is not None else None
                log.error("speech_worker.died", worker=number, exit_code=code)
            if loop.time() - started_at > 2 * _RESTART_MOST_S:
                pause_s = _RESTART_FIRST_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _RESTART_MOST_S)
            try:
                await self._start_one(number)
            except SpeechError as error:
                log.error("speech_worker.start_failed", worker=number, error=str(error))

    async def _watch(self, worker: _Worker) -> None:
        """Return when the worker has died; see meanwhile that it does not hang."""
        while not worker.ended.done():
            await asyncio.wait([worker.ended], timeout=_SILENT_S / 4)
            if not worker.ended.done():
                worker.check_alive()
