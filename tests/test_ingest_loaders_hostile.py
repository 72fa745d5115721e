"""Crafted files of the office formats: through the parsing process, each one line, in no time."""

from __future__ import annotations

import io
import zipfile

import pytest
from office_files import docx_bytes, mail_bytes, odf_bytes, package, sheet_xml, word, xlsx_bytes

from ingest.parsing import ParserPool
from ingest.settings import IngestSettings
from storage.errors import DocumentUnreadable

_LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "lol lol lol lol lol">'
    + "".join(f'<!ENTITY {chr(98 + level)} "{f"&{chr(97 + level)};" * 10}">' for level in range(9))
    + "]>"
)
_OUTSIDE = '<!DOCTYPE l [<!ENTITY j SYSTEM "file:///etc/passwd">]>'


def _with(content, name, part):
    """A package with one part in the place of another."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        parts = {entry: old.read(entry) for entry in old.namelist()}
    stream.write(package({**parts, name: part}))
    return stream.getvalue()


def _sheet(doctype):
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>good &j;</t></is></c></row>'
    sheet = sheet_xml({}, []).replace("<sheetData>", f"<sheetData>{cell}")
    return xlsx_bytes({"A": sheet.replace("<worksheet", f"{doctype}<worksheet")})


def _document(doctype):
    main = f"<w:document xmlns:w='w'><w:body>{word('good &j;')}</w:body></w:document>"
    return _with(docx_bytes(""), "word/document.xml", f"<?xml version='1.0'?>{doctype}{main}")


def _rows(count):
    rows = "".join(f'<row r="{number}"/>' for number in range(2, count))
    cell = '<row r="1"><c r="A1"><v>42</v></c></row>'
    sheet = sheet_xml({}, []).replace("<sheetData>", f"<sheetData>{cell}{rows}")
    return xlsx_bytes({"A": sheet})


def _shared(count):
    """One long text that every row points at."""
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, count))
    sheet = sheet_xml({}, []).replace("<sheetData>", f"<sheetData>{rows}")
    return xlsx_bytes({"A": sheet, "B": {1: ["y" * 32_000]}})


_BOMB = package({"part.xml": b"\0" * 60_000_000})
_NESTED = _BOMB
for _level in range(4):
    _NESTED = package({f"{n}.zip": _NESTED for n in range(8)})

HOSTILE = {
    "bomb.docx": (lambda: _BOMB, {"too-large"}),
    "bomb.xlsx": (lambda: _BOMB, {"too-large"}),
    "bomb.pptx": (lambda: _BOMB, {"too-large"}),
    "bomb.odt": (lambda: _BOMB, {"too-large"}),
    "bomb.epub": (lambda: _BOMB, {"too-large"}),
    "flat.zip": (lambda: _BOMB, {"too-large"}),
    "nested.zip": (lambda: _NESTED, {"no-text"}),
    "laughs.xlsx": (lambda: _sheet(_LAUGHS), {"damaged", "good"}),
    "outside.xlsx": (lambda: _sheet(_OUTSIDE), {"damaged", "good"}),
    "laughs.docx": (lambda: _document(_LAUGHS), {"damaged", "good"}),
    "outside.docx": (lambda: _document(_OUTSIDE), {"damaged", "good"}),
    "laughs.html": (lambda: f"{_LAUGHS}<p>good &j;</p>".encode(), {"good"}),
    "laughs.xml": (lambda: f"{_LAUGHS}<p>good &j;</p>".encode(), {"good"}),
    "deep.odt": (
        lambda: odf_bytes("text", "<text:section>" * 2_000 + "</text:section>" * 2_000),
        {"damaged"},
    ),
    "deep.docx": (
        lambda: docx_bytes("<w:sdt><w:sdtContent>" * 2_000 + "</w:sdtContent></w:sdt>" * 2_000),
        {"damaged"},
    ),
    "rows.xlsx": (lambda: _rows(80_000), {"good"}),
    "shared.xlsx": (lambda: _shared(4_000), {"too-large"}),
    "line.csv": (lambda: b"abcdefgh,1234567," * 700_000, {"too-large"}),
    "mail.eml": (lambda: mail_bytes("s", "good", [("bomb.zip", _NESTED)]), {"good"}),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of each hostile file, all read by one pool."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, _) in HOSTILE.items():
        (folder / name).write_bytes(content())
    settings = IngestSettings(
        _env_file=None, parse_memory_mb=512, parse_timeout_s=60, max_characters=10_000_000
    )
    with ParserPool(settings) as pool:
        return {outcome.path.name: outcome for outcome in pool.parse_all(sorted(folder.iterdir()))}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_file_costs_one_line_and_little_time(outcomes, name):
    """It is read as far as it is good, or set aside with a reason."""
    outcome = outcomes[name]
    refused = isinstance(outcome.document, DocumentUnreadable)

    assert (outcome.document.kind if refused else "good") in HOSTILE[name][1]
    assert outcome.seconds < 30
    if refused:
        assert "\n" not in str(outcome.document)
    else:
        text = "".join(page.text for page in outcome.document.pages)
        assert "root:" not in text
        assert text.count("lol") < 100
