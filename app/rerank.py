"""Reading the best passages again, together with the question.

A bi-encoder compares two vectors that were made apart; a cross-encoder reads
question and passage in one go and judges better, at a price: every pair is a
pass through the model, while the user waits. So it orders only the first
candidates, and only where a model is set.

Any LlamaIndex postprocessor plugs in at `app.llama_index_seams.rerank` instead.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from storage.model_folder import ModelSetting, check_whole, folder_of
from storage.records import Hit, context_of
from storage.sound_text import sound

if TYPE_CHECKING:
    from app.settings import AppSettings
    from storage.model_loading import Dtype

log = logging.getLogger(__name__)

_SLACK = 2
"""A cut inside a word can cost a token on either side."""

_HEAD_SHARE = 0.25
"""At most this share of a window goes to the first line, which each window repeats."""

_OVERLAP_SHARE = 0.125
"""Neighbouring windows share this much, so that no sentence lies in none of them whole."""


class Reranker(Protocol):
    """Judges how well texts answer a query."""

    name: str

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """One number in 0..1 a text, higher is better; comparable within one query."""
        ...


class CrossEncoderReranker:
    """A sentence-transformers CrossEncoder from this machine, loaded when first needed.

    Safe to share between threads. A text longer than the model's window is read
    in overlapping windows, each led by the text's first line, and the best
    counts. Raises SettingsError, which names HAYLOFT_RERANKER, where the model
    cannot be used.
    """

    def __init__(
        self,
        setting: str,
        *,
        max_tokens: int = 512,
        device: str = "",
        dtype: Dtype = "float32",
        batch: int = 16,
    ) -> None:
        self.name = setting
        self._setting = ModelSetting(setting, "HAYLOFT_RERANKER", "reranker", "cross-encoder")
        self._max_tokens = max_tokens
        self._device = device
        self._dtype: Dtype = dtype
        self._batch = batch
        self._guard = threading.Lock()
        self._model: Any = None
        self._tokenizer: Any = None
        self._room = 0
        """Tokens of question and passage that fit into one window together."""

    def load(self) -> None:
        """Load the model now rather than at the first question."""
        with self._guard:
            self._load()

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Reranker."""
        if not texts:
            return []
        with self._guard:
            self._load()
            started = time.perf_counter()
            question, room = self._question(sound(query))
            windows = [self._windows(sound(text), room) for text in texts]
            pairs = [(question, window) for parts in windows for window in parts]
            logits = iter(self._logits(pairs))
            best = [max(next(logits) for _ in parts) for parts in windows]
        log.info("reranked %d pairs in %.2f s", len(pairs), time.perf_counter() - started)
        return [_share(logit) for logit in best]

    def _load(self) -> None:
        if self._model is not None:
            return
        started = time.perf_counter()
        folder = folder_of(self._setting)
        check_whole(folder, self._setting, modules=False)
        from storage import model_loading

        model = model_loading.load(
            "CrossEncoder", folder, self._setting, device=self._device, dtype=self._dtype
        )
        if model.num_labels != 1:
            raise self._setting.fault(
                f"sorts pairs into {model.num_labels} classes instead of saying how well a passage "
                "answers. Name a model that was trained for ranking; docs/models.md lists some."
            )
        self._tokenizer = model_loading.fast_tokenizer(model, self._setting)
        limit = model_loading.true_limit(model, self._max_tokens)
        # What a pair costs beside its words: special tokens, or a whole template
        # where the reranker is a language model that is asked "yes or no?".
        framed = model.preprocess([("a", "a")])["input_ids"].shape[-1]
        self._room = limit - (int(framed) - 2 * self._count("a")) - _SLACK
        if self._room < 32:
            raise self._setting.fault(
                f"reads {limit} tokens at once, which leaves no room for a question and a passage. "
                "Raise HAYLOFT_RERANKER_MAX_TOKENS, or choose another model."
            )
        self._model = model
        log.info("loaded %s in %.1f s", self.name, time.perf_counter() - started)

    def _question(self, query: str) -> tuple[str, int]:
        """The query, cut where it would fill half a window, and what it leaves for the text."""
        spans = self._spans(query)
        most = self._room // 2
        if len(spans) > most:
            query = query[: spans[most - 1][1]]
        return query, self._room - self._count(query)

    def _windows(self, text: str, room: int) -> list[str]:
        """A text in parts that fit: as it is where it does, else each led by its first line."""
        if self._count(text) <= room:
            return [text]
        head, newline, body = text.partition("\n")
        if not (newline and body.strip()):
            head, body = "", text
        spans = self._spans(head)
        most = int(room * _HEAD_SHARE)
        if len(spans) > most:
            head, spans = head[: spans[most - 1][1]], spans[:most]
        size = room - len(spans) - _SLACK
        step = size - int(size * _OVERLAP_SHARE)
        tokens = self._spans(body)
        parts = []
        for first in range(0, len(tokens), step):
            last = min(first + size, len(tokens))
            part = body[tokens[first][0] : tokens[last - 1][1]]
            parts.append(f"{head}\n{part}" if head else part)
            if last == len(tokens):
                break
        return parts or [text]

    def _logits(self, pairs: list[tuple[str, str]]) -> list[float]:
        import torch

        try:
            scores = self._model.predict(
                pairs,
                batch_size=self._batch,
                # The raw number: squeezed into float32 0..1, good passages tie at 1.
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        except torch.OutOfMemoryError as exc:
            raise self._setting.fault(
                f"ran out of memory with {self._batch} pairs at once. Lower "
                "HAYLOFT_RERANKER_BATCH, or set HAYLOFT_RERANKER_DTYPE to float16 on a GPU."
            ) from exc
        found = [float(score) for score in scores]
        if not all(math.isfinite(score) for score in found):
            raise self._setting.fault(
                "gives scores that are no numbers. Set HAYLOFT_RERANKER_DTYPE to float32, or "
                "choose another model."
            )
        return found

    def _spans(self, text: str) -> list[tuple[int, int]]:
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [(start, end) for start, end in offsets if end > start]

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def reranker_from(settings: AppSettings) -> Reranker | None:
    """The reranker that the settings name, not loaded yet; None where they name none."""
    if not settings.reranker:
        return None
    return CrossEncoderReranker(
        settings.reranker,
        max_tokens=settings.reranker_max_tokens,
        device=settings.reranker_device,
        dtype=settings.reranker_dtype,
        batch=settings.reranker_batch,
    )


def reading(hit: Hit) -> str:
    """What a reranker reads of a passage: title and heading on the first line, then its text."""
    heading = context_of(hit.heading, hit.text, paged=hit.paged)
    head = " — ".join(part for part in (hit.title or hit.document, heading) if part)
    return f"{head}\n{hit.text}"


def reranked(query: str, hits: Sequence[Hit], reranker: Reranker) -> list[Hit]:
    """The hits in the reranker's order, with its scores; equals keep their order."""
    scores = reranker.score(query, [reading(hit) for hit in hits])
    order = sorted(range(len(hits)), key=lambda i: -scores[i])
    return [replace(hits[i], rank=rank, score=scores[i]) for rank, i in enumerate(order, start=1)]


def _share(logit: float) -> float:
    """A logit as a number in 0..1, in the order of the logits."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    return math.exp(logit) / (1.0 + math.exp(logit))
