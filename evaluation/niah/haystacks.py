"""What needles are hidden in: the user's own library, a file or folder, or generated prose.

A haystack is a row of paragraphs in an order that does not depend on the disk.
Lines that were wrapped are joined, paragraphs too long to count quickly are cut
between two sentences, and control tokens of chat templates are made harmless.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from app.prompt_text import harmless
from app.sentences import sentences
from evaluation.niah.needle_texts import LANGUAGES
from evaluation.niah.prose import paragraphs as generated
from storage.errors import UsageError

if TYPE_CHECKING:
    from storage.library import Library

GENERATED = "generated"
LIBRARY = "library"

_SUFFIXES = (".txt", ".text", ".md", ".rst")
_LONGEST = 1600
"""Characters of a paragraph: what is counted anew where a needle is put in."""
_SHORTEST = 40
"""Shorter ones (headings, page numbers, single cells) are no prose and are left out."""
_MOST_CHARACTERS = 8_000_000
"""Of one haystack, some 2 million tokens: sixteen times the longest prompt. A run keeps a copy."""
_LEAST_SHARE = 0.6
"""Of a paragraph's signs must be letters: tables of figures are no place for a sentence."""

_MOST_BYTES = 4 * _MOST_CHARACTERS
"""Of one file that are read: no character has more than four."""

_BREAK = re.compile(r"\n[ \t]*\n\s*")
_CJK = r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
_WRAP_CJK = re.compile(rf"(?<={_CJK})\s*\n\s*(?={_CJK})")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Haystack:
    """The paragraphs to hide needles between."""

    id: str
    """`library`, `generated`, or the file's or folder's name."""
    language: str
    """Of the needles and the rules: one of `LANGUAGES`."""
    paragraphs: tuple[str, ...]
    note: str = ""
    """What people should know of it: cut, or filled up."""
    own: int = 0
    """So many of the first paragraphs are the text itself, the rest fills up; 0: all are."""

    @property
    def starts(self) -> int:
        """Paragraphs that a prompt may begin with: what fills up comes behind the text."""
        return self.own or len(self.paragraphs)

    @property
    def characters(self) -> int:
        """Of all paragraphs."""
        return sum(map(len, self.paragraphs))

    @property
    def sha256(self) -> str:
        """Of the paragraphs, in their order."""
        digest = hashlib.sha256(self.language.encode())
        for paragraph in self.paragraphs:
            digest.update(paragraph.encode("utf-8", "replace") + b"\0")
        return digest.hexdigest()


def generated_haystack(language: str, seed: int, *, characters: int) -> Haystack:
    """Prose from a seed, at least so many characters of it."""
    made, length = [], 0
    for paragraph in generated(language, seed):
        made.append(paragraph)
        length += len(paragraph)
        if length >= characters:
            break
    return Haystack(GENERATED, language, tuple(made))


def haystack_of_path(path: Path, language: str) -> Haystack:
    """A text file, or all text files of a folder, in the order of their paths.

    With the language `auto` it is recognised. Raises UsageError where there
    is no text.
    """
    path = path.expanduser()
    if path.is_dir():
        files = sorted(
            (
                file
                for file in path.rglob("*")
                if file.suffix.lower() in _SUFFIXES and file.is_file()
            ),
            key=lambda file: file.relative_to(path).as_posix(),
        )
        if not files:
            raise UsageError(
                f"The haystack {path} holds no text file ({', '.join(_SUFFIXES)}). Name a folder "
                "of text files, or ingest other formats and use the library."
            )
    else:
        files = [path]
    texts = (_text(file) for file in files)
    found, note = _gathered(texts)
    if not found:
        raise UsageError(f"The haystack {path} holds no paragraph of prose. Name another text.")
    return Haystack(path.name or str(path), _language(language, found), found, note)


def haystack_of_library(library: Library, language: str) -> Haystack | None:
    """The documents of a library, in the order of their paths; None where it holds no prose.

    With the language `auto` the one that most of its text is in decides, of
    those that needles are written in; documents in others are left out. A
    library in none of them is taken whole, with needles in English.
    """
    documents = sorted(library.catalog.documents(), key=lambda one: (one.document, one.source_root))
    sizes: Counter[str] = Counter()
    for one in documents:
        sizes[one.language] += one.characters
    known = [name for name, _ in sizes.most_common() if name in LANGUAGES]
    chosen = language if language in LANGUAGES else (known[0] if known else "")
    taken = [one for one in documents if one.language == chosen] if chosen else documents
    pages = (
        page.text for one in taken for page in library.catalog.pages(one.document_id) if page.text
    )
    found, note = _gathered(pages)
    if not found:
        return None
    return Haystack(LIBRARY, chosen or "en", found, note)


def filled(haystack: Haystack, seed: int, *, characters: int) -> Haystack:
    """The haystack, with generated prose behind it where it is shorter than so many characters."""
    missing = characters - haystack.characters
    if missing <= 0:
        return haystack
    more = generated_haystack(haystack.language, seed, characters=missing)
    share = haystack.characters / characters
    return replace(
        haystack,
        paragraphs=(*haystack.paragraphs, *more.paragraphs),
        own=len(haystack.paragraphs),
        note=" ".join(
            filter(
                None,
                [
                    haystack.note,
                    f"It is too short for the longest prompts: {share:.0%} of what they need is "
                    "its own text, the rest is generated prose.",
                ],
            )
        ),
    )


def split_paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a text that are prose."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for block in _BREAK.split(text):
        joined = _SPACE.sub(" ", _WRAP_CJK.sub("", block)).strip()
        if len(joined) < _SHORTEST or not _is_prose(joined):
            continue
        yield from _cut(harmless(joined))


def _cut(paragraph: str) -> Iterator[str]:
    """Pieces of at most `_LONGEST` characters; longer only where one sentence is."""
    if len(paragraph) <= _LONGEST:
        yield paragraph
        return
    start = 0
    end = 0
    for span in sentences(paragraph):
        if end > start and span.end - start > _LONGEST:
            yield paragraph[start:end].strip()
            start = span.start
        end = span.end
        while end - start > _LONGEST:
            # One sentence without end: between two words, or anywhere where there are none.
            at = paragraph.rfind(" ", start + _LONGEST // 2, start + _LONGEST)
            at = at if at > 0 else start + _LONGEST
            yield paragraph[start:at].strip()
            start = at
    rest = paragraph[start:].strip()
    if rest:
        yield rest


def _is_prose(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    signs = sum(not character.isspace() for character in text)
    return letters >= _LEAST_SHARE * signs


def _gathered(texts: Iterable[str]) -> tuple[tuple[str, ...], str]:
    found: list[str] = []
    length = 0
    for text in texts:
        for paragraph in split_paragraphs(text):
            found.append(paragraph)
            length += len(paragraph)
        if length > _MOST_CHARACTERS:
            return tuple(found), f"Only its first {length:,} characters are used."
    return tuple(found), ""


def _language(asked: str, found: Sequence[str]) -> str:
    if asked in LANGUAGES:
        return asked
    from storage.language import detect

    guessed = detect("\n".join(islice(found, 0, None, max(1, len(found) // 20))))
    return guessed if guessed in LANGUAGES else "en"


def _text(file: Path) -> str:
    """A file's text, as much of it as a haystack takes. Devices and pipes have no end."""
    if file.exists() and not file.is_file():
        raise UsageError(f"The haystack {file} is no file and no folder. Name another text.")
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise UsageError(
            f"The haystack {file} cannot be read: {exc.strerror or exc}. Correct `haystack` in "
            "the configuration."
        ) from exc
    if len(raw) > _MOST_BYTES:
        # At the end of a line: a character may be cut in two.
        raw = raw[: raw.rfind(b"\n", 0, _MOST_BYTES) + 1] or raw[:_MOST_BYTES]
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageError(
            f"The haystack {file} is not UTF-8 text. Save it as UTF-8, or ingest it and use the "
            "library."
        ) from exc
