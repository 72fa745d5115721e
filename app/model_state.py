"""What one who waits for a model wants to know: whether it is in memory, how fast, who is before.

A server says nothing while it loads a model or reads a prompt: no byte comes before the first
word. So it is asked beside that, and what it cannot say follows from what was measured.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from app.answers import ModelBehind
from app.chat import ChatModel, ChatModelError, ModelLoading
from app.ollama_chat import OllamaChat
from app.ollama_server import loaded_model
from app.openai_chat import OpenAIChat
from app.openai_server import serving
from app.speeds import Speeds

_CONNECT_S = 1.0
"""Who only wants to know how things stand does not wait long for it."""


def behind(model: ChatModel, speeds: Speeds, in_memory: bool | None = None) -> ModelBehind:
    """What is known of a model; its server is asked for its slots where that is not known yet."""
    return ModelBehind(
        name=f"{model.provider} {model.name}",
        slots=_slots(model),
        prefill=speeds.prefill,
        load_s=speeds.load_s,
        in_memory=in_memory,
        loaded=partial(is_loaded, model),
    )


def is_loaded(model: ChatModel) -> bool | None:
    """Whether a model is in its server's memory; None where the server does not say."""
    try:
        if isinstance(model, OllamaChat):
            server = replace(model.server, connect_timeout_s=_CONNECT_S)
            return loaded_model(server, model.name) is not None
        if isinstance(model, OpenAIChat):
            server = replace(model.server, connect_timeout_s=_CONNECT_S)
            return serving(server, model.name).loaded
    except ModelLoading:
        return False
    except ChatModelError:
        return None
    return None


def _slots(model: ChatModel) -> int:
    if not isinstance(model, OpenAIChat):
        return 1  # Ollama tells nobody; its own default is one
    try:
        return model.slots()
    except ChatModelError:
        return 1
