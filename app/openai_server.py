"""What an OpenAI-compatible server says of itself: its models, their windows, its errors.

vLLM and llama.cpp's server are known by name, since their windows and token
counts are asked for in different places. Any other one is taken as it comes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from app.chat import (
    BadReply,
    ChatModelError,
    ModelBusy,
    ModelCrashed,
    ModelLoading,
    ModelMissing,
    ModelUnreachable,
)
from app.chat_http import Fault, Server, get_json, number, too_long, unexpected
from app.settings import AppSettings
from storage.errors import SettingsError

SHORT_S = 30.0
"""Silence allowed for questions about models and tokens, which need no model to run."""

LLAMA_CPP = "llama.cpp"
VLLM = "vLLM"

_VLLM_WINDOW = re.compile(
    r"(?:maximum|max) (?:context|model) length (?:is|of) (\d+)", re.IGNORECASE
)
# The prompt alone where the sentence has it, else what was asked for together.
_VLLM_PROMPT = (
    re.compile(r"(\d+) in the (?:messages|prompt)"),
    re.compile(r"(?:request has|prompt contains(?: at least)?|prompt \(length) (\d+)"),
    re.compile(r"requested (\d+) tokens"),
)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One entry of `/v1/models`."""

    name: str
    window: int | None = None
    """`max_model_len`, which vLLM gives; None elsewhere."""
    owner: str = ""
    """`owned_by`: `vllm`, `llamacpp`, `library` (Ollama), or anything."""
    parent: str = ""
    """The model that an adapter (LoRA) belongs to."""
    loaded: bool = True
    """False where llama.cpp's router would have to load it first."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How one model is served now."""

    window: int | None
    """Tokens; None where the server does not say."""
    dialect: str = ""
    """`llama.cpp`, `vLLM`, or '' for any other server."""
    slots: int = 1
    """Requests that are answered at a time, where the server says how many; else one."""
    loaded: bool = True
    """False where llama.cpp's router would have to load it first."""


def openai_server(settings: AppSettings) -> Server:
    """The server of the settings. Raises SettingsError where none is set."""
    url = settings.openai_url.strip().rstrip("/")
    if not re.match(r"https?://[^/\s]", url):
        raise SettingsError(
            "HAYLOFT_OPENAI_URL is not an address: set it to the server's base URL, "
            "for instance http://127.0.0.1:8000/v1."
        )
    key = settings.openai_api_key.get_secret_value().strip()
    return Server(
        name="The OpenAI-compatible server",
        url=url,
        start="Start it, wait while it loads its model, or correct HAYLOFT_OPENAI_URL.",
        setting="HAYLOFT_OPENAI_URL",
        connect_timeout_s=settings.connect_timeout_s,
        answer_timeout_s=settings.answer_timeout_s,
        headers={"authorization": f"Bearer {key}"} if key else None,
    )


def root_of(server: Server) -> str:
    """The address beside `/v1`, where the servers' own routes lie."""
    return server.url.removesuffix("/v1")


def served_models(server: Server) -> list[ServedModel]:
    """The models that `/v1/models` lists."""
    reply = get_json(server, "GET", f"{server.url}/models", silence_s=SHORT_S)
    if isinstance(reply, Fault):
        raise openai_error(server, "", reply)
    listed = reply.get("data")
    if not isinstance(listed, list):
        raise server.no_protocol("its list of models is no list")
    return [
        _served_model(name, entry)
        for entry in listed
        if isinstance(entry, dict) and isinstance(name := entry.get("id"), str) and name
    ]


def _served_model(name: str, entry: dict[str, object]) -> ServedModel:
    owner, parent, status = entry.get("owned_by"), entry.get("parent"), entry.get("status")
    state = status.get("value") if isinstance(status, dict) else None
    return ServedModel(
        name=name,
        window=number(entry.get("max_model_len")) or None,
        owner=owner if isinstance(owner, str) else "",
        parent=parent if isinstance(parent, str) else "",
        loaded=state in (None, "loaded"),
    )


def serving(server: Server, model: str) -> Serving:
    """How a model is served: its window, and in which dialect it can be asked for more.

    vLLM tells the window in `/v1/models`, llama.cpp's server (for one slot) in
    `/props` beside `/v1`. Raises ModelMissing where the server lists others
    only, ModelBusy while it loads, and SettingsError where it is Ollama, whose
    `/v1` halves long prompts without a word.
    """
    models = served_models(server)
    by_name = {served.name: served for served in models}
    mine = by_name.get(model)
    if mine is None:
        raise missing(server, model, models)
    base = by_name.get(mine.parent, mine)
    if window := mine.window or base.window:
        return Serving(window, VLLM if "vllm" in (mine.owner or base.owner).lower() else "")
    is_llama = mine.owner.lower() in ("llamacpp", "llama.cpp")
    props = _props(server, model, "", sure=is_llama)
    if not props.window and len(models) > 1:  # llama.cpp's router has a window for each model
        props = _props(server, model, f"?model={quote(model, safe='')}", sure=is_llama)
    if props.window or is_llama:
        return replace(props, loaded=mine.loaded)
    _refuse_ollama(server)
    return Serving(None)


def served_window(server: Server, model: str) -> int | None:
    """The window that a model is served with, or None where the server does not say."""
    return serving(server, model).window


def _props(server: Server, model: str, query: str, *, sure: bool) -> Serving:
    """What llama.cpp's server says of itself; no window where it is none."""
    unknown = Serving(None, LLAMA_CPP)
    try:
        reply = get_json(server, "GET", f"{root_of(server)}/props{query}", silence_s=SHORT_S)
    except BadReply:
        return unknown  # a server without /props may well answer it with a page
    if isinstance(reply, Fault):
        if reply.status == 503 or (sure and reply.status in (401, 403)):
            raise openai_error(server, model, reply)
        return unknown
    generation = reply.get("default_generation_settings")
    window = number(generation.get("n_ctx")) if isinstance(generation, dict) else None
    slots = number(reply.get("total_slots")) or 1
    return Serving(window or number(reply.get("n_ctx")) or None, LLAMA_CPP, slots)


def _refuse_ollama(server: Server) -> None:
    root = root_of(server)
    try:
        reply = get_json(server, "GET", f"{root}/api/version", silence_s=SHORT_S)
    except BadReply:
        return
    if isinstance(reply, dict) and isinstance(reply.get("version"), str):
        raise SettingsError(
            f"{server.url} is Ollama, which cuts long prompts there without a word. Unset "
            f"HAYLOFT_OPENAI_URL and set HAYLOFT_OLLAMA_URL={root}."
        )


def missing(server: Server, model: str, models: list[ServedModel]) -> ModelMissing:
    """The error for a model that the server does not list."""
    there = ", ".join(served.name for served in models[:5]) or "none"
    return ModelMissing(
        f"{server.here} has no model {model}; it has: {there}. Set HAYLOFT_MODEL to one of "
        "these, as openai:NAME."
    )


def openai_error(server: Server, model: str, fault: Fault) -> ChatModelError:
    """The error that a fault of such a server means, with what to do about it."""
    status, about = fault.status, f"{fault.kind} {fault.text}".lower()
    if fault.too_long:
        return too_long(server, model, _with_sizes(fault))
    if status in (401, 403):
        return ModelUnreachable(f"{server.here} refuses the key. Correct HAYLOFT_OPENAI_API_KEY.")
    if status == 404 and fault.is_json and model and "model" in about:
        return ModelMissing(
            f"{server.here} has no model {model}. Set HAYLOFT_MODEL to openai:NAME with a name "
            f"that {server.url}/models lists."
        )
    if status == 404:
        return BadReply(
            f"{server.url} is not the base of an OpenAI-compatible API (404). Set "
            "HAYLOFT_OPENAI_URL to its base URL, which usually ends in /v1."
        )
    if status == 429:
        return ModelBusy(f"{server.here} takes no more requests now: {fault.words}. Ask later.")
    if status == 503 and fault.is_json:
        if "loading" in about:
            return ModelLoading(f"{server.here} is still loading the model. Ask again in a moment.")
        return ModelBusy(f"{server.here} is overloaded. Ask again in a moment.")
    if fault.is_json and (status >= 500 or status == 200):
        return ModelCrashed(
            f"{model or 'The model'} failed on {server.here}: {fault.words}. "
            "See the server's log, then ask again."
        )
    return unexpected(server, fault)


def _with_sizes(fault: Fault) -> Fault:
    """The fault with the sizes that vLLM tells in words only."""
    if fault.prompt_tokens and fault.window:
        return fault
    window = _VLLM_WINDOW.search(fault.text)
    found = (pattern.search(fault.text) for pattern in _VLLM_PROMPT)
    prompt = next((match for match in found if match), None)
    return replace(
        fault,
        prompt_tokens=int(prompt[1]) if prompt else fault.prompt_tokens,
        window=int(window[1]) if window else fault.window,
    )
