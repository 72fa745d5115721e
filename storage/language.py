"""Which language a text is written in.

A script that serves one language decides by itself. Otherwise py3langid's
model is asked, limited to the languages that people keep documents in: that
makes it right more often on short text, and its shares of likelihood honest.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_LEAST_SURE = 0.4
"""Likelihood under which no language is named. On XQuAD's 2,380 English and Spanish questions
0.3% are then named wrongly, and lists of numbers, names and code get none."""

_SAMPLES = 8
_SAMPLE_LENGTH = 600

# The ones that the model knows and people write documents in; dialects, sacred
# and constructed languages only take questions away from these.
_LANGUAGES = (
    "af ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it "
    "ja ka kk km kn ko ky lo lt lv mk ml mn mr ms mt my ne nl no pa pl ps pt ro ru si sk sl sq sr "
    "sv sw ta te th tl tr uk ur uz vi zh"
).split()

_ONE_LANGUAGE = {
    "HANGUL": "ko",
    "THAI": "th",
    "LAO": "lo",
    "KHMER": "km",
    "MYANMAR": "my",
    "GREEK": "el",
    "HEBREW": "he",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "BENGALI": "bn",
    "SINHALA": "si",
}
_KANA = ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA")
# A syllable or a character says as much as this many letters.
_LETTERS_WORTH = {"CJK": 3, "HANGUL": 2, **dict.fromkeys(_KANA, 2)}
# Kana in a Chinese text are quotations; Japanese is hardly ever without them.
_JAPANESE_FROM = 0.1


def detect(text: str) -> str:
    """The ISO 639-1 code of the language most of a text is in; empty where that is not sure.

    Long texts are judged by samples from all over them.
    """
    sample = _sample(text)
    scripts = _scripts(sample)
    if not scripts:
        return ""
    return _by_script(scripts) or _by_model(sample, _main(scripts))


def detect_by_script(text: str) -> str:
    """The language of a text whose script serves that one alone; empty for all other texts."""
    scripts = _scripts(_sample(text))
    return _by_script(scripts) if scripts else ""


def _by_script(scripts: Counter[str]) -> str:
    script = _main(scripts)
    if script == "CJK":
        kana = sum(scripts[name] for name in _KANA)
        return "ja" if kana > _JAPANESE_FROM * scripts["CJK"] else "zh"
    return "ja" if script in _KANA else _ONE_LANGUAGE.get(script, "")


def _by_model(sample: list[str], script: str) -> str:
    """The language that most samples are in, as far as they are written in a script."""
    votes: Counter[str] = Counter()
    model = _model()
    for text in sample:
        # The first letter tells for the word: names in other letters are left out.
        words = [word for word in text.split() if _script_of_word(word) == script]
        if not words:
            continue
        language, likelihood = model.classify(" ".join(words))
        if likelihood >= _LEAST_SURE:
            votes[language] += sum(map(len, words))
    return votes.most_common(1)[0][0] if votes else ""


def _sample(text: str) -> list[str]:
    if len(text) <= _SAMPLES * _SAMPLE_LENGTH:
        return [text[at : at + _SAMPLE_LENGTH] for at in range(0, len(text), _SAMPLE_LENGTH)]
    step = (len(text) - _SAMPLE_LENGTH) // (_SAMPLES - 1)
    return [text[at * step : at * step + _SAMPLE_LENGTH] for at in range(_SAMPLES)]


def _scripts(sample: list[str]) -> Counter[str]:
    """How much of a text is in which script, in letters."""
    letters: Counter[str] = Counter()
    for character, count in Counter("".join(sample)).items():
        if character.isalpha():
            script = _script(character)
            letters[script] += count * _LETTERS_WORTH.get(script, 1)
    return letters


def _main(scripts: Counter[str]) -> str:
    return max(scripts, key=lambda name: scripts[name])


def _script_of_word(word: str) -> str:
    return next((_script(character) for character in word if character.isalpha()), "")


@cache
def _script(character: str) -> str:
    """The script of a letter, by the first word of its name in Unicode."""
    return unicodedata.name(character, "").partition(" ")[0]


@cache
def _model() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(_LANGUAGES)
    return model
