"""`hayloft serve`: tokens on the command line, where it serves, how it begins and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import hayloft
from app.api_tokens import ApiTokens
from app.people import Role
from tests.library_fixtures import command_line_place

ROOT = Path(__file__).parents[1]


class Running:
    """`hayloft serve` in a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        kept = {name: v for name, v in os.environ.items() if not name.startswith("HAYLOFT_")}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "hayloft.py"), "serve", "--port", "0", "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**kept, "HAYLOFT_DATA_DIR": str(folder), "HAYLOFT_MODEL": "extractive"},
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        return str(json.loads(line)["url"])

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, complaints = self.process.communicate(timeout=30)
        return self.process.returncode, complaints


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Running]]:
    """Whatever is put in here is ended."""
    running: list[Running] = []
    yield running
    for one in running:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory for commands that run in this process."""
    command_line_place(tmp_path, monkeypatch)
    return tmp_path / "data"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_when_it_says_so_and_ends_with_status_0(
    tmp_path: Path, started: list[Running], number: signal.Signals
) -> None:
    """On loopback, without a token, an empty library: an answer that says how to fill it."""
    started.append(Running(tmp_path))
    url = started[0].url()
    body = {"model": "hayloft", "messages": [{"role": "user", "content": "Who?"}]}
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.post(f"{url}/chat/completions", json=body)
        status, complaints = started[0].end(number)

    assert url.startswith("http://127.0.0.1:")
    assert "`hayloft ingest FOLDER`" in answer.json()["choices"][0]["message"]["content"]
    assert (status, complaints) == (0, "")


def test_with_a_token_other_machines_may_be_served(tmp_path: Path, started: list[Running]) -> None:
    """The address is open, and nobody gets in without the token; a name has to be ours."""
    token = ApiTokens(tmp_path).make("ci")
    started.append(Running(tmp_path, "--address", "0.0.0.0", "--host-name", "docs.example"))
    url = started[0].url().replace("0.0.0.0", "127.0.0.1")

    def status(**headers: str) -> int:
        return httpx.get(f"{url}/models", headers=headers, trust_env=False).status_code

    right = f"Bearer {token}"
    assert status() == 401
    assert status(Authorization=right) == 200
    assert status(Authorization=right, Host="docs.example") == 200
    assert status(Authorization=right, Host="other.example") == 403


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_open_address_without_tokens_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    """Exit 2, and the command that makes a token."""
    assert hayloft.main(["serve", "--address", address]) == 2

    error = capsys.readouterr().err
    assert "could read every document" in error
    assert "`hayloft serve --new-token NAME`" in error
    assert error.count("\n") == 1


def test_an_address_of_another_machine_is_a_sentence(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also with a token."""
    ApiTokens(place).make("ci")

    assert hayloft.main(["serve", "--address", "192.0.2.1", "--port", "0"]) == 2
    assert "no address of this machine" in capsys.readouterr().err


def test_a_taken_port_is_refused_and_not_replaced(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs know the port: another one would not be found."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert hayloft.main(["serve", "--port", port]) == 2

    assert f"Port {port} of 127.0.0.1 is taken" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_is_none_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    """Exit 2 and a sentence."""
    assert hayloft.main(["serve", f"--port={port}"]) == 2
    assert "is not a port" in capsys.readouterr().err


def test_all_pages_may_ask_only_where_there_are_tokens(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one, a page anywhere could read everything."""
    assert hayloft.main(["serve", "--cors-origin", "*"]) == 2
    assert "every page that anybody here visits" in capsys.readouterr().err
    assert hayloft.main(["serve", "--cors-origin", "tools.example"]) == 2
    assert "is no origin" in capsys.readouterr().err


def test_a_token_is_made_listed_and_revoked(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The token alone on standard output; the list has no secrets; the last one leaves a word."""
    assert hayloft.main(["serve", "--new-token", "ci"]) == 0
    made = capsys.readouterr()
    token = made.out.strip()
    assert ApiTokens(place).presented(token).name == "ci"
    assert "shown this once" in made.err
    assert token not in made.err

    assert hayloft.main(["serve", "--list-tokens"]) == 0
    listed = capsys.readouterr().out
    assert listed.endswith("  ci\n")
    assert token not in listed

    assert hayloft.main(["serve", "--revoke-token", "ci"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("The token ci is refused from now on. None is left: ")
    assert "lets every program on this machine ask" in told
    assert ApiTokens(place).presented(token) is None

    assert hayloft.main(["serve", "--list-tokens"]) == 0
    assert "no tokens" in capsys.readouterr().out


def test_who_is_left_is_told_after_a_token_is_revoked(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many; the token itself is not printed where it was what named it."""
    tokens = ApiTokens(place)
    strayed = tokens.make("a")
    tokens.make("b")
    tokens.make("c")

    assert hayloft.main(["serve", "--revoke-token", strayed]) == 0
    assert capsys.readouterr().out == "The token a is refused from now on; 2 are left.\n"
    assert hayloft.main(["serve", "--revoke-token", "b"]) == 0
    assert capsys.readouterr().out == "The token b is refused from now on; one is left.\n"


@pytest.mark.parametrize(
    ("setting", "value", "told_why"),
    [
        ("HAYLOFT_AUTH", "accounts", "with HAYLOFT_AUTH=accounts nobody may ask"),
        ("HAYLOFT_SERVE_ADDRESS", "0.0.0.0", "on 0.0.0.0 nobody may ask"),
    ],
)
def test_where_tokens_are_needed_the_last_one_leaves_nobody_in(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str,
    told_why: str,
) -> None:
    """What is told is what holds: no server starts, and no program of this machine may ask."""
    monkeypatch.setenv(setting, value)
    ApiTokens(place).make("ci")

    hayloft.main(["serve", "--revoke-token", "ci"])
    revoked = capsys.readouterr().out
    hayloft.main(["serve", "--list-tokens"])
    listed = capsys.readouterr().out
    started = hayloft.main(["serve"])

    assert started == 2
    for told in (revoked, listed):
        assert told_why in told
        assert "this machine" not in told


def test_a_role_of_nobody_in_particular_is_listed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token that may more than ask is told from the others."""
    ApiTokens(place).make("plain")
    ApiTokens(place).make("strong", role=Role.ADMIN)

    hayloft.main(["serve", "--list-tokens"])

    plain, strong = capsys.readouterr().out.splitlines()
    assert plain.endswith("  plain")
    assert strong.endswith("  strong as admin")


def test_machines_read_the_same_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line."""
    hayloft.main(["serve", "--new-token", "ci", "--json"])
    token = json.loads(capsys.readouterr().out)
    hayloft.main(["serve", "--new-token", "backup", "--json"])
    capsys.readouterr()
    hayloft.main(["serve", "--list-tokens", "--json"])
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    hayloft.main(["serve", "--revoke-token", "ci", "--json"])
    revoked = json.loads(capsys.readouterr().out)

    assert ApiTokens(place).presented(token["token"]) is None
    assert [one["name"] for one in listed] == ["ci", "backup"]
    assert revoked == {"event": "revoked", "name": "ci", "left": 1}


def test_names_that_cannot_be_are_sentences(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taken, empty, unknown: exit 2."""
    hayloft.main(["serve", "--new-token", "ci"])

    assert hayloft.main(["serve", "--new-token", "ci"]) == 2
    assert hayloft.main(["serve", "--new-token", " "]) == 2
    assert hayloft.main(["serve", "--revoke-token", "nobody"]) == 2
    assert hayloft.main(["serve", "--role", "admin"]) == 2
    assert "Traceback" not in capsys.readouterr().err
