"""Explanations as text, for people who know neither cosine nor BM25."""

from __future__ import annotations

from app.explain import Explanation, Opinion, sentence
from app.language_names import language_name
from app.phrases import listed, ordinal, where
from app.standing import Place, Ranks, Standing

_WORDS_SHOWN = 12


def explanation_lines(explanation: Explanation) -> list[str]:
    """The explanation as text: what the search did, then two lines a hit."""
    return [*_head(explanation), "", *_table(explanation)]


def _head(explanation: Explanation) -> list[str]:
    meaning, words, names = explanation.full
    rows = []
    if explanation.language:
        leads = ", which the embedding model does not read" if words > meaning else ""
        rows.append(("Language", f"{language_name(explanation.language)}{leads}"))
    if explanation.names:
        texts = [
            f"{name.text} ({len(name.versions):,} document{'' if len(name.versions) == 1 else 's'})"
            for name in explanation.names
        ]
        turns = "; their passages take turns" if explanation.in_turn else ""
        rows.append(("Names", "; ".join(texts) + turns))
    rows.append(("Words", ", ".join(explanation.terms) or "none that could be looked for"))
    rows.append(
        (
            "Full score",
            f"{meaning:.2f} for meaning + {words:.2f} for words"
            + (f" + {names:.2f} for the names" if names else "")
            + " = 1",
        )
    )
    rows.append(
        (
            "Candidates",
            f"{explanation.near:,} by meaning, {explanation.worded:,} by words; "
            f"{explanation.candidates:,} in all",
        )
    )
    if explanation.reranker:
        rows.append(("Reranker", explanation.reranker))
    return [f"{name:<11} {value}" for name, value in rows]


def _table(explanation: Explanation) -> list[str]:
    if not explanation.reasons:
        return []
    named = explanation.full[2] > 0
    head = f"{'#':>3}  score  {'meaning':<20}  {'words':<20}{'  names' if named else ''}"
    found = [head.rstrip()]
    for reason in explanation.reasons:
        score = reason.fused_score
        row = (
            f"{reason.hit.rank:>3}  {score:.3f}  {_cell(reason.meaning, 'cosine', 3):<20}  "
            f"{_cell(reason.words, 'BM25', 1):<20}"
        )
        if named:
            row += f"  {reason.named:5.3f}"
        if reason.reranked is not None:
            row += f"  reranker {reason.reranked:.3f}"
        found += [
            f"{row.rstrip()}  {where(reason.hit)}",
            f"     {sentence(reason)}",
        ]
    return found


def _cell(opinion: Opinion, scale: str, digits: int) -> str:
    if opinion.rank is None or opinion.score is None:
        return f"{opinion.added:.3f} (–)"
    return f"{opinion.added:.3f} ({scale} {opinion.score:.{digits}f})"


def standing_lines(standing: Standing) -> list[str]:
    """The standing as text."""
    name = f"{standing.document}, {standing.place}" if standing.place else standing.document
    found = [f"{name}: {standing.sentence}"]
    if standing.ranks:
        found += ["", *_rank_lines(standing.ranks)]
    if standing.causes:
        found += ["", *(f"- {cause.sentence}" for cause in standing.causes)]
    if standing.without_filters:
        found += ["", f"Without the filters: {standing.without_filters.sentence}"]
    if standing.notes:
        found += ["", *standing.notes]
    return found


def _rank_lines(ranks: Ranks) -> list[str]:
    rows = [("In meaning", _place(ranks.dense, "cosine", 3) if ranks.dense else "no vector")]
    by_words = (
        f"{_place(ranks.lexical, 'BM25', 1)} that hold any of them"
        if ranks.lexical
        else "it holds none of them"
    )
    rows.append(("By words", by_words))
    if ranks.words_there:
        rows.append(("", f"holds {_some(ranks.words_there)}"))
    if ranks.words_missing:
        rows.append(("", f"lacks {_some(ranks.words_missing)}"))
    if ranks.fused is not None:
        both = f"{ordinal(ranks.fused)} of {ranks.candidates:,} candidates"
    else:
        about = "" if ranks.exact else "about "
        both = (
            f"none of the {ranks.candidates:,} candidates; read to the end, "
            f"{about}{ordinal(ranks.fused_deep)}"
        )
    rows.append(("Together", both))
    return [f"  {name:<11} {value}" for name, value in rows]


def _place(place: Place, scale: str, digits: int) -> str:
    about = "" if place.exact else "about "
    return (
        f"{about}{ordinal(place.rank)} of {place.of:,} passages ({scale} {place.score:.{digits}f})"
    )


def _some(words: tuple[str, ...]) -> str:
    more = len(words) - _WORDS_SHOWN
    return listed((*words[:_WORDS_SHOWN], f"{more:,} more")) if more > 0 else listed(words)
