"""Which part of which source a run works on, and what counts as deleted."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ingest.scan import Scan, ScanProblem
from ingest.sources import Scope, scopes_of
from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter, FileState
from storage.errors import StorageError, UsageError
from storage.records import Page, ParsedDocument
from tests.library_fixtures import write_files


class Shelf:
    """A catalog beside a folder of documents."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog(folder / "data" / "catalog.db")
        self.writer = CatalogWriter(self.catalog)
        self.docs = write_files(
            folder / "docs",
            {"a.md": "a", "a.md.txt": "b", "sub/c.md": "c", "sub/deep/d.md": "d", "sub2/e.md": "e"},
        )

    def scopes(self, *paths: Path) -> list[Scope]:
        return scopes_of(paths, self.catalog, self.writer, follow_symlinks=False)

    def know(self, scope: Scope) -> None:
        """Put the files of a scope into the catalog."""
        for file in scope.found:
            new = self.writer.begin_version(scope.source_id, file.relative, 0, "c")
            state = FileState(file.relative, 1, 1, "sha", "text/1")
            document = ParsedDocument("t", (Page(1, "x"),), False, "test")
            self.writer.publish(new.version_id, state, document, [], [])


@pytest.fixture
def shelf(tmp_path: Path):
    """Nothing ingested yet."""
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.catalog.close()


def names(scopes: list[Scope]) -> list[str]:
    return [file.relative for scope in scopes for file in scope.found]


def test_a_folder_becomes_a_source_with_all_below_it(shelf):
    """Paths are relative to the folder that was named."""
    (scope,) = shelf.scopes(shelf.docs)

    assert names([scope]) == ["a.md", "a.md.txt", "sub/c.md", "sub/deep/d.md", "sub2/e.md"]
    assert shelf.catalog.sources() == [(str(shelf.docs), True)]


def test_no_path_means_every_source(shelf):
    """A run without arguments looks at all that was named before."""
    shelf.scopes(shelf.docs / "sub")
    shelf.scopes(shelf.docs / "sub2")

    assert names(shelf.scopes()) == ["c.md", "deep/d.md", "e.md"]


def test_no_path_and_no_source_is_an_error(shelf):
    """On an empty library there is nothing to bring in line."""
    with pytest.raises(UsageError, match="hayloft ingest FOLDER"):
        shelf.scopes()


def test_a_path_that_is_not_there_changes_nothing(shelf):
    """One wrong path among several is refused before any source is noted."""
    with pytest.raises(UsageError, match="nowhere does not exist"):
        shelf.scopes(shelf.docs, shelf.docs / "nowhere")

    assert shelf.catalog.sources() == []


def test_a_folder_inside_a_source_is_a_part_of_it(shelf):
    """Naming it looks at that part alone, and nothing outside of it counts as gone."""
    shelf.scopes(shelf.docs)

    (scope,) = shelf.scopes(shelf.docs / "sub")

    assert names([scope]) == ["sub/c.md", "sub/deep/d.md"]
    assert scope.covers("sub/gone.md")
    assert not scope.covers("sub2/e.md")
    assert not scope.covers("sub")
    assert not scope.covers("a.md")


def test_a_file_inside_a_source_covers_itself_alone(shelf):
    """`a.md` named by hand says nothing about `a.md.txt`, whose name begins like it."""
    shelf.scopes(shelf.docs)

    (scope,) = shelf.scopes(shelf.docs / "a.md")

    assert names([scope]) == ["a.md"]
    assert scope.covers("a.md")
    assert not scope.covers("a.md.txt")


def test_a_source_around_another_takes_it_in(shelf):
    """The inner root's documents move; there is one source afterwards."""
    (inner,) = shelf.scopes(shelf.docs / "sub")
    shelf.know(inner)

    (outer,) = shelf.scopes(shelf.docs)

    assert shelf.catalog.sources() == [(str(shelf.docs), True)]
    assert sorted(shelf.writer.files(outer.source_id)) == ["sub/c.md", "sub/deep/d.md"]


def test_paths_inside_each_other_are_looked_at_once(shelf):
    """Inner, outer, a file of it and the same again in one command: one scope, one source."""
    docs = shelf.docs
    scopes = shelf.scopes(docs / "sub", docs, docs / "a.md", docs, docs / "sub" / ".." / "sub2")

    assert len(names(scopes)) == len(set(names(scopes))) == 5
    assert [root for root, _ in shelf.catalog.sources()] == [str(docs)]
    assert {scope.source_id for scope in scopes} == {1}


def test_files_named_one_by_one_stay_what_they_are(shelf):
    """Their folder does not become a source: a later run looks at these files alone."""
    shelf.know(shelf.scopes(shelf.docs / "a.md")[0])
    shelf.know(shelf.scopes(shelf.docs / "a.md.txt")[0])

    scopes = shelf.scopes()

    assert names(scopes) == ["a.md", "a.md.txt"]
    assert shelf.catalog.sources() == [(str(shelf.docs), False)]
    (shelf.docs / "a.md").unlink()
    gone, there = shelf.scopes()
    assert gone.found == ()
    assert (gone.covers("a.md"), gone.covers("a.md.txt")) == (True, False)
    assert (there.covers("a.md"), there.covers("a.md.txt")) == (False, True)


def test_a_link_to_a_folder_is_the_folder(shelf, tmp_path):
    """Reached by another name, it is the same source."""
    (tmp_path / "link").symlink_to(shelf.docs)
    shelf.scopes(tmp_path / "link")
    shelf.scopes(tmp_path / "docs")

    assert shelf.catalog.sources() == [(str(shelf.docs), True)]


@pytest.mark.parametrize(
    ("problem", "kept"),
    [
        ("sub", ["sub/c.md", "sub/deep/d.md"]),
        ("sub/deep", ["sub/deep/d.md"]),
        ("a.md", ["a.md"]),
        (".", ["a.md", "a.md.txt", "sub/c.md", "sub/deep/d.md", "sub2/e.md"]),
        ("sub/.", ["sub/c.md", "sub/deep/d.md"]),
    ],
)
def test_below_what_could_not_be_read_nothing_is_gone(shelf, problem, kept):
    """A folder that cannot be listed, also the first one of a scan, keeps its documents."""
    (whole,) = shelf.scopes(shelf.docs)
    scope = Scope(1, shelf.docs, "", (), (ScanProblem(problem, "permission", "no"),), {})

    assert [n for n in names([whole]) if not scope.covers(n)] == kept


def test_a_folder_that_fails_in_the_middle_of_a_part_keeps_it(shelf, monkeypatch):
    """The same where the scan began in a part of a source."""
    shelf.scopes(shelf.docs)
    broken = Scan((), (ScanProblem(".", "damaged", "I/O error"),))
    monkeypatch.setattr("ingest.sources.scan", lambda root, follow_symlinks: broken)

    (scope,) = shelf.scopes(shelf.docs / "sub")

    assert not scope.covers("sub/c.md")


def test_a_source_that_is_gone_is_a_problem_and_deletes_nothing(shelf):
    """A root that is not mounted is reported, and covers none of its documents."""
    (scope,) = shelf.scopes(shelf.docs)
    shelf.know(scope)
    shelf.docs.rename(shelf.docs.with_name("moved"))

    (scope,) = shelf.scopes()

    assert [problem.path for problem in scope.problems] == ["."]
    assert not scope.covers("lease.md")


@pytest.mark.parametrize(
    ("error", "kind"), [(errno.EACCES, "permission"), (errno.EIO, "damaged"), (116, "damaged")]
)
def test_a_known_folder_that_cannot_be_looked_at_is_a_problem_of_its_own(
    shelf, tmp_path, monkeypatch, error, kind
):
    """A stale share or a forbidden parent: the other sources are still scanned, nothing is gone."""
    other = write_files(tmp_path / "other", {"o.md": "o"})
    shelf.scopes(shelf.docs, other)
    real = Path.stat

    def stat(self: Path, **kwargs: object) -> os.stat_result:
        if self == shelf.docs:
            raise OSError(error, os.strerror(error), str(self))
        return real(self, **kwargs)

    monkeypatch.setattr(Path, "stat", stat)

    lost, fine = shelf.scopes()

    assert names([fine]) == ["o.md"]
    (problem,) = lost.problems
    assert (problem.path, problem.kind) == (".", kind)
    assert "cannot be listed" in problem.reason
    assert not lost.covers("a.md")


def test_a_known_folder_that_is_a_file_now_is_said_to_be_one(shelf):
    """Nothing of it counts as deleted."""
    shelf.scopes(shelf.docs)
    shelf.docs.rename(shelf.docs.with_name("away"))
    shelf.docs.write_text("a file")

    (scope,) = shelf.scopes()

    assert "is a file now" in scope.problems[0].reason
    assert not scope.covers("a.md")


def test_a_named_path_that_may_not_be_looked_at_is_a_sentence(shelf, monkeypatch):
    """Not a traceback, and not that it does not exist."""

    def refused(self: Path, **kwargs: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", refused)

    with pytest.raises(StorageError, match="cannot be looked at"):
        shelf.scopes(shelf.docs)
