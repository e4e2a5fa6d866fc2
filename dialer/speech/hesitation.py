"""Whether the words heard so far sound as if more is to come.

Small tables for each language: sounds of hesitation, and words that want something after them
(conjunctions, prepositions, articles, possessives). What ends with one of them gets the full tail.
They were written for answers on the telephone; where a word may well end a sentence ("I will",
"that is his", "what is it about?") it is left out, since a tail that is too long costs every turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"[\w']+")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


@dataclass(frozen=True, slots=True)
class _Spaced:
    """Tables of a language written with spaces."""

    fillers: frozenset[str]
    leaders: frozenset[str]  # words that begin an answer but are none by themselves
    wanting: frozenset[str]
    prepositions: frozenset[str]
    askers: frozenset[str]
    negations: frozenset[str]


_EN = _Spaced(
    fillers=_words("um uh er erm uhm ah hmm hm eh"),
    leaders=_words("well so like actually look listen okay but and because"),
    wanting=_words(
        "and but or because if unless although the a an my your our their into i i'm i'd i'll i've "
        "it's there's he's she's we're they're than whether until maybe"
    ),
    prepositions=_words("to of in on at for with from by about"),
    askers=_words("what what's who who's whom where where's which how"),
    negations=_words("not don't won't can't cannot didn't doesn't wouldn't couldn't never no"),
)

# Suffixes of a text without spaces; simplified and traditional forms side by side.
_ZH = (
    *("呃", "额", "那个", "這個", "那個", "这个", "就是", "就是说", "然后", "然後", "因为", "因為", "所以"),
    *("但是", "可是", "不过", "不過", "如果", "要是", "而且", "或者", "还是", "還是", "虽然", "雖然", "关于"),
    *("關於", "对于", "對於", "和", "跟", "把", "被", "我的", "你的", "我想", "我要", "从", "從", "比如"),
)
_YUE = (
    *("呃", "嗰個", "呢個", "即係", "即系", "跟住", "跟手", "因為", "因为", "所以", "但係", "但系", "不過"),
    *("不过", "如果", "要係", "而且", "或者", "定係", "定系", "雖然", "虽然", "關於", "关于", "同埋", "同"),
    *("喺", "將", "我嘅", "你嘅", "我想", "我要", "由", "例如"),
)
_UNSPACED = {"zh": _ZH, "yue": _YUE}
_NOT_LETTERS = re.compile(r"[\W_]+")


def looks_unfinished(text: str, language: str) -> bool:
    """Whether ``text`` ends in a hesitation or in a word that wants another.

    Args:
        text: the words heard so far; case and punctuation do not matter.
        language: BCP 47 primary tag; a language without a table never looks unfinished.
    """
    if language in _UNSPACED:
        bare = _NOT_LETTERS.sub("", text)
        return bare.endswith(_UNSPACED[language])
    if language != "en":
        return False
    words = _WORD.findall(text.lower())
    return bool(words) and _english_unfinished(words)


def _english_unfinished(words: list[str]) -> bool:
    last = words[-1]
    if last in _EN.fillers or last in _EN.wanting:
        return True
    if all(word in _EN.fillers or word in _EN.leaders for word in words):
        return len(words) > 1 or last != "okay"
    if last in _EN.prepositions and len(words) > 1:
        # "What is this about?" and "I don't want to" are whole.
        asked = any(word in _EN.askers for word in words)
        refused = last == "to" and any(word in _EN.negations for word in words)
        return not asked and not refused
    return False
