"""Qwen2's vocabulary: read from a GGUF file or a served model, made into a tokenizer.

Only the header of a GGUF file is read. The `gguf` package builds an array
view for each of the 300,000 strings of Qwen2's vocabulary: 14 s of CPU for
the file that this module reads in 0.2 s (two cores, 2026-11).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from storage.errors import SettingsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# How llama.cpp, and so Ollama, cuts text into words before merging bytes, for
# files whose `tokenizer.ggml.pre` is `qwen2`. It spells out both cases of the
# English contractions where the original says `(?i:...)`.
PRE_TOKENIZER = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# llama.h: token types that are found in running text before anything else.
_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4

_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_LONGEST_STRING = 1 << 26
_LONGEST_ARRAY = 1 << 24


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a byte-pair tokenizer is made of, in the order of the ids."""

    tokens: tuple[str, ...]
    merges: tuple[str, ...]
    """Pairs `left right`, best first."""
    types: tuple[int, ...]
    """llama.cpp's type of each token: 1 normal, 2 unknown, 3 control, 4 user-defined, ..."""


def vocabulary_of(metadata: Mapping[str, object]) -> Vocabulary | None:
    """The vocabulary in GGUF metadata (of a file, or of `/api/show`), if it is Qwen2's kind.

    None where the lists are missing (Ollama sends null without `verbose`) or
    the text is cut in another way than Qwen2's.
    """
    if metadata.get("tokenizer.ggml.pre") != "qwen2":
        return None
    tokens = metadata.get("tokenizer.ggml.tokens")
    merges = metadata.get("tokenizer.ggml.merges")
    types = metadata.get("tokenizer.ggml.token_type")
    if not (isinstance(tokens, list) and isinstance(merges, list) and tokens and merges):
        return None
    if not (isinstance(types, list) and len(types) == len(tokens)):
        return None
    if not all(isinstance(word, str) for word in (*tokens, *merges)):
        return None
    if not all(isinstance(kind, int) for kind in types):
        return None
    return Vocabulary(tuple(tokens), tuple(merges), tuple(types))


def read_gguf(path: Path) -> dict[str, object]:
    """The metadata of a GGUF file (versions 2 and 3, little-endian), tensors left unread.

    Raises SettingsError where the file is not one, or is cut short.
    """
    try:
        with path.open("rb") as file:
            return _metadata(file)
    except (struct.error, EOFError, KeyError, ValueError, MemoryError) as exc:
        raise SettingsError(
            f"{path} is not a GGUF file that can be read: it is damaged or cut short. "
            "Copy or download it again."
        ) from exc
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read: {exc.strerror or exc}.") from exc


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """A tokenizer that gives the ids llama.cpp gives with `parse_special` on.

    llama.cpp does not normalise text for byte-pair vocabularies, although
    Qwen2's own `tokenizer.json` asks for NFC: what counts is what the server
    does, so there is no normaliser here. A `tokenizer.json` keeps its own.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

    pairs = []
    for merge in vocabulary.merges:
        left, _, right = merge.partition(" ")
        pairs.append((left, right))
    ids = {token: n for n, token in enumerate(vocabulary.tokens)}
    try:
        tokenizer = Tokenizer(models.BPE(vocab=ids, merges=pairs))
    except Exception as exc:  # the library raises bare Exception for a merge out of vocabulary
        raise SettingsError(f"The tokenizer's vocabulary does not fit together: {exc}.") from exc
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZER), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    special, defined = [], []
    for token, kind in zip(vocabulary.tokens, vocabulary.types, strict=True):
        if kind in (_UNKNOWN, _CONTROL):
            special.append(AddedToken(token, normalized=False, special=True))
        elif kind == _USER_DEFINED:
            defined.append(AddedToken(token, normalized=False, special=False))
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens(defined)
    return tokenizer


def _metadata(file: BinaryIO) -> dict[str, object]:
    if _take(file, 4) != b"GGUF":
        raise ValueError("no GGUF magic")
    version, _tensors, fields = struct.unpack("<IQQ", _take(file, 20))
    if version not in (2, 3):
        raise ValueError(f"GGUF version {version}")
    metadata: dict[str, object] = {}
    for _ in range(fields):
        name = _string(file)
        (kind,) = struct.unpack("<I", _take(file, 4))
        metadata[name] = _value(file, kind)
    return metadata


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        form = _SCALARS[kind]
        return struct.unpack(form, _take(file, struct.calcsize(form)))[0]
    item, length = struct.unpack("<IQ", _take(file, 12))
    if length > _LONGEST_ARRAY:
        raise ValueError("array too long")
    if item in (_STRING, _ARRAY):
        return [_value(file, item) for _ in range(length)]
    form = _SCALARS[item]
    size = struct.calcsize(form)
    return list(struct.unpack(f"<{length}{form[1:]}", _take(file, size * length)))


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", _take(file, 8))
    if length > _LONGEST_STRING:
        raise ValueError("string too long")
    return _take(file, length).decode("utf-8", "replace")


def _take(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError
    return data
