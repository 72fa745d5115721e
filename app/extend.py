"""`hayloft models extend`: a copy of a model with a four times longer window, made and checked."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.chat import BadReply, ChatModelError, ModelMissing, ModelUnreachable
from app.chat_http import Server
from app.gguf_copy import Copied, PartFile, check_space, checked_header, copy_with
from app.model_catalogue import integer
from app.ollama_models import (
    CREATES_FROM_FILES,
    Recipe,
    create,
    has_blob,
    load,
    recipe_of,
    upload_blob,
)
from app.ollama_server import server_version
from app.ollama_store import Blob, find_weights, is_local, stores
from app.yarn import Extension, plan_extension
from storage.errors import UsageError

log = logging.getLogger(__name__)

Tell = Callable[[str, int, int], None]
"""Told which stage is at work, and how many bytes of how many are done (0 of 0: unknown)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    model: str
    gguf: Path | None = None
    """The weights, where they are not to be looked for in Ollama's store."""
    name: str = ""
    """Of the new model; empty: the old one's with the window behind it."""
    factor: float | None = None
    keep: Path | None = None
    """Where the copy stays as a file; None: it only passes through `scratch`."""
    create: bool = True
    """False: only the file is made, and no server is needed where `gguf` is given."""
    check: bool = True
    """Load the new model with its whole window."""
    scratch: Path = Path()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    source: str
    trained_window: int
    window: int
    factor: float
    name: str = ""
    """The new model; empty where only a file was made."""
    file: str = ""
    """The kept copy; empty where none was kept."""
    digest: str = ""
    size: int = 0
    existed: bool = False
    """True where the model was there already, with that window."""
    served_window: int | None = None
    """As `/api/ps` tells it after a load; None where that was not or could not be checked."""
    fault: str = ""
    """Why it could not be checked, or is not what it should be."""


def extend(wish: Wish, server: Server, tell: Tell) -> Outcome:
    """Make the copy, hand it to Ollama, and see that it serves the window.

    Raises UsageError where there is nothing to extend or no file to do it
    with, StorageError where a disk is full, ChatModelError where the server
    fails. Nothing half-made stays behind, whenever it ends.
    """
    recipe = None if not wish.create and wish.gguf else _recipe(wish, server)
    blob = _weights(wish, server, recipe)
    tell("reading", 0, 0)
    metadata = checked_header(blob.path).metadata
    plan = plan_extension(metadata, wish.model, factor=wish.factor)
    name = (wish.name or extended_name(wish.model, plan.window)) if wish.create else ""
    trained = integer(metadata.get(f"{plan.architecture}.context_length")) or plan.original
    outcome = Outcome(wish.model, trained, plan.window, plan.factor, name)
    if name and _is_there(server, name, plan):
        return _checked(wish, server, outcome, existed=True, tell=tell)
    copied = _copy(wish, server, blob, plan, name, recipe, tell)
    outcome = replace(outcome, file=str(wish.keep or ""), digest=copied.digest, size=copied.size)
    return _checked(wish, server, outcome, existed=False, tell=tell) if name else outcome


def extended_name(model: str, window: int) -> str:
    """What the extended model is called: `qwen2:7b-128k` for `qwen2:7b`.

    A model of another registry gets a plain name of this machine.
    """
    rest, colon, tag = model.strip().rpartition(":")
    if not colon or "/" in tag:
        rest, tag = model.strip(), ""
    parts = rest.split("/")
    stem = parts[-1].lower() if len(parts) > 2 else rest
    suffix = f"{window // 1024}k"
    return f"{stem}:{tag}-{suffix}" if tag else f"{stem}:{suffix}"


def _recipe(wish: Wish, server: Server) -> Recipe | None:
    version = server_version(server)
    if version is not None and (0, 0, 0) < version < CREATES_FROM_FILES:
        raise ModelMissing(
            f"{server.here} is version {'.'.join(map(str, version))}, which cannot make a model "
            "from a file. Update Ollama."
        )
    try:
        return recipe_of(server, wish.model)
    except ModelMissing:
        if wish.gguf is None:
            raise
        log.info("no recipe for %s: the chat template inside the file counts", wish.model)
        return None


def _weights(wish: Wish, server: Server, recipe: Recipe | None) -> Blob:
    if wish.gguf is not None:
        if not wish.gguf.is_file():
            raise UsageError(f"{wish.gguf} is not there, or is no file.")
        return Blob(wish.gguf, None)
    if recipe is None or not is_local(server.url):
        raise UsageError(
            f"{server.here} is another machine, whose files cannot be read from here. Run "
            f"`hayloft models extend {wish.model}` there, or name a GGUF file of the model with "
            "--gguf: the copy is then sent over."
        )
    return find_weights(wish.model, recipe.modelfile, stores())


def _is_there(server: Server, name: str, plan: Extension) -> bool:
    """True where the extended model exists; UsageError where something else has its name."""
    try:
        metadata = recipe_of(server, name).metadata
    except ModelMissing:
        return False
    found = integer(metadata.get(f"{plan.architecture}.context_length"))
    scaling = metadata.get(f"{plan.architecture}.rope.scaling.factor")
    same = isinstance(scaling, int | float) and abs(scaling - plan.factor) < 1e-6
    if found == plan.window and same:
        return True
    raise UsageError(
        f"Ollama has another model of the name {name}. Choose one with --name, or remove it with "
        f"`ollama rm {name}`."
    )


def _copy(
    wish: Wish,
    server: Server,
    blob: Blob,
    plan: Extension,
    name: str,
    recipe: Recipe | None,
    tell: Tell,
) -> Copied:
    size = blob.path.stat().st_size
    final = wish.keep or wish.scratch / f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)}.gguf"
    if wish.keep is not None and wish.keep.exists() and wish.keep.samefile(blob.path):
        raise UsageError(f"{wish.keep} is the original itself. Keep the copy under another name.")
    _check_disks(final, blob, size, sends=bool(name))
    with PartFile(final) as part:
        copied = copy_with(
            blob.path,
            part.file,
            plan.fields(),
            watch=lambda done, of: tell("copying", done, of),
            digest=bool(name),
        )
        if wish.keep is not None:
            part.keep()
        if name:
            _send(server, part.path, copied, name, recipe, tell)
    return copied


def _check_disks(final: Path, blob: Blob, size: int, *, sends: bool) -> None:
    """Room for the copy, and for Ollama's own where its disk is known."""
    check_space(final.parent, size, what="the copy")
    if not sends or blob.store is None:
        return
    check_space(blob.store, size, what="the new model")
    here = final.parent
    while not here.exists() and here != here.parent:
        here = here.parent
    if here.stat().st_dev == blob.store.stat().st_dev:
        check_space(here, 2 * size, what="the copy together with the new model")


def _send(
    server: Server, path: Path, copied: Copied, name: str, recipe: Recipe | None, tell: Tell
) -> None:
    if not has_blob(server, copied.digest):
        upload_blob(
            server, path, copied.digest, watch=lambda done, of: tell("handing over", done, of)
        )
    for _ in create(server, name, copied.digest, recipe):
        tell("creating", 0, 0)


def _checked(wish: Wish, server: Server, outcome: Outcome, *, existed: bool, tell: Tell) -> Outcome:
    served, fault = None, ""
    if wish.check:
        tell("loading", 0, 0)
        try:
            running = load(server, outcome.name, outcome.window)
            served = running.window if running else None
            if running is None or served is None:
                fault = f"{server.here} does not say with which window it runs {outcome.name}."
            elif served < outcome.window:
                fault = f"{server.here} runs {outcome.name} with a window of {served:,} only."
        except (ModelUnreachable, BadReply):
            raise
        except ChatModelError as exc:
            fault = str(exc)
    return replace(outcome, existed=existed, served_window=served, fault=fault)
