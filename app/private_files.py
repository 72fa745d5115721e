"""The files of one conversation: kept in its room, moved into the library, swept with it.

A room (`storage.rooms`) is a folder of the data directory, read by the same
ingestion as any other. What is in it lives as long as the conversation: the
store of conversations is the truth about that, and `sweep` brings the folders
in line with it, whoever was killed in between.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from app.ingest_process import Run, Runs
from app.uploads import READABLE, keep_in, move_in, uploads_folder
from storage.errors import HayloftError, StorageError, UsageError
from storage.records import RoomContents
from storage.rooms import FOLDER, private_folder, room_folder, room_name

log = logging.getLogger(__name__)

State = Literal["waiting", "reading", "read", "aside", "stuck"]

MOST_FILES = 200
"""In one conversation. A folder of more is for the library."""

_WAITING = ".question.json"
"""In the room: hidden, so that no run reads it, and gone with the room."""
_GONE = ".gone-"


@dataclass(frozen=True, slots=True)
class RoomFile:
    """One file of a conversation, and how far its reading is."""

    name: str
    state: State
    """`waiting` for a run, `reading`, `read`, set `aside`, or `stuck`: no run reads it."""
    pages: int = 0
    paged: bool = True
    share: float = 0.0
    """Of the reading, 0 to 1."""
    reason: str = ""
    """Why it was set aside, or why it is stuck; a sentence."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of files that were dropped."""

    kept: tuple[str, ...]
    """The names that they have now."""
    refused: tuple[str, ...]
    """A sentence for each that was not kept."""
    renamed: tuple[tuple[str, str], ...]
    """The name that a file was given under, and the one it has."""


class Given(Protocol):
    """A file as Streamlit hands it over."""

    @property
    def name(self) -> str:
        """As its owner calls it."""
        ...

    def getbuffer(self) -> memoryview:
        """The content."""
        ...


def take(data_dir: Path, room: str, given: Sequence[Given], *, most_mb: int) -> Taken:
    """Keep dropped files in a room, each whole or not at all."""
    folder = room_folder(data_dir, room)
    _make_private(data_dir)
    kept: list[str] = []
    refused: list[str] = []
    renamed: list[tuple[str, str]] = []
    there = len(files_in(data_dir, room))
    for file in given:
        try:
            if there + len(kept) >= MOST_FILES:
                raise UsageError(
                    f"“{file.name}” was not taken: a conversation holds {MOST_FILES} files at "
                    "most. Add a folder of documents to the library."
                )
            found = keep_in(folder, file.name, file.getbuffer(), most_mb=most_mb)
        except HayloftError as error:
            refused.append(str(error))
            continue
        if found.path.name not in kept:
            kept.append(found.path.name)
        if found.path.name != found.asked:
            renamed.append((found.asked, found.path.name))
    return Taken(tuple(kept), tuple(refused), tuple(renamed))


def _make_private(data_dir: Path) -> None:
    """Make the folder of all rooms, which other users of the machine cannot look into."""
    try:
        private_folder(data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageError(
            f"The files cannot be kept in {FOLDER} of the data directory ({exc.strerror}). Mend "
            "its permissions."
        ) from exc


def files_in(data_dir: Path, room: str) -> list[str]:
    """The names of a room's files."""
    try:
        with os.scandir(room_folder(data_dir, room)) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        raise StorageError(
            f"The files of this conversation cannot be looked at ({exc.strerror}). Mend the "
            f"permissions of {FOLDER} in the data directory."
        ) from exc


def folder_of(data_dir: Path, room: str) -> Path:
    """Where the files of a room lie."""
    return room_folder(data_dir, room)


def states(
    names: Sequence[str],
    contents: RoomContents,
    runs: Runs,
    room: str,
    *,
    others_work: bool = False,
) -> list[RoomFile]:
    """How far the reading of each file is, from what the library and the runs say.

    `others_work` says that a run is at work, whoever started it.
    """
    read = {document.document: document for document in contents.documents}
    aside = {failure.document: failure for failure in contents.failures}
    found = []
    for name in names:
        if (document := read.get(name)) is not None:
            found.append(
                RoomFile(
                    name,
                    "read",
                    pages=document.pages,
                    paged=document.paged,
                    share=1.0,
                    warnings=document.warnings,
                )
            )
        elif (failure := aside.get(name)) is not None:
            found.append(RoomFile(name, "aside", reason=failure.reason))
        else:
            found.append(_unread(name, runs, room, others_work=others_work))
    return found


def _unread(name: str, runs: Runs, room: str, *, others_work: bool) -> RoomFile:
    now = runs.now
    if now is not None and now.room == room and now.state not in ("queued", "waiting"):
        share = now.current_done / now.current_total if now.current == name else 0.0
        return RoomFile(name, "reading", share=share)
    if (now is not None and now.room == room) or any(run.room == room for run in runs.queued):
        return RoomFile(name, "waiting")
    if others_work:
        return RoomFile(name, "waiting")
    last = runs.last_private
    why = last.fault if last is not None and last.room == room else ""
    return RoomFile(name, "stuck", reason=why)


def is_pending(files: Sequence[RoomFile]) -> bool:
    """Whether the reading of a file goes on, or is going to."""
    return any(file.state in ("waiting", "reading") for file in files)


def masked(run: Run, what: str) -> Run:
    """A run as those may see it who do not own its files: how far it is, and no name."""
    return replace(run, what=what, current="", lines=()) if run.room else run


# --- the question that waits for the reading ----------------------------------------------------


def wait_with(data_dir: Path, room: str, question: str, about: Sequence[str] = ()) -> None:
    """Keep a question until the room's files are read; a later one takes its place.

    `about` are the files that it came with.
    """
    folder = room_folder(data_dir, room)
    _make_private(data_dir)
    draft = folder / f"{_WAITING}.draft"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"question": question, "about": list(about)}), encoding="utf-8")
        draft.replace(folder / _WAITING)
    except OSError as exc:
        raise StorageError(
            f"The question cannot be kept until the files are read ({exc.strerror}). Free some "
            "space, and ask it when they are."
        ) from exc


def waiting(data_dir: Path, room: str) -> str:
    """The question that waits; empty for none."""
    return _question(room_folder(data_dir, room) / _WAITING)


def about(data_dir: Path, room: str) -> list[str]:
    """The files that the waiting question came with."""
    named = _told(room_folder(data_dir, room) / _WAITING).get("about")
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def claim(data_dir: Path, room: str) -> str:
    """Take the waiting question, so that nobody else asks it; empty where there is none."""
    folder = room_folder(data_dir, room)
    mine = folder / f"{_WAITING}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        # Of several who rename it, one finds it there.
        (folder / _WAITING).rename(mine)
    except OSError:
        return ""
    question = _question(mine)
    mine.unlink(missing_ok=True)
    return question


def _question(path: Path) -> str:
    question = _told(path).get("question")
    return question if isinstance(question, str) else ""


def _told(path: Path) -> dict[str, object]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


# --- leaving the room ---------------------------------------------------------------------------


def to_library(data_dir: Path, room: str, name: str) -> list[str]:
    """Move a file into the library; the arguments of the run that follows it there.

    One run looks at both places, so that the document keeps its vectors. Raises
    UsageError where the file is gone, StorageError where it cannot be moved.
    """
    moved = move_in(uploads_folder(data_dir), _file(data_dir, room, name))
    return [str(moved), str(room_folder(data_dir, room))]


def remove(data_dir: Path, room: str, name: str) -> list[str]:
    """Delete a file of a conversation for good; the arguments of the run that follows."""
    file = _file(data_dir, room, name)
    try:
        _forget_pictures(data_dir, [file])
        file.unlink(missing_ok=True)
    except OSError as exc:
        raise StorageError(f"“{name}” cannot be deleted ({exc.strerror}).") from exc
    return [str(room_folder(data_dir, room))]


def _file(data_dir: Path, room: str, name: str) -> Path:
    folder = room_folder(data_dir, room)
    if name not in files_in(data_dir, room):
        raise UsageError(f"“{name}” is no longer among the files of this conversation.")
    return folder / name


# --- following the conversations ----------------------------------------------------------------


def sweep(data_dir: Path, homes: Mapping[str, str]) -> list[Path]:
    """Delete the rooms of conversations that are gone.

    `homes` are the conversations there are, each with the name under which its files lie. A room
    under another one is renamed: that of a conversation that was taken over when files still
    moved with it. Returns the folders that are no longer there, for `ingest --forget`.
    """
    private = private_folder(data_dir)
    gone: list[Path] = []
    for folder in _rooms(private):
        conversation = folder.name
        if conversation.startswith(_GONE):
            _delete(data_dir, folder)
            continue
        name = homes.get(conversation)
        try:
            if name is None:
                # Renamed first: killed in the middle, no half of a room is left to be read.
                dead = folder.with_name(f"{_GONE}{conversation}")
                folder.rename(dead)
                _delete(data_dir, dead)
            elif room_name(name, conversation) != f"{folder.parent.name}/{conversation}":
                home = room_folder(data_dir, room_name(name, conversation))
                home.parent.mkdir(parents=True, exist_ok=True)
                folder.rename(home)
            else:
                continue
        except OSError as exc:
            log.warning("the files of a conversation could not be swept: %s", exc)
            continue
        gone.append(folder)
    if gone:
        log.info("swept the files of %d conversations", len(gone))
    return gone


def _rooms(private: Path) -> list[Path]:
    try:
        return [room for owner in private.iterdir() if owner.is_dir() for room in owner.iterdir()]
    except OSError:
        return []


def _delete(data_dir: Path, folder: Path) -> None:
    _forget_pictures(data_dir, [file for file in folder.rglob("*") if file.is_file()])
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # the last one of its owner


def _forget_pictures(data_dir: Path, files: Sequence[Path]) -> None:
    """Delete what was drawn and recognised of files, which is kept by their content."""
    for file in files:
        if file.suffix.lower() not in READABLE:
            continue
        try:
            with file.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError:
            continue
        for picture in (data_dir / "page-images" / sha256[:2]).glob(f"{sha256}-*"):
            picture.unlink(missing_ok=True)
