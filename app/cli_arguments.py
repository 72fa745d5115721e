"""Arguments that several commands have."""

from __future__ import annotations

import argparse


def add_data_dir(
    parser: argparse.ArgumentParser,
    told: str = "where the library is kept (HAYLOFT_DATA_DIR; default: ./data)",
) -> None:
    """`--data-dir` of a command's own part: it may stand before that as well, and people type it
    last. Not given here, what was given before stays."""
    parser.add_argument("--data-dir", metavar="DIR", default=argparse.SUPPRESS, help=told)
