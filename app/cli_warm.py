"""`hayloft warm`: let the model read what conversations begin with before anybody asks."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

from app import cli_scope
from storage.errors import UsageError

if TYPE_CHECKING:
    from app.warming import Warmed


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--conversation",
        metavar="ID",
        help="what this conversation's next prompt begins with (`latest`: the one used last)",
    )
    parser.add_argument(
        "--keep",
        metavar="HOURS",
        type=int,
        default=12,
        help="how long Ollama keeps the model for the first question (default: 12)",
    )
    parser.add_argument("--model", metavar="MODEL", help="ollama:NAME or openai:NAME")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    cli_scope.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Preload, and say in a line what was read."""
    scope = cli_scope.scope_of(args)
    if not 0 < args.keep <= 24 * 365:
        raise UsageError("--keep takes hours, at least 1.")

    from app.model_choice import choose_model
    from app.settings import AppSettings
    from app.warming import warm
    from storage.library import Library
    from storage.settings import StorageSettings

    settings = AppSettings(model=args.model) if args.model else AppSettings()
    library = Library(StorageSettings())
    started = time.perf_counter()
    try:
        model = choose_model(settings).model
        done = warm(
            library,
            settings,
            model,
            scope=scope,
            conversation=args.conversation,
            keep_hours=args.keep,
        )
    finally:
        library.close()
    seconds = time.perf_counter() - started
    if args.json:
        print(json.dumps({**done.to_json(), "seconds": round(seconds, 3)}, ensure_ascii=False))
    else:
        print(_line(done, seconds))
    return 0


def _line(done: Warmed, seconds: float) -> str:
    read = f"{done.tokens:,} tokens of {done.what}"
    if done.computed is not None:
        read += f", {done.computed:,} of them now"
    return f"Warm: {done.model} has read {read}, in {seconds:.1f} s; window {done.window:,}."
