"""Vectors that Chroma lost while the catalog stayed are found missing and made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.library_fixtures import (
    FakeEmbedder,
    content_of,
    ingest,
    open_library,
    server_has_ended,
    wait_until,
    write_files,
)


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    """Replaced vectors are swept at once."""
    monkeypatch.setattr("ingest.job.GRACE_S", 0.0)


@pytest.fixture
def docs(tmp_path):
    """Four documents, two of them alike."""
    texts = {f"{name}.md": f"# {name}\n\nThe text of {name}.\n" for name in ("one", "two", "three")}
    return write_files(tmp_path / "docs", texts | {"copy.txt": texts["one.md"]})


def quiet_run(tmp_path: Path, docs: Path) -> dict[str, object]:
    """What a library holds that nothing ever happened to."""
    with open_library(tmp_path / "quiet") as library:
        ingest(library, docs)
        return content_of(library)


def lose(data: Path, part: str) -> None:
    """Delete files of Chroma between two runs."""
    wait_until(lambda: server_has_ended(data), what="the end of the server")
    shutil.rmtree(data / part)


@pytest.mark.parametrize("part", ["chroma", "chroma/db"])
def test_a_deleted_chroma_folder_is_filled_again_by_the_next_run(tmp_path, docs, part):
    """No file has changed and none is read; the index is that of one quiet run."""
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
    lose(tmp_path / "data", part)

    with open_library(tmp_path / "data") as library:
        report = ingest(library)
        assert (report.outcome, report.unchanged, report.embedded) == ("complete", 4, 4)
        assert "4 documents were gone from Chroma" in library.catalog.runs()[0].message
        assert content_of(library) == quiet_run(tmp_path, docs)
        assert library.catalog.runs()[0].outcome == "complete"


def test_documents_that_changed_meanwhile_are_read_and_the_rest_made_again(tmp_path, docs):
    """A search in between has started an empty Chroma: the folder is there, and holds nothing."""
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
        identity = library.catalog.identity()
        library.vectors.drop(identity.collection)
        write_files(docs, {"two.md": "# Two\n\nNew words.\n", "new.md": "# New\n\nNews.\n"})

        ingest(library)

        assert content_of(library) == quiet_run(tmp_path, docs)
        assert ingest(library).note == ""


def test_some_lost_vectors_are_found_by_a_run_that_reads_or_verifies(tmp_path, docs):
    """An older Chroma folder was put back: it is all there but for what came later."""
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
        collection = library.catalog.identity().collection
        library.vectors.delete(collection, library.vectors.ids(collection)[:1])

        assert ingest(library).embedded == 0
        report = ingest(library, verify=True)

        assert report.note.startswith("The vectors of 1 document were gone")
        assert content_of(library) == quiet_run(tmp_path, docs)


def test_a_moved_file_is_made_again_under_the_name_it_had_first(tmp_path, docs):
    """As if its vectors had stayed: they are of its text and its first name."""
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
        library.vectors.drop(library.catalog.identity().collection)
        (docs / "three.md").rename(docs / "third.md")

        report = ingest(library)

        assert (report.moved, report.embedded) == (1, 4)
        assert len(content_of(library)["vectors"]) == 4


def test_a_run_with_nothing_to_do_still_starts_no_chroma(tmp_path, docs):
    """One small file among Chroma's own tells that they are there."""
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
    wait_until(lambda: server_has_ended(tmp_path / "data"), what="the end of the server")

    with open_library(tmp_path / "data", FakeEmbedder()) as library:
        assert ingest(library).unchanged == 4
        assert server_has_ended(tmp_path / "data")


def test_a_run_killed_while_it_makes_them_again_leaves_the_rest_to_the_next(
    tmp_path, docs, monkeypatch
):
    """What is still missing is missing, whatever was made before the end."""
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
        library.vectors.drop(library.catalog.identity().collection)
        monkeypatch.setattr("ingest.intake.Intake.carry", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(library, verify=True)
        monkeypatch.undo()
        monkeypatch.setattr("ingest.job.GRACE_S", 0.0)

        ingest(library)

        assert content_of(library) == quiet_run(tmp_path, docs)


def killed(*args: object) -> None:
    raise KeyboardInterrupt
