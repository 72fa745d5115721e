"""Cross-encoders from a folder: order, windows, threads, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from tiny_models import (
    tiny_bi_encoder,
    tiny_cross_encoder,
    tiny_language_model_reranker,
    truncate_file,
)

from app.rerank import CrossEncoderReranker, reading, reranked, reranker_from
from app.settings import AppSettings
from storage.errors import SettingsError
from storage.records import Hit
from tests.hits import a_hit

TEXTS = ["rent is due in a month", "bees of honey", "the pump", "a cable is in the lease"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cross-encoder with random weights that reads 64 tokens."""
    return tiny_cross_encoder(tmp_path_factory.mktemp("models") / "cross")


@pytest.fixture(scope="module")
def reranker(folder) -> CrossEncoderReranker:
    return CrossEncoderReranker(str(folder))


def hit(text: str, *, title: str = "Lease", heading: str = "", paged: bool = True) -> Hit:
    return a_hit(
        text,
        document="lease.pdf",
        page=3,
        score=0.5,
        chunk_id=text,
        title=title,
        heading=heading,
        paged=paged,
    )


class Letters:
    """Scores a text by the share of the letter `e`, and remembers what it was given."""

    name = "letters"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        self.texts.extend(texts)
        return [text.count("e") / len(text) for text in texts]


def test_scores_are_those_of_the_model_in_the_order_of_the_texts(reranker, folder):
    """The order of the library's own scores, in 0..1, whatever the lengths and batches."""
    from sentence_transformers import CrossEncoder

    own = CrossEncoder(str(folder), device="cpu").predict([("rent", text) for text in TEXTS])

    scores = reranker.score("rent", TEXTS)
    one_by_one = [reranker.score("rent", [text])[0] for text in TEXTS]

    assert len(set(scores)) == 4 and all(0 < score < 1 for score in scores)
    assert scores == pytest.approx(one_by_one, abs=1e-5)
    assert scores == pytest.approx([float(score) for score in own], abs=1e-5)


def test_no_texts_need_no_model():
    """Nothing found, nothing loaded."""
    assert CrossEncoderReranker("/nowhere").score("rent", []) == []


def test_a_long_text_counts_by_its_best_window(reranker):
    """What stands far behind the model's window is read too, under the text's first line."""
    head = "the lease"
    parts = [" ".join([word] * 30) for word in ("bees", "pump", "cable", "honey", "rent")]
    text = f"{head}\n{' '.join(parts)}"

    windows = reranker._windows(text, room=50)
    score = reranker.score("rent", [text])[0]

    assert len(windows) > 3 and all(window.startswith(f"{head}\n") for window in windows)
    assert windows[0].count("bees") == 30 and windows[-1].endswith("rent rent")
    for word in ("bees", "pump", "cable", "honey", "rent"):
        assert sum(window.count(word) for window in windows) >= 30
    assert all(reranker._count(window) <= 50 for window in windows)
    question, room = reranker._question("rent")
    whole = [reranker.score(question, [w])[0] for w in reranker._windows(text, room)]
    assert score == pytest.approx(max(whole), abs=1e-5)


def test_pairs_never_exceed_what_the_model_reads(reranker):
    """Neither a long question nor a long text is cut by the model in silence."""
    question, room = reranker._question("when is the rent due " * 40)
    windows = reranker._windows(f"{'title ' * 60}\n{'bees and honey ' * 100}", room)

    lengths = [
        reranker._model.preprocess([(question, window)])["input_ids"].shape[-1]
        for window in windows
    ]
    uncut = [reranker._count(question) + reranker._count(window) + 3 for window in windows]

    assert len(windows) > 5
    assert lengths == uncut and max(lengths) <= 64


@pytest.mark.parametrize("text", ["", " ", "\n", "\ud800 rent", "漢" * 300, "x" * 500, "\n" * 500])
def test_any_text_gets_a_score(reranker, text):
    """Nothing, signs the vocabulary lacks, words without an end."""
    assert 0 <= reranker.score(text, [text])[0] <= 1


def test_hits_come_in_the_order_of_the_scores():
    """Ranks and scores are the reranker's; equals keep the order they were found in."""
    hits = [hit("bbb"), hit("eee"), hit("be"), hit("bcd")]

    found = reranked("q", hits, Letters())

    assert [h.text for h in found] == ["eee", "be", "bbb", "bcd"]
    assert [h.rank for h in found] == [1, 2, 3, 4]
    assert found[0].score > found[1].score > found[2].score == found[3].score
    assert found[0].chunk_id == "eee" and reranked("q", [], Letters()) == []


def test_a_passage_is_read_under_its_title_and_heading():
    """Which document and section it belongs to; a section's own heading stands in its text."""
    assert reading(hit("due", heading="Payment")) == "Lease — Payment\ndue"
    begins = hit("Rent\n\ndue", heading="Payment › Rent", paged=False)
    assert reading(begins) == "Lease — Payment\nRent\n\ndue"
    inside = hit("due", heading="Payment › Rent", paged=False)
    assert reading(inside) == "Lease — Payment › Rent\ndue"
    assert reading(hit("due", title="")) == "lease.pdf\ndue"


def test_it_is_loaded_once_however_many_ask(folder, monkeypatch):
    """Eight threads at once: one model, the same scores."""
    from storage import model_loading

    loaded = []
    load = model_loading.load
    monkeypatch.setattr(model_loading, "load", lambda *a, **k: loaded.append(1) or load(*a, **k))
    reranker = CrossEncoderReranker(str(folder))
    assert loaded == []

    with ThreadPoolExecutor(8) as pool:
        scores = list(pool.map(lambda _: reranker.score("rent", TEXTS), range(8)))

    assert loaded == [1]
    assert all(score == pytest.approx(scores[0], abs=1e-5) for score in scores)


def test_none_is_the_default_and_settings_reach_the_model(folder):
    """A name in the settings makes a reranker, not loaded yet."""
    assert reranker_from(AppSettings(_env_file=None)) is None

    settings = AppSettings(_env_file=None, reranker=str(folder), reranker_device="gpu0")
    made = reranker_from(settings)

    assert made is not None and made.name == str(folder)
    with pytest.raises(SettingsError, match="HAYLOFT_RERANKER_DEVICE names 'gpu0'"):
        made.score("rent", TEXTS)


def test_a_bi_encoder_is_no_reranker(tmp_path):
    """The library would give it a random scoring head and go on."""
    folder = tiny_bi_encoder(tmp_path / "bi")

    with pytest.raises(SettingsError, match=r"HAYLOFT_RERANKER\) is no cross-encoder"):
        CrossEncoderReranker(str(folder)).load()
    for declaration in ("config_sentence_transformers.json", "modules.json"):
        (folder / declaration).unlink()
    with pytest.raises(SettingsError, match="weights hold no scoring head"):
        CrossEncoderReranker(str(folder)).load()


def test_a_classifier_is_no_reranker(tmp_path):
    """Three classes are no order."""
    folder = tiny_cross_encoder(tmp_path / "nli", labels=3)

    with pytest.raises(SettingsError, match="3 classes"):
        CrossEncoderReranker(str(folder)).load()


def test_a_language_model_is_asked_as_its_folder_says(tmp_path):
    """Its template counts in the window; without one there is nothing to ask."""
    folder = tiny_language_model_reranker(tmp_path / "llm")
    model = CrossEncoderReranker(str(folder), max_tokens=80)

    scores = model.score("rent", ["lease is due", "bees", "rent " * 300])
    longest = model._windows("rent " * 300, model._question("rent")[1])[0]

    assert len(set(scores)) == 3
    assert model._model.preprocess([("rent", longest)])["input_ids"].shape[-1] <= 80
    (folder / "modules.json").unlink()
    with pytest.raises(SettingsError, match="does not say how to ask it"):
        CrossEncoderReranker(str(folder)).load()


@pytest.mark.parametrize("broken", ["nowhere", "no-weights", "cut", "empty"])
def test_what_cannot_be_loaded_is_one_sentence(folder, tmp_path, broken):
    """With the setting that names it."""
    copy = tmp_path / "copy"
    if broken != "nowhere":
        shutil.copytree(folder, copy)
    if broken == "no-weights":
        (copy / "model.safetensors").unlink()
    if broken == "cut":
        truncate_file(copy / "model.safetensors")
    if broken == "empty":
        shutil.rmtree(copy)
        copy.mkdir()

    with pytest.raises(SettingsError, match=r"The reranker .*\(HAYLOFT_RERANKER\)") as caught:
        CrossEncoderReranker(str(copy)).score("rent", TEXTS)

    assert "\n" not in str(caught.value) and "docs/models.md" in str(caught.value)


def test_a_score_that_is_no_number_is_refused(tmp_path):
    """What float16 overflows into never becomes an order."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tiny_cross_encoder(tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] = torch.full_like(weights["classifier.bias"], float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(SettingsError, match="HAYLOFT_RERANKER_DTYPE"):
        CrossEncoderReranker(str(folder)).score("rent", TEXTS)
