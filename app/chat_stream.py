"""A question to a model server, and its answer as it comes: line by line, faults told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.chat import ChatModelError
from app.chat_http import Fault, Server, encode, fault_of, lines, read_body


@contextmanager
def posted(
    server: Server,
    path: str,
    body: object,
    *,
    refused: Callable[[Fault], ChatModelError],
    accept: str = "*/*",
) -> Iterator[Iterator[str]]:
    """The lines of the reply to a POST, while the connection is open.

    `refused` makes the error of a reply with another status than 200.
    """
    with (
        server.client() as client,
        server.translated(),
        client.stream(
            "POST",
            f"{server.url}{path}",
            content=encode(body),
            headers={"content-type": "application/json", "accept": accept},
        ) as response,
    ):
        if response.status_code != 200:
            raise refused(fault_of(server, response, read_body(server, response)))
        yield lines(server, response)
