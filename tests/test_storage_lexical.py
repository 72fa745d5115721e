"""Words for the full-text index: every script is found, and no query is syntax."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage.lexical import (
    MAX_QUERY_TERMS,
    TOKENIZER,
    index_text,
    match_phrases,
    query_language,
    query_terms,
)
from tests.lexical_texts import ANSWERS_AND_QUESTIONS


@pytest.fixture(scope="module")
def words():
    """A full-text table as the catalog's, to be filled by each test."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = '{TOKENIZER}')")
    connection.execute("CREATE VIRTUAL TABLE counts USING fts5vocab (words, 'row')")
    return connection


def match_expression(*asked) -> str:
    """What FTS5 is asked for a query; empty for nothing."""
    return " OR ".join(match_phrases(*asked))


def frequency_in(connection: sqlite3.Connection):
    def frequency(term: str) -> int:
        row = connection.execute("SELECT doc FROM counts WHERE term = ?", (term,)).fetchone()
        return row[0] if row else 0

    return frequency


def scored(connection, texts, query, language="", *, library=None) -> list[tuple[str, float]]:
    """The texts that a query finds, best first, with their BM25 scores (higher is better)."""
    connection.execute("DELETE FROM words")
    connection.executemany(
        "INSERT INTO words (rowid, text) VALUES (?, ?)",
        [(row, index_text(text, language)) for row, text in enumerate(texts)],
    )
    spoken = library or ((language,) if language else ())
    expression = match_expression(query, spoken, frequency_in(connection))
    if not expression:
        return []
    rows = connection.execute(
        "SELECT rowid, -bm25(words) AS score FROM words WHERE words MATCH ?"
        " ORDER BY score DESC, rowid",
        (expression,),
    ).fetchall()
    return [(texts[row], score) for row, score in rows]


def found(connection, texts, query, language="", *, library=None) -> list[str]:
    """The texts that a query finds, best first."""
    return [text for text, _ in scored(connection, texts, query, language, library=library)]


def test_unspaced_scripts_are_cut_into_pairs():
    """Chinese, Japanese, Thai and Korean runs become overlapping pairs; the rest stays."""
    assert index_text("在2020年净利润").split() == ["在", "2020", "年净", "净利", "利润", "润"]
    assert index_text("net 利 zoo").split() == ["net", "利", "zoo"]
    assert index_text("กขค").split() == ["กข", "ขค", "ค"]


@pytest.mark.parametrize("language", ANSWERS_AND_QUESTIONS)
def test_an_inflected_question_finds_its_sentence_first(words, language):
    """Stems, accents, particles and compounds of a language lead to the right sentence."""
    texts = [answer for answer, _ in ANSWERS_AND_QUESTIONS[language]]

    missed = [
        question
        for answer, question in ANSWERS_AND_QUESTIONS[language]
        if found(words, texts, question, language)[:1] != [answer]
    ]

    assert missed == []


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("公司在二零二零年的净利润增长了", "净利润是多少"),
        ("這家公司的淨利潤增長了", "净利润"),
        ("这家公司的净利润增长了", "淨利潤"),
        ("東京都の人口は千四百万人です", "東京の人口"),
        ("ประเทศไทยมีประชากร", "ประชากรไทย"),
        ("서울의 인구는 천만 명이다", "서울 인구"),
        ("ភាសាខ្មែរ និង ភាសាថៃ", "ភាសាខ្មែរ"),
        ("မြန်မာနိုင်ငံ", "မြန်မာ"),
        ("Net sales were $8,738 million", "$8,738"),
        ("certified to ISO-27001 since 2019", "ISO-27001"),
        ("certified to ISO 27001 since 2019", "iso-27001?"),
        ("certified to ISO27001 since 2019", "ISO 27001"),
        ("the café's opening", "cafe"),
        ("the cafe's opening", "café"),
        ("ﬁnance report", "finance"),
        ("the suppliers were paid", "supplier pays"),
        ("O'Brien signed", "O’Brien"),
        ("see https://example.org/a_b", "example.org/a_b"),
        ("C++ and Rust", "c++"),
        ("C# and Rust", "(C#)"),
        ("the .NET runtime", ".net?"),
        ("who are you", "who are you"),
        ("全角ＡＢＣ", "abc"),
        ("so\u00adft hy\u00ad\nphens", "soft hyphens"),
        ("zero\u200bwidth", "zerowidth"),
        ("a bro-\nken word", "broken"),
        ("Müller and Søn in Łódź", "muller son lodz"),
        ("Muller and Son in Lodz", "Müller Søn Łódź"),
        ("Æble", "aeble"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("Всё хорошо", "все"),
        ("м'ята", "мята"),
        ("שָׁלוֹם", "שלום"),
        ("می‌خواهم", "میخواهم"),
        ("کتاب‌ها", "كتاب"),
        ("٢٠٢٤ و ۲۰۲۳", "2024 2023"),
        ("হাওড়া জেলা", "জেলা"),
        ("தமிழ்நாடு", "தமிழ்நாடு"),
        ("Post-it™ notes", "post-it"),
        ("Net sales¹ and debt²", "sales"),
        ("an area of 12 m²", "m2"),
        ("write to help@example.org", "help@example.org"),
        ("on 2024-03-15", "2024-03-15"),
        ("call foo() first", "foo"),
        ("The HTTPServer class", "server"),
        ("The YouTube video", "youtube"),
        ("data.frame.head(5)", "frame"),
        ("the re-use of water", "reuse"),
    ],
)
def test_a_text_is_found_by_its_own_words(words, text, query):
    """In any script, with marks or without, the text that holds the words comes first."""
    assert found(words, ["something else entirely", text], query)[:1] == [text]


@pytest.mark.parametrize("written", ["$8,738", "8738", "8.738", "8'738", "8\u202f738", "8,738.00"])
@pytest.mark.parametrize("asked", ["$8,738", "8738", "8.738", "8,738.0", "８７３８"])
def test_a_number_is_found_however_its_thousands_are_grouped(words, written, asked):
    """Marks and unbreakable spaces between thousands, and zero decimals, do not hide a number."""
    text = f"it was {written} in all"

    assert found(words, ["8 apples and 738 pears", text], asked)[:1] == [text]


def test_a_decimal_is_not_its_digits_apart(words):
    """12.5 is found as 12.50, and before a text that holds 12 and 5."""
    texts = ["12 apples and 5 pears", "it rose by 12.50 percent"]

    assert found(words, texts, "12.5%") == ["it rose by 12.50 percent"]


def test_an_address_keeps_its_numbers():
    """192.168.0.1 and 1.10 are no thousands."""
    assert index_text("192.168.100.200 1.10 0.738").split() == [
        *("192", "168", "100", "200"),
        *("1", "10"),
        *("0", "738"),
    ]


@pytest.mark.parametrize("written", ["FY2018", "FY 2018", "FY18", "FY-18"])
@pytest.mark.parametrize("asked", ["FY2018", "FY18", "2018"])
def test_a_fiscal_year_is_found_in_its_short_and_long_form(words, written, asked):
    """Whoever asks for the year finds it however it is abbreviated, before another year."""
    text = f"sales of {written} grew"

    assert found(words, ["sales of FY2017 grew", text], asked)[:1] == [text]


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("AB-1234/5", "1234"),
        ("ISO-27001", "27001"),
        ("max_query_terms", "query"),
        ("parseHttpResponse", "response"),
        ("pkg.module.name", "module"),
        ("v1.2.3-rc1", "rc1"),
        ("https://example.org/reports/annual", "reports"),
    ],
)
def test_a_part_finds_the_whole_and_the_whole_ranks_higher(words, whole, part):
    """An identifier is found by a part of it, and by itself before what shares only the part."""
    texts = [f"the {part} of another thing", f"here is {whole} for you", "nothing of the kind"]

    assert texts[1] in found(words, texts, part)
    assert found(words, texts, whole)[0] == texts[1]


def test_an_exact_word_ranks_no_lower_than_one_that_shares_its_stem(words):
    """Stems make equals: neither form is counted twice."""
    texts = ["the pump works well", "the pumps works well", "other things entirely", "and more"]

    scores = dict(scored(words, texts, "pump", "en"))

    assert scores[texts[0]] == pytest.approx(scores[texts[1]])


def test_a_word_is_one_term_in_the_index():
    """BM25 counts a word once: stems replace words, they do not join them."""
    assert index_text("Suppliers were paying", "en").split() == ["supplier", "were", "pay"]


def test_a_part_of_a_compound_is_found_behind_the_plain_word(words):
    """German: the word itself first, then the compounds that begin or end with it."""
    texts = [
        "Die Lebensversicherungspolice liegt bei.",
        "Die Police liegt bei.",
        "Das Policenverzeichnis liegt bei.",
        "Der Vertrag liegt bei.",
    ]

    hits = found(words, texts, "die Police", "de")

    assert hits[0] == texts[1]
    assert set(hits[1:]) == {texts[0], texts[2]}


def test_compounds_leave_other_languages_alone(words):
    """An English question is not looked for inside of German words."""
    texts = ["Die Reisekosten werden erstattet.", "Das Wort Kost ist alt."]

    assert found(words, texts, "what are the cost and the rate", "de", library=("de", "en")) == []


def test_a_word_is_found_in_documents_of_other_languages(words):
    """A name is stemmed as each language of the library has stemmed it."""
    spanish = "Cervantes escribió novelas"

    assert found(words, [spanish], "who was Cervantes", "es", library=("en", "es")) == [spanish]


def test_one_character_of_an_unspaced_script_is_found_inside_a_run(words):
    """A query of one Chinese character finds it at the beginning, in the middle, at the end."""
    texts = ["利润", "净利润", "净利", "sales"]

    assert set(found(words, texts, "利")) == set(texts[:3])


def test_a_quotation_matches_as_a_phrase_and_weighs_more(words):
    """Words in quotes are found in that order before the same words apart."""
    texts = [
        "sales of the net and sales of a net and other sales",
        "the net sales rose by a little in the autumn of a year that was otherwise quiet",
        "nothing",
        "here neither",
    ]

    assert found(words, texts, "net sales", "en")[0] == texts[0]
    assert found(words, texts, '"net sales"', "en")[0] == texts[1]
    assert found(words, texts, "„net sales“", "en")[0] == texts[1]


def test_a_chinese_quotation_matches_inside_a_sentence(words):
    """The characters of a quotation stand in a row, whatever follows them."""
    texts = ["利润下降，净资产增长", "今年净利润增长", "别的"]

    assert found(words, texts, "「净利润」")[0] == texts[1]


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
        '"a" OR "b" *',
        '"利" *',
        "“AND” OR ”",
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
@example(query="\ue000\ue001")
@example(query="①½፩〇")
def test_any_query_gives_an_expression_that_fts5_accepts(words, query):
    """Whatever is typed, FTS5 parses what is made of it."""
    expression = match_expression(query, ("de", "en", "es", ""))

    if expression:
        words.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression,)).fetchone()


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80))
@pytest.mark.parametrize("language", ["", "de", "ar", "tr"])
def test_any_text_becomes_terms_that_fts5_takes_whole(words, text, language):
    """FTS5 cuts only at the spaces between terms, so phrases stand as they were indexed."""
    terms = index_text(text, language)
    words.execute("DELETE FROM words")
    words.execute("INSERT INTO words VALUES (?)", (terms,))

    assert words.execute("SELECT coalesce(sum(cnt), 0) FROM counts").fetchone()[0] <= len(
        terms.split()
    )


def test_small_words_are_left_out_while_others_remain():
    """Stop words are dropped from a question, unless it has no others."""
    assert query_terms("What is the warranty of the pump?") == ["warranty", "pump"]
    assert query_terms("What is it?") == ["what", "is", "it"]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("Wann endet die Frist für den Vertrag?", ["endet", "frist", "vertrag"]),
        ("¿Cuándo termina el contrato?", ["¿cuándo", "termina", "contrato"]),
        ("Когда заканчивается договор?", ["заканчивается", "договор"]),
        ("अनुबंध कब समाप्त होता है?", ["अनुबंध", "समाप्त"]),
        ("who will die first", ["die", "first"]),
    ],
)
def test_small_words_are_those_of_the_questions_own_language(query, terms):
    """A German article is a word in an English question."""
    if terms[0] == "¿cuándo":
        terms = terms[1:]

    assert query_terms(query) == terms


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("Where is the station?", "en"),
        ("¿Cuándo se firmó el contrato?", "es"),
        ("Wer hat den Vertrag unterschrieben?", "de"),
        ("净利润是多少", "zh"),
        ("図書館はどこですか", "ja"),
        ("서울 인구", "ko"),
        ("Pfizer 2021", ""),
        ("", ""),
    ],
)
def test_a_querys_language_is_told_by_script_and_small_words(query, language):
    """Names alone belong to no language."""
    assert query_language(query, ("en", "es", "de", "zh")) == language


def test_a_query_that_fits_two_languages_is_in_the_librarys():
    """Spanish and Portuguese share small words; the library has only one of them."""
    assert query_language("capital de la provincia", ("es", "en")) == "es"


def test_a_query_without_words_gives_no_expression():
    """Marks alone look for nothing."""
    assert match_expression("?! — …") == ""
    assert match_expression("") == ""


def test_a_very_long_query_is_cut_to_its_first_terms():
    """More terms than the limit cost time; the first ones stay where nothing else is known."""
    terms = query_terms(" ".join(f"term{chr(97 + i % 26)}{i}" for i in range(1000)))

    assert len(terms) == MAX_QUERY_TERMS
    assert terms[0] == "terma0"


def test_a_very_long_query_keeps_its_rarest_terms(words):
    """With frequencies at hand, the words that tell most are looked for."""
    common = [f"word{'abcdefghij'[i // 10]}{'klmnopqrst'[i % 10]}" for i in range(100)]
    texts = [" ".join(common)] * 5 + ["the needle"]

    assert found(words, texts, " ".join([*common, "needle"]), "en")[0] == "the needle"


def test_a_term_that_comes_twice_is_asked_once():
    """Repeating a word does not shout."""
    assert query_terms("pump Pump PUMP") == ["pump"]
    assert match_expression("pump Pump PUMP", ("en",)) == match_expression("pump", ("en",))


def test_texts_indexed_in_many_threads_are_indexed_alike():
    """Stemmers are shared; their answers are not mixed up."""
    texts = [f"paying suppliers {i} invoices delivered" for i in range(300)]
    expected = [f"pay supplier {i} invoic deliv" for i in range(300)]
    results: dict[int, list[str]] = {}

    def work(number: int) -> None:
        results[number] = [index_text(text, "en") for text in texts]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(results[n] == expected for n in range(8))
