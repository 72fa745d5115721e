"""What Hayloft's search is compared with, on the same documents with the same model.

Its own two arms alone, the plain fusion of both by their ranks, and the
default settings of two well-known projects, reproduced:

- LlamaIndex 0.14 as its starter example runs: each page of a PDF a document,
  SentenceSplitter at its defaults (1,024 tokens, 200 overlap), each chunk led
  by `page_label` and `file_path`, nearest by cosine. The splitter and the
  text that is embedded are LlamaIndex's own.
- Open WebUI as it comes (version 0.9): each page's text through the Markdown
  header splitter, then pieces of 1,000 characters with 100 overlap, cut at
  paragraphs, lines, words; nearest by cosine; hybrid search and reranking off.

Both give a chat model fewer passages than are counted here (2 and 3).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.embedded import model_folder
from storage.records import Hit

RRF_K = 60
"""As in the paper that proposed rank fusion, and in every library since."""
_DEPTH = 100
"""How deep each arm is read for it; as deep as Hayloft reads them."""

_FILE_PATH = "/home/reader/data/"
"""Where LlamaIndex is pretended to have found the files: it embeds the whole path."""


class DenseArm:
    """The nearest vectors of a library, nothing else."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def search(self, query: str, *, limit: int = 10) -> list[Hit]:
        """See evaluation.retrieval.Searcher."""
        identity = self._library.readable_identity()
        vector = self._library.embedder.embed_query(query)
        found = self._library.vectors.nearest(identity.collection, vector, limit)
        return _passages(self._library, found)


class LexicalArm:
    """The full-text index of a library, nothing else."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def search(self, query: str, *, limit: int = 10) -> list[Hit]:
        """See evaluation.retrieval.Searcher."""
        with self._library.catalog.snapshot() as snapshot:
            found = snapshot.lexical(query, limit)
        return _passages(self._library, found)


class RankFusion:
    """Both arms, fused by 1 / (60 + rank)."""

    def __init__(self, library: Any) -> None:
        self._arms = (DenseArm(library), LexicalArm(library))

    def search(self, query: str, *, limit: int = 10) -> list[Hit]:
        """See evaluation.retrieval.Searcher."""
        scores: dict[str, float] = {}
        hits: dict[str, Hit] = {}
        for arm in self._arms:
            for found in arm.search(query, limit=max(_DEPTH, limit)):
                hits[found.chunk_id] = found
                scores[found.chunk_id] = scores.get(found.chunk_id, 0.0) + 1 / (RRF_K + found.rank)
        best = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))[:limit]
        return [
            _hit(rank, hits[id_].document, hits[id_].page, scores[id_], id_)
            for rank, id_ in enumerate(best, 1)
        ]


@dataclass(frozen=True, slots=True)
class PlainPage:
    """A page as a plain reader gives it."""

    document: str
    page: int
    label: str
    """The page's own label in a PDF; empty in other formats."""
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What one vector is made of, and the page it stands for."""

    document: str
    page: int
    embedded: str


class Peer:
    """Pieces compared with a query one by one: exact cosine, no index."""

    def __init__(self, pieces: Sequence[Piece], vectors: Any, queries: dict[str, Any]) -> None:
        self._pieces = pieces
        self._vectors = vectors
        self._queries = queries

    def search(self, query: str, *, limit: int = 10) -> list[Hit]:
        """See evaluation.retrieval.Searcher; only queries that were prepared can be asked."""
        import numpy as np

        similar = self._vectors @ self._queries[query]
        best = np.argsort(-similar, kind="stable")[:limit]
        return [
            _hit(rank, self._pieces[i].document, self._pieces[i].page, float(similar[i]), str(i))
            for rank, i in enumerate(best, 1)
        ]


class Vectors:
    """Texts embedded with the bundled model as sentence-transformers does by default, kept."""

    def __init__(self, folder: Path, model: str = "bundled") -> None:
        self._folder = folder
        self._name = model
        self._model: Any = None

    def of(self, texts: Sequence[str], what: str) -> Any:
        """Unit vectors, shape (len(texts), dimension); what exceeds 256 tokens is ignored."""
        import numpy as np

        digest = hashlib.sha256(self._name.encode())
        for text in texts:
            digest.update(hashlib.sha256(text.encode("utf-8", "replace")).digest())
        path = self._folder / f"{digest.hexdigest()[:32]}.npy"
        if path.is_file():
            return np.load(path)
        common.say(f"  embedding {len(texts):,} {what}")
        vectors = self._loaded().encode(
            list(texts), batch_size=16, normalize_embeddings=True, show_progress_bar=False
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        np.save(part, vectors)
        part.rename(path)
        return vectors

    def _loaded(self) -> Any:
        if self._model is None:
            from sentence_transformers import SentenceTransformer

            self._model = SentenceTransformer(model_folder(self._name))
        return self._model


class RememberingEmbedder:
    """A library's embedding model that embeds each question once, and keeps the vectors on disk."""

    def __init__(self, embedder: Any, folder: Path) -> None:
        told = (embedder.name, embedder.content, embedder.query_prompt, embedder.dimension)
        digest = hashlib.sha256(repr(told).encode()).hexdigest()
        self._embedder = embedder
        self._path = folder / f"queries-{digest[:32]}.npz"
        self._known = self._kept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed_query(self, text: str) -> Any:
        """See storage.embedding.Embedder."""
        key = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        if key not in self._known:
            self._known[key] = self._embedder.embed_query(text)
        return self._known[key]

    def embed_queries(self, texts: Sequence[str]) -> None:
        """Embed what is not known yet, and keep all on disk."""
        import numpy as np

        before = len(self._known)
        for text in texts:
            self.embed_query(text.strip())
        if len(self._known) > before:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part.npz")
            np.savez(part, keys=list(self._known), vectors=list(self._known.values()))
            part.rename(self._path)

    def _kept(self) -> dict[str, Any]:
        import numpy as np

        if not self._path.is_file():
            return {}
        with np.load(self._path) as kept:
            return dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))


def plain_pages(documents: Path, cache: Path) -> list[PlainPage]:
    """The pages of a folder's documents as both projects read them, in the order of names.

    PDF pages by pypdf, text files whole. Of Markdown, HTML and Word files
    Hayloft's own sections are taken, so that what is counted is the same.
    """
    pages: list[PlainPage] = []
    for path in sorted(documents.rglob("*")):
        if path.is_file():
            name = path.relative_to(documents).as_posix()
            pages += [PlainPage(name, *page) for page in _read(path, cache)]
    return pages


def llama_index_pieces(pages: Sequence[PlainPage]) -> list[Piece]:
    """Chunks as VectorStoreIndex.from_documents embeds them."""
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.schema import Document, MetadataMode

    documents = []
    for index, page in enumerate(pages):
        metadata = {"page_label": page.label} if page.label else {}
        metadata["file_path"] = f"{_FILE_PATH}{page.document}"
        documents.append(Document(id_=str(index), text=page.text, metadata=metadata))
    pieces = []
    for node in SentenceSplitter().get_nodes_from_documents(documents):
        page = pages[int(node.ref_doc_id or 0)]
        embedded = node.get_content(metadata_mode=MetadataMode.EMBED)
        pieces.append(Piece(page.document, page.page, embedded))
    return pieces


def open_webui_pieces(pages: Sequence[PlainPage]) -> list[Piece]:
    """Chunks as Open WebUI embeds them."""
    return [
        Piece(page.document, page.page, chunk)
        for page in pages
        for section in markdown_sections(page.text)
        for chunk in character_chunks(section)
    ]


_HEADER = re.compile(r"#{1,6} ")
_FENCE = re.compile(r"```|~~~")


def markdown_sections(text: str) -> list[str]:
    """A text cut before its Markdown headers, lines stripped, blank lines gone.

    A blank line leaves two spaces at the end of the line before it, as
    LangChain's splitter does; most pages of a PDF hold no header and stay one.
    """
    sections: list[list[list[str]]] = [[[]]]
    levels: list[int] = []
    depth, fence = 0, ""
    for raw in text.split("\n"):
        line = "".join(filter(str.isprintable, raw.strip()))
        opened = _FENCE.match(line)
        if fence:
            fence = "" if line.startswith(fence) else fence
        elif opened and line.count(opened[0]) == 1:
            fence = opened[0]
        elif _HEADER.match(line):
            level = len(line) - len(line.lstrip("#"))
            levels = [*(higher for higher in levels if higher < level), level]
            blocks = [block for block in sections[-1] if block]
            # A header right below a higher one stays with it.
            if blocks and blocks[-1][-1].startswith("#") and depth < len(levels):
                sections[-1].append([])
            else:
                sections.append([[]])
            depth = len(levels)
        if line:
            sections[-1][-1].append(line)
        elif sections[-1][-1] and not fence:
            sections[-1].append([])
    joined = ("  \n".join("\n".join(block) for block in blocks if block) for blocks in sections)
    return [section for section in joined if section]


def character_chunks(
    text: str,
    size: int = 1000,
    overlap: int = 100,
    separators: Sequence[str] = ("\n\n", "\n", " ", ""),
) -> list[str]:
    """A text in pieces of at most `size` characters, cut at the strongest separator that is there.

    What is still too long is cut at the next weaker one. Separators stay at
    the head of the piece behind them; the last `overlap` characters, in whole
    parts, are repeated.
    """
    level = next(i for i, separator in enumerate(separators) if separator in text)
    chunks: list[str] = []
    short: list[str] = []
    for part in _parts(text, separators[level]):
        if len(part) < size:
            short.append(part)
            continue
        chunks += _joined(short, size, overlap)
        short = []
        weaker = separators[level + 1 :]
        chunks += character_chunks(part, size, overlap, weaker) if weaker else [part]
    return chunks + _joined(short, size, overlap)


def _parts(text: str, separator: str) -> list[str]:
    if not separator:
        return list(text)
    first, *others = text.split(separator)
    return [part for part in (first, *(separator + other for other in others)) if part]


def _joined(parts: Sequence[str], size: int, overlap: int) -> list[str]:
    chunks: list[str] = []
    window: list[str] = []
    length = 0
    for part in parts:
        if window and length + len(part) > size:
            chunks.append("".join(window).strip())
            while length > overlap or (length and length + len(part) > size):
                length -= len(window.pop(0))
        window.append(part)
        length += len(part)
    chunks.append("".join(window).strip())
    return [chunk for chunk in chunks if chunk]


def _read(path: Path, cache: Path) -> list[tuple[int, str, str]]:
    """(page, label, text) of every page of a file."""
    if path.suffix.lower() == ".txt":
        return [(1, "", path.read_text(encoding="utf-8"))]
    if path.suffix.lower() == ".pdf":
        return _read_pdf(path, cache)
    from ingest.loaders.registry import SUFFIXES, loader_for

    if path.suffix.lower() not in SUFFIXES:
        return []
    return [(page.number, "", page.text) for page in loader_for(path.suffix).load(path).pages]


def _read_pdf(path: Path, cache: Path) -> list[tuple[int, str, str]]:
    import pypdf

    digest = hashlib.sha256(pypdf.__version__.encode() + path.read_bytes()).hexdigest()
    kept = cache / f"{digest[:32]}.json"
    if kept.is_file():
        return [(page[0], page[1], page[2]) for page in json.loads(kept.read_text("utf-8"))]
    common.say(f"  reading {path.name} with pypdf")
    reader = pypdf.PdfReader(path)
    labels = reader.page_labels
    pages = [(i + 1, labels[i], page.extract_text()) for i, page in enumerate(reader.pages)]
    cache.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(pages), encoding="utf-8")
    part.rename(kept)
    return pages


def _passages(library: Any, found: Sequence[tuple[str, float]]) -> list[Hit]:
    """The visible chunks of a ranking, ranks without gaps."""
    with library.catalog.snapshot() as snapshot:
        passages = snapshot.passages(chunk_id for chunk_id, _ in found)
    there = [(chunk_id, score) for chunk_id, score in found if chunk_id in passages]
    return [
        _hit(rank, passages[chunk_id].document, passages[chunk_id].page, score, chunk_id)
        for rank, (chunk_id, score) in enumerate(there, 1)
    ]


def _hit(rank: int, document: str, page: int, score: float, chunk_id: str) -> Hit:
    """A hit with all that scoring looks at."""
    return Hit(
        rank=rank,
        document=document,
        page=page,
        score=score,
        text="",
        char_start=0,
        char_end=0,
        chunk_id=chunk_id,
        document_id=0,
        version_id=0,
        title="",
        heading="",
        page_label="",
        paged=True,
    )
