from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

from dialer.telephony import vectors
from dialer.telephony.wire import FRAME_BYTES

FRAME = bytes(place % 251 for place in range(FRAME_BYTES))


class SlowVector:
    """What every build's ByteVector can do."""

    def __init__(self) -> None:
        self.items = bytearray()

    def resize(self, size: int) -> None:
        self.items = bytearray(size)

    def size(self) -> int:
        return len(self.items)

    def __setitem__(self, place: int, value: int) -> None:
        self.items[place] = value

    def __iter__(self) -> Iterator[int]:
        return iter(self.items)


class NewVector(SlowVector):
    """A build with pull request 4588."""

    def copy_to_bytearray(self, into: bytearray) -> None:
        into[:] = self.items

    def assign_from_bytes(self, octets: bytes) -> None:
        self.items = bytearray(octets)


class LaidOutVector(SlowVector):
    """Begin and end are the first two words, as in libstdc++."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: Any = (ctypes.c_char * 0)()
        self.words = (ctypes.c_size_t * 3)()

    def resize(self, size: int) -> None:
        self.memory = (ctypes.c_char * size)()
        begin = ctypes.addressof(self.memory)
        self.words[:] = [begin, begin + size, begin + size]

    def size(self) -> int:
        return len(self.memory)

    @property
    def this(self) -> int:
        return ctypes.addressof(self.words)

    def __setitem__(self, place: int, value: int) -> None:
        self.memory[place] = bytes([value])

    def __iter__(self) -> Iterator[int]:
        return iter(self.memory.raw)


class StrangeVector(LaidOutVector):
    """A library that lays its vectors out in another way: capacity first."""

    def resize(self, size: int) -> None:
        super().resize(size)
        self.words[:] = [size, self.words[0], self.words[1]]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(SlowVector, "slow"), (NewVector, "method"), (LaidOutVector, "address"), (StrangeVector, "slow")],
)
def test_the_quickest_way_that_works_is_taken(kind: type[Any], name: str) -> None:
    way = vectors.choose(kind)
    assert way.name == name
    vector = vectors.full(kind)
    way.write(vector, FRAME)
    assert way.read(vector) == FRAME
    assert way.read(kind()) == b""
