"""What `make start` runs: the sample library, a first cited answer, the chat page."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent


def main() -> int:
    """Ingest the samples; answer a first question where they were new; serve the page."""
    import hayloft

    code = hayloft.main(["ingest", "--quiet", str(SAMPLES / "library")])
    if code != 0:
        return code
    if not _answered_before():
        first = json.loads((SAMPLES / "questions.jsonl").read_text(encoding="utf-8").split("\n")[0])
        print(f"\nA first question to the sample library: {first['question']}\n", flush=True)
        code = hayloft.main(["ask", first["question"]])
        if code != 0:
            return code
        _mark().touch()
        print(flush=True)
    # The page takes this process's place, so that Ctrl-C reaches it alone.
    command = [sys.executable, str(SAMPLES.parent / "hayloft.py"), "ui"]
    os.execv(command[0], command)
    return 0


def _mark() -> Path:
    from storage.settings import StorageSettings

    return StorageSettings().data_dir / "first-answer-given"


def _answered_before() -> bool:
    return _mark().exists()


if __name__ == "__main__":
    raise SystemExit(main())
