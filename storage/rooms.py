"""Rooms: where files lie that only one conversation may read.

`<data_dir>/uploads-private/<owner>/<conversation>/` is the folder of a room,
and `<owner>/<conversation>` its name. A file is private by the place it lies
in, whoever has it ingested and under whatever path: what lies in a room's
folder is seen by that conversation, and by nothing else. docs/decisions/0019
has the rule and where it is kept.
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from storage.errors import UsageError

FOLDER = "uploads-private"

_NOBODY = "_"
"""The owner's folder where nobody signs in; a name never becomes this one."""
_LONGEST = 255
"""Bytes of a folder's name, which file systems take."""
_DEPTH = 2
"""Folders between `uploads-private` and the files: the owner's and the conversation's."""


def room_name(owner: str, conversation: str) -> str:
    """The room of a conversation; the owner is empty where nobody signs in.

    Raises UsageError for a conversation's id that is no name of a folder.
    """
    if not conversation or quote(conversation, safe="") != conversation or conversation[0] == ".":
        raise UsageError("That is not the id of a conversation.")
    return f"{_owner_folder(owner)}/{conversation}"


def private_folder(data_dir: Path) -> Path:
    """Where all rooms lie, with links resolved; it may not exist."""
    return (data_dir / FOLDER).resolve()


def room_folder(data_dir: Path, room: str) -> Path:
    """Where the files of a room lie, with links resolved; it may not exist."""
    folder = private_folder(data_dir).joinpath(*PurePosixPath(room).parts)
    if room_at(data_dir, folder) != room:
        raise UsageError("That is not the name of a room.")
    return folder


def room_at(data_dir: Path, path: Path) -> str:
    """The room that a file or folder is in; empty for everything that is not private.

    `path` is absolute, with links resolved. Raises UsageError for a folder that
    holds several rooms.
    """
    private = private_folder(data_dir)
    if path != private and private not in path.parents:
        return ""
    parts = path.relative_to(private).parts[:_DEPTH]
    if len(parts) < _DEPTH:
        raise UsageError(
            f"{path} holds the private files of several conversations, which are no folder of the "
            "library. They are read with their conversations, and by `hayloft ingest` without a "
            "path."
        )
    return "/".join(parts)


def _owner_folder(owner: str) -> str:
    if not owner:
        return _NOBODY
    # Percent signs for all but plain characters; a leading dot would hide the folder.
    name = quote(owner, safe="@+")
    name = f"%{ord(name[0]):02X}{name[1:]}" if name[0] in "._~" else name
    if len(name) <= _LONGEST:
        return name
    # A letter of Chinese takes nine. No shorter name holds an exclamation mark.
    digest = hashlib.sha256(owner.encode("utf-8")).hexdigest()
    return f"{name[: _LONGEST - 1 - len(digest)]}!{digest}"
