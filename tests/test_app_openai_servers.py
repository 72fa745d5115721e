"""vLLM and llama.cpp through one client: windows, exact counts, cached tokens, and every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import openai_chat
from app.chat import (
    BadReply,
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
from app.model_choice import best_served, choose_model
from app.openai_chat import OpenAIChat
from app.openai_server import ServedModel
from app.settings import AppSettings
from app.tokens import EstimatingCounter, save_tokenizer
from storage.errors import SettingsError
from tests import openai_double
from tests.canned_server import CannedServer
from tests.openai_double import LLAMA_CPP, VLLM, OpenAIDouble, toy_counter
from tests.vocabularies import write_gguf

BOTH = pytest.mark.parametrize("dialect", [LLAMA_CPP, VLLM])
MESSAGES = [Message("system", "Be brief."), Message("user", "Where is the hay of the farmer?")]
LONG = [Message("system", "Be brief."), Message("user", "The hay is in the loft. " * 900)]


def settings(double: OpenAIDouble, **values: object) -> AppSettings:
    return AppSettings(_env_file=None, openai_url=double.url, **values)  # type: ignore[arg-type]


def chat(double: OpenAIDouble, **values: object) -> OpenAIChat:
    return OpenAIChat(double.models[0], settings(double, **values))


def answer(
    model: OpenAIChat, messages: list[Message] = MESSAGES, reserve: int = 50
) -> tuple[str, Usage]:
    *pieces, usage = model.stream(messages, reserve=reserve)
    assert isinstance(usage, Usage)
    return "".join(map(str, pieces)), usage


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if more than a few seconds lay between two questions."""
    monkeypatch.setattr(openai_chat, "FRESH_S", 0.0)


@BOTH
def test_the_server_counts_exactly(dialect: str) -> None:
    """Without any vocabulary at hand, text and chat are counted as the server counts them."""
    with OpenAIDouble(dialect, models=("some-model",)) as double:
        model = chat(double)

        counted, text = model.count(MESSAGES), model.count_text("<|im_start|>the hay")
        _, usage = answer(model)

    assert counted.exact and text.exact
    assert counted.tokens == toy_counter().count_chat(MESSAGES).tokens == usage.prompt_tokens
    assert text.tokens == toy_counter().count_text("<|im_start|>the hay").tokens


@BOTH
def test_a_text_is_counted_by_the_server_once(dialect: str) -> None:
    """What was counted is remembered, so that packing does not ask again and again."""
    with OpenAIDouble(dialect) as double:
        model = chat(double)
        first = [model.count_text("the hay"), model.count(MESSAGES)]
        asked = len(double.asked)

        again = [model.count_text("the hay"), model.count(MESSAGES)]

        assert again == first
        assert len(double.asked) == asked


@BOTH
def test_a_vocabulary_that_proves_to_be_the_models_counts_without_the_server(
    dialect: str, tmp_path: Path
) -> None:
    """Compared id by id on a hard text, and by two chats; then no text is sent to be counted."""
    save_tokenizer(toy_counter().tokenizer, tmp_path / "kept.json")
    with OpenAIDouble(dialect, models=("some-model",)) as double:
        model = OpenAIChat("some-model", settings(double), tokenizers=tmp_path)
        model.window()
        asked = len(double.asked)

        counted = model.count(LONG)

        assert len(double.asked) == asked
        assert counted == toy_counter().count_chat(LONG)
        assert model.token_counter().exact


@BOTH
def test_another_vocabulary_is_found_out(dialect: str, tmp_path: Path) -> None:
    """A file of Qwen2 that is not this model's is passed over, whatever the model is called."""
    file = write_gguf(tmp_path / "small.gguf")
    with OpenAIDouble(dialect, models=("qwen2-toy",)) as double:
        model = chat(double, tokenizer=str(file))

        counted = model.count(MESSAGES)

        assert counted == toy_counter().count_chat(MESSAGES)
        assert not model.token_counter().exact


@BOTH
def test_a_server_that_does_not_count_leaves_an_estimate(dialect: str) -> None:
    """It is marked as one, and the routes are not tried again for every text."""
    with OpenAIDouble(dialect, tokenizes=False) as double:
        model = chat(double)
        counted, text = model.count(MESSAGES), model.count_text("hay")
        asked = len(double.asked)

        again, _ = model.count(LONG), model.count_text("more hay")

        assert not counted.exact and not text.exact and not again.exact
        assert counted == EstimatingCounter().count_chat(MESSAGES)
        assert len(double.asked) == asked


@BOTH
def test_window_is_the_served_one_or_a_smaller_one_that_was_set(dialect: str) -> None:
    """The server's word counts; HAYLOFT_WINDOW may only make it smaller."""
    with OpenAIDouble(dialect, window=8192) as double:
        assert chat(double).window() == 8192
        assert chat(double, window=2048).window() == 2048
        assert chat(double, window=131072).window() == 8192


@BOTH
def test_cached_tokens_are_told(dialect: str) -> None:
    """A prompt that goes on where the last one ended is reused, in blocks where vLLM does so."""
    with OpenAIDouble(dialect) as double:
        model = chat(double)
        _, first = answer(model)
        grown = [*MESSAGES, Message("assistant", "In the loft."), Message("user", "Since when?")]

        _, second = answer(model, grown)

    assert first.cached_tokens == 0
    assert first.prompt_tokens is not None and second.cached_tokens is not None
    # The last prompt ended where the answer begins: all of it is reused.
    assert first.prompt_tokens - 16 < second.cached_tokens <= first.prompt_tokens
    assert second.cached_tokens == first.prompt_tokens or dialect == VLLM


def test_llama_cpp_tells_the_cache_in_its_timings() -> None:
    """Where usage lacks the cached tokens, `cache_n` has them, and the durations."""
    with OpenAIDouble(LLAMA_CPP, cache_details=False) as double:
        model = chat(double)
        answer(model)

        _, usage = answer(model)

    assert usage.prompt_tokens and usage.cached_tokens == usage.prompt_tokens - 1
    assert (usage.prompt_s, usage.answer_s) == (0.002, 0.061)


def test_vllm_without_its_flag_tells_nothing_of_the_cache() -> None:
    """Unknown is told as unknown, not as zero."""
    with OpenAIDouble(VLLM, cache_details=False) as double:
        _, usage = answer(chat(double))

    assert usage.cached_tokens is None and usage.prompt_tokens


@BOTH
def test_what_does_not_fit_is_never_sent(dialect: str) -> None:
    """Counted exactly, prompt and reserve must stay below the window."""
    with OpenAIDouble(dialect, window=1000) as double:
        model = chat(double)
        empty = toy_counter().count_chat([Message("user", "")]).tokens
        words = "x" * (model.room(100) - empty)
        assert model.count([Message("user", words)]).tokens == model.room(100)

        text, _ = answer(model, [Message("user", words)], reserve=100)
        with pytest.raises(PromptTooLong, match="window of qwen2-toy: 1,000, of which 100"):
            answer(model, [Message("user", words + "x")], reserve=100)

        assert text == "In the loft."
        assert len(double.chats()) == 1


@BOTH
def test_the_servers_own_refusal_has_both_sizes(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past our own check, llama.cpp's and vLLM's words become the same sentence."""
    monkeypatch.setattr(OpenAIChat, "_refuse_overflow", lambda *_: None)
    with OpenAIDouble(dialect, window=1000) as double:
        model = chat(double)
        tokens = model.count(LONG).tokens

        with pytest.raises(PromptTooLong) as caught:
            answer(model, LONG)

    assert f"({tokens:,} tokens, window 1,000). Nothing was cut." in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5300 tokens "
        "(5200 in the messages, 100 in the completion).",
        "This model's maximum context length is 4096 tokens. However, your request has 5200 input "
        "tokens. Please reduce the length of the input messages.",
        "The decoder prompt (length 5200) is longer than the maximum model length of 4096.",
    ],
)
def test_vllms_words_of_all_versions_are_read(words: str) -> None:
    """The sizes are taken from the sentence, which is all that vLLM gives."""
    error = {"object": "error", "message": words, "type": "BadRequestError", "code": 400}
    listed = {"data": [{"id": "m", "max_model_len": 8192, "owned_by": "vllm"}]}
    replies = {
        "/v1/models": (200, "application/json", listed),
        "/v1/chat/completions": (400, "application/json", error),
    }
    with CannedServer(replies) as served:  # type: ignore[arg-type]
        model = OpenAIChat("m", AppSettings(_env_file=None, openai_url=f"{served.url}/v1"))  # type: ignore[call-arg]

        with pytest.raises(PromptTooLong, match=r"\(5,200 tokens, window 4,096\)"):
            answer(model)


@BOTH
@pytest.mark.parametrize(
    ("fault", "raised", "words"),
    [
        (openai_double.LOADING, ModelBusy, "still loading the model"),
        (openai_double.OVERLOADED, ModelBusy, "overloaded. Ask again"),
        (openai_double.HTML, BadReply, "server-sent events"),
        (openai_double.SILENT, ModelUnreachable, "silent for 0.4 s"),
        (openai_double.STALL, ModelUnreachable, "silent for 0.4 s"),
        (openai_double.DIE, ModelUnreachable, "broke off the connection"),
        (openai_double.CUT, BadReply, "no JSON object"),
        (openai_double.NO_FINISH, BadReply, "before it was done"),
        (openai_double.ABORT, BadReply, r"before it was done \(abort\)"),
        (openai_double.ERROR, ModelCrashed, "encountered an issue"),
        (openai_double.SHORT, PromptTruncated, "cannot be trusted"),
        (openai_double.ADDS, PromptMiscounted, "its template adds text"),
    ],
)
def test_each_fault_is_a_sentence_and_the_next_question_works(
    dialect: str, fault: str, raised: type[ChatModelError], words: str
) -> None:
    """What went wrong is said in one line; nothing of it outlasts the fault."""
    with OpenAIDouble(dialect, fault=fault) as double:
        model = chat(double, answer_timeout_s=0.4)

        with pytest.raises(raised, match=words) as caught:
            answer(model)
        double.restart(fault="")
        text, _ = answer(model)

    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert text == "In the loft."


@BOTH
def test_words_that_came_before_the_fault_are_kept(dialect: str) -> None:
    """The pieces arrive, then the error: a reader sees what there was."""
    for fault in (openai_double.DIE, openai_double.STALL, openai_double.NO_FINISH):
        with OpenAIDouble(dialect, fault=fault) as double:
            pieces: list[object] = []

            with pytest.raises(ChatModelError):
                pieces.extend(chat(double, answer_timeout_s=0.3).stream(MESSAGES, reserve=50))

            assert pieces == [] or pieces[0] == "In the "


@BOTH
def test_an_end_without_done_is_an_end(dialect: str) -> None:
    """The reason for the end was given; the last line of the protocol is only manners."""
    with OpenAIDouble(dialect, fault=openai_double.NO_DONE) as double:
        text, usage = answer(chat(double))

    assert (text, usage.stop_reason) == ("In the loft.", "stop")


@BOTH
def test_waiting_in_the_queue_is_no_fault(dialect: str) -> None:
    """Silence within the time for answers is waited out."""
    with OpenAIDouble(dialect, wait_s=0.5) as double:
        text, _ = answer(chat(double, answer_timeout_s=5))

    assert text == "In the loft."


@BOTH
@pytest.mark.usefixtures("always_fresh")
def test_a_server_started_again_with_a_smaller_window_is_noticed(dialect: str) -> None:
    """The next question is packed for the new window; what no longer fits is not sent."""
    with OpenAIDouble(dialect, window=16384) as double:
        model = chat(double)
        answer(model, LONG)
        sent = len(double.chats())
        double.restart(window=1024)

        with pytest.raises(PromptTooLong, match=r"1,024.*less than its 16,384 of before"):
            answer(model, LONG)
        text, _ = answer(model)

        assert model.room(50) == 1024 - 51
        assert len(double.chats()) == sent + 1
    assert text == "In the loft."


@BOTH
def test_a_smaller_window_in_mid_conversation_costs_one_question_at_most(dialect: str) -> None:
    """Even within the seconds in which nobody looks again, the refusal makes us look."""
    with OpenAIDouble(dialect, window=16384) as double:
        model = chat(double)
        answer(model, LONG)
        double.restart(window=1024)

        with pytest.raises(PromptTooLong, match="Nothing was cut"):
            answer(model, LONG)

        assert model.window() == 1024


@BOTH
@pytest.mark.usefixtures("always_fresh")
def test_a_server_started_again_with_another_model_is_noticed(dialect: str) -> None:
    """llama.cpp would answer with whatever it has: the name is checked first."""
    with OpenAIDouble(dialect) as double:
        model = chat(double)
        answer(model)
        double.restart(models=("another-one",))

        with pytest.raises(ModelMissing, match="it has: another-one"):
            answer(model)

        assert len(double.chats()) == 1


@BOTH
def test_a_wrong_key_is_said_before_anything_is_counted(dialect: str) -> None:
    """Also by llama.cpp, which lists its models to anybody."""
    with OpenAIDouble(dialect, key="sesame") as double:
        with pytest.raises(ModelUnreachable, match="HAYLOFT_OPENAI_API_KEY"):
            chat(double, openai_api_key="wrong").window()

        text, _ = answer(chat(double, openai_api_key="sesame"))

    assert text == "In the loft."


def test_ollama_under_its_openai_address_is_refused() -> None:
    """There it halves long prompts with status 200; its own API does not have to."""
    listed = {"data": [{"id": "qwen2:7b", "object": "model", "owned_by": "library"}]}
    replies = {
        "/v1/models": (200, "application/json", listed),
        "/api/version": (200, "application/json", {"version": "0.33.3"}),
    }
    with CannedServer(replies) as served:  # type: ignore[arg-type]
        model = OpenAIChat("qwen2:7b", AppSettings(_env_file=None, openai_url=f"{served.url}/v1"))  # type: ignore[call-arg]

        with pytest.raises(SettingsError, match="HAYLOFT_OLLAMA_URL=http"):
            model.window()


def test_an_adapter_has_the_window_of_its_model() -> None:
    """vLLM gives none for a LoRA adapter itself."""
    lora = {"id": "reports-lora", "parent": "qwen2-toy", "max_model_len": None, "owned_by": "vllm"}
    with OpenAIDouble(VLLM, window=2048, extra=(lora,)) as double:
        assert OpenAIChat("reports-lora", settings(double)).window() == 2048


@pytest.mark.parametrize(
    ("served", "best"),
    [
        (["llama-3", "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2-7B-Instruct-AWQ"], 2),
        (["bge-m3-embed", "qwen2-7b"], 1),
        (["qwen2-7b-base", "Qwen2.5-14B"], 1),
        (["mistral", "gemma"], 0),
        (["text-embedding-3", "bge-reranker"], None),
        ([], None),
    ],
)
def test_the_best_of_several_models_answers(served: list[str], best: int | None) -> None:
    """Qwen2 first, then its family, then what is listed first; never an embedder."""
    models = [ServedModel(name) for name in served]

    chosen = best_served(models, window=32768)

    assert chosen == (None if best is None else models[best])


def test_a_loaded_model_goes_before_one_that_would_have_to_be_loaded() -> None:
    """And one with the window that is asked for before a smaller one."""
    models = [
        ServedModel("qwen2-7b", loaded=False),
        ServedModel("qwen2-1.5b", window=8192),
        ServedModel("qwen2-0.5b", window=32768),
    ]

    chosen = best_served(models, window=32768)

    assert chosen is models[2]


def test_the_choice_among_several_is_said() -> None:
    """With the names of the others and the setting for them; alone, nothing is said."""
    with OpenAIDouble(VLLM, models=("qwen2-7b", "llama-3")) as double:
        several = choose_model(settings(double), data_dir=Path("nowhere"))
        double.restart(models=("qwen2-7b",))
        alone = choose_model(settings(double), data_dir=Path("nowhere"))

    assert several.model is not None and several.model.name == "qwen2-7b"
    assert "HAYLOFT_MODEL=openai:NAME for another (llama-3)" in several.notice
    assert alone.notice == ""
