"""Office and book formats are ZIP packages of XML: opened within limits, parsed without entities.

A part is unpacked only when it is asked for, so pictures and films cost
nothing. `zipfile` never gives more bytes of a part than its entry states, so
what the entries state can be trusted as an upper bound.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from ingest.loaders.reading import damaged, opening, read_head, shown
from storage.errors import DocumentUnreadable

BOMB_BYTES = 50_000_000
BOMB_RATIO = 200
"""A part is taken for a bomb where it unpacks to more than this, and to so many times its size.

A sheet of 100,000 rows that all say the same came to 12 times, one of varied rows to 7.
"""

MOST_ENTRIES = 50_000

_OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_ENTRY = "EncryptedPackage".encode("utf-16-le")
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, NotImplementedError),
    *(AttributeError, IndexError, TypeError, OverflowError, RuntimeError),
)


def is_bomb(info: zipfile.ZipInfo) -> bool:
    """Whether an entry unpacks to far more than documents do."""
    return info.file_size > max(BOMB_BYTES, BOMB_RATIO * info.compress_size)


class Package:
    """A ZIP package that is open for reading; used in a `with` block."""

    def __init__(self, path: Path, what: str) -> None:
        """`what` says what the file should be: `Excel workbook`.

        Raises DocumentUnreadable: `damaged`, `encrypted`, `unsupported`, `too-large`, ...
        """
        self._path = path
        self._check_kind(what)
        with opening(path), reading(path, what):
            self.zip = zipfile.ZipFile(path)
        entries = self.zip.infolist()
        bomb = next((info for info in entries if is_bomb(info)), None)
        if bomb is not None or len(entries) > MOST_ENTRIES:
            self.zip.close()
            raise bomb_error(path, sum(info.file_size for info in entries), len(entries))
        self.names = frozenset(info.filename for info in entries)

    def __enter__(self) -> Package:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.zip.close()

    def read(self, name: str) -> bytes:
        """A part's content; raises KeyError where there is no such part."""
        return self.zip.read(name)

    def open(self, name: str) -> IO[bytes]:
        """A part's content as a stream; raises KeyError where there is no such part."""
        return self.zip.open(name)

    def tree(self, name: str) -> Any:
        """The root element of an XML part; raises KeyError where there is no such part."""
        return parse_xml(self.read(name))

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """(type, part) of each of an Office part's relations, by id; those that lead outside
        the package, or nowhere, are left out."""
        folder, name = posixpath.split(part)
        try:
            root = self.tree(f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels")
        except KeyError:
            return {}
        found = {}
        for relation in elements(root):
            target = resolved(part, relation.get("Target", ""))
            if relation.get("TargetMode") != "External" and target in self.names:
                kind = relation.get("Type", "").rsplit("/", 1)[-1]
                found[relation.get("Id", "")] = (kind, target)
        return found

    def _check_kind(self, what: str) -> None:
        head = read_head(self._path)
        if not head.startswith(_OLE_MARK):
            return
        with opening(self._path):
            content = self._path.read_bytes()
        if _ENCRYPTED_ENTRY in content:
            raise DocumentUnreadable(
                f"{shown(self._path)} is protected by a password; save a copy without one and "
                "put it there.",
                kind="encrypted",
            )
        raise DocumentUnreadable(
            f"{shown(self._path)} is no {what} but in an older format, although its name says "
            f"{self._path.suffix}; open it in an office program and save it as "
            f"{self._path.suffix}.",
            kind="unsupported",
        )


def bomb_error(path: Path, unpacked: int, entries: int) -> DocumentUnreadable:
    """The error for a package that would fill the memory or the disk."""
    parts = "one part" if entries == 1 else f"{entries:,} parts"
    return DocumentUnreadable(
        f"{shown(path)} would unpack to {unpacked / 1e6:,.0f} MB in {parts}, as bombs do and "
        "documents do not; put a good copy in its place.",
        kind="too-large",
    )


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turns what ZIP and XML parsers raise on a broken package into DocumentUnreadable."""
    from lxml import etree  # type: ignore[import-untyped]

    try:
        yield
    except RecursionError as exc:
        raise damaged(path, "nests its content too deeply to be read") from exc
    except (etree.LxmlError, *_FAULTS) as exc:
        if isinstance(exc, RuntimeError) and "encrypted" in str(exc):
            raise DocumentUnreadable(
                f"{shown(path)} is protected by a password; save a copy without one and put it "
                "there.",
                kind="encrypted",
            ) from exc
        raise damaged(path, f"is damaged or is no {what}") from exc


def parse_xml(content: bytes) -> Any:
    """The root element of XML; entities stay unresolved, nothing is fetched.

    libxml2 itself refuses documents nested deeper than 256 and texts above 10 MB.
    """
    from lxml import etree

    return etree.fromstring(content, parser=etree.XMLParser(**_safe()))


def stream_xml(stream: IO[bytes], *tags: str) -> Iterator[Any]:
    """The elements of these tags as they end, each forgotten when the next is asked for."""
    from lxml import etree

    for _, element in etree.iterparse(stream, events=("end",), tag=tags, **_safe()):
        yield element
        element.clear()
        # The root would keep the emptied elements.
        while element.getprevious() is not None:
            del element.getparent()[0]


def _safe() -> dict[str, bool]:
    return {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def elements(parent: Any) -> Iterator[Any]:
    """The child elements, without comments, processing instructions and entities."""
    return (child for child in parent if isinstance(child.tag, str))


def local(element: Any) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Any, name: str, default: str = "") -> str:
    """An attribute by its name without namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return default


def resolved(part: str, target: str) -> str:
    """The name of the part that a reference in another part leads to."""
    bare = unquote(urlsplit(target).path)
    if bare.startswith("/"):
        return posixpath.normpath(bare).lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), bare))


_CORE = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "language": "lang",
    "created": "created",
    "modified": "modified",
}


def core_properties(package: Package) -> dict[str, str]:
    """What an Office document states about itself; broken properties state nothing."""
    from lxml import etree

    from ingest.loaders.cleaning import one_line

    try:
        root = package.tree("docProps/core.xml")
    except (KeyError, etree.LxmlError):
        return {}
    found = {}
    for element in elements(root):
        name = _CORE.get(local(element))
        text = one_line("".join(element.itertext()))
        if name and text:
            found[name] = text
    return found
