"""The tree of errors: ``DialerError`` and one branch a package.

Busy, no answer and voicemail are dispositions, never exceptions. Library errors are translated
at the adapter with ``raise ... from``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class DialerError(Exception):
    """Anything this program raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a file that a person wrote.

    Attributes:
        file: the file as the user named it.
        line: 1-based line (or CSV row, the header being row 1); None where the file as a whole is meant.
        field: the key or column, dotted from the top (``states.ask_pay.prompt``).
        problem: what is wrong, as a sentence without the final full stop.
        mend: what to do about it.
    """

    file: Path | str
    line: int | None
    field: str
    problem: str
    mend: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else f"{self.file}"
        field = f" [{self.field}]" if self.field else ""
        return f"{place}{field}: {self.problem}. {self.mend}"


class InputError(DialerError):
    """The user's files or arguments are wrong; exit status 2. Carries every mistake that was found."""

    def __init__(self, mistakes: list[Mistake] | Mistake) -> None:
        self.mistakes = [mistakes] if isinstance(mistakes, Mistake) else list(mistakes)
        super().__init__("\n".join(str(m) for m in self.mistakes))


class TelephonyError(DialerError):
    """The line cards, a trunk or a SIP port cannot do what was asked."""


class NoFreeLine(TelephonyError):  # noqa: N818 - a state of the pool, read by the scheduler
    """Every line is in use or not yet usable again."""


class SpeechError(DialerError):
    """A recogniser, synthesizer or speech worker failed."""


class IntentError(DialerError):
    """The intent engine failed."""


class Overloaded(IntentError):  # noqa: N818 - named for what the caller does about it
    """The bounded queue of the intent engine is full; ask again later."""


class StorageError(DialerError):
    """The database refused or cannot be reached."""


class CampaignError(DialerError):
    """A campaign cannot be run as asked (unknown name, already running elsewhere)."""
