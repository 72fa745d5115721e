"""The product's own path: a real file, ingested, searched, packed and answered, and watched.

One library of its own holds one document, the haystack of the trial. The
needle is followed by what it says, not by ids: into the parser's text, into a
chunk, into the index, into the candidates, into the passages that are read and
into the prompt that is sent. The first check that fails names the stage that
lost it, and asking again with that cause taken away confirms it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.answers import Answer, AnswerReady
from app.assistant import Assistant
from app.chat import ChatModel, Message, TokenCount, Usage
from app.duplicates import copies_last
from app.find import Finder, Findings
from app.reading import read, searched_for
from app.settings import AppSettings
from evaluation.niah.records import FailureStage, Needle
from storage.errors import HayloftError, ServiceUnavailable, StorageError
from storage.library import Library
from storage.records import EVERYTHING, Hit, Scope

if TYPE_CHECKING:
    from ingest.settings import IngestSettings
    from storage.catalog import Passage

DOCUMENT = "haystack.txt"

_AROUND, _TELLING = 20, 8
"""Characters beside a half of a needle that tell it from a sentence that is like it; at least."""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Watched:
    """What one question to the product brought, and the way of its needles."""

    answer: str
    messages: tuple[Message, ...]
    """As sent; empty where nothing was sent."""
    prompt: TokenCount | None
    usage: Usage
    trace: tuple[dict[str, Any], ...]
    delivered: bool | None
    """None where there is no needle to deliver."""
    packed_position: float | None
    lost: FailureStage | None
    """The stage that lost a needle before the model read anything."""


@dataclass(frozen=True, slots=True)
class _Needle:
    """A needle as it is looked for."""

    text: str
    chunks: frozenset[str]
    """Ids of the chunks that hold it whole."""
    overlap: float
    """The largest share of it in one chunk."""
    halves: tuple[str, ...] = ()
    """Its first half with what stands before it in a chunk, its second with what stands behind."""

    def partly_in(self, text: str) -> bool:
        """Whether a half of it stands in a text; half of a sentence that is like it is none."""
        return any(half in text for half in self.halves)


class WatchedModel:
    """A chat model that remembers what it was sent and what its server told."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.provider, self.name = model.provider, model.name
        self.sent: tuple[Message, ...] = ()
        self.usage = Usage()
        self.text = ""

    def window(self) -> int:
        """See app.chat.ChatModel."""
        return self._model.window()

    def room(self, reserve: int) -> int:
        """See app.chat.ChatModel."""
        return self._model.room(reserve)

    def count(self, messages: Sequence[Message]) -> TokenCount:
        """See app.chat.ChatModel."""
        return self._model.count(messages)

    def count_text(self, text: str) -> TokenCount:
        """See app.chat.ChatModel."""
        return self._model.count_text(text)

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        """See app.chat.ChatModel."""
        self.sent, self.usage, self.text = tuple(messages), Usage(), ""
        with closing(self._model.stream(messages, reserve=reserve)) as stream:  # type: ignore[type-var]
            for item in stream:
                if isinstance(item, Usage):
                    self.usage = item
                else:
                    self.text += item
                yield item


class WatchedFinder:
    """A finder that remembers what it found, and can put given chunks first."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self.found: Findings | None = None
        self.hits: tuple[Hit, ...] = ()
        self.first: frozenset[str] = frozenset()
        """Chunks that are put at rank 1, found or not: the counterfactual."""

    def search(self, query: str, *, limit: int = 10, scope: Scope = EVERYTHING) -> list[Hit]:
        """See app.find.Finder."""
        # As the finder's own search does; its candidates are wanted, too.
        self.found = self.finder.findings(query, limit=limit, scope=scope)
        hits = copies_last(self.finder.ordered(self.found, limit)) if self.found else []
        if self.first:
            wanted = [hit for hit in hits if hit.chunk_id in self.first]
            there = {hit.chunk_id for hit in wanted}
            wanted += self._forced(sorted(self.first - there))
            hits = [*wanted, *(hit for hit in hits if hit.chunk_id not in self.first)][:limit]
            hits = [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)]
        self.hits = tuple(hits)
        return hits

    def _forced(self, chunk_ids: Sequence[str]) -> list[Hit]:
        with self.finder._library.catalog.snapshot() as snapshot:
            passages = snapshot.passages(chunk_ids)
        return [
            passages[chunk_id].hit(rank=1, score=1.0)
            for chunk_id in chunk_ids
            if chunk_id in passages
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


class Product:
    """The product with one document. Made once a run; close it at the end.

    `finder` makes the finder of a library, `before` changes the text that is
    written, `after` the library once it is ingested: the self-test plants its
    faults there.
    """

    def __init__(
        self,
        home: Path,
        library: Library,
        model: ChatModel,
        settings: AppSettings,
        *,
        ingest: IngestSettings | None = None,
        finder: Callable[[Library, AppSettings], Finder] = Finder,
        before: Callable[[str], str] = lambda text: text,
        after: Callable[[Library, Sequence[Needle]], None] = lambda library, needles: None,
    ) -> None:
        self.library = library
        self._folder = home / "documents"
        self._model = WatchedModel(model)
        self._settings = settings
        self._ingest_settings = ingest
        self._before, self._after = before, after
        self._finder = WatchedFinder(finder(library, settings))
        self._written = ""

    @property
    def reserve(self) -> int:
        """Tokens that the product keeps for an answer."""
        return self._settings.reserve

    def close(self) -> None:
        """Close the library; its Chroma server ends soon after."""
        self.library.close()

    def put(self, text: str, needles: Sequence[Needle]) -> None:
        """Write the document and ingest it; nothing where it is there already.

        Raises HayloftError where the file cannot be ingested at all.
        """
        text = self._before(text)
        if text == self._written:
            return
        from ingest.job import IngestJob
        from ingest.settings import IngestSettings

        self._written = ""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / DOCUMENT).write_text(text, encoding="utf-8", errors="replace")
        except OSError as exc:
            raise StorageError(f"{self._folder} cannot be written: {exc.strerror or exc}.") from exc
        settings = self._ingest_settings or IngestSettings()
        report = IngestJob(self.library, settings, lambda event: None).run([self._folder])
        if report.failed:
            reasons = " ".join(failure.reason for failure in report.failures)
            raise HayloftError(f"The haystack could not be ingested: {reasons}")
        self._after(self.library, needles)
        self._written = text

    def ask(self, question: str, needles: Sequence[Needle]) -> Watched:
        """Ask the product and follow the needles. Raises as the assistant does."""
        answer = self._answer(question, self._settings)
        return self._watched(answer, needles)

    def again(self, question: str, needles: Sequence[Needle], *, how: str) -> Watched:
        """Ask with one cause of a loss taken away.

        `gold_first`: the needles' chunks at rank 1; `double_budget`: twice as
        many passages, each twice as long.
        """
        settings = self._settings
        try:
            if how == "gold_first":
                chunks = self._looked_for(needles)
                self._finder.first = frozenset().union(*(one.chunks for one in chunks))
            else:
                settings = settings.model_copy(
                    update={
                        "passages": 2 * settings.passages,
                        "passage_characters": 2 * settings.passage_characters,
                    }
                )
            return self._watched(self._answer(question, settings), needles)
        finally:
            self._finder.first = frozenset()

    def fingerprint(self) -> dict[str, Any]:
        """All of the product that an answer depends on, for the row's key."""
        from app.prompt_text import RULES
        from ingest.settings import IngestSettings

        settings = self._settings
        chunks = self._ingest_settings or IngestSettings()
        return {
            "rules": RULES,
            "mode": settings.mode,
            "passages": settings.passages,
            "passage_characters": settings.passage_characters,
            "reserve": settings.reserve,
            "reranker": settings.reranker,
            "embedder": self.library.settings.embedder,
            "chunks": [chunks.chunk_tokens, chunks.chunk_overlap],
        }

    def _answer(self, question: str, settings: AppSettings) -> Answer:
        self._model.sent = ()
        # No rewriting of the question: each is asked on its own.
        settings = settings.model_copy(update={"followups": "off"})
        assistant = Assistant(self.library, self._finder, self._model, settings)  # type: ignore[arg-type]
        for event in assistant.ask(question):
            if isinstance(event, AnswerReady):
                return event.answer
        raise ServiceUnavailable("The product ended without an answer. Run the command again.")

    def _watched(self, answer: Answer, needles: Sequence[Needle]) -> Watched:
        sent = self._model.sent
        prompt = self._model.count(sent) if sent else None
        if not needles:
            return Watched(answer.text, sent, prompt, self._model.usage, (), None, None, None)
        packed = folded("\n".join(message.content for message in sent))
        trace = self._trace(needles, answer.question, packed)
        delivered = all(folded(needle.text) in packed for needle in needles)
        lost = next((check["stage"] for check in trace if not check["passed"]), None)
        if delivered:
            # It came by another way: what failed before lost nothing.
            trace = [
                check if check["passed"] else {**check, "stage": None, "got_round": check["stage"]}
                for check in trace
            ]
        at = packed.find(folded(needles[0].text)) if delivered else -1
        return Watched(
            answer=answer.text,
            messages=sent,
            prompt=prompt,
            usage=self._model.usage,
            trace=tuple(trace),
            delivered=delivered,
            packed_position=round(at / len(packed), 4) if at >= 0 else None,
            lost=None if delivered else lost,
        )

    def _trace(self, needles: Sequence[Needle], query: str, packed: str) -> list[dict[str, Any]]:
        """One check after another, each for all needles."""
        looked = self._looked_for(needles)
        texts = self._page_texts()
        found, hits = self._finder.found, self._finder.hits
        arms = (found.dense, found.lexical) if found else ()
        seen = {chunk_id for arm in arms for chunk_id, _ in arm}
        ranked = [item.chunk_id for item in found.ranked] if found else []
        passages = folded("\n".join(hit.text for hit in self._read(hits)))
        shares = [_share(folded(needle.text), packed) for needle in needles]
        checks = [
            _check("parse", "INGEST_PARSE", all(folded(n.text) in texts for n in needles)),
            _check(
                "split",
                "INGEST_SPLIT",
                all(one.chunks for one in looked),
                best_overlap=round(min(one.overlap for one in looked), 3),
            ),
            self._index_check(looked),
            _check(
                "candidates",
                "RETRIEVE_RECALL",
                all(one.chunks & seen for one in looked),
                rank=self._true_rank(looked, query, ranked),
                candidates=len(ranked),
            ),
            _check(
                "ranking",
                "RETRIEVE_RANK",
                all(folded(needle.text) in passages for needle in needles),
                read=len(hits),
            ),
        ]
        missing = [one for one, share in zip(looked, shares, strict=True) if share < 1]
        cut = bool(missing) and all(one.partly_in(packed) for one in missing)
        checks.append(
            _check(
                "packing",
                "PACK_CUT" if cut else "PACK_DROP",
                all(share == 1 for share in shares),
                least_share=round(min(shares), 3),
            )
        )
        return checks

    def _index_check(self, looked: Sequence[_Needle]) -> dict[str, Any]:
        """Whether the vectors are there, of the right size, and made of the whole chunk."""
        identity = self.library.catalog.identity()
        wanted = sorted(frozenset().union(*(one.chunks for one in looked)))
        if identity is None or not wanted:
            return _check("index", "INGEST_INDEX", not wanted, missing=0)
        vectors = self.library.vectors.vectors(identity.collection, wanted)
        sound = {
            chunk_id for chunk_id, vector in vectors.items() if len(vector) == identity.dimension
        }
        with self.library.catalog.snapshot() as snapshot:
            passages = snapshot.passages(wanted)
        embedder = self.library.embedder
        truncated = [
            chunk_id
            for chunk_id, passage in passages.items()
            if len(embedder.token_spans(passage.text)) > embedder.max_tokens
        ]
        whole = sound - set(truncated)
        return _check(
            "index",
            "INGEST_INDEX",
            all(one.chunks & whole for one in looked if one.chunks),
            missing=len(set(wanted) - sound),
            truncated=len(truncated),
        )

    def _true_rank(
        self, looked: Sequence[_Needle], query: str, ranked: Sequence[str]
    ) -> int | None:
        """The worst rank of the needles' chunks, probed in all chunks where it is far down."""
        if not all(one.chunks for one in looked):
            return None
        ranks = _ranks(looked, ranked)
        return max(ranks or _ranks(looked, self._all_ranked(query)), default=None)

    def _all_ranked(self, query: str) -> list[str]:
        chunks = self.library.catalog.counts().chunks
        found = self._finder.finder.findings(query, limit=max(1, chunks))
        return [item.chunk_id for item in found.ranked] if found else []

    def _read(self, hits: Sequence[Hit]) -> Sequence[Hit]:
        """The passages that the assistant made of these hits."""
        settings = self._settings
        if len(hits) > searched_for(settings.passages):
            settings = settings.model_copy(update={"passages": len(hits) // 2})
        return read(
            self.library.catalog, hits, settings.passages, settings.passage_characters
        ).passages

    def _page_texts(self) -> str:
        return folded("\n".join(text for _, text in self._pages()))

    def _pages(self) -> list[tuple[int, str]]:
        """(page number, text) of the one document; nothing where it is not there."""
        found = []
        for summary in self.library.catalog.documents():
            pages = self.library.catalog.pages(summary.document_id)
            found += [(page.number, page.text) for page in pages]
        return found

    def _looked_for(self, needles: Sequence[Needle]) -> list[_Needle]:
        """The needles with the chunks that hold them."""
        chunks = self._chunks()
        found = []
        for needle in needles:
            text = folded(needle.text)
            texts = {chunk.chunk_id: folded(chunk.text) for chunk in chunks}
            whole = frozenset(name for name, there in texts.items() if text in there)
            overlap = (
                1.0 if whole else max((_share(text, one) for one in texts.values()), default=0)
            )
            halves = [half for name in whole for half in _halves(text, texts[name])]
            found.append(_Needle(text, whole, overlap, tuple(halves)))
        return found

    def _chunks(self) -> list[Passage]:
        documents = self.library.catalog.documents()
        with self.library.catalog.snapshot() as snapshot:
            ids = [
                chunk_id
                for one in documents
                for number in range(1, one.pages + 1)
                for chunk_id in snapshot.page_chunks(one.document_id, number)
            ]
            return list(snapshot.passages(ids).values())


def folded(text: str) -> str:
    """The text as it is compared: compatibility forms, each run of white space one blank."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip()


def _check(name: str, stage: FailureStage, passed: bool, **more: object) -> dict[str, Any]:
    return {"check": name, "stage": stage, "passed": passed, **more}


def _rank(chunks: frozenset[str], ranked: Sequence[str]) -> int | None:
    return next((rank for rank, one in enumerate(ranked, start=1) if one in chunks), None)


def _ranks(looked: Sequence[_Needle], ranked: Sequence[str]) -> list[int]:
    """The best rank of each needle's chunks; empty where one of them has none."""
    found = [_rank(one.chunks, ranked) for one in looked]
    ranks = [rank for rank in found if rank is not None]
    return ranks if len(ranks) == len(found) else []


def _halves(needle: str, chunk: str) -> list[str]:
    start, middle = chunk.index(needle), len(needle) // 2
    end = start + len(needle)
    before, behind = chunk[max(0, start - _AROUND) : start], chunk[end : end + _AROUND]
    found = [before + needle[:middle]] if len(before) >= _TELLING else []
    return found + ([needle[middle:] + behind] if len(behind) >= _TELLING else [])


def _share(needle: str, text: str) -> float:
    """The longest part of the needle that stands in the text, as a share of the needle."""
    if needle in text:
        return 1.0
    match = SequenceMatcher(None, needle, text, autojunk=False).find_longest_match()
    return match.size / len(needle)
