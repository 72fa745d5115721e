"""`hayloft search`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import cli_scope
from storage.errors import UsageError

if TYPE_CHECKING:
    from app.find import Finder
    from app.standing import Target
    from storage.library import Library
    from storage.records import Hit, Scope


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("query", metavar="QUERY", nargs="?", help="what to look for")
    parser.add_argument("--limit", "-n", type=_positive, default=10, help="passages (default: 10)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--batch",
        metavar="FILE",
        help='JSON lines {"id", "query"} with filters as further keys ("document", "type", ...); '
        "prints one JSON object a line (- for stdin)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="say for each passage what meaning, words, names and reranker made of it",
    )
    parser.add_argument(
        "--why",
        metavar="DOCUMENT:PAGE",
        help="say where this page stands, or what keeps it from being found; pages, and sections "
        "of formats without pages, count from 1",
    )
    cli_scope.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Search; 0 also where nothing is found."""
    if (args.query is None) == (args.batch is None):
        raise UsageError("Give either a QUERY or --batch FILE.")
    if args.batch and (args.explain or args.why is not None):
        raise UsageError("--explain and --why look into one QUERY. Leave --batch out.")
    given = cli_scope.scope_of(args)
    batch = list(_batch(args.batch, given)) if args.batch else []
    target = _target(args.why)

    from app.find import Finder
    from app.settings import AppSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    try:
        finder = Finder(library, AppSettings())
        if args.batch:
            for line, scope in batch:
                hits = finder.search(line["query"], limit=args.limit, scope=scope)
                _print_json({"id": line["id"], "query": line["query"], "hits": _plain(hits)})
            return 0
        if args.explain or target:
            _look_into(library, finder, args, given, target)
            return 0
        hits = finder.search(args.query, limit=args.limit, scope=given)
        if args.json:
            _print_json({"query": args.query, "hits": _plain(hits)})
        else:
            _print_hits(hits, library, given)
    finally:
        library.close()
    return 0


def _batch(name: str, given: Scope) -> Iterator[tuple[dict[str, Any], Scope]]:
    """The queries with their scopes of a batch, all checked before the first one is searched."""
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
        if not query["query"].strip():
            raise UsageError(f"{name}, line {number}: the query is empty.")
        query.setdefault("id", number)
        yield query, cli_scope.scope_of_line(query, given, place=f"{name}, line {number}")


def _target(text: str | None) -> Target | None:
    if text is None:
        return None
    from app.standing import target_of

    return target_of(text)


def _look_into(
    library: Library, finder: Finder, args: argparse.Namespace, scope: Scope, target: Target | None
) -> None:
    """Print why the hits are the hits, and why a page is one of them or none."""
    from app.explain_text import explanation_lines, standing_lines
    from app.why import Search, why

    search = Search.of(finder, args.query, limit=args.limit, scope=scope)
    explanation = search.explanation() if args.explain else None
    standing = why(library, search, target) if target else None
    if args.json:
        found: dict[str, Any] = {"query": args.query, "hits": _plain(search.hits)}
        if args.explain:
            found["explain"] = explanation.to_json() if explanation else None
        if standing:
            found["why"] = standing.to_json()
        _print_json(found)
        return
    if explanation and search.hits:
        print("\n".join(explanation_lines(explanation)))
    elif not standing:
        _print_hits(search.hits, library, scope)
    if standing:
        print("\n" * args.explain + "\n".join(standing_lines(standing)))


def _plain(hits: list[Hit]) -> list[dict[str, object]]:
    return [hit.to_json() for hit in hits]


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _print_hits(hits: list[Hit], library: Library, scope: Scope) -> None:
    if library.catalog.counts().documents == 0:
        print("The library is empty. Fill it with `hayloft ingest FOLDER`.")
    elif not hits:
        kept = "" if scope.is_everything else " in what the filters leave"
        print(f"Nothing was found{kept}.")
    for hit in hits:
        print(f"{hit.rank:>3}. {hit.document}, {hit.place}   ({hit.score:.3f})")
        text = " ".join(hit.text.split())
        print(f"     {text if len(text) <= 300 else text[:300] + ' …'}\n")


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must lie between 1 and 1000")
    return number
