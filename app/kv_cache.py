"""Whether a server can hold the key-value cache that HAYLOFT_KV_TYPE says it holds.

No server tells the type of its cache. Ollama tells the memory of a loaded model
(`/api/ps`): weights, cache and compute buffers. The buffers' size depends on
version, flash attention and batch, and OLLAMA_NUM_PARALLEL multiplies the
cache, so that memory from above shows nothing: f16 and q8_0 may take the same.
From below it does: where weights and cache alone would take more than there is,
the cache is of a smaller type.
"""

from __future__ import annotations

import logging

from app.chat import ChatModel, ChatModelError
from app.model_catalogue import KV_TYPES, entry_of, kv_bytes, kv_elements
from app.ollama_chat import OllamaChat
from app.ollama_models import running_models
from app.ollama_server import find_model, installed_models, model_card, same_model

log = logging.getLogger(__name__)

_VOCABULARY = 152_064
"""Rows of Qwen2's table of tokens, which may stay out of the count: it is not computed with."""
_ROWS_COST = 1.3
"""A row of that table takes up to so many times what other weights take: it is quantised less."""
_FILE_BESIDE = 0.01
"""Of the file: its vocabulary and metadata, which take no buffer."""


def cache_doubt(model: ChatModel, kv_type: str) -> str:
    """A sentence where the loaded model cannot have a cache of this type; else nothing.

    Empty, too, where nothing tells: another server than Ollama, a model that is
    not loaded, an unknown architecture, a type that Hayloft does not know.
    """
    if not isinstance(model, OllamaChat) or kv_type not in KV_TYPES:
        return ""
    try:
        loaded = next(
            (one for one in running_models(model.server) if same_model(one.name, model.name)), None
        )
        installed = find_model(installed_models(model.server), model.name)
        metadata = model_card(model.server, model.name).metadata
    except ChatModelError as exc:
        log.info("the memory of %s is not known: %s", model.name, exc)
        return ""
    entry, elements = entry_of(metadata), kv_elements(metadata)
    if loaded is None or installed is None or entry is None or elements is None:
        return ""
    if not loaded.window or not loaded.size or not installed.size:
        return ""
    table = _VOCABULARY * entry.width / (entry.parameters * 1e9)
    weights = installed.size * (1 - _FILE_BESIDE - _ROWS_COST * table)
    least = weights + kv_bytes(elements, loaded.window, kv_type)
    if loaded.size >= least:
        return ""
    return (
        f"{model.name} takes {loaded.size / 1e9:.1f} GB in Ollama; with a {kv_type} cache of "
        f"{loaded.window:,} tokens it would take {least / 1e9:.1f} GB at least. It seems that "
        "OLLAMA_KV_CACHE_TYPE is set where Ollama is started: set HAYLOFT_KV_TYPE to the same, "
        "since measurements count for one type."
    )
