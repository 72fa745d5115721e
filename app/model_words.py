"""Which model answers, and why none does, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.wording import t

if TYPE_CHECKING:
    from app.resources import ModelAtHand


def model_words(found: ModelAtHand) -> str:
    """What answers now; a model's name stays as it is."""
    if found.model is not None:
        return found.label
    return t("not available") if found.fault is not None else t("none: quotes only")


def notice_words(notice: str) -> str:
    """Why no model answers; what a server said of itself stays as it is."""
    from app.model_choice import NO_MODEL

    if notice == NO_MODEL:
        return t(
            "No chat model found: answers are extractive quotes. For written answers install "
            "Ollama and run `ollama pull qwen2:7b`."
        )
    return notice or t("HAYLOFT_MODEL is set to extractive: no model writes answers.")
