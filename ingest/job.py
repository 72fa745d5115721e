"""One ingestion run: bring the index in line with the files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.index_target import sizes_of, target_of
from ingest.intake import Departures, Intake
from ingest.loaders import ocr
from ingest.loaders.registry import loader_for
from ingest.parsing import Parsed, ParserPool
from ingest.pipeline import OnDone, Pipeline
from ingest.planning import PAUSES_S, Plan, Reading, brake, plan_run
from ingest.report import DocumentDone, Report, RunEvent, RunStarted
from ingest.restoring import VectorCheck
from ingest.scan import FoundFile, ScanProblem
from ingest.settings import IngestSettings
from ingest.sources import Scope, scopes_of
from ingest.sweeping import Sweeper
from ingest.telling import Teller
from ingest.token_counting import COUNTED_WITH, count_tokens
from storage.catalog import GRACE_S, IndexIdentity
from storage.catalog_writer import CatalogWriter, FileState, KnownFile
from storage.errors import DocumentUnreadable, LockHeld, StorageError, UsageError
from storage.library import Library
from storage.locks import FileLock
from storage.rooms import room_at

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Order:
    """What a run was asked to do, beside its paths."""

    rebuild: bool
    allow_deletes: bool
    verify: bool
    retry: bool


class IngestJob:
    """Brings a library in line with its files.

    Killed at any instant, the next run sweeps what was half-written; a reader
    sees each document in its old or in its new version, never in between.
    """

    def __init__(
        self, library: Library, settings: IngestSettings, tell: Callable[[RunEvent], None]
    ) -> None:
        self._library = library
        self._settings = settings
        self._writer = CatalogWriter(library.catalog)
        self._teller = Teller(library, self._writer, tell)
        self._report = self._teller.report
        self._sweeper = Sweeper(library, self._writer, GRACE_S)
        self._order = _Order(rebuild=False, allow_deletes=False, verify=False, retry=False)

    def run(
        self,
        paths: Sequence[Path],
        *,
        rebuild: bool = False,
        allow_deletes: bool = False,
        verify: bool = False,
        retry: bool = False,
        mode: str = "",
    ) -> Report:
        """Ingest these paths, or every known source where none is named.

        With `rebuild` everything is read and embedded anew into a second
        collection, which takes over in one commit at the end. With `verify`
        every file is hashed, whatever its size and time say. Files that were
        set aside are tried when their next attempt is due, when they changed,
        when a path is named, and with `retry`. `mode` is what the history
        calls the run. Raises LockHeld, UsageError, DeleteBrake, IndexMismatch,
        StorageError or ServiceUnavailable; files that cannot be read are only
        reported.
        """
        self._order = _Order(rebuild, allow_deletes, verify, retry=retry or bool(paths))
        with self._one_run(mode or ("rebuild" if rebuild else "verify" if verify else "ingest")):
            self._run(paths)
        return self._report

    def forget(self, paths: Sequence[Path]) -> Report:
        """Take source folders and all their documents out of the library.

        Raises UsageError for a folder that is no source.
        """
        if not paths:
            raise UsageError("Name the folder to forget; `hayloft status` lists them.")
        with self._one_run("forget"):
            for path in paths:
                root = str(path.expanduser().absolute().resolve())
                gone = self._writer.forget_source(root)
                if gone is None:
                    raise UsageError(
                        f"{path} is not a source of this library. `hayloft status` lists them."
                    )
                private = room_at(self._library.settings.data_dir, Path(root)) != ""
                for name in gone:
                    self._report.deleted += 1
                    self._teller.tell(DocumentDone(name, "deleted", private=private))
            self._sweeper.after_a_run()
        return self._report

    @property
    def report(self) -> Report:
        """What has been done so far; also of a run that ended with an error."""
        return self._report

    # --- the run as a whole -------------------------------------------------------------------

    @contextmanager
    def _one_run(self, mode: str) -> Iterator[None]:
        """Hold the run lock and keep the run's line in the history."""
        data_dir = self._library.settings.data_dir
        self._library.catalog.identity()  # creates the data directory, or says why it cannot
        with FileLock(data_dir / "ingest.lock") as lock:
            if not _acquired(lock):
                raise LockHeld(
                    f"Another ingestion run is at work on {data_dir}. Wait for it to end; "
                    "`hayloft status` shows the runs."
                )
            with self._teller.line.kept(mode):
                yield

    def _run(self, paths: Sequence[Path]) -> None:
        order = self._order
        self._sweeper.before_a_run()
        scopes = self._scopes(paths)
        if order.rebuild and paths:
            # A new index holds everything or nothing: the other sources too.
            scopes = self._scopes([])
        identity = self._library.catalog.identity()
        if identity is not None and not order.rebuild:
            self._refuse_other_index()
        recogniser = self._recogniser()
        if recogniser != "off":
            self._writer.retry_unread(recogniser)
        plan = plan_run(
            scopes,
            self._writer,
            everything=order.rebuild,
            verify=order.verify,
            retry=order.retry,
            empty_is_gone=order.allow_deletes,
        )
        documents = self._writer.documents() if plan.departed else 0

        def brake_at(gone: int) -> None:
            if not order.allow_deletes:
                most = self._settings.max_delete_share
                brake(gone, scopes, documents=documents, most=most)

        brake_at(plan.leaving)
        self._start(plan, scopes)
        departures = Departures(plan.departed)
        if plan.to_read or order.rebuild:
            self._writer.note(COUNTED_WITH, "")
            self._read(plan, departures, None if order.rebuild else identity, before=identity)
            if (recogniser := self._recogniser()) != "off":
                self._writer.read_with(recogniser)
        if departures.left:
            # What looked like moves by `stat` may have been none.
            brake_at(sum(not file.room for file in departures.left))
            self._delete(departures.left)
        self._restore(asked=bool(plan.to_read) or order.verify or order.rebuild)
        count_tokens(self._library, self._writer, self._settings.tokenizer)
        self._sweeper.after_a_run()

    def _start(self, plan: Plan, scopes: Sequence[Scope]) -> None:
        """Tell what is going to be done, and what could not even be looked at."""
        self._report.unchanged = plan.unchanged
        self._report.waiting = plan.waiting
        self._teller.tell(
            RunStarted(
                files=sum(len(scope.found) for scope in scopes),
                to_read=len(plan.to_read),
                to_delete=len(plan.departed) - plan.moves,
            )
        )
        for source_id, problem in plan.problems:
            self._not_looked_at(source_id, problem)
        for scope in scopes:
            for suffix, count in scope.skipped.items():
                self._report.skipped[suffix] = self._report.skipped.get(suffix, 0) + count

    def _scopes(self, paths: Sequence[Path]) -> list[Scope]:
        return scopes_of(
            paths,
            self._library.catalog,
            self._writer,
            follow_symlinks=self._settings.follow_symlinks,
        )

    def _refuse_other_index(self) -> None:
        """Compare what can be compared without loading the model; the rest when it is loaded."""
        mismatch = self._library.mismatch()
        if mismatch is not None:
            raise mismatch

    def _recogniser(self) -> str:
        """What recognises text here, asked only where there is text to recognise."""
        if not self._writer.has_unread():
            return "off"
        return ocr.signature(
            ocr.OcrSettings(mode=self._settings.ocr, languages=self._settings.ocr_languages)
        )

    # --- reading and writing ------------------------------------------------------------------

    def _read(
        self,
        plan: Plan,
        departures: Departures,
        identity: IndexIdentity | None,
        *,
        before: IndexIdentity | None,
    ) -> None:
        """Parse, embed and publish; the parser works ahead while the model embeds.

        Into the index `identity`, or into a new one, which takes the place of the one `before`.
        """
        rebuild = self._order.rebuild
        with self._parsers() as pool:
            parsed = pool.parse_all(
                (reading.file.path for reading in plan.to_read),
                [reading.known for reading in plan.to_read],
            )
            # Parsing begins before the model is loaded: both take seconds.
            with self._writing(identity, self._teller.done) as (intake, target):
                for reading, result in zip(plan.to_read, parsed, strict=True):
                    self._take(reading, result, departures, intake)
                    self._teller.line.beat()
                for source_id, known in plan.to_carry:
                    intake.carry(source_id, known)
        if rebuild:
            self._writer.switch(target)
            if before is not None:
                time.sleep(GRACE_S)
                self._library.vectors.drop(before.collection)
                self._writer.forget_collection(before.collection)

    @contextmanager
    def _writing(
        self, identity: IndexIdentity | None, on_done: OnDone
    ) -> Iterator[tuple[Intake, IndexIdentity]]:
        """Takes documents into an index; all of them are committed when the block ends."""
        rebuild = self._order.rebuild and identity is None
        embedder = self._library.embedder
        sizes = sizes_of(self._settings, embedder)
        target = target_of(self._library, identity, sizes)
        self._library.vectors.create(target.collection)
        if identity is None and not rebuild:
            # Only now: a reader takes an identity for a collection that is there.
            self._writer.set_identity(target)
        pipeline = Pipeline(
            writer=self._writer,
            vectors=self._library.vectors,
            embedder=embedder,
            collection=target.collection,
            visible=not rebuild,
            on_done=on_done,
            on_progress=self._teller.progress,
        )
        try:
            yield (
                Intake(self._writer, pipeline, sizes, embedder.token_spans, anew=rebuild),
                target,
            )
            pipeline.close()
        except BaseException:
            pipeline.abandon()
            raise

    def _parsers(self) -> ParserPool:
        return ParserPool(self._settings, readings=self._library.settings.data_dir / "ocr")

    def _restore(self, *, asked: bool) -> None:
        """Make the vectors again that Chroma has lost; `asked` where it is at work anyway."""
        identity = self._library.catalog.identity()
        if identity is None:
            return
        check = VectorCheck(self._library, self._writer)
        if not asked and not check.is_due(identity):
            return
        lost = check.lost(identity)
        if not lost:
            return
        log.warning("the vectors of %d documents are gone from Chroma; making them", len(lost))
        with self._writing(identity, self._teller.restored) as (intake, _):
            for source_id, known in lost:
                intake.carry(source_id, known)
        self._report.note = (
            f"The vectors of {len(lost):,} {'document' if len(lost) == 1 else 'documents'} were "
            "gone from Chroma and were made again."
        )
        check.lost(identity)

    # --- one file -----------------------------------------------------------------------------

    def _take(
        self, reading: Reading, result: Parsed, departures: Departures, intake: Intake
    ) -> None:
        """One file that was read: known, moved, copied, new, changed or unreadable."""
        rebuild, verify = self._order.rebuild, self._order.verify
        scope, file, before, _ = reading
        document = result.document
        reader = loader_for(file.suffix).version
        if isinstance(document, DocumentUnreadable):
            self._set_aside(scope.source_id, file, document, reader)
            if rebuild and before is not None:
                intake.carry(scope.source_id, before)
            return
        state = FileState(file.relative, result.size, result.mtime_ns, result.sha256, reader)
        if verify:
            self._report.verified += 1
        if before is not None and not rebuild and _same_content(before, state):
            self._writer.touch(before.version_id, state)
            self._writer.clear_failures(scope.source_id, [file.relative])
            self._report.unchanged += 1
            if (before.size, before.mtime_ns) != (state.size, state.mtime_ns):
                self._teller.tell(
                    DocumentDone(
                        file.relative,
                        "unchanged",
                        seconds=result.seconds,
                        private=bool(scope.room),
                    )
                )
            return
        moved = departures.take(state, scope.room) if before is None else None
        if moved is not None:
            intake.move(moved, scope.source_id, state, document)
            if not rebuild and moved.reader == reader:
                self._report.moved += 1
                # What it was called while one conversation alone saw it is still theirs.
                was = moved.path if scope.room or not moved.room else ""
                self._teller.tell(
                    DocumentDone(
                        file.relative,
                        "moved",
                        seconds=result.seconds,
                        was=was,
                        private=bool(scope.room),
                    )
                )
                return
        if document is None:
            document = intake.stored(scope.source_id, state)
        if document is None:
            # The content was known, and its last owner has changed in this very run.
            with self._parsers() as pool:
                [result] = pool.parse_all([file.path])
            self._take(reading, result, departures, intake)
            return
        if verify and before is not None and not scope.room and _same_stat(before, state):
            self._report.unseen.append(file.relative)
        intake.add(scope.source_id, state, document, result.seconds, updates=bool(before or moved))

    def _delete(self, files: list[KnownFile]) -> None:
        self._writer.remove([file.document_id for file in files])
        for file in files:
            self._report.deleted += 1
            self._teller.tell(DocumentDone(file.path, "deleted", private=bool(file.room)))

    def _set_aside(
        self, source_id: int, file: FoundFile, error: DocumentUnreadable, reader: str
    ) -> None:
        """A file that could not be read, until its next attempt is due."""
        self._writer.fail(
            source_id,
            file.relative,
            error.kind,
            str(error),
            size=file.size,
            mtime_ns=file.mtime_ns,
            reader=reader,
            pauses=PAUSES_S,
        )
        failure = DocumentDone(file.relative, "failed", kind=error.kind, reason=str(error))
        self._teller.failed(source_id, failure)

    def _not_looked_at(self, source_id: int, problem: ScanProblem) -> None:
        """What a scan found and could not look at; every run looks again, and it is news once."""
        attempts = self._writer.fail(source_id, problem.path, problem.kind, problem.reason)
        if problem.path == ".":
            self._report.sources_missing += 1
        failure = DocumentDone(problem.path, "failed", kind=problem.kind, reason=problem.reason)
        self._teller.failed(source_id, failure, news=attempts == 1)


def _acquired(lock: FileLock) -> bool:
    try:
        return lock.acquire(timeout_s=1.0)
    except OSError as exc:
        raise StorageError(
            f"The lock {lock.path} cannot be made ({exc.strerror}). Free some space or mend the "
            "permissions of its folder, and run the command again."
        ) from exc


def _same_stat(before: KnownFile, file: FileState) -> bool:
    return (before.size, before.mtime_ns) == (file.size, file.mtime_ns)


def _same_content(before: KnownFile, state: FileState) -> bool:
    return before.sha256 == state.sha256 and before.reader == state.reader
