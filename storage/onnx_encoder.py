"""An encoder run by ONNX Runtime: one text a run, as many runs at once as there are threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from storage.onnx_graph import POOLED, STATES, Encoder, graph_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class OnnxEncoder:
    """Pooled vectors of texts, not yet of unit length.

    Each run keeps to one thread: threads that share a text's matrices wait for
    each other at every product, most of all where other programs want the
    cores too. Raises whatever ONNX Runtime raises; the caller has another way.
    """

    def __init__(self, model: Any, encoder: Encoder, *, eight_bit: bool, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Texts differ in length, so that the memory of one run is no plan for the next.
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            graph_of(encoder, eight_bit=eight_bit), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = model.tokenizer
        self._encoder = encoder
        self._threads = max(1, threads)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (len(texts), width). A text's vector does not depend on the others."""
        import numpy as np

        tokens = self._tokenizer(
            list(texts),
            truncation="longest_first",
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        vectors = np.empty((len(texts), self._encoder.width), dtype=np.float32)

        def run(row: int) -> None:
            states = self._encoder.states(np.asarray(tokens[row], dtype=np.int64))
            vectors[row] = self._session.run([POOLED], {STATES: states})[0][0]

        # The longest first, so that the threads end together.
        rows = sorted(range(len(texts)), key=lambda row: -len(tokens[row]))
        if min(self._threads, len(rows)) == 1:
            for row in rows:
                run(row)
            return vectors
        with ThreadPoolExecutor(min(self._threads, len(rows)), "hayloft-embed") as pool:
            list(pool.map(run, rows))
        return vectors
