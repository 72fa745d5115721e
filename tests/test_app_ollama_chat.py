"""Answers from Ollama: over real sockets, with each of its faults, and nothing cut in silence."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
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
    PromptMiscounted,
    PromptTooLong,
    PromptTruncated,
    Usage,
)
from app.chat_http import parse_fault
from app.ollama_chat import (
    OllamaChat,
    installed_models,
    ollama_url,
    served_window,
    server_version,
    trained_window,
)
from app.settings import AppSettings
from storage.errors import SettingsError
from tests.canned_server import BytesServer, CannedServer, free_port
from tests.ollama_double import QWEN2, DoubleModel, Fault, OllamaDouble
from tests.vocabularies import SMALL

MESSAGES = [
    Message("system", "Answer from the passages."),
    Message("user", "[1] The hay is in the loft.\n\nWhere is the hay?"),
]

# The double with a true, small vocabulary, so that counts can be exact.
EXACT = DoubleModel(
    "qwen2:small",
    weights="small",
    vocabulary=list(SMALL.tokens),
    merges=list(SMALL.merges),
    token_types=list(SMALL.types),
)


def settings(url: str, **values: object) -> AppSettings:
    return AppSettings(_env_file=None, ollama_url=url, **values)  # type: ignore[arg-type]


def small_ids(text: str) -> list[int]:
    from app.tokens import ExactCounter
    from storage.vocabulary import build_tokenizer

    global _SMALL
    _SMALL = _SMALL or ExactCounter(build_tokenizer(SMALL))
    return _SMALL.ids(text)


_SMALL = None


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble() as server:
        yield server


def answer(model: ChatModel, messages: list[Message], reserve: int = 200) -> tuple[str, Usage]:
    *pieces, usage = model.stream(messages, reserve=reserve)
    assert all(isinstance(piece, str) for piece in pieces)
    assert isinstance(usage, Usage)
    return "".join(map(str, pieces)), usage


def test_answer_streams_and_ends_with_its_usage(double: OllamaDouble) -> None:
    """Pieces of text arrive in order, then one Usage with counts and seconds."""
    double.reply_with(["The hay", " is in", " the loft [1]."])
    model = OllamaChat("qwen2:7b", settings(double.url))

    text, usage = answer(model, MESSAGES)

    assert isinstance(model, ChatModel)
    assert text == "The hay is in the loft [1]."
    assert usage.stop_reason == "stop"
    assert usage.prompt_tokens == len(double.chats()[0].sent_tokens)
    assert usage.answer_tokens == 3
    assert usage.load_s is not None and 0 < usage.load_s < 10


def test_request_forbids_cutting_and_names_its_window(double: OllamaDouble) -> None:
    """Each request carries truncate and shift false, num_ctx, the reserve and a keep_alive."""
    answer(OllamaChat("qwen2:7b", settings(double.url)), MESSAGES, reserve=77)

    body = double.chats()[0].body
    assert body["truncate"] is False and body["shift"] is False and body["stream"] is True
    assert body["options"]["num_ctx"] == 32768
    assert body["options"]["num_predict"] == 77
    assert body["options"]["temperature"] == 0
    assert body["keep_alive"] == "30m"
    assert body["messages"] == [{"role": m.role, "content": m.content} for m in MESSAGES]


def test_growing_conversation_never_reloads_the_model(double: OllamaDouble) -> None:
    """Longer and longer requests keep num_ctx and shift, and each begins with the one before."""
    model = OllamaChat("qwen2:7b", settings(double.url, window=8192))
    messages = list(MESSAGES)
    for n in range(4):
        text, _ = answer(model, messages)
        messages += [Message("assistant", text), Message("user", f"And in barn {n}? " * 20)]

    assert double.window_settings() == {("qwen2:7b", 8192, False)}
    assert double.same_window() and double.never_truncates()
    assert [request.reloaded for request in double.chats()] == [True, False, False, False]
    sizes = [len(request.sent_tokens) for request in double.chats()]
    assert all(
        shared >= size - 6
        for shared, size in zip(double.common_prefix_lengths(), sizes, strict=False)
    )


@pytest.mark.parametrize(
    ("asked", "trained", "used"), [(8192, 32768, 8192), (131072, 32768, 32768)]
)
def test_window_is_never_above_the_trained_one(asked: int, trained: int, used: int) -> None:
    """Ollama clamps in silence; we ask for what it will serve."""
    model = DoubleModel("qwen2:7b", trained_window=trained)
    with OllamaDouble(models=[model]) as double:
        chat = OllamaChat("qwen2:7b", settings(double.url, window=asked))
        answer(chat, MESSAGES)

        assert chat.window() == used
        assert double.chats()[0].num_ctx == used
        assert served_window(double.url, "qwen2:7b") == used
        assert trained_window(double.url, "qwen2:7b") == trained


def test_neighbours_of_one_role_are_sent_as_one_message(double: OllamaDouble) -> None:
    """Ollama would merge them for some models only; merged here, all read and count the same."""
    model = OllamaChat("qwen2:7b", settings(double.url))

    answer(model, [Message("user", "Documents."), Message("user", "Question?")])

    assert double.chats()[0].body["messages"] == [
        {"role": "user", "content": "Documents.\n\nQuestion?"}
    ]


def test_closing_the_stream_frees_the_server() -> None:
    """A stopped answer closes the connection, and the model stops writing."""
    with OllamaDouble(reply=["word "] * 5000, tokens_per_s=200) as double:
        stream = OllamaChat("qwen2:7b", settings(double.url)).stream(MESSAGES, reserve=6000)
        first = next(stream)
        stream.close()  # type: ignore[attr-defined]
        request = double.chats()[0]

        assert first == "word "
        assert request.wait(5)
        assert request.disconnected
        assert request.generated < 1000


def test_answer_cut_at_its_reserve_says_so(double: OllamaDouble) -> None:
    """`length` reaches the reader of the usage."""
    double.reply_with(["word "] * 50)

    text, usage = answer(OllamaChat("qwen2:7b", settings(double.url)), MESSAGES, reserve=20)

    assert text.count("word") == 20
    assert usage.stop_reason == "length"


FAULTS = [
    (Fault.REFUSE, ModelUnreachable, "does not answer. Start it with `ollama serve`."),
    (Fault.RESET, ModelUnreachable, "broke off the connection"),
    (Fault.STALL_FIRST_BYTE, ModelUnreachable, "was silent for 0.6 s"),
    (Fault.LOAD_FAILED, ModelCrashed, "llama-server process has terminated"),
    (Fault.OUT_OF_MEMORY, ModelCrashed, "does not fit in the memory"),
    (Fault.LOAD_TIMEOUT, ModelCrashed, "took too long to load"),
    (Fault.MODEL_MISSING, ModelMissing, "Fetch it with `ollama pull qwen2:7b`."),
    (Fault.BUSY, ModelBusy, "too many requests waiting"),
    (Fault.CANCELED, ModelBusy, "gave up waiting"),
    (Fault.HTML_502, BadReply, "status 502 with a web page"),
    (Fault.HTML_200, BadReply, "a web page"),
    (Fault.UNAUTHORIZED, ModelUnreachable, "Choose a local model"),
    (Fault.FORBIDDEN, ModelUnreachable, "IP address"),
    (Fault.STALL_MID_STREAM, ModelUnreachable, "was silent for 0.6 s"),
    (Fault.CUT_MID_CHUNK, ModelUnreachable, "broke off the connection"),
    (Fault.CUT_BETWEEN_CHUNKS, ModelUnreachable, "broke off the connection"),
    (Fault.ERROR_LINE, ModelCrashed, "CUDA error"),
    (Fault.ERROR_LINE_JSON, ModelCrashed, "Compute error. See"),
    (Fault.ERROR_LINE_OBJECT, ModelCrashed, "Compute error. See"),
    (Fault.END_WITHOUT_DONE, BadReply, "before it was done"),
    (Fault.GARBLED_LINE, BadReply, "no JSON object"),
    (Fault.RUNNER_STOPPED, ModelCrashed, "unexpectedly stopped"),
    (Fault.RUNNER_DIED, ModelCrashed, "unexpected EOF"),
]


def test_every_fault_of_the_double_has_its_row() -> None:
    """A fault that is added to the double needs an error here."""
    assert {fault for fault, _, _ in FAULTS} == set(Fault)


@pytest.mark.parametrize(("fault", "error", "words"), FAULTS, ids=lambda value: str(value))
def test_fault_becomes_one_sentence_and_passes(
    double: OllamaDouble, fault: Fault, error: type[ChatModelError], words: str
) -> None:
    """Each way Ollama can fail has its error; once it is over, the same object answers again."""
    model = OllamaChat("qwen2:7b", settings(double.url, answer_timeout_s=0.6))
    answer(model, MESSAGES)

    double.fault = fault
    with pytest.raises(error) as caught:
        list(model.stream(MESSAGES, reserve=200))
    double.fault = None

    message = str(caught.value)
    assert words in message
    assert "\n" not in message and len(message) < 500 and ".." not in message
    assert answer(model, MESSAGES)[1].stop_reason == "stop"


@pytest.mark.parametrize("fault", [Fault.CUT_MID_CHUNK, Fault.ERROR_LINE, Fault.END_WITHOUT_DONE])
def test_pieces_before_a_break_are_kept(double: OllamaDouble, fault: Fault) -> None:
    """What arrived before the stream broke was handed on."""
    double.reply_with(["one ", "two ", "three "])
    double.inject(fault, after_tokens=2)
    pieces = []

    with pytest.raises(ChatModelError):
        pieces.extend(OllamaChat("qwen2:7b", settings(double.url)).stream(MESSAGES, reserve=200))

    assert pieces == ["one ", "two "]


def test_overlong_prompt_is_refused_before_it_is_sent(double: OllamaDouble) -> None:
    """Prompt and reserve must be below the window; the server is not even asked."""
    model = OllamaChat("qwen2:7b", settings(double.url, window=2048))

    with pytest.raises(PromptTooLong, match="does not fit the window of qwen2:7b: 2,048"):
        list(model.stream([Message("user", "hay " * 3000)], reserve=100))

    assert double.chats() == []


def exact_double(**values: object) -> OllamaDouble:
    return OllamaDouble(models=[EXACT], tokenize=small_ids, **values)  # type: ignore[arg-type]


def test_served_vocabulary_makes_counts_exact(tmp_path: Path) -> None:
    """The count is the server's own, and the vocabulary is fetched once and kept."""
    with exact_double() as double:
        first = OllamaChat("qwen2:small", settings(double.url), tokenizers=tmp_path)
        count = first.count(MESSAGES)
        _, usage = answer(first, MESSAGES)
        again = OllamaChat("qwen2:small", settings(double.url), tokenizers=tmp_path)

        assert count.exact and count.tokens == usage.prompt_tokens
        assert first.count_text("hay hay").tokens == 3
        assert again.count(MESSAGES) == count
        assert [path.name for path in tmp_path.iterdir()] == [f"{EXACT.digest}.json"]
        verbose = [r for r in double.requests if r.path == "/api/show" and r.body.get("verbose")]
        assert len(verbose) == 1


def test_modelfile_system_prompt_is_counted() -> None:
    """A system prompt that the server adds by itself is part of the count."""
    import dataclasses

    own = dataclasses.replace(EXACT, system="Always say hay.")
    with OllamaDouble(models=[own], tokenize=small_ids) as double:
        model = OllamaChat("qwen2:small", settings(double.url))
        question = [Message("user", "Where is the hay?")]

        assert model.count(question).tokens == answer(model, question)[1].prompt_tokens


def test_exactly_full_window_is_allowed_and_one_more_is_not() -> None:
    """The border lies at prompt + reserve = window - 1."""
    with exact_double() as double:
        model = OllamaChat("qwen2:small", settings(double.url, window=1024))
        used = model.count(MESSAGES).tokens

        assert answer(model, MESSAGES, reserve=1023 - used)[0]
        with pytest.raises(PromptTooLong):
            list(model.stream(MESSAGES, reserve=1024 - used))


def test_server_that_reads_less_is_caught() -> None:
    """An exact count far above what the server evaluated makes the answer untrustworthy."""
    with exact_double() as double:
        model = OllamaChat("qwen2:small", settings(double.url))
        model.count(MESSAGES)
        double.tokenize = lambda text: small_ids(text)[::2]

        with pytest.raises(PromptTruncated, match="cannot be trusted"):
            list(model.stream(MESSAGES, reserve=100))


@pytest.mark.parametrize("version", ["0.1.48", "0.12.5", "0.30.0", "0.33.0", "newer"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_every_version_is_caught_reading_half(version: str, warm: bool) -> None:
    """Whatever it counts; where it leaves out what is cached, as long as nothing can be."""
    with exact_double(version=version) as double:
        model = OllamaChat("qwen2:small", settings(double.url))
        if warm:
            answer(model, MESSAGES)
        double.tokenize = lambda text: small_ids(text)[::2]

        if warm and version in ("0.1.48", "0.30.0"):
            assert answer(model, MESSAGES)[1].prompt_tokens is None  # and is not called proved
        else:
            with pytest.raises(PromptTruncated, match="cannot be trusted"):
                list(model.stream(MESSAGES, reserve=100))


@pytest.mark.parametrize("version", ["0.1.48", "0.12.5", "0.30.0", "0.33.0", "newer"])
def test_every_version_is_caught_reading_more(version: str) -> None:
    """A template that adds text makes the count worthless, also where only some is counted."""
    with exact_double(version=version) as double:
        model = OllamaChat("qwen2:small", settings(double.url))
        model.count(MESSAGES)
        double.tokenize = lambda text: [*small_ids(text), *range(60)]

        with pytest.raises(PromptMiscounted, match="template adds text"):
            list(model.stream(MESSAGES, reserve=100))


def test_estimated_count_only_cries_wolf_at_a_real_cut(double: OllamaDouble) -> None:
    """Without a vocabulary a fair count passes, and half a prompt gone missing does not."""
    model = OllamaChat("qwen2:7b", settings(double.url))
    long = [Message("user", "The hay lies in the loft above the barn by the river. " * 200)]
    assert answer(model, long)[1].prompt_tokens

    whole = double.tokenize
    double.tokenize = lambda text: whole(text)[::12]
    with pytest.raises(PromptTruncated):
        list(model.stream(long, reserve=100))


@pytest.mark.parametrize(
    ("values", "tokens", "cached"),
    [
        ({"version": "0.33.0"}, "all", "none"),
        ({"version": "newer"}, "all", "some"),
        ({"version": "0.30.0"}, "none", "none"),
        ({"version": "0.1.48"}, "none", "none"),
        ({"version": "0.33.0", "prompt_count": "missing"}, "none", "none"),
    ],
)
def test_each_way_of_counting_prompt_tokens_is_understood(
    values: dict[str, str], tokens: str, cached: str
) -> None:
    """A second, cached question is no truncation, whatever the version counts."""
    with exact_double(**values) as double:
        model = OllamaChat("qwen2:small", settings(double.url))
        answer(model, MESSAGES)
        _, usage = answer(model, MESSAGES)

        expected = len(double.chats()[1].sent_tokens)
        assert usage.prompt_tokens == (expected if tokens == "all" else None)
        assert bool(usage.cached_tokens) == (cached == "some")


@pytest.mark.parametrize("model", [EXACT, QWEN2], ids=["exact", "estimated"])
def test_old_server_is_given_a_margin(model: DoubleModel) -> None:
    """0.12.5 ignores truncate:false and would halve, so a nearly full window is refused here."""
    with OllamaDouble(models=[model], tokenize=small_ids, version="0.12.5") as double:
        chat = OllamaChat(model.name, settings(double.url, window=2048))
        used = chat.count(MESSAGES).tokens

        with pytest.raises(PromptTooLong):
            list(chat.stream(MESSAGES, reserve=2048 - used - 20))
        assert double.chats() == []
        assert answer(chat, MESSAGES, reserve=1024)[0]
        assert double.never_truncates()


def canned(
    chat: bytes | str, status: int = 200, kind: str = "application/x-ndjson"
) -> CannedServer:
    show = {"model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768}}
    return CannedServer(
        {
            "/api/version": (200, "application/json", {"version": "0.33.0"}),
            "/api/show": (200, "application/json", dict(show)),
            "/api/tags": (200, "application/json", {"models": None}),
            "/api/chat": (status, kind, chat),
        }
    )


NESTED = {
    "error": json.dumps(
        {
            "error": {
                "code": 400,
                "message": "request (351 tokens) exceeds the available context size (256 tokens), "
                "try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 351,
                "n_ctx": 256,
            }
        }
    )
}


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, json.dumps(NESTED), PromptTooLong, r"\(351 tokens, window 256\)"),
        (
            400,
            '{"error":"the prompt is longer than the context length currently available to the '
            'model; shorten the prompt"}',
            PromptTooLong,
            "Nothing was cut",
        ),
        (400, '{"error":"\\"x\\" does not support chat"}', ModelMissing, "embedding model"),
        (400, '{"error":"invalid character"}', BadReply, "status 400: invalid character"),
        (400, "[1, 2]", BadReply, "no JSON object"),
        (400, "", BadReply, "status 400 with nothing"),
        (404, "404 page not found", BadReply, "not as Ollama does"),
        (500, '{"error":"option \\"num_ctx\\" must be of type integer"}', ModelCrashed, "num_ctx"),
        (301, "", BadReply, "redirects to https://elsewhere.example/"),
        (200, "", BadReply, "before it was done"),
        (200, "null\n", BadReply, "no JSON object"),
        (200, '{"done":true}\n', BadReply, "without a message"),
        (200, '{"message":{"content":7}}\n', BadReply, "without a message"),
        (200, '{"message":{"content":"a"},"done":false}\n', BadReply, "before it was done"),
        (200, "[" * 100_000 + "\n", BadReply, "no JSON object"),
        (200, json.dumps(NESTED) + "\n", PromptTooLong, "351"),
        (200, '{"error":{}}\n', ModelCrashed, "no explanation"),
    ],
)
def test_odd_reply_becomes_one_sentence(
    status: int, body: str, error: type[ChatModelError], words: str
) -> None:
    """Replies that no protocol foresees raise the error that fits, never anything else."""
    with canned(body, status) as server:
        model = OllamaChat("qwen2:7b", settings(server.url))

        with pytest.raises(error, match=words):
            list(model.stream(MESSAGES, reserve=100))


def test_line_separators_inside_the_text_do_not_break_the_stream() -> None:
    """U+0085 and U+2028 stand unescaped in JSON and are no line ends of the stream."""
    lines = [
        json.dumps({"message": {"content": "a\x85b\u2028c"}, "done": False}, ensure_ascii=False),
        "",
        json.dumps({"message": {"content": ""}, "done": True, "prompt_eval_count": 40}),
    ]
    with canned("\n".join(lines)) as server:
        text, usage = answer(OllamaChat("qwen2:7b", settings(server.url)), MESSAGES)

    assert text == "a\x85b\u2028c"
    assert usage == Usage(prompt_tokens=40)


def test_half_characters_are_sent_as_question_marks(double: OllamaDouble) -> None:
    """A lone surrogate from a broken document does not stop the question."""
    answer(OllamaChat("qwen2:7b", settings(double.url)), [Message("user", "hay \ud800?")])

    assert double.chats()[0].body["messages"][0]["content"] == "hay ??"


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\xff" * 50])
def test_something_else_on_the_port_is_named(data: bytes) -> None:
    """A server that does not speak HTTP is a wrong address."""
    with BytesServer(data) as server:
        model = OllamaChat("qwen2:7b", settings(server.url))

        with pytest.raises(ChatModelError, match=r"HAYLOFT_OLLAMA_URL|broke off"):
            model.window()


def test_nobody_there_is_known_at_once() -> None:
    """A refused connection on loopback costs no waiting."""
    model = OllamaChat("qwen2:7b", settings(f"http://127.0.0.1:{free_port()}"))
    start = time.perf_counter()

    with pytest.raises(ModelUnreachable, match="Start it with `ollama serve`"):
        model.window()

    assert time.perf_counter() - start < 2


def test_proxy_of_the_environment_does_not_see_loopback(
    double: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY is for the internet; questions to this machine stay on it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert server_version(double.url) == (0, 33, 0)


def test_installed_models_are_listed_with_what_is_known(double: OllamaDouble) -> None:
    """Names, digests, sizes, families and capabilities come from /api/tags."""
    models = {model.name: model for model in installed_models(double.url)}

    assert models["qwen2:7b"].parameters == 7.6
    assert models["qwen2:7b"].family == "qwen2"
    assert models["qwen2:7b"].digest == QWEN2.digest
    assert models["all-minilm:latest"].parameters == pytest.approx(0.023)
    assert served_window(double.url, "qwen2:7b") is None


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:8080", "http://box:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("http://box", "http://box:80"),
        ("https://box", "https://box:443"),
        ("HTTP://box:1234/", "http://box:1234"),
        ("https://box/ollama/", "https://box:443/ollama"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("::", "http://[::1]:11434"),
        ("[::]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("box:99999", "http://box:11434"),
        (' "box" ', "http://box:11434"),
    ],
)
def test_short_forms_of_the_address_follow_ollama(given: str, url: str) -> None:
    """A bare host means port 11434, a URL the port of its scheme, "everywhere" means loopback."""
    assert ollama_url(given) == url


@pytest.mark.parametrize("given", ["ftp://box", "a b", "user@box", "http://box?x=1"])
def test_wrong_address_is_a_settings_error(given: str) -> None:
    """What is no address is said to be none, with an example of one."""
    with pytest.raises(SettingsError, match=r"http://127\.0\.0\.1:11434"):
        ollama_url(given)


def test_fault_is_unpacked_from_all_its_wrappings() -> None:
    """JSON text in JSON text gives up its message, kind and sizes."""
    fault = parse_fault(400, json.dumps(NESTED))

    assert fault.text.startswith("request (351 tokens) exceeds")
    assert fault.kind == "exceed_context_size_error"
    assert (fault.prompt_tokens, fault.window) == (351, 256)
    assert fault.too_long
    assert not parse_fault(502, "<html>").is_json
