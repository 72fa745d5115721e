"""Where does an answer name a value? Numbers, identifiers and phrases, in all scripts.

Both sides are folded first: compatibility forms, digits of all scripts, upper
case, traditional Chinese. A number stands on its own: 1234 is not named by
51234, 1234.5 or x1234, but it is by "1,234", "１２３４" and "是1234。". A phrase
is named by its words in a row, or by all its content words, inflected or not,
close together in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from storage.folding import fold, mark_class, normalise
from storage.stemming import stem
from storage.stopwords import stop_words
from storage.words import UNSPACED_RUN

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_NUMBER_VALUE = re.compile(r"[+-]?\d[\d.,' ]*")
_NUMBER = re.compile(r"\d{1,3}(?: \d{3})+(?![\d.,]\d|\d)|\d+(?:[.,']\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:([.,' ])\d{3})(?:\1\d{3})*")
_TELLING_DIGITS = 5
"""Another number of as many digits is another value; years and page numbers are shorter."""
_WIDEST = 2.5
"""Content words of a phrase may lie so many times its own length apart."""
_CJK_FUNCTION = frozenset("的了在是和与及也就都而着过把被对于从到上下里中")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is named, in the folded text."""

    start: int
    end: int

    def within(self, other: Place) -> bool:
        """Whether it lies inside another, longer place."""
        inside = other.start <= self.start and self.end <= other.end
        return inside and self.end - self.start < other.end - other.start


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int


def folded(text: str) -> str:
    """The text as both sides are compared; offsets of `Place` count in it."""
    return normalise(text).casefold()


def places(value: str, text: str, language: str) -> list[Place]:
    """Every place where a folded text names a value."""
    wanted = folded(value).strip()
    if not wanted:
        return []
    if _UUID.fullmatch(wanted):
        plain = wanted.replace("-", "")
        return [place for place, other in _uuids(text) if other == plain]
    if _NUMBER_VALUE.fullmatch(wanted):
        plain = _plain(wanted.strip("+-"))
        return [place for place, other in _numbers(text) if other == plain]
    return _phrases(wanted, text, language)


def others_alike(values: Sequence[str], text: str, said: str) -> list[str]:
    """What the folded text names that looks as the values do and is none of them.

    Numbers of as many digits, and identifiers; of phrases nothing can be told.
    What `said` (the question, folded) names is no other value.
    """
    known = {folded(value).strip() for value in values}
    plain = {_plain(value.strip("+-")) for value in known}
    digits = {len(value) for value in plain if value.isdigit() and len(value) >= _TELLING_DIGITS}
    found: dict[str, None] = {}
    if any(_UUID.fullmatch(value) for value in known):
        bare = {value.replace("-", "") for value in known} | {other for _, other in _uuids(said)}
        found.update(dict.fromkeys(other for _, other in _uuids(text) if other not in bare))
    if digits:
        plain |= {number for _, number in _numbers(said)}
        found.update(
            dict.fromkeys(
                other
                for _, other in _numbers(text)
                if other.isdigit() and len(other) in digits and other not in plain
            )
        )
    return list(found)


def words_in(text: str) -> int:
    """How many words a text has; characters where a script puts no spaces."""
    return len(_words(folded(text)))


def _uuids(text: str) -> Iterator[tuple[Place, str]]:
    for match in _UUID.finditer(text):
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        if not (_joins(before) or _joins(after)):
            yield Place(match.start(), match.end()), match.group().replace("-", "")


def _numbers(text: str) -> Iterator[tuple[Place, str]]:
    """The numbers that stand on their own, without the marks that group their digits."""
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if _joined(text, start, end):
            continue
        parts = match.group().split(",")
        if len(parts) > 1 and len(set(map(len, parts))) == 1 and len(parts[0]) > 3:
            # "4817293,5550199": a list without spaces.
            at = start
            for part in parts:
                yield Place(at, at + len(part)), part
                at += len(part) + 1
            continue
        yield Place(start, end), _plain(match.group())
        if " " in match.group():
            # "481 729 355": one number, or three.
            at = start
            for part in match.group().split(" "):
                yield Place(at, at + len(part)), part
                at += len(part) + 1


def _joined(text: str, start: int, end: int) -> bool:
    """Whether a run of digits goes on as a longer name: x12, 12b, 2019-12."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if _joins(before) or _joins(after):
        return True
    dashed = before == "-" and text[start - 2 : start - 1].isdigit()
    return dashed or (after == "-" and text[end + 1 : end + 2].isdigit())


def _joins(character: str) -> bool:
    """A letter or digit of a script with spaces."""
    return character.isalnum() and not UNSPACED_RUN.match(character)


def _plain(number: str) -> str:
    return re.sub(r"[.,' ]", "", number) if _GROUPED.fullmatch(number) else number


def _phrases(wanted: str, text: str, language: str) -> list[Place]:
    words, inside = _words(wanted), _words(text)
    if not words:
        # A value of signs alone.
        return [Place(m.start(), m.end()) for m in re.finditer(re.escape(wanted), text)]
    target = [word.text for word in words]
    found = [
        Place(inside[i].start, inside[i + len(target) - 1].end)
        for i in range(len(inside) - len(target) + 1)
        if all(inside[i + j].text == target[j] for j in range(len(target)))
    ]
    return found or _loosely(target, inside, text, language)


def _loosely(
    target: Sequence[str], inside: Sequence[_Word], text: str, language: str
) -> list[Place]:
    """All content words of a phrase of three or more, inflected or not, close together."""
    wanted = [_stem(word, language) for word in target if _content(word, language)]
    if len(set(wanted)) < 3:
        return []
    at = [(_stem(word.text, language), word) for word in inside]
    widest = max(len(wanted) + 2, int(_WIDEST * len(target)))
    needed = set(wanted)
    for i, (first, word) in enumerate(at):
        if first not in needed:
            continue
        near = at[i : i + widest]
        missing = set(needed)
        for stemmed, last in near:
            if re.search(r"[.!?。！？]\s", text[word.start : last.start]):
                break
            missing.discard(stemmed)
            if not missing:
                return [Place(word.start, last.end)]
    return []


def _content(word: str, language: str) -> bool:
    if UNSPACED_RUN.fullmatch(word):
        return word not in _CJK_FUNCTION
    return word not in _small(language)


@lru_cache(maxsize=64)
def _small(language: str) -> frozenset[str]:
    return stop_words([language])


@lru_cache(maxsize=20_000)
def _stem(word: str, language: str) -> str:
    return fold(stem(word, language))


def _words(text: str) -> list[_Word]:
    return [
        _Word(fold(match.group()), match.start(), match.end())
        for match in _word_pattern().finditer(text)
    ]


@lru_cache(maxsize=1)
def _word_pattern() -> re.Pattern[str]:
    unspaced = UNSPACED_RUN.pattern.removesuffix("+")
    letter = rf"(?!{unspaced})(?:[^\W_]|[{mark_class()}])"
    return re.compile(rf"{unspaced}|(?:{letter})+")
