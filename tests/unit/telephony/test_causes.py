from __future__ import annotations

import pytest

from dialer.call import Disposition
from dialer.telephony.base import LegEnded
from dialer.telephony.causes import NO_RESPONSE, RING_TIMEOUT, cause_text, disposition_of


def ended(
    code: int, reason: str = "", q850: int | None = None, by: str = "network", answered: bool = False
) -> LegEnded:
    return LegEnded(0, code, reason, q850, by, answered)


@pytest.mark.parametrize(
    ("event", "disposition"),
    [
        (ended(486, by="callee"), Disposition.BUSY),
        (ended(600, by="callee"), Disposition.BUSY),
        (ended(408), Disposition.NO_ANSWER),
        (ended(480), Disposition.NO_ANSWER),
        (ended(487), Disposition.NO_ANSWER),
        (ended(487, RING_TIMEOUT, by="us"), Disposition.NO_ANSWER),
        (ended(487, "Request Terminated", by="us"), Disposition.CANCELLED),
        (ended(404), Disposition.INVALID_NUMBER),
        (ended(484), Disposition.INVALID_NUMBER),
        (ended(604), Disposition.INVALID_NUMBER),
        (ended(403), Disposition.REJECTED),
        (ended(603, by="callee"), Disposition.REJECTED),
        (ended(607, by="callee"), Disposition.REJECTED),
        (ended(503), Disposition.CONGESTION),
        (ended(488), Disposition.FAILED),
        (ended(408, NO_RESPONSE), Disposition.FAILED),
        (ended(0, "card crashed", by="us"), Disposition.FAILED),
        # a gateway writes one status for many causes: the cause says more
        (ended(503, q850=17), Disposition.BUSY),
        (ended(480, q850=1), Disposition.INVALID_NUMBER),
        (ended(500, q850=19), Disposition.NO_ANSWER),
        (ended(480, q850=34), Disposition.CONGESTION),
        (ended(503, q850=16), Disposition.CONGESTION),
        # but the callee's own device is believed
        (ended(486, q850=34, by="callee"), Disposition.BUSY),
        (ended(200, by="callee", answered=True), Disposition.HUNG_UP),
        (ended(200, by="us", answered=True), Disposition.CANCELLED),
        (ended(200, by="network", answered=True), Disposition.FAILED),
    ],
)
def test_dispositions(event: LegEnded, disposition: Disposition) -> None:
    assert disposition_of(event) is disposition


def test_cause_texts() -> None:
    assert cause_text(ended(486, "Busy Here", 17)) == "486 Busy Here (Q.850 17)"
    assert cause_text(ended(0, "card crashed")) == "card crashed"
