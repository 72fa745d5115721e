"""What becomes of somebody's things when their account is deleted."""

from __future__ import annotations

from pathlib import Path

from app.accounts import Accounts
from app.conversations import Conversations
from app.preferences import KeptPreferences
from app.room_sweep import sweep_rooms
from app.saved_answers import SavedAnswers


def leave(accounts: Accounts, data_dir: Path, name: str) -> int:
    """Delete an account, and wipe what it kept; how many conversations those were.

    Its name is never given again, so that nothing else that was kept under it passes to another.
    """
    kept = accounts.delete(name)
    _forget_preferences(data_dir, kept)
    _forget_saved(data_dir, kept)
    path = data_dir / "conversations.db"
    if not path.exists():
        return 0
    store = Conversations(path, owner=kept)
    try:
        wiped = store.wipe_all()
    finally:
        store.close()
    # The files that were dropped into these conversations; their chunks go with the next run.
    sweep_rooms(data_dir)
    return wiped


def _forget_preferences(data_dir: Path, owner: str) -> None:
    preferences = KeptPreferences(data_dir)
    try:
        preferences.delete(owner)
    finally:
        preferences.close()


def _forget_saved(data_dir: Path, owner: str) -> None:
    saved = SavedAnswers(data_dir)
    try:
        saved.delete_all(owner)
    finally:
        saved.close()
