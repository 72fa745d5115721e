"""pypdf, the second PDF engine: slower, but it reads some files pdfium refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class PypdfEngine:
    """One file, opened when the first page needs it.

    Every method gives None where pypdf fails: on damaged input it lets any
    exception escape, so all but a lack of memory count as "cannot read".
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: Any = None
        self.name = "pypdf"
        self.used = False
        """True once pypdf gave the text of a page."""

    def page_text(self, index: int) -> str | None:
        """The text of one page, counted from 0."""
        text = self._attempt(lambda reader: str(reader.pages[index].extract_text()))
        self.used = self.used or text is not None
        return text

    def page_count(self) -> int | None:
        """The number of pages; None where the file cannot be opened."""
        return self._attempt(lambda reader: len(reader.pages))

    def needs_password(self) -> bool:
        """True where the file opens, but an empty password does not undo its encryption."""
        locked = self._attempt(lambda reader: bool(reader.is_encrypted) and not reader.decrypt(""))
        return locked is True

    def metadata(self) -> dict[str, str]:
        """The document information, under the names that pdfium uses."""
        found = self._attempt(lambda reader: dict(reader.metadata or {})) or {}
        return {str(key).lstrip("/"): str(value) for key, value in found.items()}

    def _attempt(self, action: Callable[[Any], T]) -> T | None:
        try:
            if self._reader is None:
                import pypdf

                # Its warnings about damage say nothing to the user that the result does not.
                logging.getLogger("pypdf").setLevel(logging.ERROR)
                self.name = f"pypdf {pypdf.__version__}"
                self._reader = pypdf.PdfReader(self._path)
            return action(self._reader)
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - see the class
            log.info("pypdf failed: %s", type(exc).__name__)
            return None
