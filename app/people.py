"""Who uses the app, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What somebody may do; each may do what those before it may."""

    READER = 1
    """Ask, search, read."""
    LIBRARIAN = 2
    """Add, read again and delete documents."""
    ADMIN = 3
    """Pull models, manage accounts."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is signed in, or whoever sits at the machine where nobody signs in."""

    name: str
    """Empty where the app asks for no login: then there is one user, who may do everything."""
    role: Role = Role.READER

    def may(self, role: Role) -> bool:
        """Whether they may do what needs this role."""
        return self.role >= role


LOCAL = User("", Role.ADMIN)
"""Whoever uses an app without a login."""
