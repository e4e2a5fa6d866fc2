from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from dialer.campaign.report import CallRow, percentiles, summed, write_csv


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert percentiles(list(range(1, 101))) == {"n": 100, "p50": 50, "p95": 95, "p99": 99}
    assert percentiles([None, 7.04]) == {"n": 1, "p50": 7.0, "p95": 7.0, "p99": 7.0}
    assert percentiles([]) == {"n": 0}


def test_a_campaign_summed_up() -> None:
    report = summed(
        "bills",
        {"ready": 3},
        1,
        [("busy", None, 0), ("paid", 800.0, 9000), ("paid", 900.0, 1000), ("hung_up", 10.0, 0)],
        {"answer_ms": [20.0, 30.0], "reply_ms": [None]},
    )
    assert (report.attempts, report.answered, report.open_attempts) == (4, 3, 1)
    assert report.answer_rate == pytest.approx(0.75)
    assert next(iter(report.dispositions.items())) == ("paid", 2)
    assert report.talk_ms == 10_000
    assert report.percentiles["answer_ms"]["p95"] == 30.0
    assert report.percentiles["gap_ms"] == {"n": 0}


def test_a_campaign_without_calls_has_no_rate() -> None:
    assert summed("bills", {}, 0, [], {}).answer_rate is None


def test_cells_of_the_csv_are_no_formulas() -> None:
    call = CallRow(
        "c1", "+12025550100", 1_767_600_000_000, "paid", "=HYPERLINK()", 200, 9000.0, 20.5, 800.0, "us",
        "var/c1.wav", 3, slots={"amount": Decimal("12.50"), "said": "@x"},
    )  # fmt: skip
    file = io.StringIO(newline="")
    assert write_csv([call], file) == 1
    [row] = csv.DictReader(io.StringIO(file.getvalue()))
    assert row["number"] == "+12025550100"
    assert row["cause"] == "'=HYPERLINK()"
    assert row["started"] == "2026-01-05T08:00:00.000+00:00"
    assert row["slots"] == "amount=12.50; said=@x"
    assert row["mos"] == ""
