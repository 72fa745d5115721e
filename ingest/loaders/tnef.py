"""TNEF: the `winmail.dat` in which Outlook and Exchange send text and attachments to others.

Read here (MS-OXTNEF), since the one Python library for it that is kept up is under the LGPL.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from ingest.loaders.mail import body_of
from storage.errors import DocumentUnreadable

_SIGNATURE = 0x223E9F78
_BODY, _PROPERTIES, _CODE_PAGE = 0x0002800C, 0x00069003, 0x00069007
_NEW_ATTACHMENT, _TITLE, _DATA, _ATTACHED = 0x00069002, 0x00018010, 0x0006800F, 0x00069005

_SUBJECT = 0x0037
_PLAIN, _HTML, _RICH = 0x1000, 0x1013, 0x1009
_LONG_NAME, _SHORT_NAME, _CONTENT = 0x3707, 0x3704, 0x3701

_NARROW, _WIDE, _OBJECT, _BINARY = 0x001E, 0x001F, 0x000D, 0x0102
_VARIABLE = frozenset({_NARROW, _WIDE, _OBJECT, _BINARY})
_FIXED = {
    0x0002: 4,
    0x000B: 4,
    0x0003: 4,
    0x0004: 4,
    0x000A: 4,
    0x0005: 8,
    0x0006: 8,
    0x0007: 8,
    0x0014: 8,
    0x0040: 8,
    0x0048: 16,
}
"""Bytes that a value takes, with what fills it up."""
_MANY = 0x1000
_NAMED = 0x8000
_MESSAGE_ID = bytes.fromhex("0703020000000000c000000000000046")
"""Stands before a mail that is attached; what follows is TNEF again."""

_MOST_PROPERTIES = 10_000
_MOST_DEEP = 3


@dataclass(slots=True)
class Attachment:
    """A file that lies in the TNEF."""

    name: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Letter:
    """What a TNEF holds."""

    subject: str = ""
    body: str = ""
    attached: list[Attachment] = field(default_factory=list)


def opened(content: bytes, depth: int = 0) -> Letter:
    """The text and the files of a TNEF; of a broken one, what came before the break.

    Raises DocumentUnreadable (`damaged`) where it is none.
    """
    if len(content) < 6 or struct.unpack_from("<I", content)[0] != _SIGNATURE:
        raise DocumentUnreadable("It is no winmail.dat of Outlook.", kind="damaged")
    letter = Letter()
    encoding = "cp1252"
    texts: dict[int, str] = {}
    raw: dict[int, bytes] = {}
    for identifier, value in _attributes(content):
        if identifier == _CODE_PAGE and len(value) >= 4:
            encoding = _encoding(struct.unpack_from("<I", value)[0])
        elif identifier == _BODY:
            texts.setdefault(_PLAIN, _decoded(value, encoding))
        elif identifier == _PROPERTIES:
            for number, kind, found in _properties(value):
                if kind in (_NARROW, _WIDE):
                    texts[number] = _decoded(found, "utf-16-le" if kind == _WIDE else encoding)
                else:
                    raw[number] = found
        elif identifier == _NEW_ATTACHMENT:
            letter.attached.append(Attachment())
        elif letter.attached:
            _take(letter.attached[-1], identifier, value, encoding, depth)
    letter.subject = texts.get(_SUBJECT, "")
    letter.body = body_of(texts.get(_PLAIN, ""), raw.get(_HTML, b"") or texts.get(_HTML, ""))
    if not letter.body.strip() and raw.get(_RICH):
        letter.body = _rich_text(raw[_RICH])
    return letter


def _rich_text(packed: bytes) -> str:
    from ingest.loaders import rtf
    from ingest.loaders.msg import unpacked_rtf

    content = unpacked_rtf(packed)
    return "\n\n".join(block.text for block in rtf.text_of(Path("winmail.dat"), content))


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 6
    while at + 9 <= len(content):
        _, identifier, length = struct.unpack_from("<BII", content, at)
        at += 9
        if length > len(content) - at:
            return
        yield identifier, content[at : at + length]
        at += length + 2


def _take(into: Attachment, identifier: int, value: bytes, encoding: str, depth: int) -> None:
    """Takes what an attribute says of an attachment; the long name is the better one."""
    if identifier == _TITLE:
        into.name = into.name or _decoded(value, encoding)
    elif identifier == _DATA:
        into.content = value
    elif identifier == _ATTACHED:
        names: dict[int, str] = {}
        is_mail = False
        for number, kind, found in _properties(value):
            if number in (_LONG_NAME, _SHORT_NAME) and kind in (_NARROW, _WIDE):
                names[number] = _decoded(found, "utf-16-le" if kind == _WIDE else encoding)
            elif number == _CONTENT and kind == _BINARY:
                into.content = into.content or found
            elif number == _CONTENT and kind == _OBJECT and found.startswith(_MESSAGE_ID):
                into.content = _as_mail(found[len(_MESSAGE_ID) :], depth)
                is_mail = True
        into.name = names.get(_LONG_NAME) or into.name or names.get(_SHORT_NAME, "")
        if is_mail:
            into.name = f"{into.name or 'message'}.eml"


def _as_mail(content: bytes, depth: int) -> bytes:
    """An attached mail in the common form."""
    if depth >= _MOST_DEEP:
        return b""
    inner = opened(content, depth + 1)
    mail = EmailMessage()
    mail["Subject"] = " ".join(inner.subject.split())
    mail.set_content(inner.body)
    for attachment in inner.attached:
        mail.add_attachment(
            attachment.content,
            maintype="application",
            subtype="octet-stream",
            filename=" ".join(attachment.name.split()) or "part",
        )
    return mail.as_bytes()


def _properties(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(number, kind, first value) of each property; ends where they make no sense."""
    try:
        count = min(struct.unpack_from("<I", content)[0], _MOST_PROPERTIES)
        at = 4
        for _ in range(count):
            kind, number = struct.unpack_from("<HH", content, at)
            at += 4
            if number >= _NAMED:
                at += 16
                by_name, length = struct.unpack_from("<II", content, at)
                at += 8 + (_padded(length) if by_name else 0)
            many, kind = bool(kind & _MANY), kind & ~_MANY
            values = 1
            if many or kind in _VARIABLE:
                values = struct.unpack_from("<I", content, at)[0]
                at += 4
            for place in range(min(values, _MOST_PROPERTIES)):
                if kind in _VARIABLE:
                    size = struct.unpack_from("<I", content, at)[0]
                    at += 4
                else:
                    size = _FIXED[kind]
                if size > len(content) - at:
                    return
                if place == 0:
                    yield number, kind, content[at : at + size]
                at += _padded(size)
    except (struct.error, KeyError):
        return


def _padded(size: int) -> int:
    return -(-size // 4) * 4


def _encoding(page: int) -> str:
    return "utf-8" if page == 65001 else f"cp{page}"


def _decoded(value: bytes, encoding: str) -> str:
    try:
        return value.decode(encoding, "replace").rstrip("\0")
    except LookupError:
        return value.decode("cp1252", "replace").rstrip("\0")
