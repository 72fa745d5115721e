"""Which model answers: the one that is named, or the best that is there."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from app.chat import ModelMissing, ModelUnreachable
from app.model_choice import NO_MODEL, best_installed, choose_counter, choose_model
from app.ollama_server import InstalledModel
from app.settings import AppSettings
from app.tokens import save_tokenizer
from storage.errors import SettingsError
from storage.vocabulary import build_tokenizer
from tests.canned_server import CannedServer, free_port
from tests.ollama_double import QWEN2_NATIVE, Fault, OllamaDouble
from tests.test_app_ollama_chat import EXACT
from tests.vocabularies import SMALL, write_gguf


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))


def settings(**values: object) -> AppSettings:
    return AppSettings(_env_file=None, **values)  # type: ignore[arg-type]


def installed(name: str, billions: float = 7.6, **values: object) -> InstalledModel:
    values = {"family": "qwen2", "context_length": 32768, **values}
    return InstalledModel(name, parameters=billions, **values)  # type: ignore[arg-type]


def best(*models: InstalledModel, window: int = 32768) -> str | None:
    chosen = best_installed(list(models), window=window)
    return chosen.name if chosen else None


def test_auto_takes_an_installed_qwen2() -> None:
    """With Ollama running, its Qwen2 answers, and there is nothing to say about it."""
    with OllamaDouble() as double:
        choice = choose_model(settings(ollama_url=double.url))

        assert choice.model is not None
        assert (choice.model.provider, choice.model.name) == ("ollama", "qwen2:7b")
        assert choice.notice == ""


def test_auto_takes_the_stretched_model_for_a_large_window() -> None:
    """The 128K variant is for those who ask for more than the plain one can read."""
    with OllamaDouble() as double:
        choice = choose_model(settings(ollama_url=double.url, window=131072))

        assert choice.model is not None and choice.model.name == "qwen2:7b-128k"
        assert choice.model.window() == 131072


def test_auto_without_any_server_is_extractive_at_once() -> None:
    """Nobody listens: no model, one sentence how to get Qwen2, and no waiting."""
    refused = settings().model_copy(update={"ollama_url": f"http://127.0.0.1:{free_port()}"})
    refused.model_fields_set.discard("ollama_url")  # as if it were the default address
    start = time.perf_counter()

    choice = choose_model(refused)

    assert choice.model is None
    assert choice.notice == NO_MODEL
    assert "ollama pull qwen2:7b" in choice.notice
    assert time.perf_counter() - start < 2


def test_auto_says_when_the_named_server_does_not_answer() -> None:
    """Somebody who set the address learns that nobody answers there."""
    choice = choose_model(settings(ollama_url=f"127.0.0.1:{free_port()}"))

    assert choice.model is None
    assert "does not answer" in choice.notice and "ollama serve" in choice.notice


@pytest.mark.parametrize("fault", [Fault.HTML_200, Fault.HTML_502, Fault.FORBIDDEN])
def test_auto_goes_on_without_a_server_that_is_not_ollama(fault: Fault) -> None:
    """A strange reply is told, and answers are extractive."""
    with OllamaDouble(fault=fault) as double:
        choice = choose_model(settings(ollama_url=double.url))

    assert choice.model is None
    assert choice.notice.startswith("Answers are extractive quotes.")


def test_auto_without_a_chat_model_says_how_to_get_one() -> None:
    """Ollama with nothing installed that can chat."""
    with OllamaDouble(models=[]) as double:
        choice = choose_model(settings(ollama_url=double.url))

    assert choice.model is None
    assert "has no chat model" in choice.notice and "ollama pull qwen2:7b" in choice.notice


def test_auto_prefers_the_openai_server_that_is_set() -> None:
    """An OpenAI-compatible server that is set comes first, a Qwen2 on it before others."""
    listed: dict[str, object] = {"data": [{"id": "llama"}, {"id": "Qwen/Qwen2-7B-Instruct"}]}
    with CannedServer({"/v1/models": (200, "application/json", listed)}) as server:
        choice = choose_model(settings(openai_url=f"{server.url}/v1"))

    assert choice.model is not None
    assert (choice.model.provider, choice.model.name) == ("openai", "Qwen/Qwen2-7B-Instruct")


def test_openai_server_that_is_set_and_gone_is_an_error() -> None:
    """A server that was named is never replaced in silence."""
    with pytest.raises(ModelUnreachable, match="HAYLOFT_OPENAI_URL"):
        choose_model(settings(openai_url=f"http://127.0.0.1:{free_port()}/v1"))


def test_named_model_is_taken_or_missed_aloud() -> None:
    """`ollama:NAME` is that model; a name that is not there is an error."""
    with OllamaDouble() as double:
        url = double.url
        named = choose_model(settings(model="ollama:qwen2-native:7b", ollama_url=url))

        assert named.model is not None and named.model.name == QWEN2_NATIVE.name
        with pytest.raises(ModelMissing, match="ollama pull qwen2:72b"):
            choose_model(settings(model="ollama:qwen2:72b", ollama_url=url))
        double.fault = Fault.REFUSE
        with pytest.raises(ModelUnreachable, match="ollama serve"):
            choose_model(settings(model="ollama:qwen2:7b", ollama_url=url))


def test_named_openai_model_is_taken_or_missed_aloud() -> None:
    """`openai:NAME` is that model; a name that is not there lists those that are."""
    listed: dict[str, object] = {"data": [{"id": "here"}]}
    with CannedServer({"/v1/models": (200, "application/json", listed)}) as server:
        url = f"{server.url}/v1"
        named = choose_model(settings(model="openai:here", openai_url=url))

        assert named.model is not None and named.model.name == "here"
        with pytest.raises(ModelMissing, match="no model there; it has: here"):
            choose_model(settings(model="openai:there", openai_url=url))
    with pytest.raises(SettingsError, match="HAYLOFT_OPENAI_URL"):
        choose_model(settings(model="openai:here"))


def test_extractive_asks_nobody() -> None:
    """`extractive` needs no server and has nothing to say."""
    choice = choose_model(settings(model="extractive", ollama_url="ftp://nowhere"))

    assert (choice.model, choice.notice) == (None, "")


@pytest.mark.parametrize("value", ["", "qwen2", "qwen2:7b", "ollama:", "auto:x", "openai: "])
def test_wrong_setting_is_a_settings_error(value: str) -> None:
    """A value that names nothing is refused with the values that would do."""
    with pytest.raises(SettingsError, match="use auto, extractive, ollama:NAME"):
        choose_model(settings(model=value))


def test_qwen2_instruct_comes_before_relatives_and_strangers() -> None:
    """qwen2, then qwen2.5, then base and coder models of the family, then any other."""
    stranger = installed("llama3:8b", 8.0, family="llama")
    base = installed("qwen2:7b-text")
    newer = installed("qwen2.5:14b", 14.8)
    own = installed("qwen2-hay:latest", 1.5)

    assert best(stranger, base, newer, own) == "qwen2-hay:latest"
    assert best(stranger, base, newer) == "qwen2.5:14b"
    assert best(stranger, base) == "qwen2:7b-text"
    assert best(stranger) == "llama3:8b"
    assert best() is None


def test_largest_comfortable_model_wins() -> None:
    """7B before 0.5B, but not 72B unless there is nothing else."""
    small, middle, large = (installed(f"qwen2:{n}b", n) for n in (0.5, 7.6, 72.7))

    assert best(small, large, middle) == "qwen2:7.6b"
    assert best(small, large) == "qwen2:0.5b"
    assert best(large) == "qwen2:72.7b"


def test_embedders_and_clouds_are_never_chosen() -> None:
    """Neither a model that cannot chat nor one that runs elsewhere."""
    embedder = installed("qwen2-embed:7b", capabilities=("embedding",))
    old_server = installed("nomic-embed-text:latest", 0.1, family="nomic-bert")
    cloud = dataclasses.replace(installed("qwen2:480b-cloud"), remote=True)

    assert best(embedder, old_server, cloud) is None


def test_counter_comes_from_file_server_or_what_was_kept(tmp_path: Path) -> None:
    """In this order, each exact; and an estimate where there is none."""
    file = write_gguf(tmp_path / "small.gguf")
    nobody = f"http://127.0.0.1:{free_port()}"

    assert not choose_counter(settings(ollama_url=nobody), data_dir=tmp_path).exact
    assert choose_counter(settings(ollama_url=nobody, tokenizer=str(file))).exact
    with OllamaDouble(models=[EXACT]) as double:
        served = choose_counter(settings(ollama_url=double.url), data_dir=tmp_path)
        assert served.exact and served.count_text("hay hay").tokens == 3
    kept = choose_counter(settings(ollama_url=nobody), data_dir=tmp_path)
    assert kept.exact and kept.ids("hay hay") == served.ids("hay hay")


def test_newest_kept_vocabulary_counts(tmp_path: Path) -> None:
    """Of several kept ones the last written is taken."""
    folder = tmp_path / "tokenizers"
    save_tokenizer(build_tokenizer(SMALL), folder / "b.json")
    other = dataclasses.replace(SMALL, merges=("a y",))
    save_tokenizer(build_tokenizer(other), folder / "a.json")

    nobody = f"http://127.0.0.1:{free_port()}"
    counter = choose_counter(settings(ollama_url=nobody), data_dir=tmp_path)

    assert counter.count_text(" hay").tokens == 3  # the blank, h, ay: no other merge
