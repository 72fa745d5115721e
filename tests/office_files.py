"""Writes small office files, books and mails from scratch, good ones and hostile ones."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P = "http://schemas.openxmlformats.org/presentationml/2006/main"
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def package(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP package of these parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """A part of relations: id → (kind, target)."""
    rows = "".join(
        f'<Relationship Id="{name}" Type="{_REL}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'{_HEAD}<Relationships xmlns="{_RELATIONS}">{rows}</Relationships>'


def core(**stated: str) -> str:
    """docProps/core.xml."""
    names = {
        "title": "dc:title",
        "creator": "dc:creator",
        "language": "dc:language",
        "keywords": "cp:keywords",
        "created": "dcterms:created",
        "modified": "dcterms:modified",
    }
    inner = "".join(f"<{names[k]}>{escape(v)}</{names[k]}>" for k, v in stated.items())
    return (
        f'{_HEAD}<cp:coreProperties xmlns:cp="urn:cp" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:dcterms="http://purl.org/dc/terms/">{inner}</cp:coreProperties>'
    )


def letters(column: int) -> str:
    """The letters of a column counted from 0."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


FORMATS = ("General", "yyyy\\-mm\\-dd", "0.0%", '#,##0.00\\ "€"', "hh:mm")
DATE, PERCENT, EUROS, CLOCK = 1, 2, 3, 4


def cell_xml(reference: str, value: object, strings: list[str]) -> str:
    """A cell; a tuple is (number, style)."""
    if isinstance(value, tuple):
        return f'<c r="{reference}" s="{value[1]}"><v>{value[0]}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{reference}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{reference}"><v>{value}</v></c>'
    strings.append(str(value))
    return f'<c r="{reference}" t="s"><v>{len(strings) - 1}</v></c>'


def sheet_xml(rows: Mapping[int, Sequence[object]], strings: list[str]) -> str:
    """A sheet: row number → values, None for an empty cell."""
    told = "".join(
        f'<row r="{number}">'
        + "".join(
            cell_xml(f"{letters(column)}{number}", value, strings)
            for column, value in enumerate(values)
            if value is not None
        )
        + "</row>"
        for number, values in rows.items()
    )
    return f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{told}</sheetData></worksheet>'


def xlsx_bytes(
    sheets: Mapping[str, Mapping[int, Sequence[object]] | str],
    *,
    hidden: Sequence[str] = (),
    **stated: str,
) -> bytes:
    """A workbook; a sheet is its rows by number, or its XML."""
    strings: list[str] = []
    parts: dict[str, str | bytes] = {}
    listed, targets = "", {"s": ("sharedStrings", "sharedStrings.xml"), "t": ("styles", "st.xml")}
    for n, (name, rows) in enumerate(sheets.items(), start=1):
        parts[f"xl/worksheets/sheet{n}.xml"] = (
            rows if isinstance(rows, str) else sheet_xml(rows, strings)
        )
        state = ' state="hidden"' if name in hidden else ""
        listed += f'<sheet name="{escape(name)}" sheetId="{n}" r:id="r{n}"{state}/>'
        targets[f"r{n}"] = ("worksheet", f"worksheets/sheet{n}.xml")
    codes = "".join(
        f'<numFmt numFmtId="{164 + n}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for n, code in enumerate(FORMATS)
    )
    styles = "".join(f'<xf numFmtId="{164 + n if n else 0}"/>' for n in range(len(FORMATS)))
    items = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    return package(
        {
            "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_TYPES}"/>',
            "_rels/.rels": relations({"a": ("officeDocument", "xl/workbook.xml")}),
            "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_REL}">'
            f"<sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(targets),
            "xl/sharedStrings.xml": f'{_HEAD}<sst xmlns="{_MAIN}">{items}</sst>',
            "xl/st.xml": f'{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts>{codes}</numFmts>'
            f"<cellXfs>{styles}</cellXfs></styleSheet>",
            "docProps/core.xml": core(**stated),
            **parts,
        }
    )


def shape(*paragraphs: str, kind: str = "") -> str:
    """A shape of a slide; a paragraph led by ">" is a list item of the first level."""
    mark = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    told = "".join(
        f"<a:p>{'<a:pPr lvl=' + chr(34) + '1' + chr(34) + '/>' if text.startswith('>') else ''}"
        f"<a:r><a:t>{escape(text.lstrip('>'))}</a:t></a:r></a:p>"
        for text in paragraphs
    )
    return f"<p:sp>{mark}<p:txBody>{told}</p:txBody></p:sp>"


def table_shape(rows: Sequence[Sequence[str]]) -> str:
    """A table on a slide."""
    told = "".join(
        "<a:tr>"
        + "".join(
            f"<a:tc><a:txBody><a:p><a:r><a:t>{escape(text)}</a:t></a:r></a:p></a:txBody></a:tc>"
            for text in row
        )
        + "</a:tr>"
        for row in rows
    )
    return (
        f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{told}</a:tbl></a:graphicData>"
        "</a:graphic></p:graphicFrame>"
    )


def pptx_bytes(slides: Sequence[str], *, notes: Mapping[int, str] | None = None, **stated: str):
    """A presentation; a slide is the XML of its shapes, notes are by slide, from 1."""
    notes = notes or {}
    parts: dict[str, str | bytes] = {}
    targets, listed = {}, ""
    for n, shapes in enumerate(slides, start=1):
        targets[f"r{n}"] = ("slide", f"slides/slide{n}.xml")
        listed += f'<p:sldId id="{255 + n}" r:id="r{n}"/>'
        parts[f"ppt/slides/slide{n}.xml"] = (
            f'{_HEAD}<p:sld xmlns:p="{_P}" xmlns:a="{_A}" xmlns:r="{_REL}"><p:cSld><p:spTree>'
            f"{shapes}</p:spTree></p:cSld></p:sld>"
        )
        if n in notes:
            parts[f"ppt/slides/_rels/slide{n}.xml.rels"] = relations(
                {"n": ("notesSlide", f"../notesSlides/n{n}.xml")}
            )
            parts[f"ppt/notesSlides/n{n}.xml"] = (
                f'{_HEAD}<p:notes xmlns:p="{_P}" xmlns:a="{_A}"><p:cSld><p:spTree>'
                f"{shape(notes[n], kind='body')}{shape(str(n), kind='sldNum')}"
                "</p:spTree></p:cSld></p:notes>"
            )
    return package(
        {
            "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_TYPES}"/>',
            "_rels/.rels": relations({"a": ("officeDocument", "ppt/presentation.xml")}),
            "ppt/presentation.xml": f'{_HEAD}<p:presentation xmlns:p="{_P}" xmlns:r="{_REL}">'
            f"<p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": relations(targets),
            "docProps/core.xml": core(**stated),
            **parts,
        }
    )


def docx_bytes(body: str, *, main: str = "openxmlformats-officedocument.wordprocessingml.document"):
    """A Word document of the XML of its body."""
    kind = f"application/vnd.{main}.main+xml"
    return package(
        {
            "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_TYPES}">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
            "_rels/.rels": relations({"a": ("officeDocument", "word/document.xml")}),
            "word/document.xml": f'{_HEAD}<w:document xmlns:w="{_W}"><w:body>{body}</w:body>'
            "</w:document>",
        }
    )


def word(text: str, properties: str = "") -> str:
    """A paragraph of Word."""
    return f"<w:p>{properties}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
_ODF_NAMES = "".join(
    f' xmlns:{short}="{_ODF}{name}:1.0"'
    for short, name in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "presentation": "presentation",
        "meta": "meta",
    }.items()
)


def odf_bytes(kind: str, body: str, *, stated: str = "") -> bytes:
    """An OpenDocument file of a kind (`text`, `spreadsheet`, `presentation`)."""
    return package(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"{_HEAD}<office:document-content{_ODF_NAMES}><office:body>"
            f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
            "meta.xml": f"{_HEAD}<office:document-meta{_ODF_NAMES} "
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>'
            f"{stated}</office:meta></office:document-meta>",
        }
    )


def epub_bytes(
    chapters: Sequence[tuple[str, str]],
    *,
    names: Mapping[str, str] | None = None,
    stated: str = "<dc:title>A Book</dc:title>",
) -> bytes:
    """A book of (file, XHTML body) in reading order; `names` is what its contents call them."""
    names = names or {}
    xhtml = "http://www.w3.org/1999/xhtml"
    items = "".join(
        f'<item id="c{n}" href="text/{file}" media-type="application/xhtml+xml"/>'
        for n, (file, _) in enumerate(chapters)
    )
    order = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    links = "".join(
        f'<li><a href="text/{file}">{escape(name)}</a></li>' for file, name in names.items()
    )
    return package(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'{_HEAD}<container xmlns="urn:oasis:names:tc:opendocument:'
            'xmlns:container"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles>'
            "</container>",
            "OEBPS/book.opf": f'{_HEAD}<package xmlns="http://www.idpf.org/2007/opf">'
            f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{stated}</metadata>'
            f'<manifest>{items}<item id="nav" href="nav.xhtml" properties="nav" '
            'media-type="application/xhtml+xml"/></manifest>'
            f'<spine><itemref idref="nav"/>{order}</spine></package>',
            "OEBPS/nav.xhtml": f'{_HEAD}<html xmlns="{xhtml}" xmlns:epub="http://www.idpf.org/'
            f'2007/ops"><body><nav epub:type="toc"><ol>{links}</ol></nav></body></html>',
            **{
                f"OEBPS/text/{file}": f'{_HEAD}<html xmlns="{xhtml}"><head><title>x</title></head>'
                f"<body>{body}</body></html>"
                for file, body in chapters
            },
        }
    )


def mail_bytes(
    subject: str, body: str, attached: Sequence[tuple[str, bytes]] = (), *, html: str = ""
) -> bytes:
    """A mail; attachments are (file name, content)."""
    mail = EmailMessage()
    mail["From"] = "Ada Byron <ada@example.com>"
    mail["To"] = "bob@example.com"
    mail["Date"] = "Tue, 05 Mar 2024 10:30:00 +0100"
    mail["Subject"] = subject
    mail.set_content(body)
    if html:
        mail.add_alternative(html, subtype="html")
    for name, content in attached:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def nested_mail(depth: int) -> bytes:
    """A mail whose parts lie in one another, so many deep."""
    head = b"From: a@example.com\nSubject: Deep\nMIME-Version: 1.0\n"
    content = b"Content-Type: text/plain\n\nThe bottom.\n"
    for level in range(depth):
        mark = b"b%d" % level
        content = b'Content-Type: multipart/mixed; boundary="%s"\n\n--%s\n%s\n--%s--\n' % (
            mark,
            mark,
            content,
            mark,
        )
    return head + content


Storage = Mapping[str, "bytes | Storage"]


_SECTOR, _SMALL_SECTOR, _LEAST_LARGE = 512, 64, 4096
_END, _FREE, _OF_TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


class _Sectors:
    """Blocks in chains of sectors, and the table that chains them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.table: list[int] = []
        self.content = b""

    def add(self, block: bytes) -> int:
        """The first sector of a block that is put behind the others."""
        first = len(self.table)
        count = -(-len(block) // self.size)
        if not count:
            return _END
        self.table += [first + n + 1 for n in range(count - 1)] + [_END]
        self.content += block.ljust(count * self.size, b"\0")
        return first


def compound_bytes(root: Storage) -> bytes:
    """A compound file (as Outlook's) of streams and storages, MS-CFB version 3."""
    large, small = _Sectors(_SECTOR), _Sectors(_SMALL_SECTOR)
    entries: list[list[object]] = []

    def add(name: str, content: bytes | Storage) -> int:
        index = len(entries)
        # name, type, right sibling, child, start, size
        entry: list[object] = [name, 1 if index else 5, -1, -1, 0, 0]
        entries.append(entry)
        if isinstance(content, bytes):
            sectors = large if len(content) >= _LEAST_LARGE else small
            entry[1], entry[4], entry[5] = 2, sectors.add(content), len(content)
            return index
        previous = -1
        for key in reversed(list(content)):
            child = add(key, content[key])
            entries[child][2], previous = previous, child
        entry[3] = previous
        return index

    add("Root Entry", root)
    entries[0][4], entries[0][5] = large.add(small.content), len(small.content)
    small_table = struct.pack(f"<{len(small.table)}I", *small.table)
    small_sectors = -(-len(small_table) // _SECTOR)
    first_small = large.add(small_table.ljust(small_sectors * _SECTOR, b"\xff"))
    directory = b"".join(
        struct.pack(
            "<64sHBBiii16sIQQIQ",
            str(name).encode("utf-16-le"),
            len(str(name)) * 2 + 2,
            kind,
            1,
            -1,
            right,
            child,
            b"",
            0,
            0,
            0,
            start,
            size,
        )
        for name, kind, right, child, start, size in entries
    )
    first_directory = large.add(directory)
    sectors = 1
    while (len(large.table) + sectors) * 4 > sectors * _SECTOR:
        sectors += 1
    places = [len(large.table) + n for n in range(sectors)]
    table = [*large.table, *([_OF_TABLE] * sectors)]
    fat = struct.pack(f"<{len(table)}I", *table).ljust(sectors * _SECTOR, b"\xff")
    header = struct.pack(
        "<8s16s5H6s10I",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"",
        *(0x3E, 3, 0xFFFE, 9, 6),
        b"",
        *(0, sectors, first_directory, 0, _LEAST_LARGE),
        *(first_small, small_sectors, _END, 0, places[0]),
    )
    rest = [*places[1:], *([_FREE] * (109 - sectors))]
    return header + struct.pack("<108I", *rest) + large.content + fat


def msg_bytes(
    subject: str,
    body: str,
    attached: Sequence[tuple[str, bytes | Storage]] = (),
    *,
    inner: bool = False,
    html: bytes = b"",
    rtf: bytes = b"",
) -> bytes | Storage:
    """A mail as Outlook saves it; `inner` gives the storage that lies in another mail."""
    storage: dict[str, bytes | Storage] = {
        "__properties_version1.0": b"\0" * (24 if inner else 32)
        + struct.pack("<HHIQ", 0x40, 0x0039, 6, 133_541_166_000_000_000)
        + struct.pack("<HHIQ", 3, 0x3FFD, 6, 1252),
        "__substg1.0_0037001F": subject.encode("utf-16-le"),
        "__substg1.0_0C1A001F": "Ada Byron".encode("utf-16-le"),
        "__substg1.0_5D01001F": "ada@example.com".encode("utf-16-le"),
        "__substg1.0_0E04001E": "Börge".encode("cp1252"),
    }
    if body:
        storage["__substg1.0_1000001F"] = body.encode("utf-16-le")
    if html:
        storage["__substg1.0_10130102"] = html
    if rtf:
        storage["__substg1.0_10090102"] = rtf
    for n, (name, content) in enumerate(attached):
        key = "0102" if isinstance(content, bytes) else "000D"
        storage[f"__attach_version1.0_#{n:08X}"] = {
            "__properties_version1.0": b"\0" * 8,
            "__substg1.0_3707001F": name.encode("utf-16-le"),
            f"__substg1.0_3701{key}": content,
        }
    return storage if inner else compound_bytes(storage)
