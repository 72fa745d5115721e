"""PDF files: good, encrypted, scanned, cut off, and not PDF at all."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pypdf
import pypdfium2
import pytest
from awkward_files import (
    aes_pdf_bytes,
    open_folder,
    pdf_bytes,
    raw_pdf_bytes,
    unprivileged,
)
from torture_pdfs import drawn_pdf_bytes, line, scanned_pdf_bytes

from ingest.loaders.pdf import load, page_headings
from ingest.loaders.pdf_hyphens import join_hyphens
from ingest.loaders.pypdf_engine import PypdfEngine
from storage.errors import DocumentUnreadable

SHARED = Path(
    os.environ.get("HAYLOFT_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _refused(path: Path) -> DocumentUnreadable:
    with pytest.raises(DocumentUnreadable) as caught:
        load(path)
    assert str(caught.value).startswith(path.name)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return caught.value


def test_pages_keep_number_text_and_lines(tmp_path):
    """Each page is one record, numbered from 1, with its lines as they stand."""
    path = _written(tmp_path / "r.pdf", pdf_bytes(["First line\nSecond line", "Page two"]))

    document = load(path)

    assert [(p.number, p.text) for p in document.pages] == [
        (1, "First line\nSecond line"),
        (2, "Page two"),
    ]
    assert document.paged
    assert document.parser.startswith("pypdfium2 ")
    assert document.warnings == ()


def test_outline_gives_headings_and_title_comes_from_metadata(tmp_path):
    """A page stands under the outline entry that begins on it, or the last one before."""
    content = pdf_bytes(
        ["a", "b", "c"],
        title="Annual report",
        outline=[("Part I", 1, 0), ("Scope", 1, 1), ("Part II", 3, 0)],
    )

    document = load(_written(tmp_path / "r.pdf", content))

    assert document.title == "Annual report"
    assert [page.heading for page in document.pages] == [
        "Part I › Scope",
        "Part I › Scope",
        "Part II",
    ]


def test_page_takes_the_first_of_several_headings_on_it():
    """Where several sections begin on one page, the first names it; the last goes on after it."""
    outline = [(0, 0, "One"), (1, 0, "One.A"), (0, 0, "Two"), (0, 3, "Three")]

    assert page_headings(outline, 4) == ["One › One.A", "Two", "Two", "Three"]


def test_page_labels_are_kept_for_people(tmp_path):
    """A front matter page keeps the "i" printed on it."""
    writer = pypdf.PdfWriter(clone_from=_written(tmp_path / "plain.pdf", pdf_bytes(["a", "b"])))
    writer.set_page_label(0, 0, style="/r")
    writer.set_page_label(1, 1, style="/D", start=1)
    writer.write(tmp_path / "labelled.pdf")

    document = load(tmp_path / "labelled.pdf")

    assert [page.label for page in document.pages] == ["i", "1"]


def test_metadata_holds_dates_in_iso_form(tmp_path):
    """`D:20230117185754Z` is nothing for people."""
    document = load(_written(tmp_path / "r.pdf", pdf_bytes(["a"])))

    assert document.metadata["created"][:2] == "20"
    assert document.metadata["created"][10] == "T"


@pytest.mark.parametrize("content", [aes_pdf_bytes(["Secret"], password=""), None])
def test_empty_user_password_opens_by_itself(tmp_path, content):
    """Owner-locked reports, AES or RC4, are read without asking."""
    content = content or pdf_bytes(["Secret"], password="")

    document = load(_written(tmp_path / "r.pdf", content))

    assert document.pages[0].text == "Secret"


@pytest.mark.parametrize("aes", [True, False])
def test_real_password_is_said_to_be_one(tmp_path, aes):
    """A file that needs a password is set aside as encrypted."""
    content = (
        aes_pdf_bytes(["Secret"], password="open sesame")
        if aes
        else pdf_bytes(["Secret"], password="open sesame")
    )

    error = _refused(_written(tmp_path / "r.pdf", content))

    assert error.kind == "encrypted"
    assert "password" in str(error)


def test_pdf_of_blank_pages_is_no_scan(tmp_path):
    """Blank pages are set aside visibly, and nobody is told to recognise text on them."""
    error = _refused(_written(tmp_path / "blank.pdf", pdf_bytes(["", "", ""])))

    assert error.kind == "no-text"
    assert "3 pages, which are blank" in str(error)
    assert "OCR" not in str(error)


def test_pdf_of_pictures_is_a_scan(tmp_path):
    """A scan is set aside visibly, with text recognition as the thing to do."""
    error = _refused(_written(tmp_path / "scan.pdf", scanned_pdf_bytes(["Hello"])))

    assert error.kind == "no-text"
    assert "OCR" in str(error)
    assert "apt install tesseract-ocr" in str(error)


def test_some_empty_pages_are_a_warning(tmp_path):
    """The rest of the document is read, and the empty pages are named."""
    document = load(_written(tmp_path / "r.pdf", pdf_bytes(["a", "", "c", ""])))

    assert [page.text for page in document.pages] == ["a", "", "c", ""]
    assert document.warnings == ("2 of 4 pages hold no text (2, 4).",)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"  \n\n ", "empty"),
        (os.urandom(5000), "damaged"),
        (b"<html>Not found</html>", "damaged"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 20, "damaged"),
        (b"%PDF-1.7\n%%EOF\n", "damaged"),
    ],
)
def test_what_is_no_pdf_is_refused(tmp_path, content, kind):
    """Garbage with a .pdf ending gets one clear sentence."""
    assert _refused(_written(tmp_path / "x.pdf", content)).kind == kind


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_truncated_pdf_is_damaged_or_whole(tmp_path, share):
    """A PDF that was cut off is never read in part without a word."""
    whole = pdf_bytes([f"page {number} " * 50 for number in range(20)])
    path = _written(tmp_path / "cut.pdf", whole[: int(len(whole) * share)])

    assert _refused(path).kind == "damaged"


def test_pdf_that_misses_its_last_pages_is_damaged(tmp_path):
    """An engine may open what is left of a file; it is still not taken for the whole."""
    drawing = b"BT /F1 20 Tf 50 700 Td (text) Tj ET"
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 3 0 R"
        b"/Resources<</Font<</F1 4 0 R>>>>>>"
    )
    whole = raw_pdf_bytes(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[5 0 R 6 0 R]/Count 2>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            page,
            page,
        ]
    )
    assert len(load(_written(tmp_path / "whole.pdf", whole)).pages) == 2
    trailer = b"trailer<</Size 7/Root 1 0 R>>\n"

    error = _refused(_written(tmp_path / "cut.pdf", whole[: whole.index(b"6 0 obj")] + trailer))

    assert error.kind == "damaged"
    assert "cut off: 1 of 2 pages" in str(error)


def test_vanished_and_forbidden_files_say_so():
    """A missing file is `vanished`, one without permission `permission`."""
    with open_folder() as folder:
        _written(folder / "mine.pdf", pdf_bytes(["a"])).chmod(0)

        with unprivileged():
            kinds = [_refused(folder / name).kind for name in ("mine.pdf", "gone.pdf")]

    assert kinds == ["permission", "vanished"]


class _BrokenPage:
    """pdfium's document with one page that fails, as it does on some damaged files."""

    def __init__(self, document):
        self._document = document

    def __getattr__(self, name):
        return getattr(self._document, name)

    def __len__(self):
        return len(self._document)

    def __getitem__(self, index):
        if index == 1:
            raise pypdfium2.PdfiumError("Failed to load page.")
        return self._document[index]


def test_second_engine_reads_the_page_that_pdfium_cannot(tmp_path, monkeypatch):
    """One failing page is read by pypdf, and the record says that both were at work."""
    path = _written(tmp_path / "r.pdf", pdf_bytes(["one", "two", "three"]))
    real = pypdfium2.PdfDocument
    monkeypatch.setattr(pypdfium2, "PdfDocument", lambda path: _BrokenPage(real(path)))

    document = load(path)

    assert [page.text for page in document.pages] == ["one", "two", "three"]
    assert " + pypdf " in document.parser


def test_page_that_no_engine_reads_is_a_warning(tmp_path, monkeypatch):
    """The other pages are still worth having."""
    path = _written(tmp_path / "r.pdf", pdf_bytes(["one", "two", "three"]))
    real = pypdfium2.PdfDocument
    monkeypatch.setattr(pypdfium2, "PdfDocument", lambda path: _BrokenPage(real(path)))
    monkeypatch.setattr(PypdfEngine, "page_text", lambda self, index: None)

    document = load(path)

    assert document.warnings == ("1 of 3 pages cannot be read (2).",)


def test_whole_file_goes_to_the_second_engine_where_pdfium_refuses(tmp_path, monkeypatch):
    """A file that pdfium does not open is read by pypdf as a whole."""

    def refuse(path):
        raise pypdfium2.PdfiumError("Failed to load document", err_code=3)

    path = _written(tmp_path / "r.pdf", pdf_bytes(["one", "two"], title="A title"))
    monkeypatch.setattr(pypdfium2, "PdfDocument", refuse)

    document = load(path)

    assert [page.text.strip() for page in document.pages] == ["one", "two"]
    assert document.title == "A title"
    assert document.parser.startswith("pypdf ")


def test_text_outside_the_basic_plane_survives(tmp_path):
    """Emoji and rare Chinese characters are whole; soft hyphens are gone."""
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
        b"1 begincodespacerange <00> <FF> endcodespacerange 3 beginbfchar\n"
        b"<41> <D83DDE00> <42> <D842DFB7> <43> <00AD> endbfchar endcmap end end"
    )
    drawing = b"BT /F1 20 Tf 50 700 Td (xAyBzCw) Tj ET"
    content = raw_pdf_bytes(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap),
        ]
    )

    document = load(_written(tmp_path / "r.pdf", content))

    assert document.pages[0].text == "x\U0001f600y\U00020bb7zw"


def test_hyphen_at_a_line_end_follows_the_document():
    """A word the document writes whole is joined, one it writes with a hyphen keeps it."""
    pages = ["the exam\ufffeple of non\ufffegaap", "an example, non-gaap figures"]

    assert join_hyphens(pages) == ["the example of non-gaap", "an example, non-gaap figures"]


def test_undecided_hyphens_go_the_way_of_most():
    """In typeset books most line-end hyphens divide words; in reports hardly any does."""
    book = ["some exam\ufffeple, a para\ufffegraph, mys\ufffetery", "example paragraph"]
    report = ["a long\ufffeterm plan, wholly\ufffeowned, Non\ufffeGAAP, COVID\ufffe19", "long-term"]

    assert join_hyphens(book)[0] == "some example, a paragraph, mystery"
    assert join_hyphens(report)[0] == "a long-term plan, wholly-owned, Non-GAAP, COVID-19"


def test_mark_without_a_word_beside_it_becomes_a_hyphen():
    """No mark is left, wherever it stood."""
    assert join_hyphens(["\ufffe x\ufffe \ufffe\ufffe"]) == ["- x- --"]


def test_pypdf_stays_quiet_about_damage(tmp_path, caplog):
    """Its warnings say nothing that the outcome does not."""
    engine = PypdfEngine(_written(tmp_path / "x.pdf", b"%PDF-1.4\nnothing"))

    with caplog.at_level(logging.WARNING, logger="pypdf"):
        assert engine.page_count() is None
        assert engine.page_text(0) is None

    assert caplog.records == []
    assert not engine.used


def test_real_report_reads_whole():
    """An AES-encrypted annual report opens by itself, and its rows stay rows."""
    report = SHARED / "financebench" / "pdfs" / "ADOBE_2022_10K.pdf"
    if not report.exists():
        pytest.skip(f"no sample reports at {report.parent}")

    document = load(report)

    assert len(document.pages) == 99
    assert document.title == "ADBE 10-K FY22"
    assert document.pages[2].heading == "Part I › Item 1. Business › Offerings"
    assert any("Total revenue 17,606 15,785 12,868" in page.text for page in document.pages)
    assert not any("\ufffe" in page.text or "\r" in page.text for page in document.pages)


def _arabic_pdf(shown, **glyphs):
    """A PDF that draws these codes, each the glyph of some characters; "l" stands for lam-alef."""
    codes = {key: 65 + at for at, key in enumerate(glyphs)}
    rows = "".join(
        f"<{codes[key]:02X}> <{told.encode('utf-16-be').hex()}>\n" for key, told in glyphs.items()
    )
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{len(glyphs)} beginbfchar\n{rows}endbfchar\nendcmap end end"
    ).encode()
    font = (
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 4 0 R>>"
    )
    stream = b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap)
    text = "".join(chr(codes[key]) for key in shown)
    return drawn_pdf_bytes([line(50, 700, text)], font=font, objects=[stream])


def test_lam_alef_is_read_in_the_order_it_is_typed(tmp_path):
    """One glyph of two letters comes out backwards of pdfium, and so do brackets."""
    letters = {"s": "س", "l": "لا", "m": "م", "a": "ا", "k": "ل", "o": "(", "c": ")", "w": " "}
    path = tmp_path / "a.pdf"
    # As it is drawn, from left to right: (salam) salim, of which only the first has the ligature.
    path.write_bytes(_arabic_pdf("mkas" + "w" + "omlsc", **letters))

    [page] = load(path).pages

    assert page.text == "(سلام) سالم"
