"""Qwen2's vocabulary: of a GGUF file, a tokenizer.json or a served model, as a tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from storage.errors import SettingsError
from storage.gguf_file import MAGIC, read_gguf

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


def tokenizer_from_file(path: Path) -> Tokenizer:
    """A tokenizer from a `tokenizer.json` or a GGUF file, told apart by content.

    Raises SettingsError where the file is neither, or is not Qwen2's.
    """
    from tokenizers import Tokenizer

    path = path.expanduser()
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as exc:
        raise SettingsError(
            f"The tokenizer file {path} cannot be read: {exc.strerror or exc}. "
            "Correct HAYLOFT_TOKENIZER."
        ) from exc
    if start == MAGIC:
        vocabulary = vocabulary_of(read_gguf(path))
        if vocabulary is None:
            raise SettingsError(
                f"{path} does not hold Qwen2's vocabulary: set HAYLOFT_TOKENIZER to a GGUF file "
                "of a Qwen2 model."
            )
        return build_tokenizer(vocabulary)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises bare Exception for any file it cannot read
        raise SettingsError(
            f"{path} is neither a tokenizer.json nor a GGUF file: correct HAYLOFT_TOKENIZER."
        ) from exc
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if any(tokenizer.token_to_id(marker) is None for marker in ("<|im_start|>", "<|im_end|>")):
        raise SettingsError(
            f"{path} is not Qwen2's tokenizer: it has no <|im_start|>. Correct HAYLOFT_TOKENIZER."
        )
    return tokenizer


def counting(tokenizer: Tokenizer) -> Callable[[Sequence[str]], list[int]]:
    """Counts the tokens of several texts at once, on all cores."""

    def count(texts: Sequence[str]) -> list[int]:
        encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encoded]

    return count


def fingerprint(tokenizer: Tokenizer) -> str:
    """A digest of all that decides about counts, the same wherever a vocabulary came from."""
    return hashlib.sha256(tokenizer.to_str().encode("utf-8")).hexdigest()


def kept_tokenizer(tokenizers: Path) -> Path | None:
    """The vocabulary of the model that was served last, among those kept in a folder."""
    kept = [path for path in tokenizers.glob("*.json") if path.is_file()]
    return max(kept, key=lambda path: path.stat().st_mtime, default=None)
