"""What an Ollama server has and is: its address, version, models and windows."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from app.chat import (
    ChatModelError,
    ModelBusy,
    ModelCrashed,
    ModelMissing,
    ModelUnreachable,
)
from app.chat_http import Fault, Server, get_json, number, too_long, unexpected
from storage.errors import SettingsError

_SHORT_S = 30.0
"""Silence allowed for questions about models, which need no model to run."""


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One model that Ollama has, as `/api/tags` lists it."""

    name: str
    digest: str = ""
    size: int = 0
    """Bytes on disk."""
    family: str = ""
    parameters: float = 0.0
    """Billions; 0 where the server does not say."""
    quantization: str = ""
    context_length: int | None = None
    """The trained window, on servers that list it."""
    capabilities: tuple[str, ...] | None = None
    """None on servers that do not list them."""
    modified_at: str = ""
    remote: bool = False
    """True for a model that runs elsewhere: what it is asked leaves this machine."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What `/api/show` says of one model."""

    name: str
    trained_window: int | None
    template: str
    """The Go template; else the chat template inside the GGUF file; else empty."""
    system: str
    """The Modelfile's own system prompt; empty where it has none."""
    pre_tokenizer: str
    """`qwen2` for every Qwen2; empty where the server does not say."""
    capabilities: tuple[str, ...] | None
    metadata: dict[str, object]


def ollama_url(text: str) -> str:
    """The address to connect to, from a URL or a short form of `OLLAMA_HOST`.

    Ollama's own rules: `host` means port 11434, but `http://host` port 80 and
    `https://host` 443. Addresses that mean "listen everywhere" become loopback.
    Raises SettingsError for what is no address.
    """
    given = text.strip().strip("\"'").strip()
    scheme, mark, rest = given.partition("://")
    if not mark:
        scheme, rest = "http", given
    scheme = scheme.lower()
    if scheme not in ("http", "https"):
        raise SettingsError(
            f"{given!r} is not an address of Ollama: set HAYLOFT_OLLAMA_URL to something like "
            "http://127.0.0.1:11434."
        )
    standard = {"http": 80, "https": 443}[scheme]
    place, slash, path = rest.partition("/")
    host, port = _host_and_port(place, standard if mark else 11434)
    if re.search(r"[\s@?#\[\]\\]", host) or not host:
        raise SettingsError(
            f"{given!r} is not an address of Ollama: set HAYLOFT_OLLAMA_URL to something like "
            "http://127.0.0.1:11434."
        )
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}{(slash + path).rstrip('/')}"


def ollama_server(
    url: str, *, connect_timeout_s: float = 3.0, answer_timeout_s: float = 1800.0
) -> Server:
    """The server at an address, short forms allowed."""
    return Server(
        name="Ollama",
        url=ollama_url(url),
        start="Start it with `ollama serve`.",
        setting="HAYLOFT_OLLAMA_URL",
        connect_timeout_s=connect_timeout_s,
        answer_timeout_s=answer_timeout_s,
    )


def server_version(server: Server | str) -> tuple[int, int, int] | None:
    """The server's version, or None where it does not tell one that can be read."""
    reply = _ask(server, "GET", "/api/version")
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", str(reply.get("version", "")))
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def installed_models(server: Server | str) -> list[InstalledModel]:
    """The models that Ollama has, newest first."""
    server = _server(server)
    listed = _ask(server, "GET", "/api/tags").get("models")
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        raise server.no_protocol("its list of models is no list")
    return [_installed(entry) for entry in listed if isinstance(entry, dict) and _name(entry)]


def find_model(models: list[InstalledModel], name: str) -> InstalledModel | None:
    """The installed model of that name; a name without a tag means `:latest`."""
    return next((model for model in models if same_model(model.name, name)), None)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in the server's memory."""

    window: int | None
    """It runs with; None on servers before 0.10.0, which do not say."""


def loaded_model(server: Server | str, model: str) -> Loaded | None:
    """The model as it is loaded; None where it is not."""
    running = _ask(server, "GET", "/api/ps").get("models")
    for entry in running if isinstance(running, list) else []:
        if isinstance(entry, dict) and same_model(_name(entry), model):
            return Loaded(number(entry.get("context_length")) or None)
    return None


def served_window(server: Server | str, model: str) -> int | None:
    """The window a loaded model runs with, or None where it is not loaded."""
    loaded = loaded_model(server, model)
    return loaded.window if loaded is not None else None


def trained_window(server: Server | str, model: str) -> int | None:
    """The window the model was trained (or extended) for; None where its file does not say."""
    return model_card(server, model).trained_window


def model_card(server: Server | str, model: str, *, verbose: bool = False) -> ModelCard:
    """What the server knows of a model; `verbose` brings its whole vocabulary (about 5 MB)."""
    body = {"model": model, "verbose": verbose}
    reply = _ask(server, "POST", "/api/show", body=body, model=model)
    info = reply.get("model_info")
    metadata: dict[str, object] = info if isinstance(info, dict) else {}
    architecture = metadata.get("general.architecture")
    template = reply.get("template") or metadata.get("tokenizer.chat_template")
    system = reply.get("system")
    pre_tokenizer = metadata.get("tokenizer.ggml.pre")
    return ModelCard(
        name=model,
        trained_window=number(metadata.get(f"{architecture}.context_length")) or None,
        template=template if isinstance(template, str) else "",
        system=system if isinstance(system, str) else "",
        pre_tokenizer=pre_tokenizer if isinstance(pre_tokenizer, str) else "",
        capabilities=_capabilities(reply),
        metadata=metadata,
    )


def ollama_error(server: Server, model: str, fault: Fault) -> ChatModelError:
    """The error that a fault of Ollama means, with what to do about it."""
    said, status = fault.text.lower(), fault.status
    if fault.too_long:
        return too_long(server, model, fault)
    if status == 404 and fault.is_json:
        return missing(model)
    if "does not support chat" in said:
        return ModelMissing(
            f"{model} is an embedding model and cannot chat. Set HAYLOFT_MODEL to a chat model, "
            "for instance ollama:qwen2:7b."
        )
    if status == 401:
        return ModelUnreachable(
            f"{server.here} asks for an account to run {model}, which is not local. "
            "Choose a local model with HAYLOFT_MODEL, for instance ollama:qwen2:7b."
        )
    if status == 403:
        return ModelUnreachable(
            f"{server.here} turns requests away (403): it does not serve that host name. "
            "Set HAYLOFT_OLLAMA_URL to the server's IP address."
        )
    if status == 503 and fault.is_json:
        return ModelBusy(f"{server.here} has too many requests waiting. Ask again in a moment.")
    if status == 499:
        return ModelBusy(f"{server.here} gave up waiting for {model} to load. Ask again.")
    return _crash(server, model, fault) or unexpected(server, fault)


def missing(model: str) -> ModelMissing:
    """The error for a model that Ollama does not have."""
    return ModelMissing(f"Ollama has no model {model}. Fetch it with `ollama pull {model}`.")


def same_model(left: str, right: str) -> bool:
    """True where both names mean one model; a name without a tag means `:latest`."""
    return _full_name(left) == _full_name(right)


def _crash(server: Server, model: str, fault: Fault) -> ModelCrashed | None:
    said = fault.text.lower()
    if "out-of-memory" in said or "out of memory" in said or "more system memory" in said:
        return ModelCrashed(
            f"{model} does not fit in the memory of {server.here}. Lower HAYLOFT_WINDOW, or take "
            "a smaller model."
        )
    if "timed out waiting" in said:
        return ModelCrashed(
            f"{server.here} took too long to load {model}. Ask again; if it stays so, take a "
            "smaller model."
        )
    if fault.is_json and (fault.status >= 500 or fault.status == 200):
        return ModelCrashed(
            f"{model} failed on {server.here}: {fault.words}. See the log of `ollama serve`, "
            "then ask again."
        )
    return None


def _ask(
    server: Server | str, method: str, path: str, *, body: object = None, model: str = ""
) -> dict[str, object]:
    server = _server(server)
    reply = get_json(server, method, server.url + path, body=body, silence_s=_SHORT_S)
    if isinstance(reply, Fault):
        if not model and reply.status == 404:
            raise server.no_protocol(f"it has no {path}")
        raise ollama_error(server, model or "the model", reply)
    return reply


def _server(server: Server | str) -> Server:
    return server if isinstance(server, Server) else ollama_server(server)


def _host_and_port(place: str, default: int) -> tuple[str, int]:
    bare = place.strip("[]")
    try:
        return str(ipaddress.ip_address(bare)), default
    except ValueError:
        pass
    host, colon, port = place.rpartition(":")
    if not colon:
        host, port = place, ""
    # As Ollama does: a port that is none is not an error, the default is taken.
    number_ = int(port) if port.isascii() and port.isdigit() and int(port) <= 65535 else default
    return host.strip("[]") or "127.0.0.1", number_


def _installed(entry: dict[str, object]) -> InstalledModel:
    found = entry.get("details")
    details: dict[str, object] = found if isinstance(found, dict) else {}
    name = _name(entry)
    tag = name.rpartition(":")[2]
    return InstalledModel(
        name=name,
        digest=_text(entry, "digest"),
        size=number(entry.get("size")) or 0,
        family=_text(details, "family"),
        parameters=_billions(_text(details, "parameter_size")),
        quantization=_text(details, "quantization_level"),
        context_length=number(details.get("context_length")) or None,
        capabilities=_capabilities(entry),
        modified_at=_text(entry, "modified_at"),
        remote=bool(entry.get("remote_host") or entry.get("remote_model"))
        or tag == "cloud"
        or tag.endswith("-cloud"),
    )


def _billions(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)\s*([KMBT])", text.strip(), re.IGNORECASE)
    try:
        amount = float(found[1]) if found else 0.0
    except ValueError:
        return 0.0
    return amount * {"K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}[found[2].upper()] if found else 0.0


def _capabilities(entry: dict[str, object]) -> tuple[str, ...] | None:
    listed = entry.get("capabilities")
    return tuple(str(item) for item in listed) if isinstance(listed, list) else None


def _name(entry: dict[str, object]) -> str:
    return _text(entry, "name") or _text(entry, "model")


def _text(entry: dict[str, object], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _full_name(name: str) -> str:
    name = name.strip().lower().removeprefix("registry.ollama.ai/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
