"""The files that somebody dropped into their conversations, all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.private_files import files_in
from storage.rooms import FOLDER, room_folder, room_name

if TYPE_CHECKING:
    from app.conversations import Conversations


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that one conversation alone sees."""

    conversation_id: str
    title: str
    """Of the conversation."""
    name: str
    folder: str
    """Where it lies, in the data directory."""
    size: int
    """Bytes."""


def own_files(data_dir: Path, store: Conversations) -> list[OwnFile]:
    """The files of the store's owner, those of the conversation last used first."""
    homes = store.homes()
    found: list[OwnFile] = []
    for summary in store.summaries(limit=-1):
        conversation = summary.conversation_id
        room = room_name(homes.get(conversation, ""), conversation)
        folder = room_folder(data_dir, room)
        for name in files_in(data_dir, room):
            try:
                size = (folder / name).stat().st_size
            except OSError:
                continue  # deleted in this moment
            found.append(OwnFile(conversation, summary.title, name, f"{FOLDER}/{room}", size))
    return found
