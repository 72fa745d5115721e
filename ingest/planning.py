"""What a run is going to do, decided by `stat` alone, and the brake on deleting."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from ingest.loaders.cleaning import readable_name
from ingest.loaders.registry import SUFFIXES, loader_for
from ingest.scan import FoundFile, ScanProblem
from ingest.sources import Scope
from storage.catalog_writer import CatalogWriter, KnownFailure, KnownFile
from storage.errors import DeleteBrake

_FEW = 2
"""Removing this many documents never trips the brake, unless they are all there are."""

PAUSES_S = (15 * 60.0, 3600.0, 6 * 3600.0, 23 * 3600.0)
"""Before a file that could not be read is tried a second, third, fourth time, and then daily.

An hour short of a day, so that each nightly run tries it.
"""


class Reading(NamedTuple):
    """A file to be read."""

    scope: Scope
    file: FoundFile
    before: KnownFile | None
    """Its last good version."""
    known: tuple[str, ...] = ()
    """SHA-256 of contents that need no parsing, only recognising."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to do."""

    to_read: list[Reading]
    departed: list[KnownFile]
    """Documents whose files are gone: moved, or to be deleted."""
    to_carry: list[tuple[int, KnownFile]]
    """Source and file of what a rebuild cannot look at: its last version moves along."""
    problems: list[tuple[int, ScanProblem]]
    """By source: what could not be looked at."""
    unchanged: int
    waiting: int
    """Files set aside before, whose next attempt is not due."""
    moves: int
    """At least so many files of the library look, by `stat` alone, like a departed one in a new
    place."""

    @property
    def leaving(self) -> int:
        """Documents of the library that go, as far as `stat` tells; private ones do not count."""
        return max(0, sum(not file.room for file in self.departed) - self.moves)


class _Known:
    """What the catalog knows about files, no more of it than is asked for."""

    def __init__(self, writer: CatalogWriter) -> None:
        self._writer = writer
        self._states: dict[int, dict[str, tuple[int, int, str]]] = {}
        self._files: dict[int, dict[str, KnownFile]] = {}

    def states(self, source_id: int) -> dict[str, tuple[int, int, str]]:
        """Size, time and reader by path: enough for a run in which nothing has changed."""
        if source_id not in self._states:
            self._states[source_id] = self._writer.states(source_id)
        return self._states[source_id]

    def files(self, source_id: int) -> dict[str, KnownFile]:
        """All that is known of each file."""
        if source_id not in self._files:
            self._files[source_id] = self._writer.files(source_id)
        return self._files[source_id]

    def all_of(self, sources: Iterable[int]) -> Iterator[KnownFile]:
        """The files of these sources and of all that were asked for before."""
        for source_id in sorted({*sources, *self._files}):
            yield from self.files(source_id).values()


@dataclass(slots=True)
class _Draft:
    to_read: list[Reading] = field(default_factory=list)
    departed: list[KnownFile] = field(default_factory=list)
    problems: list[tuple[int, ScanProblem]] = field(default_factory=list)
    unchanged: int = 0
    waiting: int = 0


def plan_run(
    scopes: Sequence[Scope],
    writer: CatalogWriter,
    *,
    everything: bool = False,
    verify: bool = False,
    retry: bool = False,
    empty_is_gone: bool = False,
) -> Plan:
    """Compare what was found with what is known.

    With `everything` all is to be read again; with `verify` all is to be hashed
    and read where the hash is another; with `retry` files that were set aside
    are tried whether or not that is due. A source folder that is empty all of a
    sudden is a problem and not a clean-out, except with `empty_is_gone`.
    Failures of files that are gone, or are again as they were when they were
    read, are forgotten.
    """
    known = _Known(writer)
    held = () if empty_is_gone else _suddenly_empty(scopes, known, writer)
    draft = _Draft()
    for scope in scopes:
        problems = list(scope.problems)
        if scope in held:
            problems.append(_emptied(scope, len(known.states(scope.source_id))))
        draft.problems += [(scope.source_id, problem) for problem in problems]
        _compare(
            scope,
            known,
            writer,
            draft,
            held=scope in held,
            again=everything or verify,
            retry=retry or everything or verify,
        )
    sources = dict.fromkeys(scope.source_id for scope in scopes)
    to_carry = _not_looked_at(sources, known, draft) if everything else []
    if not everything:
        draft.to_read = _with_known_contents(draft.to_read, known)
    return Plan(
        draft.to_read,
        draft.departed,
        to_carry,
        draft.problems,
        draft.unchanged,
        draft.waiting,
        _likely_moves(draft),
    )


def brake(gone: int, scopes: Sequence[Scope], *, documents: int, most: float) -> None:
    """Stop before a hiccup of a network share empties the library.

    `gone` of the library's `documents` would go; `most` is the share of it that
    a run may remove. Raises DeleteBrake.
    """
    all_gone = gone == documents and documents >= _FEW
    if all_gone or (gone > _FEW and gone > most * documents):
        roots = ", ".join(sorted({str(scope.root) for scope in scopes}))
        raise DeleteBrake(
            f"{gone} of {documents} documents are no longer under {roots}; nothing was "
            "deleted. If the folder is only missing its network share, bring it back; if "
            "they are meant to go, run `hayloft ingest --allow-deletes`."
        )


def title_elsewhere(known: KnownFile, path: str) -> str | None:
    """The title of a known content under another path; None where only reading it tells.

    A title that equals its file's name may be taken from it, or stand in the document.
    """
    then, now = (readable_name(PurePosixPath(name).stem) for name in (known.path, path))
    if known.title != then or then == now:
        return known.title
    # Pages that OCR read state no title, and reading them again takes minutes.
    return now if known.ocr_pages else None


def _compare(
    scope: Scope,
    known: _Known,
    writer: CatalogWriter,
    draft: _Draft,
    *,
    held: bool,
    again: bool,
    retry: bool,
) -> None:
    missing = dict(known.states(scope.source_id))
    failed = writer.failed(scope.source_id)
    now = time.time()
    readers = {suffix: loader_for(suffix).version for suffix in SUFFIXES}
    unchanged = 0
    settled = set[str]()
    # A library may have a million files, nearly all of which are as they were.
    for file in scope.found:
        _, path, size, mtime_ns, suffix = file
        state = missing.pop(path, None)
        # A loader that reads better now is a reason to read again.
        if state == (size, mtime_ns, readers[suffix]) and not again:
            unchanged += 1
            if failed and path in failed:
                settled.add(path)
        elif not retry and path in failed and _waits(failed[path], file, readers[suffix], now):
            # What one conversation waits for is no reason for the nightly run to report.
            draft.waiting += not scope.room
        else:
            before = known.files(scope.source_id)[path] if state else None
            draft.to_read.append(Reading(scope, file, before))
    draft.unchanged += unchanged
    gone = set[str]()
    if not held:
        departed = [path for path in missing if scope.covers(path)]
        draft.departed += [known.files(scope.source_id)[path] for path in departed]
        here = {file.relative for file in scope.found} if failed else ()
        gone = {path for path in failed if path not in here and scope.covers(path)}
    writer.clear_failures(scope.source_id, sorted(gone | settled))


def _waits(failure: KnownFailure, file: FoundFile, reader: str, now: float) -> bool:
    return (
        # Where the clock was set back, the moment may lie years ahead.
        0 < failure.next_try - now <= max(PAUSES_S)
        and (failure.size, failure.mtime_ns) == (file.size, file.mtime_ns)
        and failure.reader == reader
    )


def _suddenly_empty(scopes: Sequence[Scope], known: _Known, writer: CatalogWriter) -> list[Scope]:
    """Folders that held documents and hold nothing now.

    None where they are the whole library: that is for the brake.
    """
    empty = [
        scope
        for scope in scopes
        # A room lies in the data directory, which is never unmounted alone.
        if scope.is_empty and not scope.room and known.states(scope.source_id)
    ]
    if not empty:
        return []
    held = sum(len(known.states(scope.source_id)) for scope in empty)
    return [] if held == writer.documents() and held >= _FEW else empty


def _emptied(scope: Scope, documents: int) -> ScanProblem:
    return ScanProblem(
        ".",
        "emptied",
        f"The folder {scope.root} is empty, and the library holds {documents} documents from it, "
        "which stay searchable. Mount or restore it; if they are meant to go, run `hayloft ingest "
        "--allow-deletes`.",
    )


def _with_known_contents(to_read: list[Reading], known: _Known) -> list[Reading]:
    """Tell for each file which contents of its size would be an old one in a new place."""
    if not any(reading.before is None for reading in to_read):
        return [_knowing(reading, ()) for reading in to_read]
    sizes = {reading.file.size for reading in to_read if reading.before is None}
    by_size: dict[tuple[int, str], list[KnownFile]] = defaultdict(list)
    for file in known.all_of({reading.scope.source_id for reading in to_read}):
        if file.size in sizes:
            by_size[file.size, file.reader].append(file)
    return [
        _knowing(
            reading,
            ()
            if reading.before is not None
            else by_size.get((reading.file.size, loader_for(reading.file.suffix).version), ()),
        )
        for reading in to_read
    ]


def _knowing(reading: Reading, others: Iterable[KnownFile]) -> Reading:
    path = reading.file.relative
    shas = {other.sha256 for other in others if title_elsewhere(other, path) is not None}
    before = reading.before
    if before is not None and before.reader == loader_for(reading.file.suffix).version:
        shas.add(before.sha256)
    return reading._replace(known=tuple(shas))


def _likely_moves(draft: _Draft) -> int:
    """How many departed files have a new one of their size, time and type."""
    new = Counter(
        (reading.file.size, reading.file.mtime_ns, reading.file.suffix)
        for reading in draft.to_read
        if reading.before is None and not reading.scope.room
    )
    gone = Counter(
        (file.size, file.mtime_ns, PurePosixPath(file.path).suffix.lower())
        for file in draft.departed
        if not file.room
    )
    return (new & gone).total()


def _not_looked_at(
    sources: Iterable[int], known: _Known, draft: _Draft
) -> list[tuple[int, KnownFile]]:
    """Documents that are neither found nor known to be gone: below an unreadable folder."""
    planned = {reading.before.document_id for reading in draft.to_read if reading.before}
    planned |= {file.document_id for file in draft.departed}
    return [
        (source_id, file)
        for source_id in sources
        for file in known.files(source_id).values()
        if file.document_id not in planned
    ]
