"""Answering machines in one call: is it one, and when can a message be left."""

from __future__ import annotations

from dialer.clock import ms_between
from dialer.dialog.messages import WaitForBeep
from dialer.speech.amd import MachineDetector
from dialer.speech.base import VoiceActivity
from dialer.speech.beep import BeepDetector


class MachineWatch:
    """Runs beside the greeting; fed with every frame and every word.

    Args:
        enabled: whether machines are looked for at all.
        silence_ms: so long a silence after a machine's greeting means that it is over without a beep.
        language: of the words.
    """

    def __init__(self, enabled: bool, silence_ms: int, language: str) -> None:
        self._detector = MachineDetector(language) if enabled else None
        self._beep = BeepDetector()
        self._silence_ms = silence_ms
        self._wait: WaitForBeep | None = None
        self._since_ns = 0
        self._quiet_since_ns = 0
        self.found = False

    @property
    def waiting(self) -> bool:
        """Whether we are silent until the machine's greeting is over."""
        return self._wait is not None

    def frame(self, t_ns: int, speech: bool) -> bool:
        """20 ms of the callee; True when this frame shows it to be a machine (once)."""
        if self._detector is None or self.found:
            return False
        self._detector.frame(t_ns, speech)
        return self._judge()

    def words(self, text: str) -> bool:
        """What has been understood so far; True when it shows a machine (once)."""
        if self._detector is None or self.found or not text:
            return False
        self._detector.words(text)
        return self._judge()

    def _judge(self) -> bool:
        self.found = self._detector is not None and self._detector.verdict == "machine"
        return self.found

    def wait(self, wait: WaitForBeep) -> None:
        """Be silent until ``ready``."""
        self._wait = wait
        self._since_ns = 0

    def ready(self, vad: VoiceActivity, pcm: memoryview, t_ns: int) -> bool:
        """20 ms of the machine; True when a message can be left now (once)."""
        wait = self._wait
        if wait is None:
            return False
        if not self._since_ns:
            self._since_ns = self._quiet_since_ns = t_ns
        beep = self._beep.frame(pcm)
        if vad.is_speech(pcm):
            self._quiet_since_ns = t_ns
        over = ms_between(self._quiet_since_ns, t_ns) >= self._silence_ms
        if beep or over or ms_between(self._since_ns, t_ns) >= wait.max_ms:
            self._wait = None
            return True
        return False
