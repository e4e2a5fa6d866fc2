"""What a conversation is given: its settings and the services it talks to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dialer.clock import Clock
from dialer.intent.base import IntentEngine
from dialer.speech.base import Recognizer, VoiceActivity
from dialer.speech.endpointing import EndpointSettings
from dialer.telephony.base import Telephony


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """How a campaign converses; times in milliseconds.

    Attributes:
        opening_ms: what the callee says this soon after the answer does not interrupt the greeting.
        barge_in_ms: voiced time after which speech interrupts a prompt of ours.
        final_wait_ms: how long a turn that has ended waits for the recogniser's last word.
        answer_wait_ms: how long it waits for its meaning before the intents count as failed.
        reopen_ms: speech this soon after the end of a turn belongs to that turn.
        short_noise_ms: an utterance shorter than this in which nothing was understood is a cough.
        longest_call_ms: after this the dialog says goodbye.
        goodbye_ms: how long a goodbye may take before the line is cut.
        transfer_ms: a transfer that has not gone through after this has failed; the dialog goes on.
        detect_machines: whether answering machines are looked for.
    """

    opening_ms: int = 2000
    barge_in_ms: int = 160
    final_wait_ms: int = 300
    answer_wait_ms: int = 2000
    reopen_ms: int = 400
    short_noise_ms: int = 350
    longest_call_ms: int = 300_000
    goodbye_ms: int = 8_000
    transfer_ms: int = 8_000
    detect_machines: bool = True
    endpointing: EndpointSettings = field(default_factory=EndpointSettings)


class Prompts(Protocol):
    """Rendered prompts (``speech.prompts.PromptCache``)."""

    async def prepare(self, texts: Sequence[str], language: str) -> None:
        """Render all of ``texts`` that are not there yet."""

    def get(self, text: str, language: str) -> bytes | None:
        """A rendered prompt at once, or None."""

    def pin(self, call_id: str, texts: Sequence[str], language: str) -> None:
        """Keep these while the call lasts."""

    def release(self, call_id: str) -> None:
        """The call is over."""

    async def fetch(self, text: str, language: str) -> bytes:
        """A prompt, rendered now where it must be.

        Raises:
            SpeechError: it cannot be rendered.
        """


class LiveView(Protocol):
    """Where the state of a call is shown while it lasts. Every method returns at once."""

    def call_started(self, call_id: str, number: str, name: str) -> None:
        """The number is being dialled."""

    def call_state(self, call_id: str, state: str) -> None:
        """``ringing``, ``answered``, or the dialog's state."""

    def call_heard(self, call_id: str, text: str, intent: str, reply_ms: float | None) -> None:
        """A turn."""

    def call_replied(self, call_id: str, reply_ms: float) -> None:
        """Our reply to the last turn has begun."""

    def call_ended(self, call_id: str, disposition: str) -> None:
        """It is over."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all conversations of a host share.

    Attributes:
        new_vad: makes the voice activity detector of one line.
        suppress: ``(number, reason)`` is durably on the do-not-call list when it returns.
        dialled: ``(attempt_id, sip_call_id)`` once the INVITE has left.
        context_prefix: recogniser contexts are named prefix, language, slash, dialog state.
        recording_path: where the recording of a call goes; None where calls are not recorded.
    """

    clock: Clock
    telephony: Telephony
    recognizer: Recognizer
    intents: IntentEngine
    prompts: Prompts
    new_vad: Callable[[], VoiceActivity]
    suppress: Callable[[str, str], Coroutine[Any, Any, None]]
    dialled: Callable[[str, str], Coroutine[Any, Any, None]]
    recording_path: Callable[[str], Path | None]
    live: LiveView
    context_prefix: str = ""
