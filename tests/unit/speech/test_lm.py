from __future__ import annotations

import pytest

from dialer.speech.lm import arpa, share_models, unit_of, weighted_sentences, with_units, words_of

EXAMPLES = [
    ("yes", "affirm"), ("yes please", "affirm"), ("no", "deny"), ("no thank you", "deny"),
    ("i will pay today", "pay"), ("i will pay on friday", "pay"), ("i paid on friday", "paid"),
]  # fmt: skip


class Model:
    """Reads an ARPA text back and answers as a decoder would."""

    def __init__(self, text: str) -> None:
        self.chance: dict[tuple[str, ...], float] = {}
        self.backoff: dict[tuple[str, ...], float] = {}
        self.sizes: dict[int, int] = {}
        for line in text.splitlines():
            if line.startswith("ngram "):
                order, size = line[6:].split("=")
                self.sizes[int(order)] = int(size)
            elif "\t" in line:
                parts = line.split("\t")
                ngram = tuple(parts[1].split())
                self.chance[ngram] = 10 ** float(parts[0])
                if len(parts) == 3:
                    self.backoff[ngram] = 10 ** float(parts[2])

    def __call__(self, *ngram: str) -> float:
        if ngram in self.chance:
            return self.chance[ngram]
        return self.backoff.get(ngram[:-1], 1.0) * self(*ngram[1:])


def test_words() -> None:
    assert words_of("Yes, I’ll pay -- today!") == ("yes", "i'll", "pay", "today")
    assert words_of("...") == ()


def test_every_history_sums_to_one() -> None:
    model = Model(arpa(weighted_sentences(EXAMPLES, {})))
    words = [n[0] for n in model.chance if len(n) == 1 and n != ("<s>",)]
    histories: list[tuple[str, ...]] = [(), *model.backoff]
    for history in histories:
        assert sum(model(*history, word) for word in words) == pytest.approx(1.0, abs=0.01)


def test_the_counts_of_the_header_are_right() -> None:
    model = Model(arpa(weighted_sentences(EXAMPLES, {})))
    for order, size in model.sizes.items():
        assert size == sum(len(ngram) == order for ngram in model.chance)


def test_what_was_seen_is_likelier_than_what_was_not() -> None:
    model = Model(arpa(weighted_sentences(EXAMPLES, {})))
    assert model("will", "pay", "today") > model("will", "pay", "thank") > 0
    assert model("<s>", "yes") > model("<s>", "friday") > 0


def test_an_intent_with_many_examples_is_not_likelier_for_it() -> None:
    many = [(f"no way {word}", "deny") for word in ("a", "b", "c", "d", "e", "f")]
    weights = weighted_sentences([("yes", "affirm"), *many], {})
    model = Model(arpa(weights))
    assert model("<s>", "yes") == pytest.approx(model("<s>", "no"), rel=0.2)


def test_weights_count() -> None:
    plain = Model(arpa(weighted_sentences(EXAMPLES, {})))
    weighted = Model(arpa(weighted_sentences(EXAMPLES, {"deny": 5.0})))
    assert weighted("<s>", "no") > 1.5 * plain("<s>", "no")


def test_a_short_sentence_is_likelier_than_a_long_one() -> None:
    weights = weighted_sentences([("yes", "affirm"), ("yes i think so", "affirm")], {})
    assert weights[("yes",)] == pytest.approx(4 * weights[("yes", "i", "think", "so")])


def test_units_stand_beside_the_words_and_nothing_is_lost() -> None:
    plain = weighted_sentences(EXAMPLES, {})
    both = with_units(plain)
    assert sum(both.values()) == pytest.approx(sum(plain.values()))
    assert both[("yes",)] == plain[("yes",)]
    assert both[("yes_please",)] > both[("yes", "please")] > 0
    assert unit_of(("yes", "please")) == "yes_please"


def sentences(first: int, last: int, weight: float = 1.0) -> dict[tuple[str, ...], float]:
    return {(f"word{n}",): weight for n in range(first, last)}


def test_contexts_that_are_nearly_the_same_share_a_model() -> None:
    contexts = {"many": sentences(0, 100), "few": sentences(0, 50), "nearly": sentences(0, 95, 3.0)}
    shared = dict(share_models(contexts))
    assert set(shared) == {("many", "nearly"), ("few",)}
    mixed = shared[("many", "nearly")]
    assert (mixed[("word0",)], mixed[("word99",)]) == (2.0, 0.5)


def test_groups_do_not_grow_step_by_step() -> None:
    contexts = {f"c{n}": sentences(n, n + 100) for n in (0, 10, 20, 30)}
    for names, mixed in share_models(contexts):
        assert len(mixed) <= 115, names


def test_to_stop_where_nobody_stopped_is_unlikely() -> None:
    model = Model(arpa(weighted_sentences(EXAMPLES, {})))
    assert model("thank", "</s>") < 0.1 * model("you", "</s>")


def test_the_same_sentence_of_two_intents_counts_for_both() -> None:
    weights = weighted_sentences(
        [("Right.", "affirm"), ("right", "wait"), ("hm?", "wait"), ("?", "wait")], {}
    )
    assert weights[("right",)] == pytest.approx(1.5 + 0.75)  # of 1, and of 2 that are equally short
    assert weighted_sentences([("?", "wait")], {}) == {}
