"""PDF files built by hand, each awkward in one way; `awkward_files` has the plain ones."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Sequence

from awkward_files import pdf_bytes, raw_pdf_bytes

PROSE = (
    "The harbour master opened the ledger before dawn and counted every barrel again.",
    "Salt, rope and tallow were written on the left, their prices on the right.",
    "Nobody could say who had signed for the eleven casks that went missing in March.",
    "He asked the cooper, the pilot and two of the porters, and wrote their answers down.",
    "By noon the fog had lifted, and the first of the fishing boats came home.",
)


def drawn_pdf_bytes(
    drawings: Sequence[bytes | str],
    *,
    font: bytes = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    box: str = "0 0 600 800",
    page_extra: str = "",
    objects: Sequence[bytes] = (),
    resources: str = "",
) -> bytes:
    """A PDF with a page for each content stream; font F1, `objects` numbered from 4."""
    first = 4 + len(objects)
    kids = " ".join(f"{first + 2 * i} 0 R" for i in range(len(drawings)))
    body = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(drawings)}>>".encode(),
        font,
        *objects,
    ]
    for i, drawing in enumerate(drawings):
        stream = drawing.encode("latin-1") if isinstance(drawing, str) else drawing
        body.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents {first + 2 * i + 1} 0 R"
            f"/Resources<</Font<</F1 3 0 R>>{resources}>>{page_extra}>>".encode()
        )
        body.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    return raw_pdf_bytes(body)


def line(x: float, y: float, text: str, *, size: float = 12, before: str = "") -> str:
    """The operators that draw one line of text."""
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"{before} BT /F1 {size} Tf {x} {y} Td ({escaped}) Tj ET\n"


def image_object(picture: object) -> bytes:
    """A gray picture of PIL as an image object."""
    data = zlib.compress(picture.tobytes())
    return (
        b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray"
        b"/BitsPerComponent 8/Filter/FlateDecode/Length %d>>stream\n%s\nendstream"
        % (picture.width, picture.height, len(data), data)
    )


def scanned_pdf_bytes(pages: Sequence[str], *, layer: str = "", turned: int = 0) -> bytes:
    """Pages that are pictures of their text; `layer` is drawn invisibly over each."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(38)
    pictures = []
    for text in pages:
        picture = Image.new("L", (1240, 1650), 255)
        pen = ImageDraw.Draw(picture)
        for row, words in enumerate(text.split("\n")):
            pen.text((80, 100 + 60 * row), words, fill=0, font=font)
        pictures.append(picture.rotate(turned, expand=True, fillcolor=255))
    names = " ".join(f"/I{i} {4 + i} 0 R" for i in range(len(pages)))
    invisible = line(60, 700, layer, before="3 Tr") if layer else ""
    return drawn_pdf_bytes(
        [f"q 600 0 0 800 0 0 cm /I{i} Do Q {invisible}" for i in range(len(pages))],
        objects=[image_object(picture) for picture in pictures],
        resources=f"/XObject<<{names}>>",
    )


def two_columns_bytes(*, interleaved: bool, header: str = "The Harbour Gazette") -> bytes:
    """A page of prose in two columns, drawn column by column or row by row."""
    left = [f"left {n} keeps on telling what the port" for n in range(24)]
    right = [f"right {n} goes on about ships and rope" for n in range(24)]
    rows_left = [line(50, 700 - 18 * n, text) for n, text in enumerate(left)]
    rows_right = [line(320, 700 - 18 * n, text) for n, text in enumerate(right)]
    if interleaved:
        columns = [row for pair in zip(rows_left, rows_right, strict=True) for row in pair]
    else:
        columns = rows_left + rows_right
    return drawn_pdf_bytes([line(180, 750, header, size=20) + "".join(columns)])


def mapped_pdf_bytes(text: str) -> bytes:
    """A page whose codes mean these characters by a ToUnicode map; written in the order given."""
    codes = {character: 33 + i for i, character in enumerate(dict.fromkeys(text))}
    chars = "".join(
        f"<{code:02X}> <{character.encode('utf-16-be').hex()}>\n"
        for character, code in codes.items()
    )
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{chars}endbfchar endcmap end end"
    ).encode()
    drawn = "".join(f"{codes[character]:02X}" for character in text)
    return drawn_pdf_bytes(
        [f"BT /F1 14 Tf 50 700 Td <{drawn}> Tj ET"],
        font=b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 4 0 R>>",
        objects=[b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap)],
    )


def without_unicode_bytes(*, kind: str) -> bytes:
    """A page whose font does not say which characters its codes mean.

    `identity` has glyph numbers for codes, `names` glyph names without meaning,
    `private` maps to private-use characters, `shifted` has codes three letters on.
    """
    text = " ".join(PROSE)
    rows = [text[i : i + 60] for i in range(0, len(text), 60)]
    if kind == "identity":
        font = (
            b"<</Type/Font/Subtype/Type0/BaseFont/ABCDEF+Odd/Encoding/Identity-H"
            b"/DescendantFonts[<</Type/Font/Subtype/CIDFontType2/BaseFont/ABCDEF+Odd/CIDSystemInfo"
            b"<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 500/FontDescriptor 4 0 R>>]>>"
        )
        descriptor = b"<</Type/FontDescriptor/FontName/ABCDEF+Odd/Flags 4/Ascent 800/Descent -200>>"
        drawn = "".join(
            f"BT /F1 12 Tf 50 {700 - 20 * n} Td <"
            + "".join(f"{ord(c) - 29:04X}" for c in row)
            + "> Tj ET\n"
            for n, row in enumerate(rows)
        )
        return drawn_pdf_bytes([drawn], font=font, objects=[descriptor])
    if kind == "names":
        names = "".join(f"/g{code}" for code in range(32, 127))
        font = (
            b"<</Type/Font/Subtype/Type1/BaseFont/ABCDEF+Odd/FirstChar 32/LastChar 126/Widths["
            + b"500 " * 95
            + b"]/Encoding<</Type/Encoding/Differences[32"
            + names.encode()
            + b"]>>>>"
        )
        return drawn_pdf_bytes(
            ["".join(line(50, 700 - 20 * n, row) for n, row in enumerate(rows))], font=font
        )
    if kind == "private":
        chars = "".join(f"<{code:02X}> <{0xF000 + code:04X}>\n" for code in range(32, 127))
        cmap = (
            "begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"
            f"95 beginbfchar\n{chars}endbfchar endcmap"
        ).encode()
        return drawn_pdf_bytes(
            ["".join(line(50, 700 - 20 * n, row) for n, row in enumerate(rows))],
            font=b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 4 0 R>>",
            objects=[b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap)],
        )
    shifted = ["".join(chr(ord(c) + 3) if c.isalpha() else c for c in row) for row in rows]
    return drawn_pdf_bytes(
        ["".join(line(50, 700 - 20 * n, row) for n, row in enumerate(shifted))],
        font=b"<</Type/Font/Subtype/Type1/BaseFont/ABCDEF+Odd/FirstChar 32/LastChar 126/Widths["
        + b"500 " * 95
        + b"]/FontDescriptor 4 0 R>>",
        objects=[b"<</Type/FontDescriptor/FontName/ABCDEF+Odd/Flags 4>>"],
    )


def recursive_pages_bytes() -> bytes:
    """A page tree whose second kid is the tree itself."""
    drawing = line(50, 700, "Only page").encode()
    return raw_pdf_bytes(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R 2 0 R]/Count 2>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        ]
    )


def empty_pages_bytes(count: int) -> bytes:
    """So many pages with nothing on them."""
    kids = " ".join(f"{3 + i} 0 R" for i in range(count))
    return raw_pdf_bytes(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            f"<</Type/Pages/Kids[{kids}]/Count {count}>>".encode(),
            *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]>>"] * count,
        ]
    )


def broken(content: bytes, how: str) -> bytes:
    """A good PDF with one part of its bookkeeping made wrong."""
    if how == "wrong xref":
        at = content.rindex(b"xref\n0 ") + 7
        table = bytearray(content)
        for place in range(at, content.index(b"trailer", at)):
            if 0x31 <= table[place] <= 0x38:
                table[place] += 1
        return bytes(table)
    if how == "no xref":
        return content[: content.rindex(b"xref\n0 ")] + b"%%EOF\n"
    if how == "wrong startxref":
        return content[: content.rindex(b"startxref")] + b"startxref\n999999999\n%%EOF\n"
    if how == "long lengths":
        return content.replace(b"/Length ", b"/Length 9")
    if how == "short lengths":
        return content.replace(b"/Length ", b"/Length 1 %")
    raise ValueError(how)


def flipped(content: bytes, seed: int, share: float = 0.0005) -> bytes:
    """A PDF in which some bits, chosen by a seed, are turned."""
    chance = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(max(1, int(len(damaged) * share))):
        damaged[chance.randrange(8, len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def long_pdf_bytes(pages: int) -> bytes:
    """A PDF with so many pages of prose, each with its number."""
    return pdf_bytes(
        [
            f"Page {n} of the log\n" + "\n".join(PROSE[n % 5 :] + PROSE[: n % 5])
            for n in range(1, pages + 1)
        ]
    )


def owner_locked_bytes(pages: Sequence[str]) -> bytes:
    """An RC4 file with an owner password alone; everybody may open it."""
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf_bytes(pages)))
    writer.encrypt(user_password="", owner_password="owner", algorithm="RC4-128")
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()
