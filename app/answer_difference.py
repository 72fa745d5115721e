"""Two answers to one question, compared word by word; and the sources they cite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from app.saved_answers import Source

Kind = Literal["same", "removed", "added"]

_MOST_WORDS = 3000
"""Longer answers are compared line by line first: words cost the product of both lengths."""
# A mark of a source is one word. Scripts without spaces are compared character by character.
_WORD = re.compile(
    r"\[\d+(?:\s*,\s*\d+)*\]|[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
    r"|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:[.,'’-]\w+)*|\s+|.",
    re.DOTALL,
)
_MARK = re.compile(r"\[\d+(?:\s*,\s*\d+)*\]")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that both answers have, that only the old one has, or only the new one."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class SourceChanges:
    """The places that two answers cite."""

    removed: tuple[Source, ...]
    added: tuple[Source, ...]
    kept: tuple[Source, ...]


def compare(old: str, new: str) -> list[Piece]:
    """The old answer turned into the new one.

    The pieces without the added ones are the old answer, without the removed ones the new one.
    """
    ours, theirs = _WORD.findall(old), _WORD.findall(new)
    if max(len(ours), len(theirs)) > _MOST_WORDS:
        ours, theirs = old.splitlines(keepends=True), new.splitlines(keepends=True)
    return _joined(_pieces(ours, theirs))


def changed(pieces: Iterable[Piece]) -> bool:
    """Whether more differs than numbers of sources and white space."""
    return any(_MARK.sub("", piece.text).strip() for piece in pieces if piece.kind != "same")


def compare_sources(old: Sequence[Source], new: Sequence[Source]) -> SourceChanges:
    """Which places are cited no longer, which ones newly, which ones by both; each once."""
    before, after = _by_place(old), _by_place(new)
    return SourceChanges(
        removed=tuple(one for place, one in before.items() if place not in after),
        added=tuple(one for place, one in after.items() if place not in before),
        kept=tuple(one for place, one in after.items() if place in before),
    )


def _by_place(sources: Sequence[Source]) -> dict[tuple[str, int], Source]:
    found: dict[tuple[str, int], Source] = {}
    for source in sources:
        found.setdefault((source.document, source.page), source)
    return found


def _pieces(ours: Sequence[str], theirs: Sequence[str]) -> Iterable[Piece]:
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(ours[a:b]))
            continue
        if b > a:
            yield Piece("removed", "".join(ours[a:b]))
        if d > c:
            yield Piece("added", "".join(theirs[c:d]))


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces with runs of changes put together: a blank between two changes is no anchor."""
    joined: list[Piece] = []
    removed, added = "", ""

    def close() -> None:
        nonlocal removed, added
        for kind, text in (("removed", removed), ("added", added)):
            if text:
                joined.append(Piece(kind, text))  # type: ignore[arg-type]
        removed, added = "", ""

    found = list(pieces)
    for number, piece in enumerate(found):
        if piece.kind == "removed":
            removed += piece.text
        elif piece.kind == "added":
            added += piece.text
        elif (
            (removed or added)
            and not piece.text.strip()
            and "\n" not in piece.text
            and number + 1 < len(found)
        ):
            removed += piece.text
            added += piece.text
        else:
            close()
            joined.append(piece)
    close()
    return joined
