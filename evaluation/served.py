"""The model as its server serves it: all that an answer depends on, and whether it is still so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from app.chat import ChatModel
from evaluation.niah.records import KV_TYPE, kv_type_of
from storage.errors import ServiceUnavailable

if TYPE_CHECKING:
    from app.ollama_chat import OllamaChat
    from app.ollama_server import InstalledModel, ModelCard


@dataclass(frozen=True, slots=True)
class Served:
    """The model as it is served: all of it that an answer depends on."""

    model: str
    """`provider name`."""
    window: int
    trained_window: int | None = None
    """Without stretching."""
    digest: str = ""
    quantisation: str = ""
    server_version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0


def served_by(model: ChatModel) -> Served:
    """What is known of a model and its server.

    Asks the server; raises ChatModelError where it does not answer.
    """
    from app.ollama_chat import OllamaChat
    from app.openai_chat import OpenAIChat

    name = f"{model.provider} {model.name}"
    if isinstance(model, OllamaChat):
        return _served_by_ollama(model, name)
    if isinstance(model, OpenAIChat):
        return Served(name, model.window(), options=model.options)
    return Served(
        name,
        model.window(),
        digest=str(getattr(model, "digest", "")),
        options=cast(Mapping[str, Any], getattr(model, "options", {})),
    )


def with_kv_type(served: Served, kv_type: str) -> Served:
    """With the kind of its KV cache, which no server tells: rows of one are not the other's."""
    return replace(served, options={**served.options, KV_TYPE: kv_type})


def other_server(then: Mapping[str, Any], now_served: Served) -> str | None:
    """What of the model or its server is not what a run's plan tells of it; None for nothing."""
    told = (
        ("model", then.get("model"), now_served.model),
        ("version of the model", then.get("digest"), now_served.digest),
        ("window", then.get("window"), now_served.window),
        ("kind of KV cache", kv_type_of(then.get("options")), kv_type_of(now_served.options)),
    )
    for what, before, is_now in told:
        if before != is_now:
            return f"{what} ({_short(before)}, now {_short(is_now)})"
    return None


def _short(value: object) -> str:
    """Enough of a digest to tell it from another."""
    return f"{value:,}" if isinstance(value, int) else str(value)[:40]


def served_now(model: ChatModel, served: Served) -> Served:
    """What was served when a run began, with the digest and the window of now.

    Ollama is asked: there a model can be made anew under its name, and be
    loaded with another window, between two questions. Raises ChatModelError
    where it does not answer.
    """
    from app.ollama_chat import OllamaChat

    if isinstance(model, OllamaChat):
        return replace(served, digest=_digest(_installed(model)), window=_window(model))
    digest = str(getattr(model, "digest", served.digest))
    return replace(served, digest=digest, window=model.window())


def refuse_other_weights(model: ChatModel, served: Served) -> None:
    """Raise ServiceUnavailable where the model was made anew since `served` was told."""
    now_served = served_now(model, served)
    if now_served.digest != served.digest:
        raise ServiceUnavailable(
            f"{served.model} was made anew while it was asked: its last answer is not kept, and "
            "those before it are no other model's. The same command begins a new run."
        )


def _served_by_ollama(model: OllamaChat, name: str) -> Served:
    from app.ollama_server import model_card, server_version

    installed = _installed(model)
    version = server_version(model.server)
    return Served(
        model=name,
        window=_window(model),
        trained_window=_trained_window(model_card(model.server, model.name)),
        digest=_digest(installed),
        quantisation=installed.quantization if installed else "",
        server_version=".".join(map(str, version)) if version else "",
        options=model.options,
        size=installed.size if installed else 0,
    )


def _trained_window(card: ModelCard) -> int | None:
    """The window before any stretching: a file made longer by YaRN counts that into its own."""
    architecture = card.metadata.get("general.architecture")
    original = card.metadata.get(f"{architecture}.rope.scaling.original_context_length")
    if isinstance(original, int) and not isinstance(original, bool) and original > 0:
        return original
    return card.trained_window


def _installed(model: OllamaChat) -> InstalledModel | None:
    from app.ollama_server import find_model, installed_models

    return find_model(installed_models(model.server), model.name)


def _digest(installed: InstalledModel | None) -> str:
    return installed.digest.removeprefix("sha256:") if installed else ""


def _window(model: OllamaChat) -> int:
    """A model that is loaded says what it has; one that is not, what it will be asked for."""
    from app.ollama_server import served_window

    loaded = served_window(model.server, model.name)
    window = model.window()
    return min(window, loaded) if loaded else window
