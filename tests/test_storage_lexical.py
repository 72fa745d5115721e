"""Words for the full-text index: every script is found, and no query is syntax."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage.lexical import MAX_QUERY_TERMS, TOKENIZER, index_text, match_expression, query_terms


@pytest.fixture(scope="module")
def words():
    """A full-text table as the catalog's, to be filled by each test."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = '{TOKENIZER}')")
    return connection


def found(connection: sqlite3.Connection, texts: list[str], query: str) -> list[str]:
    """The texts that a query finds, best first."""
    connection.execute("DELETE FROM words")
    connection.executemany("INSERT INTO words VALUES (?)", [(index_text(text),) for text in texts])
    expression = match_expression(query)
    if not expression:
        return []
    rows = connection.execute(
        "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words)", (expression,)
    ).fetchall()
    first = connection.execute("SELECT min(rowid) FROM words").fetchone()[0]
    return [texts[row[0] - first] for row in rows]


def test_unspaced_scripts_are_cut_into_pairs():
    """Chinese, Japanese, Thai and Korean runs become overlapping pairs; the rest stays."""
    assert index_text("在2020年净利润").split() == ["在", "2020", "年净", "净利", "利润"]
    assert index_text("net 利 sales").split() == ["net", "利", "sales"]
    assert index_text("กขค").split() == ["กข", "ขค"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("公司在二零二零年的净利润增长了", "净利润是多少"),
        ("東京都の人口は千四百万人です", "東京の人口"),
        ("ประเทศไทยมีประชากร", "ประชากรไทย"),
        ("서울의 인구는 천만 명이다", "서울 인구"),
        ("Net sales were $8,738 million", "$8,738"),
        ("certified to ISO-27001 since 2019", "ISO-27001"),
        ("certified to ISO 27001 since 2019", "iso-27001?"),
        ("the café's opening", "cafe"),
        ("ﬁnance report", "finance"),
        ("the suppliers were paid", "supplier pays"),
        ("O'Brien signed", "O'Brien"),
        ("see https://example.org/a_b", "example.org/a_b"),
        ("C++ and C#", "c++"),
        ("who are you", "who are you"),
        ("全角ＡＢＣ", "abc"),
    ],
)
def test_a_text_is_found_by_its_own_words(words, text, query):
    """In any script, with marks or without, the text that holds the words comes first."""
    assert found(words, ["something else entirely", text], query)[:1] == [text]


def test_one_character_of_an_unspaced_script_is_found_inside_a_run(words):
    """A query of one Chinese character finds the pairs that begin with it."""
    assert found(words, ["净利润", "sales"], "利") == ["净利润"]


def test_numbers_match_as_a_whole_first(words):
    """ "8,738" is a phrase: 8 and 738 far apart are not that number."""
    assert found(words, ["8 apples and 738 pears", "it was 8,738 in all"], "8,738") == [
        "it was 8,738 in all"
    ]


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '""',
        'a"b',
        "AND",
        "OR NOT",
        "NEAR(a b, 3)",
        "a*",
        "text: a",
        "^a",
        "{a b} : c",
        "a + b",
        "(",
        "a\0b",
        "\0",
        "-",
        "'; DROP TABLE words; --",
        "%",
        "x\ud800x",
        "(a OR b",
        "NOT a",
    ],
)
def test_full_text_syntax_is_only_text(words, query):
    """Quotes, operators and column filters are searched for, never obeyed and never an error."""
    found(words, ["and or not near a b c text"], query)


def test_operators_are_words(words):
    """A question that holds NOT finds the text that says so; it excludes nothing."""
    assert "near misses" in found(words, ["near misses", "sales"], "NEAR misses")
    assert "apples" in found(words, ["apples", "pears"], "NOT apples")


@settings(max_examples=400, deadline=None)
@given(query=st.text(alphabet=st.characters(exclude_categories=[]), max_size=60))
@example(query='a"\0"b')
@example(query="\u0e31")
@example(query="\uff02\u2033\u201d")
def test_any_query_gives_an_expression_that_fts5_accepts(words, query):
    """Whatever is typed, FTS5 parses what is made of it."""
    expression = match_expression(query)

    if expression:
        words.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression,)).fetchone()


def test_small_words_are_left_out_while_others_remain():
    """Stop words are dropped from a question, unless it has no others."""
    assert query_terms("What is the warranty of the pump?") == ["warranty", "pump"]
    assert query_terms("What is it?") == ["what", "is", "it"]


def test_a_query_without_words_gives_no_expression():
    """Marks alone look for nothing."""
    assert match_expression("?! — …") == ""
    assert match_expression("") == ""


def test_a_very_long_query_is_cut_to_its_first_terms():
    """More terms than the limit cost time; the first ones stay."""
    terms = query_terms(" ".join(f"term{i}" for i in range(1000)))

    assert len(terms) == MAX_QUERY_TERMS
    assert terms[0] == "term0"


def test_a_term_that_comes_twice_is_asked_once():
    """Repeating a word does not shout."""
    assert query_terms("pump Pump PUMP") == ["pump"]
