"""`hayloft models`: what is installed and what fits; `pull` fetches, `extend` stretches."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli_arguments import add_data_dir

if TYPE_CHECKING:
    from app.chat_http import Server
    from app.extend import Outcome

_EPILOG = """\
extend makes the 128K copy of a Qwen2 model: the weights stay as they are, four fields of the
file tell llama.cpp to stretch positions (YaRN). The copy is a model of its own.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the two actions and their arguments."""
    parser.description = (
        "Show the installed models with their windows, what each window takes of memory, what "
        "fits this machine, and what to take."
    )
    parser.epilog = _EPILOG
    parser.add_argument("--json", action="store_true", help="one JSON object")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    pull = actions.add_parser(
        "pull",
        help="have Ollama fetch a model",
        description="Have Ollama fetch a model. Interrupted, run it again: Ollama goes on where "
        "it stopped.",
    )
    pull.add_argument("model", metavar="MODEL", help="for instance qwen2:7b")
    extend = actions.add_parser(
        "extend",
        help="make the copy of a model with a longer window (YaRN)",
        description="Make a copy of a Qwen2 model whose window is 131,072 tokens, as a model of "
        "its own, and see that Ollama serves it.",
    )
    extend.add_argument("model", metavar="MODEL", help="for instance qwen2:7b")
    extend.add_argument(
        "--gguf", type=Path, metavar="FILE", help="its weights (default: from Ollama's store)"
    )
    extend.add_argument(
        "--name", default="", metavar="NAME", help="of the copy (default: MODEL-128k)"
    )
    extend.add_argument(
        "--factor", type=float, metavar="N", help="of the stretch (default: its makers': mostly 4)"
    )
    extend.add_argument(
        "--keep-gguf", type=Path, metavar="PATH", help="keep the copy as a file, too"
    )
    extend.add_argument(
        "--file-only",
        action="store_true",
        help="make the file of --keep-gguf and no model of Ollama (for llama.cpp's own server)",
    )
    extend.add_argument(
        "--no-check", action="store_true", help="do not load the copy to see its window"
    )
    for action in (pull, extend):
        action.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="JSON for machines"
        )
        add_data_dir(action)


def run(args: argparse.Namespace) -> int:
    """Carry out the action that was asked for."""
    from app.ollama_server import ollama_server
    from app.settings import AppSettings

    settings = AppSettings()
    server = ollama_server(
        settings.ollama_url,
        connect_timeout_s=settings.connect_timeout_s,
        answer_timeout_s=settings.answer_timeout_s,
    )
    actions = {None: _show, "pull": _pull, "extend": _extend}
    return actions[args.action](args, server)


def _show(args: argparse.Namespace, server: Server) -> int:
    from app.model_report import report
    from app.model_text import report_lines

    facts = report(server)
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print("\n".join(report_lines(facts)))
    return 0


def _pull(args: argparse.Namespace, server: Server) -> int:
    from app.ollama_models import pull

    try:
        with _progress(json_lines=args.json) as tell:
            for step in pull(server, args.model):
                if args.json:
                    _print_json(asdict(step))
                else:
                    tell(step.status, step.completed, step.total)
    except KeyboardInterrupt:
        print(
            f"hayloft: Ollama keeps what it has. `hayloft models pull {args.model}` goes on there.",
            file=sys.stderr,
        )
        raise
    if not args.json:
        print(f"{args.model} is installed. `hayloft models` shows its window and memory.")
    return 0


def _extend(args: argparse.Namespace, server: Server) -> int:
    from app.extend import Wish, extend
    from app.model_text import outcome_lines
    from storage.errors import UsageError
    from storage.settings import StorageSettings

    if args.file_only and not args.keep_gguf:
        raise UsageError("--file-only makes a file: say where with --keep-gguf PATH.")
    wish = Wish(
        model=args.model,
        gguf=args.gguf,
        name=args.name,
        factor=args.factor,
        keep=args.keep_gguf,
        create=not args.file_only,
        check=not args.no_check,
        scratch=StorageSettings().data_dir / "extend",
    )
    with _progress(json_lines=args.json) as tell:
        outcome = extend(wish, server, tell)
    if args.json:
        _print_json(_outcome_facts(outcome))
    else:
        print("\n".join(outcome_lines(outcome)))
    return 1 if outcome.fault else 0


def _outcome_facts(outcome: Outcome) -> dict[str, Any]:
    from app.yarn import SHORT_PROMPTS

    return {**asdict(outcome), "note": SHORT_PROMPTS}


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


@contextmanager
def _progress(*, json_lines: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, a line for each stage and each tenth elsewhere, silence for JSON."""
    if json_lines:
        yield lambda stage, done, of: None
    elif sys.stdout.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _Lines()


class _Lines:
    """A line for each stage, and one for each tenth of it."""

    def __init__(self) -> None:
        self._last = ("", -1)

    def __call__(self, stage: str, done: int, of: int) -> None:
        tenth = 10 * done // of if of else 0
        if (stage, tenth) == self._last:
            return
        self._last = (stage, tenth)
        amount = f" {10 * tenth}% of {of / 1e9:.1f} GB" if of else ""
        print(f"{_printable(stage)}{amount}", flush=True)


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        transient=True,
    ) as progress:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(_printable(stage), total=None)
            progress.update(tasks[stage], total=of or None, completed=done)

        yield tell


def _printable(text: str) -> str:
    """What a server says, without characters that would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)[:200]
