"""A model that a test holds in its hands."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LABELS = ("affirm", "deny", "is_self", "out_of_scope")


class HeldModel:
    """Answers ``affirm`` for "yes", ``deny`` else; fails on "broken"; ``hold`` makes it wait."""

    def __init__(self, name: str = "held") -> None:
        self.name = name
        self.labels: Sequence[str] = LABELS
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def hold(self) -> None:
        self.gate.clear()

    def release(self) -> None:
        self.gate.set()

    def predict(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        assert self.gate.wait(20)
        if texts != [""]:
            self.batches.append(list(texts))
        if "broken" in texts:
            raise RuntimeError("no such word")
        rows = [[0.85, 0.05, 0.05, 0.05] if text == "yes" else [0.05, 0.85, 0.05, 0.05] for text in texts]
        return np.array(rows, dtype=np.float32)
