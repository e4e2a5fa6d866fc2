"""YAML that people write, read with the line of every key.

Differences from plain YAML 1.1, each because it bites in files that are edited by hand: ``on``,
``yes`` and ``no`` are words and not booleans, ``09:30`` is text and not 570, a date stays text, a key
is always text, and a key that is written twice is a mistake instead of the last one winning.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import BaseModel, ValidationError

from dialer.errors import Mistake

Place: TypeAlias = tuple[str | int, ...]

_PLAIN = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|)$"),
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$"),
    ("tag:yaml.org,2002:int", r"^-?[0-9]+$"),
    ("tag:yaml.org,2002:float", r"^-?[0-9]+\.[0-9]+$"),
)


class _Composer(yaml.SafeLoader):
    """SafeLoader with the few plain scalars of YAML 1.2 that we want."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's shape


for _tag, _pattern in _PLAIN:
    _Composer.add_implicit_resolver(_tag, re.compile(_pattern), None)


@dataclass(slots=True)
class YamlFile:
    """One file: its data, the line of every place in it, and the mistakes found while reading.

    Attributes:
        path: as the user named it.
        data: dicts (text keys), lists, str, int, float, bool, None.
        lines: 1-based line by place; a mapping's entry has the line of its key.
        mistakes: not YAML at all, duplicate keys, or a top level that is no mapping.
    """

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line_of(self, place: Place) -> int | None:
        """The line of ``place``, or of the nearest thing around it that is in the file."""
        return self.lines.get(self._written(place))

    def mistake(self, place: Place, problem: str, mend: str) -> Mistake:
        """A mistake at ``place`` of this file."""
        shown = self._written(place)
        if place and isinstance(place[-1], str) and shown[-1:] != place[-1:]:
            inside: Any = self.data
            for part in shown:
                inside = inside[part]
            if isinstance(inside, dict):
                shown = (*shown, place[-1])  # a key that should be there and is not
        return Mistake(self.path, self.line_of(place), dotted(shown), problem, mend)

    def _written(self, place: Place) -> Place:
        # A shape may wrap what is written short (one entry as a list of one): such steps are not in the
        # file and are passed over.
        known: Place = ()
        for part in place:
            if (*known, part) in self.lines:
                known = (*known, part)
        return known


def dotted(place: Place) -> str:
    """``("states", "ask", "on", 0)`` as ``states.ask.on[0]``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that proposes the nearest known word, else lists what is known."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    if not names:
        return "None is declared yet"
    return "Known: " + ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


def read_yaml(path: Path) -> YamlFile:
    """Read ``path``; what is wrong with it stands in ``mistakes`` (then ``data`` may be empty)."""
    out = YamlFile(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        out.mistakes.append(Mistake(path, None, "", "the file does not exist", "Create it"))
        return out
    except (OSError, UnicodeDecodeError) as error:
        out.mistakes.append(
            Mistake(path, None, "", f"the file cannot be read ({error})", "Save it as UTF-8 text")
        )
        return out
    try:
        loader = _Composer(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        out.mistakes.append(
            Mistake(
                path, line, "", f"not valid YAML: {error.problem}", "Check indentation, quotes and colons"
            )
        )
        return out
    except yaml.YAMLError as error:
        out.mistakes.append(Mistake(path, None, "", f"not valid YAML: {error}", "Save it as UTF-8 text"))
        return out
    if not isinstance(node, yaml.MappingNode):
        out.mistakes.append(
            Mistake(
                path, 1, "", "the file must be a mapping at its top level", "Start it with `key: value` lines"
            )
        )
        return out
    out.lines[()] = node.start_mark.line + 1
    data = _build(node, (), out, frozenset())
    assert isinstance(data, dict)
    out.data = data
    return out


def _build(node: yaml.Node, place: Place, out: YamlFile, above: frozenset[int]) -> Any:
    if id(node) in above:
        out.mistakes.append(out.mistake(place, "an alias points at what it stands in", "Write it out"))
        return None
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                out.mistakes.append(
                    Mistake(out.path, line, dotted(place), "a key must be plain text", "Write it as text")
                )
                continue
            key = str(key_node.value)
            inner: Place = (*place, key)
            if key in result:
                out.mistakes.append(
                    Mistake(
                        out.path,
                        line,
                        dotted(inner),
                        f"the key {key!r} is written twice (first on line {out.lines[inner]})",
                        "Remove or rename one of them",
                    )
                )
                continue
            out.lines[inner] = line
            result[key] = _build(value_node, inner, out, above)
        return result
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            out.lines[(*place, index)] = item.start_mark.line + 1
            items.append(_build(item, (*place, index), out, above))
        return items
    return _scalar(node)


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text = str(node.value)
    kind = node.tag.rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return text == "true"
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    return text


def shape_mistakes(
    file: YamlFile, error: ValidationError, models: Mapping[str, type[BaseModel]] | None = None
) -> list[Mistake]:
    """pydantic's complaints about ``file.data`` as mistakes with lines and mends.

    Args:
        file: where the data came from.
        error: what ``Model.model_validate(file.data)`` raised.
        models: by the name pydantic gives in ``title`` of nested errors; unused keys are proposed from
            all of their fields.
    """
    known = {
        info.alias or name for model in (models or {}).values() for name, info in model.model_fields.items()
    }
    found = []
    for item in error.errors(include_url=False):
        place: Place = tuple(item["loc"])
        kind = item["type"]
        if kind == "extra_forbidden":
            word = str(place[-1])
            problem, mend = f"the key {word!r} means nothing here", did_you_mean(word, known)
        elif kind == "missing":
            problem, mend = f"{place[-1]!r} is missing", "Add it"
        else:
            problem = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            problem = problem[:1].lower() + problem[1:]
            mend = f"It is {_short(item['input'])} now" if kind != "value_error" else "Correct it"
        found.append(file.mistake(place, problem, mend))
    return found


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
