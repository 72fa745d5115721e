"""Pages as pictures: rectangles of quotes, a bounded store, and files that cannot hurt."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pytest
from pypdf import PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from app import page_image, page_text
from app.page_boxes import Box, Letters, PageBoxes, boxes_on, find_characters
from app.page_image import PageImages, PageNotShown
from ingest.loaders.pdf import load
from storage.records import Page, ReadFile

LINES = (
    "Annual report of the hay company",
    "Free cash flow was $8,783 million in 2019, a record for the inter-",
    "national business. The final office is in Bonn.",
    "Free cash flow was $7,911 million in 2018.",
)


def write_pdf(path: Path, *, lines: tuple[str, ...] = LINES) -> Path:
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setFont("Helvetica", 12)
    for number, line in enumerate(lines):
        canvas.drawString(72, 700 - 20 * number, line)
    canvas.showPage()
    canvas.save()
    return path


def text_in(path: Path, box: Box) -> str:
    """What pdfium reads inside a rectangle of a page that is not turned."""
    page = pypdfium2.PdfDocument(path)[0]
    height = page.get_size()[1]
    return page.get_textpage().get_text_bounded(
        left=box.left, right=box.right, bottom=height - box.bottom + 1, top=height - box.top - 1
    )


def boxes(path: Path, text: str, quote: str) -> tuple[Box, ...]:
    start = text.index(quote)
    found = boxes_on(pypdfium2.PdfDocument(path)[0], text, [(start, start + len(quote))])
    return found.boxes[0]


def test_a_quote_has_a_rectangle_a_line(tmp_path: Path) -> None:
    """The words of a quote over two lines, one of which ends in a hyphen, stand in two boxes."""
    path = write_pdf(tmp_path / "report.pdf")
    text = load(path).pages[0].text

    first, second = boxes(path, text, text[text.index("a record") : text.index(" business")])

    assert text_in(path, first).strip(" -\ufffe\x02").startswith("a record for the inter")
    assert text_in(path, second).strip() == "national"
    assert first.top < second.top and 70 < second.left < 75


def test_signs_at_the_ends_are_inside(tmp_path: Path) -> None:
    """`$` belongs to the figure behind it."""
    path = write_pdf(tmp_path / "report.pdf")
    text = load(path).pages[0].text

    (box,) = boxes(path, text, "$8,783")

    assert text_in(path, box).strip() == "$8,783"


def test_of_equal_words_the_ones_that_are_meant_are_taken(tmp_path: Path) -> None:
    """By what stands around them in the stored text."""
    path = write_pdf(tmp_path / "report.pdf")
    text = load(path).pages[0].text
    later = text.rindex("Free cash flow")

    found = boxes_on(pypdfium2.PdfDocument(path)[0], text, [(later, later + 14), (0, 6)])

    assert found.boxes[0][0].top > found.boxes[1][0].top + 50
    assert (round(found.width), round(found.height), found.rotation) == (595, 842, 0)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_page_has_turned_boxes(tmp_path: Path, rotation: int) -> None:
    """In the page as it is shown, the words lie where the turn has brought them."""
    upright = write_pdf(tmp_path / "upright.pdf")
    turned = tmp_path / "turned.pdf"
    writer = PdfWriter(clone_from=upright)
    writer.pages[0].rotate(rotation)
    writer.write(turned)
    text = load(upright).pages[0].text
    start = text.index("Annual")
    (plain,) = boxes(upright, text, "Annual report")

    found = boxes_on(pypdfium2.PdfDocument(turned)[0], text, [(start, start + 13)])

    ((box,),) = found.boxes
    width, height = 595.3, 841.9
    expected = {
        90: (height - plain.bottom, plain.left, height - plain.top, plain.right),
        180: (width - plain.right, height - plain.bottom, width - plain.left, height - plain.top),
        270: (plain.top, width - plain.right, plain.bottom, width - plain.left),
    }[rotation]
    assert found.rotation == rotation
    assert all(abs(a - b) < 1.5 for a, b in zip(box, expected, strict=True))


@pytest.mark.parametrize(
    ("stored", "quote", "pdf", "found"),
    [
        ("the final word", "final", "the ﬁnal word", "ﬁnal"),
        ("an international firm", "international", "an inter\ufffe\r\nnational firm", None),
        (
            "left one\nleft two\nright one",
            "left two\nright one",
            "left one right one\r\nleft two",
            None,
        ),
        ("Größe zählt", "Größe", "Gro\u0308ße za\u0308hlt", "Gro\u0308ße"),
        ("no such words", "such", "other text altogether", ""),
        ("", "", "text", ""),
    ],
)
def test_stored_text_is_found_in_the_pdfs_own(
    stored: str, quote: str, pdf: str, found: str | None
) -> None:
    """Ligatures, joined hyphens, reordered columns and accents apart; else nothing at all."""
    start = stored.index(quote)

    span = (start, start + len(quote))
    stretches = find_characters(Letters(stored), span, stored, Letters(pdf), pdf)

    letters = "".join(pdf[first:last] for first, last in stretches)
    if found is not None:
        assert letters == found
    else:
        keep = str.maketrans("", "", " \r\n\ufffe")
        assert letters.translate(keep) == quote.translate(keep)


@dataclass
class OneDocument:
    """A catalog that holds one document of one page."""

    file: ReadFile
    text: str

    def file_of(self, document_id: int, *, room: str = "") -> ReadFile | None:
        return self.file if document_id == 1 else None

    def page(self, document_id: int, number: int, *, room: str = "") -> Page | None:
        return Page(number, self.text)


def images_of(path: Path, folder: Path, **limits: float) -> PageImages:
    status = path.stat()
    digest = page_image._sha256(path)
    read = ReadFile(str(path.parent), path.name, status.st_size, status.st_mtime_ns, digest)
    text = load(path).pages[0].text if limits.pop("read", True) else ""
    return PageImages(OneDocument(read, text), folder, **limits)  # type: ignore[arg-type]


def test_a_page_is_drawn_once_and_its_quotes_found(tmp_path: Path) -> None:
    """A PNG of the width asked for; the second look takes the kept one."""
    from PIL import Image

    path = write_pdf(tmp_path / "report.pdf")
    images = images_of(path, tmp_path / "pictures")
    start = load(path).pages[0].text.index("$8,783")

    view = images.view(1, 1, [(start, start + 6)], pixels=600)
    drawn = view.png.stat().st_mtime_ns
    os.utime(view.png, ns=(drawn, drawn - 10**9))
    again = images.view(1, 1, pixels=600)

    with Image.open(view.png) as picture:
        assert picture.size == (600, 849)
    assert len(view.boxes.boxes[0]) == 1
    assert again.png == view.png and len(list((tmp_path / "pictures").rglob("*.png"))) == 1


def test_marks_lie_over_the_picture_and_nothing_is_fetched(tmp_path: Path) -> None:
    """The picture stands in the HTML; the marks are in shares of it."""
    found = PageBoxes(200.0, 400.0, 0, ((Box(20, 40, 120, 60),), ()))

    html = page_text.picture_html(b"png", found, ["quote", "nearby"], 3)

    assert 'src="data:image/png;base64,cG5n"' in html and "http" not in html
    assert "left:10.000%;top:10.000%;width:50.000%;height:5.000%" in html
    assert html.count("hl-box-quote") == 1 and "hl-box-nearby" not in html


def test_a_file_that_changed_is_not_shown(tmp_path: Path) -> None:
    """Its words would stand elsewhere; a file that was only touched is the same one."""
    path = write_pdf(tmp_path / "report.pdf")
    images = images_of(path, tmp_path / "pictures")
    os.utime(path, (1, 1))
    touched = images.view(1, 1)

    write_pdf(path, lines=(*LINES, "One more line."))
    with pytest.raises(PageNotShown, match="has changed since it was read"):
        images.view(1, 1)
    path.unlink()
    with pytest.raises(PageNotShown, match="cannot be opened"):
        images.view(1, 1)

    assert touched.png.is_file()


def test_kept_pictures_are_bounded(tmp_path: Path) -> None:
    """The ones not looked at for longest go; the newest stays."""
    path = write_pdf(tmp_path / "report.pdf")
    images = images_of(path, tmp_path / "pictures", kept_mb=0)

    first = images.view(1, 1, pixels=300).png
    second = images.view(1, 1, pixels=400).png

    assert not first.exists() and second.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.4\n%%EOF",
        b"",
        b"no pdf at all",
        b"%PDF-1.7\n" + b"1 0 obj<</Kids[1 0 R]>>endobj" * 9,
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    """Whatever stands there, the page that shows it goes on."""
    path = tmp_path / "bad.pdf"
    path.write_bytes(content)

    with pytest.raises(PageNotShown, match=r"bad\.pdf, page 1: the file") as caught:
        images_of(path, tmp_path / "pictures", read=False).view(1, 1)

    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "pictures").rglob("*.png"))


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "made the process"),
        ("import time; time.sleep(60)", "not drawn within 1 seconds"),
        ("print('{\"boxes\": 1}')", "made the process"),
        ("print('[' * 100000)", "made the process"),
    ],
)
def test_a_process_that_crashes_hangs_or_lies_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    """As pdfium may on a crafted file."""
    path = write_pdf(tmp_path / "report.pdf")
    monkeypatch.setattr(page_image, "WORKER", (sys.executable, "-c", program))

    with pytest.raises(PageNotShown, match=words):
        images_of(path, tmp_path / "pictures", timeout_s=1).view(1, 1)


def test_what_is_no_pdf_has_no_picture(tmp_path: Path) -> None:
    """Text, slides and sheets are shown as their text."""
    path = tmp_path / "notes.md"
    path.write_text("# Notes")

    with pytest.raises(PageNotShown, match=r"notes\.md is not a PDF"):
        images_of(path, tmp_path / "pictures", read=False).view(1, 1)


def test_the_next_process_stands_ready_and_ends_with_its_owner(tmp_path: Path) -> None:
    """It is started behind the first page, used for the second, and killed by `close`."""
    images = images_of(write_pdf(tmp_path / "report.pdf"), tmp_path / "pictures")
    images.view(1, 1, pixels=300)
    ready = images._spare
    assert ready is not None and ready.poll() is None

    images.view(1, 1, pixels=400)
    following = images._spare
    images.close()

    assert ready.returncode == 0
    assert following is not None and following.poll() is not None


def test_a_process_that_nobody_asks_ends_by_itself(tmp_path: Path) -> None:
    """Its owner's end closes its input; it says nothing and leaves."""
    worker = page_image._worker()

    said, _ = worker.communicate("", timeout=20)

    assert (said, worker.returncode) == ("", 0)


def test_one_that_ended_while_it_stood_ready_is_replaced(tmp_path: Path) -> None:
    """The reader sees the page all the same."""
    images = images_of(write_pdf(tmp_path / "report.pdf"), tmp_path / "pictures")
    images.view(1, 1, pixels=300)
    assert images._spare is not None
    images._spare.kill()
    images._spare.wait(10)

    assert images.view(1, 1, pixels=400).png.is_file()
    images.close()


def test_an_order_is_given_once_and_its_rectangles_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was drawn ahead takes no process when it is asked for."""
    path = write_pdf(tmp_path / "report.pdf")
    images = images_of(path, tmp_path / "pictures")
    start = load(path).pages[0].text.index("$8,783")
    order = page_image.PageOrder(1, 1, ((start, start + 6),), pixels=300)
    images.draw_ahead([order])
    first = images.ordered(order).result(30)
    monkeypatch.setattr(images, "_ask", None)

    again = images.ordered(order).result(30)

    assert again == first and len(again.boxes.boxes[0]) == 1
    images.close()


def test_a_fault_of_an_order_is_told_to_who_asks(tmp_path: Path) -> None:
    """Drawing ahead says nothing; the reader gets the sentence."""
    path = write_pdf(tmp_path / "report.pdf")
    images = images_of(path, tmp_path / "pictures")
    path.unlink()
    images.draw_ahead([page_image.PageOrder(1, 1)])

    with pytest.raises(PageNotShown, match="cannot be opened"):
        images.ordered(page_image.PageOrder(1, 1)).result(30)
