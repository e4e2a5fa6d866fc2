"""Turn-taking in one call: whose turn it is, when the callee's ends, and what is ready by then.

    speech starts -> pause -> prepare (ask the intents, ask the dialog "what if", fetch the prompt)
                           -> resumed: what was prepared is dropped
                           -> end of turn: what was prepared is said

So the callee waits for the pause and never for the computing. Speech that comes within ``reopen_ms`` of a
commit was no new turn but the rest of the old one ("yes ... it's me"): the turn is reopened, and both
parts are answered together. Everything runs in the loop's thread; time comes in with the frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dialer.aio import spawn
from dialer.clock import NS_PER_MS, ms_between
from dialer.conversation.base import ConversationSettings, Prompts
from dialer.conversation.listener import Listener
from dialer.conversation.playout import Playout
from dialer.conversation.speaker import Speaker
from dialer.dialog import machine
from dialer.dialog.messages import Heard, Listen, Say
from dialer.errors import Overloaded, SpeechError
from dialer.intent.base import OUT_OF_SCOPE, IntentAnswer, IntentEngine, IntentQuery
from dialer.speech.base import Hypothesis
from dialer.speech.endpointing import Signal
from dialer.telephony.base import LegFlushed

GREETING = "greeting"


class Floor(Protocol):
    """What turn-taking asks of the call."""

    @property
    def listen(self) -> Listen | None:
        """What the dialog waits for; None where the callee has no turn."""

    def propose(
        self, text: str, answer: IntentAnswer, interrupted: bool, reopened: bool = False
    ) -> tuple[Heard, machine.Step]:
        """What would be said to this, in the place of the last answer where ``reopened``; changes nothing."""

    def may_reopen(self) -> bool:
        """Whether the last turn can be taken back (nothing was done that cannot be undone)."""

    def is_backchannel(self, text: str) -> bool:
        """Whether words spoken into a prompt of ours say no more than "go on"."""

    def take_turn(self, turn: EndedTurn) -> None:
        """The callee's turn is over: answer it."""

    def part_failed(self, part: str, why: str) -> None:
        """Something of ours failed for good."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be said if the utterance ended with ``text``."""

    utterance: int
    text: str
    answer: IntentAnswer
    heard: Heard
    step: machine.Step


@dataclass(frozen=True, slots=True)
class EndedTurn:
    """A turn of the callee. Stamps are monotonic nanoseconds, taken in the line card."""

    heard: Heard
    step: machine.Step
    speech_started_ns: int
    last_voiced_ns: int
    decision_ns: int
    barge_in_ms: float | None
    reopens: bool = False


@dataclass(frozen=True, slots=True)
class LastTurn:
    """The turn that was answered last, for the case that it was not over."""

    text: str
    listen: Listen
    speech_started_ns: int
    decision_ns: int


class TurnTaking:
    """Decides when to listen, when to stop talking and when to answer."""

    def __init__(
        self,
        call_id: str,
        language: str,
        *,
        settings: ConversationSettings,
        floor: Floor,
        listener: Listener,
        speaker: Speaker,
        playout: Playout,
        intents: IntentEngine,
        prompts: Prompts,
    ) -> None:
        self._call_id = call_id
        self._language = language
        self._settings = settings
        self._floor = floor
        self._listener = listener
        self._speaker = speaker
        self._playout = playout
        self._intents = intents
        self._prompts = prompts
        self._opening_ends_ns = 0
        self._prepared: Prepared | None = None
        self._asking = ""
        self._paused = False
        self._decision_ns = 0  # above 0: the turn has ended and waits for its words
        self._held: EndedTurn | None = None
        self._last: LastTurn | None = None
        self._reopened: LastTurn | None = None  # the open utterance goes on with this turn
        self._barge_in_from_ns = 0
        self._barge_in_ms: float | None = None

    @property
    def open(self) -> bool:
        """Whether the callee is speaking, or has spoken and not been answered."""
        return self._listener.in_speech or self._decision_ns > 0

    def answered(self, t_ns: int) -> None:
        """The call was answered: the opening begins."""
        self._opening_ends_ns = t_ns + self._settings.opening_ms * NS_PER_MS

    def drop(self) -> None:
        """The floor was taken for another reason (a key, a machine, a failure): forget the utterance."""
        self._prepared = None
        self._asking = ""
        self._decision_ns = 0
        self._held = None
        self._last = None
        self._reopened = None

    # --- what is heard ----------------------------------------------------------------------------

    def signal(self, signal: Signal | None, t_ns: int) -> None:
        """What endpointing made of the frame at ``t_ns``."""
        if signal is None:
            if self._listener.in_speech:
                self._consider_barge_in()
            elif self._decision_ns:
                self._consider_waiting(t_ns)
        elif signal is Signal.SPEECH_STARTED:
            self._prepared = None
            self._asking = ""
            self._paused = False
            self._decision_ns = 0
            self._barge_in_ms = None
            self._reopened = self._goes_on_with()
            if self._reopened is not None and not self._playout.uninterruptible:
                self._speaker.stop()  # we have only just begun to answer half a sentence
        elif signal is Signal.PAUSE:
            self._paused = True
            self._prepare()
        elif signal is Signal.RESUMED:
            self._paused = False
        elif signal is Signal.FALSE_START:
            self._speaker.resume()
        elif signal is Signal.TURN_ENDED:
            self._paused = False
            self._decision_ns = t_ns
            if self._listener.final:  # else its last words are a few milliseconds away
                self._commit()

    def hypothesis(self, hypothesis: Hypothesis) -> None:
        """New words of the open utterance (already noted by the listener)."""
        if self._decision_ns:
            if hypothesis.final:
                self._commit()
        elif self._paused:
            self._prepare()

    def flushed(self, event: LegFlushed) -> None:
        """Our audio has stopped."""
        cut = self._playout.flushed(event)
        if cut is not None and self._barge_in_from_ns:
            self._barge_in_ms = ms_between(self._barge_in_from_ns, event.t_ns)
        self._barge_in_from_ns = 0

    def played_out(self) -> bool:
        """Nothing of ours is left to be heard; True where an answer given in the opening is taken now."""
        held, self._held = self._held, None
        if held is None or self._floor.listen is None:
            return False
        heard, step = self._floor.propose(
            held.heard.text, IntentAnswer(held.heard.intent, held.heard.score), False
        )
        self._floor.take_turn(
            EndedTurn(heard, step, held.speech_started_ns, held.last_voiced_ns, held.decision_ns, None)
        )
        return True

    def _goes_on_with(self) -> LastTurn | None:
        """The turn that the utterance which begins now belongs to; None where it is a turn of its own."""
        last = self._last
        if last is None or not self._floor.may_reopen():
            return None
        pause_ms = ms_between(last.decision_ns, self._listener.speech_started_ns)
        return last if pause_ms < self._settings.reopen_ms else None

    def _words(self) -> str:
        """What was said in the turn so far."""
        text = self._listener.text
        return f"{self._reopened.text} {text}".strip() if self._reopened is not None and text else text

    def _awaited(self) -> Listen | None:
        """What the dialog waited for when the turn began."""
        return self._reopened.listen if self._reopened is not None else self._floor.listen

    # --- barge-in ---------------------------------------------------------------------------------

    def _consider_barge_in(self) -> None:
        if not self._playout.busy or self._playout.uninterruptible or self._floor.listen is None:
            return  # nothing is said, or nobody is to answer it (a goodbye, a message to a machine)
        from_ns = max(self._listener.speech_started_ns, self._opening_ends_ns)
        if self._listener.last_voiced_ns - from_ns >= self._settings.barge_in_ms * NS_PER_MS:
            self._barge_in_from_ns = from_ns
            self._speaker.stop()

    # --- preparing and committing -------------------------------------------------------------------

    def _prepare(self) -> None:
        """At a pause: find out what would be said, and have it ready."""
        listen, words = self._awaited(), self._words()
        if listen is None or not words or self._asking == words:
            return
        self._asking = words
        spawn(
            self._ask(self._listener.utterance, words, listen),
            name=f"prepare:{self._call_id}",
            on_error=self._ask_failed,
        )

    async def _ask(self, utterance: int, words: str, listen: Listen) -> None:
        answer = await self._intents.ask(IntentQuery(words, self._language, listen.allowed))
        listener = self._listener
        if listener.utterance != utterance or self._words() != words or self._awaited() is not listen:
            self._asking = ""  # the words or the dialog have moved on
            return
        reopened = self._reopened is not None
        heard, step = self._floor.propose(words, answer, self._barge_in_ms is not None, reopened)
        self._prepared = Prepared(utterance, words, answer, heard, step)
        listener.understood(listener.text, answer.score, answer.intent != OUT_OF_SCOPE)
        if self._decision_ns:
            if listener.final:
                self._commit()
            return
        for command in step.commands:
            if isinstance(command, Say) and self._prompts.get(command.text, self._language) is None:
                await self._prompts.fetch(command.text, self._language)

    def _ask_failed(self, error: BaseException) -> None:
        self._asking = ""
        if isinstance(error, SpeechError):
            return  # met again, and acted upon, when the prompt is to be spoken
        if isinstance(error, Overloaded):
            return  # asked again at the next pause, or every frame once the turn has ended
        self.drop()
        self._floor.part_failed("intent", str(error))

    def _consider_waiting(self, t_ns: int) -> None:
        """The turn has ended, but its last words or their meaning are late."""
        waited_ms = ms_between(self._decision_ns, t_ns)
        if waited_ms >= self._settings.answer_wait_ms:
            self.drop()
            self._floor.part_failed("intent", f"no answer within {self._settings.answer_wait_ms} ms")
        elif self._listener.final:
            self._commit()
        elif waited_ms >= self._settings.final_wait_ms:
            self._listener.final = True  # what is there must do
            self._commit()

    def _commit(self) -> None:
        """The turn has ended and its words are known."""
        listener = self._listener
        words = self._words()
        listen = self._awaited()
        prepared = self._prepared
        if listen is None:
            self.drop()
            return
        if not words:
            self._commit_wordless()
            return
        if prepared is None or prepared.text != words or prepared.utterance != listener.utterance:
            self._prepare()  # comes back here with the answer
            return
        first = self._reopened
        turn = EndedTurn(
            prepared.heard,
            prepared.step,
            listener.speech_started_ns if first is None else first.speech_started_ns,
            listener.last_voiced_ns,
            self._decision_ns,
            self._barge_in_ms,
            reopens=first is not None,
        )
        into_prompt = self._playout.busy or self._barge_in_ms is not None
        goes_on = into_prompt and self._floor.is_backchannel(listener.text)
        self.drop()
        if goes_on or (self._in_opening() and prepared.answer.intent == GREETING):
            self._speaker.resume()
        elif self._in_opening() and self._playout.busy:
            self._held = turn  # heard and kept: taken as the answer when the greeting has been said
        else:
            self._last = LastTurn(words, listen, turn.speech_started_ns, turn.decision_ns)
            self._floor.take_turn(turn)

    def _commit_wordless(self) -> None:
        """Something was said or sounded, and nothing was understood."""
        listener = self._listener
        decision_ns, barge_in_ms = self._decision_ns, self._barge_in_ms
        voiced_ms = ms_between(listener.speech_started_ns, listener.last_voiced_ns)
        self.drop()
        if self._speaker.resume() or self._playout.busy or self._in_opening():
            return
        if voiced_ms < self._settings.short_noise_ms:
            return
        heard, step = self._floor.propose("", IntentAnswer(OUT_OF_SCOPE, 0.0), barge_in_ms is not None)
        self._floor.take_turn(
            EndedTurn(
                heard, step, listener.speech_started_ns, listener.last_voiced_ns, decision_ns, barge_in_ms
            )
        )

    def _in_opening(self) -> bool:
        return self._listener.speech_started_ns < self._opening_ends_ns
