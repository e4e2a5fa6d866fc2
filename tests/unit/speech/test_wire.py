from __future__ import annotations

import pytest

from dialer.speech import wire
from dialer.speech.base import Hypothesis, LanguageContext


def test_messages_survive_any_cut_of_the_stream() -> None:
    sent = [(wire.AUDIO, 3, b"x" * 320), (wire.FINISH, 3, b""), (wire.FAILED, 2**32 - 1, "naïve".encode())]
    stream = b"".join(wire.pack(*message) for message in sent)
    for size in (1, 7, 100, len(stream)):
        unpacker = wire.Unpacker()
        seen = [m for i in range(0, len(stream), size) for m in unpacker.feed(stream[i : i + size])]
        assert [(m.kind, m.session, m.payload) for m in seen] == sent


def test_a_reader_that_stops_in_between_loses_nothing() -> None:
    unpacker = wire.Unpacker()
    stream = wire.pack(wire.FINISH, 1) + wire.pack(wire.FINISH, 2)
    first = unpacker.feed(stream)
    assert next(first).session == 1
    first.close()  # type: ignore[attr-defined]
    assert [m.session for m in unpacker.feed(b"")] == [2]


@pytest.mark.parametrize("confidence", [None, 0.0, 0.5, 1.0])
def test_hypotheses(confidence: float | None) -> None:
    hypothesis = Hypothesis(7, "i'll pay 明天", confidence, True, 1240)
    (message,) = wire.Unpacker().feed(wire.pack_hypothesis(9, hypothesis))
    assert message.session == 9
    assert wire.read_hypothesis(message.payload) == hypothesis


def test_begin_and_contexts() -> None:
    (message,) = wire.Unpacker().feed(wire.pack_begin(4, 5, "ask_pay"))
    assert wire.read_begin(message.payload) == (5, "ask_pay")
    contexts = [LanguageContext("a", "en", (("yes", "affirm"), ("no", "deny")), {"deny": 2.0})]
    (message,) = wire.Unpacker().feed(wire.pack_contexts(contexts))
    assert wire.read_contexts(message.payload) == contexts
