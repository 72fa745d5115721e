"""Mails of both kinds, books, and Rich Text."""

from __future__ import annotations

import email.message
import email.policy
import struct

import pytest
from office_files import epub_bytes, mail_bytes, msg_bytes, nested_mail, pptx_bytes, shape

from ingest.loaders.registry import loader_for
from storage.errors import DocumentUnreadable


@pytest.fixture
def read(tmp_path):
    """A file of this name and content, as its loader reads it."""

    def _read(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return loader_for(path.suffix).load(path)

    return _read


DECK = pptx_bytes([shape("Roof", kind="title") + shape("New tiles")])


def test_mail_is_its_message_and_its_attachments(read):
    """Pages go on in the attachments, and each says where it stands."""
    attached = [
        ("offer.pptx", DECK),
        ("notes.md", b"# Terms\n\nPaid in May."),
        ("blob.bin", b"1234"),
        ("bad.docx", b"PK\x03\x04 broken"),
    ]
    document = read("m.eml", mail_bytes("Offer for the roof", "Hello Bob.", attached))

    assert document.title == "Offer for the roof"
    assert document.metadata["author"] == "Ada Byron <ada@example.com>"
    assert document.metadata["date"] == "2024-03-05T10:30:00+01:00"
    assert [(page.number, page.label, page.heading) for page in document.pages] == [
        (1, "message", ""),
        (2, "attachment offer.pptx, slide 1", "offer.pptx › Roof"),
        (3, "", "notes.md › Terms"),
    ]
    assert document.pages[0].text.endswith("Subject: Offer for the roof\n\nHello Bob.")
    assert [warning.partition(" was")[0] for warning in document.warnings] == [
        "bad.docx",
        "Files inside of types that cannot be read: .bin (1).",
    ]


def test_html_is_read_where_the_plain_text_only_points_at_it(read):
    """Otherwise the plain text is what was written."""
    html = "<p>" + "The meeting is in the old mill at nine. " * 5 + "</p>"

    pointing = read("a.eml", mail_bytes("s", "See HTML.", html=html)).pages[0].text
    alike = read("b.eml", mail_bytes("s", "The meeting is at nine. " * 8, html=html)).pages[0].text

    assert "old mill" in pointing
    assert "old mill" not in alike


def _parts(kind, *parts):
    told = b"".join(b"--X\n" + part + b"\n" for part in parts)
    return b'Content-Type: multipart/%s; boundary="X"\n\n%s--X--\n' % (kind, told)


def test_texts_that_follow_each_other_are_all_read(read):
    """Only alternatives say the same twice: what a mailing list adds replaces nothing."""
    footer = b"Content-Type: text/html\n\n<p>" + b"Nobody may read this but you. " * 9 + b"</p>\n"
    body = _parts(b"mixed", b"Content-Type: text/plain\n\nThe lease ends in May.\n", footer)
    text = read("list.eml", b"From: a@example.com\nMIME-Version: 1.0\n" + body).pages[0].text

    assert text.index("The lease ends in May.") < text.index("Nobody may read this")


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_encodings_are_what_mail_programs_mean_by_their_names(read, kind):
    """What is called Latin-1 is Windows-1252, with its Euro sign and quotes."""
    head = b"From: a@example.com\nMIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n"
    head += b"Content-Type: text/%s; charset=iso-8859-1\n\n" % kind.encode()
    body = "<meta charset=iso-8859-1>" if kind == "html" else ""
    document = read("m.eml", head + f"{body}500 € für „Müller“".encode("cp1252"))

    assert document.pages[0].text.endswith("500 € für „Müller“")


def test_invitation_without_a_text_is_read(read):
    """What the event is, when and where, with folded lines put together."""
    event = (
        "BEGIN:VEVENT\nSUMMARY:Budget\nDESCRIPTION:Bring plans\\, a\n ll\nDTSTART;TZID=X:20260303\n"
    )
    head = "From: a@example.com\nMIME-Version: 1.0\nContent-Type: text/calendar\n\n"
    text = read("i.eml", f"{head}BEGIN:VCALENDAR\nDTSTART:1970\n{event}END:VEVENT\n").pages[0].text

    assert text.endswith("\n\nSummary: Budget\nDescription: Bring plans, all\nDtstart: 20260303")


def test_header_that_is_not_encoded_is_read_all_the_same(read):
    """Old programs write their letters as they are."""
    document = read("m.eml", "From: Jörg <j@x.de>\nSubject: Größe\n\nText".encode("cp1252"))

    assert (document.title, document.metadata["author"]) == ("Größe", "Jörg <j@x.de>")


def test_pictures_within_the_text_and_signatures_are_no_attachments(read):
    """Otherwise each mail with a logo would have a warning."""
    logo = b"Content-Type: image/png; name=logo.png\nContent-ID: <1>\n\nabc\n"
    seal = b"Content-Type: application/pkcs7-signature; name=smime.p7s\n\nabc\n"
    photo = b"Content-Type: image/png\nContent-Disposition: attachment; filename=a.png\n\nabc\n"
    body = _parts(b"mixed", b"Content-Type: text/plain\n\nHello.\n", logo, seal, photo)
    document = read("m.eml", b"From: a@example.com\nMIME-Version: 1.0\n" + body)

    assert document.warnings == ("Files inside of types that cannot be read: .png (1).",)


def test_forwarded_mail_brings_its_own_attachments(read):
    """Down to a depth at which nothing real lies."""
    content = mail_bytes("first", "The bottom.", [("a.txt", b"Attached below.")])
    for n in range(6):
        outer = email.message.EmailMessage()
        outer["Subject"], outer["From"] = f"forward {n}", "a@b.c"
        outer.set_content(f"Body {n}.")
        outer.add_attachment(email.message_from_bytes(content, policy=email.policy.default))
        content = outer.as_bytes()
    document = read("f.eml", content)

    assert [page.text.rpartition("\n")[2] for page in document.pages] == [
        "Body 5.",
        "Body 4.",
        "Body 3.",
        "Body 2.",
    ]
    assert document.pages[1].label == "attachment forward 4.eml, message"
    assert "was not opened" in document.warnings[0]


@pytest.mark.parametrize(
    "head",
    [
        b"Subject: =?utf-8?b?bad?= =?nope?q?x?=\nDate: Tue, 99 Foo 20244 10:30",
        b"Subject: x\nContent-Type: multipart/mixed; boundary=",
        b"Subject: x\nContent-Type: text/plain; charset=no-such-charset",
        b"Subject: x\nContent-Transfer-Encoding: base64",
    ],
)
def test_awkward_headers_do_not_cost_the_mail(read, head):
    """What is encoded wrongly stays as it stands."""
    assert read("h.eml", head + b"\nFrom: <<>>\n\nbody\n").pages[0].text.startswith("From: <<>>")


def test_mail_nested_a_thousand_parts_deep_is_refused(read):
    """A hundred are read; a thousand are a sentence."""
    assert "The bottom." in read("a.eml", nested_mail(90)).pages[0].text
    with pytest.raises(DocumentUnreadable, match="nests its parts too deeply"):
        read("b.eml", nested_mail(1000))


def test_outlook_mail_is_read_with_what_is_attached(read):
    """A mail inside it too, and what is attached to that."""
    inner = msg_bytes("Inner", "The words inside.", [("t.txt", b"deep words")], inner=True)
    content = msg_bytes("Roof", "Hello Bob.", [("offer.pptx", DECK), ("a mail", inner)])
    document = read("o.msg", content)

    assert document.title == "Roof"
    assert document.metadata == {
        "author": "Ada Byron <ada@example.com>",
        "date": "2024-03-05T12:50:00+00:00",
    }
    assert "To: Börge" in document.pages[0].text
    assert [page.label for page in document.pages] == [
        "message",
        "attachment offer.pptx, slide 1",
        "attachment a mail, message",
        "attachment a mail/t.txt, line 1",
    ]
    assert document.pages[2].text.endswith("Subject: Inner\n\nThe words inside.")


def test_outlook_mail_in_html_or_rich_text_alone_is_read(read):
    """Outlook keeps a message in one of three forms."""
    rich = b"{\\rtf1\\ansi Rich words.}"
    # One literal run of eight bytes after each control byte.
    packed = b"".join(b"\0" + rich[at : at + 8] for at in range(0, len(rich), 8))
    lzfu = struct.pack("<II4sI", len(packed) + 12, len(rich), b"LZFu", 0) + packed

    assert (
        "HTML words" in read("h.msg", msg_bytes("s", "", html=b"<p>HTML words</p>")).pages[0].text
    )
    assert "Rich words." in read("r.msg", msg_bytes("s", "", rtf=lzfu)).pages[0].text


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_outlook_mail_cut_short_is_refused_or_read(read, share):
    """Never anything else."""
    content = msg_bytes("Subject", "body " * 2_000, [("a.txt", b"words")])
    try:
        document = read("c.msg", content[: int(len(content) * share)])
    except DocumentUnreadable as exc:
        assert exc.kind == "damaged"
    else:
        assert document.pages


def test_chapters_of_a_book_are_named_as_its_contents_do(read):
    """In reading order; one without any name is told by its place."""
    chapters = [
        ("front.xhtml", "<p>For Ada.</p>"),
        ("c1.xhtml", "<p>Call me Ishmael.</p>"),
        ("c2.xhtml", "<h1>The Whale</h1><p>White.</p><h2>Its tail</h2><p>Broad.</p>"),
    ]
    stated = (
        "<dc:title>Moby</dc:title><dc:creator>H. M.</dc:creator><dc:language>en</dc:language>"
        "<dc:date>1851-10-18</dc:date>"
    )
    names = {"c1.xhtml": "1. Loomings", "c2.xhtml": "2. The Whale"}
    document = read("b.epub", epub_bytes(chapters, names=names, stated=stated))

    assert document.title == "Moby"
    assert document.metadata == {"author": "H. M.", "lang": "en", "date": "1851-10-18"}
    assert [(page.label, page.heading, page.text) for page in document.pages] == [
        ("chapter 1", "", "For Ada."),
        ("", "1. Loomings", "1. Loomings\n\nCall me Ishmael."),
        ("", "The Whale", "The Whale\n\nWhite."),
        ("", "The Whale › Its tail", "Its tail\n\nBroad."),
    ]


RICH = r"""{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Times;}}
{\stylesheet{\s0 Normal;}{\s1\b heading 1;}}{\info{\title Contract}{\author J\'f6rg}
{\creatim\yr2023\mo4\dy5\hr7\min8}}{\*\generator Writer;}{\header Page head}
\pard\s1 Terms\par\pard First \u8364?100 and \f1\'cf\'f0\f0  end.{\footnote A note.\par}\par
\trowd\cellx1\cellx2\pard\intbl Name\cell Cost\cell\row\intbl Paint\cell 40\cell\row\pard
{\listtext\'b7\tab}\ls1 one\par {\listtext\'b7\tab}\ls1 two\par\pard {\pict\bin4 {{{{}last {\field
{\*\fldinst HYPERLINK "http://x"}{\fldrslt link}}\par}"""


def test_rich_text_keeps_headings_tables_lists_and_notes(read):
    """Characters in any code page; pictures, fields' instructions and running heads go."""
    document = read("r.rtf", RICH)

    assert document.title == "Contract"
    assert document.metadata == {"author": "Jörg", "created": "2023-04-05T07:08"}
    assert [(page.heading, page.text) for page in document.pages] == [
        (
            "Terms",
            "Terms\n\nFirst €100 and Пр end. [A note.]\n\nName | Cost\nPaint | 40\n\n- one\n- two"
            "\n\nlast link",
        )
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{\\rtf1 never closed \\bin99999999 x", "never closed"),
        ("{\\rtf1\\uc0\\u55357\\u56832 smile \\u-10179?\\u-8704?}", "😀smile ?😀?"),
        ("{\\rtf1 good " + "{\\b " * 9_000 + "x" + "}" * 9_000 + "}", "good x"),
        ("{\\rtf1 \\u99999999999 odd}}}}", "odd"),
    ],
)
def test_awkward_rich_text_is_read_as_far_as_it_goes(read, content, text):
    """Open groups, surrogates, deep groups, and numbers beyond all characters."""
    assert text in read("a.rtf", content).pages[0].text


def test_rich_text_that_change_tracking_deleted_is_not_read(read):
    """Nor is the comment of the program that wrote it."""
    document = read("d.rtf", rb"{\rtf1{\info{\doccomm made by X}}Kept{\deleted gone} text\par}")

    assert document.pages[0].text == "Kept text"


def test_rich_text_of_bottomless_groups_is_refused(read):
    """No program nests a hundred thousand of them."""
    with pytest.raises(DocumentUnreadable, match="nests its groups too deeply"):
        read("d.rtf", "{\\rtf1 good " + "{" * 100_000)


def _property(number, kind, value):
    """A MAPI property of variable length."""
    filled = value + b"\0" * (-len(value) % 4)
    return struct.pack("<HHII", kind, number, 1, len(value)) + filled


def _tnef(*attributes):
    """A winmail.dat of (level, identifier, content)."""
    told = b"".join(
        struct.pack("<BII", level, identifier, len(value))
        + value
        + struct.pack("<H", sum(value) & 0xFFFF)
        for level, identifier, value in attributes
    )
    return struct.pack("<IH", 0x223E9F78, 1) + told


def _winmail(text="From Outlook.", more=()):
    names = struct.pack("<I", 1) + _property(0x3707, 0x001F, "Über Dach.md".encode("utf-16-le"))
    return _tnef(
        (1, 0x00069007, struct.pack("<II", 1252, 0)),
        (1, 0x0002800C, text.encode("cp1252") + b"\0"),
        (2, 0x00069002, b"\0" * 14),
        (2, 0x00018010, b"BERDAC~1.MD\0"),
        (2, 0x0006800F, b"# Roof\n\nTiles in May."),
        (2, 0x00069005, names),
        *more,
    )


def _with_winmail(content, body="Hello."):
    mail = email.message.EmailMessage()
    mail["From"], mail["Subject"] = "a@example.com", "Roof"
    if body:
        mail.set_content(body)
    mail.add_attachment(content, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    return mail.as_bytes()


def test_files_in_a_winmail_dat_are_attachments(read):
    """Under their long names; its text is told where the mail itself has none."""
    document = read("m.eml", _with_winmail(_winmail()))
    bare = read("m.eml", _with_winmail(_winmail(), body=""))

    assert [page.heading for page in document.pages] == ["", "Über Dach.md › Roof"]
    assert document.pages[1].text == "Roof\n\nTiles in May."
    assert "From Outlook." not in document.pages[0].text
    assert bare.pages[0].text.endswith("From Outlook.")
    assert document.warnings == ()


def test_mail_inside_a_winmail_dat_is_read_with_its_files(read):
    """A forwarded mail is TNEF within TNEF, marked by its interface."""
    inner = _tnef(
        (1, 0x00069003, struct.pack("<I", 1) + _property(0x0037, 0x001E, b"Offer\0")),
        (1, 0x0002800C, b"We offer tiles."),
        (2, 0x00069002, b""),
        (2, 0x00018010, b"list.txt\0"),
        (2, 0x0006800F, b"Red tiles"),
    )
    mark = bytes.fromhex("0703020000000000c000000000000046")
    attached = struct.pack("<I", 1) + _property(0x3701, 0x000D, mark + inner)
    forward = [(2, 0x00069002, b""), (2, 0x00018010, b"FW Offer\0"), (2, 0x00069005, attached)]
    outer = _winmail(more=forward)

    document = read("m.eml", _with_winmail(outer))

    assert [(page.label, page.text) for page in document.pages[2:]] == [
        ("attachment FW Offer.eml, message", "Subject: Offer\n\nWe offer tiles."),
        ("attachment FW Offer.eml, attachment list.txt, line 1", "Red tiles"),
    ]


def test_broken_winmail_dat_costs_what_is_behind_the_break(read):
    """Cut anywhere, or with any byte turned, the mail is still read."""
    content = _winmail()
    for at in range(0, len(content), 3):
        turned = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        for broken in (content[:at], turned):
            assert "Hello." in read("m.eml", _with_winmail(broken)).pages[0].text


def test_rich_text_made_of_html_tells_no_tags(read):
    """Exchange keeps the HTML's own tags beside the text, in groups that readers pass over."""
    rich = (
        rb"{\rtf1\ansi\fromhtml1 {\*\htmltag19 <html>}{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 "
        rb"Pay by May.{\*\htmltag84 &nbsp;}\htmlrtf \'a0\htmlrtf0 {\*\htmltag72 </p>}\htmlrtf"
        rb" \par}\htmlrtf0 }"
    )

    assert read("a.rtf", rich).pages[0].text == "Pay by May."
