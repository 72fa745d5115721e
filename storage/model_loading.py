"""Loading a sentence-transformers model from a folder: faults become sentences, code stays out."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from storage.errors import SettingsError
from storage.model_folder import ModelSetting

Dtype = Literal["float32", "float16", "bfloat16"]

# Keys of several layers share a line: `encoder.layer.{0, 1}.output.dense.bias | MISSING |`.
_REPORT = re.compile(r"^(.+?)[ ]*\|[ ]*(?:\x1b\[[0-9;]*m)?(?:MISSING|MISMATCH)", re.MULTILINE)

# Left out of many checkpoints, and used by no sentence vector.
_UNUSED_BY_EMBEDDERS = ("pooler.", "position_ids", "lm_head.", "cls.")


def load(
    kind: Literal["SentenceTransformer", "CrossEncoder"],
    folder: Path,
    setting: ModelSetting,
    *,
    device: str,
    dtype: Dtype,
    **options: Any,
) -> Any:
    """The model in a folder, on a device, in eval mode; the network is never asked.

    Raises SettingsError where it cannot be loaded, where its files do not
    belong together, and where a device or number format is not there.
    """
    # Libraries that count their own processes warn on every fork otherwise.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    # A machine without a network would wait about 90 s for retries.
    os.environ["HF_HUB_OFFLINE"] = "1"
    import sentence_transformers
    import torch
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    check_device(device, setting)
    again = "Fetch the whole folder again, or choose another model; docs/models.md helps."
    with _load_reports() as missing:
        try:
            model = getattr(sentence_transformers, kind)(
                str(folder),
                device=device or None,
                local_files_only=True,
                trust_remote_code=False,
                # Else a model saved as bfloat16 runs as such, slowly on most CPUs.
                model_kwargs={"dtype": getattr(torch, dtype)},
                **options,
            )
        except Exception as exc:
            # Damaged folders fail in as many ways as there are readers of files:
            # JSON, safetensors, pickle, tokenizers, shapes, missing packages.
            why = (
                f"its weights and its config.json do not belong together ({missing[0]})."
                if missing
                else _first_line(exc)
            )
            raise setting.fault(f"cannot be loaded: {why} {again}") from exc
    unused = _UNUSED_BY_EMBEDDERS if kind == "SentenceTransformer" else ("position_ids",)
    lost = [key for key in missing if not any(part in f"{key}." for part in unused)]
    if kind == "CrossEncoder" and any("classifier" in key or "score" in key for key in lost):
        raise setting.fault(
            "is no cross-encoder: its weights hold no scoring head. Name a reranker; "
            "docs/models.md lists some."
        )
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise setting.fault(
            f"cannot be used: its weights lack {lost[0]}{more}, which would be filled with random "
            f"numbers. {again}"
        )
    return model


def check_device(device: str, setting: ModelSetting) -> None:
    """Raise SettingsError for a device that this machine or this build of PyTorch lacks."""
    if not device:
        return
    import torch

    variable = f"{setting.variable}_DEVICE"
    try:
        kind = torch.device(device).type
    except RuntimeError as exc:
        raise SettingsError(
            f"{variable} names {device!r}, which is no device. Set cpu, cuda, cuda:1 or mps, or "
            "leave it empty for the best there is."
        ) from exc
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    index = torch.device(device).index or 0
    if not there.get(kind, True) or (kind == "cuda" and index >= torch.cuda.device_count()):
        raise SettingsError(
            f"{variable} names {device!r}, which PyTorch {torch.__version__} does not find on this "
            "machine. Leave it empty for the best there is, or install PyTorch for that device."
        )


def true_limit(model: Any, wanted: int) -> int:
    """Tokens of one input that a model reads, special ones included, and not more than `wanted`.

    What the tokenizer declares, but no more than there are position
    embeddings: RoBERTa and its kin count positions from `padding_idx + 1`, so
    that of 514 only 512 can be used and a 513th token ends in a fault.
    """
    from torch import nn

    limit = wanted
    declared = model.max_seq_length
    if declared is not None and 0 < declared < limit:
        limit = int(declared)
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, nn.Embedding):
            taken = 0 if table.padding_idx is None else table.padding_idx + 1
            limit = min(limit, table.num_embeddings - taken)
    # A model without any limit, a table of word vectors, cannot be given one.
    if declared is not None and declared != float("inf"):
        model.max_seq_length = limit
    return limit


def fast_tokenizer(model: Any, setting: ModelSetting) -> Any:
    """A copy of the model's tokenizer that neither cuts nor pads: the model's own does both."""
    from tokenizers import Tokenizer

    own = model.tokenizer
    backend = own if isinstance(own, Tokenizer) else getattr(own, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise setting.fault(
            "has no fast tokenizer (tokenizer.json), so text cannot be fitted to it. Choose "
            "another model."
        )
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@contextmanager
def _load_reports() -> Iterator[list[str]]:
    """Collects the weights that a checkpoint lacks, and keeps the library's table of them quiet.

    The library fills them with random numbers and only prints a warning.
    """
    missing: list[str] = []
    logger = logging.getLogger("transformers.modeling_utils")
    level, shown_from = logger.level, logger.getEffectiveLevel()

    def note(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "LOAD REPORT" not in text:
            return record.levelno >= shown_from
        missing.extend(match[1] for match in _REPORT.finditer(text))
        return False

    # Below WARNING, so that the report comes whatever the user's verbosity; at
    # WARNING itself the library also lists the layers it does not shard.
    logger.setLevel(logging.INFO)
    logger.addFilter(note)
    try:
        yield missing
    finally:
        logger.removeFilter(note)
        logger.setLevel(level)


def _first_line(exc: Exception) -> str:
    line = (str(exc).strip() or type(exc).__name__).splitlines()[0].strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
