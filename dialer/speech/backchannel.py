"""Words that mean "go on, I am listening" and take no turn (Yngve 1970: back-channel communication).

Only judged while we are speaking: after a question of ours the same "mm-hm" is an answer.
"""

from __future__ import annotations

# English words that are also answers ("yes", "okay") are not here: said into a prompt they may mean either,
# and an answer taken for a backchannel is lost.
_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset({"mm", "mhm", "hmm", "hm", "mm-hm", "mmhm", "uh-huh", "uhuh", "uh", "huh", "ah", "oh", "um"}),
    "zh": frozenset({"嗯", "嗯嗯", "哦", "噢", "啊", "唔", "呃"}),
    "yue": frozenset({"嗯", "哦", "喔", "啊", "唔", "係喎", "呀"}),
}
_MAX_WORDS = 3


def is_backchannel(text: str, language: str) -> bool:
    """Whether ``text``, said while we were speaking, asks for nothing but that we go on."""
    known = _WORDS.get(language, frozenset())
    cleaned = text.strip().lower()
    if language in ("zh", "yue"):
        return bool(cleaned) and (cleaned in known or all(letter in known for letter in cleaned))
    words = cleaned.split()
    return 0 < len(words) <= _MAX_WORDS and all(word in known for word in words)
