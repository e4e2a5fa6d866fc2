"""What a softphone tells programs."""

from __future__ import annotations

import io
import json

from dialer.clock import NS_PER_MS
from dialer.simulator.report import JsonReport, Ready
from dialer.simulator.truth import CalleeTurn, CallTruth

READY = Ready(("127.0.0.1:5080", "127.0.0.1:5081"), 4, (("+12025550101", "ann"),), (("slt", "en-us+f3"),))
MS = NS_PER_MS


def truth() -> CallTruth:
    turns = [
        CalleeTurn("says.0", "Yes.", 100 * MS, 500 * MS, reply_ns=900 * MS),
        CalleeTurn("says.1", "Stop.", 1000 * MS, 1500 * MS, True, 1300 * MS, 1400 * MS),
    ]
    return CallTruth(
        "+12025550101", "ann", ended_ns=2000 * MS, ended_by="caller", recording="a.wav", turns=turns
    )


def test_programs_get_json_lines() -> None:
    out = io.StringIO()
    report = JsonReport(out)
    report.ready(READY)
    report.event(truth(), 0, "says nothing")
    report.ended(truth())
    report.failed("the port is busy")
    ready, call, failed = [json.loads(line) for line in out.getvalue().splitlines()]
    assert ready["event"] == "ready"
    assert ready["gateways"] == ["127.0.0.1:5080", "127.0.0.1:5081"]
    assert ready["calls_per_gateway"] == 4
    assert (call["event"], call["persona"], call["turns"][0]["gap_ms"]) == ("call", "ann", 400)
    assert failed == {"event": "failed", "problem": "the port is busy"}
