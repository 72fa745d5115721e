"""Which chat model answers: what the settings name, or the best that is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from app.chat import ChatModel, ChatModelError, ModelMissing, ModelUnreachable
from app.ollama_chat import OllamaChat
from app.ollama_server import (
    InstalledModel,
    find_model,
    installed_models,
    missing,
    ollama_server,
)
from app.openai_chat import OpenAIChat
from app.openai_server import ServedModel, openai_server, served_models
from app.openai_server import missing as not_served
from app.plans import AUTO, EXTRACTIVE, Mode
from app.served_windows import ServedWindows
from app.settings import AppSettings
from app.tokens import EstimatingCounter, TokenCounter, counter_from_file
from storage.errors import SettingsError
from storage.settings import StorageSettings, tokenizers_in
from storage.vocabulary import kept_tokenizer

NO_MODEL = (
    "No chat model found: answers are extractive quotes. For written answers install Ollama and "
    "run `ollama pull qwen2:7b`."
)

_COMFORTABLE = 16.0
"""Billions of parameters that a computer with one good graphics card answers with at ease."""

_NO_CHAT = ("embed", "minilm", "bge-", "rerank", "gte-")
_NOT_INSTRUCT = ("-text", "-base", ":text", ":base", "math", "coder", "-vl", "audio")


@dataclass(frozen=True, slots=True)
class Choice:
    """The chat model to answer with, and a sentence for the user where there is something to say.

    `model` is None where answers are extractive.
    """

    model: ChatModel | None
    notice: str

    def require(self, mode: Mode | None) -> None:
        """Raise ModelMissing where a mode was asked for by name that needs a model, and none is.

        Quotations would look like what was asked for: "nowhere" without a page read.
        """
        if self.model is None and mode not in (None, AUTO, EXTRACTIVE):
            raise ModelMissing(
                f"The mode {mode} needs a chat model, and there is none: `hayloft doctor` says why."
            )

    def why_quoted(self, mode: Mode | None) -> str:
        """Why an answer is of quotations, where these were not asked for; else empty."""
        return self.notice if self.model is None and mode != EXTRACTIVE else ""


class _Kept(TypedDict):
    """Where it is kept what served models are like."""

    tokenizers: Path
    windows: ServedWindows


def choose_model(settings: AppSettings, *, data_dir: Path | None = None) -> Choice:
    """The chat model that the settings ask for.

    `auto` takes the OpenAI-compatible server where one is set, else Ollama's
    best installed model (see `best_installed`), else none, with a notice. A
    model or server that was named and is not there is an error, never
    silently another one. Served vocabularies are kept under `data_dir`
    (default: the data directory of the settings).

    Raises SettingsError for a setting that cannot be understood.
    """
    kept = _Kept(tokenizers=tokenizer_folder(data_dir), windows=ServedWindows(_folder(data_dir)))
    wanted = settings.model.strip()
    provider, colon, name = wanted.partition(":")
    provider, name = provider.strip().lower(), name.strip()
    if provider == "extractive" and not colon:
        return Choice(None, "")
    if provider == "ollama" and name:
        return Choice(_named_ollama(name, settings, kept), "")
    if provider == "openai" and name:
        return Choice(_named_openai(name, settings, kept), "")
    if provider == "auto" and not colon:
        if settings.openai_url.strip():
            return _best_openai(settings, kept)
        return _best_ollama(settings, kept)
    raise SettingsError(
        f"HAYLOFT_MODEL is {settings.model!r}, which names no model: use auto, extractive, "
        "ollama:NAME (for instance ollama:qwen2:7b) or openai:NAME."
    )


def choose_counter(settings: AppSettings, *, data_dir: Path | None = None) -> TokenCounter:
    """The best token counter there is for Qwen2, without insisting on a server.

    In this order: the tokenizer file of the settings; the vocabulary of the
    Qwen2 that would answer; one kept from an earlier model; an estimate.
    """
    if settings.tokenizer:
        return counter_from_file(Path(settings.tokenizer))
    try:
        model = choose_model(settings, data_dir=data_dir).model
        counter: TokenCounter | None = None
        if isinstance(model, OllamaChat | OpenAIChat):
            counter = model.token_counter()
    except ChatModelError:
        counter = None
    if counter is not None and counter.exact:
        return counter
    kept = kept_tokenizer(tokenizer_folder(data_dir))
    return counter_from_file(kept) if kept else EstimatingCounter()


def tokenizer_folder(data_dir: Path | None = None) -> Path:
    """Where the vocabularies of served models are kept."""
    return tokenizers_in(_folder(data_dir))


def _folder(data_dir: Path | None) -> Path:
    return StorageSettings().data_dir if data_dir is None else data_dir


def best_installed(models: list[InstalledModel], *, window: int) -> InstalledModel | None:
    """The installed model to answer with, or None where none can chat.

    Qwen2's instruct models come first (`qwen2:...`, and models made from
    them), then the rest of that family (Qwen2.5 and so on), then any other
    that completes text. Among equals the largest that a computer with one
    good graphics card answers with at ease (to 16 billion parameters, which
    leaves 72B out) and only then larger ones, smallest first; then the
    smallest trained window that holds the `window` asked for, since a model
    stretched beyond it reads short prompts a little worse; then the newer.
    Embedding models and models that run in somebody's cloud are never chosen:
    no text leaves the machine unasked.
    """
    able = [model for model in models if _can_chat(model) and not model.remote]
    # Newest first already, and max() keeps the first of equals.
    return max(able, key=lambda model: _merit(model, window), default=None)


def _merit(model: InstalledModel, window: int) -> tuple[int, bool, float, bool, int]:
    size = model.parameters or model.size / 0.6e9  # a 4-bit file takes about 0.6 GB a billion
    fits = size <= _COMFORTABLE
    trained = model.context_length or 0
    holds = trained >= window
    return _closeness(model), fits, size if fits else -size, holds, -trained if holds else trained


def _closeness(model: InstalledModel) -> int:
    name = model.name.lower()
    if model.family not in ("qwen2", "qwen2moe") and "qwen2" not in name:
        return 0
    if any(mark in name for mark in _NOT_INSTRUCT):
        return 1
    stem = name.rpartition("/")[2]
    return 3 if stem.startswith("qwen2") and not stem.startswith("qwen2.") else 2


def _can_chat(model: InstalledModel) -> bool:
    if model.capabilities is not None:
        return "completion" in model.capabilities
    name = model.name.lower()
    return "bert" not in model.family and not any(mark in name for mark in _NO_CHAT)


def _best_ollama(settings: AppSettings, kept: _Kept) -> Choice:
    server = ollama_server(settings.ollama_url, connect_timeout_s=settings.connect_timeout_s)
    try:
        models = installed_models(server)
    except ChatModelError as exc:
        if isinstance(exc, ModelUnreachable) and "ollama_url" not in settings.model_fields_set:
            return Choice(None, NO_MODEL)
        return Choice(None, f"Answers are extractive quotes. {exc}")
    best = best_installed(models, window=settings.window)
    if best is None:
        return Choice(
            None,
            f"{server.here} has no chat model: answers are extractive quotes. For written "
            "answers run `ollama pull qwen2:7b`.",
        )
    return Choice(OllamaChat(best.name, settings, **kept), "")


def _named_ollama(name: str, settings: AppSettings, kept: _Kept) -> OllamaChat:
    server = ollama_server(settings.ollama_url, connect_timeout_s=settings.connect_timeout_s)
    if find_model(installed_models(server), name) is None:
        raise missing(name)
    return OllamaChat(name, settings, **kept)


def _named_openai(name: str, settings: AppSettings, kept: _Kept) -> OpenAIChat:
    server = openai_server(settings)
    models = served_models(server)
    if name not in [served.name for served in models]:
        raise not_served(server, name, models)
    return OpenAIChat(name, settings, **kept)


def _best_openai(settings: AppSettings, kept: _Kept) -> Choice:
    server = openai_server(settings)
    models = served_models(server)
    best = best_served(models, window=settings.window)
    if best is None:
        raise ModelMissing(f"{server.here} serves no chat model. Start it with one.")
    others = [model.name for model in models if model is not best and _answers(model.name)]
    notice = ""
    if others:
        notice = (
            f"{server.here} has {len(others) + 1} models, of which {best.name} answers. Set "
            f"HAYLOFT_MODEL=openai:NAME for another ({', '.join(others[:4])})."
        )
    return Choice(OpenAIChat(best.name, settings, **kept), notice)


def best_served(models: list[ServedModel], *, window: int) -> ServedModel | None:
    """The model of an OpenAI-compatible server to answer with, or None where none can chat.

    As with Ollama, Qwen2's instruct models first, then the rest of the
    family, then others. Among equals one that is loaded already, a whole model
    before an adapter, one whose window holds the `window` asked for, then the
    first that is listed.
    """
    able = [model for model in models if _answers(model.name)]
    return max(able, key=lambda model: _served_merit(model, window), default=None)


def _served_merit(model: ServedModel, window: int) -> tuple[int, bool, bool, bool]:
    name = model.name.lower()
    closeness = 0
    if "qwen2" in name:
        stem = name.rpartition("/")[2]
        first = stem.startswith("qwen2") and not stem.startswith("qwen2.")
        closeness = 1 if any(mark in name for mark in _NOT_INSTRUCT) else 3 if first else 2
    holds = model.window is None or model.window >= window
    return closeness, model.loaded, not model.parent, holds


def _answers(name: str) -> bool:
    return not any(mark in name.lower() for mark in _NO_CHAT)
