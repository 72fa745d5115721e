"""Passwords: how they are kept, and which are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass

from app.wording import t
from storage.errors import UsageError

SHORTEST = 10
"""Characters. Length is what makes guessing slow; rules of composition only make it predictable."""
LONGEST = 1024
"""Characters; a limit only so that nobody sends megabytes."""

_SALT_BYTES = 16
_HASH_BYTES = 32
_LEET = str.maketrans("013457@$!", "oieastasi")
_COMMON = frozenset(
    "password passwort passw0rd motdepasse contrasena kennwort parola senha wachtwoord "
    "qwerty qwertz azerty qwertyuiop qwertzuiop azertyuiop asdfghjkl asdfghjklo yxcvbnm zxcvbnm "
    "qwertyqwerty qweasdzxc qazwsxedc qazwsx abcdef abcdefgh iloveyou ichliebedich tequiero "
    "welcome willkommen bienvenue changeme changeit letmein letmeinnow trustno football baseball "
    "basketball superman batman spiderman starwars pokemon princess sunshine butterfly chocolate "
    "liverpool barcelona manchester chelsea arsenal dragon monkey shadow master michael jennifer "
    "jessica charlie computer internet samsung google facebook linkedin whatever nothing secret "
    "supersecret topsecret geheim default administrator admin adminadmin root rootroot toor guest "
    "test testtest testing demo user login access server hayloft summer winter spring autumn "
    "sommer fruehling herbst january february october november december company office "
    "correcthorsebatterystaple correct horse battery staple".split()
)
_ROWS = (
    "01234567890123456789",
    "09876543210987654321",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: scrypt's parameters."""

    log2_n: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """Bytes."""
        return 128 * self.r * ((1 << self.log2_n) + self.p + 2)

    def below(self, other: Cost) -> bool:
        """Whether a guess costs less than with the other."""
        return (1 << self.log2_n) * self.r * self.p < (1 << other.log2_n) * other.r * other.p


COST = Cost(15, 8, 3)
"""32 MiB and some 0.25 s: one of the settings that OWASP's password storage cheat sheet names."""


def hashed(password: str, cost: Cost = COST) -> str:
    """A password as it is kept: parameters, salt and hash."""
    salt = secrets.token_bytes(_SALT_BYTES)
    found = _scrypt(password, salt, cost)
    words = [cost.log2_n, cost.r, cost.p, _text(salt), _text(found)]
    return "$".join(["scrypt", *map(str, words)])


def matches(password: str, kept: str, cost: Cost = COST) -> bool:
    """Whether a password is the kept one; as slow, and false, where none is kept."""
    parts = kept.split("$")
    if len(parts) != 6 or parts[0] != "scrypt":
        _scrypt(password, b"\0" * _SALT_BYTES, cost)
        return False
    found = _scrypt(password, base64.b64decode(parts[4]), cost_of(kept))
    return hmac.compare_digest(found, base64.b64decode(parts[5]))


def cost_of(kept: str) -> Cost:
    """What a kept password was hashed with."""
    _, log2_n, r, p, *_ = kept.split("$")
    return Cost(int(log2_n), int(r), int(p))


def check_new(password: str, name: str) -> None:
    """Raise UsageError for a password that is soon guessed."""
    if len(password) < SHORTEST:
        raise UsageError(
            t("The password has fewer than {n} characters. Take a longer one.", n=SHORTEST)
        )
    if len(password) > LONGEST:
        raise UsageError(
            t("The password has more than {n} characters. Take a shorter one.", n=f"{LONGEST:,}")
        )
    if _is_common(_plain(password), _plain(name)):
        raise UsageError(
            t(
                "This password is one of the first that are guessed. Take some words that have "
                "nothing to do with each other."
            )
        )


def _is_common(password: str, name: str) -> bool:
    if len(set(password)) < 4 or any(password in row for row in _ROWS):
        return True
    half = password[: len(password) // 2]
    if half and password == half * 2 and (len(half) < 8 or _is_common(half, name)):
        return True
    letters = re.sub(r"[\W\d_]+$|^[\W\d_]+", "", password)
    unleet = re.sub(r"[\W\d_]", "", password.translate(_LEET))
    stems = {letters, unleet, re.sub(r"[\W\d_]+$|^[\W\d_]+", "", password.rstrip("0123456789!"))}
    stems |= {stem.translate(_LEET) for stem in stems}
    if any(stem in _COMMON or any(stem in row and stem for row in _ROWS) for stem in stems):
        return True
    bare = re.sub(r"[\W_]", "", name)
    return bool(bare) and re.sub(r"[\W\d_]", "", password.replace(bare, "")) == ""


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    # The same letters, typed on another machine, may arrive as other code points.
    words = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(
        words,
        salt=salt,
        n=1 << cost.log2_n,
        r=cost.r,
        p=cost.p,
        maxmem=2 * cost.memory,
        dklen=_HASH_BYTES,
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
