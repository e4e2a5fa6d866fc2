from __future__ import annotations

import pytest

from dialer.errors import NoFreeLine, TelephonyError
from dialer.telephony.routes import Routes
from dialer.telephony.trunk import Trunk


def routes(**more: int) -> Routes:
    return Routes({"t": Trunk("t", ("a.example", "b.example:5080", "c.example"), **more)})  # type: ignore[arg-type]


def test_equally_busy_gateways_take_turns() -> None:
    book = routes()
    assert [str(book.take("t").gateway) for _ in range(4)] == [
        "a.example:5060",
        "b.example:5080",
        "c.example:5060",
        "a.example:5060",
    ]


def test_the_least_busy_gateway_is_taken() -> None:
    book = routes()
    held = [book.take("t") for _ in range(6)]
    book.release(held[4])
    assert book.take("t").gateway == held[4].gateway


def test_gateways_are_not_filled_above_their_cap() -> None:
    book = routes(gateway_channels=1)
    held = [book.take("t") for _ in range(3)]
    with pytest.raises(NoFreeLine, match="gateway"):
        book.take("t")
    book.release(held[1])
    assert book.take("t").gateway == held[1].gateway


def test_the_trunk_has_a_cap_of_its_own() -> None:
    book = routes(channels=2)
    first = book.take("t")
    book.take("t")
    with pytest.raises(NoFreeLine, match="2 calls"):
        book.take("t")
    book.release(first)
    book.take("t")


def test_unknown_trunks_name_the_known_ones() -> None:
    with pytest.raises(TelephonyError, match=r"no trunk 'x'. Known trunks: t"):
        routes().take("x")


def test_trunks_are_checked_and_filed_under_their_names() -> None:
    with pytest.raises(TelephonyError, match="filed under"):
        Routes({"x": Trunk("t", ("a",))})
    with pytest.raises(TelephonyError, match="no gateways"):
        Routes({"t": Trunk("t", ())})
