"""What the HTTP API sends back: JSON, errors, and answers piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.responses import Response

from app.answers import ReadingProgress, SourcesFound, TextDelta
from app.api_answers import Complete, Item, RunningAnswer
from app.api_errors import ApiError, api_error, body_of
from app.api_wire import WAITING, Completion, broken_off

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HEARTBEAT_S = 10.0
"""How long a stream is silent at most: proxies hang up after some 30 s or more."""


class Json(Response):
    """A response in JSON."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """See starlette."""
        return body_of(content)


def error_response(error: Exception) -> Json:
    """The response that tells a fault."""
    told = api_error(error)
    return Json(told.to_json(), told.status, headers=told.headers)


class EventStream(Response):
    """An answer as server-sent events, from the pieces that have arrived to its end.

    Sends from the moment it is called; a fault after that is the last event.
    """

    def __init__(
        self,
        answer: RunningAnswer,
        told_as: Completion,
        arrived: Sequence[Item],
        settle: Callable[[], None],
    ) -> None:
        """`settle` is called at the end, however that comes."""
        super().__init__(
            media_type="text/event-stream",
            # A proxy that collects pieces would make one answer of them again.
            headers={"X-Accel-Buffering": "no"},
        )
        del self.headers["content-length"]
        self._answer = answer
        self._told_as = told_as
        self._arrived = arrived
        self._settle = settle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            await send(start)
            try:
                await self._send_all(send)
            except ApiError as error:
                await send(_body(broken_off(error)))
            await send(_body(b"", more=False))
        finally:
            self._settle()

    async def _send_all(self, send: Send) -> None:
        items = list(self._arrived)
        while True:
            # One write for all that is there: a fast model is ahead of a slow reader.
            await send(_body(b"".join(map(self._told, items))))
            if items and isinstance(items[-1], Complete):
                return
            try:
                items = await self._answer.items(HEARTBEAT_S)
            except TimeoutError:
                await send(_body(WAITING))
                items = []
                continue
            if not items:
                return  # nobody is left to read it

    def _told(self, item: Item) -> bytes:
        match item:
            case SourcesFound():
                return self._told_as.sources(item)
            case ReadingProgress():
                return self._told_as.progress(item)
            case TextDelta():
                return self._told_as.piece(item.text)
            case Complete():
                return self._told_as.end(item.answer, item.tokens)
        raise TypeError(f"an answer has no {type(item).__name__} among its items")


def _body(body: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def leave_when_gone(receive: Receive, answer: RunningAnswer) -> None:
    """Stop an answer when whoever asked hangs up; runs until then."""
    while (await receive())["type"] != "http.disconnect":
        pass
    answer.leave()


async def whole(answer: RunningAnswer) -> Complete | None:
    """The complete answer; None where whoever asked has gone. Raises ApiError where it failed."""
    while items := await answer.items():
        if isinstance(items[-1], Complete):
            return items[-1]
    return None


async def beginning(answer: RunningAnswer, quick_s: float) -> list[Item]:
    """The first items of an answer; none where whoever asked has gone.

    Waits a moment for a second one: a chat model that refuses at once is then
    an error with its status, and not one in the middle of a stream.
    """
    items = await answer.items()
    if len(items) == 1 and isinstance(items[0], SourcesFound):
        try:
            async with asyncio.timeout(quick_s):
                return [*items, *await answer.items()]
        except TimeoutError:
            pass
    return items
