"""The files of a run beside its rows: configuration, plan, haystack."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from evaluation.files import in_place
from evaluation.niah.arms import Bench
from evaluation.niah.haystacks import Haystack
from evaluation.served import other_server
from storage.errors import UsageError

CONFIG, PLAN, HAYSTACK, SENT = "config.yaml", "plan.json", "haystack.json.gz", "sent"


def refuse_other(folder: Path, bench: Bench) -> None:
    """Raise UsageError where a run was made with another configuration or model."""
    from evaluation.niah.config import read_config

    before = read_config(folder / CONFIG)
    if replace(before, budget=bench.config.budget) != bench.config:
        raise UsageError(
            f"The run {folder.name} was made with another configuration. Leave out --run to "
            "start a new one."
        )
    other = other_server(read_plan(folder).get("served", {}), bench.served)
    if other:
        raise UsageError(
            f"The run {folder.name} was made with another {other}. Leave out --run to start a "
            "new one."
        )


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of a run; raises UsageError where there is none."""
    try:
        data = json.loads((folder / PLAN).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise UsageError(f"{folder} holds no run: its {PLAN} cannot be read.") from exc
    if not isinstance(data, dict) or any(
        not isinstance(data.get(name, {}), dict) for name in ("served", "asked", "haystack")
    ):
        raise UsageError(f"{folder} holds no run: its {PLAN} cannot be read.")
    return data


def save_haystack(folder: Path, haystack: Haystack) -> None:
    """Keep the text: the library may change before the run goes on."""
    told = json.dumps(asdict(haystack), ensure_ascii=False)
    packed = gzip.compress(told.encode("utf-8", "replace"), 6, mtime=0)
    with in_place(folder / HAYSTACK) as part:
        part.write_bytes(packed)


def read_haystack(folder: Path) -> Haystack:
    """The text of a run; raises UsageError where it is not there."""
    try:
        data = json.loads(gzip.decompress((folder / HAYSTACK).read_bytes()))
        return Haystack(
            data["id"],
            data["language"],
            tuple(data["paragraphs"]),
            data.get("note", ""),
            data.get("own", 0),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error) as exc:
        raise UsageError(
            f"The haystack of the run in {folder} cannot be read: {HAYSTACK} is missing or damaged."
        ) from exc


def note(folder: Path, more: Mapping[str, Any]) -> None:
    """Keep something more in the plan of a run."""
    path = folder / PLAN
    if not path.is_file():
        return
    told = json.dumps({**read_plan(folder), **more}, ensure_ascii=False, indent=2) + "\n"
    write(path, told)


def write(path: Path, text: str) -> None:
    """A file in the place of the one before, at once; raises StorageError where it cannot be."""
    with in_place(path) as part:
        part.write_text(text, encoding="utf-8")
