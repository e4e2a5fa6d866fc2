"""Messages between the dialer and its speech workers, over a stream socket.

Every message is a header of nine bytes (length of the payload, kind, session) and a payload:

    dialer to worker                             worker to dialer
    C  contexts, JSON                            R  ready with the contexts, JSON: remarks
    B  utterance u32, context name               H  a hypothesis
    A  audio, whole frames                       E  the session's recogniser failed, text
    F  finish the open utterance                 M  metrics, JSON, about every second
    X  forget the open utterance
    Z  close the session

A stream, not SOCK_SEQPACKET as between dialer and line cards: contexts are larger than one packet may be.
Pure functions of bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.speech.base import Hypothesis, LanguageContext

CONTEXTS, BEGIN, AUDIO, FINISH, CANCEL, CLOSE = b"C", b"B", b"A", b"F", b"X", b"Z"
READY, HYPOTHESIS, FAILED, METRICS = b"R", b"H", b"E", b"M"

_HEADER = struct.Struct("<IcI")
_NUMBER = struct.Struct("<I")
_HYPOTHESIS = struct.Struct("<I?fI")
_NO_CONFIDENCE = -1.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind (a byte above), the session it is of (0 for none), and the payload."""

    kind: bytes
    session: int
    payload: bytes


def pack(kind: bytes, session: int = 0, payload: bytes | memoryview = b"") -> bytes:
    """A message as bytes."""
    return _HEADER.pack(len(payload), kind, session) + bytes(payload)


class Unpacker:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now that ``data`` has come."""
        self._rest += data
        at = 0
        try:
            while len(self._rest) - at >= _HEADER.size:
                length, kind, session = _HEADER.unpack_from(self._rest, at)
                end = at + _HEADER.size + length
                if len(self._rest) < end:
                    break
                payload = bytes(self._rest[at + _HEADER.size : end])
                at = end
                yield Message(kind, session, payload)
        finally:
            del self._rest[:at]


def pack_begin(session: int, utterance: int, context: str) -> bytes:
    """``BEGIN`` as bytes."""
    return pack(BEGIN, session, _NUMBER.pack(utterance) + context.encode())


def read_begin(payload: bytes) -> tuple[int, str]:
    """The utterance's number and the context's name."""
    return _NUMBER.unpack_from(payload)[0], payload[_NUMBER.size :].decode()


def pack_hypothesis(session: int, hypothesis: Hypothesis) -> bytes:
    """``HYPOTHESIS`` as bytes."""
    confidence = _NO_CONFIDENCE if hypothesis.confidence is None else hypothesis.confidence
    head = _HYPOTHESIS.pack(hypothesis.utterance, hypothesis.final, confidence, hypothesis.audio_ms)
    return pack(HYPOTHESIS, session, head + hypothesis.text.encode())


def read_hypothesis(payload: bytes) -> Hypothesis:
    """The hypothesis of a payload."""
    utterance, final, confidence, audio_ms = _HYPOTHESIS.unpack_from(payload)
    text = payload[_HYPOTHESIS.size :].decode()
    return Hypothesis(utterance, text, None if confidence < 0 else confidence, final, audio_ms)


def pack_contexts(contexts: Iterable[LanguageContext]) -> bytes:
    """``CONTEXTS`` as bytes."""
    rows = [[c.name, c.language, [list(s) for s in c.sentences], dict(c.weights)] for c in contexts]
    return pack(CONTEXTS, 0, json.dumps(rows).encode())


def read_contexts(payload: bytes) -> list[LanguageContext]:
    """The contexts of a payload."""
    rows: Sequence[Any] = json.loads(payload)
    return [
        LanguageContext(name, language, tuple((text, intent) for text, intent in sentences), weights)
        for name, language, sentences, weights in rows
    ]
