"""ODT, ODS and ODP: the texts, sheets and slides of OpenDocument, and their templates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest.loaders.cleaning import one_line, title_or_name
from ingest.loaders.odf_pages import sheets, slides
from ingest.loaders.odf_reader import Reader
from ingest.loaders.packages import Package, elements, local, reading
from ingest.loaders.reading import damaged, without_text
from ingest.loaders.sections import sections
from storage.records import Page, ParsedDocument

SUFFIXES = (".odt", ".ott", ".ods", ".ots", ".odp", ".otp")
LOADER_VERSION = "odf-3"

_WHAT = "OpenDocument file"
_METADATA = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "subject": "subject",
    "keyword": "keywords",
    "language": "lang",
    "creation-date": "created",
    "date": "modified",
}


def load(path: Path) -> ParsedDocument:
    """Reads an OpenDocument file; raises DocumentUnreadable (`encrypted`, `damaged`, ...)."""
    with Package(path, _WHAT) as package, reading(path, _WHAT):
        _check_encryption(package)
        root = package.tree("content.xml")
        body = root.find("{*}body")
        if body is None:
            raise damaged(path, f"is damaged or is no {_WHAT}")
        stated = _stated(package)
        reader = Reader(path, package, root)
        pages: tuple[Page, ...] = ()
        for content in elements(body):
            kind = local(content)
            if kind == "spreadsheet":
                pages = tuple(sheets(reader, content))
            elif kind in ("presentation", "drawing"):
                pages = tuple(slides(reader, content))
            else:
                pages = sections(reader.text(content))
    if not pages:
        raise without_text(path)
    heading = pages[0].heading.partition(" › ")[0] if kind == "text" else ""
    return ParsedDocument(
        title=title_or_name(stated.pop("title", "") or heading, path.stem),
        pages=pages,
        paged=False,
        parser=LOADER_VERSION,
        metadata=stated,
        warnings=tuple(_warnings(reader, kind)),
    )


def _check_encryption(package: Package) -> None:
    if "META-INF/manifest.xml" in package.names:
        manifest = package.tree("META-INF/manifest.xml")
        if any(True for _ in manifest.iter("{*}encryption-data")):
            raise RuntimeError("encrypted")


def _stated(package: Package) -> dict[str, str]:
    from lxml import etree  # type: ignore[import-untyped]

    try:
        root = package.tree("meta.xml")
    except (KeyError, etree.LxmlError):
        return {}
    found: dict[str, str] = {}
    for element in root.iter():
        name = _METADATA.get(local(element)) if isinstance(element.tag, str) else None
        text = one_line("".join(element.itertext())) if name else ""
        if name == "keywords" and text and "keywords" in found:
            found[name] += f", {text}"
        elif name and text:
            found.setdefault(name, text)
    return found


def _warnings(reader: Reader, kind: str) -> Iterator[str]:
    """What was not read, or is not seen at once."""
    if reader.folded:
        told = ", ".join(reader.folded[:10])
        yield f"Hidden rows and columns are read, and marked as such: {told}."
    if reader.hidden:
        what = (
            "sheets were not read"
            if kind == "spreadsheet"
            else "slides are read, and marked as such"
        )
        yield f"Hidden {what}: {', '.join(reader.hidden[:10])}."
