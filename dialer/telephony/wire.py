"""The format between the dialer and a line card: one ``SOCK_SEQPACKET`` message a thing.

Audio and what must be quick have fixed binary layouts; everything rare is a JSON object. A message
is never empty (an empty one looks like the end of the connection) and never above ``MAX_MESSAGE``.

    down (dialer -> card)                     up (card -> dialer)
    PLAY     header, whole frames of PCM      FRAME, EARLY_FRAME   header, one frame of PCM
    FLUSH    header                           VOICED, FLUSHED      header
    CONTROL  JSON                             CONTROL              JSON

Each message names a line (slot of the card) and the serial number of the call on it, so that what
arrives late can never reach the next call of the same line. Imports nothing heavy: cards use it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

FRAME_BYTES = 320
"""20 ms of int16 mono at 8 kHz; the same as ``dialer.audio.FRAME_BYTES``, which needs numpy."""
FRAME_SAMPLES = FRAME_BYTES // 2
FRAME_S = 0.020

VOICED_PEAK = 184
"""-45 dBFS, the same as ``dialer.audio.VOICED_PEAK`` (a test compares them)."""

PLAY_FRAMES_MAX = 50
"""One second of audio, 16,000 bytes, is the most that one PLAY message carries."""

RING_FRAMES = 150
"""Credits: so many frames (3 s) may be in a card unplayed; the rest waits at the dialer."""

MAX_MESSAGE = 65_536
SERIALS = 1 << 16

FRAME = 1
EARLY_FRAME = 2
VOICED = 3
FLUSHED = 4
PLAY = 8
FLUSH = 9
CONTROL = 16

UP = struct.Struct("<BBHIQII")
"""kind, line, serial, number, t_ns, epoch, count. ``number`` and ``count`` mean:
FRAME: sequence number of the frame, frames of ours taken in this epoch.
VOICED: utterance, 0. FLUSHED: utterance, frames of it that were played; a further u32 follows with
the frames that were thrown away."""

DOWN = struct.Struct("<BBHII")
"""kind, line, serial, epoch, utterance; PLAY has PCM behind it."""

DROPPED = struct.Struct("<I")


class Control(NamedTuple):
    """A decoded CONTROL message."""

    kind: str
    line: int
    serial: int
    fields: Mapping[str, Any]


def control(kind: str, line: int = 0, serial: int = 0, **fields: Any) -> bytes:
    """A CONTROL message.

    Raises:
        ValueError: it would be longer than ``MAX_MESSAGE``.
    """
    body = json.dumps([kind, line, serial, fields], separators=(",", ":")).encode()
    if len(body) >= MAX_MESSAGE:
        raise ValueError(f"a {kind} message of {len(body)} bytes is too long")
    return b"\x10" + body


def read_control(message: bytes | memoryview) -> Control:
    """The parts of a CONTROL message (whose first byte is ``CONTROL``)."""
    kind, line, serial, fields = json.loads(bytes(message[1:]))
    return Control(kind, line, serial, fields)
