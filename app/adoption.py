"""What was kept before anybody signed in, handed over to an account."""

from __future__ import annotations

from pathlib import Path

from app.conversations import Conversations
from app.memory_file import FILE as MEMORY
from app.memory_file import MemoryFile
from app.read_ledger import FILE as READINGS
from app.read_ledger import Readings


def adopt(data_dir: Path, name: str) -> int:
    """Give it to somebody, by the name of their account; how many conversations there were.

    What was cut short is finished by doing it again. Readings are kept by who asked, and cannot be
    gone on with by somebody else: they go.
    """
    store = Conversations(data_dir / "conversations.db", owner=name)
    try:
        taken = store.adopt()
    finally:
        store.close()
    if (data_dir / MEMORY).is_file():
        memory = MemoryFile(data_dir)
        try:
            memory.adopt(name)
        finally:
            memory.close()
    if (data_dir / READINGS).is_file():
        readings = Readings(data_dir / READINGS)
        try:
            readings.forget_all()
        finally:
            readings.close()
    return taken
