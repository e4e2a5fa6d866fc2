"""Structured logs: static ``noun.verb`` events, personal data masked.

Personal data goes only under keys that begin with ``pii_``; a processor replaces their values unless
``DIALER_LOG_PII=1``. Never log in a media callback.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def mask_pii(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of ``pii_*`` keys by their last two characters."""
    for key, value in event.items():
        if key.startswith("pii_"):
            event[key] = "…" + str(value)[-2:]
    return event


def configure(level: str = "warning", json_lines: bool = False) -> None:
    """Set up logging to standard error, once a process.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        json_lines: one JSON object a line instead of text for people.
    """
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if os.environ.get("DIALER_LOG_PII") != "1":
        processors.append(mask_pii)
    if json_lines:
        processors.append(structlog.processors.JSONRenderer())
    else:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
