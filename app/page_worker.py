"""The process that draws a page: one request on standard input, one answer on standard output.

Started by `app.page_image`, since a crafted PDF may crash pdfium, take all
memory or never end: all that costs this process alone. It may be started ahead
of its request: it loads what drawing needs, waits, and ends by itself where
nothing is asked, or nobody is left who could.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import select
import sys
from typing import Any

from app.page_boxes import boxes_on

Values = dict[str, Any]

_MOST_PIXELS = 40_000_000
_PATIENCE_S = 600.0
"""How long it waits for its request: about 30 MB that nobody may need."""


def main() -> None:
    """Answer the request: `{"error": ...}`, or size, rotation and boxes of the page."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not stand in the answer
    logging.disable(logging.CRITICAL)
    import pypdfium2  # noqa: F401  # loaded before the request comes

    if not select.select([sys.stdin], [], [], _PATIENCE_S)[0]:
        return
    asked = sys.stdin.read()
    if not asked:
        return
    request = json.loads(asked)
    _limit(int(request["memory_mb"]), int(request["seconds"]))
    try:
        answer = _answer(request)
    except MemoryError:
        answer = {"error": "memory"}
    json.dump(answer, answers)
    answers.flush()


def _answer(request: Values) -> Values:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(request["path"])
        index = int(request["page"]) - 1
        if not 0 <= index < len(document):
            return {"error": "page"}
        page = document[index]
        spans = [(int(start), int(end)) for start, end in request["spans"]]
        found = boxes_on(page, str(request["text"]), spans)
        answer: Values = {
            "width": found.width,
            "height": found.height,
            "rotation": found.rotation,
            "boxes": [[list(box) for box in boxes] for boxes in found.boxes],
        }
        if request.get("out"):
            _draw(page, int(request["pixels"]), str(request["out"]))
    except pdfium.PdfiumError as exc:
        return {"error": "password" if "assword" in str(exc) else "damaged"}
    return answer


def _draw(page: Any, pixels: int, out: str) -> None:
    """Write the page as a PNG, `pixels` wide or less where it would be too large."""
    width, height = page.get_size()
    scale = pixels / max(width, 1.0)
    largest = (_MOST_PIXELS / max(width * height, 1.0)) ** 0.5
    bitmap = page.render(scale=min(scale, largest), may_draw_forms=True)
    try:
        bitmap.to_pil().convert("RGB").save(out, "PNG", compress_level=3)
    finally:
        bitmap.close()


def _limit(memory_mb: int, seconds: int) -> None:
    """The most memory and processor time this process may take."""
    for kind, most in (
        (resource.RLIMIT_DATA, memory_mb << 20),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            _, hard = resource.getrlimit(kind)
            wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (wanted, hard))


if __name__ == "__main__":
    main()
