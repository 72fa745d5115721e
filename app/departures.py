"""What becomes of somebody's things when their account is deleted.

First nobody is let in any more, then what they kept is wiped, then the account is gone: killed at
any moment, it goes on where it stopped, with `finish` or with deleting the account again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from app.accounts import Accounts
from app.accounts_file import FILE as ACCOUNTS
from app.api_tokens import FILE as TOKENS
from app.api_tokens import ApiTokens
from app.conversations import Conversations
from app.preferences import KeptPreferences
from app.read_ledger import FILE as READINGS
from app.read_ledger import Readings
from app.room_sweep import sweep_rooms
from app.saved_answers import SavedAnswers
from storage.errors import HayloftError

log = logging.getLogger(__name__)


def leave(accounts: Accounts, data_dir: Path, name: str) -> int:
    """Delete an account, and wipe what it kept; how many conversations those were.

    Its name is never given again, so that nothing else that was kept under it passes to another.
    """
    kept = accounts.begin_leaving(name)
    wiped = sum(wipe(data_dir, kept) for wipe in WIPES)
    accounts.delete(kept)
    return wiped


def finish(data_dir: Path) -> int:
    """Delete the accounts whose deletion was cut short; how many.

    What cannot be wiped now is logged, and tried again the next time.
    """
    if not (data_dir / ACCOUNTS).is_file():
        return 0
    done = 0
    try:
        accounts = Accounts(data_dir)
    except HayloftError as error:
        log.warning("it is not known which accounts are to be deleted: %s", error)
        return 0
    try:
        for name in accounts.leaving():
            try:
                leave(accounts, data_dir, name)
                done += 1
            except HayloftError as error:
                log.warning("an account could not be deleted: %s", error)
    except HayloftError as error:
        log.warning("it is not known which accounts are to be deleted: %s", error)
    finally:
        accounts.close()
    return done


def _forget_preferences(data_dir: Path, owner: str) -> int:
    with closing(KeptPreferences(data_dir)) as preferences:
        preferences.delete(owner)
        preferences.overwrite()
    return 0


def _forget_saved(data_dir: Path, owner: str) -> int:
    with closing(SavedAnswers(data_dir)) as saved:
        saved.delete_all(owner)
        saved.overwrite()
    return 0


def _forget_readings(data_dir: Path, owner: str) -> int:
    if (data_dir / READINGS).is_file():
        with closing(Readings(data_dir / READINGS, owner)) as readings:
            readings.forget_all()
            readings.overwrite()
    return 0


def _revoke_tokens(data_dir: Path, owner: str) -> int:
    if (data_dir / TOKENS).is_file():
        tokens = ApiTokens(data_dir)
        for token in tokens.all():
            if token.owner == owner:
                tokens.revoke(token.name)
    return 0


def _wipe_conversations(data_dir: Path, owner: str) -> int:
    path = data_dir / "conversations.db"
    if not path.is_file():
        return 0
    with closing(Conversations(path, owner=owner)) as store:
        wiped = store.wipe_all()
        store.overwrite()
    return wiped


def _sweep(data_dir: Path, owner: str) -> int:
    # The files that were dropped into these conversations; their chunks go with the next run.
    sweep_rooms(data_dir)
    return 0


WIPES: tuple[Callable[[Path, str], int], ...] = (
    _forget_preferences,
    _forget_saved,
    _forget_readings,
    _revoke_tokens,
    _wipe_conversations,
    _sweep,
)
"""One for each place where something is kept; each gives the conversations that it wiped."""
