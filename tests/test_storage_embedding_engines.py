"""The engine that embeds: chosen, remembered, and dropped at its first fault."""

from __future__ import annotations

import json
import logging
import sys
import time

import numpy as np
import pytest
from tiny_models import tiny_bi_encoder, tiny_static_model

from storage import embedding_engines
from storage.embedding import SentenceTransformerEmbedder
from storage.engine_choice import FILE, Choice, Figures
from storage.onnx_encoder import OnnxEncoder
from storage.onnx_graph import encoder_of

MANY = [f"the rent of lease {n} is due in month {n % 12}" for n in range(130)]
INT8 = Choice("onnx-int8", "onnx", {"onnx-int8": Figures(2.0, 0.995, 0.99)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with prompts of its own."""
    prompts = {"query": "query: ", "passage": "passage: "}
    return tiny_bi_encoder(tmp_path_factory.mktemp("models") / "tiny", prompts=prompts)


@pytest.fixture
def chosen_int8(monkeypatch):
    """What is chosen where something is: counts how often."""
    chosen = []

    def choose(passages, queries, texts):
        chosen.append(len(texts))
        return INT8

    monkeypatch.setattr(embedding_engines, "choice_of", choose)
    return chosen


def embedder(folder, tmp_path, engine="auto", **options):
    return SentenceTransformerEmbedder(str(folder), engine=engine, choices=tmp_path, **options)


def rounded(model, texts):
    """What the engine of eight bits makes of texts, prompts included."""
    engine = OnnxEncoder(model._model, encoder_of(model._model), eight_bit=True, threads=1)
    return embedding_engines.unit(engine.encode([model.passage_prompt + text for text in texts]))


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_few_passages_are_no_reason_to_choose(folder, tmp_path, chosen_int8):
    """One changed file a night, on a new machine, is embedded by torch at once."""
    model = embedder(folder, tmp_path)

    vectors = model.embed_passages(MANY[:20])

    assert model.choice is None
    assert np.array_equal(vectors, embedder(folder, tmp_path, "torch").embed_passages(MANY[:20]))
    assert not (tmp_path / FILE).exists()


def test_many_passages_are_embedded_by_the_chosen_engine(folder, tmp_path, chosen_int8):
    """The first call that is worth it chooses; all its vectors are of one engine."""
    model = embedder(folder, tmp_path)

    vectors = model.embed_passages(MANY)

    assert model.choice == INT8
    assert np.allclose(vectors, rounded(model, MANY), atol=1e-6)


def test_a_choice_is_made_once_for_all_processes(folder, tmp_path, chosen_int8):
    """The next one takes it from the data directory, even for one passage."""
    embedder(folder, tmp_path).embed_passages(MANY)
    later = embedder(folder, tmp_path)

    vectors = later.embed_passages(MANY[:1])

    assert len(chosen_int8) == 1
    assert np.allclose(vectors, rounded(later, MANY[:1]), atol=1e-6)


def test_other_files_of_the_model_are_another_choice(folder, tmp_path, chosen_int8):
    """What is remembered names the model's content, not its place."""
    embedder(folder, tmp_path).embed_passages(MANY)
    other = tiny_bi_encoder(tmp_path / "other", seed=7)

    embedder(other, tmp_path).embed_passages(MANY)

    assert len(chosen_int8) == 2
    assert len(json.loads((tmp_path / FILE).read_text())) == 2


def test_the_probe_decides_with_real_engines(folder, tmp_path):
    """Nothing replaced: some engine is chosen, kept with its figures, and gives near vectors."""
    model = embedder(folder, tmp_path)

    vectors = model.embed_passages(MANY)

    [entry] = json.loads((tmp_path / FILE).read_text())
    assert entry["passages"] == model.choice.passages
    assert set(entry["figures"]) == {"torch", "onnx", "onnx-int8", "query"}
    assert entry["figures"]["onnx"]["least_cosine"] > 0.9999
    truth = embedder(folder, tmp_path, "torch").embed_passages(MANY)
    assert (vectors * truth).sum(axis=1).min() > 0.97


def test_queries_are_never_rounded(folder, tmp_path, chosen_int8):
    """Torch's at first, then the exact engine's: the same vector, led by the query's prompt."""
    model = embedder(folder, tmp_path)
    model.embed_passages(MANY)
    truth = embedder(folder, tmp_path, "torch").embed_query("is the rent due")

    vectors = []
    until = time.monotonic() + 20
    while "onnx" not in model._engines._built and time.monotonic() < until:
        vectors.append(model.embed_query("is the rent due"))
        time.sleep(0.01)
    vectors.append(model.embed_query("is the rent due"))

    assert "onnx" in model._engines._built
    assert np.allclose(np.stack(vectors), truth, atol=1e-5)


def test_a_single_query_builds_nothing(folder, tmp_path, chosen_int8):
    """A command that asks once does not pay for the hundredth question."""
    embedder(folder, tmp_path).embed_passages(MANY)
    model = embedder(folder, tmp_path)

    model.embed_query("rent")

    assert model._engines._building is None
    assert model._engines._built == {}


def test_an_engine_that_fails_is_replaced_by_torch(
    folder, tmp_path, chosen_int8, monkeypatch, caplog
):
    """One line in the log; the call that failed is answered, and later ones do not try again."""
    model = embedder(folder, tmp_path)
    model.embed_passages(MANY)
    truth = embedder(folder, tmp_path, "torch").embed_passages(MANY)

    def fail(self, texts):
        raise RuntimeError("no such operator\nand a long story")

    monkeypatch.setattr(OnnxEncoder, "encode", fail)
    first, second = model.embed_passages(MANY), model.embed_passages(MANY)

    assert np.allclose(first, truth, atol=1e-6)
    assert np.allclose(second, truth, atol=1e-6)
    assert warnings(caplog) == [
        "embedding with torch from now on: onnx-int8 failed (no such operator)"
    ]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
@pytest.mark.parametrize("engine", ["auto", "onnx-int8"])
def test_a_library_that_is_missing_is_no_fault(
    folder, tmp_path, monkeypatch, caplog, missing, engine
):
    """Torch embeds, and one line says why."""
    monkeypatch.setitem(sys.modules, missing, None)
    model = embedder(folder, tmp_path, engine)

    vectors = model.embed_passages(MANY)

    assert np.array_equal(vectors, embedder(folder, tmp_path, "torch").embed_passages(MANY))
    assert len(warnings(caplog)) == 1


def test_an_engine_can_be_asked_for(folder, tmp_path):
    """It is checked against torch, and takes the first passage already."""
    model = embedder(folder, tmp_path, "onnx-int8")

    vectors = model.embed_passages(MANY[:3])

    assert np.allclose(vectors, rounded(model, MANY[:3]), atol=1e-6)
    assert not (tmp_path / FILE).exists()


def test_an_engine_that_is_asked_for_and_too_far_off_is_not_taken(
    folder, tmp_path, monkeypatch, caplog
):
    """Never by faith: torch embeds, and the line has the figures."""
    monkeypatch.setattr("storage.engine_choice.MEAN_COSINE", 1.01)
    model = embedder(folder, tmp_path, "onnx-int8")

    vectors = model.embed_passages(MANY)

    assert np.array_equal(vectors, embedder(folder, tmp_path, "torch").embed_passages(MANY))
    [line] = warnings(caplog)
    assert "too far from torch's" in line


@pytest.mark.parametrize(("engine", "level"), [("auto", 0), ("onnx", 1)])
def test_a_model_without_another_engine_stays_with_torch(tmp_path, caplog, engine, level):
    """Said aloud only where another engine was asked for."""
    model = embedder(tiny_static_model(tmp_path / "table"), tmp_path, engine)

    assert model.embed_passages(MANY).shape == (130, 16)
    assert len(warnings(caplog)) == level


def test_shorter_vectors_are_cut_from_every_engine(folder, tmp_path):
    """Truncated, then unit length: as torch does it."""
    short = embedder(folder, tmp_path, "onnx", dimension=16)
    truth = embedder(folder, tmp_path, "torch", dimension=16)

    assert np.allclose(short.embed_passages(MANY), truth.embed_passages(MANY), atol=1e-5)


def test_a_library_made_before_is_read_and_continued(tmp_path):
    """The engine is no part of an index's identity: nothing has to be embedded anew."""
    from storage.catalog import IndexIdentity
    from storage.library import other_model

    folder = tiny_bi_encoder(tmp_path / "model")
    torch, other = embedder(folder, tmp_path, "torch"), embedder(folder, tmp_path, "onnx-int8")
    identity = IndexIdentity(
        embedder=torch.name,
        dimension=torch.dimension,
        chunking="",
        collection="",
        passage_prompt=torch.passage_prompt,
        content=torch.content,
        languages="en",
    )

    assert other_model(identity, other) is None
