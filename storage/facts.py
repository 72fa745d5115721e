"""What filters know about a document: its type, language, date and tags."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from storage.dates import local_date, stated_date
from storage.language import detect

STATED = "stated"
"""The document itself states its date."""
FROM_FILE = "file"
"""The date is the day on which the file was last changed."""

MOST_TAGS = 32
LONGEST_TAG = 64
"""Characters. Longer "keywords" are sentences, which nobody filters by."""

_ALIASES = {
    "markdown": "md",
    "htm": "html",
    "xhtml": "html",
    "text": "txt",
    "jpeg": "jpg",
    "tiff": "tif",
    "yml": "yaml",
    "ndjson": "jsonl",
}

# A letter or an instruction says when it was written; a PDF's or an office file's
# own dates come from the program that wrote the file. Of those, a PDF is made once
# and stamped or signed later, while an office file is copied from an older one and
# then changed: so there the change counts.
_DATES = ("date", "published", "created", "modified")
_OFFICE_DATES = ("date", "published", "modified", "created")
_OFFICE = frozenset(
    "docx docm dotx odt ott ods ots odp otp pptx pptm ppsx potx xlsx xlsm xltx rtf".split()
)
_EARLIEST_BY_PROGRAM = "1985"
"""Before there were such programs: clocks that count from 1601, 1899, 1904, 1970 or 1980."""
_PLACEHOLDERS = ("2013-12-23T23:15", "2013-01-27T09:1", "2000-01-01T00:00")
"""The dates in the templates that python-docx and python-pptx begin from, and the one that
ReportLab writes into PDFs that shall come out the same each time."""

_SEPARATORS = re.compile(r"[,;\n\r\t、，；|]")
_AROUND_TAGS = " \"'#[](){}<>.“”‘’"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document can be filtered by."""

    kind: str
    """File type: the ending of its name in lower case, `md` also for `.markdown`."""
    language: str
    """ISO 639-1 code; empty where that is not sure."""
    dated: str
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD`; empty where even the file has no date."""
    dated_by: str
    """`stated` or `file`."""
    tags: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    """Other names of what it is about, as its author wrote them."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it goes by besides its path and title."""
        return (*self.tags, *self.aliases)


def facts_of(path: str, mtime_ns: int, metadata: Mapping[str, str], texts: Iterable[str]) -> Facts:
    """The facts of a document from its file, what it states, and the texts of its pages."""
    kind = kind_of(path)
    dated = _own_date(kind, metadata)
    return Facts(
        kind=kind,
        language=detect("\n".join(texts)) or language_code(metadata.get("lang", "")),
        dated=dated or local_date(mtime_ns / 1e9),
        dated_by=STATED if dated else FROM_FILE,
        tags=tags_in(metadata.get("tags", ""), metadata.get("keywords", "")),
        aliases=tuple(
            alias
            for part in _SEPARATORS.split(metadata.get("aliases", ""))
            if (alias := " ".join(part.split()).strip(_AROUND_TAGS))
        )[:MOST_TAGS],
    )


def store_facts(connection: sqlite3.Connection, version_id: int, facts: Facts) -> None:
    """Note what filters know about a version."""
    connection.execute(
        "UPDATE versions SET kind = ?, language = ?, dated = ?, dated_by = ? WHERE id = ?",
        (facts.kind, facts.language, facts.dated, facts.dated_by, version_id),
    )
    connection.executemany(
        "INSERT INTO tags (tag, version_id) VALUES (?, ?)",
        [(tag, version_id) for tag in facts.tags],
    )


def kind_of(path: str) -> str:
    """The file type that a file name or an ending (`.PDF`, `pdf`) means."""
    name = PurePosixPath(path).name
    ending = name.rpartition(".")[2].strip().casefold()
    return _ALIASES.get(ending, ending)


def language_code(tag: str) -> str:
    """`de` for `de-AT` or `DE`; empty for what is no such code."""
    code = re.split(r"[-_]", tag.strip().casefold())[0]
    return code if re.fullmatch(r"[a-z]{2}", code) else ""


def tags_in(*stated: str) -> tuple[str, ...]:
    """The tags in lists that people wrote, separated by commas, semicolons or lines."""
    found = dict.fromkeys(
        tag for text in stated for part in _SEPARATORS.split(text) if (tag := tag_of(part))
    )
    return tuple(found)[:MOST_TAGS]


def tag_of(text: str) -> str:
    """A tag in the one form in which tags are compared; empty for what is none."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    tag = " ".join(folded.split()).strip(_AROUND_TAGS)
    return tag if len(tag) <= LONGEST_TAG else ""


def _own_date(kind: str, metadata: Mapping[str, str]) -> str:
    for name in _OFFICE_DATES if kind in _OFFICE else _DATES:
        stated = metadata.get(name, "")
        found = stated_date(stated)
        by_program = name in ("created", "modified")
        if by_program and (found < _EARLIEST_BY_PROGRAM or stated.startswith(_PLACEHOLDERS)):
            continue
        if found:
            return found
    return ""
