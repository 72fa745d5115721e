"""Settings of finding and answering, read once at the entry point."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class AppSettings(BaseSettings):
    """Which chat model answers, from how much, and where the page is served."""

    model_config = SettingsConfigDict(
        env_prefix="HAYLOFT_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        populate_by_name=True,
    )

    model: str = "auto"
    """`auto`, `extractive`, `ollama:NAME` or `openai:NAME`.

    `auto` takes the OpenAI-compatible server where one is set, else the best
    installed Qwen2 of Ollama, else the extractive answerer.
    """

    ollama_url: str = Field(
        default="http://127.0.0.1:11434",
        validation_alias=AliasChoices("HAYLOFT_OLLAMA_URL", "OLLAMA_HOST"),
    )
    """Where Ollama serves. `OLLAMA_HOST` is read too, with Ollama's own rules for short forms."""

    openai_url: str = ""
    """Base URL of an OpenAI-compatible server (vLLM, llama.cpp), `/v1` included."""

    openai_api_key: SecretStr = SecretStr("")
    """Sent to that server with each request."""

    window: int = Field(default=32768, ge=1024)
    """The window asked of the server, in tokens; one constant, since a change reloads the model."""

    reserve: int = Field(default=1024, ge=16)
    """Tokens kept free for the answer."""

    trusted_window: int = Field(default=0, ge=0)
    """How much of the window is trusted, in tokens; 0: as measured by `hayloft eval niah`."""

    kv_type: str = "f16"
    """The type of the server's KV cache, as OLLAMA_KV_CACHE_TYPE sets it there; a measurement
    counts for one type."""

    mode: Literal["auto", "documents", "passages", "read-all", "extractive"] = "auto"
    """What an answer is made from: whole documents, the passages found, every page read in parts,
    or quotations; `auto`: whole documents where some are chosen, fit and are soon read."""

    pinned: str = ""
    """Documents that stand whole before every conversation: paths, folders or patterns, separated
    by commas."""

    passages: int = Field(default=8, ge=1, le=200)
    """How many passages a question is answered from, at most."""

    passage_characters: int = Field(default=3000, ge=0, le=1_000_000)
    """How far a passage that was found grows into the text around it; 0: not at all.

    A page or section up to this length is read whole. At 3,000, eight passages
    take some 6,000 tokens of the window's 32,768: of 12 annual reports four
    pages in ten are read whole, of the others about the half.
    """

    followups: Literal["auto", "rules", "model", "off"] = "auto"
    """How follow-up questions are completed before the search.

    `rules`: names and periods are carried over; `model`: the chat model writes
    the query; `auto`: the model only where the rules had to guess; `off`: the
    question is searched as typed.
    """

    read_part_tokens: int = Field(default=8192, ge=0)
    """Tokens of pages in one part of a full read; 0: as many as the window holds.

    Longer parts are no faster, since each page is read once either way. Of
    shorter ones less has to be read again after a stop, and more is copied:
    models overlook more in the middle of a longer text.
    """

    read_parallel: int = Field(default=1, ge=1, le=64)
    """Parts read at a time: no more than the server serves at once (OLLAMA_NUM_PARALLEL)."""

    reranker: str = ""
    """A cross-encoder by name or folder that orders the best passages anew; empty: none."""

    reranker_candidates: int = Field(default=50, ge=1, le=500)
    """How many of the passages found the reranker reads; its time grows with them."""

    reranker_max_tokens: int = Field(default=512, ge=64, le=131_072)
    """Tokens of question and passage it reads at once; longer passages are read in windows."""

    reranker_device: str = ""
    """A torch device (`cuda`, `mps`, `cpu`); empty: the best there is."""

    reranker_dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Numbers the reranker computes with; float16 halves time and memory on a GPU."""

    reranker_batch: int = Field(default=16, ge=1, le=4096)
    """Pairs of question and passage a forward pass."""

    connect_timeout_s: float = Field(default=3.0, gt=0)
    """To connect to a chat model's server."""

    answer_timeout_s: float = Field(default=1800.0, gt=0)
    """Longest silence of the server: queue, load and prefill of a long prompt included."""

    tokenizer: str = ""
    """A `tokenizer.json` or GGUF file to count with, where the server cannot be asked."""

    ui_port: int = Field(default=8501, ge=1, le=65535)
    """Where the page is served."""

    ui_address: str = "127.0.0.1"
    """Where the page is served; elsewhere than on loopback it needs HAYLOFT_AUTH."""

    upload_mb: int = Field(default=200, ge=1, le=4096)
    """The largest file that the page takes; while it arrives it is held in memory."""

    serve_port: int = Field(default=8600, ge=1, le=65535)
    """Where the HTTP API is served."""

    serve_address: str = "127.0.0.1"
    """Where the HTTP API is served; elsewhere than on loopback it needs tokens."""
