"""Private documents: no reader comes to one but through a scope with its room."""

from __future__ import annotations

import random
import sqlite3
from itertools import product
from pathlib import Path

import pytest

from storage import room_words
from storage.catalog import Catalog, Snapshot
from storage.catalog_writer import CatalogWriter, FileState
from storage.errors import StorageError, UsageError
from storage.lexical import TOKENIZER, index_text
from storage.listing import Wanted
from storage.records import Chunk, Page, ParsedDocument, Scope
from storage.rooms import room_at, room_folder, room_name
from tests.library_fixtures import document_named

ROOMS = ("_/one", "ada/two", "ada/three")
SHARED = "The lease ends in March and the rent is 900 euros."
LIBRARY = {
    "lease.md": SHARED,
    "reports/annual.pdf": "Revenue grew to 12.5 million in 2023.",
    "reports/rent.md": "The rent of the office rose.",
}
PRIVATE = {
    "_/one": {"lease.md": SHARED, "secret.pdf": "The merger with Quokka closes in June."},
    "ada/two": {
        "secret.pdf": "Quokka pays 7 million for the merger.",
        "notes.md": "Rent and more.",
    },
    "ada/three": {"lease.md": SHARED, "reports/annual.pdf": "Quokka wants the annual report."},
}
FIELDS = {
    "documents": [(), ("lease.md",), ("reports",), ("*",), ("**/*.pdf",), ("secret.pdf",)],
    "kinds": [(), ("pdf",), ("md", "pdf")],
    "tags": [(), ("quokka",)],
    "since": ["", "1990"],
}
QUERIES = ("rent", "Quokka merger", "lease ends March", "million annual report secret", "quok*")


def fill(catalog: Catalog, *, rooms: bool = True) -> None:
    writer = CatalogWriter(catalog)
    library = writer.source("/docs", whole=True)
    for path, text in LIBRARY.items():
        publish(writer, library, path, text)
    for room in ROOMS if rooms else ():
        source = writer.source(f"/data/uploads-private/{room}", whole=True, room=room)
        for path, text in PRIVATE[room].items():
            publish(writer, source, path, text)
        writer.fail(source, "broken.pdf", "damaged", "broken.pdf is damaged.")


def publish(writer: CatalogWriter, source: int, path: str, text: str) -> int:
    tags = {"keywords": "quokka"} if "Quokka" in text else {}
    document = ParsedDocument(path, (Page(1, text),), path.endswith("pdf"), "test", tags)
    new = writer.begin_version(source, path, 1, "c")
    state = FileState(path, len(text), 1_700_000_000_000_000_000, f"sha {text}", "r/1")
    chunk = Chunk(0, 1, 0, len(text), text, "", text)
    writer.publish(new.version_id, state, document, [chunk], [text.encode()])
    return new.document_id


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path / "catalog.db")
    fill(catalog)
    yield catalog
    catalog.close()


def rooms_of(catalog: Catalog) -> dict[int, str]:
    """The room of each version, by asking the tables behind the catalog's back."""
    with catalog.database.snapshot() as connection:
        return dict(connection.execute("SELECT id, room FROM versions").fetchall())


def scopes() -> list[Scope]:
    """Every combination of filters, rooms and `beyond_room`."""
    return [
        Scope(**dict(zip(FIELDS, values, strict=True)), room=room, beyond_room=beyond)  # type: ignore[arg-type]
        for values in product(*FIELDS.values())
        for room in ("", *ROOMS, "ada", "ada/", "ada/nobody", "*", "%", "_")
        for beyond in (False, True)
    ]


def everything_seen(snapshot: Snapshot, scope: Scope) -> set[int]:
    """All versions that a snapshot gives away once it has resolved a scope."""
    within = snapshot.within(scope)
    seen = set(within.versions) if within else set()
    # Ids that were guessed: all there are.
    guessed = snapshot.passages(f"{n}:0" for n in range(40))
    seen |= {passage.version_id for passage in guessed.values()}
    seen |= {hit.version_id for hit in snapshot.whole_pages(within)}
    seen |= {document.version_id for document in snapshot.roll(within)}
    seen |= set(snapshot.within_versions(range(40), None).versions)
    for query in QUERIES:
        seen |= {int(chunk.split(":")[0]) for chunk, _ in snapshot.lexical(query, 50, within)}
    for term in ("secret", "quokka", "lease", "annual"):
        seen |= set(snapshot.versions_named(term, 50)) | set(
            snapshot.versions_named(term[:3], 50, begins=True)
        )
    return seen


def test_no_scope_sees_a_private_document_of_another_room(catalog):
    """Over 1,000 scopes: whatever is asked of a snapshot, it gives its own room's or none."""
    rooms = rooms_of(catalog)
    looked, met = 0, set[str]()
    for scope in scopes():
        with catalog.snapshot() as snapshot:
            try:
                seen = everything_seen(snapshot, scope)
            except UsageError as exc:
                assert "Quokka" not in str(exc)
                continue
        found = {rooms[version] for version in seen}
        assert found <= {"", scope.room}, scope
        met |= found
        looked += 1

    assert looked > 300
    assert met == {"", *ROOMS}


def test_a_room_alone_holds_nothing_of_the_library(catalog):
    """Without `beyond_room` a scope comes to the conversation's files and to nothing else."""
    for room in ROOMS:
        with catalog.snapshot() as snapshot:
            within = snapshot.within(Scope(room=room))
            assert within is not None
            paths = {hit.document for hit in snapshot.whole_pages(within)}
            assert {hit.room for hit in snapshot.whole_pages(within)} == {room}
            assert within.private == set(within.versions)
        assert paths == set(PRIVATE[room])


def test_with_the_library_both_are_there(catalog):
    """Files of one path and text in both places are two documents, told apart by their room."""
    with catalog.snapshot() as snapshot:
        within = snapshot.within(Scope(room="_/one", beyond_room=True))
        found = snapshot.lexical("lease ends March", 10, within)
        passages = snapshot.passages(chunk for chunk, _ in found)

    assert within is not None
    assert len(within.versions) == len(LIBRARY) + 2
    assert sorted((p.document, p.room) for p in passages.values()) == [
        ("lease.md", ""),
        ("lease.md", "_/one"),
    ]
    # Three rows in one index and two in the other: more would make the weights meet.
    assert found[1][1] > 0.5 * found[0][1]


def test_readers_without_a_room_are_told_the_very_same_as_if_there_were_none(catalog, tmp_path):
    """Counts, facets, lists, words with their scores, names, roll: equal to the last figure."""
    bare = Catalog(tmp_path / "bare.db")
    fill(bare, rooms=False)

    assert told(catalog) == told(bare)
    bare.close()


def told(catalog: Catalog) -> dict[str, object]:
    """All that the catalog tells whoever has no room; moments left out."""
    with catalog.snapshot() as snapshot:
        words = {query: snapshot.lexical(query, 50) for query in QUERIES}
        snapshot_told = {
            "words": words,
            "size": snapshot.size(),
            "languages": snapshot.languages(),
            "frequency": [snapshot.frequency(t) for t in ("quokka", "rent", "merger")],
            "extent": snapshot.extent(None),
            "pages": [(h.document, h.text, h.room) for h in snapshot.whole_pages(None)],
            "roll": [(d.document, d.pages) for d in snapshot.roll(None)],
            "named": snapshot.versions_named("secret", 9),
        }
    counts = catalog.counts()
    listed = catalog.listing(Wanted())
    return snapshot_told | {
        "counts": (counts.documents, counts.pages, counts.chunks, counts.failures),
        "facets": catalog.facets(),
        "documents": [entry.document for entry in catalog.documents()],
        "paths": catalog.paths(),
        "listed": ([entry.document for entry in listed.entries], listed.total),
        "states": catalog.state_counts(),
        "folders": catalog.folders(),
        "failures": catalog.failures(),
        "sources": catalog.sources(),
    }


def test_ids_give_nothing_away(catalog):
    """Page, file, marks and summary of a guessed number are there for the own room alone."""
    with catalog.database.snapshot() as connection:
        private = connection.execute(
            "SELECT document_id, room FROM versions WHERE state = 'private'"
        ).fetchall()
    for document_id, own in private:
        for room in ("", *ROOMS):
            there = room == own
            assert (catalog.page(document_id, 1, room=room) is not None) == there
            assert (catalog.file_of(document_id, room=room) is not None) == there
        assert catalog.document(document_id) is None
        assert catalog.pages(document_id) == []
        assert catalog.page_marks(document_id) == []
        with catalog.snapshot() as snapshot:
            assert snapshot.page_chunks(document_id, 1) == []


def test_a_room_lists_its_documents_and_what_was_set_aside(catalog):
    """For the composer; another room's name brings another list, no name an empty one."""
    contents = catalog.room("ada/two")

    assert [entry.document for entry in contents.documents] == ["notes.md", "secret.pdf"]
    assert [failure.document for failure in contents.failures] == ["broken.pdf"]
    assert catalog.room("") == catalog.room("ada") == catalog.room("nobody/there")
    assert not catalog.room("").documents
    assert catalog.has_room("ada/two")
    assert not catalog.has_room("")


def test_the_database_itself_refuses_a_current_version_with_a_room(catalog):
    """Whoever writes such a row by mistake gets an error, not a leak."""
    with (
        pytest.raises(sqlite3.IntegrityError, match="CHECK"),
        catalog.database.writing() as connection,
    ):
        connection.execute("UPDATE versions SET state = 'current' WHERE room = 'ada/two'")


def test_a_room_never_comes_back_out_of_what_was_kept(catalog):
    """A scope in a database, a file or a request names no room, whatever is written there."""
    kept = Scope(room="ada/two", beyond_room=True, kinds=("pdf",)).to_json()

    assert kept["room"] == "ada/two"
    assert Scope.from_json(kept) == Scope(beyond_room=True, kinds=("pdf",))


def test_vectors_and_contents_are_taken_over_within_the_room_and_from_the_library(catalog):
    """A private text lends its vector to no other document; a file is known again in its room."""
    writer = CatalogWriter(catalog)
    secret = PRIVATE["ada/two"]["secret.pdf"]
    shas = [secret.encode(), LIBRARY["reports/rent.md"].encode()]

    assert set(writer.embedded_before(shas, "c")) == {shas[1]}
    assert set(writer.embedded_before(shas, "c", "_/one")) == {shas[1]}
    assert set(writer.embedded_before(shas, "c", "ada/two")) == set(shas)
    assert writer.same_content(f"sha {secret}", "r/1") is None
    assert writer.same_content(f"sha {secret}", "r/1", "_/one") is None
    assert writer.same_content(f"sha {secret}", "r/1", "ada/two") is not None


def test_a_document_that_moves_out_of_its_room_is_everybodys(catalog):
    """Its number, pages and vectors stay; its words are found; nothing of it stays private."""
    writer = CatalogWriter(catalog)
    library = writer.source("/docs", whole=True)
    known = next(
        file
        for source in [writer.source("/data/uploads-private/ada/two", whole=True)]
        for file in writer.files(source).values()
        if file.path == "secret.pdf"
    )
    state = FileState("kept.pdf", known.size, known.mtime_ns, known.sha256, known.reader)

    writer.move(known.document_id, library, state, title="Kept", lead="secret")

    found = document_named(catalog, "kept.pdf")
    assert found is not None
    assert found.document_id == known.document_id
    assert catalog.page(known.document_id, 1) is not None
    with catalog.snapshot() as snapshot:
        assert [one for one, _ in snapshot.lexical("Quokka pays", 5)] == [f"{known.version_id}:0"]
        assert snapshot.versions_named("kept", 5) == [known.version_id]
    assert [entry.document for entry in catalog.room("ada/two").documents] == ["notes.md"]


def test_a_document_of_the_library_never_becomes_private(catalog):
    """What everybody could cite does not vanish into one conversation."""
    writer = CatalogWriter(catalog)
    room = writer.source("/data/uploads-private/ada/two", whole=True)
    rent = document_named(catalog, "reports/rent.md")
    assert rent is not None

    with pytest.raises(StorageError, match="private"):
        writer.move(rent.document_id, room, FileState("r.md", 1, 1, "s", "r"), title="", lead="")

    assert document_named(catalog, "reports/rent.md") == rent


def test_forgetting_a_room_takes_its_words_and_pages_along(catalog):
    """After the sweep no row of it is left in any table."""
    writer = CatalogWriter(catalog)

    assert writer.forget_source("/data/uploads-private/ada/two") == ["notes.md", "secret.pdf"]
    writer.forget([left.version_id for left in writer.leftovers(retired_before=9e12)])

    with catalog.database.snapshot() as connection:
        versions = "SELECT id FROM versions"
        for table in ("pages", "chunks", "room_words", "names", "tags"):
            left = connection.execute(
                f"SELECT count(*) FROM {table} WHERE version_id NOT IN ({versions})"
            ).fetchone()[0]
            assert left == 0, table
        assert (
            connection.execute("SELECT count(*) FROM versions WHERE room = 'ada/two'").fetchone()[0]
            == 0
        )
        assert connection.execute("SELECT count(*) FROM documents").fetchone()[0] == 7


def test_the_words_of_a_room_are_scored_as_fts5_scores_them():
    """The same rows in FTS5 and here: the same scores, for words, phrases, beginnings, titles."""
    chance = random.Random(7)
    vocabulary = "rent lease office march euro quokka merger annual report grew two words".split()
    rows = [
        (
            index_text(" ".join(chance.choices(vocabulary, k=chance.randint(3, 40))), "en"),
            index_text(" ".join(chance.choices(vocabulary, k=3)), "en"),
        )
        for _ in range(60)
    ]
    connection = sqlite3.connect(":memory:")
    connection.execute(
        f"CREATE VIRTUAL TABLE words USING fts5 (text, title, tokenize = '{TOKENIZER}')"
    )
    connection.executemany("INSERT INTO words VALUES (?, ?)", rows)
    own = [room_words.RoomRow(1, n, "en", text, title) for n, (text, title) in enumerate(rows)]
    for phrases in (
        ['"rent"'],
        ['"rent"', '"quokka"', '"nowhere"'],
        ['"two word"', '"off" *', '"merger"', '"merger"'],
    ):
        scores = room_words.scored(own, phrases, title_weight=0.5)

        expected = dict(
            connection.execute(
                "SELECT rowid - 1, -bm25(words, 1.0, 0.5) FROM words WHERE words MATCH ?",
                (" OR ".join(phrases),),
            ).fetchall()
        )
        assert {n for n, score in enumerate(scores) if score} == set(expected)
        assert [scores[n] for n in expected] == pytest.approx(list(expected.values()), rel=1e-9)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [("", "_/c-1"), ("ada", "ada/c-1"), ("_", "%5F/c-1"), ("a/b", "a%2Fb/c-1"), ("..", "%2E./c-1")],
)
def test_a_room_is_named_by_owner_and_conversation(tmp_path, owner, expected):
    """Nobody's name is that of another, and none leads out of the folder."""
    room = room_name(owner, "c-1")

    assert room == expected
    assert room_at(tmp_path.resolve(), room_folder(tmp_path, room) / "a.pdf") == room


@pytest.mark.parametrize("letter", ["王", "🦊", "é", "a"])
def test_the_longest_names_have_folders_of_their_own(tmp_path, letter):
    """A user name has up to 64 letters, each of up to 12 bytes in a folder's name."""
    owners = [letter * 64, letter * 63 + "b", letter * 63, letter * 40]
    rooms = [room_name(owner, "c-1") for owner in owners]

    for room in rooms:
        room_folder(tmp_path, room).mkdir(parents=True)

    assert len(set(rooms)) == len(owners)
    assert {len(room.split("/")[0]) <= 255 for room in rooms} == {True}
    assert [room_at(tmp_path.resolve(), room_folder(tmp_path, room)) for room in rooms] == rooms


@pytest.mark.parametrize("conversation", ["", "..", "a/b", ".hidden", "a b", "é"])
def test_what_is_no_id_of_a_conversation_has_no_room(conversation):
    """Nothing that a browser sends in an address becomes a path."""
    with pytest.raises(UsageError):
        room_name("ada", conversation)


def test_a_folder_of_several_rooms_is_none(tmp_path):
    """The folder of all rooms, or of an owner's, cannot be ingested; what lies beside is public."""
    data_dir = tmp_path.resolve()
    for several in ("uploads-private", "uploads-private/ada"):
        with pytest.raises(UsageError, match="several conversations"):
            room_at(data_dir, data_dir / several)
    assert room_at(data_dir, data_dir / "uploads" / "a.pdf") == ""
    assert room_at(data_dir, Path("/docs")) == ""
