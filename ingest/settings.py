"""Settings of the ingestion job, read once at the entry point."""

from __future__ import annotations

from typing import Literal

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

    tokenizer: str = ""
    """As the application's: what the chat model's tokens of each page are counted with."""

    parse_timeout_s: float = Field(default=300.0, gt=0)
    """Longest time one file may take to parse."""

    parse_memory_mb: int = Field(default=2048, ge=256)
    """Memory the parsing process may take."""

    ocr: Literal["auto", "off"] = "auto"
    """Read scanned pages with Tesseract where that is installed, or never."""

    ocr_languages: str = "auto"
    """Tesseract's names of them, joined by a plus (`eng+deu`); `auto`: up to five of those here."""

    parse_workers: int = Field(default=1, ge=1, le=64)
    """Parsing processes beside the embedding, which is what takes the time."""

    max_file_mb: int = Field(default=512, ge=1)
    """Larger files are set aside."""

    max_characters: int = Field(default=64_000_000, ge=1_000, le=64_000_000)
    """Text of one document; more is a bomb or a database dump, and is set aside."""

    on_failure: str = ""
    """A command, or an http(s) URL, that is told of each run that fails."""

    watch_poll_s: float = Field(default=60.0, ge=1.0)
    """How often `--watch` looks at folders on network shares, which tell nothing by themselves."""

    max_delete_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """A run that would remove a larger share of the library stops (exit 77)."""

    follow_symlinks: bool = False
    """Follow links to folders and files; loops are recognised either way."""
