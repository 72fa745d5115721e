"""`hayloft tokens`: how many tokens Qwen2 makes of files or of standard input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.tokens import TokenCounter

STDIN = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Count tokens as Qwen2 does. Exact where its vocabulary is at hand (from Ollama, or "
        "HAYLOFT_TOKENIZER); otherwise an estimate from above, marked as one."
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="text files in UTF-8; none, or -, reads standard input",
    )
    parser.add_argument(
        "--chat",
        action="store_true",
        help="count the text as one chat message, as the chat template renders it",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--ids", action="store_true", help="give the token ids too")


def run(args: argparse.Namespace) -> int:
    """Print a line for each file; 1 where some could not be read."""
    from app.model_choice import choose_counter
    from app.settings import AppSettings

    counter = choose_counter(AppSettings())
    files: Sequence[str] = args.files or [STDIN]
    failed = 0
    total = 0
    for file in files:
        try:
            text = _read(file)
        except (OSError, UnicodeDecodeError) as exc:
            print(f"hayloft: {_reason(file, exc)}", file=sys.stderr)
            failed += 1
            continue
        record = measure(file, text, counter, chat=args.chat, ids=args.ids)
        total += int(str(record["tokens"]))
        print(json.dumps(record) if args.json else _line(record), flush=True)
    if len(files) > 1 and not args.json:
        print(_line({"file": "total", "tokens": total, "exact": counter.exact}))
    if not counter.exact:
        print(
            "hayloft: these are estimates from above. For exact counts set HAYLOFT_TOKENIZER to "
            "a tokenizer.json or GGUF file of Qwen2, or run Ollama with a Qwen2 model.",
            file=sys.stderr,
        )
    return 1 if failed else 0


def measure(
    file: str, text: str, counter: TokenCounter, *, chat: bool, ids: bool
) -> dict[str, object]:
    """The record of one text, as `--json` prints it."""
    from app.chat import Message
    from app.tokens import render_chat

    message = [Message("user", text)]
    count = counter.count_chat(message) if chat else counter.count_text(text)
    record: dict[str, object] = {"file": file, "tokens": count.tokens, "exact": count.exact}
    if ids:
        record["ids"] = counter.ids(render_chat(message) if chat else text)
    return record


def _read(file: str) -> str:
    # Bytes, since reading as text would turn \r\n into \n, which counts otherwise.
    data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    return data.decode("utf-8")


def _reason(file: str, exc: OSError | UnicodeDecodeError) -> str:
    name = "standard input" if file == STDIN else file
    if isinstance(exc, UnicodeDecodeError):
        return f"{name} is not text in UTF-8, so it has no token count: convert it first."
    return f"{name} cannot be read: {exc.strerror or exc}."


def _line(record: dict[str, object]) -> str:
    about = "" if record["exact"] else "≤ "
    line = f"{about + format(record['tokens'], ','):>12}  {record['file']}"
    return f"{line}\n{json.dumps(record['ids'])}" if "ids" in record else line
