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
    from app.standing import Target
    from app.why import Search
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
    from app.why import Search
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
        search = Search.of(finder, args.query, limit=args.limit, scope=given)
        if args.json:
            _print_json(_object(library, search, args, target))
        else:
            _print(library, search, args, target)
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
        query.setdefault("id", number)
        yield query, cli_scope.scope_of_line(query, given, place=f"{name}, line {number}")


def _target(text: str | None) -> Target | None:
    if text is None:
        return None
    from app.standing import target_of

    return target_of(text)


def _object(
    library: Library, search: Search, args: argparse.Namespace, target: Target | None
) -> dict[str, Any]:
    """What `--json` prints."""
    found: dict[str, Any] = {"query": args.query, "hits": _plain(search.hits)}
    if args.explain:
        explanation = search.explanation()
        found["explain"] = explanation.to_json() if explanation else None
    if target is not None:
        from app.why import why

        found["why"] = why(library, search, target).to_json()
    return found


def _print(
    library: Library, search: Search, args: argparse.Namespace, target: Target | None
) -> None:
    """The hits, or why they are the hits, or why a page is none of them."""
    from app.explain_text import explanation_lines, standing_lines
    from app.why import why

    explanation = search.explanation() if args.explain else None
    if explanation is not None and search.hits:
        print("\n".join(explanation_lines(explanation)))
    elif target is None:
        empty = library.catalog.counts().documents == 0
        _print_hits(search.hits, empty=empty, filtered=not search.scope.is_everything)
    if target is not None:
        if args.explain:
            print()
        print("\n".join(standing_lines(why(library, search, target))))


def _plain(hits: list[Hit]) -> list[dict[str, object]]:
    return [hit.to_json() for hit in hits]


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _print_hits(hits: list[Hit], *, empty: bool, filtered: bool) -> None:
    if empty:
        print("The library is empty. Fill it with `hayloft ingest FOLDER`.")
    elif not hits:
        print("Nothing was found in what the filters leave." if filtered else "Nothing was found.")
    for hit in hits:
        print(f"{hit.rank:>3}. {hit.document}, {hit.place}   ({hit.score:.3f})")
        text = " ".join(hit.text.split())
        print(f"     {text if len(text) <= 300 else text[:300] + ' …'}\n")


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must lie between 1 and 1000")
    return number
