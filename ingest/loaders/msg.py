"""MSG: a mail that Outlook saved, its head, text and attachments.

The file is a small file system of its own (read by olefile); each property of
the mail is a stream whose name states number and type (MS-OXMSG).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

from ingest.loaders import rtf
from ingest.loaders.cleaning import one_line
from ingest.loaders.mail import body_of, mail_document
from ingest.loaders.members import Member, Writer
from ingest.loaders.reading import damaged, read_head
from ingest.loaders.text import decode
from storage.errors import DocumentUnreadable
from storage.records import ParsedDocument

SUFFIXES = (".msg",)
LOADER_VERSION = "msg-3"

IS_CONTAINER = True

_OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SUBJECT = 0x0037
_SENDER_NAME, _SENDER_ADDRESS, _SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
_TO, _CC = 0x0E04, 0x0E03
_BODY, _BODY_HTML, _BODY_RTF = 0x1000, 0x1013, 0x1009
_SENT, _RECEIVED = 0x0039, 0x0E06
_LONG_NAME, _SHORT_NAME, _SHOWN_NAME, _CONTENT = 0x3707, 0x3704, 0x3001, 0x3701
_CODE_PAGE = 0x3FFD
_HEAD_LENGTHS = (32, 24, 8)
"""Bytes before the first property: of the mail itself, of one inside it, of an attachment."""

_MOST_DEEP = 3
"""Mails attached to one another."""

_MOST_BODY = 64_000_000
_RTF_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    b"\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
"""What compressed RTF begins from (MS-OXRTFCP)."""


def load(path: Path) -> ParsedDocument:
    """Reads a mail of Outlook; raises DocumentUnreadable."""
    if not read_head(path).startswith(_OLE_MARK):
        raise damaged(path, "is no mail of Outlook, although its name says so")
    import olefile

    try:
        with olefile.OleFileIO(str(path)) as container:
            if not container.exists("__properties_version1.0"):
                raise damaged(path, "is no mail of Outlook, although its name says so")
            return _Mail(path, container, []).document()
    except (DocumentUnreadable, MemoryError):
        raise
    except RecursionError as exc:
        raise damaged(path, "nests its parts too deeply to be read") from exc
    except (
        # olefile's own errors are OSErrors.
        *(OSError, ValueError, struct.error),
        # What olefile itself trips over in a broken file.
        *(AttributeError, IndexError, KeyError, TypeError),
    ) as exc:
        raise damaged(path, "is damaged or is no mail of Outlook") from exc


class _Mail:
    """A mail in a file: at its root, or attached to another one."""

    def __init__(self, path: Path, container: Any, storage: list[str]) -> None:
        self._path = path
        self._container = container
        self._storage = storage
        self._fixed = self._properties(storage, _HEAD_LENGTHS[1 if storage else 0])
        page = (
            struct.unpack("<i", self._fixed[_CODE_PAGE][:4])[0] if _CODE_PAGE in self._fixed else 0
        )
        self._encoding = f"cp{page}" if page and page != 65001 else "utf-8" if page else "cp1252"

    def document(self) -> ParsedDocument:
        """The mail with all that is attached to it."""
        return mail_document(
            self._path, self._head(), self._body(), self._attached(), parser=LOADER_VERSION
        )

    def _head(self) -> dict[str, str]:
        return {
            "From": self._sender(),
            "To": self._words(_TO),
            "Cc": self._words(_CC),
            "Date": self._moment(),
            "Subject": self._words(_SUBJECT),
        }

    def _body(self) -> str:
        plain = self._text(_BODY)
        marked_up: bytes | str = self._stream(_BODY_HTML, 0x0102) or self._text(_BODY_HTML)
        if plain or marked_up:
            return body_of(plain, marked_up)
        packed = self._stream(_BODY_RTF, 0x0102)
        content = unpacked_rtf(packed) if packed else b""
        return "\n\n".join(block.text for block in rtf.text_of(self._path, content))

    def _sender(self) -> str:
        name = self._words(_SENDER_NAME)
        address = self._words(_SENDER_SMTP) or self._words(_SENDER_ADDRESS)
        if "@" not in address or address == name:
            return name
        return f"{name} <{address}>" if name else address

    def _moment(self) -> str:
        for number in (_SENT, _RECEIVED):
            value = self._fixed.get(number, b"")
            ticks = struct.unpack("<Q", value)[0] if len(value) == 8 else 0
            if ticks:
                try:
                    moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
                except OverflowError:
                    continue
                return moment.isoformat(timespec="seconds")
        return ""

    def _attached(self) -> Iterator[Member]:
        depth = len(self._storage)
        names = {
            entry[depth]
            for entry in self._container.listdir(streams=True, storages=True)
            if len(entry) > depth
            and entry[:depth] == self._storage
            and entry[depth].startswith("__attach_version1.0_")
        }
        for name in sorted(names):
            storage = [*self._storage, name]
            words = next(
                filter(None, (self._words(n, storage) for n in (_LONG_NAME, _SHORT_NAME))), ""
            )
            shown = words or self._words(_SHOWN_NAME, storage) or "part"
            if self._container.exists([*storage, f"__substg1.0_{_CONTENT:04X}000D"]):
                yield from self._mail_inside([*storage, f"__substg1.0_{_CONTENT:04X}000D"], shown)
            else:
                yield Member(shown.replace("/", "_"), partial(self._detach, storage), "attachment")

    def _mail_inside(self, storage: list[str], shown: str) -> Iterator[Member]:
        """An attached mail as its text, then what is attached to it in turn."""
        if len(storage) > 2 * _MOST_DEEP:
            return
        inner = _Mail(self._path, self._container, storage)
        name = one_line(shown.replace("/", "_"))
        yield Member(name, inner.write, "attachment", ".eml")
        for member in inner._attached():
            yield replace(member, name=f"{name}/{member.name}")

    def _detach(self, storage: list[str], writer: Writer) -> None:
        writer.write(self._stream(_CONTENT, 0x0102, storage))

    def write(self, writer: Writer) -> None:
        """Writes head and text as a mail of the common form."""
        mail = EmailMessage()
        for name, value in self._head().items():
            if value:
                # No header of the library's own: it would not take every address and date.
                mail.add_header(f"X-Hayloft-{name}", value)
        mail.set_content(self._body())
        writer.write(mail.as_bytes().replace(b"X-Hayloft-", b"", len(self._head())))

    def _words(self, number: int, storage: list[str] | None = None) -> str:
        return one_line(self._text(number, storage), 1_000)

    def _text(self, number: int, storage: list[str] | None = None) -> str:
        """A property's text, in Unicode or in the mail's old encoding."""
        wide = self._stream(number, 0x001F, storage)
        if wide:
            return wide.decode("utf-16-le", errors="replace").rstrip("\0")
        narrow = self._stream(number, 0x001E, storage)
        try:
            return narrow.decode(self._encoding).rstrip("\0")
        except (LookupError, ValueError):
            return decode(Path("message"), narrow)[0] if b"\0" not in narrow else ""

    def _stream(self, number: int, kind: int, storage: list[str] | None = None) -> bytes:
        place = [
            *(self._storage if storage is None else storage),
            f"__substg1.0_{number:04X}{kind:04X}",
        ]
        if not self._container.exists(place):
            return b""
        content = self._container.openstream(place).read()
        return content if isinstance(content, bytes) else b""

    def _properties(self, storage: list[str], skipped: int) -> dict[int, bytes]:
        """The values of fixed length, eight bytes each."""
        place = [*storage, "__properties_version1.0"]
        if not self._container.exists(place):
            return {}
        content = self._container.openstream(place).read()
        return {
            struct.unpack_from("<H", content, at + 2)[0]: content[at + 8 : at + 16]
            for at in range(skipped, len(content) - 15, 16)
        }


def unpacked_rtf(packed: bytes) -> bytes:
    """The Rich Text of a compressed body; empty for one that is broken (MS-OXRTFCP)."""
    if len(packed) < 16:
        return b""
    length, kind = struct.unpack_from("<I4s", packed, 4)
    if kind == b"MELA":
        return packed[16 : 16 + length]
    if kind != b"LZFu" or length > _MOST_BODY:
        return b""
    window = bytearray(_RTF_DICTIONARY) + bytearray(4096 - len(_RTF_DICTIONARY))
    write = len(_RTF_DICTIONARY)
    out = bytearray()
    at = 16
    while at < len(packed) and len(out) < length:
        control = packed[at]
        at += 1
        for bit in range(8):
            if at >= len(packed):
                break
            if not control >> bit & 1:
                run = packed[at : at + 1]
                at += 1
            else:
                if at + 1 >= len(packed):
                    return bytes(out)
                reference = packed[at] << 8 | packed[at + 1]
                at += 2
                start = reference >> 4
                if start == write % 4096:
                    return bytes(out)
                for step in range((reference & 0xF) + 2):
                    byte = window[(start + step) % 4096]
                    window[write % 4096] = byte
                    write += 1
                    out.append(byte)
                continue
            window[write % 4096] = run[0]
            write += 1
            out += run
    return bytes(out[:length])
