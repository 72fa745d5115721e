"""The door of the page: who meets what, over real sockets, with a stand-in behind the door."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from app.accounts import Accounts
from app.auth_settings import AuthSettings
from app.conversations import Conversations
from app.door import USED_S, Door, admits_session, local_path, uses_session
from app.door_forms import DoorForms
from app.entrance import entrance
from app.passwords import Cost, matches
from app.people import Role
from app.sessions import Lasting, cookie_name
from storage.settings import StorageSettings

PASSWORD = "tree-lamp-orange"
LASTING = Lasting(3600, 86_400)


async def _anything(request: Request) -> Response:
    return PlainTextResponse(f"inside {request.url.path}")


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            said = await socket.receive()
            if said["type"] == "websocket.disconnect":
                return
            await socket.send_text(said.get("text") or "heard")
    except WebSocketDisconnect:
        return


class House:
    """A door with something behind it, served."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.accounts = Accounts(data_dir, lasting=LASTING, cost=Cost(8, 8, 1))
        self.cookie = cookie_name(data_dir)
        routes = [
            *DoorForms(self.accounts, data_dir, LASTING).routes(),
            WebSocketRoute("/_stcore/stream", _socket),
            Route("/{path:path}", _anything, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
        self.clock = 0.0
        door = Door(
            Starlette(routes=routes),
            admits=admits_session(self.accounts, self.cookie),
            uses=uses_session(self.accounts, self.cookie),
            hosts=frozenset({"127.0.0.1", "localhost"}),
            clock=lambda: self.clock,
        )
        self._server = uvicorn.Server(uvicorn.Config(door, port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def post(self, path: str, origin: str | None = None, **fields: str) -> httpx.Response:
        headers = {"Origin": self.url if origin is None else origin}
        return httpx.post(f"{self.url}{path}", data=fields, headers=headers)

    def token(self, name: str = "Ann") -> str:
        answer = self.post("/login", name=name, password=PASSWORD)
        assert answer.status_code == 303
        return answer.cookies[self.cookie]

    def get(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        cookies = {self.cookie: token} if token else {}
        return httpx.get(f"{self.url}{path}", cookies=cookies, headers=headers)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(5)
        self.accounts.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = House(tmp_path_factory.mktemp("empty"))
    yield found
    found.stop()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    found.accounts.add("Root", PASSWORD, Role.ADMIN)
    found.accounts.add("Ann", PASSWORD)
    yield found
    found.stop()


@pytest.mark.parametrize(
    "path",
    ["/", "/chat?c=x", "/media/abc.png", "/_stcore/host-config", "/_stcore/upload_file/a/b",
     "/static/js/main.js", "/component/x", "/_stcore/metrics", "/../etc", "/Login", "/login/x",
     "//login"],
)  # fmt: skip
def test_without_a_session_nothing_is_answered(house: House, path: str) -> None:
    """Neither pages nor pictures, downloads, uploads and what the page is made of."""
    answer = house.get(path)

    assert answer.status_code == 401
    assert "inside" not in answer.text
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert httpx.request(method, f"{house.url}{path}").status_code == 401


def test_a_browser_is_led_to_the_form_and_back(house: House) -> None:
    """A page's address is kept over the sign-in, whole."""
    answer = house.get("/chat?c=a%26b", Accept="text/html,*/*")

    assert answer.status_code == 303
    form = house.get(answer.headers["location"])
    assert 'name="next" value="/chat?c=a%26b"' in form.text
    done = house.post("/login", name="ann", password=PASSWORD, next="/chat?c=a%26b")
    assert done.headers["location"] == "/chat?c=a%26b"
    assert house.get("/chat", done.cookies[house.cookie]).text == "inside /chat"


def test_a_link_from_elsewhere_is_followed_from_here(house: House) -> None:
    """The strict cookie is not sent with it; it is with the reload that our own page asks for."""
    answer = house.get("/chat", Accept="text/html", **{"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0"' in answer.text


def test_the_cookie_is_out_of_reach(house: House) -> None:
    """HttpOnly, SameSite=Strict, for the whole page, for no longer than the session; and Secure
    where the page came over TLS."""
    answer = house.post("/login", name="Ann", password=PASSWORD)
    cookie = answer.headers["set-cookie"]

    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=86400"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    over_tls = httpx.post(
        f"{house.url}/login",
        data={"name": "Ann", "password": PASSWORD},
        headers={"Origin": house.url, "X-Forwarded-Proto": "https"},
    )
    assert "Secure" in over_tls.headers["set-cookie"].split("; ")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1", "https://evil/127.0.0.1"]
)
@pytest.mark.parametrize("path", ["/login", "/setup", "/password"])
def test_forms_from_elsewhere_are_refused(house: House, path: str, origin: str) -> None:
    """Another origin, none, another port: no sign-in, whatever the password."""
    token = house.token()
    answer = httpx.post(
        f"{house.url}{path}",
        data={"name": "Ann", "password": PASSWORD},
        headers={"Origin": origin},
        cookies={house.cookie: token},
    )

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    foreign = {"Origin": house.url, "Sec-Fetch-Site": "same-site"}
    answer = httpx.post(f"{house.url}/login", data={"name": "Ann"}, headers=foreign)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)",
     "/\r\nSet-Cookie: a=b", "/\t/evil.example", "", "evil", "/login", "/login?next=/login",
     "/password", "/auth/logout"],
)  # fmt: skip
def test_no_link_leads_elsewhere_after_the_sign_in(house: House, wanted: str) -> None:
    """Only paths of this page are gone to."""
    answer = house.post("/login", name="Ann", password=PASSWORD, next=wanted)

    assert answer.headers["location"] == "/"
    assert local_path(wanted) == "/"


def test_a_name_of_a_stranger_is_not_answered(house: House) -> None:
    """A page elsewhere cannot point a name of its own here: not even at the form."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "a@b", "[::1"):
        answer = house.get("/login", Host=host)
        assert answer.status_code in (400, 403)
    assert house.get("/login", Host="LOCALHOST:1234").status_code == 200


def test_wrong_and_unknown_look_the_same(house: House) -> None:
    """Status, sentence and length; what was typed as a name comes back as text."""
    wrong = house.post("/login", name="Ann", password="not-the-password")
    unknown = house.post("/login", name="Bob", password="not-the-password")

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.text == unknown.text.replace('value="Bob"', 'value="Ann"')
    hostile = house.post("/login", name='"><script>alert(1)</script>', password="x" * 10_000)
    assert hostile.status_code == 401
    assert "<script>" not in hostile.text


def test_many_attempts_are_told_to_wait(house: House) -> None:
    """429 with Retry-After, also for the right password."""
    for _ in range(5):
        house.post("/login", name="Ann", password="not-the-password")

    answer = house.post("/login", name="Ann", password=PASSWORD)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert house.post("/login", name="Root", password=PASSWORD).status_code == 303


def test_a_flood_of_sign_ins_does_not_hold_up_the_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While all that may check passwords do, the page answers, the others are told to come back,
    and somebody who is known here still comes to their turn."""
    token = house.token()
    go = threading.Event()

    def slow(password: str, kept: str, cost: Cost) -> bool:
        go.wait(20)
        return matches(password, kept, cost)

    monkeypatch.setattr("app.accounts.matches", slow)
    seen: list[int] = []

    def wrong(number: int) -> None:
        fields = {"name": f"nobody {number}", "password": "wrong-password"}
        headers = {"Origin": house.url, "X-Forwarded-For": f"10.1.1.{number}"}
        answer = httpx.post(f"{house.url}/login", data=fields, headers=headers, timeout=30)
        seen.append(answer.status_code)

    flood = [threading.Thread(target=wrong, args=(number,)) for number in range(60)]
    for thread in flood:
        thread.start()
    end = time.monotonic() + 15
    while len(seen) < 50 and time.monotonic() < end:
        time.sleep(0.02)

    assert seen.count(429) >= 50
    assert house.get("/chat", token).status_code == 200
    known = threading.Thread(target=house.token)
    known.start()
    go.set()
    known.join(10)
    assert not known.is_alive()
    for thread in flood:
        thread.join(20)
    assert set(seen) == {429, 401}


def test_a_form_that_is_too_large_is_not_read(house: House) -> None:
    """Nobody fills the memory through the form."""
    assert house.post("/login", name="Ann", password="x" * 100_000).status_code == 413


def test_signing_in_begins_a_new_session(house: House) -> None:
    """A token that was planted before is worth nothing, and the one before ends."""
    first = house.token()
    answer = httpx.post(
        f"{house.url}/login",
        data={"name": "Ann", "password": PASSWORD},
        headers={"Origin": house.url},
        cookies={house.cookie: first},
    )

    assert answer.cookies[house.cookie] != first
    assert house.get("/chat", first).status_code == 401
    assert house.get("/chat", answer.cookies[house.cookie]).status_code == 200


def test_the_page_cannot_be_framed(house: House) -> None:
    """Neither the form nor what is behind the door."""
    assert house.get("/login").headers["x-frame-options"] == "DENY"
    assert house.get("/chat", house.token()).headers["x-frame-options"] == "SAMEORIGIN"


def test_the_first_account_at_the_door(empty: House) -> None:
    """With the code of the terminal, once; what was asked before belongs to it where wanted."""
    before = Conversations(empty.data_dir / "conversations.db")
    conversation = before.create("of before")
    code = empty.accounts.new_setup_code() or ""
    assert empty.get("/login").headers["location"] == "/setup"
    fields = {"name": "Root", "password": PASSWORD, "again": PASSWORD}
    assert empty.post("/setup", code="AAAA-AAAA-AAAA-AAAA", **fields).status_code == 401
    assert empty.post("/setup", code=code, **{**fields, "again": "x"}).status_code == 400

    done = empty.post("/setup", code=code, adopt="yes", **fields)

    assert done.status_code == 303
    assert empty.get("/chat", done.cookies[empty.cookie]).status_code == 200
    assert empty.post("/setup", code=code, **fields).headers["location"] == "/login"
    assert empty.get("/setup").headers["location"] == "/login"
    root = Conversations(empty.data_dir / "conversations.db", owner="Root")
    assert root.exists(conversation)


def test_a_password_is_changed_by_whoever_knows_it(house: House) -> None:
    """A session alone is not enough; afterwards only the new one is signed in."""
    token, other = house.token(), house.token()

    def change(**fields: str) -> httpx.Response:
        return httpx.post(
            f"{house.url}/password",
            data={"new": "another-lamp-tree", "again": "another-lamp-tree", **fields},
            headers={"Origin": house.url},
            cookies={house.cookie: token},
        )

    assert change(password="not-the-password").status_code == 401
    assert change(password=PASSWORD, again="x").status_code == 400
    done = change(password=PASSWORD)

    assert done.status_code == 303
    assert house.get("/chat", done.cookies[house.cookie]).status_code == 200
    assert [house.get("/chat", one).status_code for one in (token, other)] == [401, 401]


def test_a_password_that_another_knows_opens_nothing_but_the_form_that_changes_it(
    house: House,
) -> None:
    """Whatever address the browser asks for; the same password again is none of their own."""
    house.accounts.set_password("Ann", PASSWORD, provisional=True)
    answer = house.post("/login", name="Ann", password=PASSWORD, next="/chat")
    token = answer.cookies[house.cookie]
    assert answer.headers["location"] == "/password"
    assert house.get("/login?next=/chat", token).headers["location"] == "/password"
    assert house.get("/password", token).status_code == 200
    for path in ("/chat", "/media/abc.png", "/_stcore/host-config"):
        assert house.get(path, token).status_code == 401
    with pytest.raises(InvalidStatus, match="403"), socket_of(house, token):  # type: ignore[attr-defined]
        pass

    def change(new: str) -> httpx.Response:
        return httpx.post(
            f"{house.url}/password",
            data={"password": PASSWORD, "new": new, "again": new},
            headers={"Origin": house.url},
            cookies={house.cookie: token},
        )

    assert change(PASSWORD).status_code == 400
    done = change("another-lamp-tree")

    assert done.status_code == 303
    assert house.get("/chat", done.cookies[house.cookie]).status_code == 200


def test_the_form_speaks_the_browsers_language(house: House) -> None:
    """English where it asks for one that there is none of."""
    assert '<html lang="zh"' in house.get("/login", **{"Accept-Language": "zh-CN,en;q=0.5"}).text
    assert '<html lang="en"' in house.get("/login", **{"Accept-Language": "xx"}).text


def socket_of(house: House, token: str) -> object:
    headers = {"Cookie": f"other=1; {house.cookie}={token}"}
    return connect(f"ws://127.0.0.1:{house.port}/_stcore/stream", additional_headers=headers)


def test_a_websocket_needs_a_session(house: House) -> None:
    """Refused before it opens."""
    for token in ("", "x" * 43):
        with pytest.raises(InvalidStatus, match="403"), socket_of(house, token):  # type: ignore[attr-defined]
            pass


@pytest.mark.parametrize(
    ("origin", "opens"),
    [
        ("http://127.0.0.1:{port}", True),
        ("http://127.0.0.1:3000", False),
        ("http://localhost:{port}", False),
        ("http://127.0.0.1", False),
        ("http://evil.example", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_a_websocket_is_opened_by_our_own_page(house: House, origin: str, opens: bool) -> None:
    """Cookies know no ports: a page of another program on this host comes with the session."""
    headers = {"Cookie": f"{house.cookie}={house.token()}"}
    address = f"ws://127.0.0.1:{house.port}/_stcore/stream"

    def attempt() -> bool:
        try:
            with connect(
                address, additional_headers=headers, origin=origin.format(port=house.port)
            ):
                return True
        except InvalidStatus:
            return False

    assert attempt() is opens


def test_an_open_websocket_ends_with_its_session(house: House) -> None:
    """It may say for some seconds that it has ended, and is then closed whatever the page does."""
    token = house.token()
    with socket_of(house, token) as socket:  # type: ignore[attr-defined]
        socket.send("a")
        assert socket.recv() == "a"
        house.accounts.set_disabled("Ann")
        house.clock += 3
        socket.send("b")
        assert socket.recv() == "b"
        house.clock += 6

        socket.send("c")

        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)


def test_only_what_somebody_does_keeps_a_session(house: House) -> None:
    """A page that refreshes itself, or finds its server again, does not; a click does."""

    def said(*, auto: bool) -> bytes:
        message = BackMsg()
        message.rerun_script.is_auto_rerun = auto
        message.rerun_script.fragment_id = "watch"
        return message.SerializeToString()

    def seen() -> float:
        path = house.data_dir / "accounts.db"
        with sqlite3.connect(path) as connection:
            return float(connection.execute("SELECT seen_at FROM sessions").fetchone()[0])

    token = house.token()
    with sqlite3.connect(house.data_dir / "accounts.db") as connection:
        connection.execute("UPDATE sessions SET seen_at = seen_at - 600")
    before = seen()
    with socket_of(house, token) as socket:  # type: ignore[attr-defined]
        told = [said(auto=False), said(auto=True), b"\xff nothing of ours"]
        for message in told:
            house.clock += 2 * USED_S
            socket.send(message)
            assert socket.recv() == "heard"
        house.get("/media/page.png", token)
        house.get("/_stcore/host-config", token)
        assert seen() == before

        socket.send(said(auto=False))

        assert socket.recv() == "heard"
        assert seen() > before + 500


@pytest.mark.parametrize("how", ["page", "upload"])
def test_opening_a_page_and_dropping_a_file_keep_a_session(house: House, how: str) -> None:
    """As a click does; not where the session has ended by then."""
    token = house.token()
    with sqlite3.connect(house.data_dir / "accounts.db") as connection:
        connection.execute("UPDATE sessions SET seen_at = seen_at - 600")

    def use() -> int:
        if how == "page":
            return house.get("/chat", token, Accept="text/html").status_code
        cookies = {house.cookie: token}
        return httpx.put(f"{house.url}/_stcore/upload_file/a/b", cookies=cookies).status_code

    def seen_before() -> bool:
        with sqlite3.connect(house.data_dir / "accounts.db") as connection:
            found = connection.execute("SELECT seen_at FROM sessions").fetchone()[0]
        return bool(found < time.time() - 500)

    assert use() == 200
    assert not seen_before()
    with sqlite3.connect(house.data_dir / "accounts.db") as connection:
        connection.execute("UPDATE sessions SET seen_at = seen_at - 3600")

    assert use() in (303, 401)

    assert seen_before()


def test_a_damaged_file_lets_nobody_in(house: House) -> None:
    """What cannot be looked up is not true."""
    token = house.token()
    assert house.get("/chat", token).status_code == 200

    house.accounts.close()

    assert house.get("/chat", token).status_code == 401
    assert house.get("/login").status_code == 500


def test_without_a_login_other_pages_still_stay_outside(tmp_path: Path) -> None:
    """Whoever reaches the page may read it; a foreign name, origin or port may not."""
    inside = entrance(AuthSettings(auth="off"), StorageSettings(data_dir=tmp_path), ["localhost"])
    routes = [
        WebSocketRoute("/_stcore/stream", _socket),
        Route("/{path:path}", _anything),
    ]
    page = TestClient(Starlette(routes=routes, **inside), base_url="http://localhost:8501")

    def opens(origin: str) -> bool:
        try:
            with page.websocket_connect(
                "/_stcore/stream", headers={"Host": "localhost:8501", "Origin": origin}
            ):
                return True
        except WebSocketDisconnect:
            return False

    assert page.get("/library").text == "inside /library"
    assert page.get("/").headers["X-Frame-Options"] == "SAMEORIGIN"
    assert page.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert opens("http://localhost:8501")
    assert not opens("http://localhost:3000")
    assert not opens("http://evil.example")
