"""What a softphone prints."""

from __future__ import annotations

import io
import json

from dialer.clock import NS_PER_MS
from dialer.simulator.report import HumanReport, JsonReport, Ready
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


def test_people_get_lines_to_read() -> None:
    out = io.StringIO()
    report = HumanReport(out)
    report.ready(READY)
    report.event(truth(), 1500 * MS, "says “Yes.”")
    report.ended(truth())
    text = out.getvalue()
    assert "call sip:+12025550101@127.0.0.1:5080   (ann)" in text
    assert "the voice en-us+f3 of eSpeak NG speaks for slt" in text
    assert "    1.50 s  ann                  says “Yes.”" in text
    assert "“Yes.” answered after 400 ms" in text
    assert "“Stop.” caller silent after 300 ms, cut short by the caller" in text
    assert "over, ended by the caller" in text
    assert "heard: a.wav" in text


def test_anybody_can_be_called() -> None:
    out = io.StringIO()
    HumanReport(out).ready(Ready(("127.0.0.1:5080",), 4, ()))
    assert "call sip:anybody@127.0.0.1:5080" in out.getvalue()
