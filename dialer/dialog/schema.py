"""Shape of ``dialog.yaml``, and the plan made from it. What the shape cannot say is in ``checks``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dialer.dialog.messages import Expectation
from dialer.dialog.plan import (
    BACKCHANNELS,
    DialogPlan,
    DispositionInfo,
    Ending,
    Group,
    Move,
    Nudge,
    PrivateFields,
    Prompt,
    SayItem,
    State,
    Transfer,
    Voicemail,
)
from dialer.yamlfile import YamlFile, shape_mistakes

__all__ = ["DialogPlan", "DialogShape", "make_plan"]

DEFAULT_SILENCE_MS = 5000
DEFAULT_THRESHOLD = 0.5
# Bounds of the pause that ends a turn (DESIGN part 3); what is expected narrows them in ``endpointing``.
DEFAULT_TAILS_MS = (280, 800)

T = TypeVar("T")


def _listed(value: object) -> object:
    """One thing where a list may stand."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _tupled(value: object) -> object:
    """Like ``_listed``, as the tuple that strict shapes ask for."""
    listed = _listed(value)
    return tuple(listed) if isinstance(listed, list) else listed


def _say_item(value: object) -> object:
    return {"prompt": value} if isinstance(value, str) else value


def _move(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_tupled)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SayShape(_Shape):
    """``say: name`` or ``say: {prompt: name, when: condition}``."""

    prompt: str
    when: str = ""


Says = Annotated[
    tuple[Annotated[SayShape, BeforeValidator(_say_item)], ...],
    BeforeValidator(_tupled),
]


class MoveShape(_Shape):
    """``intent: state`` or ``intent: {to: state, say: prompt, ...}``."""

    to: str = ""
    say: Says = ()
    when: str = ""
    outcome: str = ""
    put: dict[str, str] = {}
    repeat: bool = False
    patience_ms: Annotated[int, Field(ge=0, le=60_000)] = 0

    @model_validator(mode="after")
    def _does_one_thing(self) -> MoveShape:
        if sum((bool(self.to), self.repeat, bool(self.patience_ms))) > 1:
            raise ValueError("only one of `to`, `repeat` and `patience_ms` can be given")
        return self


Moves = Annotated[
    tuple[Annotated[MoveShape, BeforeValidator(_move)], ...],
    BeforeValidator(_tupled),
]


class NudgeShape(_Shape):
    """What is done when nothing (usable) was heard; what is left out comes from ``defaults``."""

    say: Says | None = None
    times: Annotated[int, Field(ge=0, le=5)] | None = None
    then: str | None = None


class TransferShape(_Shape):
    """``transfer: {target: name, failed: state, outcome: disposition}``."""

    target: str
    failed: str
    outcome: str


class StateShape(_Shape):
    """One entry of ``states``."""

    say: Says = ()
    again: Says | None = None
    expect: Annotated[Expectation, Field(strict=False)] = Expectation.OPEN
    on: dict[str, Moves] = {}
    keys: dict[Annotated[str, Field(pattern=r"^[0-9*#A-D]$")], Moves] = {}
    groups: Names | None = None
    ignore: Names = ()
    wants: Names = ()
    filled: Moves = ()
    silence: NudgeShape = NudgeShape()
    no_match: NudgeShape = NudgeShape()
    silence_ms: Annotated[int, Field(ge=500, le=60_000)] | None = None
    min_tail_ms: Annotated[int, Field(ge=100, le=3000)] | None = None
    max_tail_ms: Annotated[int, Field(ge=100, le=5000)] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    next: str = ""
    end: str = ""
    outcome: str = ""
    suppress: str = ""
    transfer: TransferShape | None = None

    @model_validator(mode="after")
    def _has_one_way_on(self) -> StateShape:
        ways = [name for name in ("next", "end", "transfer") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(
                f"only one of `next`, `end` and `transfer` can be given, not {' and '.join(ways)}"
            )
        if ways and (self.on or self.keys or self.filled or self.wants):
            raise ValueError(
                f"a state with `{ways[0]}` does not listen, so `on`, `keys`, `wants` mean nothing"
            )
        if self.filled and not self.wants:
            raise ValueError("`filled` needs `wants`: the slots that are to be filled")
        return self


class GroupShape(_Shape):
    """Moves that hold in many states."""

    on: dict[str, Moves] = {}
    keys: dict[Annotated[str, Field(pattern=r"^[0-9*#A-D]$")], Moves] = {}


class DefaultsShape(_Shape):
    """What states leave out."""

    silence: NudgeShape
    no_match: NudgeShape
    groups: Names = ()
    silence_ms: Annotated[int, Field(ge=500, le=60_000)] = DEFAULT_SILENCE_MS
    threshold: Annotated[float, Field(ge=0, le=1)] = DEFAULT_THRESHOLD
    ignored_silence_ms: Annotated[int, Field(ge=500, le=60_000)] = 2500

    @model_validator(mode="after")
    def _are_whole(self) -> DefaultsShape:
        for name in ("silence", "no_match"):
            nudge: NudgeShape = getattr(self, name)
            if nudge.say is None or nudge.times is None or nudge.then is None:
                raise ValueError(f"`defaults.{name}` needs `say`, `times` and `then`")
        return self


class DispositionShape(_Shape):
    """One entry of ``dispositions``."""

    description: str
    retry: bool


class EndingShape(_Shape):
    """``failure`` and ``drain``."""

    say: Says
    disposition: str
    transfer: str = ""
    failed_say: Says = ()


class VoicemailShape(_Shape):
    """``voicemail``."""

    say: Says = ()
    disposition: str
    silence_ms: Annotated[int, Field(ge=500, le=10_000)] = 1500


class LimitsShape(_Shape):
    """``limits``: the dialog ends politely after so many callee turns."""

    turns: Annotated[int, Field(ge=3, le=200)]
    then: str


class PrivateShape(_Shape):
    """``private``: contact fields that may be named only after a state was passed."""

    fields: list[str]
    after: list[str]


class PromptShape(_Shape):
    """``name: {en: text or list of texts, zh: ..., uninterruptible: true}``."""

    texts: dict[str, list[Annotated[str, Field(min_length=1)]]]
    uninterruptible: bool = False

    @model_validator(mode="before")
    @classmethod
    def _languages_beside_options(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError("a prompt has its texts under their languages, like `en: Hello`")
        options = {key: item for key, item in value.items() if key == "uninterruptible"}
        texts = {key: _listed(item) for key, item in value.items() if key not in options}
        return {"texts": texts, **options}


class DialogShape(_Shape):
    """The whole file."""

    start: str
    languages: Annotated[list[str], Field(min_length=1)]
    values: dict[str, str | int] = {}
    slots: dict[str, str] = {}
    dispositions: dict[str, DispositionShape]
    targets: dict[str, str] = {}
    private: PrivateShape | None = None
    limits: LimitsShape
    defaults: DefaultsShape
    voicemail: VoicemailShape
    failure: EndingShape
    drain: EndingShape
    backchannels: dict[str, list[str]] | None = None
    groups: dict[str, GroupShape] = {}
    states: Annotated[dict[str, StateShape], Field(min_length=1)]
    prompts: Annotated[dict[str, PromptShape], Field(min_length=1)]


_MODELS: Mapping[str, type[BaseModel]] = {
    model.__name__: model
    for model in (DialogShape, StateShape, MoveShape, NudgeShape, DefaultsShape, EndingShape, PromptShape)
}


def make_plan(
    file: YamlFile, threshold: float | None = None, tails_ms: tuple[int, int] = DEFAULT_TAILS_MS
) -> DialogPlan | None:
    """The plan that ``file`` describes; not yet checked for what the shape cannot say.

    Args:
        file: the read file; mistakes of shape are added to its ``mistakes``.
        threshold: the campaign's own default for the least score, over the file's.
        tails_ms: the campaign's shortest and longest pause that ends a turn, for states that name none.

    Returns:
        The plan, or None where the shape is wrong.
    """
    if not file.data:
        return None  # why is among its mistakes already
    try:
        shape = DialogShape.model_validate(file.data)
    except ValidationError as error:
        file.mistakes.extend(shape_mistakes(file, error, _MODELS))
        return None
    least = shape.defaults.threshold if threshold is None else threshold
    private = shape.private
    return DialogPlan(
        start=shape.start,
        languages=tuple(shape.languages),
        prompts=_frozen(
            {
                name: Prompt(name, _frozen({k: tuple(v) for k, v in p.texts.items()}), p.uninterruptible)
                for name, p in shape.prompts.items()
            }
        ),
        states=_frozen(
            {name: _state(name, s, shape.defaults, least, tails_ms) for name, s in shape.states.items()}
        ),
        groups=_frozen(
            {name: Group(name, _moves_by(g.on), _moves_by(g.keys)) for name, g in shape.groups.items()}
        ),
        dispositions=_frozen(
            {name: DispositionInfo(name, d.description, d.retry) for name, d in shape.dispositions.items()}
        ),
        slots=_frozen(shape.slots),
        values=_frozen(dict(shape.values)),
        targets=_frozen(shape.targets),
        voicemail=Voicemail(_says(shape.voicemail.say), shape.voicemail.disposition),
        failure=_ending(shape.failure),
        drain=_ending(shape.drain),
        max_turns=shape.limits.turns,
        turns_then=shape.limits.then,
        private=PrivateFields(
            frozenset(private.fields if private else ()), frozenset(private.after if private else ())
        ),
        ignored_silence_ms=shape.defaults.ignored_silence_ms,
        machine_silence_ms=shape.voicemail.silence_ms,
        backchannels=(
            BACKCHANNELS
            if shape.backchannels is None
            else _frozen({k: frozenset(w.lower() for w in v) for k, v in shape.backchannels.items()})
        ),
    )


def _frozen(value: dict[str, T]) -> Mapping[str, T]:
    return MappingProxyType(value)


def _says(items: tuple[SayShape, ...]) -> tuple[SayItem, ...]:
    return tuple(SayItem(item.prompt, item.when) for item in items)


def _moves(items: tuple[MoveShape, ...]) -> tuple[Move, ...]:
    return tuple(
        Move(m.to, _says(m.say), m.when, m.outcome, _frozen(m.put), m.repeat, m.patience_ms) for m in items
    )


def _moves_by(items: dict[str, tuple[MoveShape, ...]]) -> Mapping[str, tuple[Move, ...]]:
    return _frozen({name: _moves(moves) for name, moves in items.items()})


def _ending(shape: EndingShape) -> Ending:
    return Ending(_says(shape.say), shape.disposition, shape.transfer, _says(shape.failed_say))


def _nudge(own: NudgeShape, default: NudgeShape) -> Nudge:
    def pick(name: str) -> Any:
        value = getattr(own, name)
        return getattr(default, name) if value is None else value

    return Nudge(_says(pick("say")), pick("times"), pick("then"))


def _state(
    name: str, shape: StateShape, defaults: DefaultsShape, threshold: float, tails_ms: tuple[int, int]
) -> State:
    low, high = tails_ms
    say = _says(shape.say)
    return State(
        name=name,
        say=say,
        again=say if shape.again is None else _says(shape.again),
        expect=shape.expect,
        on=_moves_by(shape.on),
        keys=_moves_by(shape.keys),
        groups=defaults.groups if shape.groups is None else shape.groups,
        ignore=frozenset(shape.ignore),
        wants=shape.wants,
        filled=_moves(shape.filled),
        silence=_nudge(shape.silence, defaults.silence),
        no_match=_nudge(shape.no_match, defaults.no_match),
        silence_ms=shape.silence_ms or defaults.silence_ms,
        min_tail_ms=shape.min_tail_ms or low,
        max_tail_ms=shape.max_tail_ms or high,
        threshold=threshold if shape.threshold is None else shape.threshold,
        next=shape.next,
        end=shape.end,
        outcome=shape.outcome,
        suppress=shape.suppress,
        transfer=(
            Transfer(shape.transfer.target, shape.transfer.failed, shape.transfer.outcome)
            if shape.transfer
            else None
        ),
    )
