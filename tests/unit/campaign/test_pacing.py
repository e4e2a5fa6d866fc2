from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.campaign.pacing import Pacer, room
from dialer.clock import NS_PER_S


@pytest.mark.parametrize(
    ("caps", "active", "expected"),
    [
        ([10, None, None], [4, 4, 4], 6),
        ([10, 5, None], [4, 4, 0], 1),
        ([10, 5, 3], [4, 4, 3], 0),
        ([2], [9], 0),
    ],
)
def test_the_smallest_room_counts(caps: list[int | None], active: list[int], expected: int) -> None:
    assert room(caps, active) == expected


def test_starts_keep_their_distance_even_after_a_quiet_time() -> None:
    pacer = Pacer(4)
    pacer.started(0)
    assert pacer.earliest_ns(0) == NS_PER_S // 4
    assert pacer.earliest_ns(10 * NS_PER_S) == 10 * NS_PER_S
    pacer.started(10 * NS_PER_S)
    assert pacer.earliest_ns(10 * NS_PER_S) == 10 * NS_PER_S + NS_PER_S // 4


def test_no_cap_and_a_cap_of_nothing() -> None:
    assert Pacer(None).earliest_ns(7) == 7
    assert Pacer(0).earliest_ns(7) is None


def test_a_changed_cap_holds_at_once() -> None:
    pacer = Pacer(1)
    pacer.started(0)
    pacer.set_cps(10)
    assert pacer.earliest_ns(0) == NS_PER_S // 10
    pacer.set_cps(None)
    assert pacer.earliest_ns(0) == 0


@given(st.integers(1, 200), st.lists(st.integers(0, NS_PER_S), min_size=1, max_size=300))
def test_no_second_ever_has_more_than_the_cap(cps: int, pauses: list[int]) -> None:
    pacer, now, starts = Pacer(cps), 0, []
    for pause in pauses:
        now += pause // 50
        at = pacer.earliest_ns(now)
        assert at is not None
        pacer.started(at)
        starts.append(at)
        now = at
    assert all(late - early >= NS_PER_S for early, late in zip(starts, starts[cps:], strict=False))
