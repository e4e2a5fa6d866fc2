"""Reading and writing pjsua2's ``ByteVector`` quickly.

SWIG walks the vector element by element (146 us a frame); reading its memory takes 1 us. Builds after
pjproject 2.15 have methods for it (pull request 4588). For the others this leans on the layout of
libstdc++'s and libc++'s ``std::vector``: its first two words are the pointers to begin and end. That
is checked at start on a known vector, and where it does not hold the slow way is taken, with a warning.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, TypeAlias

from dialer.telephony.wire import FRAME_BYTES

ReadInto: TypeAlias = Callable[[Any, int], bool]
"""``read(vector, address)`` copies one frame to ``address``; False where the vector holds no frame."""
Write: TypeAlias = Callable[[Any, bytes], None]
"""``write(vector, frame)`` makes the vector hold the frame of ``FRAME_BYTES``."""

_Pointers = ctypes.c_size_t * 2


def read_by_address(vector: Any, address: int) -> bool:
    """Copy a frame out of the vector's memory."""
    begin, end = _Pointers.from_address(int(vector.this))
    if end - begin != FRAME_BYTES:
        return False
    ctypes.memmove(address, begin, FRAME_BYTES)
    return True


def write_by_address(vector: Any, frame: bytes) -> None:
    """Resize the vector and copy a frame into its memory."""
    vector.resize(FRAME_BYTES)
    ctypes.memmove(_Pointers.from_address(int(vector.this))[0], frame, FRAME_BYTES)


def _read_by_method(vector: Any, address: int) -> bool:
    if vector.size() != FRAME_BYTES:
        return False
    vector.copy_to_bytearray((ctypes.c_char * FRAME_BYTES).from_address(address))
    return True


def _write_by_method(vector: Any, frame: bytes) -> None:
    vector.assign_from_bytes(frame)


def _read_slowly(vector: Any, address: int) -> bool:
    if vector.size() != FRAME_BYTES:
        return False
    ctypes.memmove(address, bytes(vector), FRAME_BYTES)
    return True


def _write_slowly(vector: Any, frame: bytes) -> None:
    vector.clear()
    for value in frame:
        vector.append(value)


def choose(vector_class: Any) -> tuple[str, ReadInto, Write]:
    """The quickest way that passes the check on a known vector.

    Args:
        vector_class: pjsua2's ``ByteVector``, or something that behaves like it.

    Returns:
        The way's name (``method``, ``address`` or ``slow``), a reader and a writer.
    """
    ways: list[tuple[str, ReadInto, Write]] = []
    if hasattr(vector_class, "copy_to_bytearray") and hasattr(vector_class, "assign_from_bytes"):
        ways.append(("method", _read_by_method, _write_by_method))
    if _layout_is_known(vector_class):
        ways.append(("address", read_by_address, write_by_address))
    for way in ways:
        if _passes(vector_class, way[1], way[2]):
            return way
    return "slow", _read_slowly, _write_slowly


def _layout_is_known(vector_class: Any) -> bool:
    """Whether the first two words look like begin and end, before any of them is followed."""
    vector = vector_class()
    vector.resize(FRAME_BYTES)
    try:
        address = int(vector.this)
    except (AttributeError, TypeError, ValueError):
        return False
    begin, end = _Pointers.from_address(address)
    return begin != 0 and end - begin == FRAME_BYTES


def _passes(vector_class: Any, read: ReadInto, write: Write) -> bool:
    known = bytes((7 * k + 3) % 256 for k in range(FRAME_BYTES))
    vector = vector_class()
    for value in known:
        vector.append(value)
    seen = ctypes.create_string_buffer(FRAME_BYTES)
    try:
        if not read(vector, ctypes.addressof(seen)) or seen.raw != known:
            return False
        turned = known[::-1]
        write(vector, turned)
    except (TypeError, ValueError):
        return False
    return vector.size() == FRAME_BYTES and bytes(vector) == turned
