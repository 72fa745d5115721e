"""What search is compared with does what its originals do."""

from __future__ import annotations

import numpy as np
import pytest
from library_fixtures import FakeEmbedder, ingest, open_library, write_files

from benchmarks.baselines import (
    DenseArm,
    LexicalArm,
    Peer,
    Piece,
    PlainPage,
    RankFusion,
    RememberingEmbedder,
    Vectors,
    character_chunks,
    llama_index_pieces,
    markdown_sections,
    open_webui_pieces,
    plain_pages,
)

PARAGRAPH = "One two three four five. " * 12  # 300 characters


def test_short_texts_stay_whole():
    """Outer space goes."""
    assert character_chunks("  a\n\nb  ") == ["a\n\nb"]
    assert character_chunks("") == []


def test_texts_are_cut_at_the_strongest_separator_there_is():
    """Paragraphs stay whole while they fit together."""
    text = "\n\n".join(f"{number} {PARAGRAPH.strip()}" for number in range(5))

    chunks = character_chunks(text)

    assert [chunk[0] for chunk in chunks] == ["0", "3"]
    assert all(len(chunk) <= 1000 for chunk in chunks)


def test_the_last_hundred_characters_are_repeated_in_whole_parts():
    """Parts longer than the overlap are not repeated, shorter ones are."""
    words = [f"w{number:04}" for number in range(400)]

    first, second, *_ = character_chunks(" ".join(words))

    assert first.split() == words[:166]
    assert second.split()[:16] == words[150:166]


def test_a_run_without_any_separator_is_cut_by_characters():
    """As the last resort."""
    chunks = character_chunks("x" * 2500)

    assert [len(chunk) for chunk in chunks] == [1000, 1000, 700]


def test_a_long_paragraph_between_short_ones_is_cut_alone():
    """Its neighbours are not mixed into its pieces."""
    text = f"short\n\n{'word ' * 300}\n\nend"

    chunks = character_chunks(text)

    assert chunks[0] == "short"
    assert chunks[-1] == "end"
    assert all("short" not in chunk and "end" not in chunk for chunk in chunks[1:-1])


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("one\ntwo\n\n three ", ["one\ntwo  \nthree"]),
        ("a\n# H\nb\n## I\nc", ["a", "# H\nb", "## I\nc"]),
        ("# H\n\n## I\n\nc", ["# H  \n## I  \nc"]),
        ("# H\n\nx\n# I\ny", ["# H  \nx", "# I\ny"]),
        ("```\n# no header\n```\nb", ["```\n# no header\n```\nb"]),
        ("#hash is no header", ["#hash is no header"]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_markdown_headers_part_sections_as_in_langchain(text, sections):
    """The expected values are what langchain-text-splitters 1.1.3 gives, headers kept."""
    assert markdown_sections(text) == sections


def test_llama_index_chunks_are_led_by_label_and_path():
    """So its starter example embeds them: page by page, 1,024 tokens at most."""
    pages = [
        PlainPage("a.pdf", 3, "iii", "Short page."),
        PlainPage("a.pdf", 4, "1", "Many words stand here. " * 400),
        PlainPage("b.txt", 1, "", "Plain text."),
    ]

    pieces = llama_index_pieces(pages)

    assert pieces[0] == Piece(
        "a.pdf", 3, "page_label: iii\nfile_path: /home/reader/data/a.pdf\n\nShort page."
    )
    assert [piece.page for piece in pieces[1:-1]] == [4, 4, 4]
    assert pieces[-1].embedded == "file_path: /home/reader/data/b.txt\n\nPlain text."


def test_open_webui_chunks_hold_the_text_alone():
    """Nothing says which document a chunk is of, and none crosses a page."""
    pages = [PlainPage("a.pdf", 1, "1", PARAGRAPH * 5), PlainPage("a.pdf", 2, "2", "End.")]

    pieces = open_webui_pieces(pages)

    assert [piece.page for piece in pieces] == [1, 1, 2]
    assert pieces[-1].embedded == "End."


def test_text_files_are_one_page_and_markdown_has_sections(tmp_path):
    """What is counted is the same for every row."""
    documents = write_files(
        tmp_path / "docs", {"b.txt": "All of it.", "a/x.md": "# One\n\nText.\n\n# Two\n\nMore."}
    )
    (documents / "skipped.bin").write_bytes(b"\0")

    pages = plain_pages(documents, tmp_path / "cache")

    assert [(page.document, page.page) for page in pages] == [
        ("a/x.md", 1),
        ("a/x.md", 2),
        ("b.txt", 1),
    ]


def test_pdf_pages_are_read_once_and_kept(tmp_path, monkeypatch):
    """A second look costs no parsing."""
    from reportlab.pdfgen.canvas import Canvas

    (tmp_path / "docs").mkdir()
    canvas = Canvas(str(tmp_path / "docs" / "x.pdf"))
    for text in ("First page", "Second page"):
        canvas.drawString(100, 700, text)
        canvas.showPage()
    canvas.save()
    first = plain_pages(tmp_path / "docs", tmp_path / "cache")
    monkeypatch.setattr("pypdf.PdfReader", lambda path: pytest.fail("read again"))

    assert plain_pages(tmp_path / "docs", tmp_path / "cache") == first
    assert [(page.page, page.label, page.text.strip()) for page in first] == [
        (1, "1", "First page"),
        (2, "2", "Second page"),
    ]


def test_a_peer_ranks_by_exact_cosine():
    """Best first, no deeper than asked."""
    pieces = [Piece("a", 1, ""), Piece("b", 1, ""), Piece("c", 1, "")]
    vectors = np.eye(3)

    hits = Peer(pieces, vectors, {"?": np.array([0.1, 0.9, 0.5])}).search("?", limit=2)

    assert [(hit.rank, hit.document) for hit in hits] == [(1, "b"), (2, "c")]


def test_vectors_are_made_once(tmp_path, monkeypatch):
    """The same texts come from disk; other texts do not."""
    made = []

    class Model:
        def encode(self, texts, **options):
            made.append(len(texts))
            return np.ones((len(texts), 2))

    monkeypatch.setattr(Vectors, "_loaded", lambda self: Model())

    for texts in (["a", "b"], ["a", "b"], ["ab"], ["b", "a"]):
        assert Vectors(tmp_path).of(texts, "texts").shape == (len(texts), 2)

    assert made == [2, 1, 2]


def test_questions_are_embedded_once_and_kept(tmp_path):
    """Also for the next process; another model has its own."""
    embedder = FakeEmbedder()
    embedder.query_prompt = ""
    asked = []
    embedder.embed_query = lambda text: asked.append(text) or np.ones(3)

    for _ in range(2):
        remembering = RememberingEmbedder(embedder, tmp_path)
        remembering.embed_queries(["one", "two", "one"])
        assert remembering.embed_query("two").tolist() == [1.0, 1.0, 1.0]
    embedder.query_prompt = "query: "
    RememberingEmbedder(embedder, tmp_path).embed_queries(["one"])

    assert asked == ["one", "two", "one"]
    assert RememberingEmbedder(embedder, tmp_path).max_tokens == embedder.max_tokens


def test_arms_alone_and_fused_rank_the_librarys_pages(tmp_path):
    """Each over the same library: by vectors, by words, by both."""
    documents = write_files(
        tmp_path / "docs",
        {
            "bees.txt": "Bees make honey in summer.",
            "rent.txt": "The rent is due in May.",
            "pump.txt": "The pump stands by the river.",
        },
    )
    with open_library(tmp_path / "data") as library:
        ingest(library, documents)

        found = {
            arm.__name__: [hit.document for hit in arm(library).search("rent due May", limit=2)]
            for arm in (DenseArm, LexicalArm, RankFusion)
        }

    assert found["DenseArm"][0] == found["RankFusion"][0] == "rent.txt"
    assert found["LexicalArm"] == ["rent.txt"]
    assert len(found["DenseArm"]) == len(found["RankFusion"]) == 2


def test_rank_fusion_adds_reciprocal_ranks():
    """A chunk that both arms have comes before one that leads a single arm."""
    from types import SimpleNamespace

    def arm(*names):
        hits = [
            SimpleNamespace(rank=rank, document=name, page=1, chunk_id=name)
            for rank, name in enumerate(names, 1)
        ]
        return SimpleNamespace(search=lambda query, *, limit: hits[:limit])

    fusion = RankFusion(None)
    fusion._arms = (arm("a", "b", "c"), arm("d", "c", "b"))

    hits = fusion.search("?", limit=3)

    assert [hit.document for hit in hits] == ["b", "c", "a"]
    assert hits[0].score == pytest.approx(1 / 62 + 1 / 63)
