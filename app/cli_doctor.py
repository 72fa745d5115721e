"""`hayloft doctor`."""

from __future__ import annotations

import argparse
import json

_SIGNS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = "exit code 1: something is wrong"
    parser.add_argument("--json", action="store_true", help="one JSON object a check")


def run(args: argparse.Namespace) -> int:
    """Examine everything; 1 where something is wrong."""
    from app.health import examine
    from app.settings import AppSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    wrong = False
    try:
        for check in examine(library, AppSettings()):
            wrong = wrong or check.state == "wrong"
            if args.json:
                print(json.dumps(check.to_json(), ensure_ascii=False), flush=True)
                continue
            print(f"{_SIGNS[check.state]}  {check.name}: {check.finding}", flush=True)
            if check.remedy:
                print(f"       → {check.remedy}", flush=True)
    finally:
        library.close()
    return 1 if wrong else 0
