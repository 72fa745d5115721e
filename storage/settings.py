"""Settings that writer and reader share, read once at the entry point."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class LogSettings(BaseSettings):
    """What is logged, and how."""

    model_config = SettingsConfigDict(
        env_prefix="HAYLOFT_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class StorageSettings(LogSettings):
    """Where the library lies and which embedding model fills it."""

    data_dir: Path = Path("data")
    """Holds everything Hayloft keeps. Two directories are two independent libraries."""

    chroma_url: str = ""
    """A Chroma server that somebody else runs (`http://host:8000`); empty: our own, on loopback."""

    chroma_token: str = ""
    """Sent as `Authorization: Bearer …` to `chroma_url`, where that server asks for one."""

    chroma_linger_s: float = Field(default=20.0, ge=0.0)
    """Seconds our own Chroma server waits for a next user before it ends."""

    embedder: str = "bundled"
    """`bundled` (all-MiniLM-L6-v2), or a sentence-transformers model by name or folder."""

    embedder_query_prompt: str = ""
    """Leads each query; empty: the model's own; `none`: nothing. `\\n` stands for a new line."""

    embedder_passage_prompt: str = ""
    """Leads each passage, likewise. Another one needs `hayloft ingest --rebuild`."""

    embedder_dimension: int = Field(default=0, ge=0)
    """Keep only so many dimensions of each vector (Matryoshka models); 0: all."""

    embedder_max_tokens: int = Field(default=512, ge=32, le=131_072)
    """Tokens read of one passage at most, even where the model reads more.

    One vector for eight pages finds none of them; models that read 8,192 or
    32,768 tokens are best with passages of some hundred.
    """

    embedder_device: str = ""
    """A torch device (`cuda`, `mps`, `cpu`); empty: the best there is."""

    embedder_dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Numbers the model computes with; float16 halves time and memory on a GPU."""

    embedder_batch: int = Field(default=16, ge=1, le=4096)
    """Texts a forward pass. Short batches, sorted by length, are fastest on a CPU."""

    embedder_engine: Literal["auto", "torch", "onnx", "onnx-int8"] = "auto"
    """What embeds on a CPU; `auto`: the fastest whose vectors keep near to torch's, tried once."""

    threads: int = Field(default=0, ge=0)
    """CPU threads for the embedding model; 0: as many as there are cores."""

    @property
    def tokenizers(self) -> Path:
        """Where the vocabularies of served models are kept."""
        return tokenizers_in(self.data_dir)

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("embedder_query_prompt", "embedder_passage_prompt")
    @classmethod
    def _lines(cls, value: str) -> str:
        return value.replace("\\n", "\n")

    @field_validator("chroma_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")


def tokenizers_in(data_dir: Path) -> Path:
    """Where the vocabularies of served models are kept."""
    return data_dir / "tokenizers"
