"""From the events of a leg to the figures of its record (DESIGN part 2)."""

from __future__ import annotations

from dialer.call import CallRecord, TurnRecord
from dialer.clock import ms_between
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
from dialer.telephony.quality import mos_estimate

PACKET_MS = 20.0


class CallMeasures:
    """Fills a ``CallRecord`` as the call goes on; every stamp was taken in the line card."""

    def __init__(self, record: CallRecord) -> None:
        self.record = record
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
