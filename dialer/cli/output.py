"""What commands print: people get tables on standard output, programs one JSON object as its last line."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

_PIPE_WIDTH = 120

# A pipe or file has no width of its own; 80 columns would cut the tables.
out = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH)


def console(json_wanted: bool) -> Console:
    """Where people's output goes: standard error where standard output is to end with JSON."""
    return err if json_wanted else out


def print_json(value: Mapping[str, Any]) -> None:
    """Print ``value`` as one line of JSON, the last of standard output."""
    sys.stdout.flush()
    sys.stdout.write(msgspec.json.encode(value, enc_hook=_plain).decode() + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    if isinstance(value, Path | Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """``p50``, ``p95``, ``p99`` by the nearest-rank method; None each where there are no values."""
    ordered = sorted(values)
    result: dict[str, float | None] = {}
    for share in (50, 95, 99):
        if not ordered:
            result[f"p{share}"] = None
            continue
        rank = max(1, -(-share * len(ordered) // 100))
        result[f"p{share}"] = round(ordered[rank - 1], 1)
    return result
