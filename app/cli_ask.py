"""`hayloft ask`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from app import cli_scope
from app.plans import MODES

if TYPE_CHECKING:
    from app.answers import Answer, Citation, ReadingProgress
    from app.assistant import Assistant
    from app.plans import Plan
    from storage.records import Scope


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("question", metavar="QUESTION", help="what you want to know")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="extractive, ollama:NAME or openai:NAME (HAYLOFT_MODEL; default: auto)",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="from whole documents, passages, every page in parts, or as quotations "
        "(HAYLOFT_MODE; default: auto)",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="only print what each mode would take, in tokens and seconds; nothing is asked",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    cli_scope.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Answer one question."""
    scope = cli_scope.scope_of(args)

    from app.assistant import Assistant
    from app.find import Finder
    from app.long_model import long_copy
    from app.model_choice import choose_model
    from app.settings import AppSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    settings = AppSettings(model=args.model) if args.model else AppSettings()
    library = Library(StorageSettings())
    try:
        choice = choose_model(settings)
        if not args.plan:
            choice.require(args.mode)
        assistant = Assistant(
            library,
            Finder(library, settings),
            choice.model,
            settings,
            longer=lambda model: long_copy(model, settings, library.settings.data_dir),
        )
        if args.plan:
            _print_plan(assistant.plan(args.question, scope=scope, mode=args.mode), args)
            return 0
        answer = _follow(assistant, args, scope)
    finally:
        library.close()
    if args.json:
        from app.support import unsupported_sentences

        told = {
            **answer.noting(choice.why_quoted(args.mode)).to_json(),
            "unsupported": unsupported_sentences(answer),
        }
        print(json.dumps(told, ensure_ascii=False), flush=True)
        return 0
    _print_foot(answer)
    if choice.notice:
        print(f"\n{choice.notice}")
    return 0


def _follow(assistant: Assistant, args: argparse.Namespace, scope: Scope) -> Answer:
    """Print the text as it comes (not with --json) and return the whole answer."""
    from app.answers import AnswerReady, ReadingProgress, SourcesFound, TextDelta
    from app.rendering import plain

    reading = told = False
    for event in assistant.ask(args.question, scope=scope, mode=args.mode):
        if isinstance(event, SourcesFound) and event.plan is not None:
            print(event.plan.words(), file=sys.stderr, flush=True)
        if isinstance(event, ReadingProgress) and not told:
            print(_begins(event), file=sys.stderr, flush=True)
            told = True
        if isinstance(event, ReadingProgress) and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{_progress(event)}")
            sys.stderr.flush()
            reading = True
        elif reading:
            sys.stderr.write("\n")
            reading = False
        if isinstance(event, AnswerReady):
            if not args.json:
                print()
            return event.answer
        if isinstance(event, TextDelta) and not args.json:
            sys.stdout.write(plain(event.text))  # no escape sequence reaches the terminal
            sys.stdout.flush()
    raise RuntimeError("the assistant ended without an answer")


def _begins(event: ReadingProgress) -> str:
    """What is about to be read; where an earlier reading had begun, what is left of it."""
    if event.read_before:
        return (
            f"Going on with an earlier reading: {event.read_before:,} of {event.pages:,} pages "
            "are read already"
        )
    return f"Reading {event.pages:,} page{'' if event.pages == 1 else 's'}"


def _progress(event: ReadingProgress) -> str:
    """`120 of 412 pages read, 3 had something, 2 min left`."""
    from app.plans import duration

    said = f"{event.pages_read:,} of {event.pages:,} pages read, {event.found:,} had something"
    return f"{said}, {duration(event.seconds_left)} left" if event.seconds_left else said


def _print_plan(plan: Plan, args: argparse.Namespace) -> None:
    """The ways there are, the chosen one marked."""
    if args.json:
        print(json.dumps(plan.to_json(), ensure_ascii=False))
        return
    for option in plan.options:
        mark = "→" if option.mode == plan.chosen else " "
        print(f"{mark} {option.mode:<10}  {option.words()}")
        if option.placement:
            print(f"{'':14}{option.placement}")


def _print_foot(answer: Answer) -> None:
    """What was searched for, sources, proofs and the receipt."""
    from app.rendering import plain
    from app.support import unsupported_sentences

    if answer.searched:
        print(f"\nSearched for: {answer.searched}")
    if answer.citations:
        print()
    for citation in answer.citations:
        where = plain(f"{citation.document}, {citation.place}")
        print(f"  [{citation.n}] {where}  ({_proof(citation)})")
        for line in _differences(citation):
            print(f"      {line}")
        if citation.also:
            places = "; ".join(f"{place.document}, {place.place}" for place in citation.also)
            print(f"      also in {plain(places)}")
    unsupported = unsupported_sentences(answer)
    if unsupported:
        sentences = (
            "1 sentence has" if len(unsupported) == 1 else f"{len(unsupported)} sentences have"
        )
        print(f"\nNot proved: {sentences} no verified quote.")
        for item in unsupported:
            print(f"  - {_one_line(str(item['text']))}")
    if answer.notice:
        print(f"\n{answer.notice}")
    if answer.ledger:
        print(f"\n{answer.ledger.summary}.")
    print(f"\n{_receipt_line(answer)}")


def _proof(citation: Citation) -> str:
    from app.support import NEAR, OPEN, UNPROVED, VERIFIED, state_of

    return {
        VERIFIED: "quote verified",
        NEAR: "NEAR MISS: the page says something slightly different",
        UNPROVED: "QUOTE NOT FOUND ON THE PAGE",
        OPEN: "no quote to verify",
    }[state_of(citation)]


def _differences(citation: Citation) -> list[str]:
    """What the page says where it differs, and figures that it does not hold."""
    lines = []
    if citation.near is not None:
        lines.append(f"the page says: {_one_line(citation.near.text)}")
        lines += [
            f"{_words(item.quoted)} → {_words(item.page)}" for item in citation.near.differences
        ]
    elif citation.figures:
        lines.append(f"nowhere on the pages cited: {', '.join(citation.figures)}")
    return lines


def _words(text: str) -> str:
    return f"“{_one_line(text)}”" if text else "nothing"


def _one_line(text: str, limit: int = 160) -> str:
    from app.rendering import plain

    line = " ".join(plain(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _receipt_line(answer: Answer) -> str:
    total = f"{answer.timings.get('total', 0.0):.1f} s"
    receipt = answer.receipt
    if not receipt.window and answer.ledger:
        return f"Read by: {answer.model}, {total}."
    if not receipt.window:
        return f"Answered by: {answer.model} (sentences quoted from the documents), {total}."
    counted = "" if receipt.exact else "about "
    parts = ", ".join(f"{name} {tokens:,}" for name, tokens in receipt.parts.items() if tokens)
    server = receipt.server_prompt_tokens
    evaluated = f", {server:,} evaluated by the server" if server is not None else ""
    line = (
        f"Answered by: {answer.model}, {total}. Window {receipt.window:,} tokens; "
        f"{counted}{receipt.prompt_tokens:,} sent{evaluated} ({parts})."
    )
    if receipt.reused_tokens is not None and receipt.computed_tokens is not None:
        about = "about " if receipt.derived else ""
        line += (
            f"\n{about}{receipt.reused_tokens:,} reused from the server's cache, "
            f"{about}{receipt.computed_tokens:,} computed."
        )
    if receipt.trusted_reason:
        line += f"\nTrusted: {receipt.trusted_window:,} tokens. {receipt.trusted_reason}"
    if receipt.note:
        line += f"\n{receipt.note}"
    return line
