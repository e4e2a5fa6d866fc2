"""Reading and writing pjsua2's ``ByteVector`` quickly.

SWIG walks the vector element by element (146 us a frame), and each call into it lets go of the GIL. Builds
after pjproject 2.15 have methods for whole blocks (pull request 4588). For the others this leans on the
layout of libstdc++'s and libc++'s ``std::vector``: its first two words are the pointers to begin and end.
That is checked at start on a known vector, and where it does not hold the slow way is taken.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from dialer.telephony.wire import FRAME_BYTES

Read: TypeAlias = Callable[[Any], bytes]
"""``read(vector)`` gives the vector's bytes."""
Write: TypeAlias = Callable[[Any, bytes], None]
"""``write(vector, frame)`` puts a frame into a vector that holds ``FRAME_BYTES`` already."""


class Way(NamedTuple):
    """How vectors are read and written: ``method``, ``address`` or ``slow``."""

    name: str
    read: Read
    write: Write


_Pointers = ctypes.c_size_t * 2
_Frame = ctypes.c_char * FRAME_BYTES


def _read_by_address(vector: Any) -> bytes:
    begin, end = _Pointers.from_address(int(vector.this))
    return ctypes.string_at(begin, end - begin)


def _write_by_address(vector: Any, frame: bytes) -> None:
    _Frame.from_address(_Pointers.from_address(int(vector.this))[0]).raw = frame


def _read_by_method(vector: Any) -> bytes:
    octets = bytearray(vector.size())
    vector.copy_to_bytearray(octets)
    return bytes(octets)


def _write_by_method(vector: Any, frame: bytes) -> None:
    vector.assign_from_bytes(frame)


def _read_slowly(vector: Any) -> bytes:
    return bytes(vector)


def _write_slowly(vector: Any, frame: bytes) -> None:
    for place, value in enumerate(frame):
        vector[place] = value


def choose(vector_class: Any) -> Way:
    """The quickest way that passes the check on a known vector.

    Args:
        vector_class: pjsua2's ``ByteVector``, or something that behaves like it.
    """
    if hasattr(vector_class, "copy_to_bytearray") and hasattr(vector_class, "assign_from_bytes"):
        way = Way("method", _read_by_method, _write_by_method)
        if _passes(vector_class, way):
            return way
    if _layout_is_known(vector_class):
        way = Way("address", _read_by_address, _write_by_address)
        if _passes(vector_class, way):
            return way
    return Way("slow", _read_slowly, _write_slowly)


def full(vector_class: Any) -> Any:
    """A vector of ``FRAME_BYTES`` zeros."""
    vector = vector_class()
    vector.resize(FRAME_BYTES)
    return vector


def _layout_is_known(vector_class: Any) -> bool:
    """Whether the first two words look like begin and end, before any of them is followed."""
    vector = full(vector_class)
    try:
        address = int(vector.this)
    except (AttributeError, TypeError, ValueError):
        return False
    begin, end = _Pointers.from_address(address)
    return begin != 0 and end - begin == FRAME_BYTES


def _passes(vector_class: Any, way: Way) -> bool:
    known = bytes((7 * place + 3) % 256 for place in range(FRAME_BYTES))
    vector = full(vector_class)
    _write_slowly(vector, known)
    try:
        if way.read(vector) != known or way.read(vector_class()) != b"":
            return False
        way.write(vector, known[::-1])
    except (TypeError, ValueError):
        return False
    return vector.size() == FRAME_BYTES and bytes(vector) == known[::-1]
