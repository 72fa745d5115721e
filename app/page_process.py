"""The process that serves the page, begun before it is known where it shall serve.

Loading Streamlit takes longer than reading the settings, and both are done at once on two cores.
`hayloft ui` hands over the words of Streamlit's command line, a JSON list in one line of standard
input; where it found a setting that cannot work, none come, and this process ends without a word.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from importlib import import_module
from pathlib import Path

LOADED_NEXT = ("app.entrance", "streamlit.starlette", "uvicorn")
"""What the page's server loads after Streamlit, so in the time in which settings are read."""

GARBAGE_AFTER = 20_000
"""New objects before the first generation is looked through (Python's own figure: 700).

What is imported stays: looking through it again and again took 0.15 s of a start of 4 s."""


def main() -> int:
    """Load what every page needs, wait for the words, serve."""
    gc.set_threshold(GARBAGE_AFTER)
    from streamlit.web import cli

    for module in LOADED_NEXT:
        import_module(module)
    line = sys.stdin.readline()
    if not line:
        return 0
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    _start_logging()
    sys.argv = ["streamlit", *json.loads(line)]
    cli.main(prog_name="streamlit")
    return 0


def _start_logging() -> None:
    """The log of the page, as of every command: on standard error, in the settings' form."""
    from storage.logs import start_logging
    from storage.settings import LogSettings

    start_logging(LogSettings())
    # Streamlit would print what broke a page too, in a form of its own.
    logging.getLogger("streamlit.error_util").addFilter(_not_told_already)


def _not_told_already(record: logging.LogRecord) -> bool:
    return record.getMessage() != "Uncaught app execution"


if __name__ == "__main__":
    sys.exit(main())
