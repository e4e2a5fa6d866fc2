"""Persona files: how a simulated callee behaves, and the outcome its call must reach.

A persona is one YAML file; ``load_persona`` turns it into frozen values or says, with file and line,
what is wrong and how to mend it. Pure but for reading the files.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeAlias, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dialer.errors import InputError, Mistake

Place: TypeAlias = tuple[str | int, ...]

_PAUSE = re.compile(r"\[(\d{1,5})\]")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_DTMF = re.compile(r"[0-9*#A-D]{1,32}")

DEFAULT_PICK_UP_MS = 400


def _wrong(problem: str, mend: str) -> PydanticCustomError:
    return PydanticCustomError("persona", "{problem}", {"problem": problem, "mend": mend})


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
            raise _wrong(f"{' and '.join(ways)} exclude each other", "Keep one of them.")
        if self.beep is not None and self.voicemail is None:
            raise _wrong("only a voicemail beeps", 'Add voicemail: "<greeting>", or remove beep.')
        if self.ring_out and self.after_ms is not None:
            raise _wrong("a phone that rings out is never picked up", "Remove after_ms.")
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
            raise _wrong(
                "has something that is no telephone key", 'Use 0-9, *, #, A-D, as a string: dtmf: "1".'
            )
        return value

    @model_validator(mode="after")
    def _words_or_keys(self) -> Line:
        if (self.text is None) == (self.dtmf is None):
            raise _wrong("a line is either text or dtmf", "Give exactly one of the two.")
        if self.text is not None and not any(words for words, _ in pieces(self.text)):
            raise _wrong("has no words", "Say something, or remove the line.")
        return self


class HangUp(_Strict):
    """When the callee ends the call: after having said line ``after_turn``, or so long after the answer."""

    after_turn: Annotated[int, Field(ge=1)] | None = None
    after_ms: Ms | None = None

    @model_validator(mode="after")
    def _one(self) -> HangUp:
        if (self.after_turn is None) == (self.after_ms is None):
            raise _wrong("name one moment", "Give exactly one of after_turn and after_ms.")
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
    says: tuple[Line, ...] = ()
    hang_up: HangUp | None = None
    expect: Expect

    @field_validator("number")
    @classmethod
    def _e164(cls, value: str) -> str:
        if not _NUMBER.fullmatch(value):
            raise _wrong("is no E.164 number", 'Write it as "+12025550101", with the plus sign, in quotes.')
        return value

    @model_validator(mode="after")
    def _fits(self) -> Persona:
        speaks = bool(self.says) or self.opening is not None
        if speaks and not self.answer.picks_up:
            raise _wrong("never picks up, so it says nothing", "Remove opening and says, or change answer.")
        if speaks and self.answer.voicemail is not None:
            raise _wrong("a machine has its greeting only", "Remove opening and says, or answer.voicemail.")
        if self.hang_up is not None:
            if not self.answer.picks_up:
                raise _wrong("never picks up, so it cannot hang up", "Remove hang_up, or change answer.")
            turn = self.hang_up.after_turn
            if turn is not None and turn > len(self.says):
                raise _wrong(f"hangs up after turn {turn} of {len(self.says)}", "Lower hang_up.after_turn.")
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


def load_persona(path: Path) -> Persona:
    """Read one persona file.

    Raises:
        InputError: every mistake of the file, with line, field and mend.
    """
    data, lines = _read(path)
    if not isinstance(data, dict):
        raise InputError(
            Mistake(path, 1, "", "is not a mapping of keys", "Write name:, number:, expect: ... .")
        )
    try:
        persona = Persona.model_validate(_tuples(data))
    except ValidationError as error:
        raise InputError([_mistake(path, lines, e) for e in error.errors(include_url=False)]) from error
    if persona.name != path.stem:
        raise InputError(
            Mistake(
                path,
                lines.get(("name",)),
                "name",
                f"is {persona.name!r} in a file called {path.name}",
                f"Name it {path.stem!r}, or rename the file.",
            )
        )
    return persona


def load_personas(folder: Path) -> tuple[Persona, ...]:
    """Read every ``*.yaml`` of a folder, in the order of the file names.

    Raises:
        InputError: the folder has none, one of them is wrong, or two share a number.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise InputError(
            Mistake(folder, None, "", "has no persona file (*.yaml)", "Name a folder of personas.")
        )
    personas: list[Persona] = []
    mistakes: list[Mistake] = []
    owners: dict[str, Path] = {}
    for file in files:
        try:
            persona = load_persona(file)
        except InputError as error:
            mistakes.extend(error.mistakes)
            continue
        first = owners.setdefault(persona.number, file)
        if first is not file:
            _, lines = _read(file)
            mistakes.append(
                Mistake(
                    file,
                    lines.get(("number",)),
                    "number",
                    f"{persona.number} is already the number of {first.name}",
                    "Give each persona a number of its own.",
                )
            )
        personas.append(persona)
    if mistakes:
        raise InputError(mistakes)
    return tuple(personas)


def _read(path: Path) -> tuple[Any, dict[Place, int]]:
    """The file's values, and the line on which each of them stands."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(Mistake(path, None, "", "is not UTF-8", "Save it as UTF-8.")) from error
    except OSError as error:
        raise InputError(
            Mistake(path, None, "", f"cannot be read ({error.strerror})", "Name a persona file.")
        ) from error
    lines: dict[Place, int] = {}
    mistakes: list[Mistake] = []
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _note_lines(path, node, (), lines, mistakes)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else None
        raise InputError(
            Mistake(path, line, "", f"is not YAML ({error.problem})", "Check indentation, colons and quotes.")
        ) from error
    except yaml.YAMLError as error:
        raise InputError(
            Mistake(path, None, "", f"is not YAML ({error})", "Save it as plain text.")
        ) from error
    if mistakes:
        raise InputError(mistakes)
    return data, lines


def _note_lines(
    file: Path, node: yaml.Node, at: Place, lines: dict[Place, int], mistakes: list[Mistake]
) -> None:
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*at, str(key.value))
            if inner in lines:
                mistakes.append(
                    Mistake(
                        file,
                        key.start_mark.line + 1,
                        _dotted(inner),
                        f"stands twice (first in line {lines[inner]})",
                        "Remove one of the two.",
                    )
                )
            lines[inner] = key.start_mark.line + 1
            _note_lines(file, value, inner, lines, mistakes)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(file, item, (*at, index), lines, mistakes)


def _tuples(value: Any) -> Any:
    """YAML's lists as the tuples that the frozen models hold."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(inner) for inner in value)
    return value


def _dotted(at: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in at)


def _mistake(path: Path, lines: Mapping[Place, int], error: Any) -> Mistake:
    """One finding of pydantic in our words."""
    at: Place = tuple(error["loc"])
    place = at
    while place and place not in lines:
        place = place[:-1]
    kind = str(error["type"])
    problem, mend = str(error["msg"]), "Correct the value."
    if kind == "persona":
        mend = str(error["ctx"]["mend"])
    elif kind == "missing":
        problem, mend = "is missing", f"Add {at[-1]}: ... ."
    elif kind == "extra_forbidden":
        known = _keys_at(at[:-1])
        near = difflib.get_close_matches(str(at[-1]), known, n=1)
        problem = "is unknown"
        mend = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
    elif kind.endswith("_type"):
        problem, mend = f"is {error['input']!r}: {_lower(problem)}", "Write a value of that kind."
    else:
        problem = f"is {error['input']!r}: {_lower(problem)}"
    return Mistake(path, lines.get(place), _dotted(at), problem, mend)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _keys_at(at: Sequence[str | int]) -> list[str]:
    """The keys that the format knows at a place."""
    model: type[BaseModel] = Persona
    for part in at:
        if isinstance(part, str) and part in model.model_fields:
            inner = _model_in(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if (
        isinstance(annotation, type)
        and not isinstance(annotation, UnionType)
        and issubclass(annotation, BaseModel)
    ):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
