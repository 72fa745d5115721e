"""The copy of a model with the long window that `hayloft models extend` made, if there is one."""

from __future__ import annotations

from pathlib import Path

from app.chat import ChatModel
from app.extend import extended_name
from app.ollama_chat import OllamaChat
from app.ollama_server import find_model, installed_models
from app.served_windows import ServedWindows
from app.settings import AppSettings

LONG_WINDOW = 131_072


def long_copy(model: ChatModel, settings: AppSettings, data_dir: Path) -> ChatModel | None:
    """The copy, asked for all of its window; None where there is none.

    Static YaRN reads short prompts a little worse, so it is only taken for
    prompts that need it. Raises ChatModelError where the server is away.
    """
    if not isinstance(model, OllamaChat):
        return None
    name = extended_name(model.name, LONG_WINDOW)
    if find_model(installed_models(model.server), name) is None:
        return None
    stretched = settings.model_copy(update={"window": LONG_WINDOW})
    return OllamaChat(
        name, stretched, tokenizers=data_dir / "tokenizers", windows=ServedWindows(data_dir)
    )
