"""Our audio inside a card: what is queued for one line in one epoch, taken a frame at a time.

One thread puts (the socket reader), one thread takes (the media clock). There is no lock: a deque's
ends are safe to use from two threads, and a flush replaces the whole ring by a new one.
"""

from __future__ import annotations

from collections import deque

from dialer.telephony.wire import FRAME_BYTES, VOICED_PEAK


class PlayoutRing:
    """The queue of one epoch.

    Attributes:
        epoch: counts flushes; audio of another epoch is not accepted.
        played: frames taken so far.
        utterance: the one that the last taken frame belonged to, 0 before the first.
        utterance_played: frames taken of it.
        voiced: the utterance whose first voiced frame was the last one taken, else 0; the media clock
            thread reads and clears it.
        underruns: how often the queue ran empty in the middle of an utterance: a frame was wanted,
            there was none, and more of the same utterance came later.
    """

    __slots__ = (
        "_chunk",
        "_offset",
        "_queue",
        "_starved",
        "_unvoiced",
        "epoch",
        "played",
        "underruns",
        "utterance",
        "utterance_played",
        "voiced",
    )

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.played = 0
        self.utterance = 0
        self.utterance_played = 0
        self.voiced = 0
        self.underruns = 0
        self._queue: deque[tuple[int, bytes]] = deque()
        self._chunk = b""
        self._offset = 0
        self._starved = False
        self._unvoiced = False  # no voiced frame of the present utterance was taken yet

    def put(self, utterance: int, pcm: bytes) -> None:
        """Queue whole frames; called by the reader thread."""
        if self._starved:
            if utterance == self.utterance:
                self.underruns += 1
            self._starved = False
        self._queue.append((utterance, pcm))

    def take(self) -> bytes | None:
        """The next frame, or None where there is none; called by the media clock thread."""
        offset = self._offset
        if offset >= len(self._chunk):
            try:
                utterance, self._chunk = self._queue.popleft()
            except IndexError:
                self._starved = self.utterance != 0
                return None
            offset = 0
            if utterance != self.utterance:
                self.utterance = utterance
                self.utterance_played = 0
                self._unvoiced = True
        end = offset + FRAME_BYTES
        frame = self._chunk[offset:end] if len(self._chunk) != FRAME_BYTES else self._chunk
        self._offset = end
        self.played += 1
        self.utterance_played += 1
        if self._unvoiced and is_voiced(frame):
            self._unvoiced = False
            self.voiced = self.utterance
        return frame

    def left(self) -> int:
        """How many frames are queued. Exact once the ring has been replaced."""
        waiting = sum(len(pcm) for _, pcm in tuple(self._queue))
        return (waiting + max(0, len(self._chunk) - self._offset)) // FRAME_BYTES

    def present(self) -> tuple[int, int]:
        """The utterance that is being played or comes next, and how many frames of it were played."""
        if self._offset >= len(self._chunk) and self._queue:
            following = self._queue[0][0]
            if following != self.utterance:
                return following, 0
        return self.utterance, self.utterance_played


def is_voiced(frame: bytes) -> bool:
    """Whether the peak of int16 PCM is above -45 dBFS."""
    samples = memoryview(frame).cast("h")
    return max(samples) > VOICED_PEAK or -min(samples) > VOICED_PEAK
