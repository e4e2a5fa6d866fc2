"""What we are saying in one call: queued prompts, how far each was really played, what a flush left over.

Counting is in frames of 20 ms that pjmedia has taken, as the line card reports them; nothing here
waits or reads a clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from dialer.audio import FRAME_BYTES, SILENT_FRAME
from dialer.telephony.base import Leg, LegFlushed


@dataclass(slots=True)
class Spoken:
    """One prompt on its way to the callee.

    ``offset`` is the first byte of ``pcm`` that is played (above 0 where a cut prompt was resumed);
    ``end_frame`` is where it ends in the present epoch, as ``Leg.play`` returned it.
    """

    utterance: int
    prompt: str
    text: str
    pcm: bytes
    offset: int
    end_frame: int
    uninterruptible: bool

    @property
    def frames(self) -> int:
        """How many frames of it are played in this epoch."""
        return (len(self.pcm) - self.offset) // FRAME_BYTES


class Playout:
    """The queue of one call. Lives in the loop's thread."""

    def __init__(self) -> None:
        self._leg: Leg | None = None
        self._queue: deque[Spoken] = deque()
        self._played = 0
        self._next_utterance = 1
        self._cut: list[Spoken] = []

    def attach(self, leg: Leg) -> None:
        """The call was placed: audio can be queued from now on."""
        self._leg = leg

    @property
    def busy(self) -> bool:
        """Whether something queued has not been played out."""
        return bool(self._queue)

    @property
    def uninterruptible(self) -> bool:
        """Whether what is being played must not be stopped."""
        return bool(self._queue) and self._queue[0].uninterruptible

    @property
    def remaining_frames(self) -> int:
        """How many frames are still to be played."""
        return self._queue[-1].end_frame - self._played if self._queue else 0

    def say(
        self, prompt: str, text: str, pcm: bytes, *, uninterruptible: bool = False, offset: int = 0
    ) -> int:
        """Queue a prompt behind what is already there.

        Args:
            prompt: its name in the dialog, for the records.
            text: its words.
            pcm: whole frames of int16 mono at 8 kHz; not copied.
            uninterruptible: speech of the callee must not stop it.
            offset: first byte to play, a whole number of frames.

        Returns:
            The utterance number that ``LegVoiced`` and ``LegFlushed`` carry.
        """
        if self._leg is None:
            raise RuntimeError("say() before attach()")
        utterance = self._next_utterance
        self._next_utterance += 1
        view = memoryview(pcm)[offset:] if offset else pcm
        end = self._leg.play(view, utterance)
        self._queue.append(Spoken(utterance, prompt, text, pcm, offset, end, uninterruptible))
        return utterance

    def stop(self) -> None:
        """Flush: what was being said can be resumed until something else is said."""
        if self._leg is None or not self._queue:
            return
        self._cut = list(self._queue)
        self._queue.clear()
        self._played = 0
        self._leg.flush()

    def flushed(self, event: LegFlushed) -> Spoken | None:
        """The card's answer to ``stop``: note how far the cut prompt came; returns it."""
        while self._cut and self._cut[0].utterance != event.utterance and event.utterance:
            self._cut.pop(0)  # had been played out by the time of the flush
        if not self._cut:
            return None
        if event.utterance == 0:
            self._cut.clear()  # everything had been played out
            return None
        first = self._cut[0]
        first.offset += min(event.frames_played, first.frames) * FRAME_BYTES
        return first

    def resume(self) -> bool:
        """Go on where ``stop`` cut us off; False where nothing was left."""
        left, self._cut = self._cut, []
        for item in left:
            if item.frames > 0:
                self.say(
                    item.prompt,
                    item.text,
                    item.pcm,
                    uninterruptible=item.uninterruptible,
                    offset=item.offset,
                )
        return self.busy

    def forget_cut(self) -> None:
        """What was cut will not be resumed: the dialog has moved on."""
        self._cut = []

    def advance(self, played: int) -> bytes | memoryview:
        """Take note of ``played`` frames of the present epoch.

        Returns:
            The frame of ours that was played last (320 bytes), silence where there was none: what a
            recording wants.
        """
        moved = played > self._played
        self._played = played
        frame: bytes | memoryview = SILENT_FRAME
        if moved and self._queue:
            item = self._queue[0]
            while played > item.end_frame and len(self._queue) > 1:
                self._queue.popleft()
                item = self._queue[0]
            start = len(item.pcm) - (item.end_frame - played + 1) * FRAME_BYTES
            if item.offset <= start < len(item.pcm):
                frame = memoryview(item.pcm)[start : start + FRAME_BYTES]
        while self._queue and self._queue[0].end_frame <= played:
            self._queue.popleft()
        return frame
