"""The last step of a run: the chat model's token counts of what is new.

It needs the vocabulary of the model that answers, which Hayloft keeps from the
first question on, or a file that HAYLOFT_TOKENIZER names. Without one nothing
is counted, and prompts are counted when they are packed.
"""

from __future__ import annotations

import logging
from pathlib import Path

from storage.catalog_writer import CatalogWriter
from storage.errors import HayloftError
from storage.library import Library
from storage.token_counts import count_missing
from storage.vocabulary import counting, fingerprint, kept_tokenizer, tokenizer_from_file

log = logging.getLogger(__name__)


COUNTED_WITH = "counted_with"
"""The catalog's note of the vocabulary that counted all there is; empty while there is more."""


def count_tokens(library: Library, writer: CatalogWriter, tokenizer: str) -> None:
    """Count what is not counted yet; a fault here costs speed later and never the run."""
    path = Path(tokenizer) if tokenizer else kept_tokenizer(library.settings.tokenizers)
    if path is None:
        return
    try:
        status = path.stat()
    except OSError as exc:
        log.warning("the new pages' tokens were not counted: %s", exc)
        return
    stamp = f"{path} {status.st_size} {status.st_mtime_ns}"
    if writer.noted(COUNTED_WITH) == stamp:
        return
    try:
        loaded = tokenizer_from_file(path)
        count_missing(library.catalog.database, fingerprint(loaded), counting(loaded))
        writer.note(COUNTED_WITH, stamp)
    except HayloftError as exc:
        log.warning("the new pages' tokens were not counted: %s", exc)
