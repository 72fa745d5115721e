"""Taking the files of deleted conversations off the disk: by the page, and before a nightly run."""

from __future__ import annotations

import logging
from pathlib import Path

from app.private_files import sweep
from storage.errors import HayloftError
from storage.rooms import private_folder

log = logging.getLogger(__name__)


def sweep_rooms(data_dir: Path) -> list[Path]:
    """Delete the rooms whose conversation is gone, its time to be brought back included.

    Returns their folders. Where the conversations cannot be read, or there are
    none at all, nothing is deleted: a lost file is no reason to lose others.
    """
    conversations = data_dir / "conversations.db"
    if not private_folder(data_dir).is_dir() or not conversations.is_file():
        return []
    from app.conversations import Conversations

    try:
        store = Conversations(conversations, owner=None)
        try:
            # Opening it has wiped what was deleted long enough ago.
            owners = store.owners()
        finally:
            store.close()
    except HayloftError as error:
        log.warning("the files of deleted conversations were not looked for: %s", error)
        return []
    return sweep(data_dir, owners)
