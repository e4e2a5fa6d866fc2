from __future__ import annotations

import pytest

from dialer.speech.arpabet import arpabet
from dialer.speech.base import Voice
from dialer.speech.tts_espeak import sounds_of


@pytest.mark.parametrize(
    ("sounds", "phones"),
    [
        ("I n s t 'O: l m @ n t s", "IH N S T AO L M AH N T S"),
        ("b 'V ? n-", "B AH T AH N"),
        ("%tS 'e@", "CH EH R"),
        ("", None),
        ("x 'a", None),
    ],
)
def test_sounds_become_phones(sounds: str, phones: str | None) -> None:
    assert arpabet(sounds.split()) == phones


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("instalments", "IH N S T AO L M AH N T S"),
        ("payday's", "P EY D EY Z"),
        ("robocall", "R OW B AH K AO L"),
        ("hiya", "HH AY AH"),
        ("through", "TH R UW"),
        ("vision", "V IH ZH AH N"),
    ],
)
def test_a_word_of_no_dictionary_is_read_as_it_would_be_spoken(word: str, phones: str) -> None:
    assert arpabet(sounds_of(word, Voice())) == phones
