"""Searching and asking within a scope, from the files to the command line."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import docx
import pytest
from reportlab.pdfgen import canvas

import hayloft
from app.find import Finder
from storage.embedding import BUNDLED_NAME
from storage.errors import UsageError
from storage.library import Library
from storage.records import Scope
from tests.library_fixtures import (
    FakeEmbedder,
    command_line_place,
    ingest,
    open_library,
    words,
    write_files,
)

LOUD = 200

SPANISH = (
    "El alquiler de la casa se paga el primer día de cada mes. El inquilino cuida el jardín y"
    " avisa al propietario cuando algo no funciona."
)
RENT = "The rent of the house is due on the first day of each month, and the tenant pays it."


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory):
    """Files of four formats that state dates and tags, and 200 that match every query better."""
    folder = tmp_path_factory.mktemp("scope")
    docs = write_files(
        folder / "docs",
        {
            "lease.md": f"---\ntags:\n  - Law\n  - Rent\ndate: 2021-05-17\n---\n# Lease\n\n{RENT}",
            "es/alquiler.md": f"---\ndate: 2022-02\n---\n# Alquiler rent\n\n{SPANISH}",
            "page.html": '<html><head><meta name="keywords" content="law, web">'
            '<meta property="article:published_time" content="2020-03-01T08:00:00Z"></head>'
            f"<body><h1>Page</h1><p>{RENT}</p></body></html>",
            "odd.md": f"---\ndate: the day before yesterday\ntags: []\n---\n{RENT}",
            **{f"loud/{i:03}.txt": f"rent {words(str(i), 60)}" for i in range(LOUD)},
        },
    )
    make_pdf(docs / "reports" / "report-2023.pdf")
    make_docx(docs / "letter.docx")
    for path in docs.rglob("*"):
        if path.is_file():
            os.utime(path, (1_577_880_000, 1_577_880_000))  # 2020-01-01
    embedder = FakeEmbedder(name=BUNDLED_NAME)
    with open_library(folder / "data", embedder, linger_s=2.0) as library:
        ingest(library, docs)
        yield library


def make_pdf(path: Path) -> None:
    path.parent.mkdir(parents=True)
    page = canvas.Canvas(str(path))
    page.setKeywords("Finance; Annual Report")
    page.drawString(72, 700, RENT)
    page.save()


def make_docx(path: Path) -> None:
    """A document that states nothing but the date of python-docx's template."""
    document = docx.Document()
    document.add_paragraph(RENT)
    document.save(str(path))


def found(library: Library, scope: Scope, query: str = "rent", limit: int = 300) -> set[str]:
    return {hit.document for hit in Finder(library).search(query, limit=limit, scope=scope)}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(documents=("lease.md",)), {"lease.md"}),
        (Scope(documents=("es", "*.html")), {"es/alquiler.md", "page.html"}),
        (Scope(kinds=("pdf",)), {"reports/report-2023.pdf"}),
        (Scope(kinds=("docx", "html")), {"letter.docx", "page.html"}),
        (Scope(languages=("es",)), {"es/alquiler.md"}),
        (Scope(tags=("law",)), {"lease.md", "page.html"}),
        (Scope(tags=("annual report",)), {"reports/report-2023.pdf"}),
        (Scope(since="2021", until="2021"), {"lease.md"}),
        (Scope(since="2022-02-10", until="2022-12"), {"es/alquiler.md"}),
        (Scope(until="2020-01-01", kinds=("md", "docx")), {"letter.docx", "odd.md"}),
        (Scope(kinds=("md",), tags=("law",), since="2020"), {"lease.md"}),
    ],
    ids=lambda value: str(value.to_json()) if isinstance(value, Scope) else "",
)
def test_only_what_is_in_scope_is_found(library, scope, expected):
    """Each filter alone and together, in both arms, however many others match."""
    assert found(library, scope) == expected
    assert found(library, scope, limit=1) <= expected


def test_hits_in_scope_are_those_of_a_search_without_one(library):
    """All 200 of a folder come back, by words and by vectors, in the same order."""
    finder = Finder(library)
    scope = Scope(documents=("loud",))

    inside = finder.search("rent", limit=1000, scope=scope)

    assert {hit.document for hit in inside} == {f"loud/{i:03}.txt" for i in range(LOUD)}
    everywhere = [
        hit.chunk_id
        for hit in finder.search("rent", limit=1000)
        if hit.document.startswith("loud/")
    ]
    ranked = {hit.chunk_id for hit in inside[:50]}
    assert len(ranked & set(everywhere[:60])) >= 45
    assert all(hit.lexical_rank or hit.dense_rank for hit in inside)


def test_a_scope_that_nothing_meets_finds_nothing(library):
    """Each filter is met by some document, all of them by none."""
    assert found(library, Scope(kinds=("pdf",), tags=("law",))) == set()
    assert found(library, Scope(since="2099")) == set()


def test_dates_come_from_the_document_or_from_its_file(library):
    """What is no date, and a template's date, count as none."""
    listed = {item.document: item for item in library.catalog.documents()}

    dates = {name: (listed[name].dated, listed[name].dated_by) for name in listed}
    assert dates["lease.md"] == ("2021-05-17", "stated")
    assert dates["es/alquiler.md"] == ("2022-02", "stated")
    assert dates["page.html"] == ("2020-03-01", "stated")
    assert dates["reports/report-2023.pdf"][1] == "stated"
    assert dates["odd.md"] == ("2020-01-01", "file")
    assert dates["letter.docx"] == ("2020-01-01", "file")
    assert listed["lease.md"].tags == ("law", "rent")
    assert listed["odd.md"].tags == ()
    assert listed["es/alquiler.md"].language == "es"


def test_a_file_that_is_only_touched_gets_its_new_date(library, tmp_path):
    """Where its own time is the date; a date that it states stays. Nothing is embedded anew."""
    docs = write_files(
        tmp_path / "docs", {"a.md": "# A\n\ntext", "b.md": "---\ndate: 2001\n---\nx"}
    )
    with open_library(tmp_path / "data") as other:
        for moment in (1_577_880_000, 1_609_502_400):
            for path in docs.iterdir():
                os.utime(path, (moment, moment))
            report = ingest(other, docs)
        dates = [(item.dated, item.dated_by) for item in other.catalog.documents()]

    assert (report.unchanged, report.updated) == (2, 0)
    assert dates == [("2021-01-01", "file"), ("2001", "stated")]


def test_a_wrong_scope_is_refused_before_the_model_is_loaded(library):
    """A misspelt filter costs no waiting."""

    class NotLoaded(Library):
        @property
        def embedder(self):
            raise AssertionError("loaded")

    with pytest.raises(UsageError, match="no documents of type odt"):
        Finder(NotLoaded(library.settings)).search("rent", scope=Scope(kinds=("odt",)))


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def said(library, tmp_path, monkeypatch, capsys):
    """Runs a command on the library; gives its exit code, output and errors."""
    command_line_place(tmp_path, monkeypatch)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = hayloft.main(["--data-dir", str(library.settings.data_dir), *arguments])
        return code, *capsys.readouterr()

    return run


def documents(out: str) -> set[str]:
    return {hit["document"] for hit in json.loads(out)["hits"]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--type", "PDF"], {"reports/report-2023.pdf"}),
        (["--type", "pdf", "--type", ".html"], {"reports/report-2023.pdf", "page.html"}),
        (["--language", "es-ES"], {"es/alquiler.md"}),
        (["--tag", "Law", "--until", "2020"], {"page.html"}),
        (["--document", "*2023*"], {"reports/report-2023.pdf"}),
        (["--since", "2021-05-17", "--until", "2021-05-17"], {"lease.md"}),
    ],
    ids=" ".join,
)
def test_search_takes_filters(said, arguments, expected):
    """Repeated ones widen, different ones narrow."""
    code, out, _ = said("search", "--json", "rent", *arguments)

    assert code == 0
    assert documents(out) == expected


def test_ask_takes_the_same_filters(said):
    """The answer rests on what is in scope alone."""
    code, out, _ = said("ask", "--json", "When is the rent due?", "--tag", "law", "--type", "md")

    answer = json.loads(out)
    assert code == 0
    assert {citation["document"] for citation in answer["citations"]} == {"lease.md"}


def test_nothing_in_scope_is_said(said):
    """That nothing was found is not put down to the whole library."""
    code, out, _ = said("search", "rent", "--since", "2099")
    assert (code, out.strip()) == (0, "Nothing was found in what the filters leave.")

    code, out, _ = said("ask", "When is the rent due?", "--since", "2099")
    assert code == 0
    assert "No document meets all the filters" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--document", "nope.md"], "No document is called nope.md"),
        (["--document", "*.xyz"], "No document matches *.xyz"),
        (["--type", "odt"], "of type odt. Its types: txt, md, docx, html, pdf."),
        (["--language", "fi"], "in the language fi. Its languages: "),
        (["--tag", "laws"], "with the tag laws. Its tags: law, "),
        (["--since", "last year"], "'last year' is no date. Write 2023, 2023-04 or 2023-04-30."),
        (["--since", "2023", "--until", "2021"], "No day lies between 2023 and 2021"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("command", ["search", "ask"])
def test_a_filter_that_cannot_be_is_one_sentence(said, command, arguments, sentence):
    """Exit 2, one line, and what there is instead."""
    code, out, err = said(command, "rent", *arguments)

    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert len(err) < 400


def test_a_batch_line_brings_its_own_filters(said, monkeypatch):
    """They take the place of the given ones of the same kind; the others stay."""
    lines = [
        {"id": 1, "query": "rent"},
        {"id": 2, "query": "rent", "type": ["md", "html"]},
        {"id": 3, "query": "rent", "tag": "rent", "type": "md"},
        {"id": 4, "query": "rent", "document": None, "since": "", "until": "2020"},
        {"id": 5, "query": "rent", "document": ["es", "lease.md"], "language": "es", "tag": []},
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(map(json.dumps, lines))))

    code, out, _ = said("search", "--batch", "-", "--type", "md", "--since", "2020-02")

    assert code == 0
    assert [documents(line) for line in out.splitlines()] == [
        {"lease.md", "es/alquiler.md"},
        {"lease.md", "es/alquiler.md", "page.html"},
        {"lease.md"},
        set(),
        {"es/alquiler.md"},
    ]


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"type": 3}, '"type" is a string or a list of strings'),
        ({"tag": ["a", None]}, '"tag" is a string or a list of strings'),
        ({"document": {"path": "x"}}, '"document" is a string or a list of strings'),
        ({"since": 2023}, '"since" is a date, as a string'),
        ({"until": "tomorrow"}, "'tomorrow' is no date"),
    ],
)
def test_a_wrong_filter_stops_a_batch_before_it_begins(said, tmp_path, filters, sentence):
    """With the line's number; nothing was printed before."""
    lines = [{"query": "rent"}, {"query": "rent", **filters}]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines)))

    code, out, err = said("search", "--batch", "q.jsonl")

    assert (code, out) == (2, "")
    assert "q.jsonl, line 2: " in err
    assert sentence in err


def test_status_lists_what_documents_can_be_filtered_by(said):
    """For people, and in full as JSON."""
    _, out, _ = said("status", "--documents")
    line = next(line for line in out.splitlines() if line.startswith("  lease.md"))
    assert line.endswith("md, en, 2021-05-17, #law, #rent")
    assert "2020-01-01 (its file's date)" in out

    _, out, _ = said("status", "--documents", "--json")
    facts = json.loads(out)
    assert facts["documents"] == len(facts["document_list"]) == LOUD + 6
    page = next(item for item in facts["document_list"] if item["document"] == "page.html")
    assert (page["type"], page["language"], page["date"], page["date_by"], page["tags"]) == (
        ("html", "en", "2020-03-01", "stated", ["law", "web"])
    )
