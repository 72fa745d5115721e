"""Made-up libraries: repeatable, searchable, and able to grow."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
from library_fixtures import FakeEmbedder, open_library

from app.find import Finder
from benchmarks import bench_latency
from benchmarks.synthetic import CHUNKS_A_DOCUMENT, Maker, fill


@pytest.fixture(scope="module")
def maker():
    return Maker(FakeEmbedder())


def test_the_same_number_gives_the_same_document(maker):
    """In any process, whichever were made before."""
    other = Maker(FakeEmbedder())

    assert maker.document(7) == other.document(7)
    assert maker.document(8) != maker.document(7)
    assert np.array_equal(maker.vectors(7, maker.document(7)), other.vectors(7, other.document(7)))


def test_texts_have_common_and_rare_words(maker):
    """So that the full-text index has both kinds of terms to work on."""
    chunks = [text for n in range(30) for page in maker.document(n).pages for text in page]
    holding = [set(chunk.lower().replace(".", "").split()) for chunk in chunks]

    shares = {word: sum(word in words for words in holding) for word in set().union(*holding)}

    assert max(shares.values()) > 0.8 * len(chunks)
    assert sum(count == 1 for count in shares.values()) > 1000
    assert 100 < np.mean([len(chunk.split()) for chunk in chunks]) < 200


def test_vectors_are_of_unit_length_and_near_their_topic(maker):
    """Chunks of one topic lie closer together than chunks of two."""
    made = maker.document(0)
    vectors = maker.vectors(0, made)

    assert vectors.shape == (CHUNKS_A_DOCUMENT, 64)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    topics = np.repeat(made.topics, CHUNKS_A_DOCUMENT // len(made.topics))
    same = topics[:, None] == topics[None, :]
    similar = vectors @ vectors.T
    assert similar[same].mean() > similar[~same].mean() + 0.05


def test_every_fourth_question_names_a_document(maker):
    """Names lead search another way, so they must be among what is timed."""
    questions = maker.questions(8)

    assert maker.document(0).title in questions[0]
    assert maker.document(4).title in questions[4]
    assert len(set(questions)) == 8


def test_a_library_is_filled_grown_and_searched(tmp_path, maker):
    """Through the storage layer's own writer: what is found is a real passage of a real page."""
    with open_library(tmp_path) as library:
        fill(library, maker, 50)
        small = library.catalog.counts()
        fill(library, maker, 50)
        fill(library, maker, 100)
        large = library.catalog.counts()
        hits = Finder(library).search(maker.document(1).title, limit=5)
        page = library.catalog.page(hits[0].document_id, hits[0].page)

    assert (small.documents, small.chunks) == (1, CHUNKS_A_DOCUMENT)
    assert (large.documents, large.chunks, large.pages) == (2, 2 * CHUNKS_A_DOCUMENT, 40)
    assert page.text[hits[0].char_start : hits[0].char_end] == hits[0].text
    assert hits[0].document == maker.document(1).path


def test_growth_is_told_between_the_smallest_and_the_largest():
    """Twice the time at ten times the size is a growth of 2."""
    samples = {
        10_000: {"search": [0.02] * 3, "bare": [0.01] * 3},
        100_000: {"search": [0.04] * 3, "bare": [0.01] * 3},
    }

    figures = {figure.name: figure.value for figure in bench_latency._growth(samples)}

    assert figures["growth of search, p95"] == pytest.approx(2.0)
    assert figures["growth of embed + bare query, p50"] == pytest.approx(1.0)
    assert list(bench_latency._growth({10: samples[10_000]})) == []


def test_the_target_counts_from_100_000_chunks_on():
    """Smaller libraries are told without yes or no."""
    kinds = ("search", "bare", "embed", "words", "vectors")
    samples = {kind: [0.016 if kind == "search" else 0.01] * 5 for kind in kinds}

    def judged(chunks):
        figures = list(bench_latency._figures(chunks, samples))
        return next(figure.met for figure in figures if "p95" in figure.name)

    assert judged(10_020) is None
    assert judged(100_020) is False


def test_sizes_are_sorted_numbers():
    """A library only grows."""
    assert bench_latency._sizes("200,100") == (100, 200)
    with pytest.raises(argparse.ArgumentTypeError):
        bench_latency._sizes("0")
    with pytest.raises(argparse.ArgumentTypeError):
        bench_latency._sizes("ten")
