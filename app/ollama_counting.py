"""What the tokens of a model of Ollama are counted with: its own vocabulary, where it is told."""

from __future__ import annotations

import logging
from pathlib import Path

from app.chat_http import Server
from app.ollama_server import ModelCard, model_card
from app.tokens import (
    DEFAULT_SYSTEM,
    EstimatingCounter,
    ExactCounter,
    TokenCounter,
    counter_from_file,
    save_tokenizer,
)
from storage.vocabulary import build_tokenizer, vocabulary_of

log = logging.getLogger(__name__)


def counter_of(
    server: Server,
    model: str,
    card: ModelCard,
    digest: str,
    *,
    own_file: str,
    kept_in: Path | None,
) -> TokenCounter:
    """The counter of a model: exact with its own vocabulary, an estimate without one.

    `own_file` is the tokenizer that the settings name, `kept_in` the folder where
    the vocabularies of served models are kept under their digests.
    """
    if card.pre_tokenizer not in ("qwen2", ""):
        return EstimatingCounter()  # another family's words, which no file of Qwen2 counts
    served = _served_counter(server, model, card, digest, kept_in)
    if served is not None:
        return served
    if own_file:
        return counter_from_file(Path(own_file))
    log.info("no vocabulary for %s: token counts are estimates", model)
    return EstimatingCounter()


def default_system_of(card: ModelCard) -> str:
    """The system prompt that the server adds where a request has none."""
    if card.system:
        return card.system
    if "{%" in card.template and DEFAULT_SYSTEM in card.template:
        return DEFAULT_SYSTEM  # the template inside the GGUF file has Qwen2's own rule
    return ""


def _served_counter(
    server: Server, model: str, card: ModelCard, digest: str, kept_in: Path | None
) -> ExactCounter | None:
    """The vocabulary of the served model itself, kept on disk under the model's digest."""
    if not card.pre_tokenizer:
        return None
    kept = None
    if kept_in is not None and digest.isalnum():
        kept = kept_in / f"{digest}.json"
        if kept.is_file():
            return counter_from_file(kept)
    vocabulary = vocabulary_of(model_card(server, model, verbose=True).metadata)
    if vocabulary is None:
        return None
    tokenizer = build_tokenizer(vocabulary)
    if kept is not None:
        save_tokenizer(tokenizer, kept)
    return ExactCounter(tokenizer)
