"""The chat page as a reader meets it, in a real browser over the sample library.

From the command to a page that can be typed into; from a click on a citation to the highlighted
words, as text and as a picture of the page; what an open page takes of the server's memory; what
drawing costs beside a model of 100 tokens a second; many people who ask at once. The model is the
tests' double of Ollama: what is measured is the app's own work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.common import Failed, Figure, Report, Skipped, at_most, median, percentile

START_LIMIT_S = 3.0
CLICK_LIMIT_MS = 400.0
TOKENS_A_SECOND = 100.0
QUESTION = "When may the master cut the ferry loose?"
WAIT_MS = 120_000

# Resolves with the milliseconds from a click to the first frame that shows what is looked for.
_CLICK = """
([clicked, shown]) => new Promise((resolve, reject) => {
  const button = document.querySelector(clicked);
  const began = performance.now();
  const look = () => {
    const found = document.querySelector(shown);
    if (found && found.getClientRects().length) resolve(performance.now() - began);
    else if (performance.now() - began > 30000) reject("nothing was shown");
    else requestAnimationFrame(look);
  };
  button.click();
  requestAnimationFrame(look);
})
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--data-dir", type=Path, help="a library that holds the samples")
    parser.add_argument("--clicks", type=int, default=40, help="citations opened (default: 40)")
    parser.add_argument("--pages", type=int, default=10, help="pages held open (default: 10)")
    parser.add_argument("--people", type=int, default=20, help="who ask at once (default: 20)")


def run(args: argparse.Namespace) -> Report:
    """Measure the page; skipped where there is no browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as exc:
        raise Skipped("playwright is not installed: `make test-browser` installs it") from exc
    binary = _chromium()
    data_dir = args.data_dir or _sample_library()
    figures: list[Figure] = []
    details: dict[str, Any] = {"data_dir": str(data_dir)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        starts = [_start(browser, data_dir) for _ in range(4)][1:]
        figures.append(
            at_most(
                "hayloft ui to a page that takes a question",
                median(starts),
                START_LIMIT_S,
                "s",
                f"median of {len(starts)} with warm imports; no model is loaded for it",
            )
        )
        details["starts_s"] = starts
        for part in (_clicks, _memory, _stream, _people):
            more, found = part(browser, data_dir, args)
            figures += more
            details |= found
        browser.close()
    return Report("page", tuple(figures), details)


# --- the parts ----------------------------------------------------------------------------------


def _start(browser: Any, data_dir: Path) -> float:
    page = browser.new_page()
    began = time.perf_counter()
    with _served(data_dir) as (url, _):
        page.goto(url)
        page.locator("textarea[data-testid=stChatInputTextArea]:enabled").wait_for(timeout=WAIT_MS)
        took = time.perf_counter() - began
        page.close()
    return took


def _clicks(
    browser: Any, data_dir: Path, args: argparse.Namespace
) -> tuple[list[Figure], dict[str, Any]]:
    with _served(data_dir) as (url, _):
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(WAIT_MS)
        page.goto(url)
        _ask(page, QUESTION)
        page.wait_for_selector(".hl-cite.hl-verified")
        drawn = [_opened(page, ".hl-box-quote, [role=dialog] mark.hl-quote")]
        drawn += [_opened(page, ".hl-box-quote") for _ in range(args.clicks - 1)]
        figures = [_click_figure("picture of the page", drawn)]
        found = {"clicks_picture_ms": drawn}
        page.evaluate(_CLICK, [".hl-cite.hl-verified", "[role=dialog] .hl-box-quote"])
        page.get_by_text("Show the page itself").click()
        page.wait_for_selector("[role=dialog] mark.hl-quote")
        _close(page)
        text = [_opened(page, "mark.hl-quote") for _ in range(args.clicks)]
        figures.append(_click_figure("text", text))
        found["clicks_text_ms"] = text
        page.close()
    return figures, found


def _opened(page: Any, shown: str) -> float:
    took = float(page.evaluate(_CLICK, [".hl-cite.hl-verified", f"[role=dialog] {shown}"]))
    _close(page)
    return took


def _close(page: Any) -> None:
    while page.locator("[role=dialog]").count():
        # Right after it was drawn the dialog may not have the keyboard's focus yet.
        page.keyboard.press("Escape")
        page.wait_for_timeout(100)


def _click_figure(what: str, times: list[float]) -> Figure:
    return at_most(
        f"click on a citation to the marked words ({what}), p95",
        percentile(times, 95),
        CLICK_LIMIT_MS,
        "ms",
        f"n = {len(times)}, p50 {percentile(times, 50):.0f}",
    )


def _memory(
    browser: Any, data_dir: Path, args: argparse.Namespace
) -> tuple[list[Figure], dict[str, Any]]:
    with _served(data_dir) as (url, process):
        first = browser.new_page()
        first.goto(url)
        _ask(first, QUESTION)
        first.wait_for_selector(".hl-cite.hl-verified", timeout=WAIT_MS)
        address = first.url
        time.sleep(2.0)
        before = _memory_of(process.pid)
        opened = []
        for _ in range(args.pages):
            page = browser.new_context().new_page()
            page.goto(address)
            page.wait_for_selector(".hl-cite.hl-verified", timeout=WAIT_MS)
            opened.append(page)
        time.sleep(2.0)
        after = _memory_of(process.pid)
        for page in opened:
            page.context.close()
        first.close()
    each = (after - before) / max(1, args.pages) / 1e6
    figures = [
        Figure("memory of the server with one page open", before / 1e6, "MB"),
        Figure("memory of each further open page", each, "MB", note=f"{args.pages} pages"),
    ]
    return figures, {"memory_before": before, "memory_after": after}


def _stream(
    browser: Any, data_dir: Path, args: argparse.Namespace
) -> tuple[list[Figure], dict[str, Any]]:
    """How much longer a fast answer takes on the page than the model takes to say it."""
    from tests.ollama_double import OllamaDouble

    words = 600
    reply = " ".join(f"word{number}" for number in range(words))
    with OllamaDouble(reply=reply, tokens_per_s=TOKENS_A_SECOND) as ollama:
        with _served(data_dir, ollama.url) as (url, _):
            page = browser.new_page()
            page.goto(url)
            _ask(page, QUESTION)
            page.wait_for_selector("details.hl-receipt", timeout=WAIT_MS)
            page.wait_for_timeout(500)
            began = time.perf_counter()
            _ask(page, "And who decides about the tow line?")
            page.locator("details.hl-receipt").nth(1).wait_for(timeout=WAIT_MS)
            took = time.perf_counter() - began
            page.close()
        generated = max(request.generated for request in ollama.requests)
    spoken = generated / TOKENS_A_SECOND
    figure = Figure(
        "an answer at 100 tokens a second against the model alone",
        took / spoken,
        "×",
        note=f"{generated} tokens; search, first words and the proof of quotes included",
    )
    return [figure], {"stream_s": took, "spoken_s": spoken}


def _people(
    browser: Any, data_dir: Path, args: argparse.Namespace
) -> tuple[list[Figure], dict[str, Any]]:
    """Many pages that ask in the same second; the double answers one after another."""
    from tests.ollama_double import OllamaDouble

    with OllamaDouble(tokens_per_s=200.0) as ollama, _served(data_dir, ollama.url) as (url, _):
        pages = []
        for _ in range(args.people):
            page = browser.new_context().new_page()
            page.goto(url)
            page.locator("textarea[data-testid=stChatInputTextArea]:enabled").wait_for(
                timeout=WAIT_MS
            )
            pages.append(page)
        _ask(pages[0], QUESTION)
        pages[0].wait_for_selector("details.hl-receipt", timeout=WAIT_MS)
        began = time.perf_counter()
        for page in pages[1:]:
            _ask(page, QUESTION)
        asked = time.perf_counter() - began
        done = []
        waiting = dict(enumerate(pages[1:]))
        while waiting and time.perf_counter() - began < WAIT_MS / 1000:
            for number, page in list(waiting.items()):
                if page.locator("details.hl-receipt").count():
                    done.append(time.perf_counter() - began)
                    del waiting[number]
                elif page.locator(".hl-notice.hl-error").count():
                    raise Failed(page.locator(".hl-notice.hl-error").first.inner_text())
            pages[0].wait_for_timeout(50)
        for page in pages:
            page.context.close()
    if waiting:
        raise Failed(f"{len(waiting)} of {len(pages) - 1} people got no answer")
    figures = [
        Figure("people at once: the first answer after", min(done), "s", note=f"n = {len(done)}"),
        Figure("people at once: the last answer after", max(done), "s", note="no error"),
    ]
    return figures, {"people_s": sorted(done), "asked_within_s": asked}


# --- what they stand on -------------------------------------------------------------------------


def _chromium() -> str:
    given = os.environ.get("HAYLOFT_CHROMIUM")
    for name in (given, "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    raise Skipped("no Chromium here: install Debian's `chromium`, or set HAYLOFT_CHROMIUM")


def _sample_library() -> Path:
    data_dir = common.scratch_folder(None, "hayloft-page-")
    common.say("page: ingesting the sample library")
    command = [*common.hayloft(), "ingest", str(common.ROOT / "samples" / "library")]
    common.timed(command, common.environment(data_dir))
    return data_dir


@contextmanager
def _served(data_dir: Path, ollama: str = "") -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    extra = {"HAYLOFT_MODEL": "auto" if ollama else "extractive"}
    if ollama:
        extra["HAYLOFT_OLLAMA_URL"] = ollama
    process = subprocess.Popen(
        [*common.hayloft(), "ui", "--port", str(port)],
        env=common.environment(data_dir, **extra),
        cwd=data_dir,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_healthy(process, port)
        yield f"http://localhost:{port}", process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2):
                return
        except OSError as exc:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed("`hayloft ui` does not serve") from exc
            time.sleep(0.02)


def _ask(page: Any, question: str) -> None:
    box = page.locator("textarea[data-testid=stChatInputTextArea]:enabled")
    box.wait_for(timeout=WAIT_MS)
    box.fill(question)
    box.press("Enter")


def _memory_of(root: int) -> int:
    """Bytes of a process and its children that are theirs alone or shared in part (PSS)."""
    total = 0
    for pid in [root, *_children(root)]:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError as exc:
            if pid == root:
                raise Skipped("memory can be read on Linux only") from exc
            continue
        total += 1024 * int(next(line for line in rollup.splitlines() if "Pss:" in line).split()[1])
    return total


def _children(root: int) -> list[int]:
    found: list[int] = []
    try:
        told = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    except OSError:
        return []
    for pid in map(int, told):
        found += [pid, *_children(pid)]
    return found


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.bench_page")
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))
