"""Who says what: the callees of a run, drawn from the phrases by a seed. The same seed, the same callees."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from dialer.bench.scripts.phrases import PhraseBook, phrase_books
from dialer.simulator.turncallee import Kind, Question

CYCLE = (
    Question.OPEN,
    Question.DATE,
    Question.OPEN,
    Question.YES_NO,
    Question.OPEN,
    Question.DATE,
    Question.LONG,
)
"""The questions that the bench's campaign asks, over and over."""

PAUSES_MS = (250, 250, 250, 250, 250, 250, 400, 400, 400, 600, 600, 600)
"""Inner pauses of a call's hesitations, shuffled."""
OTHERS_MS = (300, 500, 700)
"""And of some more."""

NOISY_SHARE, ECHO_SHARE = 0.1, 0.2
NOISES = ("pink", "babble", "white")
ECHOES_DB = (-20.0, -15.0, -25.0, -30.0)
ECHOES_MS = (60, 120, 200, 300)
"""Noisy lines get these noises in turn, lines with echo these levels; delays are drawn."""
VOICES = ("slt", "rms", "slt", "rms", "human", "en-us+f3", "kal16", "slt", "rms", "en-gb+m3")
"""Whose voice a call has, in turn: flite's, eSpeak NG's, or the recorded human one."""

NUMBERS = 100
HUMAN = "human"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Something that will be said: see ``phrases``. ``voice`` may differ from the call's (backchannels)."""

    kind: Kind
    text: str
    voice: str
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class PlannedNotice:
    """See ``turncallee.Notice``."""

    asides: tuple[tuple[int, Phrase], ...]
    remark: Phrase
    after_ms: int


@dataclass(frozen=True, slots=True)
class CallPlan:
    """See ``turncallee.CallScript``; nothing is rendered yet."""

    number: str
    voice: str
    line: str
    noise: str
    echo_db: float
    echo_ms: int
    turns: int
    answers: dict[Question, tuple[Phrase, ...]]
    notices: tuple[PlannedNotice, ...]
    reactions_ms: tuple[int, ...]


def choose(calls: int, turns: int, seed: int, *, human: bool = True) -> list[CallPlan]:
    """The callees of a run.

    Args:
        calls: how many, 100 at most (the reserved numbers +1 202 555 01xx).
        turns: remarks of each that want an answer.
        seed: of every choice.
        human: whether recorded human prompts can be used.
    """
    if calls > NUMBERS:
        raise ValueError(f"there are {NUMBERS} numbers")
    rng = random.Random(f"turns-{seed}")
    lines = _lines(calls, rng)
    # Which of its sort a line is: the first noisy one, the second, ...
    places = [lines[:index].count(line) for index, line in enumerate(lines)]
    return [_call(index, lines[index], places[index], turns, rng, human) for index in range(calls)]


def _lines(calls: int, rng: random.Random) -> list[str]:
    noisy, echo = round(calls * NOISY_SHARE), round(calls * ECHO_SHARE)
    lines = ["noisy"] * noisy + ["echo"] * echo + ["clean"] * (calls - noisy - echo)
    rng.shuffle(lines)
    return lines


def _call(index: int, line: str, place: int, turns: int, rng: random.Random, human: bool) -> CallPlan:
    voice = VOICES[index % len(VOICES)]
    if voice == HUMAN and not human:
        voice = VOICES[0]
    synthesized, recorded = phrase_books()
    speaker = _Speaker(voice, recorded if voice == HUMAN else synthesized, rng)
    cycles = -(-turns // len(CYCLE))
    answers: dict[Question, list[Phrase]] = {question: [] for question in Question}
    notices = []
    kinds = _kinds(cycles * sum(q in (Question.OPEN, Question.DATE) for q in CYCLE), rng)
    for cycle in range(cycles):
        for question in CYCLE:
            if question is Question.LONG:
                notices.append(speaker.notice(cycle))
            elif question is Question.YES_NO:
                answers[question].append(speaker.phrase(Kind.CLEAN, question))
            else:
                kind, pause_ms = next(kinds)
                answers[question].append(speaker.phrase(kind, question, pause_ms))
    return CallPlan(
        number=f"+120255501{index:02d}",
        voice=voice,
        line=line,
        noise=NOISES[place % len(NOISES)] if line == "noisy" else "",
        echo_db=ECHOES_DB[place % len(ECHOES_DB)] if line == "echo" else 0.0,
        echo_ms=rng.choice(ECHOES_MS) if line == "echo" else 0,
        turns=turns * 3 // 4 if voice == HUMAN else turns,  # recorded sentences are longer
        answers={question: tuple(phrases) for question, phrases in answers.items() if phrases},
        notices=tuple(notices),
        reactions_ms=tuple(rng.randrange(20, 200) for _ in range(turns)),
    )


def _kinds(count: int, rng: random.Random) -> Iterator[tuple[Kind, int]]:
    """What answers to open and date questions try: most hesitate, one is a correction, the rest are clean."""
    pauses = list(PAUSES_MS)
    rng.shuffle(pauses)
    slots: list[tuple[Kind, int]] = [(Kind.HESITATION, pause) for pause in pauses[: max(1, count * 4 // 5)]]
    while len(slots) < count - 1:
        slots.append((Kind.CLEAN, 0) if len(slots) % 3 else (Kind.HESITATION, rng.choice(OTHERS_MS)))
    slots.append((Kind.CORRECTION, 0))
    rng.shuffle(slots)
    return iter(slots[:count] if len(slots) >= count else slots * count)


class _Speaker:
    """Draws phrases for one call; none comes twice before all of its table have come."""

    def __init__(self, voice: str, book: PhraseBook, rng: random.Random) -> None:
        self._voice = voice
        self._book = book
        self._rng = rng
        self._left: dict[tuple[str, ...], list[str]] = {}

    def phrase(self, kind: Kind, question: Question, pause_ms: int = 0) -> Phrase:
        """An answer."""
        return Phrase(kind, self._draw(tuple(self._book.of(kind, question))), self._voice, pause_ms)

    def notice(self, cycle: int) -> PlannedNotice:
        """Every third long prompt gets asides and an answer, the others an interruption."""
        if cycle % 3 == 1:
            answer = self.phrase(Kind.CLEAN, Question.LONG)
            return PlannedNotice(self._asides(), answer, 0)
        text = self._draw(tuple(self._book.interruption))
        phrase = Phrase(Kind.INTERRUPTION, text, self._voice)
        return PlannedNotice((), phrase, self._rng.randrange(900, 2400))

    def _asides(self) -> tuple[tuple[int, Phrase], ...]:
        voice = "slt" if self._voice == HUMAN else self._voice
        listening = [
            Phrase(Kind.BACKCHANNEL, self._draw(tuple(self._book.backchannel)), voice) for _ in range(2)
        ]
        things = [*listening, Phrase(Kind.COUGH, "", "")]
        self._rng.shuffle(things)
        times = (1000, 2600, 4200)
        return tuple(
            (at + self._rng.randrange(0, 400), thing) for at, thing in zip(times, things, strict=True)
        )

    def _draw(self, table: tuple[str, ...]) -> str:
        left = self._left.setdefault(table, [])
        if not left:
            left += self._rng.sample(table, len(table))
        return left.pop()
