"""`hayloft status`."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from storage.counted import counted

if TYPE_CHECKING:
    from storage.library import Library
    from storage.records import DocumentSummary, RunSummary


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--documents",
        action="store_true",
        help="list every document with what it can be filtered by",
    )
    parser.add_argument("--failures", action="store_true", help="list every file set aside")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs shown (default: 3)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument(
        "--metrics", action="store_true", help="the last run and the library, for Prometheus"
    )


def run(args: argparse.Namespace) -> int:
    """Show what is stored; loads no model and starts no server."""
    from app.health import chroma_line
    from app.model_choice import choose_model
    from app.settings import AppSettings
    from storage.errors import HayloftError
    from storage.library import Library
    from storage.metrics import metrics_text
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    try:
        if args.metrics:
            print(metrics_text(library.catalog), end="")
            return 0
        try:
            choice = choose_model(AppSettings())
            model = (
                f"{choice.model.provider} {choice.model.name}"
                if choice.model
                else f"none. {choice.notice}"
            )
        except HayloftError as exc:
            model = str(exc)
        services = {"chroma": chroma_line(library.settings), "chat model": model}
        facts = _facts(library, services, runs=args.runs)
        facts["saved_answers"] = _saved(library)
        if args.json:
            if args.documents:
                facts["document_list"] = [
                    _document_facts(item) for item in library.catalog.documents()
                ]
            print(json.dumps(facts, ensure_ascii=False))
        else:
            _print(facts, library, documents=args.documents, failures=args.failures)
    finally:
        library.close()
    return 0


def _facts(library: Library, services: dict[str, str], *, runs: int) -> dict[str, Any]:
    from storage.run_history import lately

    catalog = library.catalog
    counts = catalog.counts()
    identity = catalog.identity()
    return {
        "data_dir": str(library.settings.data_dir),
        "documents": counts.documents,
        "pages": counts.pages,
        "chunks": counts.chunks,
        "failures": [
            {
                "document": failure.document,
                "kind": failure.kind,
                "reason": failure.reason,
                "attempts": failure.attempts,
                "serves_old_version": failure.serves_old_version,
                "since": failure.first_seen,
                "next_try": failure.next_try or None,
                "last_good": failure.last_good,
            }
            for failure in catalog.failures()
        ],
        "last_ingested_at": counts.last_ingested_at,
        "embedder": identity.embedder if identity else None,
        "sources": [root for root, _ in catalog.sources()],
        "runs": [_run_facts(run) for run in lately(catalog, limit=runs)],
        "services": services,
    }


def _saved(library: Library) -> dict[str, int]:
    """How many answers are saved, and how many of them have expired."""
    from app.cli_saved import everybodys

    found = everybodys(library.settings.data_dir, library.catalog)
    return {"saved": len(found), "expired": sum(one.verdict.expired for one in found)}


def _run_facts(run: RunSummary) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__slots__}


def _print(facts: dict[str, Any], library: Library, *, documents: bool, failures: bool) -> None:
    print(f"Library      {facts['data_dir']}")
    print(
        f"Holds        {counted(facts['documents'], 'document')}, "
        f"{counted(facts['pages'], 'page')}, {counted(facts['chunks'], 'chunk')}"
    )
    print(f"Fresh as of  {_moment(facts['last_ingested_at'])}")
    print(f"Embedder     {facts['embedder'] or 'none yet'}")
    for number, root in enumerate(facts["sources"]):
        print(f"{'Sources' if not number else '':<12} {root}")
    for name, state in facts["services"].items():
        print(f"{name.capitalize():<12} {state}")
    for number, run in enumerate(facts["runs"]):
        print(f"{'Runs' if not number else '':<12} {_run_line(run)}")
    if (saved := facts["saved_answers"])["saved"]:
        more = " (`hayloft saved --check` lists them)" if saved["expired"] else ""
        print(f"Saved        {saved['saved']} answers, {saved['expired']} expired{more}")
    aside = facts["failures"]
    if aside:
        print(
            f"Set aside    {counted(len(aside), 'file')}"
            + ("" if failures else " (--failures lists them)")
        )
    if failures:
        for failure in aside:
            print(f"  {failure['document']}: {failure['reason']}{_standing(failure)}")
    if documents:
        print()
        for document in library.catalog.documents():
            print(f"  {document.document}  {_document_line(document)}")
            for warning in document.warnings:
                print(f"      {warning}")
    if not facts["documents"]:
        print("\nThe library is empty. Fill it with `hayloft ingest FOLDER`.")


def _standing(failure: dict[str, Any]) -> str:
    """Since when a file cannot be read, what is served instead, and when it is tried again."""
    said = f" Set aside since {_moment(failure['since'])}"
    if failure["serves_old_version"]:
        said += f"; its last good version, of {_moment(failure['last_good'])}, is served"
    if failure["next_try"] and failure["next_try"] > time.time():
        said += f"; tried again after {_moment(failure['next_try'])}"
    return said + "."


def _document_line(document: DocumentSummary) -> str:
    parts = [
        counted(document.pages, "page" if document.paged else "section"),
        counted(document.chunks, "chunk"),
        document.kind,
        document.language or "language unknown",
        f"{document.dated} (its file's date)" if document.dated_by == "file" else document.dated,
        *(f"#{tag}" for tag in document.tags),
    ]
    return ", ".join(part for part in parts if part)


def _document_facts(document: DocumentSummary) -> dict[str, Any]:
    return {
        "document": document.document,
        "source": document.source_root,
        "title": document.title,
        "pages": document.pages,
        "chunks": document.chunks,
        "type": document.kind,
        "language": document.language,
        "date": document.dated,
        "date_by": document.dated_by,
        "tags": list(document.tags),
        "warnings": list(document.warnings),
        "ocr_pages": document.ocr_pages,
        "ocr_confidence": document.confidence,
        "unsearchable_pages": document.unsearchable_pages,
        "flagged_pages": document.flagged_pages,
    }


def _run_line(run: dict[str, Any]) -> str:
    took = ""
    if run["seconds"] is not None:
        took = f" {'for' if run['outcome'] == 'running' else 'in'} {run['seconds']:.0f} s"
    so_far = ""
    if run["outcome"] == "running" and run["to_do"] is not None:
        so_far = f"{run['done']:,} of {counted(run['to_do'], 'file')} so far, "
    line = (
        f"{_moment(run['started_at'])}  {run['outcome']}{took}: {so_far}{run['added']} added, "
        f"{run['updated']} updated, {run['deleted']} deleted, {run['failed']} set aside"
    )
    return f"{line}. {run['message']}" if run["message"] else line


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
