"""What becomes of a document that was read: moved, taken over from its like, or embedded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from ingest.chunking import ChunkSizes, TokenSpans, chunk_document, lead_of
from ingest.pipeline import Pipeline, Work
from ingest.planning import title_elsewhere
from storage.catalog_writer import CatalogWriter, FileState, KnownFile
from storage.records import ParsedDocument


class Departures:
    """Documents whose files are gone, until one turns up in another place."""

    def __init__(self, departed: Iterable[KnownFile]) -> None:
        self._by_content: dict[str, list[KnownFile]] = defaultdict(list)
        for file in departed:
            self._by_content[file.sha256].append(file)

    def take(self, file: FileState, room: str = "") -> KnownFile | None:
        """The departed document that a new file is, by its content; it is no longer departed.

        A private document may move within its room, and out of it into the library; nothing
        moves into a room.
        """
        departed = self._by_content.get(file.sha256, [])
        same = [known for known in departed if not room or known.room == room]
        if not same:
            return None
        name = PurePosixPath(file.path).name
        best = min(
            same,
            key=lambda known: (
                known.reader != file.reader,
                PurePosixPath(known.path).name != name,
                known.document_id,
            ),
        )
        departed.remove(best)
        return best

    @property
    def left(self) -> list[KnownFile]:
        """Those that turned up nowhere."""
        return [file for files in self._by_content.values() for file in files]


class Intake:
    """Hands documents to the pipeline with the name that leads their chunks' texts.

    A vector is made of a text and the name of its document. A file that is
    renamed keeps its vectors, and one with the content of another takes that
    one's, so both are led by the name that was there first. With `anew`, for a
    rebuild, only what the run itself has seen counts.
    """

    def __init__(
        self,
        writer: CatalogWriter,
        pipeline: Pipeline,
        sizes: ChunkSizes,
        token_spans: TokenSpans,
        *,
        anew: bool,
    ) -> None:
        self._writer = writer
        self._pipeline = pipeline
        self._sizes = sizes
        self._token_spans = token_spans
        self._anew = anew
        self._leads: dict[tuple[str, str, str], str] = {}

    def add(
        self,
        source_id: int,
        file: FileState,
        document: ParsedDocument,
        seconds: float,
        *,
        updates: bool,
    ) -> None:
        """Put a document into the index; `updates` where an earlier version is visible."""
        own = lead_of(document.title, file.path)
        room = self._writer.room_of(source_id)
        lead = self._lead(file, room) or own
        self._leads.setdefault((file.sha256, file.reader, room), lead)
        self._pipeline.add(
            Work(
                source_id=source_id,
                file=file,
                document=document,
                chunks=chunk_document(
                    document, self._sizes, self._token_spans, path=file.path, lead=lead
                ),
                seconds=seconds,
                updates=updates,
                lead="" if lead == own else lead,
            )
        )

    def carry(self, source_id: int, known: KnownFile) -> None:
        """Move the last good version of a file that cannot be read into the new index."""
        self.add(
            source_id,
            FileState(known.path, known.size, known.mtime_ns, known.sha256, known.reader),
            self._writer.parsed_before(known.version_id),
            0.0,
            updates=True,
        )

    def move(
        self, known: KnownFile, source_id: int, file: FileState, document: ParsedDocument | None
    ) -> None:
        """Give a departed document the path of the file that turned up with its content."""
        title = document.title if document is not None else title_elsewhere(known, file.path)
        title = title or known.title
        lead = known.lead or lead_of(known.title, known.path)
        self._writer.move(
            known.document_id,
            source_id,
            # Its pages are still as the earlier reader gave them.
            replace(file, reader=known.reader),
            title=title,
            lead="" if lead == lead_of(title, file.path) else lead,
        )

    def stored(self, source_id: int, file: FileState) -> ParsedDocument | None:
        """A content that the library holds, as its file under this path would be read."""
        room = self._writer.room_of(source_id)
        known = self._writer.same_content(file.sha256, file.reader, room)
        title = title_elsewhere(known, file.path) if known is not None else None
        if known is None or title is None:
            return None
        document = self._writer.parsed_before(known.version_id)
        return replace(document, title=title) if document.pages else None

    def _lead(self, file: FileState, room: str) -> str:
        """The name that leads the vectors of this content, where there are some; else empty."""
        if not self._anew:
            known = self._writer.same_content(file.sha256, file.reader, room)
            if known is not None:
                return known.lead or lead_of(known.title, known.path)
        return self._leads.get((file.sha256, file.reader, room), "")
