"""`hayloft saved`."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from app.saved_answers import Checked
    from storage.catalog import Catalog

EXPIRED = 1
"""Exit code of `--check` where answers have expired."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = "exit code 1 with --check: some answers have expired"
    parser.add_argument("words", nargs="*", metavar="WORD", help="only answers that hold these")
    parser.add_argument(
        "--check",
        action="store_true",
        help="only answers that have expired; exit code 1 where there are any (for cron)",
    )
    parser.add_argument("--owner", metavar="NAME", help="only the answers of this user")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """List the saved answers with how each stands; asks nothing and starts no server."""
    from app.conversation_search import folded, terms_of
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    try:
        found = everybodys(library.settings.data_dir, library.catalog)
    finally:
        library.close()
    if args.owner is not None:
        found = [one for one in found if one.saved.owner == args.owner]
    terms = terms_of(" ".join(args.words))
    found = [
        one
        for one in found
        if all(term in folded(f"{one.saved.question}\n{one.saved.kept.text}") for term in terms)
    ]
    expired = [one for one in found if one.verdict.expired]
    shown = expired if args.check else found
    if args.json:
        told = {"saved": len(found), "expired": len(expired), "answers": [*map(_facts, shown)]}
        print(json.dumps(told, ensure_ascii=False))
    else:
        _print(shown, len(found), len(expired), check=args.check)
    return EXPIRED if args.check and expired else 0


def everybodys(data_dir: Path, catalog: Catalog) -> list[Checked]:
    """All saved answers with how they stand; makes no file where nothing was ever saved."""
    from app.memory_file import FILE
    from app.saved_answers import SavedAnswers, checked

    if not (data_dir / FILE).exists():
        return []
    kept = SavedAnswers(data_dir)
    try:
        return checked(catalog, kept.everybodys())
    finally:
        kept.close()


def _print(shown: list[Checked], saved: int, expired: int, *, check: bool) -> None:
    from app.rendering import plain
    from app.saved_view import change_words, state_words

    for one in shown:
        owner = f"  ({one.saved.owner})" if one.saved.owner else ""
        question = plain(" ".join(one.saved.question.split()))
        print(f"{one.saved.saved_id:>4}  {state_words(one.verdict.state)}: {question}{owner}")
        for change in one.verdict.changes:
            print(f"        {plain(change_words(change))}")
    # A cron job that has nothing to say says nothing.
    if not check:
        answers = "answer" if saved == 1 else "answers"
        print(f"{saved:,} saved {answers}, {expired:,} expired")


def _facts(one: Checked) -> dict[str, Any]:
    saved, verdict = one.saved, one.verdict
    return {
        "id": saved.saved_id,
        "owner": saved.owner,
        "state": verdict.state,
        "expired": verdict.expired,
        "question": saved.question,
        "answer": saved.kept.text,
        "mode": saved.kept.mode,
        "model": saved.kept.model,
        "scope": saved.scope.to_json(),
        "saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(saved.saved_at)),
        "changes": [change.to_json() for change in verdict.changes],
        "beside": [change.to_json() for change in verdict.beside],
        "asked_again": saved.again.state if saved.again else None,
    }
