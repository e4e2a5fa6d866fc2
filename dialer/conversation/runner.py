"""The shell of one call: it feeds events to the pure cores and executes what they answer.

Everything runs in the event loop's thread. ``on_frame`` comes every 20 ms and is also the clock of the
call: timers are compared with the frame's stamp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import structlog

from dialer.aio import spawn
from dialer.call import CallRecord, Contact, Disposition, TurnRecord
from dialer.clock import NS_PER_MS, ms_between
from dialer.conversation.base import ConversationSettings, Services
from dialer.conversation.ledger import CallLedger
from dialer.conversation.listener import Listener
from dialer.conversation.machines import MachineWatch
from dialer.conversation.playout import Playout
from dialer.conversation.recorder import CallRecorder
from dialer.conversation.speaker import Speaker
from dialer.conversation.turns import EndedTurn, TurnTaking
from dialer.dialog import machine, render
from dialer.dialog.messages import (
    CallAnswered,
    DialogCommand,
    DialogEvent,
    GoodbyeWanted,
    HangUp,
    Heard,
    KeyPressed,
    Listen,
    MachineAnswered,
    MachineReady,
    NothingHeard,
    Outcome,
    PartFailed,
    Remember,
    Say,
    SpeechDone,
    Suppress,
    TransferEnded,
    TransferTo,
    WaitForBeep,
)
from dialer.dialog.plan import DialogPlan
from dialer.errors import DialerError
from dialer.intent.base import IntentAnswer
from dialer.intent.slots import read_slots
from dialer.speech.base import Hypothesis, RecognizerSession
from dialer.speech.endpointing import Endpointer, Signal
from dialer.telephony.base import (
    DialRequest,
    Leg,
    LegAnswered,
    LegDialled,
    LegDtmf,
    LegEnded,
    LegEvent,
    LegFlushed,
    LegRinging,
    LegTransfer,
)

log = structlog.get_logger()


class CallRunner:
    """Runs one call from the INVITE to its record.

    Args:
        request: what to dial.
        contact: whom.
        plan: the campaign's dialog.
        services: what all calls share.
        settings: how the campaign converses.
        today: the callee's date, for "tomorrow".
        disk: executor of the recordings.
    """

    def __init__(
        self,
        request: DialRequest,
        contact: Contact,
        plan: DialogPlan,
        services: Services,
        settings: ConversationSettings,
        *,
        today: date,
        disk: ThreadPoolExecutor,
    ) -> None:
        self.call_id = request.call_id
        self._request = request
        self._contact = contact
        self._plan = plan
        self._services = services
        self._settings = settings
        self._today = today
        self._log = log.bind(call_id=request.call_id, trunk=request.trunk)

        self._dialog = machine.start(plan, contact)
        self.listen: Listen | None = None
        self._after_speech: HangUp | TransferTo | None = None
        self._announce_silence = False  # tell the dialog when everything has been said

        self._ledger = CallLedger(request.call_id, request.attempt_id)
        self._record = self._ledger.record
        path = services.recording_path(request.call_id)
        self._recorder = CallRecorder(path, disk) if path is not None else None
        self._playout = Playout()
        self._speaker = Speaker(
            self.call_id,
            contact.language,
            services.prompts,
            self._playout,
            lambda error: self.part_failed("synthesizer", str(error)),
        )
        self._machines = MachineWatch(settings.detect_machines, plan.machine_silence_ms, contact.language)
        self._session: RecognizerSession | None = None
        self._listener: Listener | None = None
        self._turns: TurnTaking | None = None

        self._leg: Leg | None = None
        self._ended: asyncio.Future[LegEnded] = asyncio.get_running_loop().create_future()
        self._watchdog: asyncio.TimerHandle | None = None
        self._suppressing: list[asyncio.Task[None]] = []
        self._next_seq = -1
        self._quiet_since_ns = 0
        self._transfer_ends_ns = 0  # above 0: a transfer is under way
        self._failed_parts: set[str] = set()
        self._leaving = False
        self._cut_by_us = ""

    # --- the life of a call -----------------------------------------------------------------------

    async def run(self) -> CallRecord:
        """Place the call and see it through.

        Returns:
            Its record, whatever the network or the callee did.

        Raises:
            NoFreeLine: no line could be had; nothing was dialled.
            TelephonyError: the destination or trunk cannot be used; nothing was dialled.
            SpeechError: no recogniser, or the opening cannot be spoken; nothing was dialled.
        """
        services = self._services
        opening = machine.step(self._plan, self._dialog, CallAnswered())
        texts = render.texts_before_dialling(self._plan, self._contact)
        await services.prompts.prepare(texts, self._contact.language)
        services.prompts.pin(self.call_id, texts, self._contact.language)
        try:
            self._open_ears()
            self._record.started_at_ms = services.clock.wall().timestamp() * 1000
            services.live.call_started(self.call_id, self._contact.number, self._display_name())
            self._leg = await services.telephony.place(self._request, self)
            self._playout.attach(self._leg)
            if self._cut_by_us:
                self._leg.hang_up()
            # Queued before the answer: the card starts it with the first frame after the 200 OK.
            self._apply(opening)
            ended = await self._ended
        except asyncio.CancelledError:
            self.stop(Disposition.CANCELLED)
            if not self._ledger.dialled_ns:
                services.live.call_ended(self.call_id, Disposition.CANCELLED)
                raise
            # The network has not confirmed our BYE in time; what was said in the call is kept all the same.
            answered = self._ledger.answered_ns > 0
            now_ns = services.clock.now_ns()
            ended = LegEnded(now_ns, 200 if answered else 487, "cut by us", None, "us", answered)
            self._ledger.event(ended)
        except BaseException:
            self.stop(Disposition.CANCELLED)
            services.live.call_ended(self.call_id, Disposition.FAILED)
            raise
        finally:
            await asyncio.shield(spawn(self._close(), name=f"close:{self.call_id}"))
        self._ledger.conclude(ended, self._cut_by_us)
        services.live.call_ended(self.call_id, self._record.disposition)
        self._log.info("call.ended", disposition=self._record.disposition, cause=self._record.cause)
        return self._record

    def _open_ears(self) -> None:
        settings, services = self._settings, self._services
        self._session = services.recognizer.open(self.call_id, self)
        self._listener = Listener(
            services.new_vad(),
            Endpointer(settings.endpointing, self._contact.language),
            self._session,
            pre_roll_ms=settings.endpointing.pre_roll_ms,
            reopen_ms=settings.reopen_ms,
            context_prefix=f"{services.context_prefix}{self._contact.language}/",
        )
        self._turns = TurnTaking(
            self.call_id,
            self._contact.language,
            settings=settings,
            floor=self,
            listener=self._listener,
            speaker=self._speaker,
            playout=self._playout,
            intents=services.intents,
            prompts=services.prompts,
        )

    async def _close(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._session is not None:
            self._session.close()
        self._services.prompts.release(self.call_id)
        for failure in await asyncio.gather(*self._suppressing, return_exceptions=True):
            if isinstance(failure, BaseException):
                self._log.error("suppression.failed", error=str(failure))
                self._record.cause = self._record.cause or f"do-not-call list: {failure}"
        if self._recorder is not None:
            self._record.recording = await self._recorder.close()

    def drain(self) -> None:
        """Say goodbye and end; the line is cut when that takes too long."""
        if self._leaving or self._ended.done():
            return
        self._leaving = True
        if not self._ledger.answered_ns:
            self.stop(Disposition.CANCELLED)
            return
        self._watch(self._settings.goodbye_ms, self.stop)
        self._take_floor(GoodbyeWanted())

    def stop(self, why: str = Disposition.CANCELLED) -> None:
        """End the call at once."""
        self._cut_by_us = self._cut_by_us or why
        if self._leg is not None:
            self._leg.hang_up()

    def _watch(self, after_ms: int, then: Callable[[], None]) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = asyncio.get_running_loop().call_later(after_ms / 1000, then)

    def _display_name(self) -> str:
        fields = self._contact.fields
        both = " ".join(str(fields[part]) for part in ("first_name", "last_name") if fields.get(part))
        return str(fields.get("name") or both or self._contact.number)

    # --- what the line and the recogniser report ----------------------------------------------------

    def on_event(self, event: LegEvent) -> None:
        """LegHandler: anything but audio."""
        replied = self._ledger.event(event)
        if replied is not None and replied.reply_ms is not None:
            self._services.live.call_replied(self.call_id, replied.reply_ms)
        match event:
            case LegDialled():
                spawn(
                    self._services.dialled(self._request.attempt_id, event.sip_call_id),
                    name=f"dialled:{self.call_id}",
                )
            case LegRinging():
                self._services.live.call_state(self.call_id, "ringing")
            case LegAnswered():
                self._log.info("leg.answered", codec=event.codec)
                self._services.live.call_state(self.call_id, self._dialog.name)
                self._quiet_since_ns = event.t_ns
                if self._turns is not None:
                    self._turns.answered(event.t_ns)
                self._watch(self._settings.longest_call_ms, self.drain)
            case LegFlushed():
                if self._turns is not None:
                    self._turns.flushed(event)
            case LegDtmf():
                self._key(event)
            case LegTransfer():
                if event.done and self._transfer_ends_ns:
                    self._transfer_ended(200 <= event.sip_code < 300)
            case LegEnded():
                if not self._ended.done():
                    self._ended.set_result(event)
            case _:
                pass

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        """LegHandler: 20 ms of the callee."""
        missing = max(0, seq - self._next_seq) if self._next_seq >= 0 else 0
        self._next_seq = seq + 1
        was_busy = self._playout.busy
        ours = self._playout.advance(played)
        listener, turns = self._listener, self._turns
        if not self._ledger.answered_ns or listener is None or turns is None:
            return
        if self._recorder is not None:
            if missing:
                self._recorder.silence(missing)
            self._recorder.frame(pcm, ours)
        if was_busy and not self._playout.busy:
            self._quiet_since_ns = t_ns
        if self._announce_silence and not self._speaker.busy and not turns.open:
            # Not while the callee speaks: the turn may be reopened, and with it what was to follow.
            self._announce_silence = False
            self._played_out(t_ns)
        if self._machines.waiting:
            if self._machines.ready(listener.vad, pcm, t_ns):
                self._event(MachineReady())
            return
        signal = listener.frame(pcm, t_ns, missing=missing, speaking=was_busy)
        if signal is Signal.SPEECH_STARTED:
            self._ledger.speech_started(t_ns)
        if self._machines.frame(t_ns, listener.speech):
            self._take_floor(MachineAnswered())
            return
        if self._transfer_ends_ns and t_ns >= self._transfer_ends_ns:
            self._transfer_ended(False)
            return
        turns.signal(signal, t_ns)
        if (
            self.listen is not None
            and not turns.open
            and not self._speaker.busy
            and ms_between(max(self._quiet_since_ns, listener.last_voiced_ns), t_ns) >= self.listen.silence_ms
        ):
            self._quiet_since_ns = t_ns
            self._ledger.undo = None
            self._event(NothingHeard())

    def on_hypothesis(self, hypothesis: Hypothesis) -> None:
        """RecognizerListener: words."""
        if self._listener is None or self._turns is None or not self._listener.hypothesis(hypothesis):
            return
        if self._machines.words(hypothesis.text):
            self._take_floor(MachineAnswered())
        elif not self._machines.waiting:
            self._turns.hypothesis(hypothesis)

    def on_recognizer_failed(self, reason: str) -> None:
        """RecognizerListener: no words any more in this call."""
        self._session = None
        if self._listener is not None:
            self._listener.recognizer_failed()
        self.part_failed("recogniser", reason)

    def part_failed(self, part: str, why: str) -> None:
        """Something of ours failed for good: apologise; where even that fails, end the call."""
        self._log.warning("part.failed", part=part, why=why)
        self._record.cause = self._record.cause or f"{part}: {why}"
        if self._ended.done():
            return
        again = part in self._failed_parts
        self._failed_parts.add(part)
        if not self._ledger.answered_ns or again:
            self.stop(Disposition.FAILED)
        else:
            self._take_floor(PartFailed(part))

    # --- turns --------------------------------------------------------------------------------------

    def propose(
        self, text: str, answer: IntentAnswer, interrupted: bool, reopened: bool = False
    ) -> tuple[Heard, machine.Step]:
        """Floor: what would be said to this."""
        before = self._ledger.undo if reopened else None
        dialog, listen = (self._dialog, self.listen) if before is None else (before.dialog, before.listen)
        wants = listen.wants_slots if listen is not None else ()
        slots = read_slots(text, self._contact.language, wants, self._today) if wants else {}
        heard = Heard(text, answer.intent, answer.score, slots, interrupted)
        return heard, machine.step(self._plan, dialog, heard)

    def may_reopen(self) -> bool:
        """Floor: whether the last turn can be taken back."""
        return self._ledger.undo is not None

    def is_backchannel(self, text: str) -> bool:
        """Floor: whether words spoken into a prompt of ours say no more than "go on"."""
        return self._plan.is_backchannel(text, self._contact.language)

    def take_turn(self, turn: EndedTurn) -> None:
        """Floor: the callee's turn is over; answer it."""
        dialog, listen = self._dialog, self.listen
        undo = self._ledger.take_back() if turn.reopens else None
        if undo is not None:
            self._speaker.stop()  # what was said to the first part is cut off already, or has not begun
            dialog, listen = undo.dialog, undo.listen
        record = self._ledger.turn(turn, dialog, listen)
        self._commit(record, turn.step, turn.decision_ns, turn.last_voiced_ns)

    def _key(self, event: LegDtmf) -> None:
        if self.listen is None or self._turns is None:
            return
        self._speaker.stop()
        self._turns.drop()
        step = machine.step(self._plan, self._dialog, KeyPressed(event.digit))
        record = self._ledger.key(event.digit, event.t_ns, self._dialog, step)
        self._commit(record, step, event.t_ns, event.t_ns)

    def _commit(self, record: TurnRecord, step: machine.Step, decision_ns: int, last_voiced_ns: int) -> None:
        def reply_begins(utterance: int) -> None:
            self._ledger.expect_reply(utterance, record, decision_ns, last_voiced_ns)

        self._apply(step, reply_begins)
        self._services.live.call_heard(self.call_id, record.text, record.intent, record.reply_ms)

    # --- executing the dialog -------------------------------------------------------------------------

    def _take_floor(self, event: DialogEvent) -> None:
        """An event that ends what is being said and heard, if the dialog has anything to say to it.

        It has not where the call is on its way out already: a goodbye is not cut off for a failure.
        """
        step = self._step(event)
        if step is None or not step.commands:
            return
        self._ledger.undo = None
        self._speaker.stop()
        if self._turns is not None:
            self._turns.drop()
        self._apply(step)

    def _event(self, event: DialogEvent) -> None:
        step = self._step(event)
        if step is not None:
            self._apply(step)

    def _step(self, event: DialogEvent) -> machine.Step | None:
        try:
            return machine.step(self._plan, self._dialog, event)
        except DialerError as error:
            # The checks of dialog.yaml exclude it; if it happens all the same, the callee must not wait.
            if isinstance(event, PartFailed):
                self.stop(Disposition.FAILED)
            else:
                self.part_failed("dialog", str(error))
            return None

    def _apply(self, step: machine.Step, reply_begins: Callable[[int], None] | None = None) -> None:
        if step.state.name != self._dialog.name:
            self._services.live.call_state(self.call_id, step.state.name)
        self._dialog = step.state
        says = [command for command in step.commands if isinstance(command, Say)]
        for command in step.commands:
            self._execute(command)
        if says:
            self._speaker.say(says, reply_begins)
        elif reply_begins is not None:
            self._speaker.resume()
        if step.commands:
            self._announce_silence = True

    def _execute(self, command: DialogCommand) -> None:
        match command:
            case Listen():
                self.listen = command
                self._after_speech = None
                if self._listener is not None:
                    self._listener.expect(command)
            case WaitForBeep():
                self.listen = None
                self._machines.wait(command)
            case Outcome():
                self._record.disposition = command.disposition
            case Remember():
                self._record.slots.update(command.slots)
            case Suppress():
                self._record.suppress = True
                self._suppressing.append(
                    spawn(
                        self._services.suppress(self._contact.number, command.reason),
                        name=f"suppress:{self.call_id}",
                    )
                )
            case HangUp() | TransferTo():
                self.listen = None
                self._after_speech = command
            case Say():
                pass  # spoken together, once the rest is known

    def _transfer_ended(self, done: bool) -> None:
        self._transfer_ends_ns = 0
        self._event(TransferEnded(done))

    def _played_out(self, t_ns: int) -> None:
        """Nothing of ours is left to be heard."""
        after, self._after_speech = self._after_speech, None
        if isinstance(after, HangUp):
            if self._leg is not None:
                self._leg.hang_up()
        elif isinstance(after, TransferTo):
            if self._leg is not None:
                self._transfer_ends_ns = t_ns + self._settings.transfer_ms * NS_PER_MS
                self._leg.transfer(after.target)
        elif self._turns is not None and not self._turns.played_out():
            self._event(SpeechDone())
