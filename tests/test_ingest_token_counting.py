"""A run counts the tokens of what is new where it knows the model's vocabulary."""

from __future__ import annotations

import pytest

from ingest.job import IngestJob
from ingest.settings import IngestSettings
from storage.library import Library
from storage.settings import StorageSettings
from storage.vocabulary import build_tokenizer, fingerprint
from tests.toy_gguf import toy_vocabulary


@pytest.fixture
def library(tmp_path):
    library = Library(StorageSettings(data_dir=tmp_path / "data"))
    yield library
    library.close()


def ingest(library: Library, folder, **settings: object) -> None:
    IngestJob(library, IngestSettings(**settings), lambda event: None).run([folder])


def test_the_vocabulary_kept_from_a_served_model_counts_new_pages(library, tmp_path):
    """Exactly as the tokenizer does; what was there before is made up for."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# Hay\n\nTwelve bales of hay.\n\n# Straw\n\nNone.\n")
    ingest(library, folder)
    tokenizer = build_tokenizer(toy_vocabulary())
    library.settings.tokenizers.mkdir()
    tokenizer.save(str(library.settings.tokenizers / "model.json"))
    (folder / "b.txt").write_text("A second document.")

    ingest(library, folder)

    documents = {d.document: d.document_id for d in library.catalog.documents()}
    with library.catalog.snapshot() as snapshot:
        counts = snapshot.page_tokens(fingerprint(tokenizer), range(10))
    expected = sorted(
        len(tokenizer.encode(page.text, add_special_tokens=False))
        for document in documents.values()
        for page in library.catalog.pages(document)
    )
    assert len(expected) >= 3
    assert sorted(counts.values()) == expected


def test_a_vocabulary_that_cannot_be_read_costs_no_run(library, tmp_path, caplog):
    """The run ends well, and its log says what was not counted."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("Hay.")

    ingest(library, folder, tokenizer=str(tmp_path / "none.json"))

    assert library.catalog.counts().documents == 1
    assert "were not counted" in caplog.text
