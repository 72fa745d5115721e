"""`hayloft serve`: the HTTP API for other programs, and the tokens they ask with."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from app.people import Role, User
from storage.errors import UsageError

if TYPE_CHECKING:
    from app.accounts import Accounts
    from app.api_tokens import ApiTokens
    from app.settings import AppSettings
    from storage.settings import StorageSettings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Serve the HTTP API for other programs until Ctrl-C, or make, list and revoke the tokens "
        "they ask with. docs/api.md has the routes."
    )
    parser.add_argument("--port", type=int, help="port (default: HAYLOFT_SERVE_PORT, 8600)")
    parser.add_argument(
        "--address", help="address to serve on (default: HAYLOFT_SERVE_ADDRESS, 127.0.0.1)"
    )
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which programs may reach it, beside localhost (repeatable)",
    )
    parser.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a web page that may ask from the browser, such as https://tools.example "
        "(repeatable; default: none may)",
    )
    tokens = parser.add_mutually_exclusive_group()
    tokens.add_argument("--new-token", metavar="NAME", help="make a token, print it once, and end")
    parser.add_argument(
        "--owner", metavar="USER", help="with --new-token: the account on whose behalf it asks"
    )
    parser.add_argument(
        "--role",
        choices=[role.word for role in Role],
        help="with --new-token: what it may do, no more than its owner may (default: reader, who "
        "may ask and search, which is all that programs can do)",
    )
    tokens.add_argument("--list-tokens", action="store_true", help="list the tokens, and end")
    tokens.add_argument(
        "--revoke-token",
        metavar="NAME",
        help="refuse a token from now on, named or given itself, and end",
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, or do what is asked with the tokens."""
    from app.api_tokens import ApiTokens
    from app.settings import AppSettings
    from storage.settings import StorageSettings

    settings, storage = AppSettings(), StorageSettings()
    tokens = ApiTokens(storage.data_dir)
    if args.new_token is not None:
        return _make(tokens, args, storage)
    for name, given in (("--owner", args.owner), ("--role", args.role)):
        if given is not None:
            raise UsageError(f"{name} goes with --new-token.")
    if args.revoke_token is not None:
        return _revoke(tokens, args, settings)
    if args.list_tokens:
        return _list(tokens, args, settings)
    return _serve(args, settings, storage, tokens)


def _serve(
    args: argparse.Namespace, settings: AppSettings, storage: StorageSettings, tokens: ApiTokens
) -> int:
    from app.api_guard import Door, check_origins
    from app.auth_settings import OFF, AuthSettings

    port = settings.serve_port if args.port is None else args.port
    if not 0 <= port <= 65535:
        raise UsageError(f"{port} is not a port: choose one from 1 to 65535, or 0 for a free one.")
    origins = tuple(origin.rstrip("/") for origin in args.cors_origin)
    door = Door(args.address or settings.serve_address, tuple(args.host_name), origins)
    login = AuthSettings().auth != OFF
    if login and not tokens.all():
        raise UsageError(
            "With HAYLOFT_AUTH the page asks who is there, and so does the API. Make a token "
            "first: `hayloft serve --new-token NAME`."
        )
    if not door.on_loopback and not tokens.all():
        raise UsageError(
            f"On {door.address} everyone in the network could read every document. Make a token "
            "first: `hayloft serve --new-token NAME`."
        )
    if fault := check_origins(origins, tokens=bool(tokens.all())):
        raise UsageError(fault)

    from app.api_app import Api
    from app.api_log import AccessLog
    from app.api_server import ApiServer, listen
    from app.api_service import Service
    from storage.library import Library

    standing = Standing(storage.data_dir)
    listener = listen(door.address, port)
    library = Library(storage)
    service = Service(library, settings)
    host = f"[{door.address}]" if ":" in door.address else door.address
    url = f"http://{host}:{listener.getsockname()[1]}/v1"

    def started() -> None:
        threading.Thread(target=service.warm_up, name="hayloft-warm-up", daemon=True).start()
        asked = "with a token" if tokens.all() else "without a token, from this machine only"
        _say(
            args,
            f"Hayloft's API serves on {url}, {asked} (Ctrl-C ends it)",
            {"event": "serving", "url": url, "tokens": len(tokens.all())},
        )

    try:
        with AccessLog(storage.data_dir, storage.log_format):
            api = Api(
                service, tokens, door, standing.of, token_required=login or bool(tokens.all())
            )
            ApiServer(api, started).serve_on(listener)
    finally:
        standing.close()
        listener.close()
        library.close()
    return 0


class Standing:
    """How accounts stand; the first one may be made while the server runs."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._accounts: Accounts | None = None
        self._lock = threading.Lock()

    def of(self, name: str) -> User | None:
        """Whoever has an account of that name that is not closed."""
        accounts = self._opened()
        return accounts.standing(name) if accounts else None

    @property
    def has_accounts(self) -> bool:
        """Whether there were ever any."""
        return self._opened() is not None

    def close(self) -> None:
        """Close the file."""
        if self._accounts:
            self._accounts.close()

    def _opened(self) -> Accounts | None:
        from app.accounts import Accounts
        from app.accounts_file import FILE

        with self._lock:
            if self._accounts is None and (self._data_dir / FILE).exists():
                self._accounts = Accounts(self._data_dir)
            return self._accounts


def _owner(storage: StorageSettings, name: str) -> str:
    """The name of an account as it is kept. Raises UsageError where there is none."""
    standing = Standing(storage.data_dir)
    try:
        if not standing.has_accounts:
            raise UsageError("There are no accounts. `hayloft users add NAME` makes one.")
        user = standing.of(name)
    finally:
        standing.close()
    if user is None:
        raise UsageError(f"There is no account named {name}. `hayloft users list` names them.")
    return user.name


def _make(tokens: ApiTokens, args: argparse.Namespace, storage: StorageSettings) -> int:
    owner = _owner(storage, args.owner) if args.owner else ""
    token = tokens.make(args.new_token, owner=owner, role=Role.named(args.role or Role.READER.word))
    name = args.new_token.strip()
    if args.json:
        told = {"name": name, "token": token} | ({"owner": owner} if owner else {})
        print(json.dumps(told, ensure_ascii=False), flush=True)
        return 0
    # The token alone on standard output, so that a script can take it from there.
    print(token, flush=True)
    print(
        f"This is the token {name}. It is shown this once; a program sends it as "
        "`Authorization: Bearer TOKEN`.",
        file=sys.stderr,
    )
    return 0


def _revoke(tokens: ApiTokens, args: argparse.Namespace, settings: AppSettings) -> int:
    name = tokens.revoke(args.revoke_token)
    left = len(tokens.all())
    sentence = f"The token {name} is refused from now on"
    sentence += f"; {left} are left." if left > 1 else "; one is left." if left else "."
    if not left:
        sentence += f" None is left: {_shut(settings) or _OPEN}"
    _say(args, sentence, {"event": "revoked", "name": name, "left": left})
    return 0


_OPEN = (
    "a server that asked for tokens goes on asking until it ends, and one that is started now lets "
    "every program on this machine ask. `hayloft serve --new-token NAME` makes another."
)


def _shut(settings: AppSettings) -> str:
    """That nobody may ask without a token, where the settings say so."""
    from app.api_guard import is_loopback
    from app.auth_settings import OFF, AuthSettings

    login = AuthSettings().auth
    if login != OFF:
        why = f"with HAYLOFT_AUTH={login}"
    elif not is_loopback(settings.serve_address):
        why = f"on {settings.serve_address}"
    else:
        return ""
    return (
        f"{why} nobody may ask, and `hayloft serve` does not start, until "
        "`hayloft serve --new-token NAME` makes one."
    )


def _list(tokens: ApiTokens, args: argparse.Namespace, settings: AppSettings) -> int:
    for token in tokens.all():
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(token.made_at))
        whose = f", for {token.owner}" if token.owner else ""
        told = {"name": token.name, "made_at": token.made_at}
        if token.owner or token.role != Role.READER:
            whose += f" as {token.role.word}"
            told |= {"owner": token.owner, "role": token.role.word}
        _say(args, f"{made}  {token.name}{whose}", told)
    if not tokens.all() and not args.json:
        print(f"There are no tokens: {_shut(settings) or 'only programs on this machine may ask.'}")
    return 0


def _say(args: argparse.Namespace, sentence: str, event: dict[str, object]) -> None:
    print(json.dumps(event, ensure_ascii=False) if args.json else sentence, flush=True)
