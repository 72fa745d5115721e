"""What a run tells while it goes on: events for who watches it, and counts for its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ingest.pipeline import Work
from ingest.report import ChunksEmbedded, DocumentDone, Report, RunEvent
from ingest.run_line import RunLine
from storage.catalog_writer import CatalogWriter
from storage.library import Library


class Teller:
    """Tells of one run; what happens in a room is told as private."""

    def __init__(
        self, library: Library, writer: CatalogWriter, tell: Callable[[RunEvent], None]
    ) -> None:
        self.report = Report()
        self.line = RunLine(library, self.report)
        self._writer = writer
        self._tell_others = tell

    def tell(self, event: RunEvent) -> None:
        """Tell of it, and keep the run's line in the history."""
        self.line.hear(event)
        self._tell_others(event)

    def failed(self, source_id: int, failure: DocumentDone, *, news: bool = True) -> None:
        """A file that could not be read; `news` where it is the first time."""
        if self._writer.room_of(source_id):
            # The conversation that the file was given to is told of it, and nobody else.
            self.tell(replace(failure, private=True))
            return
        self.report.failed += 1
        self.report.news += news
        self.report.failures.append(failure)
        self.tell(failure)

    def done(self, work: Work) -> None:
        """A document that was read and can be found now."""
        self.report.pages += len(work.document.pages)
        self.report.chunks += len(work.chunks)
        self.report.embedded += work.embedded
        if work.updates:
            self.report.updated += 1
        else:
            self.report.added += 1
        self.tell(self._told(work, "updated" if work.updates else "added"))

    def restored(self, work: Work) -> None:
        """A document whose vectors were made again."""
        self.report.embedded += work.embedded
        self.report.chunks += len(work.chunks)
        self.tell(self._told(work, "restored"))

    def _told(self, work: Work, action: str) -> DocumentDone:
        return DocumentDone(
            document=work.file.path,
            action=action,
            pages=len(work.document.pages),
            chunks=len(work.chunks),
            seconds=work.seconds,
            warnings=work.document.warnings,
            embedded=work.embedded,
            characters=sum(len(page.text) for page in work.document.pages),
            paged=work.document.paged,
            private=bool(self._writer.room_of(work.source_id)),
        )

    def progress(self, work: Work) -> None:
        """A document of which part is embedded."""
        if work.left:
            self.tell(
                ChunksEmbedded(
                    work.file.path,
                    len(work.chunks) - work.left,
                    len(work.chunks),
                    private=bool(self._writer.room_of(work.source_id)),
                )
            )
