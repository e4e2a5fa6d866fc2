"""How many calls a process can hold: the library is asked, for it accepts any wish without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from dialer.errors import TelephonyError
from dialer.telephony.pjcall import CallEnd, SipCall
from dialer.telephony.pjsip import CardEndpoint
from dialer.telephony.trunk import CardSettings


def count_calls(silent_port: int, at_most: int, say: Callable[[int], NoReturn]) -> NoReturn:
    """Ask the library how many calls a process can hold, by placing calls until it refuses.

    Args:
        silent_port: a UDP port on 127.0.0.1 where nobody answers.
        at_most: stop there.
        say: gets the count and ends the process; the calls are left as they are.
    """
    settings = CardSettings(bind_address="127.0.0.1", sip_port=0, rtp_port=0)
    endpoint = CardEndpoint(
        settings, [], calls=at_most, sip_port=0, search_port=False, rtp_port=0, events=_Unheard()
    )
    calls: list[SipCall] = []
    while len(calls) < at_most:
        call = SipCall(endpoint.accounts[""], _Unheard(), None)
        try:
            call.place(f"sip:count@127.0.0.1:{silent_port}", "", "", [], "")
        except TelephonyError:
            break
        calls.append(call)
    say(len(calls))


class _Unheard:
    """Call events of the throw-away endpoint that counts."""

    def ringing(self, call: SipCall, code: int, early_media: bool) -> None: ...
    def answered(self, call: SipCall) -> None: ...
    def media_active(self, call: SipCall, codec: str) -> None: ...
    def stream_ending(self, call: SipCall) -> None: ...
    def digit(self, call: SipCall, digit: str, method: str) -> None: ...
    def transfer(self, call: SipCall, code: int, final: bool) -> None: ...
    def ended(self, call: SipCall, end: CallEnd) -> None: ...
    def incoming(self, account: Any, call_id: int, invite: str) -> None: ...
    def failed(self, where: str, error: BaseException) -> None: ...
