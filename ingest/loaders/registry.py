"""The one list of formats Hayloft reads.

A format is one module in this folder (its suffixes, its version, its `load`)
and one line in `_MODULES`. The modules import the libraries they read with
only when a file is loaded, so the list itself costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest.loaders import (
    archive,
    code,
    delimited,
    docx,
    epub,
    html,
    json_values,
    mail,
    markdown,
    msg,
    odf,
    pdf,
    pptx,
    rtf,
    text,
    xlsx,
)
from storage.errors import DocumentUnreadable
from storage.records import ParsedDocument


class LoaderModule(Protocol):
    """What a module of this folder offers."""

    @property
    def SUFFIXES(self) -> tuple[str, ...]:
        """File name endings it reads, in lower case with their dot."""
        ...

    @property
    def LOADER_VERSION(self) -> str:
        """Changes whenever the same file would give another text than before."""
        ...

    def load(self, path: Path) -> ParsedDocument:
        """Reads one file; raises DocumentUnreadable with its kind."""
        ...


@dataclass(frozen=True, slots=True)
class Loader:
    """One format: which files it reads, with what."""

    suffixes: tuple[str, ...]
    version: str
    load: Callable[[Path], ParsedDocument]


_MODULES: tuple[LoaderModule, ...] = (
    pdf,
    markdown,
    html,
    docx,
    pptx,
    xlsx,
    delimited,
    odf,
    rtf,
    epub,
    mail,
    msg,
    json_values,
    archive,
    code,
    text,
)

LOADERS: tuple[Loader, ...] = tuple(
    Loader(module.SUFFIXES, module.LOADER_VERSION, module.load) for module in _MODULES
)
_BY_SUFFIX = {suffix: loader for loader in LOADERS for suffix in loader.suffixes}

SUFFIXES: frozenset[str] = frozenset(_BY_SUFFIX)
"""Every file name ending that can be read, in lower case with its dot."""

CONTAINERS: frozenset[str] = frozenset(
    suffix
    for module in _MODULES
    if getattr(module, "IS_CONTAINER", False)
    for suffix in module.SUFFIXES
)
"""Endings of files that hold other files: their modules say `IS_CONTAINER = True`."""

EMPTY_IS_NORMAL: frozenset[str] = frozenset(
    suffix
    for module in _MODULES
    if getattr(module, "EMPTY_IS_NORMAL", False)
    for suffix in module.SUFFIXES
)
"""Endings of files that may well be empty: their modules say `EMPTY_IS_NORMAL = True`."""


def loader_for(suffix: str) -> Loader:
    """The loader of a file name ending (`.pdf`, in any case).

    Raises DocumentUnreadable (`unsupported`) where there is none.
    """
    try:
        return _BY_SUFFIX[suffix.lower()]
    except KeyError as exc:
        raise DocumentUnreadable(
            f"Files of type {suffix or '(no ending)'} cannot be read; "
            f"save it as one of {', '.join(sorted(SUFFIXES))}.",
            kind="unsupported",
        ) from exc
