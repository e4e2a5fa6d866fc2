"""The record of one call in the making: what the leg reports, the turns, how it ended.

Every stamp was taken in the line card; what each figure means is in docs/architecture.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dialer.call import CallRecord, Disposition, TurnRecord
from dialer.clock import ms_between
from dialer.conversation.turns import EndedTurn
from dialer.dialog import machine
from dialer.dialog.messages import Listen, Say, Suppress, TransferTo, WaitForBeep
from dialer.telephony.base import (
    LegAnswered,
    LegDialled,
    LegEnded,
    LegEvent,
    LegRinging,
    LegStats,
    LegTransfer,
    LegVoiced,
)
from dialer.telephony.causes import cause_text, disposition_of
from dialer.telephony.quality import mos_estimate

PACKET_MS = 20.0
SUSPECTED_CUT_MS = 400
_FINAL = (Suppress, TransferTo, WaitForBeep)


@dataclass(frozen=True, slots=True)
class Undo:
    """Where the call stood before its last turn, for the case that the turn was not over."""

    dialog: machine.DialogState
    listen: Listen
    disposition: str
    slots: dict[str, Any]


class CallLedger:
    """Fills a ``CallRecord`` as the call goes on."""

    def __init__(self, call_id: str, attempt_id: str) -> None:
        self.record = CallRecord(call_id, attempt_id, "")
        self.undo: Undo | None = None
        self._last_commit_ns = 0
        self.dialled_ns = 0
        self.answered_ns = 0
        self.ended_ns = 0
        self._replies: dict[int, tuple[TurnRecord, int, int]] = {}

    def expect_reply(self, utterance: int, turn: TurnRecord, decision_ns: int, last_voiced_ns: int) -> None:
        """The reply to ``turn`` begins with ``utterance``."""
        self._replies[utterance] = (turn, decision_ns, last_voiced_ns)

    def since_answer_ms(self, t_ns: int) -> float:
        """Milliseconds of the call's own time."""
        return ms_between(self.answered_ns, t_ns)

    def event(self, event: LegEvent) -> TurnRecord | None:
        """Take note of anything that the leg reports; returns the turn whose reply begins with it."""
        record = self.record
        match event:
            case LegDialled():
                self.dialled_ns = event.t_ns
                record.sip_call_id = event.sip_call_id
            case LegRinging():
                if record.ring_ms is None and self.dialled_ns:
                    record.ring_ms = ms_between(self.dialled_ns, event.t_ns)
            case LegAnswered():
                self.answered_ns = event.t_ns
                record.codec = event.codec
                if self.dialled_ns:
                    record.setup_ms = ms_between(self.dialled_ns, event.t_ns)
            case LegVoiced():
                return self._voiced(event)
            case LegStats():
                self._stats(event)
            case LegTransfer():
                record.transfer_status = event.sip_code
            case LegEnded():
                self.ended_ns = event.t_ns
                record.sip_code = event.sip_code
                record.q850 = event.q850
                record.hung_up_by = event.by
                if self.answered_ns:
                    record.talk_ms = ms_between(self.answered_ns, event.t_ns)
            case _:
                pass
        return None

    # --- turns --------------------------------------------------------------------------------------

    def take_back(self) -> Undo | None:
        """The last turn was not over: forget it, as far as the record goes."""
        undo, self.undo = self.undo, None
        if undo is not None:
            self.record.disposition = undo.disposition
            self.record.slots = dict(undo.slots)
            self.record.turns.pop()
        return undo

    def turn(self, turn: EndedTurn, dialog: machine.DialogState, listen: Listen | None) -> TurnRecord:
        """Write down a turn that was spoken; ``dialog`` and ``listen`` are from before it."""
        heard = turn.heard
        undoable = listen is not None and not any(isinstance(c, _FINAL) for c in turn.step.commands)
        self.undo = (
            Undo(dialog, listen, self.record.disposition, dict(self.record.slots))
            if undoable and listen is not None
            else None
        )
        return self._add(
            TurnRecord(
                round_id=len(self.record.turns) + 1,
                text=heard.text,
                intent=heard.intent,
                score=heard.score,
                state_from=dialog.name,
                state_to=turn.step.state.name,
                reply_text=_words_of(turn.step),
                endpoint_ms=ms_between(turn.last_voiced_ns, turn.decision_ns),
                barge_in_ms=turn.barge_in_ms,
                suspected_cut=turn.reopens,
                speech_start_ms=self.since_answer_ms(turn.speech_started_ns),
                speech_end_ms=self.since_answer_ms(turn.last_voiced_ns),
                slots=dict(heard.slots),
            ),
            turn.decision_ns,
        )

    def key(self, digit: str, t_ns: int, dialog: machine.DialogState, step: machine.Step) -> TurnRecord:
        """Write down a turn that was a DTMF digit."""
        self.undo = None
        return self._add(
            TurnRecord(
                round_id=len(self.record.turns) + 1,
                text=digit,
                intent="dtmf",
                score=1.0,
                state_from=dialog.name,
                state_to=step.state.name,
                reply_text=_words_of(step),
                endpoint_ms=0.0,
            ),
            t_ns,
        )

    def _add(self, turn: TurnRecord, decision_ns: int) -> TurnRecord:
        self._last_commit_ns = decision_ns
        self.record.turns.append(turn)
        return turn

    def speech_started(self, t_ns: int) -> None:
        """Speech right after a commit: the commit may have come into the sentence."""
        if self.record.turns and ms_between(self._last_commit_ns, t_ns) < SUSPECTED_CUT_MS:
            self.record.turns[-1].suspected_cut = True

    # --- the end ------------------------------------------------------------------------------------

    def conclude(self, ended: LegEnded, cut_by_us: str) -> CallRecord:
        """Settle the disposition.

        Args:
            ended: the leg's last event.
            cut_by_us: the disposition where we ended the call before its time; empty where we did not.
        """
        record = self.record
        record.cause = record.cause or cause_text(ended)
        if not ended.answered:
            record.disposition = cut_by_us or disposition_of(ended)
        elif ended.sip_code == 0:
            record.disposition = Disposition.FAILED
        elif not record.disposition:
            by_us = cut_by_us or Disposition.NO_RESPONSE
            record.disposition = Disposition.HUNG_UP if ended.by == "callee" else by_us
        return record

    # --- figures ------------------------------------------------------------------------------------

    def _voiced(self, event: LegVoiced) -> TurnRecord | None:
        if self.record.answer_ms is None and self.answered_ns:
            self.record.answer_ms = ms_between(self.answered_ns, event.t_ns)
        reply = self._replies.pop(event.utterance, None)
        if reply is None:
            return None
        turn, decision_ns, last_voiced_ns = reply
        turn.reply_ms = ms_between(decision_ns, event.t_ns)
        turn.gap_ms = ms_between(last_voiced_ns, event.t_ns)
        return turn

    def _stats(self, event: LegStats) -> None:
        record = self.record
        expected = event.rx_packets + event.rx_lost
        record.loss_percent = 100.0 * event.rx_lost / expected if expected else 0.0
        record.jitter_ms = event.rx_jitter_ms
        record.jitter_buffer_ms = event.jitter_buffer_ms
        record.frames_dropped = event.frames_dropped
        record.underruns = event.underruns
        record.mos = mos_estimate(record.loss_percent, event.rtt_ms / 2 + event.jitter_buffer_ms + PACKET_MS)


def _words_of(step: machine.Step) -> str:
    return " ".join(command.text for command in step.commands if isinstance(command, Say))
