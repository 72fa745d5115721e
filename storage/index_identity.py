"""What an index was built with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """What an index was built with; vectors of another identity do not compare."""

    embedder: str
    dimension: int
    chunking: str
    """Fingerprint of every setting that decides where chunks begin and end."""
    collection: str
    """The Chroma collection that holds the vectors."""
    passage_prompt: str = ""
    """What led each passage when it was embedded."""
    content: str = ""
    """Digest of the embedding model's files; '' where there were none to read."""
    languages: str = ""
    """What the model reads, separated by spaces (see storage.model_languages)."""

    def to_json(self) -> str:
        """The identity as the catalog keeps it."""
        return json.dumps(asdict(self))
