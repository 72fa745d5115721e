"""Memory from below shows that a server's cache is smaller than the setting says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.chat import Message
from app.kv_cache import cache_doubt
from app.model_catalogue import KV_TYPES
from app.ollama_chat import OllamaChat
from app.settings import AppSettings
from tests.niah_fixtures import FakeModel
from tests.ollama_double import QWEN2, OllamaDouble
from tests.ollama_double_models import DoubleModel

BUFFERS = 350_000_000
"""Compute buffers of a 7B model with flash attention, about."""
ON_DISK_ALONE = 306_000_000
"""Its table of tokens, where that is not counted as memory."""


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble(models=[QWEN2]) as running:
        yield running


def served_with(monkeypatch: pytest.MonkeyPatch, kv_type: str, more: int = BUFFERS) -> None:
    """Load models with another type of cache, as OLLAMA_KV_CACHE_TYPE does."""
    f16 = DoubleModel.kv_bytes

    def kv_bytes(self: DoubleModel, tokens: int) -> int:
        return round(f16(self, tokens) * KV_TYPES[kv_type] / KV_TYPES["f16"]) + more

    monkeypatch.setattr(DoubleModel, "kv_bytes", kv_bytes)


def loaded(double: OllamaDouble, window: int = 32768) -> OllamaChat:
    model = OllamaChat(QWEN2.name, AppSettings(ollama_url=double.url, window=window))
    list(model.stream([Message("user", "Hello")], reserve=16))
    return model


@pytest.mark.parametrize("served", ["q8_0", "q4_0"])
def test_a_smaller_cache_than_f16_is_seen(
    double: OllamaDouble, monkeypatch: pytest.MonkeyPatch, served: str
) -> None:
    """At 32,768 tokens; the sentence names both settings."""
    served_with(monkeypatch, served, BUFFERS - ON_DISK_ALONE)

    told = cache_doubt(loaded(double), "f16")

    assert "HAYLOFT_KV_TYPE" in told
    assert "OLLAMA_KV_CACHE_TYPE" in told
    assert "32,768" in told


@pytest.mark.parametrize("more", [BUFFERS, BUFFERS - ON_DISK_ALONE, 2_000_000_000])
@pytest.mark.parametrize("window", [2048, 8192, 32768])
@pytest.mark.parametrize("kv_type", list(KV_TYPES))
def test_what_is_set_and_served_raises_no_doubt(
    double: OllamaDouble, monkeypatch: pytest.MonkeyPatch, kv_type: str, window: int, more: int
) -> None:
    """However large the buffers, and with the table of tokens counted or not."""
    served_with(monkeypatch, kv_type, more)

    assert cache_doubt(loaded(double, window), kv_type) == ""


def test_more_memory_than_needed_shows_nothing(
    double: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slots double a cache of q8_0 to what one of f16 takes."""
    served_with(monkeypatch, "f16")

    assert cache_doubt(loaded(double), "q8_0") == ""


def test_what_nothing_is_known_of_raises_no_doubt(double: OllamaDouble) -> None:
    """A model that is not loaded, a server that is away, another server, a type of another name."""
    settings = AppSettings(ollama_url=double.url)

    assert cache_doubt(OllamaChat(QWEN2.name, settings), "f16") == ""
    assert cache_doubt(loaded(double), "q5_1") == ""
    assert cache_doubt(FakeModel(), "f16") == ""
    double.stop()
    assert cache_doubt(OllamaChat(QWEN2.name, settings), "f16") == ""
