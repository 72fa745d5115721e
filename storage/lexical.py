"""Words for the full-text index: what writer and reader must cut in the same way.

FTS5 gets terms, not text. A text is normalised (`storage.folding`), cut into
words and numbers (`storage.words`), each word is reduced to its stem in the
document's language (`storage.stemming`) and stripped of accents; scripts that
write without spaces become overlapping pairs of characters. FTS5's own
tokenizer then only splits at spaces. A word gives one term, so that BM25
counts it once; what else it should be found by (the words in a camelCase name,
the end of a German compound) follows behind the text, where it parts no phrase.
docs/decisions/0007 has the figures and the alternatives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

from storage.compounds import COMPOUNDING, around, parts_of
from storage.folding import fold, normalise
from storage.language import detect_by_script
from storage.stopwords import languages_of, stop_words
from storage.terms import for_typing, term, typed, written_terms
from storage.words import QUESTION_WORDS, UNSPACED_RUN, Cut, Piece, cut, pairs

TOKENIZER = "unicode61 remove_diacritics 0 categories ''L* M* N* Co''"
"""The FTS5 tokenizer, written to stand between single quotes in SQL.

Part of the catalog's schema: a change needs a rebuild. Combining marks belong
to words here: FTS5's default tears Hindi and Tamil apart at each vowel sign.
"""

MAX_QUERY_TERMS = 64
"""More distinct terms than this cost time and find nothing better."""

_BROKEN_WORD = re.compile(r"([^\W\d_]{2,})-[ \t]*\r?\n[ \t]*([^\W\d_]{2,})")
_QUOTED = re.compile(r'"([^"]+)"|[“„«]([^”“»]+)[”“»]|[「『]([^」』]+)[」』]')
# How often a phrase that the user put in quotes is asked: BM25 adds it each time.
_QUOTED_WEIGHT = 2
_LEAST_WORDS = 2
# Small words of one language alone after which a query is taken to be in it.
_SURE = 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """One word of a query, or what stands between spaces in it."""

    text: str
    """Lower-case, without the marks around it."""
    name: bool
    """Whether it may be a name, which texts in any language hold."""
    cut: Cut | None
    """None for characters of an unspaced script."""


def index_text(text: str, language: str = "") -> str:
    """The terms of a text, separated by spaces, as the full-text index stores them.

    `language` is an ISO 639-1 code, or empty where it is not known.
    """
    spaced = _spaced(normalise(text))
    written = spaced.split()
    known = written_terms(language)
    terms = " ".join(map(known.__getitem__, written))
    more = [known.more[word] for word in written if word in known.more]
    if "-\n" in spaced or "-\r" in spaced:
        more += [known[a + b] for a, b in _BROKEN_WORD.findall(spaced)]
    return f"{terms} {' '.join(more)}" if more else terms


def query_terms(query: str) -> list[str]:
    """The distinct words of a query that are looked for, in order, lower-case."""
    everything = _asked(_sound(query))
    telling = _telling(everything, stop_words(_spoken(everything)[0]))
    return [asked.text for asked in telling[:MAX_QUERY_TERMS]]


def query_language(query: str, among: Sequence[str] = ()) -> str:
    """The language of a query, told by its script and small words; empty where they do not tell.

    Loads no model. `among` are the languages of the library: where two of the
    world's languages fit, the one that is among them is meant.
    """
    sound = _sound(query)
    by_script = detect_by_script(sound)
    if by_script == "zh" and "ja" in among and "zh" not in among:
        return "ja"
    spoken, _ = _spoken(_asked(sound), among)
    return by_script or (spoken[0] if len(spoken) == 1 else "")


def match_phrases(
    query: str,
    languages: Sequence[str] = (),
    frequency: Callable[[str], int] | None = None,
    most_rows: int | None = None,
) -> list[str]:
    """The FTS5 phrases that find any of the query's terms; what counts twice is there twice.

    `languages` are those that texts were indexed in, if known. `frequency`
    tells how many rows of the index hold a term: with it compounds are taken
    apart, and a very long query keeps its most telling words. `most_rows`
    bounds what the search has to score: from the rarest word on, words are
    taken until their rows come to so many, and at least two.
    Whatever is typed is text: only letters, marks and digits reach FTS5.
    """
    sound = _sound(query)
    everything = _asked(sound)
    spoken, small_words = _spoken(everything, languages)
    looked_in = list(dict.fromkeys(languages)) or [*spoken, ""]
    sure = len(spoken) == 1 and spoken[0] in looked_in and small_words >= _SURE
    compounding = [
        language
        for language in looked_in
        if language in COMPOUNDING and (not spoken or language in spoken)
    ]
    writer = _Writer(
        looked_in, spoken if sure else looked_in, compounding, frequency, stop_words(spoken)
    )
    terms = _telling(everything, stop_words(spoken))
    if len(terms) > MAX_QUERY_TERMS:
        # What stands nowhere tells nothing; unknown counts leave the order as it is.
        terms = sorted(terms, key=lambda asked: writer.rows(asked) or math.inf)
    asked_for = terms[:MAX_QUERY_TERMS]
    if most_rows is not None:
        asked_for = _rarest(asked_for, writer.rows, most_rows)
    phrases = list(dict.fromkeys(phrase for asked in asked_for for phrase in writer.phrases(asked)))
    for quoted in _QUOTED.findall(sound):
        phrases += writer.quoted("".join(quoted)) * _QUOTED_WEIGHT
    return phrases


class _Writer:
    """Writes the FTS5 phrases that find one word of a query."""

    def __init__(
        self,
        languages: Sequence[str],
        own: Sequence[str],
        compounding: Sequence[str],
        frequency: Callable[[str], int] | None,
        small: frozenset[str],
    ) -> None:
        self._languages = languages
        self._own = own
        self._compounding = compounding
        self._frequency = cache(frequency) if frequency else None
        self._small = small

    def phrases(self, asked: _Asked) -> list[str]:
        """Phrases that find what was asked: the whole first, then telling parts of it."""
        if asked.cut is None:
            # One character: any pair that begins with it.
            return [f'"{asked.text}" *' if len(asked.text) == 1 else f'"{asked.text}"']
        # In a library of several languages the words of a Spanish question are
        # Spanish, unless they are names: the English stem of "capital" is noise.
        languages = self._languages if asked.name else self._own
        pieces = asked.cut.pieces
        rows = [pieces, *asked.cut.others]
        if len(pieces) > 1:
            rows += _decimals(asked.text, pieces)
            rows += _periods(pieces)
            rows += [(piece,) for piece in pieces if _tells(piece, self._small)]
        found = dict.fromkeys(phrase for row in rows for phrase in _row(row, languages))
        if len(pieces) == 1 and pieces[0].is_word:
            found.update(dict.fromkeys(self._inside(pieces[0])))
        return list(found)

    def quoted(self, text: str) -> list[str]:
        """The phrases of a quotation: its words in a row."""
        found: dict[str, None] = {}
        for language in self._languages:
            known = written_terms(language)
            words = _spaced(text).split()
            row = " ".join(filter(None, (known[word] for word in words)))
            if row:
                # A last character may be followed by more in the text.
                goes_on = " *" if UNSPACED_RUN.fullmatch(words[-1]) else ""
                found[f'"{row}"{goes_on}'] = None
        return list(found)

    def rows(self, asked: _Asked) -> int:
        """How many rows of the index hold what was asked, by its rarest piece; 0 if unknown."""
        if self._frequency is None:
            return 0
        if asked.cut is None:
            return self._frequency(asked.text)
        return min(
            max(self._frequency(term(piece, language)) for language in self._languages)
            for piece in asked.cut.pieces
        )

    def _inside(self, piece: Piece) -> Iterator[str]:
        """Phrases that find compounds of a word, and the parts of one."""
        for language in self._compounding:
            yield from around(term(piece, language))
            if self._frequency is not None:
                stem_of = partial(_stem_of, language)
                parts = parts_of(piece.text, stem_of, self._frequency)
                yield from (f'"{part}"' for part in parts)


def _stem_of(language: str, word: str) -> str:
    return term(Piece(word, True), language)


def _row(pieces: Sequence[Piece], languages: Iterable[str]) -> list[str]:
    """Pieces in a row as a phrase, as each language has indexed them."""
    found: dict[str, None] = {}
    for language in languages:
        found[f'"{" ".join(term(piece, language) for piece in pieces)}"'] = None
        if len(pieces) == 1 and pieces[0].is_word:
            found.update(dict.fromkeys(_by_accents(pieces[0].text, language)))
    return list(found)


def _by_accents(word: str, language: str) -> Iterator[str]:
    """Phrases for a word that the text has without its accents, or the query."""
    without = typed(word, language)
    if fold(word) != word:
        yield f'"{without}"'
    else:
        yield f'"{for_typing(without)}"'


def _sound(query: str) -> str:
    # SQLite takes no lone surrogates, which stand for bytes of an argument
    # that are no UTF-8.
    return normalise(query.encode("utf-8", "replace").decode().replace("\0", " "))


def _spaced(text: str) -> str:
    """The text with its unspaced runs as pairs of characters."""
    if text.isascii():
        return text
    return UNSPACED_RUN.sub(lambda run: f" {' '.join(pairs(run.group()))} ", text)


def _asked(sound: str) -> list[_Asked]:
    """The distinct words of a query in order, small words included."""
    found: dict[str, _Asked] = {}
    for written in sound.split():
        for word in UNSPACED_RUN.sub(" ", written).split():
            pieces = cut(word)
            if pieces.pieces:
                text = word.casefold().strip("\"'.,;:!?()[]{}")
                name = not (word.islower() and text.isalpha())
                key = " ".join(piece.text for piece in pieces.pieces)
                found.setdefault(key, _Asked(text, name, pieces))
        for run in UNSPACED_RUN.findall(written):
            for part in QUESTION_WORDS.sub(" ", run).split() or [run]:
                for pair in pairs(part)[: max(1, len(part) - 1)]:
                    found.setdefault(pair, _Asked(pair, False, None))
    return list(found.values())


def _spoken(everything: Iterable[_Asked], among: Sequence[str] = ()) -> tuple[list[str], int]:
    """The languages that the query may be written in, and its small words in them."""
    words = (fold(p.text) for asked in everything if asked.cut for p in asked.cut.pieces)
    return languages_of(words, among)


def _telling(everything: list[_Asked], small: frozenset[str]) -> list[_Asked]:
    """The words that say what the query is about; all, if it has only small ones."""
    telling = [
        asked
        for asked in everything
        if asked.cut is None or any(fold(piece.text) not in small for piece in asked.cut.pieces)
    ]
    return telling or everything


def _rarest(terms: list[_Asked], rows_of: Callable[[_Asked], int], most_rows: int) -> list[_Asked]:
    """The rarest words, in the order of the query; their rows come to about `most_rows`."""
    rows = {asked: rows_of(asked) for asked in terms}
    if sum(rows.values()) <= most_rows:
        return terms
    kept, total = set[_Asked](), 0
    for asked in sorted(terms, key=rows.__getitem__):
        total += rows[asked]
        if total > most_rows and len(kept) >= _LEAST_WORDS:
            break
        kept.add(asked)
    return [asked for asked in terms if asked in kept]


def _tells(piece: Piece, small: frozenset[str]) -> bool:
    """Whether a piece of something longer is worth looking for alone."""
    return len(piece.text) >= 3 and fold(piece.text) not in small


def _decimals(text: str, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, ...]]:
    """The same decimal with one zero more or less: 12.5 and 12.50, 8,738.0 and 8,738."""
    if len(pieces) != 2 or any(piece.is_word for piece in pieces) or not re.search(r"[.,]", text):
        return
    whole, decimals = pieces
    shorter = decimals.text.rstrip("0")
    if shorter != decimals.text:
        yield (whole, Piece(shorter, False)) if shorter else (whole,)
    elif len(decimals.text) == 1:
        yield (whole, Piece(decimals.text + "0", False))


def _periods(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, ...]]:
    """FY2018 for FY18 and the reverse."""
    if len(pieces) != 2 or pieces[0].text not in ("fy", "cy") or pieces[1].is_word:
        return
    year = pieces[1].text
    if len(year) == 4:
        yield (pieces[0], Piece(year[2:], False))
    elif len(year) == 2:
        yield (pieces[0], Piece(("20" if int(year) < 70 else "19") + year, False))
