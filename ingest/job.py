"""One ingestion run: bring the index in line with the files."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ingest.chunking import ChunkSizes
from ingest.intake import Departures, Intake
from ingest.loaders import ocr
from ingest.loaders.registry import loader_for
from ingest.parsing import Parsed, ParserPool
from ingest.pipeline import Pipeline, Work
from ingest.planning import PAUSES_S, Plan, Reading, brake, plan_run
from ingest.report import ChunksEmbedded, DocumentDone, Report, RunEvent, RunStarted
from ingest.scan import FoundFile
from ingest.settings import IngestSettings
from ingest.sources import Scope, scopes_of
from ingest.token_counting import COUNTED_WITH, count_tokens
from storage.catalog import GRACE_S, IndexIdentity
from storage.catalog_writer import CatalogWriter, FileState, KnownFile
from storage.errors import (
    DeleteBrake,
    DocumentUnreadable,
    HayloftError,
    IndexMismatch,
    LockHeld,
    StorageError,
    UsageError,
)
from storage.library import Library
from storage.locks import FileLock
from storage.metrics import metrics_text, write_metrics
from storage.records import chunk_ids

log = logging.getLogger(__name__)


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
        self._tell = tell
        self._writer = CatalogWriter(library.catalog)
        self._report = Report()
        self._verifying = False

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
        with self._one_run(mode or ("rebuild" if rebuild else "verify" if verify else "ingest")):
            self._run(
                paths,
                rebuild=rebuild,
                allow_deletes=allow_deletes,
                verify=verify,
                retry=retry or bool(paths),
            )
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
                for name in gone:
                    self._report.deleted += 1
                    self._tell(DocumentDone(name, "deleted"))
            self._sweep_after_grace()
        return self._report

    @property
    def report(self) -> Report:
        """What has been done so far; also of a run that ended with an error."""
        return self._report

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
            self._report.run_id = self._writer.begin_run(mode)
            outcome, message = "error", "The run ended with a fault of the program; see its log."
            try:
                yield
                outcome = "complete" if self._report.in_line else "failed-files"
                message = ""
            except DeleteBrake as exc:
                outcome, message = "brake", str(exc)
                raise
            except HayloftError as exc:
                message = str(exc)
                raise
            except KeyboardInterrupt:
                outcome, message = "interrupted", ""
                raise
            finally:
                self._report.seconds = time.monotonic() - self._report.started
                self._report.outcome, self._report.message = outcome, message
                self._end()

    def _end(self) -> None:
        report = self._report
        try:
            self._writer.end_run(
                report.run_id,
                report.outcome,
                report.counts(),
                report.message,
                seconds=report.seconds,
                reasons=report.reasons(),
            )
        except HayloftError as exc:
            # A full disk may refuse this line too; the error that ended the
            # run is the one to show, and the next run closes the line.
            log.warning("the run's line in the history could not be closed: %s", exc)
            return
        try:
            write_metrics(self._library.settings.data_dir, metrics_text(self._library.catalog))
        except (OSError, HayloftError) as exc:
            log.warning("the metrics of the run could not be written: %s", exc)

    def _run(
        self,
        paths: Sequence[Path],
        *,
        rebuild: bool,
        allow_deletes: bool,
        verify: bool,
        retry: bool,
    ) -> None:
        self._sweep(retired_before=time.time() - GRACE_S)
        scopes = self._scopes(paths)
        if rebuild and paths:
            # A new index holds everything or nothing: the other sources too.
            scopes = self._scopes([])
        identity = self._library.catalog.identity()
        if identity is not None and not rebuild:
            self._refuse_other_index()
        recogniser = self._recogniser()
        if recogniser != "off":
            self._writer.retry_unread(recogniser)
        plan = plan_run(
            scopes,
            self._writer,
            everything=rebuild,
            verify=verify,
            retry=retry,
            empty_is_gone=allow_deletes,
        )
        documents = self._writer.documents() if plan.departed else 0

        def brake_at(gone: int) -> None:
            if not allow_deletes:
                most = self._settings.max_delete_share
                brake(gone, scopes, documents=documents, most=most)

        brake_at(len(plan.departed) - plan.moves)
        self._report.unchanged = plan.unchanged
        self._report.waiting = plan.waiting
        self._verifying = verify
        self._tell(
            RunStarted(
                files=sum(len(scope.found) for scope in scopes),
                to_read=len(plan.to_read),
                to_delete=len(plan.departed) - plan.moves,
            )
        )
        for source_id, problem in plan.problems:
            self._fail(source_id, problem.path, problem.kind, problem.reason)
        for scope in scopes:
            for suffix, count in scope.skipped.items():
                self._report.skipped[suffix] = self._report.skipped.get(suffix, 0) + count
        departures = Departures(plan.departed)
        if plan.to_read or rebuild:
            self._writer.note(COUNTED_WITH, "")
            self._read(plan, departures, identity, rebuild=rebuild)
            if (recogniser := self._recogniser()) != "off":
                self._writer.read_with(recogniser)
        if departures.left:
            # What looked like moves by `stat` may have been none.
            brake_at(len(departures.left))
            self._delete(departures.left)
        count_tokens(self._library, self._writer, self._settings.tokenizer)
        self._sweep_after_grace()

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

    def _read(
        self,
        plan: Plan,
        departures: Departures,
        identity: IndexIdentity | None,
        *,
        rebuild: bool,
    ) -> None:
        """Parse, embed and publish; the parser works ahead while the model embeds."""
        with self._parsers() as pool:
            parsed = pool.parse_all(
                (reading.file.path for reading in plan.to_read),
                [reading.known for reading in plan.to_read],
            )
            # Parsing begins before the model is loaded: both take seconds.
            embedder = self._library.embedder
            sizes = ChunkSizes(
                min(self._settings.chunk_tokens or embedder.max_tokens, embedder.max_tokens),
                self._settings.chunk_overlap,
            )
            target = self._target(identity, sizes, rebuild=rebuild)
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
                on_done=self._done,
                on_progress=self._progress,
            )
            try:
                self._feed(plan, departures, parsed, pipeline, sizes, rebuild=rebuild)
                pipeline.close()
            except BaseException:
                pipeline.abandon()
                raise
        if rebuild:
            self._writer.switch(target)
            if identity is not None:
                time.sleep(GRACE_S)
                self._library.vectors.drop(identity.collection)
                self._writer.forget_collection(identity.collection)

    def _parsers(self) -> ParserPool:
        return ParserPool(self._settings, readings=self._library.settings.data_dir / "ocr")

    def _recogniser(self) -> str:
        """What recognises text here, asked only where there is text to recognise."""
        if not self._writer.has_unread():
            return "off"
        return ocr.signature(
            ocr.OcrSettings(mode=self._settings.ocr, languages=self._settings.ocr_languages)
        )

    def _feed(
        self,
        plan: Plan,
        departures: Departures,
        parsed: Iterator[Parsed],
        pipeline: Pipeline,
        sizes: ChunkSizes,
        *,
        rebuild: bool,
    ) -> None:
        intake = Intake(
            self._writer, pipeline, sizes, self._library.embedder.token_spans, anew=rebuild
        )
        for reading, result in zip(plan.to_read, parsed, strict=True):
            self._take(reading, result, departures, intake, rebuild=rebuild)
        for source_id, known in plan.to_carry:
            intake.carry(source_id, known)

    def _take(
        self,
        reading: Reading,
        result: Parsed,
        departures: Departures,
        intake: Intake,
        *,
        rebuild: bool,
    ) -> None:
        """One file that was read: known, moved, copied, new, changed or unreadable."""
        scope, file, before, _ = reading
        document = result.document
        reader = loader_for(file.suffix).version
        if isinstance(document, DocumentUnreadable):
            self._fail(scope.source_id, file.relative, document.kind, str(document), file, reader)
            if rebuild and before is not None:
                intake.carry(scope.source_id, before)
            return
        state = FileState(file.relative, result.size, result.mtime_ns, result.sha256, reader)
        if self._verifying:
            self._report.verified += 1
        if before is not None and not rebuild and _same_content(before, state):
            self._writer.touch(before.version_id, state)
            self._writer.clear_failures(scope.source_id, [file.relative])
            self._report.unchanged += 1
            if (before.size, before.mtime_ns) != (state.size, state.mtime_ns):
                self._tell(DocumentDone(file.relative, "unchanged", seconds=result.seconds))
            return
        moved = departures.take(state) if before is None else None
        if moved is not None:
            intake.move(moved, scope.source_id, state, document)
            if not rebuild and moved.reader == reader:
                self._report.moved += 1
                self._tell(
                    DocumentDone(file.relative, "moved", seconds=result.seconds, was=moved.path)
                )
                return
        if document is None:
            document = intake.stored(state)
        if document is None:
            # The content was known, and its last owner has changed in this very run.
            with self._parsers() as pool:
                [result] = pool.parse_all([file.path])
            self._take(reading, result, departures, intake, rebuild=rebuild)
            return
        if self._verifying and before is not None and _same_stat(before, state):
            self._report.unseen.append(file.relative)
        intake.add(scope.source_id, state, document, result.seconds, updates=bool(before or moved))

    def _target(
        self, identity: IndexIdentity | None, sizes: ChunkSizes, *, rebuild: bool
    ) -> IndexIdentity:
        """The index to write into: the one there is, or a new one."""
        if identity is not None and not rebuild:
            self._library.readable_identity()  # raises, with its sentence, for another model
            if not sizes.same_recipe(identity.chunking):
                raise IndexMismatch(
                    "The index was built by an earlier Hayloft, which cut or embedded texts "
                    f"otherwise ({identity.chunking}, now {sizes.fingerprint}). It can be searched "
                    "as it is; to take files in, run `hayloft ingest --rebuild`."
                )
            if identity.chunking != sizes.fingerprint:
                raise IndexMismatch(
                    "The index was built with other chunk settings "
                    f"({identity.chunking}, now {sizes.fingerprint}). Set HAYLOFT_CHUNK_TOKENS "
                    "and HAYLOFT_CHUNK_OVERLAP back, or run `hayloft ingest --rebuild`."
                )
            return identity
        return self._library.new_identity(
            sizes.fingerprint,
            # A name of its own each time: a rebuild drops the old one by name.
            f"hayloft-{self._library.catalog.library_id()}-{uuid.uuid4().hex[:8]}",
        )

    def _delete(self, files: list[KnownFile]) -> None:
        if not files:
            return
        self._writer.remove([file.document_id for file in files])
        for file in files:
            self._report.deleted += 1
            self._tell(DocumentDone(file.path, "deleted"))

    def _done(self, work: Work) -> None:
        self._report.pages += len(work.document.pages)
        self._report.chunks += len(work.chunks)
        self._report.embedded += work.embedded
        if work.updates:
            self._report.updated += 1
        else:
            self._report.added += 1
        self._tell(
            DocumentDone(
                document=work.file.path,
                action="updated" if work.updates else "added",
                pages=len(work.document.pages),
                chunks=len(work.chunks),
                seconds=work.seconds,
                warnings=work.document.warnings,
                embedded=work.embedded,
                characters=sum(len(page.text) for page in work.document.pages),
            )
        )

    def _progress(self, work: Work) -> None:
        if work.left:
            self._tell(
                ChunksEmbedded(work.file.path, len(work.chunks) - work.left, len(work.chunks))
            )

    def _fail(
        self,
        source_id: int,
        path: str,
        kind: str,
        reason: str,
        file: FoundFile | None = None,
        reader: str = "",
    ) -> None:
        """Set a file aside; a scan's problem, which has no `file`, is looked at on every run."""
        if file is None:
            self._writer.fail(source_id, path, kind, reason)
        else:
            self._writer.fail(
                source_id,
                path,
                kind,
                reason,
                size=file.size,
                mtime_ns=file.mtime_ns,
                reader=reader,
                pauses=PAUSES_S,
            )
        failure = DocumentDone(path, "failed", kind=kind, reason=reason)
        self._report.failed += 1
        self._report.failures.append(failure)
        self._tell(failure)

    def _sweep(self, *, retired_before: float) -> None:
        """Delete the vectors of versions that are not, or no longer, visible."""
        leftovers = self._writer.leftovers(retired_before=retired_before)
        for leftover in leftovers:
            self._library.vectors.delete_if_there(
                leftover.collection,
                chunk_ids({leftover.version_id: leftover.chunks}),
            )
            self._writer.forget([leftover.version_id])
        if leftovers:
            log.info("swept the vectors of %d versions", len(leftovers))

    def _sweep_after_grace(self) -> None:
        last = self._writer.last_retired_at()
        if last is not None:
            time.sleep(max(0.0, last + GRACE_S - time.time()))
            self._sweep(retired_before=time.time())


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
