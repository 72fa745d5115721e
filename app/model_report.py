"""What `hayloft models` shows, gathered: machine, installed models, catalogue, advice."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from app.chat import ModelUnreachable
from app.chat_http import Server
from app.machine import COMPUTE_BYTES, Machine, place, this_machine
from app.model_advice import advise
from app.model_catalogue import CATALOGUE, Entry, entry_of, kv_bytes, kv_elements, needs
from app.ollama_models import Running, running_models
from app.ollama_server import (
    InstalledModel,
    ModelCard,
    installed_models,
    model_card,
    same_model,
    server_version,
)
from app.ollama_store import is_local

Facts = dict[str, Any]


def report(server: Server) -> Facts:
    """All of it as plain data. A server that is not there is part of the report, no error."""
    local = is_local(server.url)
    machine = this_machine() if local else None
    ollama: Facts = {"url": server.url, "reachable": True, "version": None, "local": local}
    installed: list[Facts] = []
    try:
        version = server_version(server)
        ollama["version"] = ".".join(map(str, version)) if version else None
        installed = _installed(server, machine)
    except ModelUnreachable as exc:
        ollama |= {"reachable": False, "fault": str(exc)}
    names = [str(model["name"]) for model in installed]
    return {
        "ollama": ollama,
        "machine": _machine(machine),
        "installed": installed,
        "catalogue": [_catalogued(entry, machine, names) for entry in CATALOGUE],
        "advice": asdict(advise(machine, names)),
    }


def _installed(server: Server, machine: Machine | None) -> list[Facts]:
    running = running_models(server)
    found = []
    for model in installed_models(server):
        loaded = next((run for run in running if same_model(run.name, model.name)), None)
        card = None if model.remote else model_card(server, model.name)
        found.append(_described(model, card, loaded, machine))
    return found


def _described(
    model: InstalledModel, card: ModelCard | None, loaded: Running | None, machine: Machine | None
) -> Facts:
    metadata = card.metadata if card else {}
    trained = card.trained_window if card else model.context_length
    entry = entry_of(metadata)
    capabilities = (card.capabilities if card else None) or model.capabilities
    chats = capabilities is None or "completion" in capabilities
    elements = kv_elements(metadata) if chats else None
    usable = max(trained or 0, entry.usable_window if entry else 0) or None
    memory = (
        [
            {**asdict(need), "fits": _fits(machine, need.total_bytes)}
            for need in needs(model.size, elements, largest=usable)
        ]
        if elements and usable
        else []
    )
    return {
        "name": model.name,
        "digest": model.digest.removeprefix("sha256:")[:12],
        "size_bytes": model.size,
        "parameters_billions": model.parameters or None,
        "quantization": model.quantization,
        "chats": chats,
        "remote": model.remote,
        "trained_window": trained,
        "usable_window": usable,
        "served_window": loaded.window if loaded else None,
        "loaded": loaded is not None,
        "loaded_bytes": loaded.size if loaded else None,
        "loaded_gpu_bytes": loaded.gpu_size if loaded else None,
        "kv_bytes_per_token": kv_bytes(elements, 1, "f16") if elements else None,
        "memory": memory,
    }


def _catalogued(entry: Entry, machine: Machine | None, names: list[str]) -> Facts:
    return {
        "name": entry.name,
        "tag": entry.tag or None,
        "installed": any(same_model(entry.tag, name) for name in names if entry.tag),
        "parameters_billions": entry.parameters,
        "trained_window": entry.trained_window,
        "usable_window": entry.usable_window,
        "kv_bytes_per_token": kv_bytes(entry.kv_elements, 1, "f16"),
        "size_bytes": entry.file_bytes,
        "licence": entry.licence,
        "memory": [
            {**asdict(need), "fits": _fits(machine, need.total_bytes)}
            for need in needs(entry.file_bytes, entry.kv_elements, largest=entry.usable_window)
        ],
    }


def _fits(machine: Machine | None, size: int) -> str:
    return "unknown" if machine is None else place(machine, size)


def _machine(machine: Machine | None) -> Facts | None:
    if machine is None:
        return None
    return {
        "ram_bytes": machine.ram_bytes or None,
        "gpus": None if machine.gpus is None else [asdict(gpu) for gpu in machine.gpus],
        "allowed_for_compute_bytes": COMPUTE_BYTES,
    }
