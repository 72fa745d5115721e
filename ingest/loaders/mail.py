"""EML: a mail's head and text, then its attachments, each read by its own loader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

from ingest.loaders import text
from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.encodings import meant
from ingest.loaders.html import decoded_markup, read_markup
from ingest.loaders.members import Member, Writer, read_members
from ingest.loaders.reading import damaged, read_bytes, without_text
from ingest.loaders.sections import LONGEST_SECTION, pieces
from storage.errors import DocumentUnreadable
from storage.records import Page, ParsedDocument

SUFFIXES = (".eml",)
LOADER_VERSION = "mail-3"

IS_CONTAINER = True

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_LEAST_SHARE = 1 / 3
"""A plain text shorter than this share of the HTML beside it only points at that."""

_ENDINGS = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "application/json": ".json",
    "application/rtf": ".rtf",
    "application/zip": ".zip",
    "message/rfc822": ".eml",
}
_OF_EVENTS = frozenset("SUMMARY DESCRIPTION LOCATION DTSTART DTEND ORGANIZER ATTENDEE".split())
_ESCAPED = {"n": "\n", "N": "\n"}
_TNEF = frozenset(["application/ms-tnef", "application/vnd.ms-tnef"])
_SIGNATURES = frozenset(
    [
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "application/pgp-keys",
    ]
)
_WORD = re.compile(r"\w")


def load(path: Path) -> ParsedDocument:
    """Reads a mail; raises DocumentUnreadable."""
    content = read_bytes(path)
    if b"\0" in content[:4096]:
        raise damaged(path, "holds binary data, although its name says it is a mail")
    try:
        mail = message_from_bytes(content.lstrip(b"\r\n\xef\xbb\xbf"), policy=policy.compat32)
        parts = list(mail.walk())
    except RecursionError as exc:
        raise damaged(path, "nests its parts too deeply to be read") from exc
    except (MessageError, ValueError, LookupError) as exc:
        raise damaged(path, "is damaged or is no mail") from exc
    if not mail.keys():
        raise damaged(path, "has no head, as every mail has")
    head = {name: _header(mail, name) for name in _SHOWN}
    try:
        body, attached = _sorted(mail, parts)
    except RecursionError as exc:
        raise damaged(path, "nests its parts too deeply to be read") from exc
    return mail_document(path, head, body, attached, parser=LOADER_VERSION)


def mail_document(
    path: Path, head: dict[str, str], body: str, attached: Iterator[Member], *, parser: str
) -> ParsedDocument:
    """A mail in any format as a document: its message first, then what is attached.

    `head` holds From, To, Cc, Date and Subject, empty where there is none.
    """
    lines = [f"{name}: {head[name]}" for name in _SHOWN if head.get(name)]
    message = clean("\n".join([*lines, "", body]))
    pages = tuple(
        Page(number, piece, label="message")
        for number, piece in enumerate(pieces(message, LONGEST_SECTION), start=1)
    )
    found = read_members(attached, start=len(pages) + 1)
    pages += found.pages
    if not pages or not (lines or body.strip() or found.pages):
        raise without_text(path)
    stated = {"author": head.get("From", ""), "date": _moment(head.get("Date", ""))}
    return ParsedDocument(
        title=title_or_name(head.get("Subject", ""), path.stem),
        pages=pages,
        paged=False,
        parser=parser,
        metadata={name: value for name, value in stated.items() if value},
        warnings=found.warnings,
    )


def body_of(plain: str, marked_up: bytes | str) -> str:
    """The text of a message that is told as plain text, as HTML, or in both ways."""
    if not marked_up or not marked_up.strip():
        return plain
    try:
        html = "\n\n".join(block.text for block in read_markup(marked_up).blocks)
    except RecursionError:
        return plain
    told = len(_WORD.findall(plain))
    return plain if told and told >= _LEAST_SHARE * len(_WORD.findall(html)) else html


def _header(mail: Message, name: str) -> str:
    """A header in words; what is encoded wrongly stays as it stands."""
    stated = next((value for key, value in mail.raw_items() if key.lower() == name.lower()), None)
    if stated is None:
        return ""
    bare = str(stated)
    try:
        bare.encode()
    except UnicodeError:
        # Bytes that stand there unencoded come as surrogates.
        content = bare.encode("ascii", "surrogateescape")
        bare = content.decode(text.encoding_of(Path(name), content), errors="replace")
    try:
        return one_line(str(make_header(decode_header(bare))), 1_000)
    except (HeaderParseError, LookupError, ValueError):
        return one_line(bare, 1_000)


def _moment(stated: str) -> str:
    try:
        return parsedate_to_datetime(stated).isoformat()
    except (TypeError, ValueError, IndexError, OverflowError):
        return stated if re.match(r"\d{4}-\d\d", stated) else ""


def _sorted(mail: Message, parts: list[Message]) -> tuple[str, Iterator[Member]]:
    """(text, attachments) of a mail; parts of an attached mail are that mail's.

    Only what stands in one `multipart/alternative` says the same twice. All else
    that is told, such as what a mailing list adds, follows in its order.
    """
    inside: set[int] = set()
    versions: dict[int, int] = {}
    told: dict[int, tuple[list[str], list[str]]] = {}
    attached: list[Message] = []
    invitations: list[Message] = []
    for part in parts:
        kind = part.get_content_type()
        if id(part) in inside:
            continue
        if kind == "message/rfc822" and part is not mail:
            inside.update(id(deeper) for deeper in part.walk())
            attached.append(part)
        elif part.is_multipart():
            if kind == "multipart/alternative" and id(part) not in versions:
                versions.update((id(deeper), id(part)) for deeper in part.walk())
        elif _is_apart(part):
            if not _is_trimming(part):
                attached.append(part)
        elif kind in ("text/plain", "text/html"):
            plain, marked_up = told.setdefault(versions.get(id(part), id(part)), ([], []))
            (plain if kind == "text/plain" else marked_up).append(_decoded(part))
        elif kind == "text/calendar":
            invitations.append(part)
        elif kind in _ENDINGS:
            attached.append(part)
    for part in invitations:
        # Most stand beside a text that says the same.
        told.setdefault(versions.get(id(part), id(part)), ([_invitation(_decoded(part))], []))
    texts = (
        body_of("\n\n".join(plain), "\n".join(marked_up)) for plain, marked_up in told.values()
    )
    outlook = [part for part in attached if _is_tnef(part)]
    members = [_member(part) for part in attached if part not in outlook]
    words = "\n\n".join(filter(None, texts))
    for part in outlook:
        inner_text, inner_members = _of_outlook(part)
        # Mostly the mail's own text once more, as Outlook sees it.
        words = words if words.strip() else inner_text
        members += inner_members
    return words, iter(members)


def _is_tnef(part: Message) -> bool:
    return part.get_content_type() in _TNEF or _file_name(part).lower() == "winmail.dat"


def _of_outlook(part: Message) -> tuple[str, list[Member]]:
    """(text, attachments) of a `winmail.dat`; itself as an attachment where it is none."""
    from ingest.loaders.tnef import opened

    try:
        letter = opened(_payload(part))
    except DocumentUnreadable:
        return "", [_member(part)]
    return letter.body, [
        Member(
            one_line(re.split(r"[/\\]", attachment.name)[-1]) or "part",
            partial(_hand_over, attachment.content),
            _NOUN,
        )
        for attachment in letter.attached
        if attachment.content
    ]


def _hand_over(content: bytes, writer: Writer) -> None:
    writer.write(content)


def _invitation(calendar: str) -> str:
    """What an invitation says of its events, a line each."""
    lines = re.sub(r"\r?\n[ \t]", "", calendar.partition("BEGIN:VEVENT")[2]).splitlines()
    told = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.partition(";")[0] in _OF_EVENTS and value.strip():
            value = re.sub(r"\\([nN,;\\])", lambda mark: _ESCAPED.get(mark[1], mark[1]), value)
            told.append(f"{name.partition(';')[0].capitalize()}: {value.strip()}")
    return "\n".join(told)


def _is_apart(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _is_trimming(part: Message) -> bool:
    """Whether a part is no attachment to a reader: a signature, a picture within the text."""
    kind = part.get_content_type()
    if kind in _SIGNATURES:
        return True
    within = part.get_content_disposition() == "inline" or part.get("Content-ID")
    return kind.startswith("image/") and bool(within)


def _payload(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _decoded(part: Message) -> str:
    """A part's text, in the encoding it states if that is known, else in the one it seems."""
    content = _payload(part)
    stated = meant(part.get_content_charset() or "")
    if not stated and part.get_content_type() == "text/html":
        return decoded_markup(content)
    try:
        return content.decode(stated or "utf-8")
    except (LookupError, ValueError):
        pass
    try:
        return text.decode(Path("message"), content)[0]
    except DocumentUnreadable:
        return content.decode("cp1252", errors="replace")


def _member(part: Message) -> Member:
    kind = part.get_content_type()
    name = _file_name(part)
    if kind == "message/rfc822":
        inner = part.get_payload()
        mail = inner[0] if isinstance(inner, list) and inner else None
        subject = _header(mail, "Subject") if isinstance(mail, Message) else ""
        return Member(_ended(name or subject or "message", ".eml"), partial(_forward, mail), _NOUN)
    ending = _ENDINGS.get(kind, "")
    return Member(_ended(name or "part", ending), partial(_detach, part), _NOUN)


_NOUN = "attachment"


def _file_name(part: Message) -> str:
    """An attachment's own name, without the folders that some programs put there."""
    try:
        stated = part.get_filename() or ""
        stated = str(make_header(decode_header(stated)))
    except (HeaderParseError, LookupError, ValueError):
        stated = ""
    return one_line(re.split(r"[/\\]", stated)[-1])


def _ended(name: str, ending: str) -> str:
    """A name with an ending: its own if it has one, else that of its type."""
    flat = re.sub(r"[/\\]", "_", name)
    if ending == ".eml" and not flat.lower().endswith(".eml"):
        return f"{flat}.eml"
    return flat if Path(flat).suffix else f"{flat}{ending}"


def _detach(part: Message, writer: Writer) -> None:
    writer.write(_payload(part))


def _forward(mail: object, writer: Writer) -> None:
    if isinstance(mail, Message):
        writer.write(mail.as_bytes(policy=policy.compat32))
