"""A speech worker: ``python -m dialer.speech.worker FD`` on a connected stream socket.

One thread: read what the dialer sent, decode a slice of one utterance, look at the socket again. Utterances
that are to be finished go first (a caller waits for them), then the one that lags most. Audio is never
dropped: where the machine is too slow the backlog grows and is told in the metrics. The process ends
when the dialer closes the socket.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from dialer.audio import FRAME_BYTES, FRAME_MS
from dialer.errors import SpeechError
from dialer.speech import wire
from dialer.speech.asr_sphinx import SphinxEngine, SphinxUtterance
from dialer.speech.base import Hypothesis

_SLICE_BYTES = 5 * FRAME_BYTES  # decoded at once before the socket is looked at again
_PARTIAL_MS = 100  # audio between two looks at the words of an open utterance
_METRICS_S = 1.0
_READ_BYTES = 256 * 1024
_WARM_DECODERS = 6  # utterances at once that never wait for a model to load: some 20 calls
_NICENESS = 5  # the line cards come first


@dataclass(slots=True)
class _Session:
    """One call."""

    open: _Utterance | None = None


@dataclass(slots=True)
class _Utterance:
    session: int
    number: int
    context: str
    audio: bytearray = field(default_factory=bytearray)
    finishing: bool = False
    decoding: SphinxUtterance | None = None
    told: str = ""
    told_at_ms: int = 0

    @property
    def has_work(self) -> bool:
        return bool(self.audio) or self.finishing


class SpeechWorker:
    """The loop of one worker process.

    Args:
        sock: connected to the dialer.
        engine: the recogniser.
    """

    def __init__(self, sock: socket.socket, engine: SphinxEngine) -> None:
        self._sock = sock
        self._engine = engine
        self._unpacker = wire.Unpacker()
        self._sessions: dict[int, _Session] = {}
        self._utterances: deque[_Utterance] = deque()
        self._decoded_ms = 0
        self._metrics_at = time.monotonic() + _METRICS_S

    def run(self) -> None:
        """Serve until the dialer closes the socket."""
        while True:
            ready = self._next()
            wait_s = 0.0 if ready is not None else max(0.0, self._metrics_at - time.monotonic())
            readable, _, _ = select.select([self._sock], [], [], wait_s)
            if readable:
                data = self._sock.recv(_READ_BYTES)
                if not data:
                    return
                for message in self._unpacker.feed(data):
                    self._handle(message)
                ready = self._next()
            if ready is not None:
                self._work(ready)
            if time.monotonic() >= self._metrics_at:
                self._tell_metrics()

    def _next(self) -> _Utterance | None:
        """The utterance to work on: one to be finished with the least audio left, else the laggard."""
        best: _Utterance | None = None
        for candidate in self._utterances:
            if not candidate.has_work or not self._has_decoder(candidate):
                continue
            if best is None or _urgency(candidate) < _urgency(best):
                best = candidate
        return best

    def _has_decoder(self, utterance: _Utterance) -> bool:
        """Give the utterance a decoder where one is free."""
        if utterance.decoding is None:
            utterance.decoding = self._engine.begin(utterance.context)
        return utterance.decoding is not None

    def _work(self, utterance: _Utterance) -> None:
        decoding = utterance.decoding
        assert decoding is not None
        if utterance.audio:
            piece = bytes(utterance.audio[:_SLICE_BYTES])
            del utterance.audio[:_SLICE_BYTES]
            decoding.feed(piece)
            self._decoded_ms += len(piece) // FRAME_BYTES * FRAME_MS
        if utterance.finishing:
            if not utterance.audio:
                self._finish(utterance, decoding)
        elif decoding.audio_ms - utterance.told_at_ms >= _PARTIAL_MS:
            utterance.told_at_ms = decoding.audio_ms
            text = decoding.text()
            if text != utterance.told:
                utterance.told = text
                self._tell(utterance, text, final=False)

    def _finish(self, utterance: _Utterance, decoding: SphinxUtterance) -> None:
        text = decoding.finish()
        self._utterances.remove(utterance)
        self._tell(utterance, text, final=True, audio_ms=decoding.audio_ms)

    def _tell(self, utterance: _Utterance, text: str, final: bool, audio_ms: int | None = None) -> None:
        heard_ms = utterance.told_at_ms if audio_ms is None else audio_ms
        hypothesis = Hypothesis(utterance.number, text, None, final, heard_ms)
        self._sock.sendall(wire.pack_hypothesis(utterance.session, hypothesis))

    def _tell_metrics(self) -> None:
        self._metrics_at = time.monotonic() + _METRICS_S
        backlog = sum(len(u.audio) for u in self._utterances) // FRAME_BYTES * FRAME_MS
        metrics = {
            "sessions": len(self._sessions),
            "utterances": len(self._utterances),
            "backlog_ms": backlog,
            "decoded_ms": self._decoded_ms,
            "cpu_s": time.process_time(),
        }
        self._sock.sendall(wire.pack(wire.METRICS, 0, json.dumps(metrics).encode()))

    def _handle(self, message: wire.Message) -> None:
        if message.kind == wire.CONTEXTS:
            self._take_contexts(message.payload)
            return
        if message.kind == wire.CLOSE:
            self._close(message.session)
            return
        session = self._sessions.setdefault(message.session, _Session())
        if message.kind == wire.BEGIN:
            self._cancel(message.session)
            number, context = wire.read_begin(message.payload)
            self._begin(message.session, session, number, context)
        elif message.kind == wire.CANCEL:
            self._cancel(message.session)
        elif session.open is not None:
            if message.kind == wire.AUDIO:
                session.open.audio += message.payload
            elif message.kind == wire.FINISH:
                session.open.finishing = True
                session.open = None

    def _begin(self, number: int, session: _Session, utterance: int, context: str) -> None:
        if not self._engine.knows(context):
            reason = f"no language model is known for {context!r}"
            self._sock.sendall(wire.pack(wire.FAILED, number, reason.encode()))
            return
        session.open = _Utterance(number, utterance, context)
        self._utterances.append(session.open)

    def _cancel(self, number: int) -> None:
        session = self._sessions.get(number)
        if session is None or session.open is None:
            return
        utterance, session.open = session.open, None
        self._drop(utterance)

    def _close(self, number: int) -> None:
        self._sessions.pop(number, None)
        for utterance in [u for u in self._utterances if u.session == number]:
            self._drop(utterance)

    def _drop(self, utterance: _Utterance) -> None:
        self._utterances.remove(utterance)
        if utterance.decoding is not None:
            utterance.decoding.cancel()

    def _take_contexts(self, payload: bytes) -> None:
        try:
            remarks = self._engine.add_contexts(wire.read_contexts(payload))
            self._engine.warm_up(_WARM_DECODERS)
            answer: dict[str, object] = {"remarks": remarks}
        except SpeechError as error:
            answer = {"error": str(error)}
        self._sock.sendall(wire.pack(wire.READY, 0, json.dumps(answer).encode()))


def _urgency(utterance: _Utterance) -> tuple[int, int]:
    size = len(utterance.audio)
    return (0, size) if utterance.finishing else (1, -size)


def main(fd: int) -> None:
    """Serve the dialer on the socket with this file descriptor."""
    # Ctrl-C reaches the whole terminal group; the dialer decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    engine = SphinxEngine()
    with socket.socket(fileno=fd) as sock:
        try:
            SpeechWorker(sock, engine).run()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the dialer is gone: there is nobody left to tell
        finally:
            engine.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
