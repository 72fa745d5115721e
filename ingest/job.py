"""One ingestion run: bring the index in line with the files."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ingest.chunking import ChunkSizes, chunk_document
from ingest.loaders.registry import loader_for
from ingest.parsing import Parsed, ParserPool
from ingest.pipeline import Pipeline, Work
from ingest.planning import Plan, brake, plan_run
from ingest.report import ChunksEmbedded, DocumentDone, Report, RunEvent, RunStarted
from ingest.settings import IngestSettings
from ingest.sources import Scope, scopes_of
from storage.catalog import GRACE_S, IndexIdentity
from storage.catalog_writer import CatalogWriter, FileState, KnownFile
from storage.errors import (
    DeleteBrake,
    DocumentUnreadable,
    HayloftError,
    IndexMismatch,
    LockHeld,
    UsageError,
)
from storage.library import Library
from storage.locks import FileLock

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

    def run(
        self, paths: Sequence[Path], *, rebuild: bool = False, allow_deletes: bool = False
    ) -> Report:
        """Ingest these paths, or every known source where none is named.

        With `rebuild` everything is read and embedded anew into a second
        collection, which takes over in one commit at the end. Raises LockHeld,
        UsageError, DeleteBrake, IndexMismatch, StorageError or
        ServiceUnavailable; files that cannot be read are only reported.
        """
        with self._one_run():
            self._run(paths, rebuild=rebuild, allow_deletes=allow_deletes)
        return self._report

    def forget(self, paths: Sequence[Path]) -> Report:
        """Take source folders and all their documents out of the library.

        Raises UsageError for a folder that is no source.
        """
        if not paths:
            raise UsageError("Name the folder to forget; `hayloft status` lists them.")
        with self._one_run():
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

    @contextmanager
    def _one_run(self) -> Iterator[None]:
        """Hold the run lock and keep the run's line in the history."""
        data_dir = self._library.settings.data_dir
        self._library.catalog.counts()  # creates the data directory, or says why it cannot
        with FileLock(data_dir / "ingest.lock") as lock:
            if not lock.acquire(timeout_s=1.0):
                raise LockHeld(
                    f"Another ingestion run is at work on {data_dir}. Wait for it to end; "
                    "`hayloft status` shows the runs."
                )
            run_id = self._writer.begin_run()
            outcome, message = "error", "The run ended with a fault of the program; see its log."
            try:
                yield
                outcome = "failed-files" if self._report.failed else "complete"
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
                self._end(run_id, outcome, message)

    def _end(self, run_id: int, outcome: str, message: str) -> None:
        try:
            self._writer.end_run(run_id, outcome, self._report.counts(), message)
        except HayloftError as exc:
            # A full disk may refuse this line too; the error that ended the
            # run is the one to show, and the next run closes the line.
            log.warning("the run's line in the history could not be closed: %s", exc)

    def _run(self, paths: Sequence[Path], *, rebuild: bool, allow_deletes: bool) -> None:
        self._sweep(retired_before=time.time() - GRACE_S)
        scopes = self._scopes(paths)
        if rebuild and paths:
            # A new index holds everything or nothing: the other sources too.
            scopes = self._scopes([])
        identity = self._library.catalog.identity()
        if identity is not None and not rebuild:
            self._refuse_other_index()
        plan = plan_run(scopes, self._writer, everything=rebuild)
        if not allow_deletes:
            brake(
                plan,
                scopes,
                documents=self._library.catalog.counts().documents,
                most=self._settings.max_delete_share,
            )
        self._report.unchanged = plan.unchanged
        self._tell(
            RunStarted(
                files=sum(len(scope.found) for scope in scopes),
                to_read=len(plan.to_read),
                to_delete=len(plan.to_delete),
            )
        )
        for scope in scopes:
            self._set_aside_problems(scope)
            for suffix, count in scope.skipped.items():
                self._report.skipped[suffix] = self._report.skipped.get(suffix, 0) + count
        if plan.to_read or rebuild:
            self._read(plan, identity, rebuild=rebuild)
        self._delete(plan.to_delete)
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

    def _set_aside_problems(self, scope: Scope) -> None:
        for problem in scope.problems:
            self._fail(scope.source_id, problem.path, problem.kind, problem.reason)

    def _read(self, plan: Plan, identity: IndexIdentity | None, *, rebuild: bool) -> None:
        """Parse, embed and publish; the parser works ahead while the model embeds."""
        with ParserPool(self._settings) as pool:
            parsed = pool.parse_all(file.path for _, file, _ in plan.to_read)
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
                self._feed(plan, parsed, pipeline, sizes, rebuild=rebuild)
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

    def _feed(
        self,
        plan: Plan,
        parsed: Iterator[Parsed],
        pipeline: Pipeline,
        sizes: ChunkSizes,
        *,
        rebuild: bool,
    ) -> None:
        token_spans = self._library.embedder.token_spans
        for (scope, file, before), result in zip(plan.to_read, parsed, strict=True):
            state = FileState(
                path=file.relative,
                size=result.size,
                mtime_ns=result.mtime_ns,
                sha256=result.sha256,
                reader=loader_for(file.path.suffix).version,
            )
            document = result.document
            if isinstance(document, DocumentUnreadable):
                self._fail(scope.source_id, file.relative, document.kind, str(document))
                if not rebuild or before is None:
                    continue
                self._carry(scope.source_id, before, pipeline, sizes)
                continue
            if before is not None and not rebuild and _same_content(before, state):
                self._writer.touch(before.version_id, state)
                self._writer.clear_failures(scope.source_id, [file.relative])
                self._report.unchanged += 1
                self._tell(DocumentDone(file.relative, "unchanged", seconds=result.seconds))
                continue
            pipeline.add(
                Work(
                    source_id=scope.source_id,
                    file=state,
                    document=document,
                    chunks=chunk_document(document, sizes, token_spans, path=file.relative),
                    seconds=result.seconds,
                    updates=before is not None,
                )
            )
        for source_id, known in plan.to_carry:
            self._carry(source_id, known, pipeline, sizes)

    def _carry(
        self, source_id: int, known: KnownFile, pipeline: Pipeline, sizes: ChunkSizes
    ) -> None:
        """Move the last good version of a file that cannot be read into the new index."""
        document = self._writer.parsed_before(known.version_id)
        pipeline.add(
            Work(
                source_id=source_id,
                file=FileState(known.path, known.size, known.mtime_ns, known.sha256, known.reader),
                document=document,
                chunks=chunk_document(
                    document, sizes, self._library.embedder.token_spans, path=known.path
                ),
                seconds=0.0,
                updates=True,
            )
        )

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
            )
        )

    def _progress(self, work: Work) -> None:
        if work.left:
            self._tell(
                ChunksEmbedded(work.file.path, len(work.chunks) - work.left, len(work.chunks))
            )

    def _fail(self, source_id: int, path: str, kind: str, reason: str) -> None:
        self._writer.fail(source_id, path, kind, reason)
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
                (f"{leftover.version_id}:{ordinal}" for ordinal in range(leftover.chunks)),
            )
            self._writer.forget([leftover.version_id])
        if leftovers:
            log.info("swept the vectors of %d versions", len(leftovers))

    def _sweep_after_grace(self) -> None:
        last = self._writer.last_retired_at()
        if last is not None:
            time.sleep(max(0.0, last + GRACE_S - time.time()))
            self._sweep(retired_before=time.time())


def _same_content(before: KnownFile, state: FileState) -> bool:
    return before.sha256 == state.sha256 and before.reader == state.reader
