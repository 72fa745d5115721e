"""The engines that can embed with a loaded model, and the one that does.

Torch always can. Every other engine is taken only after it gave the same vectors,
or near ones, on this machine, and dropped at its first fault: with one line in
the log, and torch goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from storage.engine_choice import (
    TEXTS,
    Choice,
    Encode,
    Engine,
    choice_of,
    compared,
    keep_choice,
    kept_choice,
    machine,
)
from storage.onnx_graph import NotSupported, encoder_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from storage.onnx_encoder import OnnxEncoder

log = logging.getLogger(__name__)

Asked = Literal["auto", "torch", "onnx", "onnx-int8"]

T = TypeVar("T")

_OTHERS: tuple[Engine, ...] = ("onnx", "onnx-int8")
_TORCH = Choice("torch", "torch", {})

WORTH_A_PROBE = 128
"""Passages in one call from which on choosing pays: it takes as long as embedding about 80."""

_AT_HAND = 24
"""Passages at hand that a probe takes, beside the made-up texts."""

_QUERIES_BEFORE = 2
"""Queries that torch embeds first: a command that asks once would build the engine for nothing."""


class EmbeddingEngines:
    """Embeds passages and short queries with the engine that was chosen.

    `passages` and `query` are the ways of torch, which vectors are compared with.
    `folder` keeps the choice, where there is one. Not safe to share between
    threads; its owner calls it under a lock.
    """

    def __init__(
        self,
        model: Any,
        *,
        passages: Encode,
        query: Encode,
        prompts: tuple[str, str],
        dimension: int,
        asked: Asked,
        threads: int,
        made_for: Mapping[str, str | int],
        folder: Path | None,
    ) -> None:
        self._model = model
        self._torch_passages, self._torch_query = passages, query
        self._query_prompt, self._passage_prompt = prompts
        self._dimension = dimension
        self._asked = asked
        self._threads = threads
        self._made_for = made_for
        self._folder = folder
        self._built: dict[Engine, OnnxEncoder] = {}
        self._choice: Choice | None = None
        if asked == "torch" or model.device.type != "cpu":
            self._choice = _TORCH
        self._looked = False
        self._queries = 0
        self._building: threading.Thread | None = None

    @property
    def choice(self) -> Choice | None:
        """What has been chosen, by an earlier process too; None as long as nothing had to be."""
        if self._choice is None and self._asked == "auto":
            self._choice = self._kept()
        return self._choice

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, of unit length up to rounding."""
        choice = self._chosen(texts)
        if choice is not None and choice.passages != "torch":
            engine = choice.passages
            vectors = self._tried(engine, lambda: self._with(engine, self._passage_prompt)(texts))
            if vectors is not None:
                return vectors
        return self._torch_passages(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of one short query: shape (dimension,)."""
        choice = self._chosen(())
        if choice is not None and choice.queries == "onnx" and self._ready():
            vectors = self._tried("onnx", lambda: self._with("onnx", self._query_prompt)([text]))
            if vectors is not None:
                return _only(vectors)
        return _only(self._torch_query([text]))

    def _chosen(self, texts: Sequence[str]) -> Choice | None:
        """The choice there is, or was kept, or can be made with these texts."""
        if self._choice is not None:
            return self._choice
        asked = self._asked
        if asked == "auto":
            found = self._tried("the choice of an engine", lambda: self._found(texts))
            self._choice = found or self._choice
        elif asked != "torch" and texts:
            self._choice = self._tried(asked, lambda: self._checked(asked)) or _TORCH
        return self._choice

    def _found(self, texts: Sequence[str]) -> Choice | None:
        """What an earlier process chose, or what these texts are enough to choose with."""
        kept = self._kept()
        if kept is None and len(texts) >= WORTH_A_PROBE:
            return self._probed(texts)
        return kept

    def _kept(self) -> Choice | None:
        """The choice of an earlier process, looked for once."""
        if self._looked or self._folder is None:
            return None
        self._looked = True
        return kept_choice(self._folder, self._key())

    def _probed(self, texts: Sequence[str]) -> Choice:
        """The fastest of all engines, found by trying."""
        began = time.perf_counter()
        by_length = sorted(texts, key=len)
        at_hand = by_length[:: len(texts) // _AT_HAND][:_AT_HAND]
        passages: dict[Engine, Encode] = {"torch": self._torch_passages}
        for engine in _OTHERS:
            passages[engine] = self._with(engine, self._passage_prompt)
        queries: dict[Engine, Encode] = {
            "torch": self._torch_query,
            "onnx": self._with("onnx", self._query_prompt),
        }
        # By length, so that each round has long and short ones.
        choice = choice_of(passages, queries, sorted([*at_hand, *TEXTS], key=len))
        if self._folder is not None:
            keep_choice(self._folder, self._key(), choice)
        for engine in _OTHERS:
            if engine != choice.passages:
                self._built.pop(engine, None)
        log.info(
            "embedding with %s, chosen in %.1f s: %s",
            choice.passages,
            time.perf_counter() - began,
            "; ".join(f"{name} {f}" for name, f in choice.figures.items() if name != "torch"),
        )
        return choice

    def _checked(self, asked: Engine) -> Choice:
        """The engine that was asked for, where its vectors hold beside torch's."""
        engines: dict[Engine, Encode] = {
            "torch": self._torch_passages,
            asked: self._with(asked, self._passage_prompt),
        }
        found = compared(engines, TEXTS, rounds=1)[asked]
        if not (found.near if asked == "onnx-int8" else found.same):
            raise ValueError(f"its vectors are too far from torch's: {found}")
        return Choice(asked, "onnx", {asked: found})

    def _key(self) -> dict[str, str | int]:
        return {**self._made_for, "threads": self._threads, **machine()}

    def _ready(self) -> bool:
        """Whether the engine of queries stands; built beside the third one, which does not wait."""
        if "onnx" in self._built:
            return True
        self._queries += 1
        if self._queries > _QUERIES_BEFORE and self._building is None:
            self._building = threading.Thread(
                target=self._build_quietly, name="hayloft-query-engine", daemon=True
            )
            self._building.start()
        return False

    def _build_quietly(self) -> None:
        self._tried("onnx", lambda: self._build("onnx"))

    def _tried(self, engine: str, work: Callable[[], T]) -> T | None:
        """What some work with an engine gives; None where it fails, and torch it is from now on."""
        try:
            return work()
        except NotSupported as exc:
            level = logging.INFO if self._asked == "auto" else logging.WARNING
            log.log(level, "embedding with torch: no other engine takes the model, since %s", exc)
        except Exception as exc:  # noqa: BLE001 - whatever a build of ONNX Runtime comes up with
            why = (str(exc).strip() or type(exc).__name__).splitlines()[0]
            log.warning("embedding with torch from now on: %s failed (%s)", engine, why)
        self._choice = _TORCH
        self._built.clear()
        return None

    def _with(self, engine: Engine, prompt: str) -> Encode:
        """One engine's way from texts to unit vectors."""
        built = self._build(engine)

        def encode(texts: Sequence[str]) -> NDArray[np.float32]:
            vectors = built.encode([prompt + text for text in texts])
            return unit(vectors[:, : self._dimension])

        return encode

    def _build(self, engine: Engine) -> OnnxEncoder:
        built = self._built.get(engine)
        if built is None:
            from storage.onnx_encoder import OnnxEncoder

            built = OnnxEncoder(
                self._model,
                encoder_of(self._model),
                eight_bit=engine == "onnx-int8",
                threads=self._threads,
            )
            self._built[engine] = built
        return built


def _only(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    row: NDArray[np.float32] = vectors[0]
    return row


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit length in float32: computed in float16, it is off by some ten thousandths."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.float32(1e-12)), dtype=np.float32)
