"""Accounts: names, passwords, limits, sessions, the first one, and those of a provider."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import passwords
from app.account_names import key_of, sound_name
from app.accounts import Accounts, SignInRefused
from app.accounts_file import digest
from app.passwords import Cost, check_new, cost_of, hashed, matches
from app.people import Role, User
from app.sessions import Lasting
from app.sign_in_limits import ADDRESS, NAME, PAIR
from storage.errors import StorageError, UsageError

CHEAP = Cost(8, 8, 1)
PASSWORD = "tree-lamp-orange"
HOME, ELSEWHERE = "10.0.0.1", "10.9.9.9"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Iterator[Accounts]:
    found = make(tmp_path, clock)
    yield found
    found.close()


def make(data_dir: Path, clock: Clock, cost: Cost = CHEAP) -> Accounts:
    return Accounts(data_dir, lasting=Lasting(3600, 86_400), cost=cost, clock=clock)


def refused(accounts: Accounts, name: str, password: str, address: str = HOME) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        accounts.sign_in(name, password, address)
    return caught.value


# --- passwords ----------------------------------------------------------------------------------


def test_a_password_is_kept_as_its_hash_alone(accounts: Accounts, tmp_path: Path) -> None:
    """Neither the file nor its journal holds it, and only its owner may read the file."""
    accounts.add("Ann", PASSWORD)

    for path in tmp_path.iterdir():
        assert PASSWORD.encode() not in path.read_bytes()
    assert (tmp_path / "accounts.db").stat().st_mode & 0o077 == 0


def test_equal_passwords_have_unequal_hashes() -> None:
    """Each has a salt of its own, and both open."""
    first, second = hashed(PASSWORD, CHEAP), hashed(PASSWORD, CHEAP)

    assert first != second
    assert matches(PASSWORD, first, CHEAP) and matches(PASSWORD, second, CHEAP)
    assert not matches(PASSWORD + " ", first, CHEAP)


def test_a_password_typed_in_other_code_points_is_the_same() -> None:
    """An e with an accent is one character or two, by keyboard."""
    assert matches("cafe\u0301-cafe\u0301", hashed("caf\u00e9-caf\u00e9", CHEAP), CHEAP)


def test_a_cheap_hash_is_made_anew_once_the_cost_has_risen(
    accounts: Accounts, tmp_path: Path, clock: Clock
) -> None:
    """The next sign-in knows the password and hashes it with the new parameters."""
    accounts.add("Ann", PASSWORD)
    dearer = make(tmp_path, clock, Cost(9, 8, 1))

    dearer.sign_in("Ann", PASSWORD, HOME)

    with sqlite3.connect(tmp_path / "accounts.db") as connection:
        (kept,) = connection.execute("SELECT hash FROM accounts").fetchone()
    assert cost_of(kept) == Cost(9, 8, 1)
    assert dearer.sign_in("Ann", PASSWORD, HOME)
    dearer.close()


def test_what_passwords_cost_is_what_is_advised() -> None:
    """At least OWASP's parameters for scrypt: N = 2^15, r = 8, p = 3."""
    assert not passwords.COST.below(Cost(15, 8, 3))


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "123456789",
        "1234567890",
        "0123456789",
        "qwertyuiop",
        "password123",
        "P@ssw0rd2026!",
        "Summer2026!!",
        "aaaaaaaaaaaaaa",
        "passwordpassword",
        "annabella99",
        "ANNABELLA-annabella",
        "x" * 10_000,
    ],
)
def test_passwords_that_are_soon_guessed_are_refused(password: str) -> None:
    """Short ones, common ones, the user's own name, and megabytes."""
    with pytest.raises(UsageError):
        check_new(password, "AnnaBella")


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "9f8a7sd6f5", "mein Hund frisst Akten", "我的密码是一句很长的话", "x1 y2 z3 w4"],
)
def test_no_rules_of_composition(password: str) -> None:
    """Words, digits or any script will do, where they are long enough and not common."""
    check_new(password, "ann")


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 65,
        "an\u200bn",
        "\u202eann",
        "ann\x00",
        "a\nb".replace("\n", "\x0b\x07"),
        "аnn",
        "Αnn",
        "ann\ud800",
        "a" + "\u0301" * 9,
        "\u0301ann",
        "an\ue000n",
    ],
)
def test_names_that_deceive_are_refused(accounts: Accounts, name: str) -> None:
    """Unseen characters, turned directions, letters of scripts that look alike, stacked marks."""
    with pytest.raises(UsageError):
        accounts.add(name, PASSWORD)


@pytest.mark.parametrize(
    "name", ["Анна", "李雷", "محمد", "O'Neil-Ruiz", "ann@example.org", "<b>ann</b>"]
)
def test_names_of_all_scripts_are_taken(accounts: Accounts, name: str) -> None:
    """Also those that hold signs of HTML; the page escapes them."""
    assert accounts.add(name, PASSWORD) == name


def test_one_name_is_given_once_however_it_is_written(accounts: Accounts) -> None:
    """Case, width and spaces make no second account, and open the first one."""
    accounts.add("Straße  Ann", PASSWORD)

    for other in ("strasse ann", "STRASSE ANN", "Ｓtraße ann "):
        with pytest.raises(UsageError, match="Take another name"):
            accounts.add(other, PASSWORD)
        assert accounts.sign_in(other, PASSWORD, HOME)
    assert sound_name(" Straße  Ann ") == "Straße Ann"
    assert key_of("STRASSE ann") == key_of("straße ANN")


# --- signing in ---------------------------------------------------------------------------------


def test_unknown_wrong_and_disabled_are_the_same(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sentence, and exactly one hash with the same parameters whatever was typed."""
    accounts.add("Root", PASSWORD, Role.ADMIN)
    accounts.add("Ann", PASSWORD)
    accounts.add("Off", PASSWORD)
    accounts.set_disabled("Off")
    costs: list[list[Cost]] = []
    real = passwords._scrypt

    def counted(password: str, salt: bytes, cost: Cost) -> bytes:
        costs[-1].append(cost)
        return real(password, salt, cost)

    monkeypatch.setattr(passwords, "_scrypt", counted)
    sentences = []
    for name, password in [
        ("Ann", "wrong-password"),
        ("nobody", "wrong-password"),
        ("nobody", PASSWORD),
        ("Off", PASSWORD),
        ("\ud800\x00", ""),
        ("n" * 100_000, "p" * 10_000),
    ]:
        costs.append([])
        sentences.append(str(refused(accounts, name, password)))

    assert set(sentences) == {"Name or password is wrong."}
    assert costs == [[CHEAP]] * 6


def test_failures_cost_longer_and_longer(accounts: Accounts, clock: Clock) -> None:
    """Five are free, then the wait doubles; even the right password waits, and then opens."""
    accounts.add("Ann", PASSWORD)
    waits = []
    for _ in range(9):
        refused(accounts, "Ann", "wrong-password")
        waits.append(refused(accounts, "Ann", PASSWORD).wait_s if len(waits) >= 4 else 0)
        clock.now += waits[-1]

    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16]
    assert accounts.sign_in("Ann", PASSWORD, HOME)
    refused(accounts, "Ann", "wrong-password")
    assert accounts.sign_in("Ann", PASSWORD, HOME)


def test_waits_survive_a_restart(accounts: Accounts, tmp_path: Path, clock: Clock) -> None:
    """They stand in the file, and without the names that were typed."""
    for _ in range(6):
        clock.now += 40
        refused(accounts, "My-Secret-Password-Typed-Here", "x")

    again = make(tmp_path, clock)

    assert refused(again, "my-secret-password-typed-here", "x").wait_s > 0
    for path in tmp_path.iterdir():
        assert b"secret-password-typed" not in path.read_bytes().lower()
    again.close()


def test_nobody_is_locked_out_by_others(accounts: Accounts, clock: Clock) -> None:
    """Whoever signed in from an address before is not held up by failures from elsewhere, nor by
    those with other names from there; a newcomer waits a minute at most."""
    accounts.add("Ann", PASSWORD)
    accounts.add("New", PASSWORD)
    accounts.sign_in("Ann", PASSWORD, HOME)
    for number in range(300):
        for name, address in [("Ann", f"10.1.{number}.1"), (f"guess{number}", HOME)]:
            try:
                accounts.sign_in(name, "wrong-password", address)
            except SignInRefused as error:
                assert error.wait_s <= 60
        clock.now += 0.5

    assert accounts.sign_in("Ann", PASSWORD, HOME)
    held_up = refused(accounts, "New", PASSWORD).wait_s
    assert 0 < held_up <= ADDRESS.longest_s
    clock.now += held_up
    assert accounts.sign_in("New", PASSWORD, HOME)


def test_limits_rise_to_their_longest() -> None:
    """Doubling from one second, and no overflow however many there were."""
    assert [PAIR.wait(n) for n in (0, 4, 5, 6, 14, 15, 10**9)] == [0, 0, 1, 2, 512, 900, 900]
    assert NAME.longest_s <= 30


def test_a_clock_set_back_locks_nobody_out(accounts: Accounts, clock: Clock) -> None:
    """The wait is never longer than the longest one."""
    accounts.add("Ann", PASSWORD)
    for _ in range(8):
        clock.now += 1000
        refused(accounts, "Ann", "wrong-password")

    clock.now -= 10_000_000

    assert refused(accounts, "Ann", PASSWORD).wait_s <= PAIR.longest_s


# --- sessions -----------------------------------------------------------------------------------


def test_a_session_opens_for_its_token_alone(accounts: Accounts, tmp_path: Path) -> None:
    """256 random bits, kept as a hash."""
    accounts.add("Ann", PASSWORD, Role.LIBRARIAN)

    token = accounts.sign_in("ann", PASSWORD, HOME)

    assert accounts.sessions.user(token) == User("Ann", Role.LIBRARIAN)
    assert accounts.sessions.user(token[:-1]) is None
    assert accounts.sessions.user(digest(token)) is None
    assert len(token) >= 43
    for path in tmp_path.iterdir():
        assert token.encode() not in path.read_bytes()


def test_a_session_ends_without_use_and_at_its_longest(accounts: Accounts, clock: Clock) -> None:
    """An hour idle ends it here; used every half an hour it lasts its day, and no longer."""
    accounts.add("Ann", PASSWORD)
    idle, used = accounts.sign_in("Ann", PASSWORD, HOME), accounts.sign_in("Ann", PASSWORD, HOME)

    for _ in range(47):
        clock.now += 1800
        accounts.sessions.used(used)
        assert accounts.sessions.user(used)
        accounts.sessions.user(idle)

    assert accounts.sessions.user(idle) is None
    clock.now += 1801
    assert accounts.sessions.user(used) is None


@pytest.mark.parametrize("how", ["out", "password", "disabled", "deleted", "own change"])
def test_what_ends_sessions(accounts: Accounts, how: str) -> None:
    """Signing out, another password, a disabled and a deleted account; others' go on."""
    accounts.add("Root", PASSWORD, Role.ADMIN)
    accounts.add("Ann", PASSWORD)
    root, ann = (accounts.sign_in(name, PASSWORD, HOME) for name in ("Root", "Ann"))

    if how == "out":
        accounts.sessions.end(ann)
    elif how == "password":
        accounts.set_password("Ann", "another-lamp-tree")
    elif how == "disabled":
        accounts.set_disabled("Ann")
        accounts.set_disabled("Ann", False)
    elif how == "deleted":
        accounts.delete("Ann")
    else:
        new = accounts.change_password("Ann", PASSWORD, "another-lamp-tree", HOME)
        assert accounts.sessions.user(new) == User("Ann", Role.READER)

    assert accounts.sessions.user(ann) is None
    assert accounts.sessions.user(root) is not None


def test_a_changed_role_counts_from_the_next_look(accounts: Accounts) -> None:
    """A session does not keep the role it began with."""
    accounts.add("Root", PASSWORD, Role.ADMIN)
    accounts.add("Ann", PASSWORD, Role.ADMIN)
    token = accounts.sign_in("Ann", PASSWORD, HOME)

    accounts.set_role("Ann", Role.READER)

    assert accounts.sessions.user(token) == User("Ann", Role.READER)


def test_the_last_admin_stays(accounts: Accounts) -> None:
    """Neither demoted, disabled nor deleted, and nothing of it half-done."""
    accounts.add("Root", PASSWORD, Role.ADMIN)
    accounts.add("Ann", PASSWORD)
    token = accounts.sign_in("Root", PASSWORD, HOME)

    for change in (
        lambda: accounts.set_role("Root", Role.READER),
        lambda: accounts.set_disabled("Root"),
        lambda: accounts.delete("Root"),
    ):
        with pytest.raises(UsageError, match="last admin"):
            change()

    assert accounts.sessions.user(token) == User("Root", Role.ADMIN)


def test_the_name_of_a_deleted_account_is_not_given_again(accounts: Accounts) -> None:
    """What was kept under it would otherwise pass to somebody else."""
    accounts.add("Ann", PASSWORD)

    accounts.delete("ann")

    with pytest.raises(UsageError, match="is or was"):
        accounts.add("ANN", PASSWORD)
    assert accounts.all() == []
    assert accounts.standing("Ann") is None


# --- the first account --------------------------------------------------------------------------


def test_of_many_setups_at_once_one_wins(tmp_path: Path) -> None:
    """Twenty browsers with the right code make one account, whichever it is."""
    clock = Clock()
    accounts = make(tmp_path, clock)
    code = accounts.new_setup_code()
    assert code is not None
    made: list[str] = []
    turned_away: list[str] = []

    def attempt(number: int) -> None:
        own = make(tmp_path, clock)
        try:
            made.append(own.set_up(code, f"user {number}", PASSWORD, f"10.0.1.{number}"))
        except SignInRefused as error:
            turned_away.append(str(error))
        own.close()

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1 and len(turned_away) == 19
    assert [(one.name, one.role) for one in accounts.all()] == [(made[0], Role.ADMIN)]
    accounts.close()


def test_a_setup_code_is_good_once_and_only_the_newest(accounts: Accounts) -> None:
    """An older code, a used one and none at all open nothing; where there is an account none is
    made."""
    old = accounts.new_setup_code()
    code = accounts.new_setup_code()
    assert old is not None and code is not None and old != code
    for wrong in (old, "", "AAAA", code[:-1]):
        with pytest.raises(SignInRefused, match="not the setup code"):
            accounts.set_up(wrong, "Root", PASSWORD, HOME)

    accounts.set_up(code.replace("-", " ").lower(), "Root", PASSWORD, HOME)

    with pytest.raises(SignInRefused):
        accounts.set_up(code, "Other", PASSWORD, HOME)
    assert accounts.new_setup_code() is None


def test_a_code_is_worth_nothing_once_the_terminal_made_an_account(accounts: Accounts) -> None:
    """Whoever saw the code does not get a second admin's account with it."""
    code = accounts.new_setup_code() or ""
    accounts.add("Root", PASSWORD, Role.ADMIN)

    with pytest.raises(SignInRefused, match="meanwhile"):
        accounts.set_up(code, "Other", PASSWORD, HOME)

    assert [one.name for one in accounts.all()] == ["Root"]


def test_a_weak_first_password_leaves_the_code_good(accounts: Accounts) -> None:
    """Whoever mistypes need not start the server again."""
    code = accounts.new_setup_code() or ""
    with pytest.raises(UsageError):
        accounts.set_up(code, "Root", "short", HOME)

    assert accounts.set_up(code, "Root", PASSWORD, HOME) == "Root"


def test_codes_cannot_be_guessed_in_a_row(accounts: Accounts) -> None:
    """After five wrong ones the address waits, with the right one too."""
    code = accounts.new_setup_code() or ""
    for _ in range(5):
        with pytest.raises(SignInRefused, match="not the setup code"):
            accounts.set_up("AAAA-AAAA-AAAA-AAAA", "Root", PASSWORD, HOME)

    with pytest.raises(SignInRefused, match="Too many"):
        accounts.set_up(code, "Root", PASSWORD, HOME)
    assert accounts.set_up(code, "Root", PASSWORD, ELSEWHERE)


# --- those whom a provider knows ----------------------------------------------------------------


def test_whoever_a_provider_knows_gets_an_account_without_a_password(accounts: Accounts) -> None:
    """Their role is what the settings say now, and no password opens the account."""
    accounts.add("Root", PASSWORD, Role.ADMIN)

    assert accounts.admit("iss\n1", "eve@x.org", Role.READER, "l1") == User(
        "eve@x.org", Role.READER
    )
    assert accounts.admit("iss\n1", "eve@x.org", Role.ADMIN, "l1") == User("eve@x.org", Role.ADMIN)

    refused(accounts, "eve@x.org", "")
    refused(accounts, "eve@x.org", PASSWORD)
    with pytest.raises(UsageError, match="no password here"):
        accounts.set_password("eve@x.org", PASSWORD)


def test_a_name_belongs_to_the_subject_that_had_it_first(accounts: Accounts) -> None:
    """Another subject with the same address, or that of a local account, gets in nowhere."""
    accounts.add("local@x.org", PASSWORD, Role.ADMIN)
    accounts.admit("iss\n1", "eve@x.org", Role.READER, "l1")

    for subject, name in (("iss\n2", "EVE@x.org"), ("iss\n3", "local@x.org")):
        with pytest.raises(SignInRefused, match="may not be used here"):
            accounts.admit(subject, name, Role.ADMIN, "l2")


def test_a_login_that_has_ended_stays_ended(accounts: Accounts) -> None:
    """The provider's cookie of then opens nothing; a new login does, until the account is off."""
    accounts.admit("iss\n1", "eve@x.org", Role.READER, "l1")

    accounts.sessions.end("l1")

    assert accounts.admit("iss\n1", "eve@x.org", Role.READER, "l1") is None
    assert accounts.admit("iss\n1", "eve@x.org", Role.READER, "l2") is not None
    accounts.set_disabled("eve@x.org")
    assert accounts.admit("iss\n1", "eve@x.org", Role.READER, "l2") is None
    with pytest.raises(SignInRefused):
        accounts.admit("iss\n1", "eve@x.org", Role.READER, "l3")


# --- the file -----------------------------------------------------------------------------------


def test_a_damaged_and_a_newer_file_are_sentences(tmp_path: Path) -> None:
    """Nobody is let in by a file that cannot be read."""
    (tmp_path / "accounts.db").write_bytes(b"no database at all, but long enough" * 99)
    with pytest.raises(StorageError, match="cannot be read"):
        Accounts(tmp_path)
    (tmp_path / "accounts.db").unlink()
    Accounts(tmp_path).close()
    with sqlite3.connect(tmp_path / "accounts.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="newer Hayloft"):
        Accounts(tmp_path)
