"""Arguments that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_data_dir(
    parser: argparse.ArgumentParser,
    told: str = "where the library is kept (HAYLOFT_DATA_DIR; default: ./data)",
) -> None:
    """`--data-dir` of a command's own part: it may stand before that as well, and people type it
    last. Not given here, what was given before stays."""
    parser.add_argument("--data-dir", metavar="DIR", default=argparse.SUPPRESS, help=told)


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model` of what only a model can do."""
    parser.add_argument(
        "--model", metavar="MODEL", help="ollama:NAME or openai:NAME (HAYLOFT_MODEL; default: auto)"
    )


def add_result(parser: argparse.ArgumentParser) -> None:
    """`--json` and `--out` of a measurement."""
    parser.add_argument("--json", action="store_true", help="print the whole result as JSON")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the whole result, as JSON, to FILE"
    )
