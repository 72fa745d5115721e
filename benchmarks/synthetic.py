"""A library of any size without documents: made-up pages, with vectors that lie as real ones do.

The words come from the bundled model's vocabulary, frequent ones often, and
each page has a topic with words of its own, so that the full-text index has
common and rare terms. A chunk's vector is its topic's (the model's own
embedding of the topic's words) mixed with another topic's and with noise, so
that questions lie near some of the chunks, as they do in a real library. The
same numbers give the same library; a larger one begins with the smaller.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.embedded import model_folder

CHUNKS_A_PAGE = 3
PAGES_A_DOCUMENT = 20
CHUNKS_A_DOCUMENT = CHUNKS_A_PAGE * PAGES_A_DOCUMENT

_TOPICS = 400
_TOPIC_WORDS = 60
_WORDS_A_CHUNK = 140
_WORDS_A_SENTENCE = 14
_OF_TOPIC = 0.25
"""The share of words that are the topic's own."""
_TOGETHER = 8
"""Documents whose vectors are sent at once."""
_SEED = 20261121


@dataclass(frozen=True, slots=True)
class MadeUp:
    """One document: where it lies, its chunks' texts by page, and its topics."""

    path: str
    title: str
    pages: tuple[tuple[str, ...], ...]
    topics: tuple[int, ...]
    """One a page."""


class Maker:
    """Makes documents, vectors and questions out of numbers."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder

    @cached_property
    def _words(self) -> list[str]:
        """Whole lower-case words of the model's vocabulary, about from frequent to rare."""
        lines = (Path(model_folder("bundled")) / "vocab.txt").read_text("utf-8").split("\n")
        return [line for line in lines if line.isascii() and line.isalpha() and len(line) > 1]

    @cached_property
    def _odds(self) -> Any:
        import numpy as np

        weights = 1 / (np.arange(len(self._words)) + 2.7)
        return np.cumsum(weights / weights.sum())

    @cached_property
    def _topics(self) -> Any:
        """Numbers of each topic's words, none of the most frequent; shape (topics, words)."""
        import numpy as np

        draw = np.random.default_rng(_SEED)
        rare = np.arange(300, len(self._words))
        return np.stack([draw.choice(rare, _TOPIC_WORDS, replace=False) for _ in range(_TOPICS)])

    @cached_property
    def _centres(self) -> Any:
        texts = [" ".join(self._words[i] for i in topic[:12]) for topic in self._topics]
        return self._embedder.embed_passages(texts)

    def document(self, number: int) -> MadeUp:
        """The document of a number."""
        import numpy as np

        draw = np.random.default_rng((_SEED, number))
        main = int(draw.integers(_TOPICS))
        topics = tuple(
            main if draw.random() < 0.7 else int(draw.integers(_TOPICS))
            for _ in range(PAGES_A_DOCUMENT)
        )
        name = [self._words[i].capitalize() for i in draw.choice(self._topics[main], 2)]
        title = f"{' '.join(name)} {1990 + number % 35}"
        pages = tuple(
            tuple(self._text(draw, topic) for _ in range(CHUNKS_A_PAGE)) for topic in topics
        )
        path = f"{name[0].lower()}/{title.replace(' ', '_')}_{number:05}.pdf"
        return MadeUp(path, title, pages, topics)

    def vectors(self, number: int, made: MadeUp) -> Any:
        """Unit vectors of a document's chunks, shape (chunks, dimension)."""
        import numpy as np

        draw = np.random.default_rng((_SEED, number, 1))
        own = np.repeat(np.asarray(made.topics), CHUNKS_A_PAGE)
        other = draw.integers(_TOPICS, size=len(own))
        noise = draw.standard_normal((len(own), self._centres.shape[1]))
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        mixed = 0.75 * self._centres[own] + 0.35 * self._centres[other] + 0.55 * noise
        return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)

    def questions(self, count: int) -> list[str]:
        """Questions about the topics; every fourth names a document."""
        import numpy as np

        draw = np.random.default_rng((_SEED, 2**31))
        asked = []
        for number in range(count):
            topic = self._topics[int(draw.integers(_TOPICS))]
            first, second, third = (self._words[i] for i in draw.choice(topic, 3, replace=False))
            year = 1990 + int(draw.integers(35))
            place = f"in {year}"
            if number % 4 == 0:
                place = f"according to {self.document(number).title}"
            asked.append(f"What was the {first} {second} of the {third} {place}?")
        return asked

    def _text(self, draw: Any, topic: int) -> str:
        import numpy as np

        numbers = np.searchsorted(self._odds, draw.random(_WORDS_A_CHUNK))
        numbers = np.minimum(numbers, len(self._words) - 1)
        of_topic = draw.random(_WORDS_A_CHUNK) < _OF_TOPIC
        numbers[of_topic] = draw.choice(self._topics[topic], int(of_topic.sum()))
        words = [self._words[i] for i in numbers]
        for place in range(0, len(words), _WORDS_A_SENTENCE):
            words[place] = words[place].capitalize()
            words[place - 1] += "."
        for place in draw.integers(len(words), size=4):
            words[place] = f"{int(draw.integers(1, 100_000)):,}"
        return " ".join(words)


def fill(library: Any, maker: Maker, chunks: int) -> None:
    """Bring a library to at least so many chunks through the storage layer's writer.

    One that holds some already is carried on with.
    """
    from ingest.chunking import ChunkSizes
    from storage.catalog_writer import CatalogWriter

    writer = CatalogWriter(library.catalog)
    there = library.catalog.counts().documents
    wanted = -(-chunks // CHUNKS_A_DOCUMENT)
    if there >= wanted:
        return
    identity = library.catalog.identity()
    if identity is None:
        sizes = ChunkSizes(library.embedder.max_tokens, 0)
        collection = f"synthetic-{library.catalog.library_id()}"
        identity = library.new_identity(sizes.fingerprint, collection)
        library.vectors.create(collection)
        writer.set_identity(identity)
    source = writer.source("/synthetic", whole=False)
    started = time.perf_counter()
    for start in range(there, wanted, _TOGETHER):
        numbers = range(start, min(start + _TOGETHER, wanted))
        _add(library, writer, maker, source, identity.collection, numbers)
    made = (wanted - there) * CHUNKS_A_DOCUMENT
    common.say(f"  made {made:,} chunks in {time.perf_counter() - started:.0f} s")


def _add(
    library: Any, writer: Any, maker: Maker, source: int, collection: str, numbers: range
) -> None:
    import numpy as np

    from storage.catalog_writer import FileState
    from storage.vectors import VectorRow

    made = [(number, maker.document(number)) for number in numbers]
    versions = [
        writer.begin_version(source, document.path, CHUNKS_A_DOCUMENT, collection)
        for _, document in made
    ]
    rows, contents = [], []
    for version, (_, document) in zip(versions, made, strict=True):
        parsed, chunks = _parsed(document)
        contents.append((parsed, chunks))
        rows += [
            VectorRow(
                chunk_id=f"{version.version_id}:{chunk.ordinal}",
                text=chunk.text,
                document_id=version.document_id,
                version_id=version.version_id,
                page=chunk.page,
            )
            for chunk in chunks
        ]
    vectors = np.concatenate([maker.vectors(number, document) for number, document in made])
    library.vectors.upsert(collection, rows, vectors)
    for version, (number, document), (parsed, chunks) in zip(versions, made, contents, strict=True):
        shas = [hashlib.sha256(f"{number}/{i}".encode()).digest() for i in range(len(chunks))]
        state = FileState(document.path, 1000, 0, hashlib.sha256(shas[0]).hexdigest(), "synthetic")
        writer.publish(version.version_id, state, parsed, chunks, shas)


def _parsed(document: MadeUp) -> tuple[Any, list[Any]]:
    """The document and its chunks as ingestion would hand them to the writer."""
    from storage.records import Chunk, Page, ParsedDocument

    pages, chunks = [], []
    for number, texts in enumerate(document.pages, 1):
        pages.append(Page(number, "\n\n".join(texts), label=str(number)))
        for start, text in _placed(texts):
            chunks.append(
                Chunk(
                    ordinal=len(chunks),
                    page=number,
                    char_start=start,
                    char_end=start + len(text),
                    text=text,
                    heading="",
                    embedded_text=text,
                )
            )
    return ParsedDocument(document.title, tuple(pages), True, "synthetic"), chunks


def _placed(texts: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Each text with where it begins on its page."""
    start = 0
    for text in texts:
        yield start, text
        start += len(text) + 2
