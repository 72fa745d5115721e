"""What a result was measured with: commit, settings, versions, machine, index."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from storage.records import DocumentSummary

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = (
    "hayloft",
    "chromadb",
    "llama-index-core",
    "numpy",
    "onnxruntime",
    "pypdf",
    "pypdfium2",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)

_SECRET_WORDS = ("token", "key", "password", "secret")
_GIT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Commit:
    """The state of the source tree. Both None where there is no git, or no commit."""

    id: str | None
    dirty: bool | None
    """True where tracked files are changed or untracked, unignored ones lie about."""


def commit_of(root: Path = ROOT) -> Commit:
    """The commit checked out at `root`, which must itself be the top of a work tree.

    An installed copy inside somebody else's repository must not claim that
    repository's commit.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return Commit(None, None)
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    changes = _git(root, "status", "--porcelain")
    return Commit(commit or None, None if changes is None else bool(changes))


def _git(root: Path, *arguments: str) -> str | None:
    # Optional locks off: reading the state must not disturb a git at work beside us.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    """Installed versions by package name; None where a package is not installed."""
    found: dict[str, str | None] = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, object]:
    """The interpreter and the hardware, as far as they tell."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }


def public_settings(*settings: BaseSettings) -> dict[str, object]:
    """The settings by their variable names, with secrets told as set or not set."""
    shown: dict[str, object] = {}
    for group in settings:
        prefix = str(group.model_config.get("env_prefix", ""))
        values = group.model_dump(mode="json")
        for name in type(group).model_fields:
            secret = isinstance(getattr(group, name), SecretStr) or _names_a_secret(name)
            shown[f"{prefix}{name.upper()}"] = (
                _set_or_not(values[name]) if secret else _without_login(values[name])
            )
    return shown


def _names_a_secret(name: str) -> bool:
    # By whole words: `chunk_tokens` is a number, `chroma_token` is a secret.
    return any(word in _SECRET_WORDS for word in name.split("_"))


def _set_or_not(value: object) -> str:
    return "set" if value else "not set"


def _without_login(value: object) -> object:
    """The value, and a URL without the user, password and query it may carry."""
    if not isinstance(value, str) or "://" not in value:
        return value
    parts = urlsplit(value)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def library_fingerprint(documents: Iterable[DocumentSummary]) -> str:
    """A SHA-256 over what the library holds: every document with its size and chunks.

    Equal fingerprints mean the same documents cut the same way, whenever and
    in whichever order they came in; it does not depend on where they lie.
    """
    digest = hashlib.sha256()
    for one in sorted(documents, key=lambda summary: (summary.document, summary.source_root)):
        fields = (one.document, one.size, one.pages, one.characters, one.chunks)
        digest.update(repr(fields).encode())
    return digest.hexdigest()


def library(documents: Sequence[DocumentSummary]) -> dict[str, object]:
    """What a result says of the library that was asked."""
    return {
        "documents": len(documents),
        "pages": sum(document.pages for document in documents),
        "chunks": sum(document.chunks for document in documents),
        "fingerprint": library_fingerprint(documents),
    }


def describe(
    settings: Iterable[BaseSettings], extra: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The provenance of a run that is being made now, for its JSON result."""
    commit = commit_of()
    return {
        "commit": commit.id,
        "dirty": commit.dirty,
        "versions": versions(),
        "machine": machine(),
        "settings": public_settings(*settings),
        **(extra or {}),
    }
