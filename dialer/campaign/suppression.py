"""Do not call: which entries of a list hit a number. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dialer.errors import InputError, Mistake

GLOBAL = ""  # the scope of an entry that holds for every campaign
MIN_PREFIX = 2  # "+1*" is the shortest that can be meant; "+*" would silence everything


@dataclass(frozen=True, slots=True)
class SuppressionEntry:
    """One entry.

    Attributes:
        pattern: an E.164 number, or a prefix of one with ``*`` behind it.
        scope: a campaign's name, or empty for all.
        reason: why, in words; source: who or what said so (``call 3f2…``, ``operator``, a file).
        created_at_ms: since when, wall clock.
    """

    pattern: str
    scope: str = GLOBAL
    reason: str = ""
    source: str = ""
    created_at_ms: int = 0


def checked_pattern(pattern: str) -> str:
    """The pattern in its one spelling: spaces, dots, brackets and dashes taken out.

    Raises:
        InputError: it is neither an E.164 number nor such a prefix with ``*``.
    """
    text = "".join(c for c in pattern if c not in " -.()\t")
    digits = text.removeprefix("+").removesuffix("*")
    if not text.startswith("+") or not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise InputError(
            Mistake(
                "suppression",
                None,
                pattern,
                "is neither a number in international form nor a prefix of one",
                "Write +12025550101, or +1202* for every number that begins so",
            )
        )
    return text


def patterns_for(number: str) -> list[str]:
    """Every pattern that would hit a number: itself, and its prefixes with ``*``.

    A look-up by these in an index finds prefix entries without scanning the list.
    """
    return [number, *(f"{number[:n]}*" for n in range(MIN_PREFIX, len(number) + 1))]


def hit(number: str, campaign: str, entries: Iterable[SuppressionEntry]) -> SuppressionEntry | None:
    """The entry that forbids calling ``number`` in ``campaign``, if any; global ones first."""
    wanted = set(patterns_for(number))
    found = [e for e in entries if e.pattern in wanted and e.scope in (GLOBAL, campaign)]
    return min(found, key=lambda e: (e.scope, e.pattern), default=None)
