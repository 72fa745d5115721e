"""Which languages an embedding model reads, as far as it says so.

A model embeds any text; whether the vector means something depends on what it
was trained with. The order of belief: the `language` of the model card in its
folder, well-known names, what its tokenizer covers, English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.index_identity import IndexIdentity

MANY = "many"
"""Stands first in the languages of a model that was trained with many."""

ENGLISH = ("en",)

# Parts of the names of well-known models whose cards name no languages.
_MANY_BY_NAME = (
    "multilingual",
    "bge-m3",
    "labse",
    "xlm",
    "qwen3",
    "gte-qwen",
    "jina-embeddings-v3",
    "jina-embeddings-v4",
    "embeddinggemma",
    "snowflake-arctic-embed-l-v2",
    "snowflake-arctic-embed-m-v2",
    "granite-embedding-107m-multi",
    "granite-embedding-278m-multi",
    "nomic-embed-text-v2",
)
_MANY_BY_CARD = frozenset({"multilingual", "mul", "multi"})
_MANY_FROM = 10
"""So many languages on a card mean a model for many, whether it says the word or not."""

_LONG_CODES = {
    "eng": "en",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "zho": "zh",
    "chi": "zh",
    "cmn": "zh",
    "jpn": "ja",
    "kor": "ko",
    "rus": "ru",
    "ara": "ar",
    "hin": "hi",
    "ita": "it",
    "por": "pt",
    "nld": "nl",
    "english": "en",
    "chinese": "zh",
    "german": "de",
}
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)

# One short sentence a script, with the most tokens a character that a vocabulary
# made for it needs. Measured: Qwen2's 151,646 tokens take 0.63, 0.33 and 0.34;
# all-MiniLM-L6-v2's 30,522 take 1.00 (three in eight unknown), 0.83 and 0.83.
_SCRIPTS = (
    ("合同将于明年三月到期，租金不变。", 0.95),
    ("Договор истекает в марте следующего года, плата не меняется.", 0.55),
    ("ينتهي العقد في شهر مارس من العام القادم والإيجار لا يتغير.", 0.70),
)


def languages_of(folder: Path, name: str, tokenizer: Any = None) -> tuple[str, ...]:
    """ISO 639-1 codes a model reads, led by MANY where it was trained with many.

    `tokenizer` is a `tokenizers.Tokenizer`, asked where card and name are silent.
    """
    return (
        card_languages(folder)
        or known_languages(name)
        or ((MANY,) if tokenizer is not None and covers_scripts(tokenizer) else ENGLISH)
    )


def languages_of_index(identity: IndexIdentity) -> tuple[str, ...]:
    """What the embedding model of an index reads, without loading it."""
    return tuple(identity.languages.split()) or known_languages(identity.embedder) or ENGLISH


def card_languages(folder: Path) -> tuple[str, ...]:
    """What the card (README.md) in a model's folder declares; () where it declares nothing."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    match = _FRONT_MATTER.match(text.lstrip("\ufeff"))
    if not match:
        return ()
    import yaml

    try:
        # The base loader keeps `no`, Norwegian, from becoming false.
        card = yaml.load(match[1], Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return ()
    declared = card.get("language") if isinstance(card, dict) else None
    if isinstance(declared, str):
        declared = [declared]
    if not isinstance(declared, list):
        return ()
    words = [str(word).strip().casefold() for word in declared]
    codes = dict.fromkeys(
        _LONG_CODES.get(word, re.split("[-_]", word)[0])
        for word in words
        if word and word not in _MANY_BY_CARD and word != "code"
    )
    many = len(codes) >= _MANY_FROM or any(word in _MANY_BY_CARD for word in words)
    return ((MANY,) if many else ()) + tuple(codes)


def known_languages(name: str) -> tuple[str, ...]:
    """What a model's name says of its languages; () where it says nothing."""
    folded = name.casefold()
    return (MANY,) if any(part in folded for part in _MANY_BY_NAME) else ()


def covers_scripts(tokenizer: Any) -> bool:
    """Whether a vocabulary has words, and not only letters, of scripts far from Latin."""
    for text, most in _SCRIPTS:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        unknown = sum("unk" in token.casefold() for token in encoding.tokens)
        if unknown or len(encoding.tokens) > most * len(text):
            return False
    return True


def reads_many(languages: Sequence[str]) -> bool:
    """Whether a model was trained with many languages, so that it also finds across them."""
    return MANY in languages


def reads(languages: Sequence[str], code: str) -> bool:
    """Whether a model reads a language (ISO 639-1; '' for one that is not known).

    A model for many languages that does not list them is taken to read each.
    """
    listed = [language for language in languages if language != MANY]
    if code and listed:
        return code in listed
    return MANY in languages or (not code and len(listed) > 1)
