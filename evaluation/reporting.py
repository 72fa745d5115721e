"""What the evaluations share: how figures are told, progress, and writing a result."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.files import in_place
from storage.errors import UsageError

_NAMED_AT_MOST = 5
_LARGEST_CUTOFF = 1000


def cutoffs(text: str) -> tuple[int, ...]:
    """Parse `1,3,5`: whole numbers from 1, sorted, each once."""
    try:
        values = {int(part) for part in text.split(",")}
    except ValueError:
        values = {0}
    if min(values) < 1 or max(values) > _LARGEST_CUTOFF:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of whole numbers from 1 to {_LARGEST_CUTOFF} such as 1,5,10"
        )
    return tuple(sorted(values))


def positive(text: str) -> int:
    """Parse a whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def add_questions(parser: argparse.ArgumentParser, *, of_retrieval: bool) -> None:
    """Add `--questions` and `--golden`, one of which is needed."""
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--questions", type=Path, metavar="FILE", help="JSON lines, one a question")
    which = "those whose page is known" if of_retrieval else "all of them"
    asked.add_argument(
        "--golden",
        nargs="?",
        const="",
        metavar="DIR",
        help=f"the golden set ({which}) of the library, or of the one in DIR; tells what changed "
        "since it was last asked",
    )


def golden_dir(named: str) -> Path:
    """The data directory whose golden set is asked: the one named, or the one that is set."""
    from storage.settings import StorageSettings

    return Path(named).expanduser() if named else StorageSettings().data_dir


def cell(score: Mapping[str, float]) -> str:
    """A mean with its interval: `0.606 [0.44, 0.75]`."""
    return f"{score['mean']:.3f} [{score['low']:.2f}, {score['high']:.2f}]"


def count(number: int, noun: str) -> str:
    """`1 page`, `1,116 pages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def named(names: Sequence[str]) -> str:
    """The first few of the names."""
    return ", ".join(names[:_NAMED_AT_MOST]) + (", …" if len(names) > _NAMED_AT_MOST else "")


def absent_warnings(result: Mapping[str, Any]) -> list[str]:
    """What of the relevant pages is not there to be found: scores are lower for it."""
    found = []
    missing, beyond = result["missing_documents"], result["missing_pages"]
    if missing:
        found.append(
            f"{count(len(missing), 'relevant document')} not in the library "
            f"({named(missing)}); what they would answer counts as missed."
        )
    if beyond:
        places = [f"{place['document']} page {place['page']}" for place in beyond]
        found.append(
            f"{count(len(beyond), 'relevant page')} past the end of the document "
            f"({named(places)}); count as missed."
        )
    return found


def progress(done: int, total: int) -> None:
    """Show people at a terminal how far an evaluation is."""
    if sys.stderr.isatty():
        print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def check_writable(out: Path | None) -> None:
    """Refuse a file that cannot be written, before anything is measured for it."""
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise UsageError(f"{out} cannot be written: name a file in a folder that exists.")


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Put the result in place at once, so that no half of it is ever read."""
    with in_place(path) as part:
        part.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
