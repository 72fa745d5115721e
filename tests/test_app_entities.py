"""Names and periods in questions: what is found, where, and what is left alone."""

from __future__ import annotations

import time

import pytest

from app.entities import document_names, entities, periods, shifted, with_year, written


def forms(text: str) -> list[str]:
    return [period.form for period in periods(text)]


def names(text: str, known: list[str] | None = None) -> list[str]:
    return [entity.text for entity in entities(text, known or []) if entity.sure]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("in 2018?", "2018"),
        ("FY2018", "FY2018"),
        ("FY18", "FY2018"),
        ("FY 2018", "FY2018"),
        ("fiscal year 2018", "FY2018"),
        ("fiscal 2018", "FY2018"),
        ("Q2 2024", "2024-Q2"),
        ("2Q24", "2024-Q2"),
        ("Q2'24", "2024-Q2"),
        ("Q2 FY2024", "FY2024-Q2"),
        ("2024Q2", "2024-Q2"),
        ("BESTBUY_2024Q2_10Q.pdf", "2024-Q2"),
        ("the second quarter of 2024", "2024-Q2"),
        ("third fiscal quarter of 2023", "FY2023-Q3"),
        ("Q3", "Q3"),
        ("H1 2024", "2024-H1"),
        ("the first half of 2023", "2023-H1"),
        ("May 2018", "2018-05"),
        ("in May", "--05"),
        ("3 May 2018", "2018-05-03"),
        ("May 3, 2018", "2018-05-03"),
        ("2018-05-03", "2018-05-03"),
        ("between 2016 and 2018", "2016..2018"),
        ("2016-18", "2016..2018"),
        ("from 2016 to 2018", "2016..2018"),
        ("el segundo trimestre de 2024", "2024-Q2"),
        ("ejercicio 2018", "FY2018"),
        ("en 2018", "2018"),
        ("entre 2016 y 2018", "2016..2018"),
        ("marzo de 2020", "2020-03"),
        ("im zweiten Quartal 2024", "2024-Q2"),
        ("Geschäftsjahr 2017/18", "FY2017..FY2018"),
        ("zwischen 2016 und 2018", "2016..2018"),
        ("deuxième trimestre 2024", "2024-Q2"),
        ("T2 2024", "2024-Q2"),
        ("mars 2020", "2020-03"),
        ("2018年第二季度", "2018-Q2"),
        ("２０１８财年", "FY2018"),
        ("二〇一八年", "2018"),
        ("2018年上半年", "2018-H1"),
        ("2018年5月3日", "2018-05-03"),
        ("the year before", "year-1"),
        ("two years earlier", "year-2"),
        ("the following year", "year+1"),
        ("last quarter", "quarter-1"),
        ("the same period", "period+0"),
        ("el año anterior", "year-1"),
        ("im Jahr davor", "year-1"),
        ("Vorquartal", "quarter-1"),
        ("l'année d'avant", "year-1"),
        ("deux ans plus tôt", "year-2"),
        ("前一年", "year-1"),
        ("上个季度", "quarter-1"),
        ("两年前", "year-2"),
    ],
)
def test_period_has_one_normal_form(text: str, form: str) -> None:
    """However it is written, in five languages."""
    assert forms(text) == [form]


@pytest.mark.parametrize(
    "text",
    [
        "ISO 9001:2015",
        "ISO-27001:2013",
        "$2,018",
        "2018 EUR",
        "page 2018",
        "in the 2010s",
        "may I?",
        "12 months",
        "a mars rover",
        "part GSR-2018-A",
        "https://example.org/2018/05",
    ],
)
def test_number_that_is_no_year_is_left_alone(text: str) -> None:
    """Amounts, standards, parts, pages and verbs are no periods."""
    assert forms(text) == []


def test_spans_point_into_the_text() -> None:
    """Offsets hold for names and periods alike, full-width characters included."""
    text = "３Ｍ：What was Best Buy’s revenue in Q2 ２０２４ and “net debt”?"

    for found in [*periods(text), *entities(text)]:
        assert text[found.start : found.end] == found.text
    assert forms(text) == ["2024-Q2"]


def test_steps_lead_from_period_to_period() -> None:
    """Years keep the quarter; quarters and months turn the year."""

    def stepped(text: str, step: str, by: int) -> str:
        period = shifted(periods(text)[0], step, by)
        return period.form if period else ""

    assert stepped("Q2 2024", "year", -1) == "2023-Q2"
    assert stepped("Q1 2024", "quarter", -1) == "2023-Q4"
    assert stepped("December 2023", "month", 1) == "2024-01"
    assert stepped("2016-2018", "year", -1) == "2015"
    assert stepped("2018", "quarter", -1) == ""
    assert stepped("Q3", "year", -1) == ""


def test_period_is_written_as_the_one_before_it() -> None:
    """The year changes inside the words; another quarter takes the language's short form."""
    assert with_year("the second quarter of 2024", 2024, 2023) == "the second quarter of 2023"
    assert with_year("FY18", 2018, 2017) == "FY17"
    quarter = shifted(periods("2024年第一季度")[0], "quarter", -1)
    assert quarter is not None
    assert written(quarter, "2024年第一季度") == "2023年第四季度"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What was 3M's capital expenditure in FY2018?", ["3M"]),
        ("Best Buy's Q2 2024 and Johnson & Johnson's", ["Best Buy", "Johnson & Johnson"]),
        ("the Bank of America and AT&T", ["Bank of America", "AT&T"]),
        ("Is MGM Resorts' debt high?", ["MGM Resorts"]),
        ("What is the CEO's EBITDA target?", []),
        ("How long is the notice period?", []),
        ("What Is The Notice Period For Interns?", []),
        ("WHAT WAS ADOBE REVENUE IN 2018", []),
        ("ISO-27001 or DIN EN 13485, GSR-18V?", ["ISO-27001", "DIN EN 13485", "GSR-18V"]),
        ("read_file() in app.py, maxTokens", ["read_file()", "app.py", "maxTokens"]),
        ('the "blue tin" rule of § 12', ["blue tin", "§ 12"]),
        ("at 10:30am 5kg 230V", []),
        ("Wie hoch war der Umsatz von Siemens im Jahr 2018?", ["Siemens"]),
        ("Wie hoch war der Gewinn der Deutschen Bank?", ["Deutschen Bank"]),
        ("Wie lang ist die Kündigungsfrist für Praktikanten?", []),
        ("¿Cuál fue el EBITDA de Telefónica?", ["Telefónica"]),
        ("le chiffre d'affaires de L'Oréal", ["L'Oréal"]),
        ("腾讯公司2018年的收入是多少？", ["腾讯公司"]),
        ("《劳动合同法》第十四条", ["劳动合同法", "第十四条"]),
    ],
)  # fmt: skip
def test_names_are_told_by_how_they_are_written(text: str, found: list[str]) -> None:
    """Capitals, quotation marks, digits; not the first word, German nouns or measures."""
    assert names(text) == found


def test_capital_at_the_beginning_is_only_a_guess() -> None:
    """ "Adobe?" may be a name, and so may "Deposit?"."""
    for text in ("Adobe?", "Deposit?"):
        assert [(e.text, e.sure) for e in entities(text)] == [(text[:-1], False)]


def test_legal_form_is_no_part_of_the_normal_form() -> None:
    """ "Best Buy Co., Inc." and "Best Buy" are one."""
    found = entities("Does Best Buy Co., Inc. own Adobe Inc. or Siemens AG?")

    assert [entity.form for entity in found] == ["best buy", "adobe", "siemens"]


def test_known_names_are_found_in_small_letters() -> None:
    """Names from titles and answers count however they are typed, as whole words only."""
    assert names("what did adobe and best  buy earn", ["Adobe", "Best Buy"]) == [
        "adobe",
        "best  buy",
    ]
    assert names("adobes", ["Adobe"]) == []


@pytest.mark.parametrize(
    ("document", "title", "found"),
    [
        ("filings/3M_2018_10K.pdf", "", ["3M"]),
        ("BESTBUY_2024Q2_10Q.pdf", "Quarterly report of Best Buy", ["BESTBUY", "Best Buy"]),
        ("2018.pdf", "", []),
        ("notes.md", "Notes", ["notes"]),
    ],
)
def test_document_goes_by_the_names_in_path_and_title(
    document: str, title: str, found: list[str]
) -> None:
    """Periods and the numbers of forms are no part of a name."""
    assert document_names(document, title) == found


def test_an_endless_word_takes_no_time():
    """A pasted key of thousands of characters is no name; the names beside it still are."""
    began = time.process_time()

    found = entities("a1" * 10_000 + " made by Siemens AG")

    assert [entity.text for entity in found] == ["Siemens AG"]
    assert time.process_time() - began < 1.0
