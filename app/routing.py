"""Which documents a question is about, by the names and periods it holds.

Among near-identical reports the passage that fits best by its words is often
another company's, or another year's. A question that names a document's
subject ("Best Buy's Q2 2024") says where to look: passages of documents that
go by that name gain a share of the score which grows with how telling the name
is. A name that half of the library shares tells nothing and changes nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from app.entities import Entity, entities
from app.fusion import Ranked, Weights, fuse, leader_kept, spread
from app.periods import Period, periods
from storage.catalog import Snapshot
from storage.folding import fold, normalise
from storage.lexical import index_text
from storage.names import acronym_term, period_terms, terms_in
from storage.records import version_of
from storage.stopwords import languages_of, stop_words

BONUS = 0.8
"""Of a fused score, which goes up to 1, for the documents that a question names beyond doubt.

From 0.4 to 1.2 the 12 reports' figures stay within one question of each other.
"""

_SURE = 0.5
"""From this reliability on, the documents that fit best are searched on their own as well."""

_MOST_VERSIONS = 2000
"""A name that more documents share is none."""

_PERIOD_WEIGHT = 0.8
"""Every report of a year has that year in its name; a company's name tells more."""

_PLAIN_WEIGHT = 0.4
"""Of a word that is not written as a name: "contract" in "contract.docx"."""

_OPENING_WEIGHT = 0.7
"""Of a capitalised word that opens the question."""

_BEGINNING_WEIGHT = 0.8
"""Of a name that only begins a document's: MGM for MGMRESORTS."""

_WORD = re.compile(r"[^\W_]+(?:[&][^\W_]+)?")


@dataclass(frozen=True, slots=True)
class Match:
    """A word of the question that documents go by."""

    text: str
    start: int
    end: int
    weight: float
    """How telling it is, from 0 to about log(documents)."""
    versions: frozenset[int]
    period: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where a question says to look."""

    shares: dict[int, float] = field(default_factory=dict)
    """How well a version's names fit, 1 for the best; absent for not at all."""
    reliability: float = 0.0
    """From 0 (no names) to 1 (names that only a document or two have)."""
    matches: tuple[Match, ...] = ()

    def bonus(self, version_id: int) -> float:
        """What a passage of that version gains."""
        return self.most_bonus * self.shares.get(version_id, 0.0)

    @property
    def most_bonus(self) -> float:
        """What a passage gains whose document fits the names best.

        By the square: a half sure name ("power" where power.md is a file) must
        not outweigh a passage that both arms put first.
        """
        return BONUS * self.reliability**2

    @property
    def best(self) -> list[int]:
        """The versions that fit the names best; empty where the names are not telling."""
        if self.reliability < _SURE:
            return []
        return [version for version, share in self.shares.items() if share > 0.99]

    def ranked(
        self,
        dense: Sequence[tuple[str, float]],
        lexical: Sequence[tuple[str, float]],
        weights: Weights,
        *,
        floor: float | None,
    ) -> list[Ranked]:
        """Both arms fused, with what the names add; documents that are compared take turns."""
        fused = fuse(
            dense,
            lexical,
            weights,
            floor=floor,
            bonus=lambda chunk_id: self.bonus(version_of(chunk_id)),
            most_bonus=self.most_bonus,
        )
        groups = self.groups()
        return leader_kept(spread(fused, partial(_group, groups)) if groups else fused)

    def groups(self) -> list[frozenset[int]]:
        """The documents of each name, where the question names several that are told apart."""
        found: list[frozenset[int]] = []
        for match in sorted(self.matches, key=lambda match: match.start):
            telling = not match.period and match.weight >= _SURE * self._highest()
            if telling and not any(match.versions & group for group in found):
                found.append(match.versions)
        return found if len(found) > 1 else []

    def _highest(self) -> float:
        return max((match.weight for match in self.matches), default=0.0)


def route(query: str, snapshot: Snapshot) -> Route:
    """The documents that go by the names and periods of a question."""
    documents, chunks = snapshot.size()
    if documents < 2:
        return Route()
    matches = [
        match
        for match in _matches(query, snapshot, documents, chunks)
        if match.versions and match.weight > 0
    ]
    matches = [match for match in matches if not _part_of_another(match, matches)]
    if not matches:
        return Route()
    sums: dict[int, float] = {}
    counted: set[str] = set()
    for match in matches:
        if match.text in counted:
            continue
        counted.add(match.text)
        for version in match.versions:
            sums[version] = sums.get(version, 0.0) + match.weight
    highest = max(sums.values())
    return Route(
        shares={version: total / highest for version, total in sums.items()},
        reliability=min(1.0, highest / math.log(documents + 1)),
        matches=tuple(matches),
    )


def _part_of_another(match: Match, matches: Sequence[Match]) -> bool:
    """Whether it only says again what a longer name says: "best" in "Best Buy"."""
    return any(
        other.start <= match.start
        and match.end <= other.end
        and other.end - other.start > match.end - match.start
        and match.versions >= other.versions
        and not match.period
        for other in matches
    )


def _matches(query: str, snapshot: Snapshot, documents: int, chunks: int) -> list[Match]:
    spans = periods(query)
    names = entities(query, spans=spans)
    words = list(_WORD.finditer(query))
    found: list[Match] = []
    plain = [fold(normalise(word[0]).casefold()) for word in words]
    small = stop_words(languages_of(plain)[0])
    for index, (word, folded) in enumerate(zip(words, plain, strict=True)):
        if folded in small or _inside(word.start(), spans) or folded.isdigit():
            continue
        certainty = _certainty(word, names)
        for text, end, weight in _readings(words, plain, index, certainty):
            versions, share = _versions(snapshot, text, certainty=certainty)
            telling = _telling(snapshot, folded, len(versions), documents, chunks)
            found.append(
                Match(text, word.start(), end, weight * share * telling, frozenset(versions))
            )
    for period in spans:
        for text in _period_terms(period):
            versions = snapshot.versions_named(text, _MOST_VERSIONS)
            weight = _PERIOD_WEIGHT * math.log(documents / len(versions)) if versions else 0.0
            found.append(
                Match(text, period.start, period.end, weight, frozenset(versions), period=True)
            )
    return found


def _readings(
    words: Sequence[re.Match[str]], plain: Sequence[str], index: int, certainty: float
) -> list[tuple[str, int, float]]:
    """(term, end, weight) of what a word may be in a name: itself, or one with the next word."""
    word = words[index]
    found = [(term, word.end(), certainty) for term in terms_in(word[0])] or [
        (plain[index], word.end(), certainty)
    ]
    if sum(letter.isupper() for letter in word[0]) > 1:
        found.append((acronym_term(word[0]), word.end(), certainty))
    if index + 1 < len(words) and words[index + 1].start() - word.end() == 1:
        glued = plain[index] + plain[index + 1]
        if glued.isalpha():
            found.append((glued, words[index + 1].end(), certainty))
    return found


def _versions(snapshot: Snapshot, term: str, *, certainty: float) -> tuple[list[int], float]:
    """Documents of that name, or else of one that begins with it; and how much that counts."""
    versions = snapshot.versions_named(term, _MOST_VERSIONS)
    if versions or certainty < 1.0 or len(term) < 3 or not term.isalpha():
        return (versions if len(versions) < _MOST_VERSIONS else []), 1.0
    versions = snapshot.versions_named(term, _MOST_VERSIONS, begins=True)
    return (versions if len(versions) < _MOST_VERSIONS else []), _BEGINNING_WEIGHT


def _telling(snapshot: Snapshot, folded: str, versions: int, documents: int, chunks: int) -> float:
    """How telling a name is: by how few documents go by it, and how few passages hold it."""
    if not versions or versions >= documents:
        return 0.0
    telling = math.log(documents / versions)
    terms = index_text(folded).split()
    rows = snapshot.frequency(terms[0]) if terms else 0
    return min(telling, math.log(chunks / rows)) if 0 < rows <= chunks else telling


def _certainty(word: re.Match[str], names: Sequence[Entity]) -> float:
    """1 for what is written as a name."""
    for name in names:
        if name.start <= word.start() < name.end:
            return 1.0 if name.sure else _OPENING_WEIGHT
    return _PLAIN_WEIGHT


def _period_terms(period: Period) -> list[str]:
    terms = [str(year) for year in period.years][:3]
    if period.unit in ("quarter", "half") and period.part:
        terms.append(f"{period.unit[0]}{period.part}")
    return terms or period_terms(period.text.casefold())


def _group(groups: Sequence[frozenset[int]], chunk_id: str) -> int | None:
    """Which of the named groups of documents a chunk is in."""
    version = version_of(chunk_id)
    return next((number for number, group in enumerate(groups) if version in group), None)


def _inside(position: int, spans: Sequence[Period]) -> bool:
    return any(span.start <= position < span.end for span in spans)
