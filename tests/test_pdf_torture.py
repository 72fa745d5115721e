"""The PDF torture set: all pass the real parsing process with a right result or one line."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from awkward_files import aes_pdf_bytes, pdf_bytes
from torture_pdfs import (
    PROSE,
    broken,
    drawn_pdf_bytes,
    empty_pages_bytes,
    flipped,
    line,
    long_pdf_bytes,
    mapped_pdf_bytes,
    owner_locked_bytes,
    recursive_pages_bytes,
    scanned_pdf_bytes,
    two_columns_bytes,
    without_unicode_bytes,
)

from ingest.parsing import ParserPool
from ingest.settings import IngestSettings
from storage.errors import DocumentUnreadable
from storage.records import ParsedDocument

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed"
)


@pytest.fixture
def parse(tmp_path):
    """The outcomes of PDFs by name, out of the real parsing process."""

    def _parse(files, **settings):
        paths = []
        for name, content in files.items():
            paths.append(tmp_path / f"{name}.pdf")
            paths[-1].write_bytes(content)
        settings = {"ocr": "off", "parse_memory_mb": 1024, **settings}
        with ParserPool(
            IngestSettings(_env_file=None, **settings), readings=tmp_path / "readings"
        ) as pool:
            outcomes = list(pool.parse_all(paths))
        return {outcome.path.stem: outcome.document for outcome in outcomes}

    return _parse


def _one_line(error):
    assert isinstance(error, DocumentUnreadable)
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    return True


def test_files_cut_off_at_every_tenth_are_damaged(parse):
    """What is left of a file is never taken for the whole."""
    whole = long_pdf_bytes(40)

    outcomes = parse({f"cut{tenth}": whole[: len(whole) * tenth // 10] for tenth in range(11)})

    kinds = [getattr(outcome, "kind", "read") for outcome in outcomes.values()]
    assert kinds == ["empty", *["damaged"] * 9, "read"]
    assert all(_one_line(outcomes[f"cut{tenth}"]) for tenth in range(10))


def test_turned_bits_cost_pages_at_most_and_never_the_run(parse):
    """With bits turned all over a file, pages are read as they are, or the file is set aside."""
    whole = long_pdf_bytes(20)
    files = {f"seed{seed}": flipped(whole, seed, share) for seed in range(30) for share in [0.001]}

    outcomes = parse({**files, "last": whole})

    assert len(outcomes) == 31
    for outcome in outcomes.values():
        assert isinstance(outcome, ParsedDocument) or _one_line(outcome)
    assert len(outcomes["last"].pages) == 20


@pytest.mark.parametrize("how", ["wrong xref", "wrong startxref", "long lengths", "short lengths"])
def test_wrong_bookkeeping_is_mended(parse, how):
    """A table of wrong places or streams of wrong lengths do not hide the text."""
    content = broken(pdf_bytes(["one", "two", "three"]), how)

    document = parse({"file": content})["file"]

    assert [page.text for page in document.pages] == ["one", "two", "three"]


def test_file_without_table_and_trailer_is_one_line(parse):
    """Where even the trailer is gone there is no telling what belongs to the file."""
    assert _one_line(parse({"file": broken(pdf_bytes(["one"]), "no xref")})["file"])


def test_page_tree_that_holds_itself_ends(parse):
    """A tree that is its own branch gives its pages once."""
    document = parse({"tree": recursive_pages_bytes()})["tree"]

    assert document.pages[0].text == "Only page"
    assert [page.origin for page in document.pages] == ["", "none"]
    assert document.warnings == ("1 of 2 pages cannot be read (2).",)


def test_page_of_seventy_metres_is_read(parse):
    """The size of the paper costs nothing, not even where white text makes it be drawn."""
    content = drawn_pdf_bytes(
        [line(50, 700, "Seen") + line(50, 650, "Not seen", before="1 g")], box="0 0 200000 200000"
    )

    document = parse({"huge": content}, parse_memory_mb=512)["huge"]

    assert document.pages[0].text == "Seen\nNot seen"
    assert [(flag.kind, flag.start) for flag in document.pages[0].flags] == [("hidden", 5)]


def test_ten_thousand_empty_pages_are_one_line(parse):
    """Blank pages are no scan, and installing something would not help."""
    error = parse({"empty": empty_pages_bytes(10_000)})["empty"]

    assert error.kind == "no-text"
    assert _one_line(error)
    assert "10000 pages, which are blank" in str(error)


def test_locks_that_open_by_themselves_are_no_matter(parse):
    """An owner's password alone keeps nobody from reading; a user's password does."""
    outcomes = parse(
        {
            "owner": owner_locked_bytes(["Locked"]),
            "owner-aes": aes_pdf_bytes(["Locked"], password=""),
            "user": aes_pdf_bytes(["Locked"], password="secret"),
        }
    )

    assert [outcomes[name].pages[0].text for name in ("owner", "owner-aes")] == ["Locked"] * 2
    assert outcomes["user"].kind == "encrypted"


@pytest.mark.parametrize("kind", ["identity", "private", "shifted"])
def test_font_without_unicode_makes_a_scan(parse, kind):
    """Codes instead of text are said to be that, and not indexed."""
    error = parse({kind: without_unicode_bytes(kind=kind)})[kind]

    assert error.kind == "no-text"
    assert "garbled" in str(error)
    assert _one_line(error)


def test_font_whose_names_mean_nothing_but_codes_do_is_text(parse):
    """Glyphs called g32 to g126 in the order of ASCII are text, whatever the font says."""
    document = parse({"names": without_unicode_bytes(kind="names")})["names"]

    assert "harbour master opened the ledger" in document.pages[0].text


def test_arabic_and_chinese_are_in_the_order_of_reading(parse):
    """Arabic, drawn from left to right, is stored as it is spoken; Chinese as it stands."""
    arabic, chinese = "مرحبا بكم في الميناء", "港口主任在黎明前打开账簿。"

    outcomes = parse(
        {"arabic": mapped_pdf_bytes(arabic[::-1]), "chinese": mapped_pdf_bytes(chinese)}
    )

    assert outcomes["arabic"].pages[0].text == arabic
    assert outcomes["chinese"].pages[0].text == chinese


@pytest.mark.parametrize("interleaved", [True, False])
def test_two_columns_are_read_one_after_the_other(parse, interleaved):
    """Whichever order they were drawn in, the left column comes first and the header above."""
    document = parse({"columns": two_columns_bytes(interleaved=interleaved)})["columns"]

    lines = document.pages[0].text.split("\n")
    assert lines[0] == "The Harbour Gazette"
    assert lines[1:25] == [f"left {n} keeps on telling what the port" for n in range(24)]
    assert lines[25:] == [f"right {n} goes on about ships and rope" for n in range(24)]


def test_table_of_two_columns_keeps_its_rows(parse):
    """A gutter between captions and figures is none between columns of prose."""
    rows = [
        line(50, 700 - 18 * n, f"Cost of barrels and of salt in year {n}")
        + line(400, 700 - 18 * n, f"{1000 + n:,}")
        for n in range(24)
    ]

    document = parse({"table": drawn_pdf_bytes(["".join(rows)])})["table"]

    assert document.pages[0].text.split("\n")[3] == "Cost of barrels and of salt in year 3 1,003"


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("upright", [True, False])
def test_turned_pages_are_read_as_they_were_written(parse, turn, upright):
    """Pages turned for display keep their lines, whether or not the text was turned along."""
    matrix, place = {
        90: ("0 1 -1 0", lambda n: (100 + 20 * n, 100)),
        180: ("-1 0 0 -1", lambda n: (500, 100 + 20 * n)),
        270: ("0 -1 1 0", lambda n: (400 - 20 * n, 700)),
    }[turn]
    rows = ["The first line here", "The second line here", "The third line here"]
    if upright:
        drawn = "".join(
            f"BT /F1 12 Tf {matrix} {x} {y} Tm ({text}) Tj ET\n"
            for text, (x, y) in zip(rows, map(place, range(3)), strict=True)
        )
    else:
        drawn = "".join(line(50, 700 - 20 * n, text) for n, text in enumerate(rows))

    document = parse({"turned": drawn_pdf_bytes([drawn], page_extra=f"/Rotate {turn}")})["turned"]

    assert document.pages[0].text.split("\n") == rows


def test_scan_without_tesseract_says_what_to_install(parse, monkeypatch, tmp_path):
    """The sentence names the program, and the next run reads the file."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    error = parse({"scan": scanned_pdf_bytes(["Hello"])}, ocr="auto")["scan"]

    assert error.kind == "no-text"
    assert "apt install tesseract-ocr" in str(error)
    assert _one_line(error)


def test_scanned_pages_among_others_are_counted(parse):
    """What cannot be searched is marked page by page and told in the document's warnings."""
    import io

    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf_bytes(["One page of text", ""])))
    writer.append(io.BytesIO(scanned_pdf_bytes(["A", "B"])))
    mixed = io.BytesIO()
    writer.write(mixed)

    document = parse({"mixed": mixed.getvalue()})["mixed"]

    assert [page.origin for page in document.pages] == ["", "", "none", "none"]
    assert document.warnings == (
        "2 of 4 pages are pictures and cannot be searched (3, 4); to have them read, "
        "set HAYLOFT_OCR=auto.",
        "1 of 4 pages hold no text (2).",
    )


@needs_tesseract
@pytest.mark.parametrize("turned", [0, 90])
def test_scan_is_read_with_its_confidence(parse, turned):
    """Tesseract reads what stands in the picture, also where it lies on its side."""
    text = "\n".join(PROSE)

    scan = scanned_pdf_bytes([text[:200]], turned=turned)
    document = parse({"scan": scan}, ocr="auto", ocr_languages="eng")["scan"]

    page = document.pages[0]
    assert "harbour master opened the ledger before dawn" in page.text.replace("\n", " ")
    assert page.origin == "ocr"
    assert 0.8 < page.confidence <= 1
    assert "Text recognition read 1 of 1 page (1)" in document.warnings[0]


@needs_tesseract
def test_second_reading_of_a_scan_comes_from_the_first(parse, tmp_path):
    """A page whose picture is the same is not recognised twice, even in another file."""
    one, two = "The harbour master counted barrels", "Nobody had signed for the casks"
    parse({"one": scanned_pdf_bytes([one])}, ocr="auto", ocr_languages="eng")
    [kept] = (tmp_path / "readings").rglob("*.json")
    kept.write_text(kept.read_text().replace("harbour", "kept"))

    both = scanned_pdf_bytes([one, two])
    document = parse({"both": both}, ocr="auto", ocr_languages="eng")["both"]

    assert document.pages[0].text == "The kept master counted barrels"
    assert document.pages[1].text == two


def test_pages_under_recognition_have_a_time_limit_of_their_own(parse, monkeypatch, tmp_path):
    """Four pages that take longer together than a file may are read all the same."""
    row = r"5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t90\tSalt"
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo "tesseract 5.9";;'
        " --list-langs) printf 'List:\\neng\\n';;"
        f" *) cat >/dev/null; sleep 1.5; printf 'level\\n{row}\\n';; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    pages = scanned_pdf_bytes([f"page {number}" for number in range(4)])
    document = parse({"long": pages}, ocr="auto", parse_timeout_s=4.0)["long"]

    assert [(page.origin, page.text) for page in document.pages] == [("ocr", "Salt")] * 4


@needs_tesseract
@pytest.mark.parametrize("kind", ["private", "shifted"])
def test_garbled_page_goes_to_recognition(parse, kind):
    """The picture of a garbled page says what its codes do not."""
    content = without_unicode_bytes(kind=kind)

    document = parse({kind: content}, ocr="auto", ocr_languages="eng")[kind]

    assert document.pages[0].origin == "ocr"


def test_recognised_layer_over_a_scan_is_plain_text(parse):
    """Invisible text over a picture of a page is what text recognition leaves behind."""
    content = scanned_pdf_bytes(["Hello there"], layer="Hello there, as somebody read it")

    document = parse({"layer": content})["layer"]

    assert document.pages[0].text == "Hello there, as somebody read it"
    assert document.pages[0].flags == ()
    assert document.warnings == ()


@pytest.mark.parametrize(
    ("drawn", "kind"),
    [
        (line(50, 680, "not for you", before="3 Tr"), "hidden"),
        (line(50, 680, "not for you", before="1 g"), "hidden"),
        (line(50, 680, "not for you", before="0.97 g"), "hidden"),
        ("0 g 40 670 300 25 re f " + line(50, 680, "not for you", before="0 g"), "hidden"),
        (line(50, 680, "not for you") + "0 g 40 670 300 25 re f ", "hidden"),
        (line(50, 680, "not for you", size=1), "tiny"),
        ("BT /F1 100 Tf .01 0 0 .01 50 680 Tm (not for you) Tj ET ", "tiny"),
        (line(-400, 680, "not for you"), "off-page"),
        (line(50, 900, "not for you"), "off-page"),
        ("/G gs " + line(50, 680, "not for you"), "hidden"),
    ],
)
def test_text_that_nobody_can_see_is_flagged(parse, drawn, kind):
    """The span stays on the page, is flagged with its kind, and told in the warnings."""
    content = drawn_pdf_bytes(
        [line(50, 720, "Before it.", before="0 g") + f"q {drawn} Q" + line(50, 600, "After it.")],
        resources="/ExtGState<</G<</ca 0>>>>",
    )

    document = parse({"file": content})["file"]

    page = document.pages[0]
    assert [(flag.kind, page.text[flag.start : flag.end]) for flag in page.flags] == [
        (kind, "not for you")
    ]
    assert page.text.startswith("Before it.")
    assert document.warnings == ("Text that a reader cannot see stands on page 1.",)


@pytest.mark.parametrize(
    "drawn",
    [
        "0 g 40 670 300 25 re f " + line(50, 680, "white on black", before="1 g"),
        line(50, 680, "light grey", before="0.8 g"),
        line(50, 680, "outlined", before="1 g 0 G 1 Tr"),
        line(50, 680, "small print", size=4),
        line(50, 680, "....", size=6),
    ],
)
def test_text_that_can_be_seen_is_not_flagged(parse, drawn):
    """White on a dark ground, grey, outlined and small print are there to be read."""
    content = drawn_pdf_bytes([line(50, 720, "Before it.", before="0 g") + f"q {drawn} Q"])

    assert parse({"file": content})["file"].pages[0].flags == ()


@pytest.mark.slow
def test_five_thousand_pages_take_little_more_memory_than_five_hundred(tmp_path):
    """A long PDF is read page by page: memory grows with its text alone."""
    peaks = {}
    for pages in (500, 5000):
        path = tmp_path / f"{pages}.pdf"
        path.write_bytes(long_pdf_bytes(pages))
        script = (
            "import sys, resource; from pathlib import Path; from ingest.parse_worker import *;"
            "d = load_by_suffix(Path(sys.argv[1])); assert len(d.pages) == int(sys.argv[2]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(path), str(pages)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[pages] = int(done.stdout)

    assert peaks[5000] - peaks[500] < 4500 * 10, peaks  # KB: ten a page, which are mostly text
