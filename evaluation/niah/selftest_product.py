"""One planted fault for each stage of the product's path; the harness must name each.

A real file is ingested, searched, packed and answered; only the embedding
model (hashed words, so that nothing has to be loaded) and the chat model are
stand-ins. Each fault is planted where the product would have it: a parser that
loses the sentence, an index without its vector, a search that never returns
it, a packer that cuts it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import prompt
from app.calibration import RUNS
from app.find import Finder, Findings
from app.settings import AppSettings
from evaluation.niah import readers
from evaluation.niah.config import Config
from evaluation.niah.product import Product, folded
from evaluation.niah.readers import Look, Reader, Say, Sight
from evaluation.niah.records import FailureStage, Needle, Row, Trial
from evaluation.niah.run_folder import load
from storage.chroma_server import ChromaServer
from storage.errors import UsageError
from storage.library import Library
from storage.records import EVERYTHING, Hit, Scope
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from evaluation.niah.selftest import Check

_TOKEN = re.compile(r"\w+|[^\w\s]")
_WRONG = "1000000"
_LINGER_S = 0.5
_ORACLE = 256
_SHORT = 230
"""Words: the oracle's prompt has fewer, the product's more."""

_CONFIG = Config(
    haystack="generated",
    language="en",
    lengths=(2048,),
    depths=(0.1, 0.3, 0.5, 0.7, 0.9),
    trials=1,
    arms=("oracle", "rag"),
    mode="sweep",
    oracle_length=_ORACLE,
    counterfactuals=False,
)
"""Five questions of one document, so that it is ingested once."""


class HashedWords:
    """An embedding model without a model: texts that share words lie close together."""

    name = "selftest hashed words"
    dimension = 64
    max_tokens = 48
    passage_prompt = ""
    content = ""
    languages: tuple[str, ...] = ("en",)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See storage.embedding.Embedder."""
        import numpy as np

        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See storage.embedding.Embedder."""
        import numpy as np

        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in _TOKEN.findall(text.casefold()):
            vector[zlib.crc32(word.encode("utf-8", "surrogatepass")) % self.dimension] += 1.0
        unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See storage.embedding.Embedder."""
        return [match.span() for match in _TOKEN.finditer(text)]


@dataclass(frozen=True)
class Sentences:
    """The needles of a run, by the question that asks for each."""

    by_question: dict[str, str]

    @classmethod
    def of(cls, trials: Iterable[Trial]) -> Sentences:
        """Of the trials' own needles."""
        return cls({one.question: one.needles[0].text for one in trials})

    @property
    def all(self) -> list[str]:
        """Every one."""
        return list(dict.fromkeys(self.by_question.values()))

    def stands_in(self, text: str) -> bool:
        """Whether any of them stands whole in a text."""
        there = folded(text)
        return any(folded(sentence) in there for sentence in self.all)


Change = Callable[[Findings, str], Findings]


class FaultyFinder(Finder):
    """A finder whose findings are changed before anybody sees them."""

    def __init__(self, library: Library, settings: AppSettings, change: Change) -> None:
        super().__init__(library, settings)
        self._change = change

    def findings(
        self, query: str, *, limit: int = 10, scope: Scope = EVERYTHING
    ) -> Findings | None:
        """See app.find.Finder."""
        found = super().findings(query, limit=limit, scope=scope)
        return self._change(found, query) if found is not None else None


@dataclass(frozen=True)
class Fault:
    """Something that is broken on purpose, and the stage that must be blamed for it."""

    name: str
    stage: FailureStage | None
    """None: nothing is broken."""
    say: Say = readers.honest
    look: Look = lambda words: words
    before: Callable[[Sentences, str], str] = lambda sentences, text: text
    after: Callable[[Library, Sentences], None] = lambda library, sentences: None
    change: Callable[[Sentences, Findings, str], Findings] = lambda sentences, found, query: found
    packing: Callable[[Sentences], AbstractContextManager[None]] = lambda sentences: nullcontext()
    own_library: bool = False
    """True where the fault is in what is stored."""
    served: int = 0
    status: str = "ok"
    options: dict[str, Any] = field(default_factory=dict)


def product_checks(home: Path) -> Iterator[Check]:
    """A check for each fault, and one that a sound path loses nothing."""
    home.mkdir(parents=True, exist_ok=True)
    # One server for all libraries: each has a collection of its own.
    server = ChromaServer(home / "chroma-home", _LINGER_S)
    url = f"http://127.0.0.1:{server.join().port}"
    shared = _open(home / "product", url)
    try:
        for fault in FAULTS:
            library = _open(home / f"product-{fault.name}", url) if fault.own_library else shared
            try:
                yield _checked(fault, home, library)
            finally:
                if library is not shared:
                    library.close()
    finally:
        shared.close()
        server.leave()


def _checked(fault: Fault, home: Path, library: Library) -> Check:
    from evaluation.niah.selftest import Check

    rows = [row for row in _rows(fault, home, library) if row.arm == "rag"]
    stages = [row.failure_stage for row in rows]
    right = bool(rows) and all(stage == fault.stage for stage in stages)
    right = right and all(row.status == fault.status for row in rows)
    if fault.stage is None:
        right = right and all(row.score == 1 for row in rows)
    told = ", ".join(
        f"{stages.count(one)} {one or 'lost nothing'}" for one in dict.fromkeys(stages)
    )
    return Check(f"product: {fault.name.replace('-', ' ')}", right, told)


def _rows(fault: Fault, home: Path, library: Library) -> list[Row]:
    """The rows of one run through the product with one thing broken."""
    from evaluation.niah.selftest import run_grid, trials_of

    trials = trials_of(_CONFIG)
    sentences = Sentences.of(trials)
    reader = Reader(fault.name, trials, fault.say, fault.look, served=fault.served)
    settings = AppSettings(
        model="extractive", passages=5, passage_characters=0, reserve=_CONFIG.reserve, reranker=""
    )

    def finder(of: Library, with_settings: AppSettings) -> Finder:
        return FaultyFinder(
            of, with_settings, lambda found, query: fault.change(sentences, found, query)
        )

    def after(of: Library, needles: Sequence[Needle]) -> None:
        fault.after(of, sentences)

    product = Product(
        library.settings.data_dir,
        library,
        reader,
        settings,
        finder=finder,
        before=lambda text: fault.before(sentences, text),
        after=after,
    )
    folder = home / RUNS / f"selftest-product-{fault.name}"
    with fault.packing(sentences):
        run_grid(folder, _CONFIG, reader, product)
    return list(load(folder).rows)


def _open(folder: Path, chroma_url: str) -> Library:
    folder.mkdir(parents=True, exist_ok=True)
    settings = StorageSettings(data_dir=folder, embedder=HashedWords.name, chroma_url=chroma_url)
    return Library(settings, HashedWords())


def _lose_in_parser(sentences: Sentences, text: str) -> str:
    for sentence in sentences.all:
        text = text.replace(sentence, "")
    return text


def _split_over_pages(sentences: Sentences, text: str) -> str:
    """Each needle begins at the foot of one page and ends at the head of the next."""
    for sentence in sentences.all:
        words = sentence.split(" ")
        half = len(words) // 2
        broken = f"{' '.join(words[:half])}\f{' '.join(words[half:])}"
        text = text.replace(sentence, broken)
    return text


def _lose_vectors(library: Library, sentences: Sentences) -> None:
    """Take the vectors of the needles' chunks out of Chroma."""
    identity = library.catalog.identity()
    if identity is None:
        raise UsageError("The self-test's library is empty after it was filled.")
    ids = library.vectors.ids(identity.collection)
    with library.catalog.snapshot() as snapshot:
        passages = snapshot.passages(ids)
    lost = [one for one, passage in passages.items() if sentences.stands_in(passage.text)]
    library.vectors.delete(identity.collection, lost)


def _by_vectors_alone(sentences: Sentences, found: Findings, query: str) -> Findings:
    """The words are not searched either: what has no vector is not in the index at all."""
    there = {chunk_id for chunk_id, _ in found.dense}
    ranked = tuple(one for one in found.ranked if one.chunk_id in there)
    return replace(found, lexical=(), ranked=ranked)


def _gold(sentences: Sentences, found: Findings, query: str) -> set[str]:
    """The chunks that hold the needle of a question, of those that were found."""
    wanted = folded(sentences.by_question.get(query, "\0"))
    return {one for one, passage in found.passages.items() if wanted in folded(passage.text)}


def _never_found(sentences: Sentences, found: Findings, query: str) -> Findings:
    gold = _gold(sentences, found, query)
    return replace(
        found,
        dense=tuple(one for one in found.dense if one[0] not in gold),
        lexical=tuple(one for one in found.lexical if one[0] not in gold),
        ranked=tuple(one for one in found.ranked if one.chunk_id not in gold),
    )


def _ranked_last(sentences: Sentences, found: Findings, query: str) -> Findings:
    gold = _gold(sentences, found, query)
    best = [one for one in found.ranked if one.chunk_id not in gold]
    last = [one for one in found.ranked if one.chunk_id in gold]
    return replace(found, ranked=(*best, *last))


@contextmanager
def _packer(change: Callable[[Sequence[Hit]], list[Hit]]) -> Iterator[None]:
    """The product's packer, given other passages than were found."""
    sound = prompt.build

    def build(question: str, hits: Sequence[Hit], *more: Any, **options: Any) -> prompt.Prompt:
        return sound(question, change(hits), *more, **options)

    prompt.build = build
    try:
        yield
    finally:
        prompt.build = sound


def _packer_drops(sentences: Sentences) -> AbstractContextManager[None]:
    return _packer(lambda hits: [hit for hit in hits if not sentences.stands_in(hit.text)])


def _packer_cuts(sentences: Sentences) -> AbstractContextManager[None]:
    def cut(hit: Hit) -> Hit:
        text = hit.text
        for sentence in sentences.all:
            # Two thirds of the sentence stay: not the value, which stands at its end.
            text = text.replace(sentence, sentence[: 2 * len(sentence) // 3])
        return replace(hit, text=text)

    return _packer(lambda hits: [cut(hit) for hit in hits])


def _short_sighted(words: Sequence[str]) -> Sequence[str]:
    """Reads the oracle's prompt, and nothing of a longer one."""
    return words if len(words) < _SHORT else ()


def _guess(sight: Sight) -> str:
    """Honest where it sees the needle, otherwise a wrong number."""
    said = readers.honest(sight)
    return _WRONG if said == readers.NOT_THERE else said


def _always_wrong(sight: Sight) -> str:
    return _WRONG


FAULTS = (
    Fault("nothing-broken", None),
    Fault("search-never-returns-it", "RETRIEVE_RECALL", change=_never_found),
    Fault("search-ranks-it-last", "RETRIEVE_RANK", change=_ranked_last),
    Fault("packer-leaves-it-out", "PACK_DROP", packing=_packer_drops),
    Fault("packer-cuts-it", "PACK_CUT", packing=_packer_cuts),
    Fault("server-keeps-the-last-part", "SERVER_TRUNCATED", served=160, status="invalid_truncated"),
    Fault("model-misreads", "READ", say=_guess, look=_short_sighted),
    Fault("model-says-not-there", "READ_ABSTAIN", look=_short_sighted),
    Fault("model-cannot-do-it-at-all", "BASE_MODEL", say=_always_wrong),
    Fault("model-knows-it-unread", "LEAK", say=readers.know, change=_never_found),
    Fault("parser-loses-it", "INGEST_PARSE", before=_lose_in_parser, own_library=True),
    Fault("chunking-cuts-it", "INGEST_SPLIT", before=_split_over_pages, own_library=True),
    Fault(
        "index-loses-it",
        "INGEST_INDEX",
        after=_lose_vectors,
        change=_by_vectors_alone,
        own_library=True,
    ),
)
