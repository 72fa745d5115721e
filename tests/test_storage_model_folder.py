"""A model's folder: whole or broken, what it declares, and a digest that notices changes."""

from __future__ import annotations

import json
import shutil

import pytest
from tiny_models import tiny_bi_encoder, tiny_cross_encoder, truncate_file, write_json

from storage.embedding import SentenceTransformerEmbedder
from storage.errors import SettingsError
from storage.model_folder import ModelSetting, check_whole, content_digest, folder_of


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sound folder; tests break copies of it."""
    return tiny_bi_encoder(tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to break."""
    return shutil.copytree(whole, tmp_path / "model")


def setting(value: str = "model") -> ModelSetting:
    return ModelSetting(value, "HAYLOFT_EMBEDDER", "embedding model", "sentence-transformers")


def refusal(folder) -> str:
    """The one sentence with which a folder is refused."""
    with pytest.raises(SettingsError) as caught:
        SentenceTransformerEmbedder(str(folder))
    message = str(caught.value)
    assert "HAYLOFT_EMBEDDER" in message and "\n" not in message and str(folder) in message
    return message


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
        ("modules.json", "no modules.json"),
        ("1_Pooling", "lacks its part '1_Pooling'"),
        ("config.json", "cannot be loaded"),
    ],
)
def test_a_missing_part_is_named(folder, lost, said):
    """A folder that was copied in part never gives vectors."""
    path = folder / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert said in refusal(folder)


@pytest.mark.parametrize(
    "cut", ["model.safetensors", "tokenizer.json", "modules.json", "config.json"]
)
def test_a_file_that_was_cut_short_is_named(folder, cut):
    """As an interrupted download leaves it."""
    truncate_file(folder / cut)

    assert f"damaged file, {cut}" in refusal(folder)


def test_a_weights_file_without_its_last_bytes_is_noticed(folder):
    """The header announces how many bytes follow."""
    truncate_file(folder / "model.safetensors", 0.999)

    assert "fetched in part" in refusal(folder)


def test_a_git_lfs_pointer_is_recognised(folder):
    """What a clone without Git LFS leaves, with the command that mends it."""
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")

    assert "git lfs pull" in refusal(folder)


def test_a_missing_shard_is_named(folder):
    """Large models lie in several files, listed in an index."""
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    write_json(folder / "model.safetensors.index.json", index)

    assert "lacks the file model-00002-of-00002.safetensors" in refusal(folder)


def test_weights_of_another_architecture_are_refused(folder):
    """The library fills what is missing with random numbers and goes on; Hayloft does not."""
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"num_hidden_layers": 3})
    assert "its weights lack encoder.layer.2" in refusal(folder)

    write_json(folder / "config.json", config | {"intermediate_size": 48})
    assert "do not belong together" in refusal(folder)


@pytest.mark.parametrize("where", ["modules.json", "config.json"])
def test_code_that_a_model_brings_is_never_run(folder, where, tmp_path):
    """A module or an architecture of its own: one clear sentence, and the file is not imported."""
    proof = tmp_path / "it-ran"
    (folder / "custom_st.py").write_text(f"open({str(proof)!r}, 'w')\nclass Transformer: ...\n")
    declared = json.loads((folder / where).read_text())
    if where == "modules.json":
        declared[0]["type"] = "custom_st.Transformer"
    else:
        declared |= {"model_type": "own", "auto_map": {"AutoModel": "custom_st.Transformer"}}
    write_json(folder / where, declared)

    assert "program code of its own" in refusal(folder)
    assert not proof.exists()


def test_an_architecture_that_is_known_needs_no_code(folder):
    """Many folders still bring code for what the library has learned since; it is left alone."""
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"auto_map": {"AutoModel": "own.Model"}})

    assert SentenceTransformerEmbedder(str(folder)).dimension == 32


def test_a_name_is_found_in_the_hub_cache_of_this_machine(whole, tmp_path, monkeypatch):
    """What `hf download` put there is used, and names without a slash get their organization."""
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    for name in ("acme--tiny", "sentence-transformers--tiny"):
        home = tmp_path / f"models--{name}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text("0123abcd")
        shutil.copytree(whole, home / "snapshots" / "0123abcd")

    found = [folder_of(setting(name)) for name in ("acme/tiny", "tiny")]

    assert [path.parent.parent.name for path in found] == [
        "models--acme--tiny",
        "models--sentence-transformers--tiny",
    ]
    for path in found:
        check_whole(path, setting(), modules=True)


def test_the_digest_tells_models_apart_and_copies_alike(whole, folder, tmp_path):
    """Cards, samples and other forms of the weights change nothing; a training step does."""
    before = content_digest(whole)
    (folder / "README.md").write_text("a new card")
    (folder / "pytorch_model.bin").write_bytes(b"the same weights in another form")
    assert content_digest(folder) == before

    retrained = tiny_bi_encoder(tmp_path / "retrained", seed=1)
    assert content_digest(retrained) != before

    tokenizer = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(tokenizer.replace('"bees"', '"wasp"'))
    assert content_digest(folder) != before


def test_a_reranker_is_no_embedding_model(folder, tmp_path):
    """The library would pool its inner layers into vectors; neither form of it is taken."""
    declared = json.loads((folder / "config_sentence_transformers.json").read_text())
    kind = {"model_type": "CrossEncoder"}
    write_json(folder / "config_sentence_transformers.json", declared | kind)

    assert "is a CrossEncoder" in refusal(folder)
    assert "no modules.json" in refusal(tiny_cross_encoder(tmp_path / "cross"))
