"""Where Ollama keeps its models on this machine, and which file a model's weights are."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from storage.errors import UsageError

WEIGHTS = "application/vnd.ollama.image.model"
_OTHER_PARTS = {
    "application/vnd.ollama.image.adapter": "an adapter (LoRA)",
    "application/vnd.ollama.image.projector": "a part for images",
}
_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Blob:
    """The weights of a model on this machine's disk."""

    path: Path
    store: Path | None
    """The store it lies in; None where it was named otherwise."""


def is_local(url: str) -> bool:
    """True where the address is on this machine, as far as an address can tell."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def stores(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The folders in which Ollama may keep models here, the likeliest first."""
    found = os.environ if environment is None else environment
    named = found.get("OLLAMA_MODELS", "").strip()
    home = Path(found.get("HOME") or Path.home())
    folders = [Path(named)] if named else []
    folders += [home / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]
    return list(dict.fromkeys(folders))


def find_weights(name: str, modelfile: str, folders: list[Path]) -> Blob:
    """The GGUF file that a model's weights are.

    The server's own word comes first (the FROM line of `/api/show`), then the
    manifests of the stores. Raises UsageError where the file is not here, may
    not be read, or where the model is made of more than one file.
    """
    _refuse_other_parts(name, modelfile)
    unreadable: list[Path] = []
    for path in _from_lines(modelfile):
        if _readable(path, unreadable):
            return Blob(path, path.parent.parent if path.parent.name == "blobs" else None)
    for folder in folders:
        for path in _from_manifest(name, folder, unreadable):
            if _readable(path, unreadable):
                return Blob(path, folder)
    if unreadable:
        raise UsageError(
            f"The file of {name}, {unreadable[0]}, may not be read by this user. Run the command "
            "as one who may (sudo), or copy the file and name the copy with --gguf."
        )
    looked = ", ".join(str(folder) for folder in folders)
    raise UsageError(
        f"The file of {name} is not on this machine (looked in {looked}). If Ollama runs in a "
        "container or elsewhere, run this there, set OLLAMA_MODELS to its folder of models, or "
        "name a GGUF file with --gguf."
    )


def manifest_path(name: str, store: Path) -> Path | None:
    """Where a store keeps the manifest of a model; None for what is no model's name."""
    rest, colon, tag = name.strip().rpartition(":")
    if not colon or "/" in tag:
        rest, tag = name.strip(), _TAG
    parts = rest.split("/")
    parts = [_HOST, _NAMESPACE][: max(3 - len(parts), 0)] + parts
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in (*parts, tag)):
        return None
    path = store / "manifests"
    for part in (*parts, tag):
        path = _child(path, part)
    return path


def _child(folder: Path, name: str) -> Path:
    """The entry of that name, in whatever case it is kept."""
    exact = folder / name
    try:
        if not exact.exists():
            return next(
                (entry for entry in folder.iterdir() if entry.name.lower() == name.lower()), exact
            )
    except OSError:
        return exact
    return exact


def _from_lines(modelfile: str) -> list[Path]:
    lines = re.findall(r"^FROM\s+(.+?)\s*$", modelfile, re.MULTILINE | re.IGNORECASE)
    paths = [Path(line.strip("\"'")) for line in lines]
    return [path for path in paths if path.is_absolute()]


def _from_manifest(name: str, store: Path, unreadable: list[Path]) -> list[Path]:
    path = manifest_path(name, store)
    if path is None:
        return []
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except PermissionError:
        unreadable.append(path)
        return []
    except (OSError, ValueError):
        return []
    listed = manifest.get("layers") if isinstance(manifest, dict) else None
    layers = [layer for layer in listed or [] if isinstance(layer, dict)]
    for layer in layers:
        if part := _OTHER_PARTS.get(str(layer.get("mediaType"))):
            raise _more_than_text(name, part)
    digests = [str(layer.get("digest")) for layer in layers if layer.get("mediaType") == WEIGHTS]
    if len(digests) > 1:
        raise UsageError(
            f"{name} is split over {len(digests)} files. Join them with llama.cpp's "
            "llama-gguf-split --merge and name the result with --gguf."
        )
    good = [digest for digest in digests if re.fullmatch(r"sha256[:-][0-9a-f]{64}", digest)]
    return [store / "blobs" / digest.replace(":", "-") for digest in good]


def _readable(path: Path, unreadable: list[Path]) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except PermissionError:
        unreadable.append(path)
    except OSError:
        return False
    return False


def _refuse_other_parts(name: str, modelfile: str) -> None:
    if re.search(r"^ADAPTER\s", modelfile, re.MULTILINE | re.IGNORECASE):
        raise _more_than_text(name, _OTHER_PARTS["application/vnd.ollama.image.adapter"])


def _more_than_text(name: str, part: str) -> UsageError:
    return UsageError(
        f"{name} has {part} beside its weights, which a copy would lose. Extend the plain model "
        "that it was made from."
    )
