"""What a search knows of a question by its words alone, without its vector.

Names, periods, the word arm and the passages it found: SQLite answers all of
it while the embedding model is at work on the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.routing import Route, route
from storage.catalog import Passage, Snapshot
from storage.lexical import query_language
from storage.scoping import Within
from storage.stopwords import is_known

_MOST_NAMED = 50
"""Documents of one name that are searched on their own where the candidates hold too few."""

_SAMPLE = 10
"""Passages whose language is taken for that of a query which has no small words."""


@dataclass(frozen=True, slots=True)
class WordSearch:
    """The word arm's candidates, and where the question's names say to look."""

    route: Route
    lexical: list[tuple[str, float]]
    """(chunk id, BM25), best first."""
    passages: dict[str, Passage]
    """Of the candidates, those of `lexical_named` too."""
    language: str
    """The query's, or of the passages with its words where it has none of its own; or ''."""
    named: Within | None
    """The documents that the question names beyond doubt, where they are few."""
    lexical_named: list[tuple[str, float]]
    """The word arm's candidates within them."""


def search_words(snapshot: Snapshot, query: str, depth: int, within: Within | None) -> WordSearch:
    """Both word searches, `depth` candidates each, in one state of the library."""
    routed = route(query, snapshot)
    lexical = snapshot.lexical(query, depth, within)
    named = _named(snapshot, routed, within)
    lexical_named = snapshot.lexical(query, depth, named) if named is not None else []
    passages = snapshot.passages(dict([*lexical, *lexical_named]))
    sample = [passages[chunk_id] for chunk_id, _ in lexical[:_SAMPLE]]
    return WordSearch(
        route=routed,
        lexical=lexical,
        passages=passages,
        language=query_language(query, snapshot.languages()) or _language_of(sample),
        named=named,
        lexical_named=lexical_named,
    )


def _named(snapshot: Snapshot, routed: Route, within: Within | None) -> Within | None:
    best = routed.best
    return snapshot.within_versions(best, within) if 0 < len(best) <= _MOST_NAMED else None


def _language_of(passages: Sequence[Passage]) -> str:
    """The language that most passages with the query's words are in.

    "Umsatz 2018" has no small word to tell it by; where its words stand does.
    Tables and codes are now and then taken for a rare language: those do not count.
    """
    counted = Counter(passage.language for passage in passages if is_known(passage.language))
    language, count = counted.most_common(1)[0] if counted else ("", 0)
    return language if count > len(passages) / 2 else ""
