"""Persona files: how a simulated callee behaves, and the outcome its call must reach.

A persona is one YAML file; ``load_persona`` turns it into frozen values or says, with file and line,
what is wrong and how to mend it. Pure but for reading the files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dialer.errors import InputError, Mistake
from dialer.yamlfile import YamlFile, read_yaml, shape_mistakes

_PAUSE = re.compile(r"\[(\d{1,5})\]")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_DTMF = re.compile(r"[0-9*#A-D]{1,32}")

DEFAULT_PICK_UP_MS = 400


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Ms = Annotated[int, Field(ge=0, le=120_000)]


class Answer(_Strict):
    """What happens when the phone rings: it is picked up, refused, left ringing, or taken by voicemail.

    Attributes:
        after_ms: how long it rings first; 400 where it is picked up, 0 where it is refused.
        status: refuse with this SIP status (300-699).
        ring_out: ring until the caller gives up.
        voicemail: a machine answers with this greeting.
        beep: whether the machine beeps (1 kHz, 300 ms) after its greeting.
    """

    after_ms: Ms | None = None
    status: Annotated[int, Field(ge=300, le=699)] | None = None
    ring_out: bool = False
    voicemail: str | None = Field(default=None, min_length=1)
    beep: bool | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Answer:
        ways = [
            name
            for name, given in (
                ("status", self.status is not None),
                ("ring_out", self.ring_out),
                ("voicemail", self.voicemail is not None),
            )
            if given
        ]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} exclude each other: keep one of them")
        if self.beep is not None and self.voicemail is None:
            raise ValueError("only a voicemail beeps: add voicemail: '<greeting>', or remove beep")
        if self.ring_out and self.after_ms is not None:
            raise ValueError("a phone that rings out is never picked up: remove after_ms")
        return self

    @property
    def picks_up(self) -> bool:
        """Whether the call is answered at all."""
        return self.status is None and not self.ring_out

    @property
    def ring_ms(self) -> int:
        """How long it rings before it is answered or refused."""
        if self.after_ms is not None:
            return self.after_ms
        return DEFAULT_PICK_UP_MS if self.picks_up else 0

    @property
    def beeps(self) -> bool:
        """Whether a beep follows the voicemail's greeting."""
        return self.voicemail is not None and self.beep is not False


class Opening(_Strict):
    """What is said on picking up, ``after_ms`` after the answer; it does not wait for the caller."""

    text: str = Field(min_length=1)
    after_ms: Ms = 250


class Line(_Strict):
    """One turn of the callee: words or keys.

    Attributes:
        text: what is said; ``[400]`` stands for an inner pause of 400 ms.
        dtmf: keys that are pressed instead.
        reaction_ms: how long after the caller has finished.
        interrupt_after_ms: instead: so long after the caller's prompt began, into it.
    """

    text: str | None = Field(default=None, min_length=1)
    dtmf: str | None = None
    reaction_ms: Ms = 300
    interrupt_after_ms: Ms | None = None

    @field_validator("dtmf")
    @classmethod
    def _keys(cls, value: str | None) -> str | None:
        if value is not None and not _DTMF.fullmatch(value):
            raise ValueError(
                "has something that is no telephone key: use 0-9, *, #, A-D, as a string: dtmf: '1'"
            )
        return value

    @model_validator(mode="after")
    def _words_or_keys(self) -> Line:
        if (self.text is None) == (self.dtmf is None):
            raise ValueError("a line is either text or dtmf: give exactly one of the two")
        if self.text is not None and not any(words for words, _ in pieces(self.text)):
            raise ValueError("has no words: say something, or remove the line")
        if self.text is not None and _PAUSE.match(self.text.strip()):
            raise ValueError("begins with a pause: use reaction_ms for it")
        return self


class HangUp(_Strict):
    """When the callee ends the call: after having said line ``after_turn``, or so long after the answer."""

    after_turn: Annotated[int, Field(ge=1)] | None = None
    after_ms: Ms | None = None

    @model_validator(mode="after")
    def _one(self) -> HangUp:
        if (self.after_turn is None) == (self.after_ms is None):
            raise ValueError("name one moment: give exactly one of after_turn and after_ms")
        return self


class Expect(_Strict):
    """What the dialer must have recorded at the end."""

    disposition: str = Field(min_length=1)


class Persona(_Strict):
    """One simulated callee.

    Attributes:
        name: unique; the stem of its file.
        number: E.164, where it is called.
        voice: a voice of flite, or of eSpeak NG.
        answer: what happens when the phone rings.
        noise_dbfs: level (RMS) of white noise on the line; None for none.
        opening: said on picking up.
        says: its turns, in order.
        hang_up: when it ends the call; None to leave that to the caller.
        expect: the outcome that must follow.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    number: str
    voice: str = "slt"
    answer: Answer = Answer()
    noise_dbfs: Annotated[float, Field(ge=-90, le=-10)] | None = None
    opening: Opening | None = None
    says: Annotated[tuple[Line, ...], Field(strict=False)] = ()  # YAML has lists
    hang_up: HangUp | None = None
    expect: Expect

    @field_validator("number")
    @classmethod
    def _e164(cls, value: str) -> str:
        if not _NUMBER.fullmatch(value):
            raise ValueError("is no E.164 number: write it as '+12025550101', with the plus sign, in quotes")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Persona:
        speaks = bool(self.says) or self.opening is not None
        if speaks and not self.answer.picks_up:
            raise ValueError("never picks up, so it says nothing: remove opening and says, or change answer")
        if speaks and self.answer.voicemail is not None:
            raise ValueError("a machine has its greeting only: remove opening and says, or answer.voicemail")
        if self.hang_up is not None:
            if not self.answer.picks_up:
                raise ValueError("never picks up, so it cannot hang up: remove hang_up, or change answer")
            turn = self.hang_up.after_turn
            if turn is not None and turn > len(self.says):
                raise ValueError(f"hangs up after turn {turn} of {len(self.says)}: lower hang_up.after_turn")
        return self


def pieces(text: str) -> list[tuple[str, int]]:
    """Cut a line at its inner pauses.

    Args:
        text: ``"I will pay it [400] today."``

    Returns:
        Words and the pause in ms that follows them: ``[("I will pay it", 400), ("today.", 0)]``; words
        are empty where a pause stands first.
    """
    found: list[tuple[str, int]] = []
    parts = _PAUSE.split(text)
    for words, pause in zip(parts[::2], [*parts[1::2], "0"], strict=True):
        if words.strip() or int(pause):
            found.append((words.strip(), int(pause)))
    return found


def spoken(text: str) -> str:
    """``text`` without its pauses, as a person would write it down."""
    return " ".join(words for words, _ in pieces(text) if words)


# --- reading -------------------------------------------------------------------------------------

_SHAPES: dict[str, type[BaseModel]] = {
    shape.__name__: shape for shape in (Persona, Answer, Opening, Line, HangUp, Expect)
}


def load_persona(path: Path) -> Persona:
    """Read one persona file.

    Raises:
        InputError: every mistake of the file, with line, field and mend.
    """
    persona, _ = _load(path)
    return persona


def load_personas(folder: Path) -> tuple[Persona, ...]:
    """Read every ``*.yaml`` of a folder, in the order of the file names.

    Raises:
        InputError: the folder has none, one of them is wrong, or two share a number.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise InputError(
            Mistake(folder, None, "", "has no persona file (*.yaml)", "Name a folder of personas")
        )
    personas: list[Persona] = []
    mistakes: list[Mistake] = []
    owners: dict[str, str] = {}
    for path in paths:
        try:
            persona, file = _load(path)
        except InputError as error:
            mistakes.extend(error.mistakes)
            continue
        if persona.number in owners:
            problem = f"{persona.number} is already the number of {owners[persona.number]}"
            mistakes.append(file.mistake(("number",), problem, "Give each persona a number of its own"))
        owners[persona.number] = path.name
        personas.append(persona)
    if mistakes:
        raise InputError(mistakes)
    return tuple(personas)


def _load(path: Path) -> tuple[Persona, YamlFile]:
    file = read_yaml(path)
    if file.mistakes:
        raise InputError(file.mistakes)
    try:
        persona = Persona.model_validate(file.data)
    except ValidationError as error:
        raise InputError(shape_mistakes(file, error, _SHAPES)) from error
    if persona.name != path.stem:
        problem = f"{persona.name!r} is written in a file called {path.name}"
        raise InputError(file.mistake(("name",), problem, f"Name it {path.stem!r}, or rename the file"))
    return persona, file
