"""How often each way of searching finds the right page, on every set of questions.

    python -m benchmarks.bench_retrieval --keep DIR
    python -m benchmarks.bench_retrieval --keep DIR --sets xquad-en,samples --rows hayloft,dense
    python -m benchmarks.bench_retrieval --limit 20                  a small try-out

Rows: Hayloft's search, its two arms alone and their plain rank fusion, and the
defaults of LlamaIndex and Open WebUI (benchmarks/baselines.py), all with the
bundled model. Below `--keep DIR` lie the libraries, the text of PDFs and the
vectors, so that a row can be run again at once. A library is made anew when
the code that makes it has changed; `--reuse` takes the newest one as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import baselines, common
from benchmarks.baselines import RememberingEmbedder
from benchmarks.common import Failed, Figure, Report, Skipped, at_least
from benchmarks.question_sets import NAMES, SPLITS, Choice, QuestionSet, documents_of, question_set
from evaluation.metrics import Estimate
from evaluation.paired import Difference, difference
from evaluation.provenance import commit_of, machine, versions
from evaluation.retrieval import QuestionResult, Searcher, ask_all, score

CUTOFFS = (1, 5, 10, 20)
METRICS = (*(f"hit@{k}" for k in CUTOFFS), "mrr@20", "document_first@1")

ROWS = {
    "hayloft": "Hayloft",
    "dense": "its vectors alone",
    "lexical": "its words alone",
    "rrf": "rank fusion of both",
    "llamaindex": "LlamaIndex defaults",
    "openwebui": "Open WebUI defaults",
}
_OWN = ("hayloft", "dense", "lexical", "rrf")

TARGETS = {
    "financebench": (
        ("hit@5", 0.65),
        ("hit@10", 0.80),
        ("hit@20", 0.90),
        ("document_first@1", 0.97),
    ),
    "xquad-en": (("hit@1", 0.94),),
    "xquad-es": (("hit@1", 0.91),),
    "xquad-zh": (("hit@1", 0.93),),
    "xquad-all-en": (("hit@1", 0.92),),
    "xquad-all-es": (("hit@1", 0.89),),
    "xquad-all-zh": (("hit@1", 0.91),),
}
"""What Hayloft should reach; told only where a whole set was asked."""
NEVER_WORSE = -0.01
"""Against the better arm, at every cutoff."""

_MADE_BY = ("ingest", "storage")
"""The code that decides what stands in a library."""
_MADE_WITH = re.compile(r"HAYLOFT_(EMBEDDER|CHUNK)")

RESULTS = ("<!-- results: benchmarks.bench_retrieval -->", "<!-- end of results -->")


@dataclass(frozen=True, slots=True)
class Row:
    """One way of searching on one set."""

    name: str
    scores: dict[str, Estimate]
    results: tuple[QuestionResult, ...]
    seconds: float
    """Median time a question, the embedding of the question apart."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All rows of one set."""

    asked: QuestionSet
    documents: int
    pages: int
    chunks: int
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row | None:
        """A row by its short name."""
        return next((row for row in self.rows if row.name == name), None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument(
        "--sets", type=_names(NAMES), default=NAMES, help=f"of {', '.join(NAMES)} (default: all)"
    )
    parser.add_argument(
        "--rows", type=_names(tuple(ROWS)), default=tuple(ROWS), help=f"of {', '.join(ROWS)}"
    )
    parser.add_argument(
        "--split", choices=SPLITS, default="", help="one half of each set's documents"
    )
    parser.add_argument("--limit", type=int, help="only N documents of each set (and language)")
    parser.add_argument("--questions", type=int, help="only N questions a set, evenly spread")
    parser.add_argument("--keep", type=Path, help="folder for libraries, texts and vectors; kept")
    parser.add_argument("--reuse", action="store_true", help="take libraries as they lie in --keep")
    parser.add_argument("--out", type=Path, help="write every rank to this file, as JSON")
    parser.add_argument(
        "--markdown", type=Path, help="put the tables into this file, between its result marks"
    )


def run(args: argparse.Namespace) -> Report:
    """Measure the chosen rows on the chosen sets; a set without data is skipped with a word."""
    keep = args.keep.absolute() if args.keep else common.scratch_folder(None, "hayloft-retrieval-")
    common.say(f"retrieval: what is made lies in {keep}")
    choice = Choice(args.limit, args.questions, args.split)
    sets, skipped = _chosen_sets(args.sets, choice)
    if not sets:
        raise Skipped("; ".join(skipped.values()))
    measured: list[Measured] = []
    for corpus in dict.fromkeys(one.corpus for one in sets):
        of_corpus = [one for one in sets if one.corpus == corpus]
        measured += _measure(of_corpus, choice, keep, args.rows, reuse=args.reuse)
    measured.sort(key=lambda one: NAMES.index(one.asked.name))
    facts = _facts(args)
    if not getattr(args, "json", False):
        print("\n".join([*tables(measured, facts), ""]))
    if args.markdown is not None:
        put_between(args.markdown, "\n".join(markdown(measured, facts)))
    report = Report("retrieval", tuple(targets(measured)), {**facts, "skipped": skipped})
    if args.out is not None:
        whole = {**report.to_json(), "sets": [_to_json(one) for one in measured]}
        args.out.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return report


def _chosen_sets(names: Sequence[str], choice: Choice) -> tuple[list[QuestionSet], dict[str, str]]:
    sets, skipped = [], {}
    for name in names:
        try:
            sets.append(question_set(name, choice))
        except Skipped as reason:
            skipped[name] = f"{name} is skipped: {reason}"
            common.say(f"retrieval: {skipped[name]}")
    return sets, skipped


def _measure(
    sets: Sequence[QuestionSet], choice: Choice, keep: Path, rows: Sequence[str], *, reuse: bool
) -> Iterator[Measured]:
    """All sets that ask one corpus."""
    corpus = f"{sets[0].corpus}{choice.name}"
    documents = documents_of(sets[0].corpus, choice, keep / "corpora" / corpus)
    searchers: dict[str, Searcher] = {}
    queries = list(dict.fromkeys(asked.text for one in sets for asked in one.questions))
    with _library(corpus, documents, keep, reuse=reuse) as library:
        library.embedder.embed_queries(queries)
        summaries = library.catalog.documents()
        for name in rows:
            searchers[name] = (
                _own(name, library) if name in _OWN else _peer(name, documents, queries, keep)
            )
        for asked in sets:
            common.say(f"retrieval: {asked.name}, {len(asked.questions):,} questions")
            yield Measured(
                asked=asked,
                documents=len(summaries),
                pages=sum(document.pages for document in summaries),
                chunks=sum(document.chunks for document in summaries),
                rows=tuple(_row(name, searchers[name], asked) for name in rows),
            )


def _row(name: str, searcher: Searcher, asked: QuestionSet) -> Row:
    results = ask_all(searcher, asked.questions, CUTOFFS)
    seconds = common.median([result.seconds for result in results])
    row = Row(name, score(results, CUTOFFS), tuple(results), seconds)
    main = row.scores[asked.main]
    common.say(
        f"  {ROWS[name]:<22}{asked.main} {main.mean:.3f}   {seconds * 1000:.0f} ms a question"
    )
    return row


def _own(name: str, library: Any) -> Searcher:
    from app.find import Finder
    from app.settings import AppSettings

    if name == "hayloft":
        return Finder(library, AppSettings())
    arms: dict[str, Callable[[Any], Searcher]] = {
        "dense": baselines.DenseArm,
        "lexical": baselines.LexicalArm,
        "rrf": baselines.RankFusion,
    }
    return arms[name](library)


def _peer(name: str, documents: Path, queries: Sequence[str], keep: Path) -> Searcher:
    pages = baselines.plain_pages(documents, keep / "pypdf")
    pieces_of = {
        "llamaindex": baselines.llama_index_pieces,
        "openwebui": baselines.open_webui_pieces,
    }
    pieces = pieces_of[name](pages)
    vectors = baselines.Vectors(keep / "vectors")
    of_pieces = vectors.of([piece.embedded for piece in pieces], f"chunks of {ROWS[name]}")
    of_queries = vectors.of(queries, "questions")
    return baselines.Peer(pieces, of_pieces, dict(zip(queries, of_queries, strict=True)))


@contextmanager
def _library(corpus: str, documents: Path, keep: Path, *, reuse: bool) -> Iterator[Any]:
    """The corpus ingested by the command, then opened for searching."""
    data_dir = _data_dir(corpus, keep / "libraries", reuse=reuse)
    ingested = data_dir / "ingested"
    if not ingested.is_file():
        common.say(f"retrieval: ingesting {corpus}")
        env = common.environment(data_dir)
        done = common.timed([*common.hayloft(), "ingest", str(documents)], env)
        ingested.write_text(f"{done.seconds:.1f} s\n", "utf-8")

    from storage.library import Library
    from storage.settings import StorageSettings

    os.environ["HF_HUB_OFFLINE"] = "1"
    settings = StorageSettings(data_dir=data_dir)
    memory = RememberingEmbedder(Library(settings).embedder, keep / "vectors")
    library = Library(settings, memory)
    try:
        if library.readable_identity() is None:
            raise Failed(f"the library in {data_dir} is empty")
        yield library
    finally:
        library.close()


def _data_dir(corpus: str, libraries: Path, *, reuse: bool) -> Path:
    """Where a corpus's library lies: one folder for each state of the code that makes it."""
    if reuse:
        there = [path.parent for path in libraries.glob("*/ingested")]
        kept = [path for path in there if path.name.rpartition("-")[0] == corpus]
        if kept:
            return max(kept, key=lambda path: path.stat().st_mtime)
        common.say(f"retrieval: no library of {corpus} to take again; making one")
    return libraries / f"{corpus}-{made_by()}"


def made_by() -> str:
    """A digest of the code and the settings that decide what stands in a library."""
    digest = hashlib.sha256()
    for package in _MADE_BY:
        for path in sorted((common.ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(common.ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    for name in sorted(filter(_MADE_WITH.match, os.environ)):
        digest.update(f"{name}={os.environ[name]}".encode())
    return digest.hexdigest()[:12]


def tables(measured: Sequence[Measured], facts: dict[str, Any]) -> Iterator[str]:
    """Every set as a table for a terminal."""
    yield _line_of(facts)
    for one in measured:
        yield ""
        yield _heading(one)
        columns = "".join(f"{_short(name):>19}" for name in METRICS)
        yield f"{'':<22}{columns}   Hayloft against it"
        for row in one.rows:
            cells = "".join(f"{_cell(row.scores[name]):>19}" for name in METRICS)
            yield f"{ROWS[row.name]:<22}{cells}   {_against(one, row)}".rstrip()


def markdown(measured: Sequence[Measured], facts: dict[str, Any]) -> Iterator[str]:
    """Every set as a table for a document."""
    yield f"{_line_of(facts)}."
    for one in measured:
        yield ""
        yield f"**{_heading(one)}**"
        yield ""
        yield "| | " + " | ".join(_short(name) for name in METRICS) + " | Hayloft against it |"
        yield "|---|" + "---|" * (len(METRICS) + 1)
        for row in one.rows:
            cells = " | ".join(_cell(row.scores[name]) for name in METRICS)
            yield f"| {ROWS[row.name]} | {cells} | {_against(one, row)} |"


def put_between(path: Path, text: str) -> None:
    """Replace what stands between the result marks of a file; a new file gets marks of its own."""
    start, end = RESULTS
    old = path.read_text("utf-8") if path.is_file() else f"{start}\n{end}\n"
    if old.count(start) != 1 or old.count(end) != 1 or old.index(start) > old.index(end):
        raise Failed(f"{path} has no place for results: a line {start!r} and a line {end!r}")
    before, _, rest = old.partition(start)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{start}\n{text}\n{end}{after}", "utf-8")


def targets(measured: Sequence[Measured]) -> Iterator[Figure]:
    """What Hayloft should reach, and how far it stays behind its better arm at most."""
    for one in measured:
        hayloft, dense, lexical = (one.row(name) for name in ("hayloft", "dense", "lexical"))
        if hayloft is None or not one.asked.whole:
            continue
        note = f"n = {len(one.asked.questions):,}"
        for metric, least in TARGETS.get(one.asked.name, ()):
            value = hayloft.scores[metric].mean
            yield at_least(f"{one.asked.name}: {_short(metric)}", value, least, note=note)
        if dense is not None and lexical is not None:
            lead, metric = min(
                (
                    hayloft.scores[name].mean
                    - max(dense.scores[name].mean, lexical.scores[name].mean),
                    name,
                )
                for name in METRICS[: len(CUTOFFS)]
            )
            # Shares of n questions: less than half a question is rounding.
            lead = round(lead, 6)
            told = f"{one.asked.name}: least lead over the better arm"
            yield at_least(told, lead, NEVER_WORSE, note=f"at {metric}")


def _heading(one: Measured) -> str:
    part = "" if one.asked.whole else ", a part"
    return (
        f"{one.asked.name}: {len(one.asked.questions):,} questions{part}, "
        f"{one.documents:,} documents, {one.pages:,} {one.asked.counted}s, "
        f"{one.chunks:,} chunks"
    )


def _line_of(facts: dict[str, Any]) -> str:
    commit = (facts["commit"] or "no commit")[:12] + (", changed since" if facts["dirty"] else "")
    where = facts["machine"]
    split = f", half: {facts['split']}" if facts["split"] else ""
    return (
        f"{facts['date']}, commit {commit}, Python {where['python']}, {where['system']} "
        f"{where['machine']}, {where['cores']} cores{split}; in brackets 95% Wilson intervals"
    )


def _against(one: Measured, row: Row) -> str:
    """What Hayloft finds at the main metric that the row does not, and the reverse."""
    found = _paired(one, row)
    if found is None:
        return ""
    p = "p < .001" if (found.p or 0.0) < 0.001 else f"p = {found.p:.3f}".replace("0.", ".", 1)
    return f"{one.asked.main}: +{found.fixed} -{found.broken}, {p}"


def _paired(one: Measured, row: Row) -> Difference | None:
    hayloft = one.row("hayloft")
    if hayloft is None or row is hayloft:
        return None
    k = int(one.asked.main.partition("@")[2])
    ours, theirs = ([_hits(result, k) for result in each.results] for each in (hayloft, row))
    return difference(theirs, ours, hits=True)


def _hits(result: QuestionResult, k: int) -> float:
    return float(not set(result.question.relevant).isdisjoint(result.found[:k]))


def _cell(score: Estimate) -> str:
    return f"{score.mean:.3f} [{score.low:.2f}, {score.high:.2f}]".replace("0.", ".")


def _short(metric: str) -> str:
    return "right document" if metric.startswith("document") else metric


def _facts(args: argparse.Namespace) -> dict[str, Any]:
    commit = commit_of()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.id,
        "dirty": commit.dirty,
        "machine": machine(),
        "versions": versions(),
        "split": args.split,
    }


def _to_json(one: Measured) -> dict[str, Any]:
    return {
        "set": one.asked.name,
        "whole": one.asked.whole,
        "documents": one.documents,
        "pages": one.pages,
        "chunks": one.chunks,
        "rows": [
            {
                "row": row.name,
                "scores": {name: asdict(value) for name, value in row.scores.items()},
                "against_hayloft": asdict(paired) if (paired := _paired(one, row)) else None,
                "seconds": row.seconds,
                "results": [result.to_json() for result in row.results],
            }
            for row in one.rows
        ],
    }


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return tuple(name for name in known if name in names)

    return parse


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_retrieval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))
