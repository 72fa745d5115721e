"""Taking the files of deleted conversations off the disk: by the page, and before a nightly run."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from app.private_files import sweep
from storage.errors import HayloftError
from storage.rooms import private_folder

log = logging.getLogger(__name__)


def sweep_rooms(data_dir: Path, known: Iterable[str] = ()) -> list[Path]:
    """Delete the rooms whose conversation is gone, its time to be brought back included.

    Returns their folders, and those of the `known` ones that were gone already: whoever deleted
    them may have been killed before the library was told. Where the conversations cannot be read,
    or there are none at all, nothing is deleted: a lost file is no reason to lose others.
    """
    conversations = data_dir / "conversations.db"
    if not private_folder(data_dir).is_dir() or not conversations.is_file():
        return []
    from app.conversations import Conversations

    try:
        store = Conversations(conversations, owner=None)
        try:
            # Opening it has wiped what was deleted long enough ago.
            homes = store.homes()
        finally:
            store.close()
    except HayloftError as error:
        log.warning("the files of deleted conversations were not looked for: %s", error)
        return []
    gone = sweep(data_dir, homes)
    before = (Path(folder) for folder in known)
    return [*gone, *(room for room in before if room.name not in homes and not room.exists())]
