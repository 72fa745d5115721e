"""How many tokens a prompt may have: the smallest of what is asked, served and trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.calibration import UNMEASURED_DEPTHS, trusted_window
from app.chat import ChatModel, PromptTooLong
from app.ollama_chat import OllamaChat
from app.ollama_server import find_model, installed_models
from app.placement import Measured
from app.settings import AppSettings


@dataclass(frozen=True, slots=True)
class Budget:
    """What the window leaves for a prompt. Prompt and reserve stay below the smallest window."""

    window: int
    """Asked of the server, and served as far as is known."""
    trusted: int
    reason: str
    """Why no more is trusted, in a sentence."""
    reserve: int
    room: int
    """The most tokens of a prompt."""
    model: str
    """The model's digest, or its name where its server tells none."""
    depths: Measured = UNMEASURED_DEPTHS
    """How the model reads the depths of a prompt."""


def budget_of(model: ChatModel, settings: AppSettings, data_dir: Path) -> Budget:
    """The budget of a model. Raises ChatModelError where its server cannot be asked, and
    PromptTooLong where the reserve alone fills the window."""
    window, reserve = model.window(), settings.reserve
    name = digest_of(model)
    trusted = trusted_window(
        data_dir, name, window, settings.kv_type, override=settings.trusted_window
    )
    room = min(model.room(reserve), trusted.tokens - reserve - 1)
    if room < 1:
        raise PromptTooLong(
            f"The {reserve:,} tokens kept for the answer fill the window: {trusted.tokens:,} are "
            f"trusted of {window:,}. Lower HAYLOFT_RESERVE, or raise HAYLOFT_WINDOW."
        )
    return Budget(window, trusted.tokens, trusted.reason, reserve, room, name, trusted.depths)


def digest_of(model: ChatModel) -> str:
    """What a model's measurements are kept under: its digest, else its name."""
    if isinstance(model, OllamaChat):
        installed = find_model(installed_models(model.server), model.name)
        if installed is not None and installed.digest:
            return installed.digest.removeprefix("sha256:")
    digest = getattr(model, "digest", "")
    if isinstance(digest, str) and digest:
        return digest
    return f"{model.provider} {model.name}"
