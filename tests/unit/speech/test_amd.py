from __future__ import annotations

import pytest

from dialer.clock import NS_PER_MS
from dialer.speech.amd import GREETINGS, MachineDetector, is_machine_greeting


def hear(detector: MachineDetector, script: list[tuple[int, bool]], start_ms: int = 0) -> int:
    now = start_ms
    for length, speech in script:
        for _ in range(length // 20):
            detector.frame(now * NS_PER_MS, speech)
            now += 20
    return now


def verdict(detector: MachineDetector) -> str | None:
    return detector.verdict


@pytest.mark.parametrize(
    "text",
    [
        "hi you've reached alex please leave a message after the tone",
        "i can't come to the phone right now",
        "your call has been forwarded to voice mail",
        "the person you are calling is not available",
        "Sorry, I’m not available right now; I'll get back to you.",
        "at the tone please record your message",
    ],
)
def test_what_machines_say(text: str) -> None:
    assert is_machine_greeting([text], "en")


@pytest.mark.parametrize(
    "text",
    [
        "good morning smith and sons how can i help you",
        "hello", "hello who is this", "yes speaking", "alex speaking who's calling",
        "he's not available right now can i take a message",
        "do you want to leave a message",
        "she is not here right now",
        "i got your message", "i got a message from the bank",
        "you have reached the wrong number", "sorry who is calling please",
    ],
)  # fmt: skip
def test_what_people_say(text: str) -> None:
    assert not is_machine_greeting([text], "en")


@pytest.mark.parametrize(
    ("text", "language", "machine"),
    [
        ("您好我现在不方便接听请在嘀的一声后留言", "zh", True),
        ("您拨打的电话暂时无法接通", "zh", True),
        ("喂你好哪位", "zh", False),
        ("他不在要不要留言", "zh", False),
        ("你好我而家唔方便聽電話請喺嘟一聲之後留言", "yue", True),
        ("喂邊位", "yue", False),
        ("bitte hinterlassen sie eine nachricht", "de", False),
    ],
)
def test_other_languages(text: str, language: str, machine: bool) -> None:
    assert is_machine_greeting([text], language) is machine


def test_a_short_greeting_and_silence_is_a_person() -> None:
    detector = MachineDetector()
    hear(detector, [(300, False), (500, True), (700, False)])
    assert verdict(detector) is None
    hear(detector, [(120, False)], 1500)
    assert verdict(detector) == "person"


def test_a_long_greeting_without_a_machines_words_is_a_person() -> None:
    detector = MachineDetector()
    now = hear(detector, [(200, False), (7000, True)])
    detector.words("good morning smith and sons how can i help you")
    hear(detector, [(1000, False)], now)
    assert verdict(detector) == "person"


def test_a_long_greeting_makes_a_hint_a_machine() -> None:
    short, long = MachineDetector(), MachineDetector()
    for detector, length in ((short, 2000), (long, 6100)):
        hear(detector, [(length, True)])
        detector.words("you've reached the house of the smiths")
    assert verdict(short) is None
    assert verdict(long) == "machine"


def test_a_hint_becomes_a_machine_when_the_greeting_gets_long() -> None:
    detector = MachineDetector()
    now = hear(detector, [(2000, True)])
    detector.words("you've reached the house")
    hear(detector, [(4200, True)], now)
    assert verdict(detector) == "machine"


def test_words_after_a_pause_still_show_a_machine() -> None:
    detector = MachineDetector()
    now = hear(detector, [(400, True), (1000, False), (2000, True)])
    assert verdict(detector) == "person"
    detector.words("leave a message")
    assert verdict(detector) == "machine"
    hear(detector, [(3000, False)], now)
    assert verdict(detector) == "machine"


def test_hints_of_several_utterances_add_up() -> None:
    assert is_machine_greeting(["you've reached the smiths", "we are not available"], "en")


def test_silence_is_a_person() -> None:
    detector = MachineDetector()
    hear(detector, [(2400, False)])
    assert verdict(detector) is None
    hear(detector, [(200, False)], 2400)
    assert verdict(detector) == "person"


def test_late_words_are_no_greeting() -> None:
    detector = MachineDetector()
    hear(detector, [(21_000, False)])
    detector.words("just leave a message after the tone")
    assert verdict(detector) == "person"


def test_most_greetings_for_the_recogniser_are_recognised_as_such() -> None:
    found = sum(is_machine_greeting([text], "en") for text in GREETINGS["en"])
    assert found >= 0.7 * len(GREETINGS["en"])
