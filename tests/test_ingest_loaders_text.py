"""Plain text: encodings, form feeds, line numbers; and LlamaIndex readers as loaders."""

from __future__ import annotations

import os
import re

import pytest

from ingest.loaders.reader_adapter import from_llama_index
from ingest.loaders.text import SECTION_LENGTH, load
from storage.errors import DocumentUnreadable


@pytest.fixture
def read(tmp_path):
    """Writes bytes to a text file and loads it."""

    def _read(content, name="notes.txt"):
        (tmp_path / name).write_bytes(content)
        return load(tmp_path / name)

    return _read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_encodings_are_read(read, encoding):
    """With and without a byte order mark."""
    assert read("Größe: 5 €, 漢字".encode(encoding)).pages[0].text == "Größe: 5 €, 漢字"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Die Gebühr für größere Schränke beträgt zwölf Euro – “netto”. "),
        ("gb18030", "会员每年的会费是十二元，会议在五月举行。"),
        ("shift_jis", "会費は年間十二円です。総会は五月に開かれます。"),
        ("cp1251", "Членский взнос составляет двенадцать рублей в год. "),
        ("koi8-r", "Членский взнос составляет двенадцать рублей в год. "),
        ("euc-kr", "회비는 일 년에 십이 유로입니다. "),
        ("iso2022_jp", "会費は年間十二円です。"),
        ("utf-16-le", "Членский взнос: двенадцать рублей.\n"),
        ("utf-16-be", "会员每年的会费是十二元。\n"),
    ],
)
def test_older_encodings_are_guessed(read, encoding, text):
    """Files from before UTF-8 are read by their letters' frequency."""
    assert read((text * 10).encode(encoding)).pages[0].text == (text * 10).rstrip()


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("cp1252", "Body ohne MIME über Köln."),
        ("cp1252", "The contract’s term ends “soon” – for £500 and €20."),
        ("cp1252", "Avtalet upphör i december, Göteborg på Åland."),
        ("mac_roman", "L’été dernier, le contrat a été signé à Paris ; coût : 500 € « net »."),
        ("cp850", "Der Müller übergibt die Schlüssel an die Öffentlichkeit."),
        ("cp1250", "Umowa kończy się w grudniu, źródło: księgowość."),
        ("iso-8859-2", "Smlouva končí v březnu, přílohy jsou součástí, účetní středisko."),
    ],
)
@pytest.mark.parametrize("times", [1, 30])
def test_few_letters_beyond_ascii_tell_the_encoding(read, encoding, line, times):
    """One line of a Western language is no Chinese, and its Euro sign and quotes stay."""
    text = "\n".join([line] * times)

    assert read(text.encode(encoding)).pages[0].text == text


def test_first_letter_beyond_ascii_may_come_late(read):
    """A long text in ASCII up to there says nothing of its encoding."""
    document = read(b"plain line\n" * 20_000 + "Größe: 5 €\n".encode("cp1252"))

    assert document.pages[-1].text.endswith("Größe: 5 €")
    assert document.warnings == ()


def test_few_broken_bytes_in_utf8_are_a_warning(read):
    """One damaged character late in a file does not make it another encoding."""
    document = read("größer\n".encode() * 20_000 + b"\xff\n")

    assert document.pages[0].text.startswith("größer")
    assert document.warnings == ("Characters that are not valid utf-8 were replaced: 1.",)


def test_form_feeds_make_pages(read):
    """A printed text has pages, empty ones included, and no page after the last feed."""
    document = read(b"one\n\f\n\fthree\n\f")

    assert document.paged
    assert [(page.number, page.text) for page in document.pages] == [
        (1, "one"),
        (2, ""),
        (3, "three"),
    ]


def test_sections_name_the_lines_they_hold(read):
    """The line numbers are those of the file, and every line is there once, in order."""
    lines = ["" if n % 7 == 0 else f"This is line {n} of the file." for n in range(1, 1001)]
    document = read("\r\n".join(lines).encode())

    assert not document.paged
    assert len(document.pages) > 5
    assert max(len(page.text) for page in document.pages) <= SECTION_LENGTH
    for page in document.pages:
        first, last = map(int, re.fullmatch(r"lines (\d+)–(\d+)", page.label).groups())
        assert page.text.split("\n")[0] == lines[first - 1]
        assert page.text.split("\n")[-1] == lines[last - 1]
    held = [line for page in document.pages for line in page.text.split("\n") if line]
    assert held == [line for line in lines if line]


def test_one_endless_line_is_cut_between_words(read):
    """A paragraph on one line becomes several sections of that line."""
    document = read(b"word " * 5000)

    assert {page.label for page in document.pages} == {"line 1"}
    assert " ".join(page.text for page in document.pages) == ("word " * 5000).strip()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b" \r\n\t\f", "empty"),
        (b"text\x00text", "damaged"),
        (b"\x7fELF\x02\x01\x01" + b"\x03\x02\x04" * 100, "damaged"),
        (os.urandom(20_000), "damaged"),
        ("\u200b\ufeff\u00ad".encode(), "no-text"),
    ],
)
def test_what_is_no_text_is_refused(read, content, kind):
    """Empty and binary files each get their kind and one sentence."""
    with pytest.raises(DocumentUnreadable, match=r"^notes\.txt .*\.$") as caught:
        read(content)

    assert caught.value.kind == kind


def test_names_in_sentences_are_printable(read):
    """A line break in a name must not break the line of a report."""
    with pytest.raises(DocumentUnreadable) as caught:
        read(b"", name="two\nlines" + "x" * 200 + ".txt")

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def _reader(documents):
    """A LlamaIndex reader that gives these (text, metadata), whatever the file."""
    from llama_index.core.readers.base import BaseReader
    from llama_index.core.schema import Document

    class Reader(BaseReader):
        def load_data(self, file, extra_info=None):
            return [
                Document(text=text.format(file=file.read_text()), metadata=metadata)
                for text, metadata in documents
            ]

    return Reader


def test_llama_index_reader_with_page_labels_gives_pages(tmp_path):
    """Each Document that names its page becomes a page, also where two texts are equal."""
    path = tmp_path / "a.xyz"
    path.write_text("content")
    reader = _reader(
        [
            ("{file}", {"page_label": "iv", "title": "A thesis"}),
            ("same", {"page_label": "1"}),
            ("same", {"page_label": "2"}),
        ]
    )

    document = from_llama_index(reader)(path)

    assert document.paged
    assert document.title == "A thesis"
    assert document.parser == "Reader"
    assert [(page.number, page.label, page.text) for page in document.pages] == [
        (1, "iv", "content"),
        (2, "1", "same"),
        (3, "2", "same"),
    ]


def test_llama_index_reader_without_pages_gives_sections(tmp_path):
    """Documents without page labels become sections; nothing at all is no text."""
    path = tmp_path / "my_book.xyz"
    path.write_text("content")

    document = from_llama_index(_reader([("one", {}), ("two", {})]))(path)

    assert not document.paged
    assert document.title == "My book"
    assert "\n\n".join(page.text for page in document.pages) == "one\n\ntwo"
    with pytest.raises(DocumentUnreadable) as caught:
        from_llama_index(_reader([]))(path)
    assert caught.value.kind == "no-text"


def test_failure_inside_a_llama_index_reader_is_one_damaged_document(tmp_path):
    """Whatever it raises, one document is set aside."""
    path = tmp_path / "a.xyz"
    path.write_text("content")

    with pytest.raises(DocumentUnreadable, match=r"Reader .*KeyError") as caught:
        from_llama_index(_reader([("{missing}", {})]))(path)

    assert caught.value.kind == "damaged"
