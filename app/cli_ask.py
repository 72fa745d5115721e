"""`hayloft ask`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from app import cli_scope

if TYPE_CHECKING:
    from app.answers import Answer
    from app.assistant import Assistant
    from storage.records import Scope


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("question", metavar="QUESTION", help="what you want to know")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="extractive, ollama:NAME or openai:NAME (HAYLOFT_MODEL; default: auto)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    cli_scope.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Answer one question."""
    scope = cli_scope.scope_of(args)

    from app.assistant import Assistant
    from app.find import Finder
    from app.model_choice import choose_model
    from app.settings import AppSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    settings = AppSettings(model=args.model) if args.model else AppSettings()
    library = Library(StorageSettings())
    try:
        choice = choose_model(settings)
        assistant = Assistant(library, Finder(library, settings), choice.model, settings)
        answer = _follow(assistant, args, scope)
    finally:
        library.close()
    if args.json:
        print(json.dumps(answer.to_json(), ensure_ascii=False), flush=True)
        return 0
    _print_foot(answer)
    if choice.notice:
        print(f"\n{choice.notice}")
    return 0


def _follow(assistant: Assistant, args: argparse.Namespace, scope: Scope) -> Answer:
    """Print the text as it comes (not with --json) and return the whole answer."""
    from app.answers import AnswerReady, TextDelta

    for event in assistant.ask(args.question, scope=scope):
        if isinstance(event, AnswerReady):
            if not args.json:
                print()
            return event.answer
        if isinstance(event, TextDelta) and not args.json:
            sys.stdout.write(event.text)
            sys.stdout.flush()
    raise RuntimeError("the assistant ended without an answer")


def _print_foot(answer: Answer) -> None:
    """What was searched for, sources, proofs and the receipt."""
    if answer.searched:
        print(f"\nSearched for: {answer.searched}")
    if answer.citations:
        print()
    for citation in answer.citations:
        proof = "quote verified" if citation.verified else "QUOTE NOT FOUND ON THE PAGE"
        if not citation.quote:
            proof = "no quote to verify"
        print(f"  [{citation.n}] {citation.document}, {citation.place}  ({proof})")
        if citation.also:
            places = "; ".join(f"{place.document}, {place.place}" for place in citation.also)
            print(f"      also in {places}")
    if answer.notice:
        print(f"\n{answer.notice}")
    print(f"\n{_receipt_line(answer)}")


def _receipt_line(answer: Answer) -> str:
    total = f"{answer.timings.get('total', 0.0):.1f} s"
    receipt = answer.receipt
    if not receipt.window:
        return f"Answered by: {answer.model} (sentences quoted from the documents), {total}."
    counted = "" if receipt.exact else "about "
    parts = ", ".join(f"{name} {tokens:,}" for name, tokens in receipt.parts.items() if tokens)
    server = receipt.server_prompt_tokens
    evaluated = f", {server:,} evaluated by the server" if server is not None else ""
    return (
        f"Answered by: {answer.model}, {total}. Window {receipt.window:,} tokens; "
        f"{counted}{receipt.prompt_tokens:,} sent{evaluated} ({parts})."
    )
