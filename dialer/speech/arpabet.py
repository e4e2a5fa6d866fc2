"""How eSpeak NG writes American sounds, and how pocketsphinx's acoustic model does (ARPAbet).

For words that are in no dictionary. Source: the phoneme tables of espeak-ng (``phsource/ph_english_us``)
read against its output, and the phones of the CMU dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

_STRESS = "',%=|"

_VOWELS = {
    "a": "AE", "aa": "AE", "a#": "AH", "A:": "AA", "A": "AA", "A@": "AA R", "A:r": "AA R", "0": "AA",
    "@": "AH", "@2": "AH", "@5": "AH", "@L": "AH L", "V": "AH", "3": "ER", "3:": "ER", "@r": "ER",
    "E": "EH", "e@": "EH R", "eI": "EY", "I": "IH", "I2": "IH", "I#": "IH", "i": "IY", "i:": "IY",
    "i@": "IY AH", "i@3": "IH R", "O": "AO", "O:": "AO", "O2": "AO", "O@": "AO R", "o@": "AO R",
    "OI": "OY", "oU": "OW", "U": "UH", "U@": "UH R", "u:": "UW", "u": "UW", "aI": "AY", "aI@": "AY AH",
    "aI3": "AY ER", "aU": "AW", "aU@": "AW ER",
}  # fmt: skip
_CONSONANTS = {
    "b": "B", "d": "D", "f": "F", "g": "G", "h": "HH", "j": "Y", "k": "K", "l": "L", "m": "M", "n": "N",
    "p": "P", "r": "R", "s": "S", "t": "T", "v": "V", "w": "W", "z": "Z", "t#": "T", "d#": "D", "?": "T",
    "n-": "AH N", "m-": "AH M", "dZ": "JH", "tS": "CH", "S": "SH", "Z": "ZH", "T": "TH", "D": "DH", "N": "NG",
}  # fmt: skip
_PHONES = MappingProxyType(_VOWELS | _CONSONANTS)


def arpabet(sounds: Iterable[str]) -> str | None:
    """The ARPAbet phones of a word, spaced.

    Args:
        sounds: eSpeak NG's mnemonics, one a sound, stress marks allowed.

    Returns:
        The phones; None where a sound has no counterpart (or there is none).
    """
    phones = []
    for sound in sounds:
        bare = sound.strip(_STRESS)
        if not bare:
            continue
        if bare not in _PHONES:
            return None
        phones.append(_PHONES[bare])
    return " ".join(phones) or None
