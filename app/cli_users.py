"""`hayloft users`: the accounts that may use the page, from the terminal."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.people import Role
from storage.errors import UsageError

if TYPE_CHECKING:
    from app.accounts import Accounts

_ROLES = [role.word for role in Role]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "The accounts of the page, which asks for them with HAYLOFT_AUTH=accounts. Passwords are "
        "asked for, or read from standard input where that is no terminal; never given as "
        "arguments, which others on the machine can see. docs/users.md has the rest."
    )
    parts = parser.add_subparsers(dest="users_command", metavar="WHAT", required=True)

    def part(name: str, summary: str, *, named: bool = True) -> argparse.ArgumentParser:
        found = parts.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if named:
            found.add_argument("name", metavar="NAME", help="the user's name")
        found.add_argument("--json", action="store_true", help="print JSON")
        return found

    part("list", "list the accounts", named=False)
    add = part("add", "make an account; its password is asked for")
    add.add_argument("--role", choices=_ROLES, default="reader", help="default: reader")
    part("passwd", "set another password, which signs out everywhere")
    role = part("role", "change what somebody may do")
    role.add_argument("role", choices=_ROLES)
    part("disable", "let nobody in with an account; what it owns is kept")
    part("enable", "let somebody in again")
    delete = part("delete", "delete an account with all its conversations, for good")
    delete.add_argument("--yes", action="store_true", help="do not ask whether that is meant")
    part("adopt", "give somebody the conversations that were had without a login")


def run(args: argparse.Namespace) -> int:
    """Do what is asked with the accounts."""
    from app.accounts import Accounts
    from app.auth_settings import AuthSettings
    from storage.settings import StorageSettings

    data_dir = StorageSettings().data_dir
    accounts = Accounts(data_dir, lasting=AuthSettings().lasting)
    try:
        return _WORK[args.users_command](args, accounts, data_dir)
    finally:
        accounts.close()


def _list(args: argparse.Namespace, accounts: Accounts, _data_dir: Path) -> int:
    found = accounts.all()
    for account in found:
        if args.json:
            told = {
                "name": account.name,
                "role": account.role.word,
                "made_at": account.made_at,
                "signed_in_at": account.signed_in_at,
                "disabled": account.disabled,
                "outside": account.outside,
                "leaving": account.leaving,
                "sessions": account.sessions,
            }
            print(json.dumps(told, ensure_ascii=False), flush=True)
            continue
        last = (
            "never signed in"
            if account.signed_in_at is None
            else time.strftime("last sign-in %Y-%m-%d %H:%M", time.localtime(account.signed_in_at))
        )
        state = ", disabled" if account.disabled else ""
        if account.leaving:
            state = ", being deleted (`hayloft users delete` finishes it)"
        print(f"{account.name}  {account.role.word}{state}, {last}", flush=True)
    if not found and not args.json:
        print("There are no accounts. `hayloft users add NAME --role admin` makes the first one.")
    return 0


def _add(args: argparse.Namespace, accounts: Accounts, _data_dir: Path) -> int:
    name = accounts.add(args.name, _password(args.name), Role.named(args.role))
    return _say(args, f"{name} can sign in, as {args.role}.", name)


def _passwd(args: argparse.Namespace, accounts: Accounts, _data_dir: Path) -> int:
    accounts.set_password(args.name, _password(args.name))
    return _say(args, f"{args.name} has another password and is signed out everywhere.", args.name)


def _role(args: argparse.Namespace, accounts: Accounts, _data_dir: Path) -> int:
    accounts.set_role(args.name, Role.named(args.role))
    return _say(args, f"{args.name} is {args.role} now.", args.name)


def _disable(args: argparse.Namespace, accounts: Accounts, _data_dir: Path) -> int:
    accounts.set_disabled(args.name)
    return _say(args, f"{args.name} is signed out everywhere and cannot sign in.", args.name)


def _enable(args: argparse.Namespace, accounts: Accounts, _data_dir: Path) -> int:
    accounts.set_disabled(args.name, False)
    return _say(args, f"{args.name} can sign in again.", args.name)


def _delete(args: argparse.Namespace, accounts: Accounts, data_dir: Path) -> int:
    from app.departures import leave

    if not args.yes:
        if not sys.stdin.isatty():
            raise UsageError("Deleting an account cannot be undone. Say --yes where it is meant.")
        question = f"Delete {args.name} with all their conversations, for good? [y/N] "
        if input(question).strip().casefold() not in ("y", "yes"):
            return _say(args, "Nothing was deleted.", args.name)
    gone = leave(accounts, data_dir, args.name)
    return _say(args, f"{args.name} is deleted; conversations wiped: {gone}.", args.name)


def _adopt(args: argparse.Namespace, accounts: Accounts, data_dir: Path) -> int:
    from app.adoption import adopt

    user = accounts.standing(args.name)
    if user is None:
        raise UsageError(
            f"There is no account named {args.name} that can sign in. `hayloft users list` names "
            "them."
        )
    taken = adopt(data_dir, user.name)
    return _say(args, f"{user.name} has {taken} more conversations.", user.name)


def _password(name: str) -> str:
    """From the terminal, twice; from a pipe, its first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"Password of {name}: ")
    if first != getpass.getpass("Again: "):
        raise UsageError("The two passwords are not the same. Nothing was changed.")
    return first


def _say(args: argparse.Namespace, sentence: str, name: str) -> int:
    told = json.dumps({"event": args.users_command, "name": name}, ensure_ascii=False)
    print(told if args.json else sentence, flush=True)
    return 0


_WORK: dict[str, Callable[[argparse.Namespace, Accounts, Path], int]] = {
    "list": _list,
    "add": _add,
    "passwd": _passwd,
    "role": _role,
    "disable": _disable,
    "enable": _enable,
    "delete": _delete,
    "adopt": _adopt,
}
