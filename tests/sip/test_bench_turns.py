"""The turn bench with a few calls: does it see what a fixed tail does?"""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.bench.turns import TurnsOptions, bench_turns

pytestmark = [pytest.mark.sip, pytest.mark.long]


async def test_a_short_fixed_tail_cuts_and_a_long_one_does_not(tmp_path: Path) -> None:
    options = TurnsOptions(
        calls=2,
        recogniser="scripted",
        turns=7,
        data=tmp_path,
        details=tmp_path / "details.jsonl",
        policies=("fixed_200", "fixed_800"),
    )
    result = await bench_turns(options, lambda _: None)
    short, long = result["policies"]["fixed_200"], result["policies"]["fixed_800"]
    assert short["false_cuts"] > 0
    assert long["false_cuts"] == 0
    assert long["turns"] == 14
    assert long["missed_turns"] == 0
    assert long["gap_ms"]["p50"] >= 800
    assert long["cpu_percent_per_call"] > 0
    assert options.details is not None
    assert len(options.details.read_text().splitlines()) >= 28
