"""Whether a person or an answering machine took the call.

The words decide; timing only helps. Rules on timing alone hang up on people who answer with a long
greeting ("Good morning, Smith and Sons, how can I help you?"), and a call to a person taken for a machine
is worse than a message spoken to a machine that was taken for a person: when unsure it is a person.

Timing follows Asterisk's ``app_amd`` (its names and sample figures); the phrases are what greetings of
voicemail systems, of mobile networks and of people's own recordings say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dialer.clock import NS_PER_MS

Verdict = Literal["person", "machine"]

_SURE, _HINT, _AGAINST = 1.0, 0.5, -1.0

_EN: Mapping[str, float] = {
    r"leave (?:a|me a|us a|your|the|brief|detailed)?(?: \w+)? ?message": _SURE,
    r"leave (?:your|a) (?:name|number)": _SURE,
    r"(?:after|at) the (?:tone|beep|signal)": _SURE,
    r"record (?:your|a) (?:message|name)": _SURE,
    r"voice ?mail": _SURE,
    r"mail ?box": _SURE,
    r"answering (?:machine|service)": _SURE,
    r"(?:can't|cannot|can not|(?:un|not )able to) (?:come to|get to|take your|answer (?:your|the))": _SURE,
    r"(?:person|party|number|customer|subscriber) you (?:are|have|were) (?:call|dial|try)": _SURE,
    r"(?:please )?hang up (?:or press|when)": _SURE,
    r"(?:you've|you have) reached": _HINT,
    r"(?:not|isn't) available|unavailable": _HINT,
    r"(?:get|got) back to you|return your call|call you back as": _HINT,
    r"(?:not|isn't|aren't) (?:here|home|in) right now": _HINT,
    r"\bbeep\b|\btone\b": _HINT,
    r"please leave": _HINT,
    # What only a person says, also of somebody who is out.
    r"(?:can|may|could|shall|should) i\b": _AGAINST,
    r"(?:do you|would you|you) (?:want|like|wanna)": _AGAINST,
    r"who(?:'s| is| are)\b": _AGAINST,
    r"help you": _AGAINST,
    r"speaking\b": _AGAINST,
}
_ZH: Mapping[str, float] = {
    r"留言|留下您|留下你|录音请": _SURE,
    r"(?:嘀|滴|哔|嘟)[的]?一?声|提示音|信号音": _SURE,
    r"语音信箱|电话秘书|来电提醒": _SURE,
    r"您(?:所)?拨(?:打|叫)的": _SURE,
    r"无法接(?:听|通)|不(?:能|便|方便)接听|暂时无人接听|已关机|不在服务区": _SURE,
    r"请稍后再拨": _SURE,
    r"要不要留言|需要留言吗|给他留言": _AGAINST,
}
_YUE: Mapping[str, float] = {
    r"留言|留低|留口信": _SURE,
    r"(?:嘟|嗶|哔)[嘅]?一?[聲声]|提示音|訊號音": _SURE,
    r"留言信箱|語音信箱|秘書服務": _SURE,
    r"你(?:所)?(?:打|撥|拨)(?:嘅|的)": _SURE,
    r"未能接[聽听通]|唔(?:能夠|方便)[聽听接]|暫時(?:未能|無法)": _SURE,
    r"使唔使留言|要唔要留言|幫(?:佢|你)留言": _AGAINST,
}


def _table(patterns: Mapping[str, float]) -> tuple[tuple[re.Pattern[str], float], ...]:
    return tuple((re.compile(pattern), weight) for pattern, weight in patterns.items())


_PHRASES = {"en": _table(_EN), "zh": _table(_ZH), "yue": _table(_YUE)}

GREETINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "en": (
            "hi you've reached my voicemail please leave a message after the tone",
            "please leave a message after the tone",
            "please leave your message after the beep",
            "leave a message after the beep",
            "leave a message and i'll call you back",
            "i can't come to the phone right now",
            "i can't take your call right now please leave your name and number",
            "sorry i missed your call",
            "sorry we can't take your call at the moment",
            "i'm not available right now please leave a message",
            "we're not available to take your call",
            "leave your name and number and i'll get back to you",
            "i'll get back to you as soon as i can",
            "i'll call you back as soon as possible",
            "the person you are calling is not available",
            "the person you are trying to reach is unavailable",
            "the number you have dialed is not available",
            "the customer you are calling is unavailable",
            "your call has been forwarded to an automated voice message system",
            "your call has been forwarded to voicemail",
            "at the tone please record your message",
            "when you have finished recording you may hang up or press one for more options",
            "the mailbox is full and cannot accept any messages at this time",
            "you have reached the voicemail of",
            "you've reached the mailbox of",
            "hi this is the answering machine",
            "nobody is home right now",
            "thank you for calling our office is closed",
        ),
        "zh": (),
        "yue": (),
    }
)
"""What machines say, for the language model of the opening: words that a recogniser does not know it
cannot hear. The intent of these sentences is no intent of the dialog."""


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """Times in milliseconds; the names of ``app_amd`` where it has them.

    Attributes:
        initial_silence_ms: nothing said for so long after the answer: not known, so a person.
        greeting_ms: a greeting no longer than this, followed by silence, is a person's.
        after_greeting_silence_ms: the silence that ends a greeting.
        long_greeting_ms: so much speech without such a silence counts as a hint of a machine.
        window_ms: words heard later than this after the answer are no greeting.
    """

    initial_silence_ms: int = 2500
    greeting_ms: int = 1500
    after_greeting_silence_ms: int = 800
    long_greeting_ms: int = 6000
    window_ms: int = 20_000


class MachineDetector:
    """Watches one call from its answer on.

    Args:
        language: of the greeting (``en``, ``zh``, ``yue``); others are never machines.
        settings: the times.

    Attributes:
        verdict: None while nothing is known; ``person`` may still become ``machine`` when words
            show it, ``machine`` stands.
    """

    def __init__(self, language: str = "en", settings: MachineSettings | None = None) -> None:
        self._settings = settings or MachineSettings()
        self._phrases = _PHRASES.get(language, ())
        self._found: dict[re.Pattern[str], float] = {}
        self._answered_ns: int | None = None
        self._now_ns = 0
        self._greeting_from_ns: int | None = None
        self._last_voiced_ns = 0
        self._long = False
        self.verdict: Verdict | None = None

    def frame(self, t_ns: int, speech: bool) -> None:
        """20 ms of the callee; the first one marks the answer."""
        if self._answered_ns is None:
            self._answered_ns = t_ns
        self._now_ns = t_ns
        if self.verdict == "machine":
            return
        settings = self._settings
        if speech:
            if self._greeting_from_ns is None:
                self._greeting_from_ns = t_ns
            self._last_voiced_ns = t_ns
            if t_ns - self._greeting_from_ns >= settings.long_greeting_ms * NS_PER_MS and not self._long:
                self._long = True
                self._judge()
        elif self._greeting_from_ns is None:
            if t_ns - self._answered_ns >= settings.initial_silence_ms * NS_PER_MS:
                self.verdict = "person"
        elif t_ns - self._last_voiced_ns >= settings.after_greeting_silence_ms * NS_PER_MS:
            self.verdict = "person"
            self._greeting_from_ns = None

    def words(self, text: str) -> None:
        """What has been understood so far of the present utterance; call it again as it grows."""
        if self.verdict == "machine" or not self._in_window():
            return
        plain = text.lower().replace("’", "'")
        for pattern, weight in self._phrases:
            if pattern not in self._found and pattern.search(plain):
                self._found[pattern] = weight
        self._judge()

    def _in_window(self) -> bool:
        since_ns = self._now_ns - (self._answered_ns if self._answered_ns is not None else self._now_ns)
        return since_ns <= self._settings.window_ms * NS_PER_MS

    def _judge(self) -> None:
        hint = _HINT if self._long and self._found else 0.0
        if sum(self._found.values()) + hint >= _SURE:
            self.verdict = "machine"


def is_machine_greeting(texts: Iterable[str], language: str) -> bool:
    """Whether these words alone (each an utterance of one call) would be taken for a machine's."""
    detector = MachineDetector(language)
    for text in texts:
        detector.words(text)
    return detector.verdict == "machine"
