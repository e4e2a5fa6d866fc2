from __future__ import annotations

from pathlib import Path

from dialer.dialog import graph
from tests.unit.dialog.plans import changed, good_plan, read


def test_every_way_out_of_a_state_is_an_edge(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    ways = {(edge.to, edge.needs_callee) for edge in graph.edges(plan, plan.states["hello"])}
    assert ways == {
        ("bill", True), ("stranger", True), ("never", True), ("desk", True), ("", True),
        ("nobody", False), ("lost", True),
    }  # fmt: skip
    assert [edge.to for edge in graph.edges(plan, plan.states["desk"])] == ["no_desk"]
    assert graph.edges(plan, plan.states["lost"]) == []


def test_reachable_states_stop_at_a_gate(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    assert graph.reachable(plan) == set(plan.states)
    early = graph.reachable(plan, stop_at=frozenset({"bill"}))
    assert {"hello", "stranger", "no_desk"} <= early
    assert not {"bill", "ask_day", "sure_day"} & early


def test_a_good_dialog_has_no_loops_without_the_callee_and_always_an_end(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    assert graph.silent_loops(plan) == []
    assert graph.without_end(plan) == set()


def test_a_loop_is_told_once_from_its_first_state(tmp_path: Path) -> None:
    plan, _ = read(
        tmp_path,
        changed(
            ("{say: nobody_free, next: hello_again}", "{say: nobody_free, next: nobody}"),
            ("nobody: {say: bye, end: no_response}", "nobody: {say: bye, next: desk}"),
        ),
    )
    assert plan is not None
    assert graph.silent_loops(plan) == [["desk", "no_desk", "nobody"]]


def test_a_slot_is_known_only_where_every_way_fills_it(tmp_path: Path) -> None:
    known = graph.known_slots(good_plan(tmp_path))
    assert known["sure_day"] == {"day"}
    assert known["hello"] == known["bill"] == known["ask_day"] == frozenset()


def test_a_condition_tells_which_slots_must_be_there(tmp_path: Path) -> None:
    plan = good_plan(tmp_path)
    assert graph.slots_that_hold(plan, "heard.day") == {"day"}
    assert graph.slots_that_hold(plan, "day and bank") == {"day"}
    for unsure in ("", "not day", "day or bank", "day == 3", "day is none"):
        assert graph.slots_that_hold(plan, unsure) == frozenset()
