"""Tokens of the HTTP API: shown once, kept hashed, gone at once when they are revoked."""

from __future__ import annotations

import asyncio
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app import api_tokens
from app.accounts import Accounts
from app.api_guard import Door, Guard
from app.api_tokens import FILE, ApiTokens
from app.cli_serve import Standing
from app.passwords import Cost
from app.people import Role, User
from storage.errors import StorageError, UsageError


def holder(tokens: ApiTokens, presented: str) -> str | None:
    """The name of the token that was presented; None for one that does not count."""
    token = tokens.presented(presented)
    return token.name if token else None


def test_the_token_itself_is_kept_nowhere(tmp_path: Path) -> None:
    """The file holds a hash, and only its owner can read it."""
    token = ApiTokens(tmp_path).make("ci")

    file = tmp_path / FILE
    assert token not in file.read_text()
    assert token.removeprefix("hay_") not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) > 40


def test_a_token_names_its_holder(tmp_path: Path) -> None:
    """The right token is known by its name; anything else is not known."""
    tokens = ApiTokens(tmp_path)
    one, two = tokens.make("one"), tokens.make("two")

    assert holder(tokens, one) == "one"
    assert holder(tokens, two) == "two"
    for wrong in ("", one[:-1], one + "x", one.upper(), "hay_", "\udcff", "one"):
        assert tokens.presented(wrong) is None


def test_every_token_is_compared_in_constant_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are compared, the right one and those behind it, by hmac's comparison."""
    tokens = ApiTokens(tmp_path)
    first = tokens.make("a")
    tokens.make("b")
    tokens.make("c")
    compared: list[str] = []
    real = api_tokens.hmac.compare_digest
    monkeypatch.setattr(
        api_tokens.hmac,
        "compare_digest",
        lambda one, other: compared.append(one) or real(one, other),
    )

    assert holder(tokens, first) == "a"
    assert len(compared) == 3


def test_another_process_revokes_at_once(tmp_path: Path) -> None:
    """What another object did to the file counts at the next question."""
    serving, command = ApiTokens(tmp_path), ApiTokens(tmp_path)
    assert serving.all() == ()
    token = command.make("ci")
    assert holder(serving, token) == "ci"

    command.revoke("ci")

    assert serving.presented(token) is None
    assert serving.all() == ()


def test_a_name_is_free_again_after_its_token(tmp_path: Path) -> None:
    """Two tokens of one name cannot be; one after the other can, and the old one stays refused."""
    tokens = ApiTokens(tmp_path)
    old = tokens.make("ci")
    with pytest.raises(UsageError, match="named ci already"):
        tokens.make(" ci ")

    tokens.revoke("ci")
    new = tokens.make("ci")

    assert (holder(tokens, old), holder(tokens, new)) == (None, "ci")


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\nb", "a\x1b[31mb", "a\u202eb", "\ud800"])
def test_a_name_that_would_spoil_a_list_is_refused(tmp_path: Path, name: str) -> None:
    """Empty, long, and control characters: nothing is written."""
    with pytest.raises(UsageError, match="name of a token"):
        ApiTokens(tmp_path).make(name)

    assert not (tmp_path / FILE).exists()


def test_revoking_what_there_is_not_names_what_there_is(tmp_path: Path) -> None:
    """A misspelt name revokes nothing in silence."""
    tokens = ApiTokens(tmp_path)
    tokens.make("backup")

    with pytest.raises(UsageError, match=r"No token is named bakcup\. There are: backup\."):
        tokens.revoke("bakcup")


def test_a_token_that_strayed_is_revoked_by_itself(tmp_path: Path) -> None:
    """Whoever finds one in a repository need not know its name; one that is none is not repeated,
    since it may be alive elsewhere."""
    tokens = ApiTokens(tmp_path)
    strayed, other = tokens.make("ci"), tokens.make("backup")

    assert tokens.revoke(f" {strayed}\n") == "ci"
    assert (holder(tokens, strayed), holder(tokens, other)) == (None, "backup")
    with pytest.raises(UsageError) as told:
        tokens.revoke(strayed)
    assert strayed not in str(told.value)
    assert "There are: backup." in str(told.value)
    with pytest.raises(UsageError, match="its name, or the token itself"):
        tokens.revoke(" ")


def test_a_name_goes_before_a_token_that_reads_the_same(tmp_path: Path) -> None:
    """Somebody who names a token by another token means the name."""
    tokens = ApiTokens(tmp_path)
    first = tokens.make("first")
    second = tokens.make(first)

    assert tokens.revoke(first) == first
    assert (holder(tokens, first), holder(tokens, second)) == ("first", None)


def test_tokens_made_at_once_are_all_kept(tmp_path: Path) -> None:
    """Eight at the same moment: eight names, eight tokens that work; of one name just one."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: ApiTokens(tmp_path).make(f"t{n}"), range(8)))

    tokens = ApiTokens(tmp_path)
    assert [holder(tokens, token) for token in made] == [f"t{n}" for n in range(8)]


def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    """A line that cannot be read is an error, not an empty list."""
    tokens = ApiTokens(tmp_path)
    tokens.make("ci")
    (tmp_path / FILE).write_text('{"broken\n' + (tmp_path / FILE).read_text())

    with pytest.raises(StorageError, match="line 1"):
        tokens.all()


def test_the_history_stays(tmp_path: Path) -> None:
    """When a token was made and when it was revoked can be looked up later."""
    moments = iter([100.0, 200.0])
    tokens = ApiTokens(tmp_path, clock=lambda: next(moments))
    tokens.make("ci")
    tokens.revoke("ci")

    lines = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert [(line["event"], line["at"]) for line in lines] == [("made", 100.0), ("revoked", 200.0)]


def test_a_token_asks_on_behalf_of_its_owner(tmp_path: Path) -> None:
    """Owner and role are kept with it; tokens of before there were owners are nobody's readers."""
    tokens = ApiTokens(tmp_path)
    plain = tokens.make("plain")
    owned = tokens.make("owned", owner="Ann", role=Role.LIBRARIAN)

    found = [ApiTokens(tmp_path).presented(token) for token in (plain, owned, "hay_x")]

    assert [one and (one.owner, one.role) for one in found] == [
        ("", Role.READER),
        ("Ann", Role.LIBRARIAN),
        None,
    ]
    assert '"owner"' not in (tmp_path / FILE).read_text().splitlines()[0]


@pytest.mark.parametrize("line", ['"owner": 3', '"role": "emperor"', '"role": null'])
def test_a_line_that_cannot_be_read_whole_gives_no_rights(tmp_path: Path, line: str) -> None:
    """Neither somebody else's nor everybody's."""
    tokens = ApiTokens(tmp_path)
    token = tokens.make("odd")
    path = tmp_path / FILE
    path.write_text(path.read_text().rstrip().removesuffix("}") + f", {line}}}\n")

    assert ApiTokens(tmp_path).presented(token) is None


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (User("Ann", Role.ADMIN), (200, User("Ann", Role.LIBRARIAN))),
        (User("Ann", Role.READER), (200, User("Ann", Role.READER))),
        (None, (401, None)),
    ],
)
def test_a_token_may_no_more_than_its_owner_may_now(
    tmp_path: Path, standing: User | None, expected: tuple[int, User | None]
) -> None:
    """A demoted owner demotes it, a closed account closes it."""
    tokens = ApiTokens(tmp_path)
    token = tokens.make("owned", owner="Ann", role=Role.LIBRARIAN)
    seen: list[Any] = []
    sent: list[Any] = []

    async def inside(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope["user"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/v1/models",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
    }
    guard = Guard(inside, tokens, Door("127.0.0.1"), lambda _name: standing)

    asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]

    assert (sent[0]["status"], seen[0] if seen else None) == expected


def asked(guard: Guard, token: str = "") -> int:
    """The status that a program on this machine gets."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    key = [(b"authorization", f"Bearer {token}".encode())] if token else []
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/v1/models",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), *key],
    }
    asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


async def _inside(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_with_a_login_a_token_is_needed_whatever_becomes_of_them(tmp_path: Path) -> None:
    """Also before the first request, with the last one revoked meanwhile."""
    tokens = ApiTokens(tmp_path)

    assert asked(Guard(_inside, tokens, Door("127.0.0.1"), required=True)) == 401
    assert asked(Guard(_inside, tokens, Door("127.0.0.1"))) == 200


def test_a_token_of_an_account_that_cannot_be_looked_up_is_refused(tmp_path: Path) -> None:
    """Nobody is let in because nobody could be asked."""
    tokens = ApiTokens(tmp_path)
    owned, nobodys = tokens.make("owned", owner="Ann"), tokens.make("job")
    guard = Guard(_inside, tokens, Door("127.0.0.1"))

    assert [asked(guard, owned), asked(guard, nobodys)] == [401, 200]


def test_accounts_that_are_made_while_it_serves_count(tmp_path: Path) -> None:
    """A server that was started before the first account asks for it all the same."""
    standing = Standing(tmp_path)
    assert standing.of("Ann") is None and not standing.has_accounts
    assert not (tmp_path / "accounts.db").exists()
    accounts = Accounts(tmp_path, cost=Cost(8, 8, 1))
    accounts.add("Ann", "tree-lamp-orange", Role.LIBRARIAN)
    assert standing.of("ann") == User("Ann", Role.LIBRARIAN)

    accounts.set_disabled("Ann")

    assert standing.of("ann") is None
    standing.close()
    accounts.close()
