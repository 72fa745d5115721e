"""Any bi-encoder from a folder: prompts, true limits, truncation, and what is refused."""

from __future__ import annotations

import json
import logging
from contextlib import closing

import numpy as np
import pytest
from library_fixtures import content_of, ingest, write_files
from tiny_models import tiny_bi_encoder, tiny_static_model

from ingest.chunking import ChunkSizes, chunk_document
from storage.catalog import IndexIdentity
from storage.embedding import SentenceTransformerEmbedder, facts_of
from storage.errors import IndexMismatch, SettingsError
from storage.library import Library, other_model
from storage.records import Page, ParsedDocument
from storage.settings import StorageSettings

E5 = {"query": "query: ", "passage": "passage: "}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A model without prompts."""
    return tiny_bi_encoder(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture(scope="module")
def prompted(tmp_path_factory):
    """The same model, whose own settings name a query and a passage prompt."""
    return tiny_bi_encoder(tmp_path_factory.mktemp("models") / "prompted", prompts=E5)


def embedder(folder, **options) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(str(folder), **options)


def test_a_model_puts_its_own_prompts_before_queries_and_passages(plain, prompted):
    """ "passage" counts although the library prefers an empty "document" to it."""
    bare, led = embedder(plain), embedder(prompted)

    assert np.allclose(
        led.embed_passages(["rent is due"]), bare.embed_passages(["passage: rent is due"])
    )
    assert np.allclose(led.embed_query("rent"), bare.embed_query("query: rent"))
    assert not np.allclose(led.embed_query("rent"), bare.embed_query("rent"), atol=1e-3)


def test_prompts_can_be_set_and_switched_off(plain, prompted):
    """A setting wins over the model; `none` is no prompt."""
    other = embedder(prompted, query_prompt="search the ", passage_prompt="none")

    assert (other.query_prompt, other.passage_prompt) == ("search the ", "")
    bare = embedder(plain)
    assert np.allclose(other.embed_query("lease"), bare.embed_query("search the lease"))
    assert np.allclose(other.embed_passages(["lease"]), bare.embed_passages(["lease"]))


def test_the_default_prompt_leads_what_has_no_prompt_of_its_own(tmp_path):
    """A model with one prompt for everything gets it on both sides; a query prompt stays one."""
    both = tiny_bi_encoder(tmp_path / "both", prompts={"any": "a "}, default_prompt="any")
    query = tiny_bi_encoder(tmp_path / "query", prompts={"query": "q "}, default_prompt="query")

    assert (embedder(both).query_prompt, embedder(both).passage_prompt) == ("a ", "a ")
    assert (embedder(query).query_prompt, embedder(query).passage_prompt) == ("q ", "")


def test_the_passage_prompt_is_counted_in_the_limit(prompted):
    """A passage of `max_tokens - 2` tokens is read to its last word, and one more is not."""
    model = embedder(prompted)
    assert model.max_tokens == 64 - len(model.token_spans("passage: "))
    full = "rent " * (model.max_tokens - 3)

    bees, honey = model.embed_passages([f"{full}bees", f"{full}honey"])
    cut, beyond = model.embed_passages([f"{full}bees", f"{full}bees honey pump"])

    assert not np.allclose(bees, honey, atol=1e-3)
    assert np.allclose(cut, beyond, atol=1e-5)


def test_a_limit_that_nobody_declares_is_the_number_of_positions(tmp_path):
    """RoBERTa's kin lose two positions to their padding: of 64, 62 can be used."""
    bert = tiny_bi_encoder(tmp_path / "bert", positions=40, declared_length=None)
    roberta = tiny_bi_encoder(
        tmp_path / "roberta", positions=64, declared_length=None, family="roberta"
    )

    for folder, limit in ((bert, 40), (roberta, 62)):
        model = embedder(folder)
        assert model.max_tokens == limit
        assert model.embed_passages(["rent " * 300]).shape == (1, 32)


def test_a_long_window_is_capped(tmp_path):
    """`max_tokens` lowers what is read of a model for long texts, and never raises it."""
    folder = tiny_bi_encoder(tmp_path / "long", positions=900, declared_length=900)

    assert embedder(folder).max_tokens == 512
    assert embedder(folder, max_tokens=100).max_tokens == 100
    assert embedder(folder, max_tokens=5000).max_tokens == 900


def test_a_prompt_that_leaves_no_room_is_refused(plain):
    """One sentence with the two settings that help."""
    with pytest.raises(SettingsError, match=r"takes 60 of them.*HAYLOFT_EMBEDDER_PASSAGE_PROMPT"):
        embedder(plain, passage_prompt="rent " * 60)


def test_truncated_vectors_are_the_first_dimensions_at_unit_length(plain):
    """Matryoshka models order their dimensions by weight; after the cut the length is 1 again."""
    whole = embedder(plain).embed_passages(["rent is due", "bees"])

    model = embedder(plain, dimension=8)
    cut = model.embed_passages(["rent is due", "bees"])

    assert model.dimension == 8
    assert np.allclose(np.linalg.norm(cut, axis=1), 1.0, atol=1e-5)
    expected = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    assert np.allclose(cut, expected, atol=1e-5)
    assert model.embed_query("rent").shape == (8,)


def test_more_dimensions_than_there_are_is_refused(plain):
    """The sentence names the setting and what the model has."""
    with pytest.raises(SettingsError, match=r"HAYLOFT_EMBEDDER_DIMENSION asks for 33.*have 32"):
        embedder(plain, dimension=33)


@pytest.mark.parametrize("pooling", ["cls", "max", "lasttoken", "weightedmean"])
def test_any_pooling_gives_unit_vectors(tmp_path, pooling):
    """How a model pools is its own affair, and so is whether it normalizes."""
    folder = tiny_bi_encoder(tmp_path / pooling, pooling=pooling, normalize=False)

    vectors = embedder(folder).embed_passages(["rent is due in a month", "bees", ""])

    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_table_of_word_vectors_is_an_embedder_too(tmp_path):
    """No layers, no limit: the cap of the settings is the limit."""
    model = embedder(tiny_static_model(tmp_path / "static"))

    assert (model.dimension, model.max_tokens) == (16, 512)
    assert np.linalg.norm(model.embed_query("rent")) == pytest.approx(1.0, abs=1e-5)
    assert [start for start, _ in model.token_spans("rent due")] == [0, 5]


def test_half_precision_still_gives_unit_vectors(plain):
    """float16 numbers are rounded; the lengths are not."""
    half = embedder(plain, dtype="bfloat16").embed_passages(["rent is due", "bees"])
    full = embedder(plain).embed_passages(["rent is due", "bees"])

    assert half.dtype == np.float32
    assert np.allclose(np.linalg.norm(half, axis=1), 1.0, atol=1e-5)
    assert np.all(np.sum(half * full, axis=1) > 0.99)


@pytest.mark.parametrize("device", ["gpu0", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_named(plain, device):
    """Before the model is loaded, with the setting."""
    import torch

    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has an MPS device")
    with pytest.raises(SettingsError, match=f"HAYLOFT_EMBEDDER_DEVICE names '{device}'"):
        embedder(plain, device=device)


def test_a_card_that_asks_for_prompts_is_heeded(tmp_path, caplog):
    """Without its prompts such a model finds less, and nothing else would say so."""
    card = 'Begin each text with "query: " or "passage: ".'
    folder = tiny_bi_encoder(tmp_path / "e5", card=card)

    with caplog.at_level(logging.WARNING):
        embedder(folder)
        embedder(folder, query_prompt="query: ", passage_prompt="passage: ")

    said = [r.getMessage() for r in caplog.records if "HAYLOFT_EMBEDDER_QUERY" in r.getMessage()]
    assert len(said) == 1


def test_facts_without_loading_are_those_of_the_loaded_model(prompted):
    """What an index is compared with before a model is loaded is what is compared after."""
    settings = StorageSettings(embedder=str(prompted), embedder_dimension=16)
    facts, model = facts_of(settings), embedder(prompted, dimension=16)

    assert (facts.name, facts.dimension) == (model.name, model.dimension)
    assert (facts.passage_prompt, facts.content) == (model.passage_prompt, model.content)


def test_prompts_are_read_from_the_environment(monkeypatch):
    """A trailing space is kept, and \\n is a new line."""
    monkeypatch.setenv("HAYLOFT_EMBEDDER_PASSAGE_PROMPT", "passage: ")
    monkeypatch.setenv("HAYLOFT_EMBEDDER_QUERY_PROMPT", "Instruct: find\\nQuery:")

    settings = StorageSettings(_env_file=None)

    assert settings.embedder_passage_prompt == "passage: "
    assert settings.embedder_query_prompt == "Instruct: find\nQuery:"


def identity(model: SentenceTransformerEmbedder) -> IndexIdentity:
    return IndexIdentity(
        model.name,
        model.dimension,
        "1/48/8",
        "c",
        passage_prompt=model.passage_prompt,
        content=model.content,
        languages=" ".join(model.languages),
    )


def test_an_index_tells_what_differs(plain, prompted, tmp_path):
    """Model, files, passage prompt or dimension: the sentence says which, and the way out."""
    built = identity(embedder(prompted))
    trained_on = tiny_bi_encoder(tmp_path / "prompted", prompts=E5, seed=1)
    changed = identity(embedder(trained_on))

    for now, said in (
        (embedder(trained_on), r"embedding model '.*now names"),
        (embedder(prompted, passage_prompt="none"), r"prompt 'passage: ', and it is '' now"),
        (embedder(prompted, dimension=8), r"vectors of 32 dimensions, and they have 8 now"),
    ):
        mismatch = other_model(built, now)
        assert mismatch is not None
        with pytest.raises(type(mismatch), match=rf"(?s){said}.*hayloft ingest --rebuild"):
            raise mismatch
    same_name = IndexIdentity(str(prompted), 32, "1/48/8", "c", "passage: ", changed.content)
    assert "other files of the embedding model" in str(other_model(same_name, embedder(prompted)))


def test_an_index_stays_readable_where_its_vectors_still_compare(prompted, tmp_path):
    """The same model in another folder, and another query prompt: nothing to rebuild."""
    built = identity(embedder(prompted))
    moved = tiny_bi_encoder(tmp_path / "elsewhere", prompts=E5)

    assert other_model(built, embedder(moved)) is None
    assert other_model(built, embedder(prompted, query_prompt="search ")) is None


def test_a_library_passes_its_settings_to_the_model(prompted, tmp_path):
    """Every embedder setting reaches the embedder, and an index remembers its model."""
    library = Library(
        StorageSettings(
            data_dir=tmp_path / "data",
            embedder=str(prompted),
            embedder_query_prompt="search ",
            embedder_passage_prompt="none",
            embedder_dimension=8,
            embedder_max_tokens=40,
        )
    )

    model, made = library.embedder, library.new_identity("1/40/8", "c")
    library.close()

    assert (model.dimension, model.max_tokens, model.passage_prompt) == (8, 40, "")
    assert made.content == model.content != ""
    assert made.languages == "en"
    assert IndexIdentity(**json.loads(made.to_json())) == made


def test_chunks_fit_the_model_with_its_prompt_to_the_last_token(tmp_path):
    """What chunking makes of `max_tokens` is never cut by the model, and fills it well."""
    prompt = "search the passage of the lease in a month: "
    prompts = {"passage": prompt}
    folder = tiny_bi_encoder(tmp_path / "led", prompts=prompts, positions=100, declared_length=100)
    model = embedder(folder)
    text = " ".join(f"{word} of the lease" for word in "rent bees honey pump cable".split() * 60)
    document = ParsedDocument("Lease", (Page(1, text),), paged=True, parser="test")

    chunks = chunk_document(document, ChunkSizes(model.max_tokens, 8), model.token_spans)

    lengths = [
        len(model._model.tokenizer(f"{prompt}{chunk.embedded_text}")["input_ids"])
        for chunk in chunks
    ]
    assert len(chunks) > 10
    assert 85 < max(lengths) <= 100


def test_an_index_built_with_other_vectors_is_refused_end_to_end(prompted, tmp_path):
    """Ingest, change a setting: searching and ingesting say what differs; a rebuild mends it."""
    docs = write_files(tmp_path / "docs", {"a.md": "# Rent\n\nThe rent is due.\n"})

    def library(**changed) -> Library:
        settings = StorageSettings(
            data_dir=tmp_path / "data", embedder=str(prompted), chroma_linger_s=0.3, **changed
        )
        return Library(settings)

    with closing(library()) as built:
        ingest(built, docs)
    write_files(docs, {"b.md": "# Bees\n\nBees and honey.\n"})
    with closing(library(embedder_passage_prompt="none")) as other:
        with pytest.raises(IndexMismatch, match="EMBEDDER_PASSAGE_PROMPT"):
            other.readable_identity()
        with pytest.raises(IndexMismatch, match="EMBEDDER_PASSAGE_PROMPT"):
            ingest(other)
    with closing(library(embedder_dimension=8, embedder_query_prompt="search ")) as shorter:
        with pytest.raises(IndexMismatch, match="EMBEDDER_DIMENSION"):
            ingest(shorter)
        ingest(shorter, rebuild=True)
        identity = shorter.readable_identity()
        vectors = content_of(shorter)["vectors"]

    assert identity is not None and identity.dimension == 8
    assert {len(vector) for vector in vectors.values()} == {8} and len(vectors) == 2
