"""A model's folder on this machine: where it lies, whether it is whole, what it declares.

Nothing here loads a model: the files are read, which takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.errors import SettingsError

QUERY_PROMPTS = (
    "query",
    "search_query",
    "retrieval.query",
    "retrieval_query",
    "Retrieval-query",
    "s2p_query",
    "web_search_query",
)
"""Names under which models keep the prompt of a query, the usual one first."""

PASSAGE_PROMPTS = (
    "document",
    "passage",
    "corpus",
    "search_document",
    "retrieval.passage",
    "retrieval_document",
    "Retrieval-document",
)

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = (
    "tokenizer.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
)
_POINTER = b"version https://git-lfs"
_SAMPLES = 16
_SAMPLE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class ModelSetting:
    """A setting that names a model."""

    value: str
    """A folder, or a name as model hubs have it ("intfloat/multilingual-e5-small")."""
    variable: str
    """The environment variable, for messages."""
    kind: str
    """"embedding model" or "reranker", for messages."""
    organization: str
    """What a name without a slash belongs to, by the habit of sentence-transformers."""

    def fault(self, what: str) -> SettingsError:
        """An error that names the model and its setting; `what` ends the sentence."""
        return SettingsError(f"The {self.kind} {self.value!r} ({self.variable}) {what}")


def folder_of(setting: ModelSetting) -> Path:
    """The folder that holds a model: the one named, or the hub's copy on this machine.

    Raises SettingsError where there is none; nothing is ever downloaded.
    """
    folder = Path(setting.value).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise setting.fault("is a file. Name the folder that holds the model.")
    cached = _cached(setting)
    if cached is None:
        raise setting.fault(
            "is not on this machine: there is no folder of that name, and no copy of a model hub "
            "holds it. Hayloft downloads nothing by itself; docs/models.md says how to fetch one."
        )
    return cached


def check_whole(folder: Path, setting: ModelSetting, *, modules: bool) -> None:
    """Raise SettingsError where files are missing, half-fetched, or want to run code of their own.

    With `modules` the folder has to say how vectors are pooled (`modules.json`):
    guessing that gives vectors that look right and find little.
    """
    again = "Fetch the whole folder again; docs/models.md says how."
    made_as = (_json(folder / "config_sentence_transformers.json", setting, again) or {}).get(
        "model_type", "SentenceTransformer" if modules else "CrossEncoder"
    )
    if modules and made_as != "SentenceTransformer":
        raise setting.fault(
            f"is a {made_as} and makes no sentence vectors. Name a bi-encoder; docs/models.md "
            "lists some."
        )
    if not modules and made_as != "CrossEncoder":
        raise setting.fault(
            "is no cross-encoder: it embeds texts and scores no pairs. Name a reranker; "
            "docs/models.md lists some."
        )
    declared = _json(folder / "modules.json", setting, again)
    places = {folder}
    if declared is None:
        if modules:
            raise setting.fault(
                "has no modules.json, so it is no sentence-transformers model, or only a part of "
                f"one, and how its vectors are made is not known. {again}"
            )
        config = _json(folder / "config.json", setting, again)
        if config is None:
            raise setting.fault(f"has no config.json. {again}")
        if str((config.get("architectures") or [""])[0]).endswith("ForCausalLM"):
            raise setting.fault(
                "is a language model, and its folder does not say how to ask it (modules.json). "
                "Use a version of it that was made for sentence-transformers."
            )
    for module in declared or ():
        kind, part = str(module.get("type", "")), str(module.get("path", ""))
        if not kind.startswith("sentence_transformers."):
            raise _foreign_code(setting, kind)
        if part and (folder / part).is_dir():
            places.add(folder / part)
        # Git keeps no empty folders, and modules without settings have nothing to keep.
        elif part and not kind.endswith(("Normalize", "Dropout")):
            raise setting.fault(f"lacks its part {part!r}. {again}")
    config = _json(folder / "config.json", setting, again) or {}
    if config.get("auto_map") and not _known_architecture(str(config.get("model_type", ""))):
        raise _foreign_code(setting, str(config.get("model_type", "")))
    tokenizers = [place / name for place in places for name in _TOKENIZERS]
    if not any(path.is_file() for path in tokenizers):
        raise setting.fault(f"has no tokenizer (tokenizer.json). {again}")
    for path in tokenizers:
        if path.name == "tokenizer.json" and path.is_file() and not _ends_in_brace(path):
            raise setting.fault(f"has a damaged file, {path.name}: it was fetched in part. {again}")
    weights = [path for place in places for glob in _WEIGHTS for path in place.glob(glob)]
    if not weights:
        raise setting.fault(f"has no weights (model.safetensors). {again}")
    for path in weights:
        _check_weights(path, setting, again)
    for index in folder.glob("*.index.json"):
        shards = (_json(index, setting, again) or {}).get("weight_map", {})
        for shard in sorted(set(shards.values())):
            if not (folder / shard).exists():
                raise setting.fault(f"lacks the file {shard}. {again}")


def declared_prompts(folder: Path) -> tuple[str, str]:
    """The query and the passage prompt that a model's own settings name; '' where none.

    Read here and not by the library, which takes "document" (empty by default)
    before "passage" and so never reaches the passage prompt of an e5 model.
    """
    declared = _read(folder / "config_sentence_transformers.json") or {}
    prompts = declared.get("prompts") or {}
    default = prompts.get(declared.get("default_prompt_name") or "", "")
    return (
        _first(prompts, QUERY_PROMPTS) or default,
        _first(prompts, PASSAGE_PROMPTS)
        or (default if declared.get("default_prompt_name") not in QUERY_PROMPTS else ""),
    )


def content_digest(folder: Path) -> str:
    """A short digest that changes when the model in a folder becomes another one.

    Covers the architecture, the pooling, the tokenizer and the weights. Of the
    weights only size and samples are read, 256 kB a file: training moves
    nearly every number, so a few suffice.
    """
    digest = hashlib.sha256()
    places = [folder, *(folder / path for path in _module_paths(folder))]
    for place in places:
        digest.update(place.relative_to(folder).as_posix().encode())
        for name in ("modules.json", "config.json", "sentence_bert_config.json"):
            _add(digest, place / name)
        tokenizer = next((place / name for name in _TOKENIZERS if (place / name).exists()), None)
        if tokenizer is not None:
            _add(digest, tokenizer)
        # Where both forms lie side by side, safetensors is what is loaded.
        weights = next((found for glob in _WEIGHTS if (found := sorted(place.glob(glob)))), [])
        for path in weights:
            _add_samples(digest, path)
    return digest.hexdigest()[:16]


def _cached(setting: ModelSetting) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name = setting.value
    if "/" not in name:
        name = f"{setting.organization}/{name}"
    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=True,
                cache_dir=os.environ.get("SENTENCE_TRANSFORMERS_HOME") or None,
            )
        )
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return None


def _foreign_code(setting: ModelSetting, what: str) -> SettingsError:
    return setting.fault(
        f"brings program code of its own ({what}), which Hayloft never runs. Choose a model that "
        "works without `trust_remote_code`."
    )


def _known_architecture(model_type: str) -> bool:
    """Whether the installed library has an architecture itself, whatever code lies beside it."""
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


def _check_weights(path: Path, setting: ModelSetting, again: str) -> None:
    """A weights file that was cut off, or whose place only Git LFS's pointer holds, is named."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(max(8, len(_POINTER)))
        if head.startswith(_POINTER):
            raise setting.fault(
                f"holds a Git LFS pointer instead of the weights ({path.name}). Run `git lfs "
                "pull` in the folder, or fetch it again."
            )
        whole = size > 8
        if whole and path.suffix == ".safetensors":
            length = int.from_bytes(head[:8], "little")
            whole = 8 + length <= size
            if whole:
                file.seek(8)
                whole = 8 + length + _data_length(file.read(length)) == size
    if not whole:
        raise setting.fault(f"has a damaged file, {path.name}: it was fetched in part. {again}")


def _ends_in_brace(path: Path) -> bool:
    """Whether a JSON object was written to its end; parsing 17 MB for that takes 0.3 s."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return file.read().rstrip().endswith(b"}")


def _data_length(header: bytes) -> int:
    """Bytes of tensors that a safetensors header announces; -1 where it cannot be read."""
    try:
        entries = json.loads(header)
        ends = [e["data_offsets"][1] for name, e in entries.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return -1
    return max(ends, default=0)


def _module_paths(folder: Path) -> list[str]:
    declared = _read(folder / "modules.json") or []
    paths = [str(module.get("path", "")) for module in declared if isinstance(module, dict)]
    return [path for path in paths if path and (folder / path).is_dir()]


def _first(prompts: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((str(prompts[name]) for name in names if prompts.get(name)), "")


def _json(path: Path, setting: ModelSetting, again: str) -> Any:
    """A JSON file's value, None where there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise setting.fault(f"has a damaged file, {path.name}. {again}") from exc


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _add(digest: Any, path: Path) -> None:
    if path.is_file():
        digest.update(path.name.encode())
        digest.update(path.read_bytes())


def _add_samples(digest: Any, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{path.name}:{size}".encode())
    with path.open("rb") as file:
        for i in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * i // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
