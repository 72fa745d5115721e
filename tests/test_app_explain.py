"""`hayloft search --explain` and `--why`: what they say is what the search did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reportlab.pdfgen import canvas

import hayloft
from app.explain import explained, names_in, sentence
from app.explain_text import explanation_lines, standing_lines
from app.find import Finder
from app.phrases import listed, ordinal
from app.settings import AppSettings
from app.standing import Standing, target_of
from app.why import Search, why
from storage.embedding import BUNDLED_NAME
from storage.errors import UsageError
from storage.library import Library
from storage.records import EVERYTHING, Scope
from tests.library_fixtures import (
    FakeEmbedder,
    command_line_place,
    document_named,
    ingest,
    open_library,
    words,
    write_files,
)

LOUD = 240
TWICE = "The pump in the cellar is inspected every second spring by the town's own engineer."
QUERY = "When is the rent due?"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory):
    """One document for each thing that can be said of a page, and 240 that fit a question best."""
    folder = tmp_path_factory.mktemp("explain")
    docs = write_files(
        folder / "docs",
        {
            "lease.md": "---\ndate: 2021\ntags: [law]\n---\n# Lease\n\nThe rent is due monthly."
            "\n\n# Bees\n\nThey fly.",
            "notes: 2024.md": "# Garden\n\nPears ripen in autumn.",
            "deep.txt": f"Ripe plums. {words('deep', 30)}",
            "es.md": "# El jardín\n\nLas peras y las manzanas maduran en el otoño, cuando los días"
            " son más cortos y la casa está fría por la mañana.",
            "copies/a.md": f"# Pump\n\n{TWICE}",
            "copies/b.md": f"# Pump\n\n{TWICE}",
            "firms/acme-2023.txt": "Net sales rose by a tenth over the year before.",
            "firms/borealis-2023.txt": "Net sales rose by a tenth, and costs fell.",
            "bad.pdf": "this is no PDF",
            "empty.md": "",
            "sub/lease.txt": "The rent of the garden.",
            **{f"loud/{i:03}.txt": f"When the rent is due {words(str(i), 6)}" for i in range(LOUD)},
        },
    )
    make_pdf(docs / "scan.pdf")
    (docs / "changed.txt").write_text("The lift is serviced in May.")
    with open_library(folder / "data", FakeEmbedder(name=BUNDLED_NAME), linger_s=2.0) as library:
        ingest(library, docs)
        (docs / "changed.txt").write_bytes(b"%PDF-\0\0\0\xff\xfe" * 400)
        write_files(docs, {"late.md": "Came too late."})
        ingest(library, docs / "changed.txt")
        yield library


def make_pdf(path: Path) -> None:
    """Three pages, the second blank; the first is labelled i."""
    pages = canvas.Canvas(str(path))
    pages.addPageLabel(0, style="ROMAN_LOWER")
    for text in ("The cover of the survey.", "", "The well is nine metres deep."):
        pages.drawString(72, 700, text)
        pages.showPage()
    pages.save()


@pytest.fixture(scope="module")
def finder(library: Library) -> Finder:
    return Finder(library)


@pytest.fixture
def standing(library: Library, finder: Finder):
    """Asks why."""

    def ask(
        target: str, query: str = QUERY, *, limit: int = 10, scope: Scope = EVERYTHING
    ) -> Standing:
        search = Search.of(finder, query, limit=limit, scope=scope)
        return why(library, search, target_of(target))

    return ask


class Backwards:
    """A reranker that turns the order round."""

    name = "backwards"

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        return [n / len(texts) for n in range(len(texts))]


def said(standing: Standing) -> str:
    """All its text; each line is fit to print."""
    text = "\n".join(standing_lines(standing))
    assert "None" not in text and "  " not in standing.sentence
    return text


# --- explain ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", [QUERY, "Acme's net sales in 2023", "净利润", "Compare Acme and Borealis net sales"]
)
def test_the_parts_of_a_score_add_up_to_it(finder, query):
    """What meaning, words and names are said to have added is the score, for every hit."""
    search = Search.of(finder, query, limit=50)

    explanation = search.explanation()

    assert sum(explanation.full) == pytest.approx(1.0)
    assert len(explanation.reasons) == len(search.hits) > 5
    for reason, hit in zip(explanation.reasons, finder.search(query, limit=50), strict=True):
        assert reason.hit == hit
        parts = reason.meaning.added + reason.words.added + reason.named
        assert parts == pytest.approx(hit.score) == reason.fused_score
        assert (reason.meaning.rank, reason.words.rank) == (hit.dense_rank, hit.lexical_rank)
        assert search.found.ranked[reason.fused_rank - 1].chunk_id == hit.chunk_id


def test_names_are_said_as_the_question_writes_them(finder):
    """With their documents; a hit says which of them its own document has."""
    explanation = Search.of(finder, "Acme's net sales in 2023", limit=5).explanation()

    assert [name.text for name in explanation.names] == ["Acme", "2023"]
    assert [len(name.versions) for name in explanation.names] == [1, 2]
    first = explanation.reasons[0]
    assert first.hit.document == "firms/acme-2023.txt"
    assert first.names == ("Acme", "2023")
    assert "Acme and 2023, which the question names" in sentence(first)


def test_a_reranker_is_said_to_have_moved_what_it_moved(library, monkeypatch):
    """From where; what it did not read keeps its place and says nothing of it."""
    monkeypatch.setattr("app.find.reranker_from", lambda settings: Backwards())
    finder = Finder(library, AppSettings(reranker_candidates=5))

    search = Search.of(finder, QUERY, limit=8)
    explanation = search.explanation()

    fused = [item.chunk_id for item in search.found.ranked]
    for reason in explanation.reasons:
        assert fused[reason.fused_rank - 1] == reason.hit.chunk_id
        assert (reason.reranked is not None) == (reason.fused_rank <= 5)
    assert [hit.chunk_id for hit in search.hits] == [
        hit.chunk_id for hit in finder.search(QUERY, limit=8)
    ]
    texts = [sentence(reason) for reason in explanation.reasons]
    assert ["he reranker" in text for text in texts] == [True] * 5 + [False] * 3
    assert "The reranker left it there" in texts[2]
    assert any("Before the reranker it stood" in text for text in texts)


def test_a_copy_is_said_to_be_one(finder):
    """With the rank of the text that it repeats; what is new says nothing of the kind."""
    explanation = Search.of(finder, "Who inspects the pump in the cellar?", limit=5).explanation()

    assert [reason.copy_of is not None for reason in explanation.reasons].count(True) == 1
    copy = next(reason for reason in explanation.reasons if reason.copy_of)
    assert (copy.hit.document, copy.copy_of) == ("copies/b.md", 1)
    assert "the same text as the 1st" in sentence(copy)


def test_a_question_without_words_is_explained(finder):
    """Marks alone: the words say nothing, and the explanation says that."""
    explanation = Search.of(finder, "?!", limit=3).explanation()

    assert explanation.terms == ()
    assert explanation.worded == 0
    assert "none that could be looked for" in "\n".join(explanation_lines(explanation))


# --- why ----------------------------------------------------------------------------------------


def test_a_page_that_is_found_says_its_rank(standing, finder):
    """The rank that the search gives it."""
    found = standing("sub/lease.txt:1", "the rent of the garden")

    ranks = [hit.document for hit in finder.search("the rent of the garden", limit=10)]
    assert found.status == "found"
    assert found.ranks.shown == ranks.index("sub/lease.txt") + 1
    assert "1st of the 10 passages shown" in said(found)


def test_an_unknown_document_is_said_with_what_may_be_meant(standing):
    """The same file name in another folder, or a path that looks alike."""
    assert standing("lease.txt:1").status == "unknown"
    assert "Did you mean sub/lease.txt?" in said(standing("lease.txt:1"))
    assert "Did you mean lease.md" in said(standing("leese.md:1"))
    assert "Did you mean" not in said(standing("qqqq:1"))


def test_a_file_that_no_ingestion_has_read_is_said(standing):
    """It lies there; the library does not have it."""
    found = standing("late.md:1")

    assert found.status == "not-indexed"
    assert "`hayloft ingest`" in said(found)
    assert standing("../docs/late.md:1").status == "unknown"


def test_a_file_that_was_set_aside_gives_its_reason(standing, library):
    """In the words of the ingestion."""
    reason = next(f.reason for f in library.catalog.failures() if f.document == "bad.pdf")

    found = standing("bad.pdf:1")

    assert found.status == "set-aside"
    assert reason in said(found)


def test_an_old_version_that_is_still_searched_is_said(standing, library):
    """The page is found, and its file could not be read anew."""
    failure = next(f for f in library.catalog.failures() if f.document == "changed.txt")
    assert failure.serves_old_version

    found = standing("changed.txt:1", "the lift serviced in May")

    assert found.status == "found"
    assert "last good version" in said(found) and failure.reason in said(found)


@pytest.mark.parametrize(
    ("target", "said_"),
    [
        ("scan.pdf:4", "no page 4, but 3 pages"),
        ("lease.md:3", "no section 3, but 2 sections"),
        ("deep.txt:999999999", "but 1 section."),
    ],
)
def test_a_page_out_of_range_says_how_many_there_are(standing, target, said_):
    """Pages or sections, whichever the document has."""
    found = standing(target)

    assert found.status == "no-such-page"
    assert said_ in said(found)


def test_a_page_without_text_is_said(standing):
    """A blank page has nothing that could be found."""
    found = standing("scan.pdf:2")

    assert (found.status, found.page) == ("no-text", 2)
    assert "the page holds no text" in said(found)


def test_a_page_can_be_named_by_its_label(standing):
    """As the hits print it."""
    assert standing("scan.pdf:iii", "how deep is the well").page == 3
    assert standing("scan.pdf:iii", "how deep is the well").status == "found"
    assert "page 3 (labelled iii)" in said(standing("scan.pdf:3"))
    with pytest.raises(UsageError, match="no page called 'xx'"):
        standing("scan.pdf:xx")


def test_a_document_may_have_colons_in_its_name(standing):
    """The page stands behind the last one."""
    assert standing("notes: 2024.md:1", "pears in autumn").status == "found"


@pytest.mark.parametrize(
    ("scope", "filters"),
    [
        (Scope(kinds=("txt",)), "--type txt (its type is md)"),
        (Scope(documents=("loud", "sub")), "--document loud or sub"),
        (Scope(tags=("law",), languages=("es",)), "--language es (its language is"),
        (Scope(since="2022"), "--since 2022 (it is dated 2021)"),
        (
            Scope(until="2020", kinds=("pdf",)),
            "--type pdf (its type is md) and --until 2020 (it is dated 2021)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_page_that_is_filtered_out_says_by_what(standing, scope, filters):
    """Each filter that leaves it out and none that does not, and where it stood without them."""
    query = "They fly, the bees of the lease"

    found = standing("lease.md:2", query, scope=scope)

    assert found.status == "filtered"
    assert filters in said(found)
    assert ("--tag" in found.sentence) is False
    assert found.without_filters == standing("lease.md:2", query)
    assert "Without the filters: found, 1st" in said(found)


def test_a_filter_that_lets_a_page_through_is_none(standing):
    """In scope, and ranked within it."""
    found = standing("lease.md:1", scope=Scope(documents=("lease.md", "sub")))

    assert found.status == "found"
    assert found.ranks.dense.of == found.ranks.candidates == 3


def test_a_deep_page_has_its_true_rank_in_both_arms(standing, library, finder):
    """Below all candidates: the ranks are those of comparing with everything there is."""
    found = standing("deep.txt:1")

    assert found.status == "outranked"
    assert found.ranks.shown is found.ranks.fused is None
    assert found.ranks.candidates < LOUD
    collection = library.catalog.identity().collection
    vectors = library.vectors.vectors(collection, library.vectors.ids(collection))
    query = library.embedder.embed_query(QUERY)
    document = document_named(library.catalog, "deep.txt")
    with library.catalog.snapshot() as snapshot:
        own = snapshot.page_chunks(document.document_id, 1)
    near = max(float(np.dot(vectors[chunk_id], query)) for chunk_id in own)
    nearer = sum(float(np.dot(vector, query)) > near + 1e-6 for vector in vectors.values())
    assert nearer > 100
    assert found.ranks.dense.rank == nearer + 1
    assert found.ranks.dense.score == pytest.approx(near, abs=1e-4)
    assert found.ranks.dense.exact
    assert found.ranks.lexical is None
    assert found.ranks.fused_deep > found.ranks.candidates
    assert [cause.kind for cause in found.causes] == ["words"]
    assert "lacks rent and due" in said(found)


def test_a_page_deep_in_the_words_has_its_rank_there(standing, library):
    """Beyond the candidates, as the full-text index would have it at any depth."""
    with library.catalog.snapshot() as snapshot:
        everything = [chunk_id for chunk_id, _ in snapshot.lexical(QUERY, 10_000)]
        passages = snapshot.passages(everything)
    loud = [passages[chunk_id].document for chunk_id in everything]
    target = loud[150]

    found = standing(f"{target}:1")

    assert found.ranks.lexical.rank == 151
    assert found.ranks.lexical.of == len(everything)
    assert found.ranks.words_there == ("rent", "due")


def test_a_far_page_in_a_large_library_is_ranked_as_if_all_were_compared(
    standing, library, monkeypatch
):
    """Where the arm is read in steps that end before the last vector, the rank is the same."""
    acme, deep = ("firms/acme-2023.txt:1", "net sales"), ("deep.txt:1", QUERY)
    whole = [standing(*ask).ranks.dense for ask in (acme, deep)]
    asked: list[int] = []
    nearest = library.vectors.nearest

    def counting(collection, vector, limit, **more):
        asked.append(limit)
        return nearest(collection, vector, limit, **more)

    monkeypatch.setattr(library.vectors, "nearest", counting)
    monkeypatch.setattr("app.inquiry._FIRST_ASK", 2)
    monkeypatch.setattr("app.inquiry._GROWTH", 2)

    stepped = standing(*acme).ranks.dense
    steps = asked[-3:]
    last = standing(*deep).ranks.dense

    assert steps == [2, 4, 8]
    assert (stepped.exact, stepped.rank) == (False, whole[0].rank)
    assert last.rank == whole[1].rank


def test_a_page_whose_double_stands_higher_says_so(standing):
    """Hidden behind the same text elsewhere."""
    found = standing("copies/b.md:1", "Who inspects the pump in the cellar?", limit=1)

    assert found.ranks.shown > 1
    assert [cause.kind for cause in found.causes] == ["duplicate"]
    assert "copies/a.md, section 1 (§ Pump) says the same" in said(found)


def test_a_page_of_another_document_than_the_named_one_says_so(standing):
    """The words fit as well; the name leads elsewhere, and the rank without it is told."""
    found = standing(
        "firms/borealis-2023.txt:1", "Acme: net sales rose by a tenth, and costs fell", limit=1
    )

    assert found.status == "outranked"
    assert "names" in {cause.kind for cause in found.causes}
    text = said(found)
    assert "names Acme, and this document does not go by Acme" in text


def test_languages_that_part_question_and_document_are_said(standing):
    """An English question, a Spanish document, and a model that reads English."""
    found = standing("es.md:1", "When do the pears ripen and when are they due?")

    assert found.status == "outranked"
    assert "language" in {cause.kind for cause in found.causes}
    assert "English" in said(found) and "does not read Spanish" in said(found)


def test_a_page_that_the_reranker_put_down_says_so(library, monkeypatch):
    """It stood among the shown ones before."""
    monkeypatch.setattr("app.find.reranker_from", lambda settings: Backwards())
    finder = Finder(library, AppSettings(reranker_candidates=20))
    query = "the lift serviced in May"
    first = Finder(library).search(query, limit=1)[0]
    search = Search.of(finder, query, limit=3)

    found = why(library, search, target_of(f"{first.document}:{first.page}"))

    assert found.status == "outranked"
    assert found.causes[0].kind == "reranker"
    assert found.ranks.shown == 20
    assert "Before reranking it stood 1st; the reranker (backwards)" in said(found)


def test_one_path_below_two_folders_is_answered_by_the_better(tmp_path):
    """Hits name the path alone, so that the one which is found counts."""
    one = write_files(tmp_path / "one", {"a.txt": "Bees fly."})
    two = write_files(tmp_path / "two", {"a.txt": "The rent is due."})
    with open_library(tmp_path / "data") as library:
        ingest(library, one)
        ingest(library, two)
        search = Search.of(Finder(library), "the rent due", limit=1)

        found = why(library, search, target_of("a.txt:1"))

    assert found.status == "found"
    assert str(one) in said(found) and str(two) in said(found)


def test_a_library_that_was_never_filled_says_so(tmp_path):
    """No model, no server, no fault."""
    with open_library(tmp_path / "data") as library:
        search = Search.of(Finder(library), "rent", limit=10)

        assert search.explanation() is None
        assert why(library, search, target_of("a.md:1")).status == "empty"
    assert not (tmp_path / "data" / "chroma").exists()


def test_standings_are_plain_json(standing):
    """Whatever the status, all that is known is in it."""
    filtered = standing("lease.md:1", scope=Scope(kinds=("txt",))).to_json()
    deep = standing("deep.txt:1").to_json()

    assert json.loads(json.dumps(filtered)) == filtered
    assert filtered["without_filters"]["status"] in ("found", "outranked")
    assert deep["rank"] is None and deep["fused_rank_if_all_were_read"]["rank"] > 100
    assert deep["words"] == {"there": [], "missing": ["rent", "due"]}
    assert deep["causes"][0]["cause"] == "words"
    assert standing("nope:1").to_json().keys() < deep.keys()


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def place(library, tmp_path, monkeypatch):
    command_line_place(tmp_path, monkeypatch)
    return str(library.settings.data_dir)


def run(capsys, place: str, *words: str) -> str:
    assert hayloft.main(["--data-dir", place, "search", *words]) == 0
    return capsys.readouterr().out


def test_the_command_explains_each_hit(place, capsys):
    """A table for people; with --json the same hits as without, and more beside them."""
    text = run(capsys, place, "Acme net sales", "--explain", "-n", "3")
    plain = json.loads(run(capsys, place, "Acme net sales", "--json", "-n", "3"))
    full = json.loads(run(capsys, place, "Acme net sales", "--json", "--explain", "-n", "3"))

    assert "Acme (1 document)" in text
    assert "  1  " in text and "firms/acme-2023.txt, section 1" in text
    assert full["hits"] == plain["hits"]
    assert [hit["chunk"] for hit in full["explain"]["hits"]] == [
        hit["chunk"] for hit in plain["hits"]
    ]
    assert full["explain"]["hits"][0]["names"]["matched"] == ["Acme"]
    assert set(full["explain"]["full_score"]) == {"dense", "lexical", "names"}


def test_the_command_says_why(place, capsys):
    """Alone, beside the explanation, and as JSON."""
    alone = run(capsys, place, QUERY, "--why", "deep.txt:1")
    both = run(capsys, place, QUERY, "--why", "deep.txt:1", "--explain")
    found = json.loads(run(capsys, place, QUERY, "--why", "lease.md:2", "--json", "--tag", "law"))

    assert alone.startswith("deep.txt, section 1")
    assert both.startswith("Language") and both.endswith(alone)
    assert (found["why"]["status"], found["why"]["page"]) == ("found", 2)
    assert {hit["document"] for hit in found["hits"]} == {"lease.md"}


@pytest.mark.parametrize(
    ("target", "said_"),
    [
        ("lease.md", "names no page"),
        ("lease.md:", "names no page"),
        (":3", "names no page"),
        ("", "names no page"),
        ("http://example/x", "names no page"),
        ("lease.md:0", "count from 1"),
        ("lease.md:-2", "count from 1"),
        ("lease.md:two", "no section called 'two'"),
        (f"lease.md:{'9' * 5000}", "names no page"),
        ("lease\udcff.md", "names no page"),
    ],
    ids=range(10),
)
def test_what_names_no_page_is_one_sentence(place, capsys, target, said_):
    """With the form that does."""
    assert hayloft.main(["--data-dir", place, "search", QUERY, "--why", target]) == 2

    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert said_ in err


@pytest.mark.parametrize("option", [["--explain"], ["--why", "lease.md:1"]])
def test_a_batch_is_not_explained(place, capsys, option):
    """Said before anything is searched."""
    assert hayloft.main(["search", "--batch", "nowhere.jsonl", *option]) == 2

    assert "Leave --batch out" in capsys.readouterr().err


def test_an_empty_library_is_said_to_be_empty(tmp_path, monkeypatch, capsys):
    """Also where an explanation was asked for."""
    command_line_place(tmp_path, monkeypatch)

    assert hayloft.main(["search", "rent", "--explain"]) == 0
    assert "hayloft ingest FOLDER" in capsys.readouterr().out
    assert hayloft.main(["search", "rent", "--why", "a.md:1"]) == 0
    assert "hayloft ingest FOLDER" in capsys.readouterr().out
    assert hayloft.main(["search", "rent", "--explain", "--why", "a.md:1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["hits"], found["explain"], found["why"]["status"]) == ([], None, "empty")


# --- words --------------------------------------------------------------------------------------


def test_numbers_and_lists_read_as_people_write_them():
    """Teens end in th."""
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 111, 1013, 1022)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th"),
        *("1,013th", "1,022nd"),
    ]
    assert [listed(texts) for texts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        *("", "a", "a and b", "a, b and c")
    ]


def test_a_finding_without_candidates_is_explained(finder):
    """Nothing found leaves nothing to explain but the search itself."""
    found = finder.findings("rent")
    nothing = explained(replace(found, dense=(), lexical=(), ranked=()), [])

    assert nothing.reasons == () and nothing.candidates == 0
    assert names_in("rent", found.route) == ()
    assert explanation_lines(nothing)[-1] == ""
