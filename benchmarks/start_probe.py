"""One cold search, taken apart: seconds of each step, as JSON on standard output.

Run by `bench_start` in a fresh process, with the wall-clock time at which the
process was asked for, so that starting the interpreter counts too.
"""

from __future__ import annotations

import json
import sys
import time


def main(query: str, asked_at: float) -> int:
    """Search once, step by step."""
    parts = {"python": time.time() - asked_at}
    mark = time.perf_counter()

    def step(name: str) -> None:
        nonlocal mark
        now = time.perf_counter()
        parts[name] = now - mark
        mark = now

    from app.find import Finder
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    finder = Finder(library)
    step("import finder")
    library.embedder.embed_query("warm")
    step("load model")
    library.vectors.heartbeat()
    step("join Chroma")
    finder.search(query)
    step("query")
    library.close()
    step("close")
    print(json.dumps({**parts, "sum": sum(parts.values())}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
