"""LlamaIndex readers as loaders.

To read a format that some LlamaIndex reader knows, add a module to this folder:

    SUFFIXES = (".epub",)
    LOADER_VERSION = "epub-1"
    load = from_llama_index(lambda: EpubReader(), name="EpubReader")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.reading import damaged, read_head, without_text
from ingest.loaders.sections import Block, sections
from storage.errors import HayloftError
from storage.records import Page, ParsedDocument

_PAGE_KEYS = ("page_label", "page", "page_number")
_TITLE_KEYS = ("title", "Title")


class ReaderDocument(Protocol):
    """What is used of a LlamaIndex `Document`."""

    @property
    def metadata(self) -> Mapping[str, Any]: ...

    def get_content(self) -> str: ...


class Reader(Protocol):
    """What is used of a LlamaIndex `BaseReader`: all file readers take the path first."""

    def load_data(self, path: Path, /) -> Sequence[ReaderDocument]: ...


def from_llama_index(
    reader_factory: Callable[[], Any], *, name: str = ""
) -> Callable[[Path], ParsedDocument]:
    """A `load` function out of a LlamaIndex reader.

    The factory is called once a file, inside the parsing process, so that an
    expensive import can wait until then. Where each Document of the reader
    names its page (`page_label`), each becomes that page; otherwise each
    becomes a section.
    """

    def load(path: Path) -> ParsedDocument:
        read_head(path)
        reader: Reader = reader_factory()
        reader_name = name or type(reader).__name__
        try:
            documents = list(reader.load_data(path))
        except (HayloftError, MemoryError):
            raise
        except Exception as exc:  # a reader of others may raise anything
            raise damaged(
                path, f"could not be read by {reader_name} ({type(exc).__name__})"
            ) from exc
        labels = [_first(document.metadata, _PAGE_KEYS) for document in documents]
        paged = bool(labels) and all(labels)
        if paged:
            pages = tuple(
                Page(number=number, text=clean(document.get_content()), label=label)
                for number, (document, label) in enumerate(
                    zip(documents, labels, strict=True), start=1
                )
            )
        else:
            pages = sections(Block(document.get_content()) for document in documents)
        if not any(page.text for page in pages):
            raise without_text(path)
        stated = next((_first(document.metadata, _TITLE_KEYS) for document in documents), "")
        return ParsedDocument(
            title=title_or_name(stated, path.stem), pages=pages, paged=paged, parser=reader_name
        )

    return load


def _first(metadata: Mapping[str, Any], keys: Sequence[str]) -> str:
    values = (metadata.get(key) for key in keys)
    return next((one_line(str(value)) for value in values if value not in (None, "")), "")
