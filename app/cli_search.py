"""`hayloft search`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.errors import UsageError

if TYPE_CHECKING:
    from storage.records import Hit


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("query", metavar="QUERY", nargs="?", help="what to look for")
    parser.add_argument("--limit", "-n", type=_positive, default=10, help="passages (default: 10)")
    parser.add_argument(
        "--document",
        metavar="PATH",
        action="append",
        default=[],
        help="search only this document, or below this folder; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--batch",
        metavar="FILE",
        help='JSON lines {"id", "query", "document"?}; prints one JSON object a line (- for stdin)',
    )


def run(args: argparse.Namespace) -> int:
    """Search; 0 also where nothing is found."""
    if (args.query is None) == (args.batch is None):
        raise UsageError("Give either a QUERY or --batch FILE.")
    batch = list(_batch(args.batch)) if args.batch else []

    from app.find import Finder
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    try:
        finder = Finder(library)
        if args.batch:
            for line in batch:
                scope = [line["document"]] if line.get("document") else args.document
                hits = finder.search(line["query"], limit=args.limit, documents=scope)
                _print_json({"id": line["id"], "query": line["query"], "hits": _plain(hits)})
            return 0
        hits = finder.search(args.query, limit=args.limit, documents=args.document)
        if args.json:
            _print_json({"query": args.query, "hits": _plain(hits)})
        else:
            _print_hits(hits, empty=library.catalog.counts().documents == 0)
    finally:
        library.close()
    return 0


def _batch(name: str) -> Iterator[dict[str, Any]]:
    """The queries of a batch, all checked before the first one is searched."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"The batch file {name} cannot be read: {exc}.") from exc
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            query = json.loads(line)
        except json.JSONDecodeError as exc:
            raise UsageError(f"{name}, line {number} is not JSON: {exc.msg}.") from exc
        if not isinstance(query, dict) or not isinstance(query.get("query"), str):
            raise UsageError(f'{name}, line {number}: each line is {{"id": …, "query": "…"}}.')
        if not isinstance(query.get("document", ""), str | None):
            raise UsageError(f'{name}, line {number}: "document" is one path, as a string.')
        query.setdefault("id", number)
        yield query


def _plain(hits: list[Hit]) -> list[dict[str, object]]:
    return [hit.to_json() for hit in hits]


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _print_hits(hits: list[Hit], *, empty: bool) -> None:
    if empty:
        print("The library is empty. Fill it with `hayloft ingest FOLDER`.")
    elif not hits:
        print("Nothing was found.")
    for hit in hits:
        print(f"{hit.rank:>3}. {hit.document}, {hit.place}   ({hit.score:.3f})")
        text = " ".join(hit.text.split())
        print(f"     {text if len(text) <= 300 else text[:300] + ' …'}\n")


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must lie between 1 and 1000")
    return number
