"""The Ollama double keeps to Ollama's protocol, over real sockets."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

from tests.ollama_double import (
    QWEN2,
    QWEN2_NATIVE,
    DoubleModel,
    Fault,
    OllamaDouble,
)
from tests.ollama_double_prompts import pieces, spelled_pieces
from tests.toy_gguf import write_toy

FRAME = len(pieces("<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n"))
"""Tokens of the template around one message."""

HTTP = httpx.Client(verify=False, trust_env=False, timeout=20)
"""One client for all tests: to make one costs more than most tests."""

HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble(load_s=0.02) as double:
        yield double


def post(double: OllamaDouble, path: str, body: dict[str, Any]) -> httpx.Response:
    return HTTP.post(double.url + path, json=body, timeout=20)


def chat(double: OllamaDouble, content: str = "hello", **more: Any) -> dict[str, Any]:
    """The final object of an unstreamed chat."""
    messages = more.pop("messages", [{"role": "user", "content": content}])
    body = {"model": "qwen2:7b", "messages": messages, "stream": False, **more}
    answer = post(double, "/api/chat", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def official(double: OllamaDouble) -> ollama.Client:
    """The official client."""
    return ollama.Client(host=double.url, verify=False, trust_env=False)


def words(count: int) -> str:
    """A text of so many default tokens."""
    return " ".join(f"w{'abcdefg'[n % 7]}" for n in range(count))


# --- the wire ---------------------------------------------------------------------------------


def test_a_stream_is_chunked_ndjson_that_ends_with_one_done_line(double: OllamaDouble) -> None:
    """Every line is an object of the same shape; only the last is done and has the numbers."""
    body = {"model": "qwen2:7b", "messages": [{"role": "user", "content": "hello"}]}
    with HTTP.stream("POST", double.url + "/api/chat", json=body) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert set(lines[0]) == {"model", "created_at", "message", "done"}
    assert lines[0]["message"]["role"] == "assistant"
    final = lines[-1]
    assert final["message"]["content"] == ""
    assert final["done_reason"] == "stop"
    assert final["eval_count"] == len(lines) - 1
    for name in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
        assert type(final[name]) is int
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", final["created_at"])


def test_angle_brackets_are_escaped_on_the_wire_and_whole_for_a_client(
    double: OllamaDouble,
) -> None:
    """Go escapes < > and & inside JSON strings."""
    double.reply_with("a <b> & c")

    raw = post(
        double,
        "/api/chat",
        {"model": "qwen2:7b", "stream": False, "messages": [{"role": "user", "content": "x"}]},
    )

    assert b"\\u003cb\\u003e \\u0026 c" in raw.content
    assert raw.json()["message"]["content"] == "a <b> & c"


def test_the_root_and_the_version_answer_as_ollama_does(double: OllamaDouble) -> None:
    """`GET /` is plain text, the version JSON with a charset."""
    root = HTTP.get(double.url + "/")
    version = HTTP.get(double.url + "/api/version")

    assert root.text == "Ollama is running"
    assert root.headers["content-type"].startswith("text/plain")
    assert version.json() == {"version": "0.33.0"}
    assert version.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/api/tokenize", 404, "404 page not found"),
        ("GET", "/api/chat", 405, "405 method not allowed"),
    ],
)
def test_unknown_paths_and_methods_get_plain_text(
    double: OllamaDouble, method: str, path: str, status: int, text: str
) -> None:
    """There is no token counter, and a wrong method is not a JSON error."""
    answer = HTTP.request(method, double.url + path)

    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_foreign_host_header_is_forbidden(double: OllamaDouble) -> None:
    """Ollama on loopback answers 403 with an empty body to names it does not know."""
    foreign = HTTP.get(double.url + "/api/tags", headers={"Host": "models.example.com"})
    local = HTTP.get(double.url + "/api/tags", headers={"Host": "localhost:11434"})

    assert (foreign.status_code, foreign.content) == (403, b"")
    assert local.status_code == 200


def test_one_connection_carries_many_requests(double: OllamaDouble) -> None:
    """The server speaks HTTP/1.1 with keep-alive, streams included."""
    with httpx.Client(base_url=double.url, verify=False) as client:
        for _ in range(3):
            client.post(
                "/api/chat",
                json={"model": "qwen2:7b", "messages": [{"role": "user", "content": "x"}]},
            )
            assert client.get("/api/version").status_code == 200
        pool = client._transport._pool  # type: ignore[attr-defined]

        assert len(pool.connections) == 1


# --- what is installed ------------------------------------------------------------------------


def test_tags_are_newest_first_and_older_servers_list_less(double: OllamaDouble) -> None:
    """Only newer servers give capabilities and lengths in the list."""
    models = HTTP.get(double.url + "/api/tags").json()["models"]
    with OllamaDouble(version="0.5.0") as old:
        old_models = HTTP.get(old.url + "/api/tags").json()["models"]

    assert [model["name"] for model in models] == [
        "qwen2:7b", "qwen2:7b-128k", "qwen2-native:7b", "all-minilm:latest",
    ]  # fmt: skip
    assert models[0]["capabilities"] == ["completion"]
    assert models[1]["details"]["context_length"] == 131072
    assert re.fullmatch(r"[0-9a-f]{64}", models[0]["digest"])
    assert "capabilities" not in old_models[0]
    assert "context_length" not in old_models[0]["details"]


def test_show_tells_the_trained_window_and_the_yarn_keys(double: OllamaDouble) -> None:
    """The plain model is a 32K model; the extended one carries the four YaRN keys."""
    plain = post(double, "/api/show", {"model": "qwen2:7b"}).json()
    extended = post(double, "/api/show", {"model": "qwen2:7b-128k"}).json()["model_info"]

    info = plain["model_info"]
    assert list(info) == sorted(info)
    assert info["qwen2.context_length"] == 32768
    assert info["tokenizer.ggml.tokens"] is None
    assert "qwen2.rope.scaling.type" not in info
    assert plain["capabilities"] == ["completion"]
    assert "<|im_start|>" in plain["template"]
    assert extended["qwen2.context_length"] == 131072
    assert extended["qwen2.rope.scaling.type"] == "yarn"
    assert extended["qwen2.rope.scaling.factor"] == 4.0
    assert extended["qwen2.rope.scaling.original_context_length"] == 32768


def test_show_gives_the_vocabulary_only_when_verbose_and_known() -> None:
    """The arrays of the tokenizer are null unless asked for."""
    model = DoubleModel("tiny:1b", vocabulary=["a", "b"], merges=["a b"], token_types=[1, 1])
    with OllamaDouble(models=[model]) as double:
        brief = post(double, "/api/show", {"model": "tiny:1b"}).json()["model_info"]
        verbose = post(double, "/api/show", {"model": "tiny:1b", "verbose": True}).json()

    assert brief["tokenizer.ggml.tokens"] is None
    assert verbose["model_info"]["tokenizer.ggml.tokens"] == ["a", "b"]
    assert verbose["model_info"]["tokenizer.ggml.merges"] == ["a b"]


def test_a_native_model_shows_no_go_template(double: OllamaDouble) -> None:
    """It has only the chat template inside its GGUF file."""
    shown = post(double, "/api/show", {"model": "qwen2-native:7b"}).json()

    assert "template" not in shown
    assert "im_start" in shown["model_info"]["tokenizer.chat_template"]
    assert "tools" in shown["capabilities"]


def test_capabilities_may_be_absent() -> None:
    """Older servers and some models list none."""
    with OllamaDouble(models=[DoubleModel("bare:1b", capabilities=None)]) as double:
        assert "capabilities" not in post(double, "/api/show", {"model": "bare:1b"}).json()
    with OllamaDouble(version="0.5.0") as old:
        assert "capabilities" not in post(old, "/api/show", {"model": "qwen2:7b"}).json()


def test_pull_reports_progress_and_installs(double: OllamaDouble) -> None:
    """An unknown model fails in a later line under status 200."""
    double.library = [DoubleModel("qwen2:1.5b")]
    client = official(double)

    steps = [step.status for step in client.pull("qwen2:1.5b", stream=True)]
    with HTTP.stream("POST", double.url + "/api/pull", json={"model": "nothing"}) as unknown:
        last = list(unknown.iter_lines())[-1]

    assert steps[0] == "pulling manifest"
    assert re.fullmatch(r"pulling [0-9a-f]{12}", steps[1] or "")
    assert steps[-1] == "success"
    assert double.model("qwen2:1.5b") is not None
    assert unknown.status_code == 200
    assert json.loads(last) == {"error": "pull model manifest: file does not exist"}
    refused = post(double, "/api/pull", {"model": "nothing", "stream": False})
    assert refused.status_code == 500


def test_a_model_is_made_from_an_uploaded_file(double: OllamaDouble, tmp_path: Path) -> None:
    """As Ollama's own client does it; the window is the file's, a wrong digest is refused."""
    file = write_toy(tmp_path / "toy.gguf", window=8192)
    client = official(double)

    digest = client.create_blob(file)
    steps = client.create("mine:toy", files={"toy.gguf": digest}, template="{{ .Prompt }}")

    assert steps.status == "success"
    shown = client.show("mine:toy")
    assert (shown.modelinfo or {})["qwen2.context_length"] == 8192
    assert shown.template == "{{ .Prompt }}"
    assert HTTP.head(f"{double.url}/api/blobs/{digest}").status_code == 200
    wrong = f"{double.url}/api/blobs/sha256:{'0' * 64}"
    assert HTTP.head(wrong).status_code == 404
    refused = HTTP.post(wrong, content=b"other")
    assert refused.status_code == 400
    assert "digest mismatch" in refused.json()["error"]


# --- windows and reloads ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "asked", "window"),
    [
        ({}, None, 4096),
        ({"vram_gib": 24}, None, 32768),
        ({"vram_gib": 80}, None, 32768),
        ({"context_length": 8192}, None, 8192),
        ({"context_length": 8192}, 16384, 16384),
        ({}, 0, 4),
        ({}, -1, 4),
        ({}, 131072, 32768),
        ({"version": "0.5.0"}, None, 2048),
        ({"version": "0.12.5", "vram_gib": 80}, None, 4096),
    ],
)
def test_the_window_follows_the_order_of_precedence_and_is_clamped(
    settings: dict[str, Any], asked: int | None, window: int
) -> None:
    """Request, environment, then memory tier; never under 4 nor over the trained window."""
    with OllamaDouble(**settings) as double:
        options = {} if asked is None else {"num_ctx": asked}
        post(double, "/api/chat", {"model": "qwen2:7b", "messages": [], "options": options})
        runner = double.scheduler.loaded()[0]

    assert runner.window.num_ctx == window


def test_a_modelfile_parameter_stands_between_request_and_environment() -> None:
    """PARAMETER num_ctx wins over OLLAMA_CONTEXT_LENGTH and loses to the request."""
    model = DoubleModel("set:7b", options={"num_ctx": 6144})
    with OllamaDouble(models=[model], context_length=8192) as double:
        chat(double, model="set:7b")
        chat(double, model="set:7b", options={"num_ctx": 5120})

    assert [request.num_ctx for request in double.chats()] == [6144, 5120]


def test_ps_shows_the_effective_window_once_loaded(double: OllamaDouble) -> None:
    """Nothing is listed before the load; the clamp shows only here."""
    before = HTTP.get(double.url + "/api/ps").json()
    chat(double, options={"num_ctx": 131072})
    (loaded,) = HTTP.get(double.url + "/api/ps").json()["models"]

    assert before == {"models": []}
    assert loaded["name"] == "qwen2:7b"
    assert loaded["context_length"] == 32768
    # 1.75 GiB of f16 key-value cache for 32K of a 7B model, all of it in main memory here.
    assert loaded["size"] - QWEN2.size == int(1.75 * 2**30)
    assert loaded["size_vram"] == 0


@pytest.mark.parametrize(
    "change", [{"options": {"num_ctx": 16384}}, {"options": {"num_batch": 64}}, {"shift": False}]
)
def test_a_changed_runner_option_reloads_and_loses_the_cache(
    double: OllamaDouble, change: dict[str, Any]
) -> None:
    """An equal request is served from the cache; a changed one loads again and reads all."""
    double.load_s = 0.05
    base = {"options": {"num_ctx": 8192}}
    first = chat(double, words(300), **base)
    second = chat(double, words(300), **base)
    third = chat(double, words(300), **{**base, **change})

    assert first["load_duration"] >= 50_000_000
    assert second["load_duration"] < 50_000_000
    assert third["load_duration"] >= 50_000_000
    assert second["prompt_eval_duration"] < first["prompt_eval_duration"] / 100
    assert third["prompt_eval_duration"] == first["prompt_eval_duration"]
    assert [request.reloaded for request in double.chats()] == [True, False, True]
    assert not double.same_window()


def test_a_temperature_does_not_reload(double: OllamaDouble) -> None:
    """Sampling options are not the runner's."""
    chat(double, options={"num_ctx": 8192, "temperature": 0.0})
    chat(double, options={"num_ctx": 8192, "temperature": 0.9, "seed": 3})

    assert [request.reloaded for request in double.chats()] == [True, False]
    assert double.same_window()


def test_models_of_the_same_weights_evict_each_other(double: OllamaDouble) -> None:
    """The key of a runner is its weights; a derivative with another window replaces it."""
    official(double).copy("qwen2:7b", "mine")
    chat(double, options={"num_ctx": 8192})
    chat(double, model="mine", options={"num_ctx": 4096})

    (loaded,) = HTTP.get(double.url + "/api/ps").json()["models"]
    assert (loaded["name"], loaded["context_length"]) == ("mine:latest", 4096)


def test_keep_alive_unloads_when_its_time_is_up(double: OllamaDouble) -> None:
    """Five minutes by default, at once with 0, never with a negative duration."""
    chat(double)
    double.chats()[-1].wait()
    double.skip(299)
    still = len(double.scheduler.loaded())
    double.skip(2)
    gone = len(double.scheduler.loaded())
    chat(double, keep_alive=0)
    at_once = len(double.scheduler.loaded())
    chat(double, keep_alive="-1m")
    double.skip(10**7)

    assert (still, gone, at_once, len(double.scheduler.loaded())) == (1, 0, 0, 1)


def test_empty_messages_load_and_unload(double: OllamaDouble) -> None:
    """A preload says so in one JSON object, even where a stream was asked for."""
    loaded = post(double, "/api/chat", {"model": "qwen2:7b", "messages": []})
    unloaded = post(double, "/api/chat", {"model": "qwen2:7b", "messages": [], "keep_alive": 0})

    assert loaded.headers["content-type"].startswith("application/json")
    assert (loaded.json()["done"], loaded.json()["done_reason"]) == (True, "load")
    assert unloaded.json()["done_reason"] == "unload"
    assert double.scheduler.loaded() == []


def test_only_a_window_nobody_asked_for_shrinks_when_memory_is_short() -> None:
    """An explicit num_ctx that does not fit is a 500."""
    with OllamaDouble(vram_gib=80, memory_gib=7) as double:
        big = DoubleModel("big:7b", trained_window=262144)
        double.install(big)
        chat(double, model="big:7b")
        asked = post(
            double,
            "/api/chat",
            {
                "model": "big:7b",
                "messages": [{"role": "user", "content": "x"}],
                "options": {"num_ctx": 131072},
            },
        )

    assert double.chats()[0].num_ctx == 32768
    assert asked.status_code == 500
    assert "out-of-memory during startup" in asked.json()["error"]


# --- overflow ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "window", "kept"),
    [("qwen2:7b", 4096, 2050), ("qwen2:7b", 32768, 16386), ("qwen2:7b-128k", 131072, 65538)],
)
def test_by_default_about_half_of_an_overlong_prompt_is_read(
    double: OllamaDouble, model: str, window: int, kept: int
) -> None:
    """200 OK, no word about it, and little more than half of the window was evaluated."""
    answer = chat(double, words(window + 10), model=model, options={"num_ctx": window})

    assert answer["prompt_eval_count"] == kept
    request = double.chats()[0]
    assert request.evaluated_tokens[:4] == request.sent_tokens[:4]
    assert request.evaluated_tokens[4:] == request.sent_tokens[-(kept - 4) :]
    assert request.truncated
    assert not double.never_truncates()


def test_the_largest_prompt_that_is_not_halved_is_one_less_than_the_window(
    double: OllamaDouble,
) -> None:
    """num_ctx - 1 tokens are read whole; one more and half is gone."""
    fits = chat(double, words(4095 - FRAME), options={"num_ctx": 4096})
    over = chat(double, words(4096 - FRAME), options={"num_ctx": 4096})

    assert (fits["prompt_eval_count"], over["prompt_eval_count"]) == (4095, 2050)


@pytest.mark.parametrize(("num_keep", "kept"), [(1000, 2548), (-1, 4095)])
def test_num_keep_protects_the_head(double: OllamaDouble, num_keep: int, kept: int) -> None:
    """A large num_keep saves the rules; -1 keeps the head and loses the question."""
    chat(double, words(5000), options={"num_ctx": 4096, "num_keep": num_keep})

    request = double.chats()[0]
    head = kept if num_keep < 0 else num_keep
    assert len(request.evaluated_tokens) == kept
    assert request.evaluated_tokens[:head] == request.sent_tokens[:head]


def test_truncate_false_is_refused_with_json_inside_json(double: OllamaDouble) -> None:
    """The error is a string that holds llama-server's own error object."""
    sent = 256 + 95
    answer = post(
        double,
        "/api/chat",
        {
            "model": "qwen2:7b",
            "messages": [{"role": "user", "content": words(sent - FRAME)}],
            "truncate": False,
            "options": {"num_ctx": 256},
        },
    )

    assert answer.status_code == 400
    assert answer.text == (
        r'{"error":"{\"error\":{\"code\":400,\"message\":\"request (351 tokens) exceeds the '
        r"available context size (256 tokens), try increasing it\",\"type\":"
        r'\"exceed_context_size_error\",\"n_prompt_tokens\":351,\"n_ctx\":256}}"}'
    )


def test_the_refusal_counts_a_window_rounded_up_to_256(double: OllamaDouble) -> None:
    """llama-server pads the window; with 1000 asked for, 1023 tokens still pass."""
    body = {"model": "qwen2:7b", "truncate": False, "options": {"num_ctx": 1000}, "stream": False}
    passes, refused = (
        post(
            double,
            "/api/chat",
            {**body, "messages": [{"role": "user", "content": words(tokens - FRAME)}]},
        )
        for tokens in (1023, 1024)
    )

    assert passes.json()["prompt_eval_count"] == 1023
    assert json.loads(refused.json()["error"])["error"]["n_ctx"] == 1024


def test_shift_false_alone_refuses_in_plain_words(double: OllamaDouble) -> None:
    """truncate true with shift false is a 400 whose error is not JSON."""
    body = {
        "model": "qwen2:7b",
        "messages": [{"role": "user", "content": words(5000)}],
        "shift": False,
        "options": {"num_ctx": 4096},
    }
    answer = post(double, "/api/chat", body)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(
        "the prompt is longer than the context length currently available to the model; "
        "shorten the prompt,"
    )


def test_oldest_messages_are_dropped_whole_but_never_system_or_last(double: OllamaDouble) -> None:
    """What is left fits, begins with the rules and ends with the question."""
    messages = [{"role": "system", "content": "rules"}]
    messages += [{"role": role, "content": words(100)} for role in ("user", "assistant") * 3]
    messages.append({"role": "user", "content": "question"})
    seen: list[Any] = []
    double.reply_with(lambda given, options: seen.extend(given) or "yes")
    answer = chat(double, messages=messages, options={"num_ctx": 400})

    assert answer["prompt_eval_count"] <= 400
    assert double.chats()[0].dropped_messages == len(messages) - len(seen) > 0
    assert seen[0]["content"] == "rules"
    assert seen[-1]["content"] == "question"


def test_a_native_model_refuses_even_with_defaults(double: OllamaDouble) -> None:
    """Its single message is never trimmed, but old messages are dropped first."""
    body = {"model": QWEN2_NATIVE.name, "options": {"num_ctx": 512}, "stream": False}
    old = [{"role": "user", "content": words(600)}, {"role": "assistant", "content": "ok"}]
    dropped = post(
        double, "/api/chat", {**body, "messages": [*old, {"role": "user", "content": "short"}]}
    )
    refused = post(double, "/api/chat", {**body, "messages": old[:1]})

    assert dropped.status_code == 200
    assert double.chats()[0].dropped_messages >= 1
    assert refused.status_code == 400
    assert json.loads(refused.json()["error"])["error"]["type"] == "exceed_context_size_error"


@pytest.mark.parametrize("version", ["0.5.0", "0.12.5"])
def test_older_servers_ignore_truncate_and_shift_without_a_word(version: str) -> None:
    """The prompt is cut to the window although the request forbade it."""
    with OllamaDouble(version=version) as double:
        answer = chat(double, words(5000), options={"num_ctx": 4096}, truncate=False, shift=False)

    assert answer["prompt_eval_count"] == 4096
    assert double.chats()[0].truncated
    assert not double.never_truncates()


def test_generate_gives_the_tokens_of_the_uncut_prompt_as_context(double: OllamaDouble) -> None:
    """A `context` far longer than what was evaluated proves the cut."""
    body = {"model": "qwen2:7b", "prompt": words(5000), "options": {"num_ctx": 4096}}
    final = json.loads(post(double, "/api/generate", body).text.splitlines()[-1])
    raw = post(double, "/api/generate", {**body, "prompt": "x", "raw": True, "stream": False})

    assert final["prompt_eval_count"] == 2050
    assert len(final["context"]) > 5000
    assert all(type(token) is int for token in final["context"])
    assert "context" not in raw.json()


def test_the_rendered_prompt_can_be_asked_for(double: OllamaDouble) -> None:
    """_debug_render_only returns ChatML and generates nothing."""
    messages = [{"role": "system", "content": "rules"}, {"role": "user", "content": "question"}]
    answer = chat(double, messages=messages, _debug_render_only=True)

    assert answer["_debug_info"]["rendered_template"] == (
        "<|im_start|>system\nrules<|im_end|>\n<|im_start|>user\nquestion<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert double.chats()[0].generated == 0


# --- answers ----------------------------------------------------------------------------------


def test_num_predict_ends_an_answer_with_length(double: OllamaDouble) -> None:
    """The reserve is a number of tokens, and the answer stops there."""
    double.reply_with(words(50))

    answer = chat(double, options={"num_predict": 7})

    assert (answer["eval_count"], answer["done_reason"]) == (7, "length")


def test_num_predict_zero_is_no_limit_for_a_rendered_model(double: OllamaDouble) -> None:
    """Zero is left out on the way to llama-server, whose default is unlimited."""
    double.reply_with(words(50))

    assert chat(double, options={"num_predict": 0})["eval_count"] >= 50


def test_shift_false_stops_at_the_window(double: OllamaDouble) -> None:
    """The answer ends with `length` where prompt and answer fill the window."""
    double.reply_with([" w", " x"] * 500)

    answer = chat(double, words(100), truncate=False, shift=False, options={"num_ctx": 256})

    assert answer["done_reason"] == "length"
    assert answer["prompt_eval_count"] + answer["eval_count"] == 256
    assert double.never_truncates()


def test_shift_forgets_half_in_mid_answer_and_with_it_the_cache(double: OllamaDouble) -> None:
    """The answer goes on in silence; the next turn can reuse only num_keep tokens."""
    double.reply_with([" w", " x"] * 500)
    answer = chat(double, words(100), options={"num_ctx": 256, "num_keep": 5})
    chat(double, words(100), options={"num_ctx": 256, "num_keep": 5})

    first, second = double.chats()
    assert answer["done_reason"] == "stop"
    assert answer["eval_count"] == 1000
    assert first.shifts > 1
    assert second.cached == 5


def test_a_stop_sequence_ends_the_answer_before_itself(double: OllamaDouble) -> None:
    """The sequence is not sent, even where it spans tokens."""
    double.reply_with(["one ", "two\n", "Que", "stion: three"])

    answer = chat(double, options={"stop": ["\nQuestion:"]})

    assert answer["message"]["content"] == "one two"


def test_endless_repetition_ends_a_stream_without_done(double: OllamaDouble) -> None:
    """The server gives up after thirty equal tokens and does not say so."""
    double.reply_with([" the"] * 100)

    answer = chat(double)

    assert answer["done"] is False
    assert "done_reason" not in answer


def test_the_default_reply_quotes_the_first_passage_word_for_word(double: OllamaDouble) -> None:
    """A page that shows it has something real to show."""
    passage = "Travel costs are paid within thirty days of the claim. Keep the receipts."
    prompt = f"[1] handbook.md, page 3\n{passage}\n\n[2] other.md\nNothing.\n\nQuestion: when?"

    text = chat(double, prompt)["message"]["content"]

    quote = re.search(r'"([^"]+)" \[1\]', text)
    assert quote is not None
    assert quote[1] in passage
    assert len(quote[1].split()) >= 8


def test_the_default_reply_finds_passages_between_markers_too(double: OllamaDouble) -> None:
    """An element whose number is 1 marks the first passage as well."""
    prompt = (
        '<passage n="1" source="handbook.md">\nKeep every receipt for seven years.\n</passage>\n'
        '<passage n="2" source="other.md">\nNothing here.\n</passage>\n\nQuestion: how long?'
    )

    text = chat(double, prompt)["message"]["content"]

    assert text == 'The first passage says: "Keep every receipt for seven years." [1]'


def test_a_reply_hook_sees_messages_and_options(double: OllamaDouble) -> None:
    """It may return a text or its tokens."""
    double.reply_with(lambda messages, options: [messages[-1]["content"], str(options["seed"])])

    assert chat(double, "abc", options={"seed": 7})["message"]["content"] == "abc7"


def test_a_failing_reply_hook_fails_the_test_that_set_it() -> None:
    """The client sees a 500, the with block raises what the hook raised."""

    def broken(messages: object, options: object) -> str:
        raise KeyError("broken hook")

    with pytest.raises(KeyError, match="broken hook"), OllamaDouble(reply=broken) as double:
        body = {"model": "qwen2:7b", "messages": [{"role": "user", "content": "x"}]}
        assert post(double, "/api/chat", body).status_code == 500


def test_pieces_spell_the_text_again() -> None:
    """Cutting a reply into tokens loses nothing."""
    text = "  One two,\n\nthree_four 5678 naïve 漢字 <|im_end|> end  "

    assert "".join(spelled_pieces(text)) == text


# --- counts and caches ------------------------------------------------------------------------


def test_a_growing_conversation_pays_only_for_what_is_new(double: OllamaDouble) -> None:
    """The prefix is reused, the answer's own tokens included; the common prefix grows."""
    options = {"num_ctx": 32768}
    history = [{"role": "user", "content": words(400)}]
    for _ in range(3):
        answer = chat(double, messages=history, options=options, truncate=False, shift=False)
        history += [answer["message"], {"role": "user", "content": words(30)}]

    first, second, third = double.chats()
    assert first.cached == 0
    assert second.cached >= len(first.sent_tokens)
    assert third.cached >= len(second.sent_tokens)
    lengths = double.common_prefix_lengths()
    assert lengths == sorted(lengths)
    assert len(lengths) == 2
    assert double.same_window()
    assert double.never_truncates()


def test_an_early_change_costs_the_whole_prefix(double: OllamaDouble) -> None:
    """Reuse ends at the first token that differs."""
    chat(double, "alpha " + words(500))
    chat(double, "beta " + words(500))

    assert double.chats()[1].cached < 10
    assert double.common_prefix_lengths()[0] < 10


def test_an_evicted_conversation_comes_back_from_host_memory(double: OllamaDouble) -> None:
    """Two chats in turn on one slot: the first finds its prefix again."""
    chat(double, "alpha " + words(500))
    chat(double, "beta " + words(500))
    chat(double, "alpha " + words(500))

    assert double.chats()[2].cached > 500


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"version": "0.33.0"}, {"prompt_eval_count": 311}),
        ({"version": "0.30.0"}, {"prompt_eval_count": 1}),
        ({"version": "newer"}, {"prompt_eval_count": 311, "prompt_eval_cached_count": 310}),
        ({"prompt_count": "missing"}, {}),
    ],
)
def test_versions_count_cached_prompt_tokens_differently(
    settings: dict[str, Any], expected: dict[str, int]
) -> None:
    """Total, uncached only, total with the cached ones, or not at all."""
    with OllamaDouble(**settings) as double:
        chat(double, words(311 - FRAME))
        final = chat(double, words(311 - FRAME))

    counts = {key: value for key, value in final.items() if key.startswith("prompt_eval_c")}
    assert counts == expected


def test_a_tokenizer_can_be_put_in_place_of_the_default(double: OllamaDouble) -> None:
    """Whatever turns text into tokens, ids included."""
    double.tokenize = lambda text: list(text.encode())

    count = chat(double, "abc")["prompt_eval_count"]

    assert count == len(b"<|im_start|>user\nabc<|im_end|>\n<|im_start|>assistant\n")


def test_the_first_byte_waits_for_load_and_prefill() -> None:
    """No header is sent before the first token."""
    with OllamaDouble(load_s=0.1, prefill_tokens_per_s=1000) as double:
        body = {"model": "qwen2:7b", "messages": [{"role": "user", "content": words(100)}]}
        begun = time.monotonic()
        with HTTP.stream("POST", double.url + "/api/chat", json=body) as answer:
            headers_after = time.monotonic() - begun
            final = json.loads(list(answer.iter_lines())[-1])

    assert headers_after >= 0.2
    assert final["prompt_eval_duration"] == final["prompt_eval_count"] * 1_000_000


def test_a_loaded_model_serves_one_request_at_a_time_and_the_others_wait() -> None:
    """However small the queue is: its limit is for loads only."""
    at_work: list[int] = []
    overlaps: list[int] = []

    def slowly(messages: object, options: object) -> Iterator[str]:
        at_work.append(1)
        overlaps.append(len(at_work))
        yield from ("a", "b", "c")
        at_work.pop()

    with OllamaDouble(tokens_per_s=100, max_queue=0, reply=slowly) as double:
        chat(double)
        threads = [threading.Thread(target=chat, args=(double, f"number {n}")) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert overlaps == [1] * 5
    assert [request.status for request in double.chats()] == [200] * 5


def test_too_many_waiting_for_a_load_are_refused() -> None:
    """503 with two spaces in its sentence; only loads have a queue with an end."""
    with OllamaDouble(load_s=0.4, max_queue=0) as double:
        first = threading.Thread(target=chat, args=(double,))
        first.start()
        while not double.scheduler.awaiting_load:
            time.sleep(0.005)
        body = {"model": "qwen2:7b", "messages": [{"role": "user", "content": "x"}]}
        refused = post(double, "/api/chat", body)
        first.join()

    assert refused.status_code == 503
    assert refused.json()["error"] == (
        "server busy, please try again.  maximum pending requests exceeded"
    )


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/chat", {"model": "no:1b", "messages": HI}, 404, "model 'no:1b' not found"),
        ("/api/generate", {"model": "", "prompt": "x"}, 404, "model '' not found"),
        ("/api/chat", {"messages": HI}, 400, "model is required"),
        ("/api/show", {"model": "no"}, 404, "model 'no:latest' not found"),
        (
            "/api/embed",
            {"model": "no", "input": "x"},
            404,
            'model "no" not found, try pulling it first',
        ),
        (
            "/api/chat",
            {"model": "qwen2:7b", "messages": HI, "tools": [{"type": "function"}]},
            400,
            "registry.ollama.ai/library/qwen2:7b does not support tools",
        ),
        (
            "/api/chat",
            {"model": "all-minilm", "messages": HI},
            400,
            '"all-minilm" does not support chat',
        ),
        (
            "/api/chat",
            {"model": "qwen2:7b", "messages": HI, "think": True},
            400,
            '"qwen2:7b" does not support thinking',
        ),
        (
            "/api/chat",
            {"model": "qwen2:7b", "messages": HI, "options": {"num_ctx": "8192"}},
            500,
            'option "num_ctx" must be of type integer',
        ),
        (
            "/api/chat",
            {"model": "qwen2:7b", "messages": HI, "keep_alive": "300"},
            400,
            'time: missing unit in duration "300"',
        ),
        (
            "/api/chat",
            {"model": "qwen2:7b", "messages": HI, "keep_alive": "-1"},
            400,
            'time: missing unit in duration "-1"',
        ),
        (
            "/api/embed",
            {"model": "qwen2:7b", "input": "x"},
            501,
            "This server does not support embeddings. Start it with `--embeddings`",
        ),
    ],
)
def test_each_refusal_has_its_status_and_its_words(
    double: OllamaDouble, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    """As the server words them, so that a client can be tested against the words."""
    answer = post(double, path, body)

    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_null_and_unknown_options_are_accepted(double: OllamaDouble) -> None:
    """LlamaIndex sends temperature null; unknown names are only logged by the server."""
    options = {"temperature": None, "num_ctx": 8192, "no_such_option": [1]}

    assert chat(double, options=options)["done"] is True
    assert double.chats()[0].num_ctx == 8192


@pytest.mark.parametrize(
    ("content", "words_of_it"),
    [(b"", "missing request body"), (b"{nope", "invalid character 'n'"), (b'{"model":', "EOF")],
)
def test_a_body_that_is_not_json_is_a_400(
    double: OllamaDouble, content: bytes, words_of_it: str
) -> None:
    """With the parser's own words."""
    answer = HTTP.post(double.url + "/api/chat", content=content)

    assert answer.status_code == 400
    assert words_of_it in answer.json()["error"]


def test_embeddings_have_unit_length_and_equal_texts_equal_vectors(double: OllamaDouble) -> None:
    """Deterministic, of the model's dimension."""
    client = official(double)

    first, second, other = client.embed("all-minilm", ["one text", "one text", "else"]).embeddings

    assert len(first) == 384
    assert sum(value * value for value in first) == pytest.approx(1.0)
    assert first == second != other


# --- faults -----------------------------------------------------------------------------------


def streamed(double: OllamaDouble, timeout: float = 5.0) -> tuple[int, list[str]]:
    """Status and lines of a streamed chat."""
    body = {"model": "qwen2:7b", "messages": HI}
    with HTTP.stream("POST", double.url + "/api/chat", json=body, timeout=timeout) as answer:
        return answer.status_code, list(answer.iter_lines())


def test_refused_connections_come_back_when_the_fault_is_cleared(double: OllamaDouble) -> None:
    """Nobody listens, even for a client with an open connection; the port stays the same."""
    with httpx.Client(base_url=double.url, verify=False) as client:
        client.get("/api/version")
        double.fault = Fault.REFUSE
        with pytest.raises(httpx.ConnectError):
            client.get("/api/version")
        double.fault = None

        assert client.get("/api/version").status_code == 200


def test_a_stall_before_the_first_byte_sends_nothing(double: OllamaDouble) -> None:
    """Not even a status; the client's read timeout is all that ends it."""
    double.fault = Fault.STALL_FIRST_BYTE

    with pytest.raises(httpx.ReadTimeout):
        streamed(double, timeout=0.2)

    request = double.chats()[0]
    assert request.wait()
    assert request.disconnected
    assert request.status == 499


def test_a_stall_in_mid_stream_sends_some_lines_and_then_nothing(double: OllamaDouble) -> None:
    """The lines before it arrive; the connection stays open."""
    double.inject(Fault.STALL_MID_STREAM, after_tokens=3)
    body = {"model": "qwen2:7b", "messages": HI}
    lines: list[str] = []

    with (
        pytest.raises(httpx.ReadTimeout),
        HTTP.stream("POST", double.url + "/api/chat", json=body, timeout=0.2) as answer,
    ):
        for line in answer.iter_lines():
            lines.append(line)  # noqa: PERF402  (the iterator raises in the middle)

    assert len(lines) == 3


def test_a_stall_can_end_by_itself_and_the_answer_goes_on(double: OllamaDouble) -> None:
    """Silence for a while is not a failure."""
    double.inject(Fault.STALL_MID_STREAM, seconds=0.1)

    _, lines = streamed(double)

    assert json.loads(lines[-1])["done"] is True


@pytest.mark.parametrize("fault", [Fault.CUT_MID_CHUNK, Fault.CUT_BETWEEN_CHUNKS])
def test_a_cut_stream_ends_without_its_last_chunk(double: OllamaDouble, fault: Fault) -> None:
    """httpx knows it as a broken promise of the protocol."""
    double.fault = fault

    with pytest.raises(httpx.RemoteProtocolError):
        streamed(double)


def test_a_cut_chunk_ends_inside_its_line(double: OllamaDouble) -> None:
    """Seen from the socket: the size promises more than comes."""
    double.inject(Fault.CUT_MID_CHUNK, after_tokens=1)
    body = json.dumps({"model": "qwen2:7b", "messages": HI}).encode()
    head = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)

    with socket.create_connection((double.host, double.port), timeout=5) as raw:
        raw.sendall(head + body)
        data = b""
        while part := raw.recv(65536):
            data += part

    last = data.rsplit(b"\r\n", 1)[1]
    size = int(data.rsplit(b"\r\n", 2)[1], 16)
    assert 0 < len(last) < size
    assert not data.endswith(b"0\r\n\r\n")


def test_an_error_line_comes_under_status_200_and_ends_the_stream(double: OllamaDouble) -> None:
    """Its text may be plain, JSON text, or an object."""
    kinds = {}
    for fault in (
        Fault.ERROR_LINE, Fault.ERROR_LINE_JSON, Fault.ERROR_LINE_OBJECT, Fault.RUNNER_DIED,
    ):  # fmt: skip
        double.fault = fault
        status, lines = streamed(double)
        assert status == 200
        assert json.loads(lines[0])["done"] is False
        kinds[fault] = json.loads(lines[-1])["error"]

    assert isinstance(kinds[Fault.ERROR_LINE], str)
    assert json.loads(kinds[Fault.ERROR_LINE_JSON])["error"]["code"] == 500
    assert isinstance(kinds[Fault.ERROR_LINE_OBJECT], dict)
    assert kinds[Fault.RUNNER_DIED].startswith("an error was encountered while running the model: ")
    assert double.scheduler.loaded() == []


def test_a_stream_can_end_properly_without_done(double: OllamaDouble) -> None:
    """And an unstreamed answer can be 200 with done false."""
    double.fault = Fault.END_WITHOUT_DONE

    _, lines = streamed(double)
    whole = chat(double)

    assert lines
    assert not any(json.loads(line)["done"] for line in lines)
    assert whole["done"] is False


@pytest.mark.parametrize(
    ("fault", "status", "words_of_it"),
    [
        (Fault.LOAD_FAILED, 500, "llama-server process has terminated: "),
        (Fault.OUT_OF_MEMORY, 500, "reported out-of-memory during startup: "),
        (Fault.LOAD_TIMEOUT, 500, "timed out waiting for llama-server to start"),
        (Fault.RUNNER_STOPPED, 500, "model runner has unexpectedly stopped"),
        (Fault.MODEL_MISSING, 404, "model 'qwen2:7b' not found"),
        (Fault.BUSY, 503, "server busy, please try again.  maximum pending requests exceeded"),
        (Fault.CANCELED, 499, "request canceled"),
        (Fault.UNAUTHORIZED, 401, "unauthorized"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_faults_before_the_first_token_have_a_real_status(
    double: OllamaDouble, fault: Fault, status: int, words_of_it: str, stream: bool
) -> None:
    """Streamed or not: the headers were not sent yet."""
    double.fault = fault

    answer = post(double, "/api/chat", {"model": "qwen2:7b", "messages": HI, "stream": stream})

    assert answer.status_code == status
    assert words_of_it in answer.json()["error"]


def test_a_proxy_page_comes_on_every_path(double: OllamaDouble) -> None:
    """HTML with 502, or with 200 from something that is not Ollama; 403 is empty."""
    double.fault = Fault.HTML_502
    bad = HTTP.get(double.url + "/api/tags")
    double.fault = Fault.HTML_200
    other = HTTP.get(double.url + "/api/version")
    double.fault = Fault.FORBIDDEN
    forbidden = HTTP.get(double.url + "/api/version")

    assert (bad.status_code, bad.headers["content-type"]) == (502, "text/html")
    assert (other.status_code, other.text[:15]) == (200, "<!doctype html>")
    assert (forbidden.status_code, forbidden.content) == (403, b"")


def test_a_reset_and_a_garbled_line_are_faults_too(double: OllamaDouble) -> None:
    """The one breaks the connection, the other the protocol inside it."""
    double.fault = Fault.RESET
    with pytest.raises(httpx.ReadError):
        streamed(double)
    double.fault = Fault.GARBLED_LINE
    _, lines = streamed(double)

    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[-1])


def test_a_fault_can_be_counted(double: OllamaDouble) -> None:
    """Twice busy, then well again; and other paths are not hit."""
    injection = double.inject(Fault.BUSY, count=2)
    statuses = []
    for _ in range(3):
        assert HTTP.get(double.url + "/api/tags").status_code == 200
        statuses.append(
            post(double, "/api/chat", {"model": "qwen2:7b", "messages": HI}).status_code
        )

    assert statuses == [503, 503, 200]
    assert injection.struck == 2
    assert [request.fault for request in double.chats()] == [Fault.BUSY, Fault.BUSY, None]


def test_a_fault_can_be_kept_to_a_path(double: OllamaDouble) -> None:
    """So that a client's first look at /api/show fails and nothing else."""
    double.inject(Fault.RESET, paths=["/api/show"])

    with pytest.raises(httpx.TransportError):
        post(double, "/api/show", {"model": "qwen2:7b"})
    assert chat(double)["done"] is True


def test_a_fault_in_mid_stream_strikes_a_short_answer_as_well(double: OllamaDouble) -> None:
    """It comes before the last line where there are fewer tokens than it waits for."""
    double.reply_with(["one"])
    double.inject(Fault.ERROR_LINE, after_tokens=50)

    _, lines = streamed(double)

    assert [set(json.loads(line)) & {"error", "message"} for line in lines] == [
        {"message"},
        {"error"},
    ]


def test_a_crash_loses_the_cache(double: OllamaDouble) -> None:
    """After it the model is loaded again and reads everything."""
    chat(double, words(100))
    double.inject(Fault.RUNNER_STOPPED, count=1)
    post(double, "/api/chat", {"model": "qwen2:7b", "messages": HI})
    chat(double, words(100))

    last = double.chats()[-1]
    assert (last.reloaded, last.cached) == (True, 0)


def test_killed_and_back_on_the_same_port_with_nothing_loaded() -> None:
    """A stream breaks, connections are refused, then it serves again at the same address."""
    with OllamaDouble(tokens_per_s=20, reply=words(100)) as double:
        url = double.url
        body = {"model": "qwen2:7b", "messages": HI}
        with (
            pytest.raises(httpx.RemoteProtocolError),
            HTTP.stream("POST", url + "/api/chat", json=body) as answer,
        ):
            lines = answer.iter_lines()
            next(lines)
            double.stop()
            for _ in lines:
                pass
        with pytest.raises(httpx.ConnectError):
            HTTP.get(url + "/api/version")
        double.start()

        assert double.url == url
        assert HTTP.get(url + "/api/ps").json() == {"models": []}


# --- clients that leave -----------------------------------------------------------------------


def test_a_client_that_leaves_in_mid_answer_stops_the_generation() -> None:
    """The server notices, stops, and keeps what it has for the next turn."""
    with OllamaDouble(tokens_per_s=50, reply=words(1000)) as double:
        body = {"model": "qwen2:7b", "messages": HI}
        with HTTP.stream("POST", double.url + "/api/chat", json=body) as answer:
            lines = answer.iter_lines()
            for _ in range(3):
                next(lines)
        request = double.chats()[0]

        assert request.wait(2)
        assert request.disconnected
        assert 3 <= request.generated < 20
        assert request.status == 200
        double.reply_with("fine")
        chat(double, "hi")
        assert double.chats()[1].cached > 0


def test_a_client_that_leaves_during_prefill_stops_it() -> None:
    """A long prompt is not read to its end for nobody."""
    with OllamaDouble(prefill_tokens_per_s=100) as double:
        with pytest.raises(httpx.ReadTimeout):
            HTTP.post(
                double.url + "/api/chat",
                json={"model": "qwen2:7b", "messages": [{"role": "user", "content": words(900)}]},
                timeout=0.2,
            )
        request = double.chats()[0]

        assert request.wait(2)
        assert (request.disconnected, request.status, request.generated) == (True, 499, 0)


def test_a_client_that_leaves_during_a_load_aborts_the_load() -> None:
    """The model is not there afterwards."""
    with OllamaDouble(load_s=5) as double:
        with pytest.raises(httpx.ReadTimeout):
            HTTP.post(
                double.url + "/api/chat", json={"model": "qwen2:7b", "messages": []}, timeout=0.2
            )
        request = double.chats()[0]

        assert request.wait(2)
        assert (request.disconnected, request.status) == (True, 499)
        assert double.scheduler.loaded() == []


def test_a_client_that_leaves_the_queue_frees_its_place() -> None:
    """The one behind it is served."""
    with OllamaDouble(tokens_per_s=20, reply="short") as double:
        chat(double)
        double.reply_with(words(16))
        first = threading.Thread(target=chat, args=(double,))
        first.start()
        assert double.wait_for_requests(2, "/api/chat")
        time.sleep(0.05)
        double.reply_with("short")
        with pytest.raises(httpx.ReadTimeout):
            HTTP.post(
                double.url + "/api/chat",
                json={"model": "qwen2:7b", "messages": HI},
                timeout=0.1,
            )
        left = double.chats()[2]
        assert left.wait(2)
        first.join()
        chat(double)

    assert (left.disconnected, left.status, left.generated) == (True, 499, 0)
    assert [r.status for r in double.chats()] == [200, 200, 499, 200]


# --- what it remembers ------------------------------------------------------------------------


def test_requests_are_recorded_as_they_came(double: OllamaDouble) -> None:
    """Path, headers and parsed body, also of a request that is refused."""
    HTTP.post(double.url + "/api/chat", json={"model": "no"}, headers={"X-Trace": "7"})

    (request,) = double.requests
    assert (request.method, request.path, request.status) == ("POST", "/api/chat", 404)
    assert request.headers["x-trace"] == "7"
    assert request.body == {"model": "no"}


def test_one_request_that_may_truncate_is_enough_to_tell(double: OllamaDouble) -> None:
    """never_truncates looks at every prompt, not at preloads, and wants at least one."""
    assert not double.never_truncates()
    chat(double, truncate=False)
    post(double, "/api/chat", {"model": "qwen2:7b", "messages": []})
    assert double.never_truncates()
    chat(double)

    assert not double.never_truncates()


def test_same_window_wants_every_request_to_agree(double: OllamaDouble) -> None:
    """A preload with another num_ctx, or without shift, gives it away."""
    assert not double.same_window()
    chat(double, options={"num_ctx": 8192}, shift=False)
    assert double.same_window()
    post(double, "/api/chat", {"model": "qwen2:7b", "messages": [], "options": {"num_ctx": 8192}})

    assert not double.same_window()
    assert double.window_settings() == {("qwen2:7b", 8192, False), ("qwen2:7b", 8192, None)}


# --- the official client ----------------------------------------------------------------------


def test_the_official_client_streams_from_it(double: OllamaDouble) -> None:
    """Chat, generate, list, show, ps: every shape passes its models."""
    client = official(double)

    parts = list(client.chat("qwen2:7b", HI, stream=True))
    whole = client.generate("qwen2:7b", "hi")

    assert "".join(part.message.content or "" for part in parts).startswith("I was given")
    assert parts[-1].done_reason == "stop"
    assert whole.response.startswith("I was given")
    assert client.list().models[0].model == "qwen2:7b"
    assert client.show("qwen2:7b").modelinfo["qwen2.context_length"] == 32768
    assert client.ps().models[0].model == "qwen2:7b"


def test_the_official_client_raises_its_own_errors(double: OllamaDouble) -> None:
    """A real status before the first token, -1 for an error line, a dict where it is JSON."""
    client = official(double)
    with pytest.raises(ollama.ResponseError) as missing:
        client.chat("no:1b", HI)
    double.fault = Fault.ERROR_LINE
    with pytest.raises(ollama.ResponseError) as line:
        list(client.chat("qwen2:7b", HI, stream=True))
    double.fault = Fault.END_WITHOUT_DONE
    quiet = list(client.chat("qwen2:7b", HI, stream=True))
    double.fault = Fault.REFUSE
    with pytest.raises(httpx.ConnectError):
        list(client.chat("qwen2:7b", HI, stream=True))

    assert missing.value.status_code == 404
    assert line.value.status_code == -1
    assert not any(part.done for part in quiet)


# --- by hand ----------------------------------------------------------------------------------


def test_it_serves_people_from_the_command_line() -> None:
    """It says where, takes its fault by name, and ends when told to."""
    command = [
        sys.executable, "-m", "tests.ollama_double", "--port", "0", "--version", "0.33.0",
        "--fault", "cut-mid-chunk", "--tokens-per-second", "200",
    ]  # fmt: skip
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+", first)
            assert url is not None, first
            with pytest.raises(httpx.RemoteProtocolError):
                HTTP.post(url[0] + "/api/chat", json={"model": "qwen2:7b", "messages": HI})
            told = process.stdout.readline()
        finally:
            process.terminate()
        code = process.wait(10)

    assert code == 0
    assert told.startswith("POST /api/chat 200 qwen2:7b num_ctx=4096")
    assert "fault cut-mid-chunk" in told
