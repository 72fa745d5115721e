"""The bundled embedding model: loaded from this machine, honest about what it reads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from storage.embedding import BUNDLED_NAME, SentenceTransformerEmbedder, embedder_name
from storage.errors import SettingsError


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformerEmbedder:
    """The model itself; some seconds, once."""
    return SentenceTransformerEmbedder()


def test_vectors_are_of_unit_length_and_near_what_means_the_same(embedder):
    """float32 rows of length one; a question lies nearer to its answer than to something else."""
    passages = embedder.embed_passages(
        ["The rent is due on the first of each month.", "Bees do not fly in the rain."]
    )
    query = embedder.embed_query("When do I have to pay for the flat?")

    assert passages.shape == (2, embedder.dimension)
    assert passages.dtype == query.dtype == np.float32
    assert np.allclose(np.linalg.norm([*passages, query], axis=1), 1.0, atol=1e-4)
    assert passages[0] @ query > passages[1] @ query + 0.2


def test_no_texts_give_no_vectors(embedder):
    """An empty list keeps its shape."""
    assert embedder.embed_passages([]).shape == (0, embedder.dimension)


def test_order_is_kept_whatever_the_lengths(embedder):
    """Sorted by length inside, in the given order outside."""
    texts = ["bee", "a much longer text about rents and cables " * 10, "pump", "x y z " * 30]

    together = embedder.embed_passages(texts)
    alone = np.stack([embedder.embed_passages([text])[0] for text in texts])

    assert np.allclose(together, alone, atol=1e-4)


def test_it_tells_its_true_limit(embedder):
    """What lies beyond `max_tokens` changes nothing; what lies before it does."""
    words = "rent " * (embedder.max_tokens - 2)

    cut, beyond, within = embedder.embed_passages([words, words + "bees " * 50, "bees " + words])

    assert np.allclose(cut, beyond, atol=1e-5)
    assert not np.allclose(cut, within, atol=1e-3)
    assert len(embedder.token_spans(words)) == embedder.max_tokens - 2


def test_token_spans_point_into_the_text(embedder):
    """Offsets are of characters, in order, also behind characters of four bytes."""
    text = "🙂 Ünbelievable 漢字, isn't it?"

    pieces = [text[start:end] for start, end in embedder.token_spans(text)]

    assert pieces[0] == "🙂"
    assert pieces[-3:] == ["t", "it", "?"]
    assert "漢" in pieces


def test_counting_tokens_is_not_cut_short_by_embedding(embedder):
    """Embedding switches truncation on in the model's own tokenizer; counting has its own."""
    embedder.embed_passages(["text"])

    assert len(embedder.token_spans("rent " * 1000)) == 1000


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb", "\0", "", " ", "🙂" * 5000])
def test_any_query_gets_a_vector(embedder, text):
    """Bytes that are no UTF-8, nothing at all, too much: a unit vector, no fault."""
    assert np.linalg.norm(embedder.embed_query(text)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("setting", ["/nowhere/at/all", "no such model"])
def test_a_model_that_is_not_there_is_named(setting, monkeypatch):
    """One sentence with the setting, exit 2, and no download."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(SettingsError, match="HAYLOFT_EMBEDDER") as caught:
        SentenceTransformerEmbedder(setting)

    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_no_model_is_named(tmp_path):
    """An empty folder is no model; a broken one neither."""
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(SettingsError, match="HAYLOFT_EMBEDDER"):
        SentenceTransformerEmbedder(str(tmp_path))


def test_the_name_is_known_without_loading():
    """The index compares names before it loads a model."""
    code = (
        "import sys; from storage.embedding import embedder_name; embedder_name('bundled');"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )

    assert embedder_name("bundled") == BUNDLED_NAME
    assert embedder_name("my/model") == "my/model"
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}).returncode == 0
