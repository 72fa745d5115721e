"""The HTTP API on a real socket, in a thread of the test's own process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from app.api_app import Api
from app.api_guard import Door
from app.api_server import ApiServer, listen
from app.api_service import Service
from app.api_tokens import ApiTokens
from app.settings import AppSettings
from storage.library import Library
from tests.ollama_double import OllamaDouble

CHAT = "/v1/chat/completions"
FILES = {
    "rules/tower.md": "# Keys\n\nIngrid keeps the spare key of the tower in the blue tin.\n",
    "fares.md": "---\ndate: 2024-05-01\ntags: [prices]\n---\n# Fares\n\n"
    "A single crossing costs 4.20 crowns in winter.\n",
    "geschichte.txt": "Die Fähre wurde im Jahr 1871 gebaut und liegt seitdem an der alten Mühle "
    "im Dorf. Sie wird von zwei Pferden gezogen, und im Winter ruht sie.\n",
}


@dataclass
class Served:
    """An API that serves."""

    url: str
    api: Api
    service: Service
    server: ApiServer
    tokens: ApiTokens
    client: httpx.Client

    def chat(self, question: str | list[dict[str, Any]], **parameters: object) -> httpx.Response:
        """Ask a question, or send messages."""
        messages = question if isinstance(question, list) else [user(question)]
        body = {"model": "hayloft", "messages": messages, **parameters}
        return self.client.post(CHAT, json=body)

    @contextmanager
    def stream(self, question: str, **parameters: object) -> Iterator[httpx.Response]:
        """Ask for a stream."""
        body = {"model": "hayloft", "messages": [user(question)], "stream": True, **parameters}
        with self.client.stream("POST", CHAT, json=body) as response:
            yield response

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        url = httpx.URL(self.url)
        return url.host, url.port or 0


def user(text: str) -> dict[str, Any]:
    """A message of the user."""
    return {"role": "user", "content": text}


def events(response: httpx.Response) -> list[Any]:
    """The events of a stream to its end; `[DONE]` as that text."""
    found = []
    for line in response.iter_lines():
        if line.startswith("data: "):
            text = line.removeprefix("data: ")
            found.append(text if text == "[DONE]" else json.loads(text))
    return found


@contextmanager
def served(
    library: Library,
    double: OllamaDouble | None = None,
    *,
    tokens: ApiTokens | None = None,
    door: Door | None = None,
    **settings: Any,
) -> Iterator[Served]:
    """Serve a library; with the Ollama double as its model, else by quoting."""
    model = {"model": "ollama:qwen2:7b", "ollama_url": double.url} if double else {}
    chosen = AppSettings(**({"model": "extractive"} | model | settings))
    service = Service(library, chosen)
    tokens = tokens or ApiTokens(library.settings.data_dir / "no-tokens")
    api = Api(service, tokens, door or Door("127.0.0.1"))
    listener = listen("127.0.0.1", 0)
    started = threading.Event()
    server = ApiServer(api, started.set)
    thread = threading.Thread(target=server.serve_on, args=(listener,), daemon=True)
    thread.start()
    assert started.wait(10)
    service.warm_up()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        # Nobody waits for a connection that another test keeps.
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            yield Served(url, api, service, server, tokens, client)
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()
