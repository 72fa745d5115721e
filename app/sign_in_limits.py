"""How often a wrong password may be tried, by whom, and how long one then waits.

Three counts stand beside each other: of a name from an address, of a name from wherever, of an
address with whatever name. Somebody who has signed in from an address before is only held to the
first one there: whoever guesses at other names, or from other places, cannot lock them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.accounts_file import AccountsFile, digest

_FORGOTTEN_S = 24 * 3600.0
"""After so long without a failure the count begins anew."""
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Limit:
    """One of the counts."""

    kind: str
    free: int
    """Failures that cost nothing."""
    longest_s: float
    """The longest wait; it doubles from one second up to it."""

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        over = failures - self.free
        return 0.0 if over < 0 else min(2.0 ** min(over, 30), self.longest_s)


PAIR = Limit("pair", 5, 900.0)
NAME = Limit("name", 20, 30.0)
ADDRESS = Limit("address", 30, 60.0)
SETUP = Limit("setup", 5, 300.0)
"""Of setup codes, by address."""

Counted = tuple[Limit, str]


class SignInLimits:
    """The counts, which outlast a restart."""

    def __init__(self, file: AccountsFile, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock

    def wait(self, counted: Iterable[Counted]) -> float:
        """Seconds until the next attempt counts; 0: now."""
        now = self._clock()
        waits = [0.0]
        for limit, what in counted:
            rows = self._file.rows(
                "SELECT until FROM failures WHERE kind = ? AND what = ?", limit.kind, digest(what)
            )
            # A clock that was set back must not lock anybody out for longer.
            waits += [min(row["until"] - now, limit.longest_s) for row in rows]
        return max(waits)

    def failed(self, counted: Iterable[Counted]) -> None:
        """Count a failure."""
        now = self._clock()
        with self._file.writing() as connection:
            connection.execute("DELETE FROM failures WHERE last_at < ?", (now - _FORGOTTEN_S,))
            for limit, what in counted:
                row = connection.execute(
                    "INSERT INTO failures (kind, what, failures, last_at, until) "
                    "VALUES (?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET failures = failures + 1, "
                    "last_at = excluded.last_at RETURNING failures",
                    (limit.kind, digest(what), now, now),
                ).fetchone()
                connection.execute(
                    "UPDATE failures SET until = ? WHERE kind = ? AND what = ?",
                    (now + limit.wait(row["failures"]), limit.kind, digest(what)),
                )
            connection.execute(
                "DELETE FROM failures WHERE rowid IN (SELECT rowid FROM failures "
                "ORDER BY last_at DESC LIMIT -1 OFFSET ?)",
                (_MOST_ROWS,),
            )

    def succeeded(self, counted: Iterable[Counted]) -> None:
        """Begin a count anew."""
        with self._file.writing() as connection:
            for limit, what in counted:
                connection.execute(
                    "DELETE FROM failures WHERE kind = ? AND what = ?", (limit.kind, digest(what))
                )
