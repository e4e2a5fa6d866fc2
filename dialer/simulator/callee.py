"""One call at the callee's end: the leg's events go to the script, the script's commands to the leg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from dialer.audio import FRAME_BYTES, VOICED_PEAK, peak
from dialer.clock import NS_PER_MS, NS_PER_S, Clock
from dialer.simulator.persona import Persona
from dialer.simulator.report import Report
from dialer.simulator.script import (
    Answered,
    CalleeScript,
    CallerStarted,
    Ear,
    Ended,
    HangUp,
    Invited,
    PickUp,
    Press,
    Refuse,
    Ring,
    Said,
    Say,
    ScriptCommand,
    ScriptEvent,
    Tick,
)
from dialer.simulator.truth import CallTruth, TrueTimes
from dialer.simulator.voices import Clip, Noise
from dialer.telephony.base import IncomingCall, LegAnswered, LegDtmf, LegEnded, LegEvent, LegVoiced

NOISE_AHEAD = 4
"""Frames of line noise that wait in the card; a line is said so many frames (80 ms) later at most."""

MOST_RECORDED = 10 * 60 * 50
"""Frames of a recording; what a caller says after ten minutes is not kept."""


def attempt_of(call: IncomingCall) -> str:
    """The dialer's attempt id that an INVITE carries; empty without one."""
    return next((value for name, value in call.headers.items() if name.lower() == "x-attempt-id"), "")


class CalleeCall:
    """Answers one call as a persona does. Everything runs in the event loop's thread.

    Args:
        call: the INVITE.
        persona: who answers.
        clips: what it may say, by name.
        clock: for what no event brings a stamp of.
        report: who is told.
        on_end: called once, when the call is over.
        record: whether to keep what is heard.
    """

    def __init__(
        self,
        call: IncomingCall,
        persona: Persona,
        clips: Mapping[str, Clip],
        *,
        clock: Clock,
        report: Report,
        on_end: Callable[[CalleeCall], None],
        record: bool = False,
    ) -> None:
        self.truth = CallTruth(call.to_user, persona.name, attempt_of(call), invited_ns=call.t_ns)
        self.heard: bytearray | None = bytearray() if record else None
        self._leg = call.leg
        self._clips = clips
        self._clock = clock
        self._report = report
        self._on_end = on_end
        self._script = CalleeScript(persona)
        self._ear = Ear()
        self._times = TrueTimes(self.truth)
        self._noise = None if persona.noise_dbfs is None else Noise(persona.noise_dbfs, call.to_user)
        self._timer: asyncio.TimerHandle | None = None
        self._utterance = 0
        self._playing: dict[int, str] = {}  # clips by utterance, until their first frame is out
        self._said_at: int | None = None  # frames played when the present clip has been said
        self._queued = 0
        self._hung_up = False
        self._next_seq = 0
        self._tell(call.t_ns, f"is called by {call.from_user or 'nobody'}")
        self._handle(Invited(call.t_ns))

    def hang_up(self) -> None:
        """End the call from outside (the softphone closes)."""
        self._hung_up = True
        self._leg.hang_up()

    # --- what the leg reports -------------------------------------------------------------------

    def on_frame(self, pcm: memoryview, seq: int, t_ns: int, played: int) -> None:
        """20 ms of the caller."""
        if self.heard is not None and seq < MOST_RECORDED:
            self.heard += bytes(FRAME_BYTES * (seq - self._next_seq)) + pcm
            self._next_seq = seq + 1
        voiced = peak(pcm) > VOICED_PEAK
        self._times.frame(t_ns, voiced)
        heard = self._ear.frame(t_ns, voiced)
        if heard is not None:
            self._tell(t_ns, "hears the caller" if isinstance(heard, CallerStarted) else "the caller pauses")
            self._handle(heard)
        if self._said_at is not None and played >= self._said_at:
            self._said_at = None
            self._handle(Said(t_ns))
        due = self._script.due_ns
        if due is not None and t_ns >= due:
            self._handle(Tick(t_ns))
        if self._noise is not None and self._queued - played < NOISE_AHEAD:
            self._utterance += 1
            missing = NOISE_AHEAD - max(0, self._queued - played)
            self._queued = self._leg.play(self._noise.take(missing), self._utterance)

    def on_event(self, event: LegEvent) -> None:
        """Anything but audio."""
        match event:
            case LegAnswered():
                self.truth.answered_ns = event.t_ns
                self._tell(event.t_ns, "picked up")
                self._handle(Answered(event.t_ns))
            case LegVoiced():
                self._voiced(event)
            case LegDtmf():
                self.truth.keys += event.digit
                self._tell(event.t_ns, f"hears the key {event.digit}")
            case LegEnded():
                self._ended(event)
            case _:
                pass

    def _voiced(self, event: LegVoiced) -> None:
        name = self._playing.pop(event.utterance, None)
        if name is None:
            return  # line noise
        clip = self._clips[name]
        first_ns = event.t_ns + round(clip.first_ms * NS_PER_MS)
        last_ns = event.t_ns + round(clip.last_ms * NS_PER_MS)
        self._times.said(name, clip.text, first_ns, last_ns)
        self._tell(event.t_ns, f"says “{clip.text}”")

    def _ended(self, event: LegEnded) -> None:
        self._script.handle(Ended(event.t_ns))
        self._set_timer()
        self.truth.ended_ns = event.t_ns
        self.truth.ended_by = "callee" if self._hung_up else "caller"
        self._on_end(self)

    # --- what the script wants ------------------------------------------------------------------

    def _handle(self, event: ScriptEvent) -> None:
        for command in self._script.handle(event):
            self._execute(command)
        self._set_timer()

    def _execute(self, command: ScriptCommand) -> None:
        now = self._clock.now_ns()
        match command:
            case Ring():
                self._leg.ring()
            case PickUp():
                self.truth.sip_status = 200
                self._leg.answer()
            case Refuse():
                self.truth.sip_status = command.status
                self._hung_up = True
                self._tell(now, f"refuses with {command.status}")
                self._leg.reject(command.status)
            case Say():
                self._say(command.clip)
            case Press():
                self._tell(now, f"presses {command.digits}")
                self._times.said("keys", command.digits, now, now)
                self._leg.send_dtmf(command.digits)
            case HangUp():
                self._tell(now, "hangs up")
                self.hang_up()

    def _say(self, name: str) -> None:
        self._utterance += 1
        pcm = self._clips[name].pcm
        if self._noise is not None:
            pcm = self._noise.under(pcm)
        self._playing[self._utterance] = name
        self._queued = self._said_at = self._leg.play(pcm, self._utterance)

    def _set_timer(self) -> None:
        """Frames bring the time while the call is up; before that a timer does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._script.due_ns
        if due is not None:
            loop = asyncio.get_running_loop()
            delay_s = max(0, due - self._clock.now_ns()) / NS_PER_S
            self._timer = loop.call_later(delay_s, self._due, due)

    def _due(self, due_ns: int) -> None:
        self._timer = None
        self._handle(Tick(due_ns))

    def _tell(self, t_ns: int, text: str) -> None:
        self._report.event(self.truth, t_ns, text)
