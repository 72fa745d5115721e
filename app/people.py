"""Who uses the app, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar, cast

from storage.errors import HayloftError

_Thing = TypeVar("_Thing")


class NotAllowed(HayloftError):
    """Somebody asks for what their role does not allow."""

    def __init__(self) -> None:
        super().__init__("Your account does not allow this. Ask an admin of this Hayloft.")


class SignedOut(HayloftError):
    """Nobody is signed in any more."""

    def __init__(self) -> None:
        super().__init__("You are signed out. Sign in again.")


class Role(IntEnum):
    """What somebody may do; each may do what those before it may."""

    READER = 1
    """Ask, search, read."""
    LIBRARIAN = 2
    """Add, read again and delete documents."""
    ADMIN = 3
    """Pull models, manage accounts."""

    @classmethod
    def named(cls, word: str) -> Role:
        """The role of a name such as `reader`; KeyError for none."""
        return cls[word.strip().upper()]

    @property
    def word(self) -> str:
        """Its name, in small letters."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is signed in, or whoever sits at the machine where nobody signs in."""

    name: str
    """Empty where the app asks for no login: then there is one user, who may do everything."""
    role: Role = Role.READER

    def may(self, role: Role) -> bool:
        """Whether they may do what needs this role."""
        return self.role >= role

    def require(self, role: Role) -> None:
        """Raise NotAllowed unless they may do what needs this role."""
        if not self.may(role):
            raise NotAllowed


class Allowed(Generic[_Thing]):
    """A thing some of whose methods need a role: whoever lacks it gets NotAllowed when they call.

    What a page hides is a courtesy; this is what holds. `who` is asked with each call: a button
    that was drawn while somebody might is pressed when they may no longer.
    """

    def __init__(
        self, thing: _Thing, who: Callable[[], User], role: Role, methods: tuple[str, ...]
    ) -> None:
        self._thing = thing
        self._who = who
        self._role = role
        self._methods = methods

    def given(self) -> _Thing:
        """What looks like the thing itself."""
        return cast("_Thing", self)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        return self._checked(found) if name in self._methods else found

    def _checked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*given: Any, **named: Any) -> Any:
            self._who().require(self._role)
            return method(*given, **named)

        return checked


LOCAL = User("", Role.ADMIN)
"""Whoever uses an app without a login."""
