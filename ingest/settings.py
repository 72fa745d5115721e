"""Settings of the ingestion job, read once at the entry point."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class IngestSettings(BaseSettings):
    """Limits and sizes of the ingestion job."""

    model_config = SettingsConfigDict(
        env_prefix="HAYLOFT_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    chunk_tokens: int = Field(default=0, ge=0)
    """Word pieces a chunk, title and heading included; 0: as many as the embedder reads."""

    chunk_overlap: int = Field(default=32, ge=0)
    """Word pieces that neighbouring chunks of one page share."""

    parse_timeout_s: float = Field(default=300.0, gt=0)
    """Longest time one file may take to parse."""

    parse_memory_mb: int = Field(default=2048, ge=256)
    """Memory the parsing process may take."""

    parse_workers: int = Field(default=1, ge=1, le=64)
    """Parsing processes beside the embedding, which is what takes the time."""

    max_file_mb: int = Field(default=512, ge=1)
    """Larger files are set aside."""

    max_delete_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """A run that would remove a larger share of the library stops (exit 77)."""

    follow_symlinks: bool = False
    """Follow links to folders and files; loops are recognised either way."""
