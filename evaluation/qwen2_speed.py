"""What Qwen2's own speed benchmark says of Qwen2-7B-Instruct, to stand beside what is measured.

From https://qwen.readthedocs.io/en/v2.0/benchmark/speed_benchmark.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "https://qwen.readthedocs.io/en/v2.0/benchmark/speed_benchmark.html"

LENGTHS = (1, 6144, 14336, 30720, 63488, 129024)
NEW_TOKENS = 2048

FORMATS = ("BF16", "GPTQ-Int8", "GPTQ-Int4", "AWQ")


@dataclass(frozen=True, slots=True)
class Published:
    """One input length, in the order of FORMATS."""

    transformers: tuple[float, ...] | None
    """Tokens a second with Hugging Face transformers."""
    memory_gb: tuple[float, ...] | None
    """GPU memory with transformers."""
    vllm: tuple[float, ...]
    """Tokens a second with vLLM."""


PUBLISHED: Mapping[int, Published] = {
    1: Published(
        (37.97, 30.85, 36.17, 33.08), (14.92, 8.97, 6.06, 5.93), (80.45, 114.32, 143.40, 96.65)
    ),
    6144: Published(
        (34.74, 31.13, 33.34, 30.86), (20.26, 14.31, 11.40, 11.27), (76.41, 107.02, 131.55, 91.38)
    ),
    14336: Published(
        (26.63, 24.58, 25.81, 27.61), (27.71, 21.76, 18.86, 18.72), (66.54, 89.72, 97.93, 76.87)
    ),
    30720: Published(
        (17.49, 16.69, 17.17, 17.87), (42.62, 36.67, 33.76, 33.63), (55.83, 71.58, 81.48, 63.62)
    ),
    63488: Published(None, None, (41.20, 49.37, 54.12, 45.89)),
    129024: Published(None, None, (25.01, 27.73, 29.39, 27.13)),
}

NOTE = (
    "Published: Qwen2-7B-Instruct on one NVIDIA A100 80GB, one request at a time, 2,048 tokens "
    "generated. Comparable: the input length, the single request, and how the speed falls from one "
    "length to the next. Not comparable: hardware, quantisation and engine, and the memory, which "
    "in transformers holds the logits of the whole prompt. Whether their time includes reading the "
    "input is not said; of our two, tokens/s leaves it out and whole/s counts it in."
)
