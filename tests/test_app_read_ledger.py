"""Readings belong to whoever asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from app.read_ledger import KEPT, READ, Readings, Settled
from app.read_parts import Part, Slice
from storage.errors import StorageError

PART = Part((Slice(1, 1, 0, 10),), 10)
SETTLED = Settled(0, {0: READ}, found=(Slice(1, 1, 0, 5),), requests=1, tokens=10)

WHAT: dict[str, Callable[[Readings, str], object]] = {
    "get": lambda readings, one: readings.get(one),
    "forget": lambda readings, one: readings.forget(one),
    "forget_all": lambda readings, one: readings.forget_all(),
    "keep_parts": lambda readings, one: readings.keep_parts(one, ["taken over"]),
    "keep_further": lambda readings, one: readings.keep_further(one, None),
    "slices": lambda readings, one: readings.slices(one),
    "add": lambda readings, one: readings.add(one, [Part((Slice(2, 1, 0, 9),), 9)]),
    "drop_parts": lambda readings, one: readings.drop_parts(one, {0, 1}),
    "settle": lambda readings, one: readings.settle(one, SETTLED),
    "found": lambda readings, one: readings.found(one),
    "begin": lambda readings, one: readings.begin(one, "Mine now?"),
}


def outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except StorageError as error:
        return str(error).replace("readings.db", "")


def dumped(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        return "\n".join(connection.iterdump())


def test_every_method_is_tried() -> None:
    """A new one without a line here fails."""
    public = {name for name in vars(Readings) if not name.startswith("_")}

    assert public == set(WHAT)


@pytest.mark.parametrize("what", sorted(set(WHAT) - {"begin"}))
def test_somebody_elses_reading_is_like_none(tmp_path: Path, what: str) -> None:
    """Each method does with it what it does with an id that nobody has, and changes nothing."""
    path = tmp_path / "readings.db"
    hers, his = Readings(path, "ann"), Readings(path, "ben")
    hers.begin("one", "Who was dismissed?")
    hers.add("one", [PART, Part((Slice(1, 2, 0, 10),), 10)])
    hers.settle("one", SETTLED)
    hers.keep_parts("one", ["Who was dismissed in May?"])
    hers.keep_further("one", ["And why?"])
    before = dumped(path)

    tried = outcome(lambda: WHAT[what](his, "one"))

    assert tried == outcome(lambda: WHAT[what](his, "nobody's"))
    assert dumped(path) == before


def test_an_id_that_is_taken_is_not_taken_over(tmp_path: Path) -> None:
    """Beginning under somebody else's id fails, and leaves it as it was."""
    path = tmp_path / "readings.db"
    Readings(path, "ann").begin("one", "Who was dismissed?")
    before = dumped(path)

    with pytest.raises(StorageError):
        WHAT["begin"](Readings(path, "ben"), "one")

    assert dumped(path) == before


def test_nobody_elses_readings_are_pushed_out(tmp_path: Path) -> None:
    """Each reader has so many of their own."""
    path = tmp_path / "readings.db"
    Readings(path, "ann").begin("one", "Who was dismissed?")
    his = Readings(path, "ben")

    for number in range(KEPT + 1):
        his.begin(f"his {number}", "Where?")

    assert Readings(path, "ann").get("one") is not None
    assert his.get("his 0") is None


@pytest.mark.parametrize("accounts", [True, False])
def test_a_file_that_did_not_name_readers_is_brought_up_to_date(
    tmp_path: Path, accounts: bool
) -> None:
    """Where nobody signs in they are nobody's; where people do, whose they are is not known."""
    path = tmp_path / "readings.db"
    hers = Readings(path)
    hers.begin("one", "Who was dismissed?")
    hers.add("one", [PART])
    hers.close()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP INDEX readings_by_reader; ALTER TABLE readings DROP COLUMN reader; "
            "PRAGMA user_version = 1"
        )
    connection.close()
    if accounts:
        (tmp_path / "accounts.db").touch()

    readings = Readings(path)

    assert (readings.get("one") is None) == accounts
    assert len(readings.slices("one")) == (0 if accounts else 1)
    readings.close()
    assert (b"dismissed" in path.read_bytes()) != accounts
