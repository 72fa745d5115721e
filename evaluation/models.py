"""The chat model that an evaluation cannot do without."""

from __future__ import annotations

from pathlib import Path

from app.chat import ChatModel
from app.model_choice import NO_MODEL, choose_model
from app.settings import AppSettings
from storage.errors import ServiceUnavailable


def chat_model(settings: AppSettings, data_dir: Path) -> ChatModel:
    """The model of the settings. Raises ServiceUnavailable where there is none."""
    choice = choose_model(settings, data_dir=data_dir)
    if choice.model is not None:
        return choice.model
    why = choice.notice.removeprefix("Answers are extractive quotes. ")
    if why and why != NO_MODEL:
        raise ServiceUnavailable(f"No chat model to measure. {why}")
    raise ServiceUnavailable(
        "No chat model to measure. Install Ollama, start it with `ollama serve` and run "
        "`ollama pull qwen2:7b`; or set HAYLOFT_OPENAI_URL to a server that runs one."
    )
