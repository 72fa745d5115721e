"""Ingestion runs on real files, with the real Chroma server and real parsing processes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import ingest.sources as ingest_sources
from app.find import Finder
from ingest.report import DocumentDone, RunStarted
from ingest.scan import Scan, ScanProblem
from storage.chroma_server import running_server
from storage.database import Database
from storage.errors import (
    DeleteBrake,
    IndexMismatch,
    LockHeld,
    ServiceUnavailable,
    SettingsError,
    StorageError,
    UsageError,
)
from storage.library import Library
from storage.locks import FileLock
from storage.records import Scope
from storage.settings import StorageSettings
from tests.library_fixtures import (
    FakeEmbedder,
    content_of,
    document_named,
    open_library,
    server_has_ended,
    wait_until,
    words,
    write_files,
)
from tests.library_fixtures import (
    ingest as run,
)

NO_STRAYS = dict.fromkeys(
    ("pages", "chunks", "words", "tags", "versions", "documents", "vectors"), 0
)


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    """Replaced vectors are swept at once; one test gives the grace back."""
    monkeypatch.setattr("ingest.job.GRACE_S", 0.0)


@pytest.fixture
def embedder():
    """Remembers what it embedded."""
    return FakeEmbedder()


@pytest.fixture
def library(tmp_path, embedder):
    """An empty library."""
    with open_library(tmp_path / "data", embedder) as library:
        yield library


@pytest.fixture
def docs(tmp_path):
    """Five small documents of three formats."""
    return write_files(
        tmp_path / "docs",
        {
            "lease.md": "# Lease\n\nThe rent is 1,200 euros and due on the first.\n",
            "rules.txt": "Bees fly by day. Nobody opens a hive at night.\n",
            "web/page.html": "<html><title>Pumps</title><body><p>The pump has a warranty of "
            "five years.</p></body></html>",
            "minutes/one.md": "# Minutes\n\nThe committee met in March.\n",
            "minutes/two.md": "# Minutes\n\nThe committee met in April.\n",
        },
    )


def documents(library: Library) -> list[str]:
    return [document.document for document in library.catalog.documents()]


def find(library: Library, query: str) -> list[str]:
    return [hit.document for hit in Finder(library).search(query)]


def texts(library: Library, query: str) -> str:
    return " ".join(hit.text for hit in Finder(library).search(query))


def counts(report) -> dict[str, int]:
    """The counts of a report that are not zero, sizes aside."""
    return {
        k: v for k, v in report.counts().items() if v and k not in ("pages", "chunks", "embedded")
    }


def problem_at(monkeypatch, folder: str) -> None:
    """Let the scan meet a folder that cannot be listed; `chmod` does not stop root."""
    real = ingest_sources.scan

    def scan(root: Path, *, follow_symlinks: bool) -> Scan:
        found = real(root, follow_symlinks=follow_symlinks)
        files = tuple(f for f in found.files if not f.relative.startswith(folder + "/"))
        return Scan(files, (ScanProblem(folder, "permission", "It may not be read."),))

    monkeypatch.setattr(ingest_sources, "scan", scan)


def test_files_become_documents_that_are_found(library, docs):
    """Three formats in, each found by its words, nothing left over, the run in the history."""
    events = []
    report = run(library, docs, events=events)

    assert counts(report) == {"added": 5}
    assert documents(library) == [
        "lease.md",
        "minutes/one.md",
        "minutes/two.md",
        "rules.txt",
        "web/page.html",
    ]
    assert find(library, "When is the rent due?")[0] == "lease.md"
    assert find(library, "warranty of the pump")[0] == "web/page.html"
    assert content_of(library)["strays"] == NO_STRAYS
    assert events[0] == RunStarted(files=5, to_read=5, to_delete=0)
    done = [event for event in events if isinstance(event, DocumentDone)]
    assert sorted(event.document for event in done) == documents(library)
    (line,) = library.catalog.runs()
    assert (line.outcome, line.added, line.pages) == ("complete", 5, report.pages)


def test_added_changed_deleted_and_unchanged_are_told_apart(library, docs):
    """One run does all four, each counted once, and the index holds what the folder holds."""
    run(library, docs)
    write_files(docs, {"new.md": "# New\n\nA new cable.", "lease.md": "# Lease\n\nNow 1,500."})
    (docs / "rules.txt").unlink()

    report = run(library)

    assert counts(report) == {"added": 1, "updated": 1, "deleted": 1, "unchanged": 3}
    assert "rules.txt" not in documents(library)
    assert "1,500" in texts(library, "lease")
    assert "1,200" not in texts(library, "rent 1,200 euros")
    assert content_of(library)["strays"] == NO_STRAYS


def test_a_second_run_opens_nothing(library, docs, tmp_path, monkeypatch):
    """Size and time are enough: no file read, no parser, no model, and no Chroma is started."""
    run(library, docs)
    library.close()
    wait_until(lambda: server_has_ended(tmp_path / "data"), what="the end of the server")
    lease = docs / "lease.md"
    before, text = lease.stat(), lease.read_text()
    lease.write_text(text.replace("1,200", "9,999"))
    os.utime(lease, ns=(before.st_atime_ns, before.st_mtime_ns))
    monkeypatch.setattr("ingest.job.ParserPool", None)

    with open_library(tmp_path / "data") as again:
        again._given_embedder = None
        report = run(again)

        assert counts(report) == {"unchanged": 5}
        assert "1,200" in str(again.catalog.pages(again.catalog.documents()[0].document_id))
    assert running_server(tmp_path / "data") is None


def test_a_touched_file_is_read_and_unchanged(library, docs, embedder):
    """A new time with the old content: read once, embedded never, and not read again."""
    run(library, docs)
    embedder.passages.clear()
    os.utime(docs / "lease.md", (1, 1))
    events = []

    assert counts(run(library, events=events)) == {"unchanged": 5}
    assert [e.action for e in events if isinstance(e, DocumentDone)] == ["unchanged"]
    assert embedder.passages == []
    assert run(library, events=(second := [])).unchanged == 5
    assert second == [RunStarted(5, 0, 0)]


def test_only_changed_chunks_are_embedded(library, docs, embedder):
    """A paragraph added to a long file costs its own embedding, not that of the whole file."""
    paragraphs = [words(f"p{i}", 30) for i in range(20)]
    write_files(docs, {"long.txt": "\n\n".join(paragraphs)})
    first = run(library, docs)
    embedder.passages.clear()
    write_files(docs, {"long.txt": "\n\n".join([*paragraphs, "One paragraph more, with news."])})

    report = run(library)

    assert first.embedded == first.chunks
    assert report.embedded == len(embedder.passages) <= 3
    assert report.chunks >= 20
    assert content_of(library)["strays"] == NO_STRAYS
    assert len(content_of(library)["vectors"]) == library.catalog.counts().chunks


def test_files_of_the_same_content_are_both_there(library, docs):
    """A copy is a document of its own: both are found, and both can be cited."""
    shutil.copy(docs / "rules.txt", docs / "rules copy.txt")
    run(library, docs)

    assert {"rules.txt", "rules copy.txt"} <= set(find(library, "Who opens a hive at night?"))
    (docs / "rules.txt").unlink()
    run(library)
    assert find(library, "Who opens a hive at night?")[0] == "rules copy.txt"


def identities(library: Library) -> dict[str, int]:
    return {d.document: d.document_id for d in library.catalog.documents()}


def test_renamed_and_moved_files_keep_vectors_and_ids(library, docs, embedder):
    """Another name, another folder, both at once: nothing is embedded, citations stay true."""
    run(library, docs)
    before, vectors = identities(library), content_of(library)["vectors"]
    embedder.passages.clear()
    (docs / "lease.md").rename(docs / "tenancy.md")
    (docs / "rules.txt").rename(docs / "web" / "rules.txt")
    (docs / "minutes").rename(docs / "protocols")
    (docs / "protocols" / "one.md").rename(docs / "protocols" / "first.md")
    events = []

    report = run(library, events=events)

    assert counts(report) == {"moved": 4, "unchanged": 1}
    assert embedder.passages == []
    assert identities(library) == {
        "tenancy.md": before["lease.md"],
        "web/rules.txt": before["rules.txt"],
        "web/page.html": before["web/page.html"],
        "protocols/first.md": before["minutes/one.md"],
        "protocols/two.md": before["minutes/two.md"],
    }
    content = content_of(library)
    assert sorted(content["vectors"].values()) == sorted(vectors.values())
    assert content["strays"] == NO_STRAYS
    assert find(library, "tenancy")[0] == "tenancy.md"
    assert {e.was for e in events if isinstance(e, DocumentDone)} == {
        "lease.md",
        "rules.txt",
        "minutes/one.md",
        "minutes/two.md",
    }
    assert counts(run(library)) == {"unchanged": 5}


def test_a_renamed_file_that_changes_later_takes_its_new_name(library, docs, embedder):
    """Its vectors are led by the old name until its content changes, by the new one then."""
    run(library, docs)
    (docs / "lease.md").rename(docs / "tenancy.md")
    run(library)
    embedder.passages.clear()
    write_files(docs, {"tenancy.md": "# Lease\n\nThe rent is 1,300 euros."})

    assert counts(run(library)) == {"updated": 1, "unchanged": 4}
    assert all(text.startswith("tenancy") for text in embedder.passages)
    assert len(embedder.passages) == 1


def test_files_that_change_places_are_not_embedded_again(library, docs, embedder):
    """Rotated like logs: each name has the content of another one, and all vectors are reused."""
    for i in range(3):
        write_files(docs, {f"log.{i}.txt": words(f"day {i}", 40)})
    run(library, docs)
    embedder.passages.clear()
    for i in (2, 1, 0):
        (docs / f"log.{i}.txt").rename(docs / f"log.{i + 1}.txt")
    write_files(docs, {"log.0.txt": words("today", 40)})

    report = run(library)

    assert counts(report) == {"added": 1, "updated": 3, "unchanged": 5}
    assert report.embedded == len(embedder.passages) == report.chunks // 4
    assert content_of(library)["strays"] == NO_STRAYS


def test_a_file_moved_between_sources_keeps_its_id(library, docs, embedder, tmp_path):
    """From one source folder into another, in the run that sees both."""
    other = write_files(tmp_path / "other", {"x.md": "# X\n\nText of x."})
    run(library, docs, other)
    before = identities(library)
    embedder.passages.clear()
    shutil.move(docs / "lease.md", other / "lease.md")

    assert counts(run(library)) == {"moved": 1, "unchanged": 5}
    assert identities(library) == before
    assert embedder.passages == []


def test_copies_are_embedded_once(library, docs, embedder):
    """In the run that brings both, and in a later one; each is a document that can be cited."""
    long = words("long", 400)
    write_files(docs, {"a/report.txt": long, "b/other name.txt": long})
    first = run(library, docs)
    embedder.passages.clear()
    write_files(docs, {"c/third.txt": long})

    second = run(library)

    assert len([c for c in content_of(library)["vectors"] if "third" in c[0]]) > 5
    assert first.embedded < first.chunks
    assert (second.added, second.embedded, embedder.passages) == (1, 0, [])
    query = " ".join(long.split()[:6])
    hits = Finder(library).search(query, scope=Scope(documents=("b/other name.txt",)))
    assert hits[0].document == "b/other name.txt"
    assert hits[0].title == "Other name"


def test_verify_finds_what_stat_does_not_show(library, docs):
    """New content behind the old size and time is found by its hash alone, and read."""
    run(library, docs)
    lease = docs / "lease.md"
    stamp = lease.stat().st_mtime_ns
    lease.write_text(lease.read_text().replace("1,200", "9,900"))
    os.utime(lease, ns=(stamp, stamp))
    assert counts(run(library)) == {"unchanged": 5}

    report = run(library, verify=True)

    assert counts(report) == {"updated": 1, "unchanged": 4}
    assert (report.verified, report.unseen) == (5, ["lease.md"])
    assert "9,900" in texts(library, "rent")
    assert library.catalog.runs()[0].mode == "verify"
    assert run(library, verify=True).unseen == []


def test_a_file_set_aside_waits_for_its_next_attempt(library, docs, monkeypatch):
    """Not tried on the next run, unless it changes, is named, or `--retry` says so; then it is."""
    run(library, docs)
    (docs / "bad.pdf").write_bytes(b"no pdf")
    assert counts(run(library)) == {"failed": 1, "unchanged": 5}

    assert counts(run(library)) == {"waiting": 1, "unchanged": 5}
    assert library.catalog.runs()[0].outcome == "failed-files"
    assert counts(run(library, retry=True)) == {"failed": 1, "unchanged": 5}
    assert counts(run(library, docs / "bad.pdf")) == {"failed": 1}
    assert library.catalog.failures()[0].attempts == 3
    assert library.catalog.runs()[0].reasons == {"damaged": 1}
    (docs / "bad.pdf").write_bytes(b"still none")
    assert counts(run(library)) == {"failed": 1, "unchanged": 5}
    now = time.time()
    monkeypatch.setattr("ingest.planning.time.time", lambda: now + 16 * 60)
    assert counts(run(library)) == {"failed": 1, "unchanged": 5}
    # The clock was a year ahead, and has been set right.
    monkeypatch.setattr("ingest.planning.time.time", lambda: now - 365 * 86_400)
    assert counts(run(library)) == {"failed": 1, "unchanged": 5}


def test_an_emptied_source_deletes_nothing(library, docs, tmp_path):
    """An unmounted share is an empty folder: its documents stay, the other sources go on."""
    share = write_files(tmp_path / "share", {"s.md": "# Share\n\nThe share is quartz."})
    run(library, docs, share)
    (share / "s.md").rename(tmp_path / "kept.md")
    write_files(docs, {"lease.md": "# Lease\n\nNew text of the lease."})

    report = run(library)

    assert counts(report) == {"failed": 1, "updated": 1, "unchanged": 4}
    assert report.failures[0].kind == "emptied"
    assert find(library, "quartz")[0] == "s.md"
    assert document_named(library.catalog, "s.md").fault_kind == "emptied"
    assert counts(run(library, share))["failed"] == 1
    (tmp_path / "kept.md").rename(share / "s.md")
    assert counts(run(library)) == {"unchanged": 6}
    assert library.catalog.failures() == []
    (share / "s.md").unlink()
    assert counts(run(library, allow_deletes=True)) == {"deleted": 1, "unchanged": 5}


def test_a_moved_folder_does_not_trip_the_brake(library, docs):
    """All files under another folder: by `stat` alone they are moves, not deletions."""
    run(library, docs)
    shutil.copytree(docs, docs.parent / "docs2" / "archive")
    shutil.rmtree(docs)
    (docs.parent / "docs2").rename(docs)

    assert counts(run(library)) == {"moved": 5}


def test_the_brake_looks_again_at_what_only_seemed_to_move(library, docs):
    """Other files of the same sizes and times: read and added, and nothing is deleted."""
    run(library, docs)
    for path in [p for p in docs.rglob("*") if p.is_file()]:
        stamp, text = path.stat().st_mtime_ns, path.read_text()
        path.unlink()
        new = path.with_name("new " + path.name)
        new.write_text(text.swapcase())
        os.utime(new, ns=(stamp, stamp))

    with pytest.raises(DeleteBrake, match="nothing was deleted"):
        run(library)

    assert len(documents(library)) == 10


def test_names_are_only_names(library, tmp_path):
    """Spaces, quotes, emoji, newlines, markup, SQL and 250 characters: read, found, kept apart."""
    odd = [
        "two  spaces .md",
        'it\'s "quoted".md',
        "🙂 bees.md",
        "line\nbreak.md",
        "[bold]red[/bold].md",
        "'; DROP TABLE documents; --.md",
        "%_*?.md",
        "-rf.md",
        "e\u0301 decomposed.md",
        "UPPER.MD",
        "x" * 247 + ".md",
    ]
    docs = write_files(tmp_path / "docs", {n: f"# T\n\nunique{i} text" for i, n in enumerate(odd)})

    report = run(library, docs)

    assert counts(report) == {"added": len(odd)}
    assert sorted(documents(library)) == sorted(odd)
    for i, name in enumerate(odd):
        hits = Finder(library).search(f"unique{i}", scope=Scope(documents=(name,)))
        assert {hit.document for hit in hits} == {name}
    assert counts(run(library)) == {"unchanged": len(odd)}


def test_bad_files_are_set_aside_and_the_rest_goes_on(library, docs):
    """Garbage, nothing, no text, a loop of links: a line each, and the good ones are in."""
    (docs / "garbage.pdf").write_bytes(os.urandom(5000))
    (docs / "empty.md").touch()
    (docs / "truncated.docx").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    (docs / "blank.txt").write_text("  \n \n")
    (docs / "minutes" / "loop").symlink_to(docs)
    (docs / "table.xyz").write_bytes(b"x")

    report = run(library, docs)

    assert counts(report) == {"added": 5, "failed": 5}
    assert {f.document for f in report.failures} == {
        "garbage.pdf",
        "empty.md",
        "truncated.docx",
        "blank.txt",
        "minutes/loop",
    }
    assert all(f.reason.endswith(".") and "\n" not in f.reason for f in report.failures)
    assert report.skipped == {".xyz": 1}
    assert library.catalog.runs()[0].outcome == "failed-files"
    assert library.catalog.counts().failures == 5
    # Mended or removed, their lines go.
    (docs / "empty.md").write_text("# Full\n\nof text")
    (docs / "garbage.pdf").unlink()
    assert counts(run(library)) == {"added": 1, "unchanged": 5, "failed": 1, "waiting": 2}
    assert library.catalog.counts().failures == 3


def test_a_document_that_turns_bad_keeps_its_last_good_version(library, docs):
    """Overwritten by garbage it is still found, and the failure says that an old version serves."""
    run(library, docs)
    (docs / "lease.md").write_bytes(b"")

    report = run(library)

    assert counts(report) == {"failed": 1, "unchanged": 4}
    assert "1,200" in texts(library, "rent")
    assert library.catalog.failures()[0].serves_old_version


def test_a_file_that_vanishes_during_the_run_is_not_fatal(library, docs):
    """Seen by the scan, gone when it is read: set aside, and deleted by the next run."""
    run(library, docs)
    write_files(docs, {"lease.md": "# Lease\n\nchanged text", "new.md": "# New\n\ntext"})

    def vanish(event):
        if isinstance(event, RunStarted):
            (docs / "lease.md").unlink()
            (docs / "new.md").unlink()

    class Vanishing(list):
        append = staticmethod(vanish)

    report = run(library, events=Vanishing())

    assert counts(report) == {"failed": 2, "unchanged": 4}
    assert {f.kind for f in report.failures} == {"vanished"}
    assert "1,200" in texts(library, "rent")
    assert counts(run(library)) == {"deleted": 1, "unchanged": 4}
    assert library.catalog.failures() == []


def test_a_folder_that_cannot_be_read_deletes_nothing(library, docs, monkeypatch):
    """ "Could not read" is never "was deleted": its documents stay, and are not counted as gone."""
    run(library, docs)
    problem_at(monkeypatch, "minutes")

    report = run(library)

    assert counts(report) == {"failed": 1, "unchanged": 3}
    assert len(documents(library)) == 5
    assert find(library, "committee in March")[0] == "minutes/one.md"


def test_a_file_without_permission_is_set_aside(library, docs):
    """Its last good version stays, the reason says what to do; so does a folder's content."""
    run(library, docs)
    write_files(docs, {"lease.md": "# Lease\n\nchanged"})
    (docs / "lease.md").chmod(0)
    if os.access(docs / "lease.md", os.R_OK):
        pytest.skip("this user may read everything")
    (docs / "minutes").chmod(0)
    try:
        report = run(library)
    finally:
        (docs / "minutes").chmod(0o755)

    assert {f.kind for f in report.failures} == {"permission"}
    assert len(documents(library)) == 5


def test_the_brake_stops_a_run_that_would_empty_the_library(library, docs):
    """All files gone, as when a share is not mounted: nothing changes, exit 77, said in words."""
    run(library, docs)
    kept = {path: path.read_text() for path in docs.rglob("*") if path.is_file()}
    for path in kept:
        path.unlink()

    with pytest.raises(DeleteBrake, match=r"5 of 5 documents.*--allow-deletes") as caught:
        run(library)

    assert caught.value.exit_code == 77
    assert len(documents(library)) == 5
    assert library.catalog.runs()[0].outcome == "brake"
    assert counts(run(library, allow_deletes=True)) == {"deleted": 5}
    assert content_of(library)["strays"] == NO_STRAYS
    assert find(library, "rent") == []


def test_the_brake_lets_a_share_of_the_library_go(library, docs):
    """Up to the set share, files may go; one more and the run stops."""
    write_files(docs, {f"more/{i}.md": f"# M\n\nnumber {i} of many" for i in range(5)})
    run(library, docs)
    for i in range(3):
        (docs / f"more/{i}.md").unlink()
    assert counts(run(library)) == {"deleted": 3, "unchanged": 7}

    shutil.rmtree(docs / "more")
    (docs / "lease.md").unlink()
    with pytest.raises(DeleteBrake):
        run(library)
    assert counts(run(library, max_delete_share=0.5)) == {"deleted": 3, "unchanged": 4}


def test_a_missing_root_deletes_nothing(library, docs):
    """A source that is not there at all is reported; everything stays, and the others go on."""
    other = write_files(docs.with_name("other"), {"new.md": "# New\n\nfirst text"})
    run(library, docs)
    run(library, other)
    docs.rename(docs.with_name("elsewhere"))
    write_files(other, {"new.md": "# New\n\nsecond and longer text"})

    report = run(library, allow_deletes=True)

    assert counts(report) == {"updated": 1, "failed": 1}
    assert "--forget" in report.failures[0].reason
    assert len(documents(library)) == 6
    assert library.catalog.runs()[0].outcome == "source-missing"


def test_two_runs_at_once_are_one_too_many(library, docs, tmp_path):
    """The second run says that another is at work, exit 75, and changes nothing."""
    run(library, docs)
    (docs / "new.md").write_text("# New\n\ntext")
    with FileLock(tmp_path / "data" / "ingest.lock") as lock:
        lock.acquire()
        with pytest.raises(LockHeld, match="at work") as caught:
            run(library)
    history = library.catalog.runs()

    assert caught.value.exit_code == 75
    assert len(history) == 1
    assert counts(run(library)) == {"added": 1, "unchanged": 5}


def test_files_named_one_by_one_are_kept_in_line(library, docs):
    """Two of five files are named: a later run looks at these two and at nothing else."""
    report = run(library, docs / "lease.md", docs / "rules.txt")
    assert counts(report) == {"added": 2}
    write_files(docs, {"lease.md": "# Lease\n\nchanged text"})
    (docs / "rules.txt").unlink()

    assert counts(run(library)) == {"updated": 1, "deleted": 1}
    assert documents(library) == ["lease.md"]


def test_naming_a_file_does_not_touch_its_namesake(library, docs):
    """`lease.md` named by hand leaves `lease.md.txt` in the library."""
    write_files(docs, {"lease.md.txt": "another file"})
    run(library, docs)
    write_files(docs, {"lease.md": "# Lease\n\nchanged text"})

    assert counts(run(library, docs / "lease.md")) == {"updated": 1}
    assert "lease.md.txt" in documents(library)


def test_roots_inside_each_other_are_one(library, docs):
    """Inner first, outer later, both at once: each file is one document, read once."""
    assert counts(run(library, docs / "minutes")) == {"added": 2}
    assert documents(library) == ["one.md", "two.md"]

    assert counts(run(library, docs / "minutes", docs, docs)) == {"added": 3, "unchanged": 2}
    assert counts(run(library, docs / "minutes")) == {"unchanged": 2}
    assert len(documents(library)) == library.catalog.counts().documents == 5
    assert content_of(library)["strays"] == NO_STRAYS
    assert find(library, "committee in March")[0] == "minutes/one.md"


def test_inner_and_outer_named_together_on_a_new_library(library, docs):
    """No document is left under a source that was taken in."""
    assert counts(run(library, docs / "minutes", docs)) == {"added": 5}

    assert len(documents(library)) == library.catalog.counts().documents == 5
    assert content_of(library)["strays"] == NO_STRAYS


def test_another_embedding_model_is_refused_until_a_rebuild(library, docs, tmp_path):
    """The index remembers its model: reading and writing with another says what to do."""
    run(library, docs)
    other = FakeEmbedder(name="another model", dimension=32)
    with open_library(tmp_path / "data", other) as changed:
        with pytest.raises(IndexMismatch, match=r"another model.*--rebuild"):
            run(changed)
        with pytest.raises(IndexMismatch, match="--rebuild"):
            find(changed, "rent")

        assert counts(run(changed, rebuild=True)) == {"updated": 5}
        assert find(changed, "When is the rent due?")[0] == "lease.md"
        assert content_of(changed)["strays"] == NO_STRAYS
        assert changed.catalog.identity().dimension == 32


def test_an_embedder_of_another_dimension_under_the_same_name_is_refused(library, docs, tmp_path):
    """A model folder whose content was exchanged is noticed by its dimension."""
    run(library, docs)
    write_files(docs, {"new.md": "# New\n\ntext"})
    changed = Library(library.settings, FakeEmbedder(dimension=32))
    with pytest.raises(IndexMismatch):
        run(changed)
    changed.close()

    assert counts(run(library)) == {"added": 1, "unchanged": 5}


def test_other_chunk_sizes_are_refused_until_a_rebuild(library, docs):
    """Chunks of two sizes never mix in one index."""
    run(library, docs)
    write_files(docs, {"lease.md": "# Lease\n\nchanged text"})

    with pytest.raises(IndexMismatch, match=r"HAYLOFT_CHUNK_TOKENS.*--rebuild"):
        run(library, chunk_tokens=24)
    run(library, chunk_tokens=24, rebuild=True)

    assert counts(run(library, chunk_tokens=24)) == {"unchanged": 5}


def test_an_index_of_an_earlier_hayloft_is_refused_without_blaming_the_settings(
    library, docs, monkeypatch
):
    """No setting brings the former way of cutting back: the sentence names the rebuild alone."""
    run(library, docs)
    write_files(docs, {"lease.md": "# Lease\n\nchanged text"})
    monkeypatch.setattr("ingest.chunking._VERSION", "99")

    with pytest.raises(IndexMismatch, match=r"earlier Hayloft.*--rebuild") as raised:
        run(library)

    assert "HAYLOFT_CHUNK" not in str(raised.value)


def test_chunks_too_small_for_a_word_are_refused(library, docs):
    """A setting that cannot work is named, not looped over."""
    with pytest.raises(SettingsError, match="HAYLOFT_CHUNK_TOKENS"):
        run(library, docs, chunk_tokens=1)


def test_readers_keep_their_answers_during_a_rebuild(tmp_path, docs, monkeypatch):
    """Asked all the time, the library answers from the old index, then from the new one, whole."""
    monkeypatch.setattr("ingest.job.GRACE_S", 1.0)
    write_files(docs, {f"more/{i}.txt": words(f"m{i}", 200) for i in range(10)})
    with open_library(tmp_path / "data", FakeEmbedder(seconds=0.01)) as library:
        run(library, docs)
        seen, faults, ended = set(), [], threading.Event()

        def ask() -> None:
            finder = Finder(library)
            while not ended.is_set():
                try:
                    hits = finder.search("When is the rent due?")
                    seen.add((hits[0].document, hits[0].version_id))
                except Exception as exc:  # noqa: BLE001 - told to the test
                    faults.append(exc)

        reader = threading.Thread(target=ask)
        reader.start()
        report = run(library, rebuild=True, chunk_tokens=24)
        time.sleep(0.3)
        ended.set()
        reader.join()

        assert faults == []
        assert report.updated == 15
        assert {document for document, _ in seen} == {"lease.md"}
        assert len(seen) == 2
        content = content_of(library)
        assert content["strays"] == NO_STRAYS
        assert len(content["vectors"]) == library.catalog.counts().chunks


def test_a_rebuild_takes_along_what_it_cannot_look_at(library, docs, monkeypatch):
    """Below an unreadable folder and in a broken file, the last good version moves on."""
    run(library, docs)
    problem_at(monkeypatch, "minutes")
    (docs / "lease.md").write_bytes(b"")

    report = run(library, rebuild=True)

    assert report.failed == 2
    assert len(documents(library)) == 5
    content = content_of(library)
    assert content["strays"] == NO_STRAYS
    assert len(content["vectors"]) == library.catalog.counts().chunks
    hit = Finder(library).search("The committee met in March")[0]
    assert (hit.document, hit.dense_rank) == ("minutes/one.md", 1)


def test_an_empty_library_can_be_rebuilt_for_another_model(library, docs, tmp_path):
    """The remedy that the mismatch names works also where no document is left."""
    run(library, docs)
    for path in docs.rglob("*.*"):
        path.unlink()
    run(library, allow_deletes=True)
    with open_library(tmp_path / "data", FakeEmbedder(name="another model")) as changed:
        with pytest.raises(IndexMismatch):
            run(changed)

        run(changed, rebuild=True)

        assert counts(run(changed)) == {}
        assert find(changed, "rent") == []


def test_a_rebuild_that_fails_leaves_the_old_index(library, docs, monkeypatch):
    """Stopped before its end it shows nothing; the next run sweeps it and searches go on."""
    run(library, docs)
    before = library.catalog.identity()
    monkeypatch.setattr(
        "storage.catalog_writer.CatalogWriter.switch",
        lambda *args: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    with pytest.raises(KeyboardInterrupt):
        run(library, rebuild=True)
    monkeypatch.undo()

    assert library.catalog.identity() == before
    assert find(library, "When is the rent due?")[0] == "lease.md"
    assert library.catalog.runs()[0].outcome == "interrupted"
    assert counts(run(library)) == {"unchanged": 5}
    assert content_of(library)["strays"] == NO_STRAYS


def test_old_vectors_stay_for_the_grace_time(tmp_path, docs, monkeypatch):
    """A reader that began before the switch still finds them; the run ends after the sweep."""
    monkeypatch.setattr("ingest.job.GRACE_S", 1.5)
    with open_library(tmp_path / "data") as library:
        run(library, docs)
        collection = library.catalog.identity().collection
        before = set(library.vectors.ids(collection))
        write_files(docs, {"lease.md": "# Lease\n\nchanged text"})
        kept = []

        def look(event):
            if isinstance(event, DocumentDone):
                kept.append(before <= set(library.vectors.ids(collection)))

        class Looking(list):
            append = staticmethod(look)

        started = time.monotonic()
        run(library, events=Looking())

        assert kept == [True]
        assert time.monotonic() - started >= 1.5
        assert content_of(library)["strays"] == NO_STRAYS


def test_forgetting_a_source_takes_its_documents(library, docs):
    """Forgotten is forgotten: documents, vectors and source; a folder that is none is named."""
    from ingest.job import IngestJob
    from ingest.settings import IngestSettings

    run(library, docs)
    job = IngestJob(library, IngestSettings(), lambda event: None)
    with pytest.raises(UsageError, match="not a source"):
        job.forget([docs / "minutes"])
    report = IngestJob(library, IngestSettings(), lambda event: None).forget([docs])

    assert report.deleted == 5
    assert library.catalog.sources() == []
    assert content_of(library)["strays"] == NO_STRAYS
    assert find(library, "rent") == []


def test_a_search_before_chroma_has_answered_is_no_fault(tmp_path, docs, monkeypatch):
    """A first run that finds no server leaves nothing that trips a reader, or the next run."""
    monkeypatch.setattr("storage.vectors._RETRY_FOR_S", 0.1)
    settings = StorageSettings(
        data_dir=tmp_path / "data", embedder=FakeEmbedder().name, chroma_url="http://127.0.0.1:9"
    )
    away = Library(settings, FakeEmbedder())
    with pytest.raises(ServiceUnavailable, match="HAYLOFT_CHROMA_URL"):
        run(away, docs)
    away.close()

    with open_library(tmp_path / "data") as library:
        assert find(library, "rent") == []
        assert counts(run(library, docs)) == {"added": 5}
        assert find(library, "rent due")[0] == "lease.md"


def test_a_full_catalog_is_a_sentence_and_the_next_run_completes(tmp_path, docs, monkeypatch):
    """The disk fills up in the middle: exit 74, nothing half-visible; with space, all is in."""
    write_files(docs, {f"more/{i}.txt": words(f"m{i}", 2000) for i in range(10)})
    with open_library(tmp_path / "data") as library:
        library.catalog.counts()
    real = Database._open

    def small(self: Database) -> sqlite3.Connection:
        connection = real(self)
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    monkeypatch.setattr(Database, "_open", small)
    with open_library(tmp_path / "data") as library:
        with pytest.raises(StorageError, match=r"is full.*free some space") as caught:
            run(library, docs)
        assert caught.value.exit_code == 74
        some = documents(library)
        assert len(some) < 15
    monkeypatch.setattr(Database, "_open", real)

    with open_library(tmp_path / "data") as library:
        report = run(library)

        assert report.added == 15 - len(some)
        content = content_of(library)
        assert content["strays"] == NO_STRAYS
        assert len(content["vectors"]) == library.catalog.counts().chunks


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few megabytes; skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    with suppress(OSError):
        if sys.platform == "linux" and not subprocess.run(mount, capture_output=True).returncode:
            yield folder
            wait_until(lambda: server_has_ended(folder / "data"), what="the end of the server")
            subprocess.run(["umount", str(folder)], check=True)
            return
    pytest.skip("no small disk can be mounted here")


def test_a_full_disk_is_a_sentence_and_the_next_run_completes(small_disk, docs):
    """The same on a real full disk, which Chroma shares; then space is made and it runs again."""
    write_files(docs, {f"more/{i}.txt": words(f"m{i}", 3000) for i in range(20)})
    with open_library(small_disk / "data") as library:
        with pytest.raises(StorageError, match=r"full|space") as caught:
            run(library, docs)
        assert caught.value.exit_code == 74
        assert len(documents(library)) < 25
    remount = ["mount", "-o", "remount,size=200m", str(small_disk)]
    subprocess.run(remount, check=True)

    with open_library(small_disk / "data") as library:
        run(library, docs)

        assert len(documents(library)) == 25
        content = content_of(library)
        assert content["strays"] == NO_STRAYS
        assert len(content["vectors"]) == library.catalog.counts().chunks
