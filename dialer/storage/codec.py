"""Values of contacts and slots as JSON text that keeps their types, and writes as lines of a spill file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from dialer.errors import StorageError
from dialer.storage.base import AttemptDialled, CloseCall, SpillableOp, Suppress

_DECIMAL = "$decimal"
_DATE = "$date"
_KINDS: dict[str, type[AttemptDialled] | type[CloseCall] | type[Suppress]] = {
    "attempt_dialled": AttemptDialled,
    "close_call": CloseCall,
    "suppress": Suppress,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}

# A slot of a kind that nobody thought of is kept as its text rather than lost with its call.
_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder().decode


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, date):
        return {_DATE: value.isoformat()}
    if isinstance(value, Mapping):
        return {str(k): _tagged(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(v) for v in value]
    return value


def _untagged(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            if _DECIMAL in value:
                return Decimal(value[_DECIMAL])
            if _DATE in value:
                return date.fromisoformat(value[_DATE])
        return {k: _untagged(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_untagged(v) for v in value]
    return value


def dump_values(values: Mapping[str, Any]) -> str:
    """Values (str, int, float, bool, None, Decimal, date, and lists or mappings of them) as JSON text."""
    return _encode(_tagged(values)).decode()


def load_values(text: str) -> dict[str, Any]:
    """The values that ``dump_values`` wrote, with their types."""
    values = _untagged(_decode(text))
    if not isinstance(values, dict):
        raise StorageError(f"stored values are not an object: {text[:80]!r}")
    return values


def dump_op(op: SpillableOp) -> bytes:
    """A write as one line of JSON, without the line end."""
    return _encode(
        {"op": _NAMES[type(op)], "value": _tagged(msgspec.to_builtins(op, builtin_types=(Decimal, date)))}
    )


def load_op(line: bytes) -> SpillableOp:
    """The write that ``dump_op`` wrote.

    Raises:
        StorageError: the line is damaged.
    """
    try:
        entry = _decode(line)
        kind = _KINDS[entry["op"]]
        return msgspec.convert(_untagged(entry["value"]), kind)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"a line of the spill file is damaged: {error}") from error
