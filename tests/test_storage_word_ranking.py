"""Few rows are scored, and they are those that scoring all would have put first."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from storage import word_ranking
from storage.lexical import TOKENIZER
from storage.word_ranking import likeliest

ROWS = 4000
BM25 = (
    "SELECT rowid FROM words WHERE words MATCH ?{} ORDER BY bm25(words, 1.0, 0.5), rowid LIMIT 50"
)


@pytest.fixture(scope="module")
def words() -> sqlite3.Connection:
    """4,000 rows of words drawn as in a language: few are frequent, most are rare."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        f"CREATE VIRTUAL TABLE words USING fts5 (text, title, tokenize = '{TOKENIZER}')"
    )
    draw = np.random.default_rng(3)
    for row in range(1, ROWS + 1):
        drawn = np.minimum(draw.zipf(1.3, size=int(draw.integers(60, 120))), 5000)
        text = " ".join(f"w{number}" for number in drawn)
        connection.execute("INSERT INTO words (rowid, text, title) VALUES (?, ?, '')", (row, text))
    return connection


def first(connection: sqlite3.Connection, phrases: list[str], rows: list[int] | None) -> list[int]:
    within = "" if rows is None else f" AND +rowid IN ({', '.join(map(str, rows))})"
    found = connection.execute(BM25.format(within), (" OR ".join(phrases),))
    return [row for (row,) in found]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_are_those_of_scoring_everything(words, seed, monkeypatch):
    """The first ten are the same, and nearly all of the first fifty."""
    monkeypatch.setattr(word_ranking, "KEPT", 600)
    draw = np.random.default_rng(seed)
    phrases = [f'"w{number}"' for number in (2, 5, *draw.integers(10, 300, size=4))]

    rows = likeliest(words, phrases, rows=ROWS, limit=50)

    assert rows is not None
    assert len(rows) == len(set(rows)) == 600
    every, some = first(words, phrases, None), first(words, phrases, rows)
    assert some[:10] == every[:10]
    assert len(set(some) & set(every)) >= 48


def test_few_rows_are_all_scored(words):
    """Where little matches there is nothing to save."""
    assert likeliest(words, ['"w700"', '"w900"'], rows=ROWS, limit=50) is None


def test_nothing_found_leaves_nothing_out(words):
    """Words that stand nowhere are no reason to look at rows."""
    assert likeliest(words, ['"nowhere"'], rows=ROWS, limit=50) is None
    assert likeliest(words, [], rows=ROWS, limit=50) is None


def test_a_word_that_all_rows_hold_decides_nothing(words, monkeypatch):
    """Its weight is next to none; the rows of the rare word stay."""
    monkeypatch.setattr(word_ranking, "KEPT", 100)
    rare = {row for (row,) in words.execute("SELECT rowid FROM words WHERE words MATCH '\"w400\"'")}

    rows = likeliest(words, ['"w1"', '"w2"', '"w400"'], rows=ROWS, limit=5)

    assert 0 < len(rare) <= 100
    assert rare <= set(rows)


def test_a_deeper_search_keeps_more(words, monkeypatch):
    """What is kept grows with the number of hits that were asked for."""
    monkeypatch.setattr(word_ranking, "KEPT", 100)

    assert len(likeliest(words, ['"w1"', '"w2"'], rows=ROWS, limit=1000)) == 1000
