"""Managing Ollama's models: what is loaded, fetching one, making one from a file."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.chat import BadReply, ChatModelError, ModelCrashed, ModelMissing, ModelUnreachable
from app.chat_http import (
    Fault,
    Server,
    encode,
    fault_of,
    get_json,
    json_line,
    lines,
    number,
    parse_fault,
    read_body,
)
from app.ollama_server import ollama_error, same_model
from storage.errors import StorageError

log = logging.getLogger(__name__)

CREATES_FROM_FILES = (0, 5, 5)
"""Ollama takes `files` in `/api/create` since this version; before, a Modelfile."""

_SHORT_S = 30.0
_UPLOAD_CHUNK = 1 << 20

FaultError = Callable[[Fault], ChatModelError | StorageError]


@dataclass(frozen=True, slots=True)
class Running:
    """One model that Ollama has in memory, as `/api/ps` lists it."""

    name: str
    window: int | None
    """The window it really runs with; None on servers that do not say."""
    size: int
    """Bytes of weights, cache and buffers."""
    gpu_size: int
    """Of these, on graphics cards."""


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a download."""

    status: str
    """In Ollama's words: `pulling manifest`, `pulling 8b1c…`, `success`."""
    digest: str = ""
    total: int = 0
    completed: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model is made of beside its weights, as `/api/show` tells it."""

    metadata: dict[str, object]
    modelfile: str
    template: str
    """The Go template; empty for a model that only has the one inside its GGUF file."""
    system: str
    license: str
    parameters: dict[str, object]
    messages: list[object]
    renderer: str
    parser: str


def running_models(server: Server) -> list[Running]:
    """The models that Ollama has in memory."""
    reply = get_json(server, "GET", f"{server.url}/api/ps", silence_s=_SHORT_S)
    if isinstance(reply, Fault):
        raise ollama_error(server, "the model", reply)
    listed = reply.get("models")
    return [
        Running(
            name,
            number(entry.get("context_length")) or None,
            number(entry.get("size")) or 0,
            number(entry.get("size_vram")) or 0,
        )
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
        and isinstance(name := entry.get("name") or entry.get("model"), str)
    ]


def recipe_of(server: Server, name: str) -> Recipe:
    """What a model is made of. Raises ModelMissing where the server does not have it."""
    reply = get_json(
        server, "POST", f"{server.url}/api/show", body={"model": name}, silence_s=_SHORT_S
    )
    if isinstance(reply, Fault):
        raise ollama_error(server, name, reply)
    metadata = reply.get("model_info")
    messages = reply.get("messages")
    modelfile = _text(reply, "modelfile")
    return Recipe(
        metadata=metadata if isinstance(metadata, dict) else {},
        modelfile=modelfile,
        template=_text(reply, "template"),
        system=_text(reply, "system"),
        license=_text(reply, "license"),
        parameters=parse_parameters(_text(reply, "parameters")),
        messages=messages if isinstance(messages, list) else [],
        renderer=_modelfile_word(modelfile, "RENDERER"),
        parser=_modelfile_word(modelfile, "PARSER"),
    )


def parse_parameters(text: str) -> dict[str, object]:
    """The parameters that `/api/show` prints as text, a name and a Go value a line.

    `stop` may stand there several times and is always a list.
    """
    found: dict[str, object] = {}
    for line in text.splitlines():
        name, _, written = line.strip().partition(" ")
        written = written.strip()
        if not written:
            continue
        try:
            value: object = json.loads(written)
        except ValueError:
            value = written.strip('"')
        if name == "stop" or name in found:
            before = found.get(name, [])
            found[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            found[name] = value
    return found


def pull(server: Server, name: str) -> Iterator[Step]:
    """Have Ollama fetch a model: its messages, the last of them `success`.

    Ollama keeps what it has of an interrupted download and goes on from there
    when asked again; closing the iterator interrupts it. Raises ModelMissing
    where its library does not have the model, StorageError where the server's
    disk is full, ModelUnreachable where the network or the server is gone.
    """
    again = f"Run `hayloft models pull {name}` again: it goes on where it stopped."
    last = ""
    try:
        for line in _stream(
            server, "/api/pull", {"model": name}, lambda fault: _pull_error(server, name, fault)
        ):
            last = _text(line, "status")
            yield Step(
                last,
                _text(line, "digest"),
                number(line.get("total")) or 0,
                number(line.get("completed")) or 0,
            )
    except ModelUnreachable as exc:
        raise ModelUnreachable(f"{exc} {again}" if again not in str(exc) else str(exc)) from exc
    if last != "success":
        raise BadReply(f"{server.here} stopped before {name} was complete. {again}")


def has_blob(server: Server, digest: str) -> bool:
    """True where the server has the file with that SHA-256 already."""
    with server.client() as client, server.translated(_SHORT_S):
        return client.head(f"{server.url}/api/blobs/sha256:{digest}").status_code == 200


def upload_blob(
    server: Server,
    path: Path,
    digest: str,
    *,
    watch: Callable[[int, int], None] | None = None,
) -> None:
    """Give the server a file, in pieces; it checks the digest itself."""
    size = path.stat().st_size

    def pieces() -> Iterator[bytes]:
        sent = 0
        with path.open("rb") as file:
            while piece := file.read(_UPLOAD_CHUNK):
                yield piece
                sent += len(piece)
                if watch is not None:
                    watch(sent, size)

    with server.client() as client, server.translated():
        response = client.post(
            f"{server.url}/api/blobs/sha256:{digest}",
            content=pieces(),
            headers={
                "content-type": "application/octet-stream",
                "content-length": str(size),
            },
        )
        if response.status_code not in (200, 201):
            fault = fault_of(server, response, response.text)
            if "no space left" in fault.text.lower():
                raise _disk_full("the file")
            if "digest mismatch" in fault.text.lower():
                raise BadReply(
                    f"{server.here} received another file than was sent: the copy was damaged on "
                    "the way. Try again."
                )
            raise ollama_error(server, "the file", fault)


def create(server: Server, name: str, digest: str, recipe: Recipe | None) -> Iterator[str]:
    """Make a model from an uploaded file and the recipe of another; Ollama's own messages.

    Without a recipe the chat template inside the file counts. Nothing of the
    recipe is changed, but for `typical_p`, which new servers refuse.
    """
    body: dict[str, object] = {"model": name, "files": {"model.gguf": f"sha256:{digest}"}}
    if recipe is not None:
        kept = {key: value for key, value in recipe.parameters.items() if key != "typical_p"}
        given = {
            "template": recipe.template,
            "system": recipe.system,
            "license": recipe.license,
            "parameters": kept,
            "messages": recipe.messages,
            "renderer": recipe.renderer,
            "parser": recipe.parser,
        }
        body |= {key: value for key, value in given.items() if value}
    last = ""

    def refused(fault: Fault) -> ChatModelError | StorageError:
        if "no space left" in fault.text.lower():
            return _disk_full(name)
        return ModelCrashed(f"{server.here} could not make {name}: {fault.words}.")

    for line in _stream(server, "/api/create", body, refused):
        last = _text(line, "status")
        yield last
    if last != "success":
        raise BadReply(
            f"{server.here} stopped before {name} was made. See its log, then try again."
        )


def unload(server: Server, name: str) -> None:
    """Have a model give its memory back; nothing where it is not loaded."""
    reply = get_json(
        server,
        "POST",
        f"{server.url}/api/generate",
        body={"model": name, "keep_alive": 0, "stream": False},
        silence_s=_SHORT_S,
    )
    if isinstance(reply, Fault):
        raise ollama_error(server, name, reply)


def load(
    server: Server, name: str, window: int, *, keep_alive: str | None = "1m"
) -> Running | None:
    """Load a model with a window, by the smallest question there is; how it then runs.

    `keep_alive` says for how long; None: as the server is set. None is
    returned where the server does not list it afterwards. Raises ModelCrashed
    where it does not fit in memory.
    """
    body: dict[str, object] = {
        "model": name,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
        "truncate": False,
        "shift": False,
        "options": {"num_ctx": window, "num_predict": 1},
    }
    if keep_alive is not None:
        body["keep_alive"] = keep_alive  # a minute: long enough to look, not to keep the memory
    reply = get_json(
        server,
        "POST",
        f"{server.url}/api/chat",
        body=body,
        silence_s=server.answer_timeout_s,
    )
    if isinstance(reply, Fault):
        raise ollama_error(server, name, reply)
    return next((model for model in running_models(server) if same_model(model.name, name)), None)


def _stream(
    server: Server, path: str, body: dict[str, object], error: FaultError
) -> Iterator[dict[str, object]]:
    """The lines of a streamed answer; an error, by status or by line, is raised."""
    with (
        server.client() as client,
        server.translated(),
        client.stream(
            "POST",
            server.url + path,
            content=encode(body),
            headers={"content-type": "application/json"},
            timeout=httpx.Timeout(server.answer_timeout_s, connect=server.connect_timeout_s),
        ) as response,
    ):
        if response.status_code != 200:
            raise error(fault_of(server, response, read_body(server, response)))
        for text in lines(server, response):
            line = json_line(server, text)
            if line.get("error") is not None:
                raise error(parse_fault(200, line))
            yield line


def _pull_error(server: Server, name: str, fault: Fault) -> ChatModelError | StorageError:
    said = fault.text.lower()
    again = f"Run `hayloft models pull {name}` again: it goes on where it stopped."
    if "no space left" in said or "not enough space" in said:
        return _disk_full(name)
    if "newer version of ollama" in said or "412" in said:
        return ModelMissing(f"{name} needs a newer Ollama than {server.here}. Update Ollama.")
    if "file does not exist" in said or "manifest unknown" in said or "not found" in said:
        return ModelMissing(
            f"Ollama's library has no model {name}. `hayloft models` lists names that it has."
        )
    if "unauthorized" in said or "access denied" in said:
        return ModelMissing(
            f"Ollama's library does not give {name} to everyone: it asks to sign in."
        )
    if "invalid model name" in said or "name is required" in said:
        return ModelMissing(f"{name} is no name of a model. Names look like qwen2:7b.")
    if "digest mismatch" in said:
        return BadReply(f"A part of {name} arrived damaged and was thrown away. {again}")
    if re.search(r"dial tcp|lookup|timeout|connection|network|max retries|eof|tls", said):
        return ModelUnreachable(
            f"{server.here} cannot reach its library ({fault.words}). Check that machine's "
            f"network. {again}"
        )
    if not fault.is_json:
        return ollama_error(server, name, fault)
    return ModelCrashed(f"{server.here} could not fetch {name}: {fault.words}. {again}")


def _disk_full(what: str) -> StorageError:
    return StorageError(
        f"The disk on which Ollama keeps its models has no room for {what}. Free some space "
        "(`ollama rm` removes a model) and run the command again."
    )


def _modelfile_word(modelfile: str, name: str) -> str:
    found = re.search(rf"^{name}\s+(\S+)\s*$", modelfile, re.MULTILINE)
    return found[1] if found else ""


def _text(entry: dict[str, object], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
