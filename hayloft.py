"""Hayloft's front door: one command, whose parts are imported only when they are called."""

from __future__ import annotations

import argparse
import atexit
import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence

__version__ = "0.1.0"

COMMANDS: dict[str, tuple[str, str]] = {
    "ingest": ("ingest.cli", "bring the index in line with the files; cron-safe"),
    "search": ("app.cli_search", "passages with document, page and score"),
    "ask": ("app.cli_ask", "a cited answer with its receipt"),
    "warm": ("app.cli_warm", "let the model read what conversations begin with, ahead of time"),
    "ui": ("app.cli_ui", "the chat app in the browser"),
    "users": ("app.cli_users", "the accounts that may use the page: add, list, change, delete"),
    "serve": ("app.cli_serve", "the HTTP API for other programs (OpenAI-compatible), and tokens"),
    "eval": ("evaluation.cli", "score search and answers on your questions; compare settings"),
    "models": ("app.cli_models", "chat models: windows, memory, what fits; pull and extend them"),
    "tokens": ("app.cli_tokens", "exact Qwen2 token counts"),
    "runs": ("ingest.cli_runs", "the history of ingestion runs: when, how long, why not"),
    "saved": ("app.cli_saved", "saved answers, and which of them have expired"),
    "status": ("app.cli_status", "what is stored, the last runs, which services answer"),
    "doctor": ("app.cli_doctor", "what is wrong, and the command that mends it"),
}

_OUTPUT_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

EXIT_CODES = """exit codes:
  0   all in line
  1   finished with something amiss: files set aside, questions that failed, what doctor or
      saved --check found, or a fault that no other code names
  2   the command was used wrongly, or a setting cannot work
  69  a service that is needed is not there
  74  the data directory, or standard output, cannot be read or written
  75  another ingestion run holds the lock
  77  the delete brake stopped the run
  130 interrupted by Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a foreseen fault is one sentence on stderr."""
    _fill_closed_streams()
    # Before the process ends, the collector would look through all that torch has left, which took
    # 6.5 s where the machine was busy: a container is killed after 10.
    atexit.register(gc.freeze)
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(_command_in(words))
    args = parser.parse_args(words)
    if args.command is None:
        parser.print_help()
        return 2
    if args.data_dir:
        os.environ["HAYLOFT_DATA_DIR"] = args.data_dir
    if args.log_level:
        os.environ["HAYLOFT_LOG_LEVEL"] = args.log_level
    return _run(args)


def _fill_closed_streams() -> None:
    """What we were started without (`>&-`) goes nowhere, and no file of ours takes its place.

    The lowest free number is given to the next file that is opened: a database would become
    standard output.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _parser(command: str | None) -> argparse.ArgumentParser:
    """The parser with the arguments of the one command that is called."""
    parser = argparse.ArgumentParser(
        prog="hayloft",
        description="Ask your own documents, with a local Qwen2, and see exactly what it read.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hayloft {__version__}")
    _add_common(parser)
    parts = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, (module, summary) in COMMANDS.items():
        part = parts.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_common(part, default=argparse.SUPPRESS)
        if name == command:
            importlib.import_module(module).configure(part)
    return parser


def _add_common(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        default=default,
        help="where the library is kept (HAYLOFT_DATA_DIR; default: ./data)",
    )
    parser.add_argument(
        "--log-level",
        metavar="LEVEL",
        type=str.upper,
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        default=default,
        help="DEBUG, INFO, WARNING or ERROR (HAYLOFT_LOG_LEVEL; default: WARNING)",
    )


def _command_in(words: Sequence[str]) -> str | None:
    """The command among the words, so that only its module has to be imported."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("--data-dir", "--log-level"):
            skip = True
        elif word in COMMANDS:
            return word
    return None


def _run(args: argparse.Namespace) -> int:
    from storage.errors import HayloftError

    try:
        _start_logging()
        if args.command == "ingest":
            _sweep_rooms()
        code = int(importlib.import_module(COMMANDS[args.command][0]).run(args))
        sys.stdout.flush()
        return code
    except HayloftError as exc:
        print(f"hayloft: {exc}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        print("hayloft: interrupted; nothing half-written is visible.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has gone: not a fault of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as exc:
        if exc.filename is not None or exc.errno not in _OUTPUT_LOST:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"hayloft: Standard output cannot be written ({exc.strerror}).", file=sys.stderr)
        return 74
    except ValueError as exc:
        settings = _settings_fault(exc)
        if settings is None:
            raise
        print(f"hayloft: {settings}", file=sys.stderr)
        return 2


def _sweep_rooms() -> None:
    """Take what deleted conversations and accounts left off the disk, so that the run forgets it.

    Neither side knows the other: the conversations are the app's, the index the ingestion's.
    """
    from app.room_sweep import sweep_rooms
    from storage.settings import StorageSettings

    data_dir = StorageSettings().data_dir
    if (data_dir / "accounts.db").is_file():
        from app.departures import finish

        finish(data_dir)
    sweep_rooms(data_dir)


def _start_logging() -> None:
    from storage.logs import start_logging
    from storage.settings import LogSettings

    start_logging(LogSettings())


def _settings_fault(exc: ValueError) -> str | None:
    """The sentence for a setting that does not validate; None for any other error."""
    from pydantic import ValidationError

    if not isinstance(exc, ValidationError):
        return None
    faults = []
    for error in exc.errors():
        name = "_".join(str(part) for part in error["loc"]).upper()
        if not name.startswith(("HAYLOFT_", "OLLAMA_")):
            name = f"HAYLOFT_{name}"
        faults.append(f"{name} is {error['input']!r}: {error['msg'].lower()}")
    return "; ".join(faults) + ". Mend the environment variable or the line in .env."


if __name__ == "__main__":
    sys.exit(main())
