"""What saved answers rest on, and when they expire."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.answers import Citation
from app.expiry import CHANGED, CURRENT, GONE, UNREAD, Stand, Verdict, check
from app.ledger import DocumentLedger, Ledger
from app.rests import Rest, rests_of
from storage.library import Library
from storage.records import EVERYTHING, Hit, Scope
from storage.rooms import room_folder
from tests.library_fixtures import ingest, open_library, write_files

FILES = {
    "travel.md": "# Travel\n\nThe per diem is 48 euros.\n\n# Hotels\n\nThe office books hotels.\n",
    "leave.md": "# Leave\n\nLeave is thirty days a year.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", FILES)


@pytest.fixture
def library(tmp_path: Path, folder: Path) -> Iterator[Library]:
    with open_library(tmp_path / "data") as library:
        ingest(library, folder)
        yield library


def pages(library: Library, *names: str) -> list[Hit]:
    """Every page of the documents, as passages."""
    with library.catalog.snapshot() as snapshot:
        return snapshot.whole_pages(snapshot.within(Scope(documents=names)))


def cites(hit: Hit) -> Citation:
    return Citation(1, hit.document, hit.page, "", False)


def stand(
    library: Library, hits: list[Hit], cited: list[Hit], *, mode: str = "passages",
    ledger: Ledger | None = None, scope: Scope = EVERYTHING, asked_at: float = 2e9,
) -> Stand:  # fmt: skip
    rests = rests_of(
        library.catalog, hits, [cites(hit) for hit in cited], mode=mode, ledger=ledger,
        asked_at=asked_at,
    )  # fmt: skip
    whole = mode in ("documents", "read-all")
    return Stand(rests, library.catalog.library_id(), scope, whole)


def now(library: Library, one: Stand) -> Verdict:
    return check(library.catalog, [one])[0]


def rewrite(path: Path, text: str) -> None:
    """Write a file so that the next run sees that it changed."""
    path.write_text(text, encoding="utf-8")
    later = path.stat().st_mtime_ns + 5_000_000_000
    os.utime(path, ns=(later, later))


def test_an_answer_on_unchanged_pages_is_current(library: Library, folder: Path) -> None:
    """A second run over the same files changes nothing."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits[:1])
    ingest(library, folder)

    assert now(library, one) == Verdict(CURRENT)


def test_a_changed_page_is_named(library: Library, folder: Path) -> None:
    """The cited section says something else: the answer has expired, with its place."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits[:1])
    rewrite(folder / "travel.md", FILES["travel.md"].replace("48", "52"))
    ingest(library, folder)

    verdict = now(library, one)

    assert verdict.state == CHANGED and verdict.expired
    assert [(c.document, c.page, c.place) for c in verdict.changes] == [
        ("travel.md", 1, hits[0].place)
    ]


def test_a_changed_page_that_was_not_cited_is_told_beside(library: Library, folder: Path) -> None:
    """It was read for the answer, and the answer does not rest on it."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits[:1])
    rewrite(folder / "travel.md", FILES["travel.md"].replace("books", "never books"))
    ingest(library, folder)

    verdict = now(library, one)

    assert verdict.state == CURRENT
    assert [change.page for change in verdict.beside] == [2]


def test_without_citations_every_page_counts(library: Library, folder: Path) -> None:
    """A model that cites nothing may have taken its answer from anywhere."""
    one = stand(library, pages(library, "travel.md"), [])
    rewrite(folder / "travel.md", FILES["travel.md"].replace("books", "never books"))
    ingest(library, folder)

    assert now(library, one).state == CHANGED


def test_a_page_that_moved_has_not_changed(library: Library, folder: Path) -> None:
    """A section put before it gives it another number; line breaks are no words."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits[:1])
    text = FILES["travel.md"].replace("per diem is", "per diem\nis")
    rewrite(folder / "travel.md", f"# Cars\n\nCars are rented.\n\n{text}")
    ingest(library, folder)

    assert now(library, one).state == CURRENT


def test_a_renamed_document_is_found_again(library: Library, folder: Path) -> None:
    """Moving a file changes nothing that it says."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits[:1])
    (folder / "old").mkdir()
    (folder / "travel.md").rename(folder / "old" / "trips.md")
    ingest(library, folder, allow_deletes=True)

    assert now(library, one).state == CURRENT


def test_a_deleted_document_is_gone(library: Library, folder: Path) -> None:
    """And that is told as such, not as a change."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits[:1])
    (folder / "travel.md").unlink()
    ingest(library, folder, allow_deletes=True)

    verdict = now(library, one)

    assert verdict.state == GONE and verdict.expired
    assert verdict.changes[0].document == "travel.md"


def test_a_file_that_cannot_be_read_is_neither(library: Library, folder: Path) -> None:
    """Its last good version is served; nobody can say whether it has changed."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits[:1])
    rewrite(folder / "travel.md", FILES["travel.md"] + "More.\n" * 500)
    ingest(library, folder, max_characters=1000)

    verdict = now(library, one)

    assert verdict.state == UNREAD and not verdict.expired
    assert verdict.changes[0].reason


def test_a_page_changed_between_answer_and_saving_counts_as_changed(
    library: Library, folder: Path
) -> None:
    """Digests are of what the model read, not of what stands there when the button is pressed."""
    hits = pages(library, "travel.md")
    rewrite(folder / "travel.md", FILES["travel.md"].replace("48", "52"))
    ingest(library, folder)

    saved_late = stand(library, hits, hits[:1])

    assert now(library, saved_late).state == CHANGED
    assert now(library, stand(library, hits[1:], hits[1:])).state == CURRENT


def ledger() -> Ledger:
    documents = (
        DocumentLedger("leave.md", 1, read="1"),
        DocumentLedger("travel.md", 2, found="1", read="2"),
    )
    return Ledger(pages=3, read=3, found=1, unreadable=0, documents=documents)


def test_an_answer_of_a_full_read_rests_on_every_page(library: Library, folder: Path) -> None:
    """Also on those of which nothing was copied: "nowhere" is about them, too."""
    hits = pages(library, "travel.md")[:1]
    one = stand(library, hits, hits, mode="read-all", ledger=ledger())
    assert now(library, one).state == CURRENT
    rewrite(folder / "leave.md", "# Leave\n\nLeave is forty days a year.\n")
    ingest(library, folder)

    verdict = now(library, one)

    assert verdict.state == CHANGED
    assert verdict.changes[0].document == "leave.md"


def test_a_new_document_in_scope_expires_a_full_read(library: Library, folder: Path) -> None:
    """And not an answer from passages, nor one whose scope it does not meet."""
    hits = pages(library, "travel.md")[:1]
    everything = stand(library, hits, hits, mode="read-all", ledger=ledger())
    passages = stand(library, hits, hits)
    elsewhere = stand(library, hits, hits, mode="documents", scope=Scope(documents=("travel.md",)))
    write_files(folder, {"new.md": "# New\n\nSomething new.\n"})
    ingest(library, folder)

    verdicts = check(library.catalog, [everything, passages, elsewhere])

    assert [verdict.state for verdict in verdicts] == [CHANGED, CURRENT, CURRENT]
    assert (verdicts[0].changes[0].document, verdicts[0].changes[0].reason) == ("new.md", "new")


def test_a_document_read_again_after_the_question_is_not_vouched_for(library: Library) -> None:
    """The ledger names pages, not versions: a version younger than the question is unknown."""
    one = stand(library, [], [], mode="read-all", ledger=ledger(), asked_at=1.0)

    assert now(library, one).state == CHANGED


def test_a_rebuilt_library_is_compared_by_its_pages(
    library: Library, folder: Path, tmp_path: Path
) -> None:
    """Ids of another library mean nothing; paths and what the pages say do."""
    hits = pages(library, "travel.md")
    one = stand(library, hits, hits)
    with open_library(tmp_path / "other") as other:
        ingest(other, write_files(tmp_path / "more", {"a.md": "# A\n\nOther.\n"}), folder)

        assert now(other, one).state == CURRENT
        rewrite(folder / "travel.md", FILES["travel.md"].replace("48", "52"))
        ingest(other, folder)
        assert now(other, one).state == CHANGED


def test_what_an_answer_rests_on_comes_back_from_json(library: Library) -> None:
    """As the file of saved answers keeps it."""
    rests = stand(library, pages(library, "travel.md"), []).rests

    assert tuple(Rest.from_json(rest.to_json()) for rest in rests) == rests


def drop(library: Library, room: str, name: str, text: str) -> None:
    """Put a file into a conversation, and read it."""
    folder = room_folder(library.settings.data_dir.resolve(), room)
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder, {name: text})
    ingest(library, folder)


def own_pages(library: Library, room: str) -> list[Hit]:
    with library.catalog.snapshot() as snapshot:
        return snapshot.whole_pages(snapshot.within(Scope(room=room)))


def test_an_answer_on_private_files_rests_on_those_of_its_conversation(library: Library) -> None:
    """They are found there alone; the same file of another conversation is nothing to it."""
    text = "# Offer\n\nThe offer is 900 euros.\n"
    for room in ("ada/c", "bob/d"):
        drop(library, room, "offer.md", text)
    hits = own_pages(library, "ada/c")
    rests = rests_of(
        library.catalog, hits, [], mode="documents", asked_at=2e9, room="ada/c"
    )  # fmt: skip
    one = Stand(rests, library.catalog.library_id(), EVERYTHING, True)
    assert now(library, one) == Verdict(CURRENT)
    drop(library, "bob/d", "other.md", "# Other\n\nNobody else's business.\n")
    untouched = now(library, one)
    folder = room_folder(library.settings.data_dir.resolve(), "ada/c")
    rewrite(folder / "offer.md", text.replace("900", "950"))
    ingest(library, folder)
    changed = now(library, one)
    (folder / "offer.md").unlink()
    ingest(library, folder)

    assert [rest.room for rest in rests] == ["ada/c"]
    assert untouched == Verdict(CURRENT)
    assert changed.state == CHANGED
    assert now(library, one).state == GONE


def test_private_files_of_others_are_no_news(library: Library) -> None:
    """A new file in somebody's conversation expires nobody else's answer, and is not named."""
    hits = pages(library, "travel.md")[:1]
    one = stand(library, hits, hits, mode="read-all", ledger=ledger())
    drop(library, "bob/d", "secret.md", "# Secret\n\nNobody else's business.\n")

    assert now(library, one) == Verdict(CURRENT)
