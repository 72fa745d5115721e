"""Encoders as ONNX graphs: the same vectors as torch's, text by text."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import tiny_bi_encoder, tiny_static_model

from storage.embedding import SentenceTransformerEmbedder
from storage.embedding_engines import unit
from storage.onnx_encoder import OnnxEncoder
from storage.onnx_graph import NotSupported, encoder_of

TEXTS = ["rent", "", "the lease of the pump is due", "[PAD] bees [PAD]", "蜂 🙂", "honey " * 500]


def loaded(tmp_path, **options):
    """An embedder with a tiny model, and its sentence-transformers model."""
    embedder = SentenceTransformerEmbedder(str(tiny_bi_encoder(tmp_path / "model", **options)))
    return embedder, embedder._model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pooling": "cls", "normalize": False},
        {"family": "roberta"},
        {"family": "roberta", "pooling": "cls"},
    ],
)
def test_the_graph_computes_what_torch_computes(tmp_path, options):
    """Both families and both ways of pooling, from nothing to more than the model reads."""
    embedder, model = loaded(tmp_path, **options)

    vectors = unit(OnnxEncoder(model, encoder_of(model), eight_bit=False, threads=2).encode(TEXTS))

    assert np.allclose(vectors, embedder.embed_passages(TEXTS), atol=1e-5)


def test_rounded_weights_stay_near(tmp_path):
    """Eight bits cost a little of the direction, and not all of it."""
    embedder, model = loaded(tmp_path)

    vectors = unit(OnnxEncoder(model, encoder_of(model), eight_bit=True, threads=1).encode(TEXTS))

    cosines = (vectors * embedder.embed_passages(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.99
    assert not np.array_equal(vectors, embedder.embed_passages(TEXTS))


def test_a_vector_does_not_depend_on_its_neighbours(tmp_path):
    """A run that was killed and one that was not give the same index, rounded or not."""
    _, model = loaded(tmp_path)
    engine = OnnxEncoder(model, encoder_of(model), eight_bit=True, threads=3)

    together = engine.encode(TEXTS * 5)
    alone = np.concatenate([engine.encode([text]) for text in TEXTS])

    assert np.array_equal(together, np.tile(alone, (5, 1)))


def test_other_models_are_refused_with_the_reason(tmp_path):
    """What is no plain encoder, or is pooled otherwise, has no graph."""
    table = SentenceTransformerEmbedder(str(tiny_static_model(tmp_path / "table")))._model
    _, largest = loaded(tmp_path, pooling="max")

    with pytest.raises(NotSupported, match="StaticEmbedding"):
        encoder_of(table)
    with pytest.raises(NotSupported, match="max"):
        encoder_of(largest)


def test_half_precision_is_refused(tmp_path):
    """Its numbers are no float32."""
    folder = tiny_bi_encoder(tmp_path / "half")
    model = SentenceTransformerEmbedder(str(folder), dtype="bfloat16")._model

    with pytest.raises(NotSupported, match="float32"):
        encoder_of(model)
