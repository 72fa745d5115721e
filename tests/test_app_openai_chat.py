"""Answers from OpenAI-compatible servers, over real sockets, with their faults."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from app.chat import (
    BadReply,
    ChatModel,
    ChatModelError,
    Message,
    ModelBusy,
    ModelCrashed,
    ModelMissing,
    ModelUnreachable,
    PromptTooLong,
    PromptTruncated,
    Usage,
)
from app.openai_chat import OpenAIChat, openai_server, served_models
from app.settings import AppSettings
from storage.errors import SettingsError
from tests.canned_server import Canned, CannedServer, free_port
from tests.vocabularies import write_gguf

MESSAGES = [Message("system", "Be brief."), Message("user", "Where is the hay?")]
JSON = "application/json"


def event(**values: object) -> str:
    return f"data: {json.dumps(values)}\n\n"


def piece(text: str, finish: str | None = None) -> str:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}])


USAGE = event(
    choices=[],
    usage={
        "prompt_tokens": 31,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 16},
    },
)
DONE = "data: [DONE]\n\n"
GOOD = (
    event(choices=[{"delta": {"role": "assistant", "content": None}}])
    + ": still here\n\n"
    + piece("In the ")
    + piece("loft.")
    + piece("", "stop")
    + USAGE
    + DONE
)


def server(chat: str | Canned = GOOD, **more: Canned) -> CannedServer:
    reply = (200, "text/event-stream", chat) if isinstance(chat, str) else chat
    listed = {"data": [{"id": "qwen2-7b", "max_model_len": 4096}, {"id": "other"}]}
    return CannedServer(
        {"/v1/chat/completions": reply, "/v1/models": (200, JSON, dict(listed)), **more}
    )


def settings(url: str, **values: object) -> AppSettings:
    values = {"openai_url": f"{url}/v1", **values}
    return AppSettings(_env_file=None, **values)  # type: ignore[arg-type]


def answer(model: OpenAIChat, messages: list[Message] = MESSAGES) -> tuple[str, Usage]:
    *pieces, usage = model.stream(messages, reserve=100)
    assert isinstance(usage, Usage)
    return "".join(map(str, pieces)), usage


def test_answer_streams_and_ends_with_its_usage() -> None:
    """Server-sent events become pieces of text and one Usage, cached tokens included."""
    with server() as served:
        model = OpenAIChat("qwen2-7b", settings(served.url))
        text, usage = answer(model)

        assert isinstance(model, ChatModel)
        assert text == "In the loft."
        assert usage == Usage(prompt_tokens=31, cached_tokens=16, answer_tokens=4)


def test_request_streams_with_usage_and_the_key() -> None:
    """The body asks for a stream with usage and the reserve; the key goes into its header."""
    with server() as served:
        answer(OpenAIChat("qwen2-7b", settings(served.url, openai_api_key="sesame")))
        _, headers, body = served.asked[-1]

    assert headers["authorization"] == "Bearer sesame"
    assert isinstance(body, dict)
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}
    assert body["max_tokens"] == 100 and body["temperature"] == 0
    assert body["messages"][1] == {"role": "user", "content": "Where is the hay?"}


def test_window_is_what_the_server_says() -> None:
    """vLLM tells it in /v1/models, llama.cpp in /props, others not at all."""
    props: Canned = (200, JSON, {"default_generation_settings": {"n_ctx": 8192}})
    page: Canned = (200, "text/html", "<html>")
    with server(**{"/props": props}) as served:
        assert OpenAIChat("qwen2-7b", settings(served.url)).window() == 4096
        assert OpenAIChat("other", settings(served.url)).window() == 8192
    with server() as served:
        assert OpenAIChat("other", settings(served.url, window=2000)).window() == 2000
    with server(**{"/props": page}) as served:
        assert OpenAIChat("other", settings(served.url, window=2000)).window() == 2000


def test_answer_cut_at_its_reserve_says_so() -> None:
    """`finish_reason: length` is told, even where the server reports no usage."""
    with server(piece("In", "length") + DONE) as served:
        text, usage = answer(OpenAIChat("qwen2-7b", settings(served.url)))

    assert (text, usage) == ("In", Usage(stop_reason="length"))


def test_overlong_prompt_is_refused_before_it_is_sent() -> None:
    """Prompt and reserve must be below the window; the server is not even asked."""
    with server() as served:
        model = OpenAIChat("qwen2-7b", settings(served.url))
        with pytest.raises(PromptTooLong, match="window of qwen2-7b: 4,096"):
            answer(model, [Message("user", "hay " * 5000)])

        assert [path for path, _, _ in served.asked] == ["/v1/models"]


def test_counts_are_exact_only_for_qwen2_with_a_tokenizer_file(tmp_path: Path) -> None:
    """A file of Qwen2 counts a model named after Qwen2 exactly, and no other."""
    file = str(write_gguf(tmp_path / "small.gguf"))
    with server() as served:
        assert OpenAIChat("qwen2-7b", settings(served.url, tokenizer=file)).count(MESSAGES).exact
        assert not OpenAIChat("other", settings(served.url, tokenizer=file)).count(MESSAGES).exact
        assert not OpenAIChat("qwen2-7b", settings(served.url)).count_text("hay").exact


def test_server_that_reads_less_is_caught(tmp_path: Path) -> None:
    """Fewer prompt tokens than were sent make the answer untrustworthy, exact count or not."""
    file = str(write_gguf(tmp_path / "small.gguf"))
    long = [Message("user", "The hay lies in the loft above the barn. " * 80)]
    with server() as served:
        with pytest.raises(PromptTruncated, match="read 31 of the"):
            answer(OpenAIChat("qwen2-7b", settings(served.url, tokenizer=file)))
        with pytest.raises(PromptTruncated):
            answer(OpenAIChat("qwen2-7b", settings(served.url)), long)


def fault(status: int, body: object, kind: str = JSON) -> Canned:
    return (status, kind, body if isinstance(body, str) else json.dumps(body))


def error(message: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, **more}}


HTML = "<html><h1>502 Bad Gateway</h1></html>"


@pytest.mark.parametrize(
    ("reply", "raised", "words"),
    [
        (
            fault(400, error("too big", code="context_length_exceeded")),
            PromptTooLong,
            "Nothing was cut",
        ),
        (
            fault(
                400,
                {
                    "object": "error",
                    "message": "This model's maximum context length is 4096 tokens.",
                },
            ),
            PromptTooLong,
            "Nothing was cut",
        ),
        (
            fault(
                400,
                error(
                    "the request exceeds the available context size",
                    type="exceed_context_size_error",
                    n_prompt_tokens=5000,
                    n_ctx=4096,
                ),
            ),
            PromptTooLong,
            r"\(5,000 tokens, window 4,096\)",
        ),
        (fault(400, error("bad temperature")), BadReply, "bad temperature"),
        (fault(401, error("no key")), ModelUnreachable, "HAYLOFT_OPENAI_API_KEY"),
        (fault(403, ""), ModelUnreachable, "HAYLOFT_OPENAI_API_KEY"),
        (fault(404, error("The model `qwen2-7b` does not exist.")), ModelMissing, "openai:NAME"),
        (fault(404, {"detail": "Not Found"}), BadReply, "usually ends in /v1"),
        (fault(404, HTML, "text/html"), BadReply, "usually ends in /v1"),
        (fault(429, error("Rate limit reached.")), ModelBusy, "Rate limit reached. Ask later."),
        (fault(500, error("CUDA out of memory")), ModelCrashed, "CUDA out of memory"),
        (fault(502, HTML, "text/html"), BadReply, "a web page"),
        (fault(503, error("Loading model", code=503)), ModelBusy, "still loading"),
        (fault(503, error("overloaded")), ModelBusy, "overloaded"),
        (fault(307, ""), BadReply, "redirects"),
        (fault(200, HTML, "text/html"), BadReply, "server-sent events"),
        (fault(200, ""), BadReply, "before it was done"),
        (fault(200, piece("half")), BadReply, "before it was done"),
        (fault(200, piece("half") + "data: {no json\n\n"), BadReply, "no JSON object"),
        (fault(200, piece("half") + event(error={"message": "died"})), ModelCrashed, "died"),
        (fault(200, 'error: {"code":500,"message":"died"}\n\n'), ModelCrashed, "died"),
        (fault(200, error("died")), ModelCrashed, "died"),
        (fault(200, event(object="nothing")), BadReply, "without choices"),
    ],
)
def test_fault_becomes_one_sentence(
    reply: Canned, raised: type[ChatModelError], words: str
) -> None:
    """Each way such a server can fail has its error, in one line that says what to do."""
    with server(reply) as served, pytest.raises(raised, match=words) as caught:
        answer(OpenAIChat("qwen2-7b", settings(served.url)))

    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_nobody_there_is_known_at_once() -> None:
    """A refused connection says which setting holds the address."""
    model = OpenAIChat("qwen2-7b", settings(f"http://127.0.0.1:{free_port()}"))
    start = time.perf_counter()

    with pytest.raises(ModelUnreachable, match="HAYLOFT_OPENAI_URL"):
        model.window()

    assert time.perf_counter() - start < 2


def test_closing_the_stream_closes_the_connection() -> None:
    """A stopped answer lets the server know by the closed socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    gone = threading.Event()

    def serve() -> None:
        for data in (b'{"data":[{"id":"m","max_model_len":4096}]}', None):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                head = b"HTTP/1.1 200 OK\r\n"
                if data is not None:
                    size = str(len(data)).encode()
                    connection.sendall(head + b"content-length: " + size + b"\r\n\r\n" + data)
                    continue
                connection.sendall(head + b"content-type: text/event-stream\r\n\r\n")
                try:
                    while True:
                        connection.sendall(piece("word ").encode())
                        time.sleep(0.01)
                except OSError:
                    gone.set()

    threading.Thread(target=serve, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stream = OpenAIChat("m", settings(url)).stream(MESSAGES, reserve=10)
    first = next(stream)
    stream.close()  # type: ignore[attr-defined]

    assert first == "word "
    assert gone.wait(5)
    listener.close()


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://box/v1", "http://"])
def test_wrong_address_is_a_settings_error(url: str) -> None:
    """What is no address is said to be none, with an example of one."""
    with pytest.raises(SettingsError, match="HAYLOFT_OPENAI_URL is not an address"):
        openai_server(settings("", openai_url=url))


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_key_that_http_forbids_is_a_settings_error(key: str) -> None:
    """A key with letters that no header may hold is not a traceback."""
    with server() as served:
        chosen = openai_server(settings(served.url, openai_api_key=key))

        with pytest.raises(SettingsError, match="characters that HTTP forbids"):
            served_models(chosen)
