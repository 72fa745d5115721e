"""Why a search found what it found: each arm's opinion of each hit, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.fusion import Ranked
from app.phrases import listed, ordinal
from app.routing import Match, Route
from storage.lexical import query_terms
from storage.records import Hit

if TYPE_CHECKING:
    from app.find import Findings


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one arm said of a passage."""

    rank: int | None
    """Among the arm's candidates, from 1; None where it is not one of them."""
    score: float | None
    """Cosine similarity or BM25."""
    share: float
    """From 0 (the arm's floor) to 1 (its best)."""
    added: float
    """What that came to in the passage's score."""

    def to_json(self) -> dict[str, object]:
        """The opinion as `--explain --json` prints it."""
        return {
            "rank": self.rank,
            "score": rounded(self.score),
            "share": rounded(self.share),
            "added": rounded(self.added),
        }


@dataclass(frozen=True, slots=True)
class Name:
    """A name or period in the question that documents go by."""

    text: str
    """As the question writes it."""
    versions: frozenset[int]
    weight: float
    """How telling it is, from 0 to about log(documents)."""
    period: bool

    def to_json(self) -> dict[str, object]:
        """The name as `--explain --json` prints it."""
        return {
            "text": self.text,
            "documents": len(self.versions),
            "weight": rounded(self.weight),
            "period": self.period,
        }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a passage stands where it does."""

    hit: Hit
    fused_rank: int
    """Before reranking."""
    fused_score: float
    meaning: Opinion
    words: Opinion
    named: float
    """What its document's name came to in the score."""
    names: tuple[str, ...]
    """The names in the question that its document goes by."""
    reranked: float | None
    """The reranker's score, where it read the passage."""
    copy_of: int | None = None
    """The rank of a better hit with the same text."""

    def to_json(self) -> dict[str, object]:
        """The reason as `--explain --json` prints it."""
        return {
            "rank": self.hit.rank,
            "document": self.hit.document,
            "page": self.hit.page,
            "chunk": self.hit.chunk_id,
            "score": rounded(self.hit.score),
            "fused": {"rank": self.fused_rank, "score": rounded(self.fused_score)},
            "dense": self.meaning.to_json(),
            "lexical": self.words.to_json(),
            "names": {"matched": list(self.names), "added": rounded(self.named)},
            "reranker": None
            if self.reranked is None
            else {"score": rounded(self.reranked), "from_rank": self.fused_rank},
            "copy_of": self.copy_of,
            "sentence": sentence(self),
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a search did, and why each hit stands where it does."""

    language: str
    """The question's, by code; '' where it has none or could not be told."""
    terms: tuple[str, ...]
    """The words that were looked for."""
    full: tuple[float, float, float]
    """What meaning, words and names come to in a score of 1."""
    names: tuple[Name, ...]
    in_turn: bool
    """The question names several documents, whose passages take turns."""
    near: int
    """Candidates by meaning."""
    worded: int
    """Candidates by words."""
    candidates: int
    """Different ones in all."""
    reranker: str
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, object]:
        """The explanation as `--explain --json` prints it."""
        meaning, words, names = self.full
        return {
            "language": self.language,
            "words": list(self.terms),
            "full_score": {
                "dense": rounded(meaning),
                "lexical": rounded(words),
                "names": rounded(names),
            },
            "names": [name.to_json() for name in self.names],
            "in_turn": self.in_turn,
            "candidates": {
                "dense": self.near,
                "lexical": self.worded,
                "all": self.candidates,
            },
            "reranker": self.reranker or None,
            "hits": [reason.to_json() for reason in self.reasons],
        }


def explained(
    found: Findings, hits: Sequence[Hit], *, reranker: str = "", reranked: int = 0
) -> Explanation:
    """Why the hits, in their final order, came out of what was found.

    `reranker` is the name of the one that ordered the first `reranked` of them anew.
    """
    fused = {item.chunk_id: (rank, item) for rank, item in enumerate(found.ranked, start=1)}
    first: dict[str, int] = {}
    for hit in hits:
        first.setdefault(_folded(hit.text), hit.rank)
    names = names_in(found.query, found.route)
    return Explanation(
        language=found.language,
        terms=tuple(query_terms(found.query)),
        full=full_score(found),
        names=names,
        in_turn=bool(found.route.groups()),
        near=len(found.dense),
        worded=len(found.lexical),
        candidates=len(found.ranked),
        reranker=reranker,
        reasons=tuple(
            replace(
                _reason(found, hit, *fused[hit.chunk_id], names, reranked),
                copy_of=rank if (rank := first[_folded(hit.text)]) < hit.rank else None,
            )
            for hit in hits
        ),
    )


def full_score(found: Findings) -> tuple[float, float, float]:
    """What meaning, words and names come to in a score of 1."""
    most_bonus = found.route.most_bonus
    scale = 1.0 / (1.0 + most_bonus)
    return found.weights.dense * scale, found.weights.lexical * scale, most_bonus * scale


def names_in(query: str, route: Route) -> tuple[Name, ...]:
    """The names that routed a question, as it writes them, in its order.

    Readings of the same words ("Best", "Best Buy", "Buy") are one name, with
    the documents of the most telling reading.
    """
    found: list[Name] = []
    for start, end, matches in _spans(route.matches):
        best = max(matches, key=lambda match: match.weight)
        found.append(Name(query[start:end], best.versions, best.weight, best.period))
    return tuple(found)


def sentence(reason: Reason) -> str:
    """Why a passage stands where it does, in plain words."""
    meaning, words = reason.meaning.rank, reason.words.rank
    if meaning and words:
        first = f"{ordinal(meaning)} in meaning and {ordinal(words)} by its words."
    elif meaning:
        first = f"{ordinal(meaning)} in meaning; by its words it is no candidate."
    else:
        first = f"{ordinal(words or 0)} by its words; in meaning it is no candidate."
    parts = [first]
    if reason.names and reason.named > 0:
        parts.append(f"Its document goes by {listed(reason.names)}, which the question names.")
    if reason.reranked is not None:
        stayed = reason.fused_rank == reason.hit.rank
        before = f"Before the reranker it stood {ordinal(reason.fused_rank)}."
        parts.append("The reranker left it there." if stayed else before)
    if reason.copy_of is not None:
        parts.append(f"It is the same text as the {ordinal(reason.copy_of)}.")
    return " ".join(parts)


def _reason(
    found: Findings, hit: Hit, rank: int, item: Ranked, names: Sequence[Name], reranked: int
) -> Reason:
    meaning, words, _ = full_score(found)
    own = tuple(name.text for name in names if hit.version_id in name.versions)
    return Reason(
        hit=hit,
        fused_rank=rank,
        fused_score=item.score,
        meaning=Opinion(
            item.dense_rank,
            item.dense_score,
            item.dense_share,
            meaning * item.dense_share,
        ),
        words=Opinion(
            item.lexical_rank,
            item.lexical_score,
            item.lexical_share,
            words * item.lexical_share,
        ),
        named=item.bonus / (1.0 + found.route.most_bonus),
        names=own,
        # Such a hit carries the reranker's score instead of the fused one.
        reranked=hit.score if rank <= reranked else None,
    )


def _spans(matches: Iterable[Match]) -> list[tuple[int, int, list[Match]]]:
    """Matches in the order of the question, those that overlap together."""
    found: list[tuple[int, int, list[Match]]] = []
    for match in sorted(matches, key=lambda match: (match.start, -match.end)):
        if found and match.start < found[-1][1]:
            start, end, inside = found[-1]
            found[-1] = (start, max(end, match.end), [*inside, match])
        else:
            found.append((match.start, match.end, [match]))
    return found


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def rounded(number: float | None) -> float | None:
    """Six digits after the point, as scores are printed everywhere."""
    return None if number is None else round(number, 6)
