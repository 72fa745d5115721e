"""What a run is going to do, decided by `stat` alone, and the brake on deleting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.loaders.registry import loader_for
from ingest.scan import FoundFile
from ingest.sources import Scope
from storage.catalog_writer import CatalogWriter, KnownFile
from storage.errors import DeleteBrake

_FEW = 2
"""Removing this many documents never trips the brake, unless they are all there are."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to do."""

    to_read: list[tuple[Scope, FoundFile, KnownFile | None]]
    to_delete: list[KnownFile]
    to_carry: list[tuple[int, KnownFile]]
    """Source and file of what a rebuild cannot look at: its last version moves along."""
    unchanged: int


def plan_run(scopes: Sequence[Scope], writer: CatalogWriter, *, everything: bool) -> Plan:
    """Compare what was found with what is known; with `everything`, all is to be read again.

    Failures of files that are gone, or are again as they were when they were
    read, are forgotten.
    """
    to_read: list[tuple[Scope, FoundFile, KnownFile | None]] = []
    to_delete: list[KnownFile] = []
    unchanged = 0
    for scope in scopes:
        known = writer.files(scope.source_id)
        here = {file.relative: file for file in scope.found}
        settled = set()
        for path, file in here.items():
            before = known.get(path)
            if not everything and before is not None and _same(file, before):
                unchanged += 1
                settled.add(path)
            else:
                to_read.append((scope, file, before))
        to_delete += [
            file for path, file in known.items() if path not in here and scope.covers(path)
        ]
        failed = writer.failed_paths(scope.source_id)
        gone = {path for path in failed if path not in here and scope.covers(path)}
        writer.clear_failures(scope.source_id, sorted(gone | (failed & settled)))
    to_carry = _not_looked_at(scopes, writer, to_read, to_delete) if everything else []
    return Plan(to_read, to_delete, to_carry, unchanged)


def brake(plan: Plan, scopes: Sequence[Scope], *, documents: int, most: float) -> None:
    """Stop before a hiccup of a network share empties the library.

    `documents` is the size of the library, `most` the share of it that a run
    may remove. Raises DeleteBrake.
    """
    gone = len(plan.to_delete)
    all_gone = gone == documents and documents >= _FEW
    if all_gone or (gone > _FEW and gone > most * documents):
        roots = ", ".join(sorted({str(scope.root) for scope in scopes}))
        raise DeleteBrake(
            f"{gone} of {documents} documents are no longer under {roots}; nothing was "
            "changed. If the folder is only missing its network share, bring it back; if "
            "they are meant to go, run `hayloft ingest --allow-deletes`."
        )


def _not_looked_at(
    scopes: Sequence[Scope],
    writer: CatalogWriter,
    to_read: Sequence[tuple[Scope, FoundFile, KnownFile | None]],
    to_delete: Sequence[KnownFile],
) -> list[tuple[int, KnownFile]]:
    """Documents that are neither found nor known to be gone: below an unreadable folder."""
    planned = {before.document_id for _, _, before in to_read if before is not None}
    planned |= {file.document_id for file in to_delete}
    return [
        (source_id, file)
        for source_id in dict.fromkeys(scope.source_id for scope in scopes)
        for file in writer.files(source_id).values()
        if file.document_id not in planned
    ]


def _same(file: FoundFile, before: KnownFile) -> bool:
    """Decided by `stat` alone; a loader that reads better now is a reason to read again."""
    return (
        file.size == before.size
        and file.mtime_ns == before.mtime_ns
        and before.reader == loader_for(file.path.suffix).version
    )
