"""A reader that searches all the time and checks every hit, for tests of what it may see.

    python -m tests.faults_reader DATA_DIR ANCHOR

Asks every 100 ms until its standard input ends, then prints what it saw as
one JSON object. ANCHOR is a document that is always there.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from app.find import Finder
from storage.catalog import Catalog
from storage.embedding import BUNDLED_NAME
from storage.library import Library
from storage.records import Hit, Scope
from tests.library_fixtures import FakeEmbedder, library_settings

EVERY_S = 0.1

QUERIES = (
    "When is the rent of the lighthouse due?",
    "number of the storm lantern",
    "rent due",
    "lighthouse",
    "zanzibar",
)


class Watch:
    """Searches, and holds the states of the catalog from before and after each search.

    A hit is stale when its version was current in neither, though it is older
    than the first; or when its page, in that state, does not hold its text.
    """

    def __init__(self, data_dir: Path, anchor: str) -> None:
        embedder = FakeEmbedder(name=BUNDLED_NAME)
        self.library = Library(library_settings(data_dir, BUNDLED_NAME), embedder)
        self.before, self.after = (Catalog(data_dir / "catalog.db") for _ in range(2))
        self.finder = Finder(self.library)
        self.anchor = anchor
        self.seen: Counter[str] = Counter()
        self.slowest = 0.0
        self.notes: list[str] = []

    def ask(self, query: str, documents: tuple[str, ...]) -> None:
        started = time.monotonic()
        with self.before.database.snapshot() as before:
            newest = before.execute("SELECT coalesce(max(id), 0) FROM versions").fetchone()[0]
            hits = self.finder.search(query, limit=50, scope=Scope(documents=documents))
            self.slowest = max(self.slowest, time.monotonic() - started)
            with self.after.database.snapshot() as after:
                for hit in hits:
                    self.check(hit, (before, after), newest)
        self.seen["queries"] += 1
        self.seen["hits"] += len(hits)
        if not hits:
            self.seen["empty"] += 1
            self.notes.append(f"no hit for {query!r}")
        if (documents or query == "zanzibar") and self.anchor not in {h.document for h in hits}:
            self.seen["anchor missing"] += 1

    def check(self, hit: Hit, states: tuple[sqlite3.Connection, ...], newest: int) -> None:
        for state in states:
            row = state.execute(
                "SELECT substr(p.text, ?, ?) FROM documents d"
                " JOIN pages p ON p.version_id = d.version_id AND p.number = ?"
                " WHERE d.id = ? AND d.version_id = ?",
                (
                    hit.char_start + 1,
                    hit.char_end - hit.char_start,
                    hit.page,
                    hit.document_id,
                    hit.version_id,
                ),
            ).fetchone()
            if row is not None:
                if row[0] != hit.text:
                    self.seen["wrong text"] += 1
                return
        if hit.version_id <= newest:
            self.seen["stale"] += 1
            self.notes.append(f"{hit.chunk_id} of {hit.document} is not visible")
        else:
            self.seen["came and went"] += 1

    def summary(self) -> dict[str, Any]:
        names = ("queries", "hits", "empty", "anchor missing", "wrong text", "stale", "errors")
        return {
            **{name: self.seen[name] for name in (*names, "came and went")},
            "slowest_ms": round(1000 * self.slowest),
            "notes": self.notes[:10],
        }


def main(data_dir: Path, anchor: str) -> None:
    """Ask until standard input ends."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    watch = Watch(data_dir, anchor)
    rng = random.Random(1)
    # The first search imports the client and joins the server.
    watch.finder.search("zanzibar")
    print("ready", flush=True)
    while not ended.is_set():
        started = time.monotonic()
        try:
            watch.ask(rng.choice(QUERIES), (anchor,) if rng.random() < 0.3 else ())
        except Exception as exc:  # noqa: BLE001 - counted and told
            watch.seen["errors"] += 1
            watch.notes.append(f"{type(exc).__name__}: {exc}")
        ended.wait(max(0.0, EVERY_S - (time.monotonic() - started)))
    print(json.dumps(watch.summary()), flush=True)
    watch.library.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
