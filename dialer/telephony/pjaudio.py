"""The audio of a line as pjsua2 wants it. Its callbacks run on pjmedia's clock thread, with the port's lock
held: they copy bytes to or from a ring and return.
"""

from __future__ import annotations

import ctypes
import threading
import time
from typing import Any

import pjsua2 as pj

from dialer.telephony import vectors
from dialer.telephony.line import Line
from dialer.telephony.uplink import Uplink
from dialer.telephony.wire import EARLY_FRAME, FRAME, FRAME_BYTES, UP, VOICED

RATE = 8000
FRAME_MS = 20

_SILENCE = bytes(FRAME_BYTES)
_AUDIO = pj.PJMEDIA_FRAME_TYPE_AUDIO
_keep_thread_state = ctypes.pythonapi.PyGILState_Ensure
"""One more reference to the calling thread's Python state than SWIG gives back."""


class LinePort(pj.AudioMediaPort):  # type: ignore[misc]  # pjsua2 has no type information
    """The audio of one line; made once a card and reused (freed ports crash pjmedia).

    pjmedia's clock thread is none of Python's, so SWIG would make a Python thread state for it at every
    callback and throw it away again, with the memory of its stack (80 us a frame). The first callback
    therefore holds on to that state for good.
    """

    _clock_thread = 0

    def __init__(self, line: Line, uplink: Uplink, way: vectors.Way) -> None:
        super().__init__()
        self._line = line
        self._uplink = uplink
        self._read = way.read
        self._write = way.write
        self._ours = vectors.full(pj.ByteVector)
        self._silence = vectors.full(pj.ByteVector)
        media_format = pj.MediaFormatAudio()
        media_format.init(pj.PJMEDIA_FORMAT_PCM, RATE, 1, FRAME_MS * 1000, 16)
        self.createPort(f"line{line.number}", media_format)

    def onFrameRequested(self, frame: Any) -> None:
        """Give pjmedia our next 20 ms. Clock thread."""
        frame.type = _AUDIO
        line = self._line
        if line.gate:
            ring = line.ring
            pcm = ring.take()
            if pcm is not None:
                self._write(self._ours, pcm)
                frame.buf = self._ours
                if ring.voiced:
                    now_ns = time.monotonic_ns()
                    self._uplink.event(
                        UP.pack(VOICED, line.number, line.serial, ring.voiced, now_ns, ring.epoch, 0)
                    )
                    ring.voiced = 0
                return
        frame.buf = self._silence

    def onFrameReceived(self, frame: Any) -> None:
        """Hand up 20 ms of the callee. Clock thread."""
        line = self._line
        if not line.streaming:
            if not LinePort._clock_thread:
                LinePort._clock_thread = threading.get_native_id()
                _keep_thread_state()
            return
        pcm = self._read(frame.buf)
        if len(pcm) != FRAME_BYTES:  # a tick without a frame: silence stands for it
            pcm = _SILENCE
        ring = line.ring
        number = line.next_frame
        line.next_frame = number + 1
        header = UP.pack(
            FRAME if line.answered else EARLY_FRAME,
            line.number,
            line.serial,
            number,
            time.monotonic_ns(),
            ring.epoch,
            ring.played,
        )
        if not self._uplink.frame(header + pcm):
            line.frames_dropped += 1
