"""Why a call was not answered: SIP statuses and Q.850 causes as dispositions.

Sources: RFC 3261 section 21 (SIP statuses), RFC 8197 (607), RFC 8688 (608), RFC 3398 section 7.2.4.1
(how gateways turn ISUP causes into statuses), RFC 3326 (the Reason header), ITU-T Q.850 table 1.
"""

from __future__ import annotations

from types import MappingProxyType

from dialer.call import Disposition
from dialer.telephony.base import LegEnded

RING_TIMEOUT = "ring timeout"
"""``LegEnded.reason`` where we gave up ringing; then ``by`` is ``us``."""

NO_RESPONSE = "no response to the INVITE"
"""``LegEnded.reason`` where nothing at all came back, not even 100 Trying: the trunk is dead."""

BY_SIP = MappingProxyType(
    {
        403: Disposition.REJECTED,
        404: Disposition.INVALID_NUMBER,
        408: Disposition.NO_ANSWER,
        410: Disposition.INVALID_NUMBER,
        480: Disposition.NO_ANSWER,
        484: Disposition.INVALID_NUMBER,
        486: Disposition.BUSY,
        487: Disposition.NO_ANSWER,  # without a CANCEL of ours: somebody downstream gave up ringing
        500: Disposition.CONGESTION,
        502: Disposition.CONGESTION,
        503: Disposition.CONGESTION,
        504: Disposition.CONGESTION,
        600: Disposition.BUSY,
        603: Disposition.REJECTED,
        604: Disposition.INVALID_NUMBER,
        607: Disposition.REJECTED,
        608: Disposition.REJECTED,
    }
)

BY_Q850 = MappingProxyType(
    {
        1: Disposition.INVALID_NUMBER,  # unallocated (unassigned) number
        2: Disposition.INVALID_NUMBER,  # no route to specified transit network
        3: Disposition.INVALID_NUMBER,  # no route to destination
        17: Disposition.BUSY,  # user busy
        18: Disposition.NO_ANSWER,  # no user responding
        19: Disposition.NO_ANSWER,  # no answer from user (user alerted)
        20: Disposition.NO_ANSWER,  # subscriber absent
        21: Disposition.REJECTED,  # call rejected
        22: Disposition.INVALID_NUMBER,  # number changed
        26: Disposition.INVALID_NUMBER,  # non-selected user clearing
        27: Disposition.CONGESTION,  # destination out of order
        28: Disposition.INVALID_NUMBER,  # invalid number format
        34: Disposition.CONGESTION,  # no circuit/channel available
        38: Disposition.CONGESTION,  # network out of order
        41: Disposition.CONGESTION,  # temporary failure
        42: Disposition.CONGESTION,  # switching equipment congestion
        44: Disposition.CONGESTION,  # requested circuit/channel not available
        47: Disposition.CONGESTION,  # resource unavailable, unspecified
    }
)

SAID_BY_PEOPLE = frozenset((486, 600, 603, 607))
"""Statuses that the callee's own device gives: no cause of a gateway says more."""


def disposition_of(ended: LegEnded) -> Disposition:
    """What an ended leg means when no conversation gave an outcome.

    The Q.850 cause is looked at before the SIP status (a gateway writes 503 or 480 for many causes),
    except where the status comes from the callee's device.
    """
    if ended.answered:
        return {"callee": Disposition.HUNG_UP, "us": Disposition.CANCELLED}.get(ended.by, Disposition.FAILED)
    if ended.reason == NO_RESPONSE or ended.sip_code == 0:
        return Disposition.FAILED
    if ended.by == "us":
        return Disposition.NO_ANSWER if ended.reason == RING_TIMEOUT else Disposition.CANCELLED
    if ended.sip_code not in SAID_BY_PEOPLE and ended.q850 is not None and ended.q850 in BY_Q850:
        return BY_Q850[ended.q850]
    return BY_SIP.get(ended.sip_code, Disposition.FAILED)


def cause_text(ended: LegEnded) -> str:
    """The cause as it is kept in the call record: ``486 Busy Here (Q.850 17)``, ``card crashed``."""
    status = f"{ended.sip_code} " if ended.sip_code else ""
    q850 = f" (Q.850 {ended.q850})" if ended.q850 is not None else ""
    return f"{status}{ended.reason}{q850}".strip()
