"""The Ollama double as a command, for people: it serves until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from tests.ollama_double import Fault, OllamaDouble, Request
from tests.ollama_double_replies import quoting_reply


def _told(request: Request) -> str:
    """One line about a request, without its text."""
    line = f"{request.method} {request.path} {request.status or '-'}"
    if request.model:
        line += f" {request.model} num_ctx={request.num_ctx}"
    if request.sent_tokens:
        line += (
            f" prompt={len(request.sent_tokens)} evaluated={len(request.evaluated_tokens)}"
            f" cached={request.cached} answer={request.generated}"
        )
    marks = [
        word
        for word, true in (
            ("loaded", request.reloaded),
            ("truncated", request.truncated),
            ("client left", request.disconnected),
        )
        if true
    ]
    if request.fault is not None:
        marks.append(f"fault {request.fault.value}")
    return f"{line} ({', '.join(marks)})" if marks else line


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.ollama_double",
        description="Serve like Ollama, with a model that only quotes, and fail on request.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=11434, help="0 takes a free one")
    parser.add_argument("--version", default="0.33.0", help="version of Ollama to be, or `newer`")
    parser.add_argument("--fault", choices=[fault.value for fault in Fault])
    parser.add_argument("--fault-after", type=int, default=2, metavar="TOKENS")
    parser.add_argument("--fault-count", type=int, metavar="REQUESTS", help="then it is over")
    parser.add_argument("--tokens-per-second", type=float, metavar="N", help="speed of writing")
    parser.add_argument("--prefill-tokens-per-second", type=float, default=1_000_000, metavar="N")
    parser.add_argument("--load-seconds", type=float, default=0.01, metavar="S")
    parser.add_argument("--vram-gib", type=float, default=0.0, metavar="GIB")
    parser.add_argument("--memory-gib", type=float, metavar="GIB")
    parser.add_argument("--context-length", type=int, metavar="TOKENS")
    parser.add_argument("--reply", metavar="TEXT", help="say this instead of quoting")
    parser.add_argument("--quiet", action="store_true", help="no line for each request")
    args = parser.parse_args(argv)
    double = OllamaDouble(
        version=args.version,
        reply=args.reply if args.reply is not None else quoting_reply,
        vram_gib=args.vram_gib,
        memory_gib=args.memory_gib,
        context_length=args.context_length,
        load_s=args.load_seconds,
        prefill_tokens_per_s=args.prefill_tokens_per_second,
        tokens_per_s=args.tokens_per_second,
        host=args.host,
        port=args.port,
    )
    if not args.quiet:
        double.on_end = lambda request: print(_told(request), flush=True)
    over = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: over.set())
    try:
        double.start()
    except OSError as exc:
        print(f"cannot listen on {args.host}:{args.port}: {exc.strerror}", file=sys.stderr)
        return 1
    if args.fault:
        double.inject(Fault(args.fault), count=args.fault_count, after_tokens=args.fault_after)
    names = ", ".join(model.name for model in double.models)
    print(f"Ollama double {double.behaviour.version} serves at {double.url} ({names})", flush=True)
    over.wait()
    double.stop()
    return 0
