"""RTF: paragraphs, headings by their styles, tables and footnotes.

The file is one pass of control words and groups; groups are kept on a list, so
that no depth of them troubles Python.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.loaders.cleaning import one_line, title_or_name
from ingest.loaders.reading import Room, damaged, read_bytes, without_text
from ingest.loaders.sections import Block, sections, table
from storage.records import ParsedDocument

SUFFIXES = (".rtf",)
LOADER_VERSION = "rtf-3"

_DEEPEST = 10_000
"""Groups. Real documents come to some twenty."""

_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(\r\n|[^a-z'])|([{}])|[\r\n\0]+"
    rb"|([^\\{}\r\n\0]+)|(.)",
    re.DOTALL,
)
_HEADING = re.compile(r"(?:heading|überschrift|titre|título|titolo|kop)\s*(\d)", re.IGNORECASE)

_SKIPPED = frozenset(
    b"fonttbl colortbl pict object header headerl headerr headerf footer footerl footerr footerf"
    b" filetbl revtbl rsidtbl listtable listoverridetable themedata colorschememapping datastore"
    b" latentstyles xmlnstbl fldinst annotation atnid atnauthor objdata generator template"
    b" bkmkstart bkmkend xe tc nonshppict private doccomm".split()
)
"""Groups whose text nobody reads."""

_KEPT = frozenset(b"shppict shptxt fldrslt footnote pntext listtext".split())
"""Groups marked as skippable whose text is read all the same."""

_STATED = {
    b"title": "title",
    b"author": "author",
    b"subject": "subject",
    b"keywords": "keywords",
    b"creatim": "created",
    b"revtim": "modified",
}
_TIME_PARTS = frozenset(b"yr mo dy hr min sec".split())
_CHARACTERS = {
    b"tab": "\t",
    b"line": "\n",
    b"lquote": "‘",
    b"rquote": "’",
    b"ldblquote": "“",
    b"rdblquote": "”",
    b"bullet": "•",
    b"endash": "–",
    b"emdash": "—",
    b"enspace": " ",
    b"emspace": " ",
    b"nestcell": " ",
    b"nestrow": "\n",
}
_SYMBOLS = {b"~": " ", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\"}
_CHARSETS = dict(
    entry.split("=")
    for entry in (
        "77=mac_roman 128=cp932 129=cp949 130=johab 134=gbk 136=big5 161=cp1253 162=cp1254"
        " 163=cp1258 177=cp1255 178=cp1256 186=cp1257 204=cp1251 222=cp874 238=cp1250"
    ).split()
)
_ENCODINGS = {b"ansi": "cp1252", b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}


def load(path: Path) -> ParsedDocument:
    """Reads a Rich Text file; raises DocumentUnreadable."""
    content = read_bytes(path)
    if not content.lstrip().startswith(b"{\\rt"):
        raise damaged(path, "is no Rich Text, although its name says so")
    reader = _Reader(path)
    reader.read(content)
    pages = sections(reader.blocks)
    if not pages:
        raise without_text(path)
    heading = next((block.text for block in reader.blocks if block.level == 1), "")
    stated = {name: one_line(text) for name, text in reader.stated.items() if one_line(text)}
    return ParsedDocument(
        title=title_or_name(stated.pop("title", "") or heading, path.stem),
        pages=pages,
        paged=False,
        parser=LOADER_VERSION,
        metadata=stated,
    )


def text_of(path: Path, content: bytes) -> list[Block]:
    """The blocks of Rich Text that stands in another file."""
    reader = _Reader(path)
    reader.read(content)
    return reader.blocks


@dataclass(frozen=True, slots=True)
class _State:
    """What holds until the end of a group."""

    skipped: bool = False
    stated: str = ""
    """The property that the group's text states."""
    in_fonts: bool = False
    in_styles: bool = False
    hidden: bool = False
    fallback: int = 1
    """Bytes that stand for a Unicode character where nobody reads Unicode."""
    encoding: str = ""
    note: bool = False


@dataclass(slots=True)
class _Paragraph:
    style: int = 0
    level: int = 0
    in_table: bool = False
    listed: bool = False


class _Reader:
    """One pass over a file, gathering blocks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._room = Room(path)
        self.blocks: list[Block] = []
        self.stated: dict[str, str] = {}
        self._encoding = "cp1252"
        self._fonts: dict[int, str] = {}
        self._levels: dict[int, int] = {}
        self._state = _State()
        self._above: list[_State] = []
        self._text: list[str] = []
        self._bytes = bytearray()
        self._paragraph = _Paragraph()
        self._rows: list[list[str]] = []
        self._cells: list[str] = []
        self._list: list[str] = []
        self._font = self._style = 0
        self._style_name: list[str] = []
        self._to_skip = 0
        self._starred = False
        self._surrogate = 0

    def read(self, content: bytes) -> None:
        """Reads a whole file."""
        position, end = 0, len(content)
        match = _TOKEN.match
        while position < end:
            found = match(content, position)
            if found is None:
                break
            position = found.end()
            word, number, byte, symbol, brace, text, _ = found.groups()
            if text is not None:
                self._plain(text)
            elif word is not None:
                value = int(number) if number else None
                if word == b"bin" and value and value > 0:
                    position += value
                else:
                    self._word(word, value)
            elif byte is not None:
                self._byte(int(byte, 16))
            elif brace == b"{":
                self._open()
            elif brace == b"}":
                self._close()
            elif symbol is not None:
                self._symbol(symbol)
        self._end_paragraph()
        self._end_table()
        self._end_list()

    def _open(self) -> None:
        self._flush()
        self._above.append(self._state)
        self._starred = False
        if len(self._above) > _DEEPEST:
            raise damaged(self._path, "nests its groups too deeply to be read")

    def _close(self) -> None:
        self._flush()
        if self._state.in_styles:
            self._name_style()
        if self._above:
            before = self._state
            self._state = self._above.pop()
            if before.note and not self._state.note:
                self._text[:] = [f"{''.join(self._text).rstrip()}] "]
        self._starred = False

    def _plain(self, text: bytes) -> None:
        if self._to_skip:
            dropped = min(self._to_skip, len(text))
            self._to_skip -= dropped
            text = text[dropped:]
        self._starred = False
        self._bytes += text

    def _byte(self, value: int) -> None:
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._bytes.append(value)

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = True
        elif symbol in (b"\n", b"\r", b"\r\n"):
            self._end_paragraph()
        elif symbol in _SYMBOLS:
            if self._to_skip:
                self._to_skip -= 1
            else:
                self._say(_SYMBOLS[symbol])

    def _word(self, word: bytes, value: int | None) -> None:
        starred, self._starred = self._starred, False
        if word == b"u" and value is not None:
            self._unicode(value)
            return
        self._flush()
        self._to_skip = 0
        if (starred and word not in _KEPT) or word in _SKIPPED:
            self._state = replace(self._state, skipped=True)
        if word in _CHARACTERS:
            self._say(_CHARACTERS[word])
        elif word in _STATED:
            self._state = replace(self._state, stated=_STATED[word], skipped=False)
        elif word in _TIME_PARTS and self._state.stated:
            self._time(word, value or 0)
        elif word in _ENCODINGS:
            self._encoding = _ENCODINGS[word]
        elif word == b"ansicpg":
            self._encoding = _codec(f"cp{value}") or self._encoding
        elif word == b"uc":
            self._state = replace(self._state, fallback=min(max(value or 0, 0), 8))
        elif word == b"fonttbl":
            self._state = replace(self._state, in_fonts=True)
        elif word == b"stylesheet":
            self._state = replace(self._state, skipped=True, in_styles=True)
        elif word == b"f":
            self._font = value or 0
            if not self._state.in_fonts:
                self._state = replace(self._state, encoding=self._fonts.get(self._font, ""))
        elif word in (b"fcharset", b"cpg") and self._state.in_fonts:
            # For a plain charset the file's own encoding stands.
            known = _CHARSETS.get(str(value), "") if word == b"fcharset" else _codec(f"cp{value}")
            self._fonts[self._font] = known
        elif word in (b"v", b"deleted"):
            self._state = replace(self._state, hidden=value != 0)
        elif word == b"footnote":
            self._say(" [")
            self._state = replace(self._state, note=True)
        elif word == b"plain":
            self._state = replace(self._state, hidden=False, encoding="")
        else:
            self._layout(word, value)

    def _layout(self, word: bytes, value: int | None) -> None:
        if word == b"s":
            self._style = self._paragraph.style = value or 0
        elif self._state.skipped:
            return
        elif word in (b"par", b"sect", b"page"):
            if self._state.note:
                self._say(" ")
            else:
                self._end_paragraph()
        elif word == b"pard":
            self._paragraph = _Paragraph()
        elif word == b"outlinelevel" and value is not None and 0 <= value < 9:
            self._paragraph.level = value + 1
        elif word == b"intbl":
            self._paragraph.in_table = True
        elif word in (b"ls", b"pntext", b"listtext"):
            self._paragraph.listed = True
            if word != b"ls":
                self._state = replace(self._state, skipped=True)
        elif word == b"cell":
            self._cells.append(self._taken())
        elif word == b"row":
            rest = self._taken()
            self._rows.append([*self._cells, rest] if rest else self._cells)
            self._cells = []

    def _unicode(self, value: int) -> None:
        code = value & 0xFFFF if value < 0x10000 else min(value, 0x10FFFF)
        self._flush()
        if 0xD800 <= code < 0xDC00:
            self._surrogate = code
        elif 0xDC00 <= code < 0xE000:
            if self._surrogate:
                self._say(chr(0x10000 + ((self._surrogate & 0x3FF) << 10) + (code & 0x3FF)))
            self._surrogate = 0
        else:
            self._say(chr(code))
        self._to_skip = self._state.fallback

    def _time(self, word: bytes, value: int) -> None:
        """A date is told in parts, largest first: `\\yr2024\\mo3\\dy7`."""
        so_far = self.stated.get(self._state.stated, "")
        if word == b"yr":
            self.stated[self._state.stated] = f"{value:04d}"
        elif so_far and len(so_far) < 16:
            mark = {b"mo": "-", b"dy": "-", b"hr": "T"}.get(word, ":")
            self.stated[self._state.stated] = f"{so_far}{mark}{value:02d}"

    def _flush(self) -> None:
        """The bytes gathered so far, in the encoding of their font."""
        if not self._bytes:
            return
        content = bytes(self._bytes)
        self._bytes.clear()
        encoding = self._state.encoding or self._encoding
        self._say(content.decode(encoding, errors="replace"))

    def _say(self, text: str) -> None:
        state = self._state
        if state.in_styles:
            self._style_name.append(text)
        elif state.stated:
            before = self.stated.get(state.stated, "")
            if len(before) < 1_000 and not state.skipped:
                self.stated[state.stated] = before + text
        elif not (state.skipped or state.hidden):
            self._room.take(len(text))
            self._text.append(text)

    def _name_style(self) -> None:
        name = "".join(self._style_name).strip().rstrip(";")
        self._style_name.clear()
        found = _HEADING.match(name)
        if found and found[1] != "0":
            self._levels[self._style] = int(found[1])
        elif name == "Title":
            self._levels[self._style] = 1
        self._style = 0

    def _taken(self) -> str:
        self._flush()
        text = "".join(self._text).strip()
        self._text.clear()
        return text

    def _end_paragraph(self) -> None:
        if self._paragraph.in_table:
            self._flush()
            self._text.append(" ")
            return
        text = self._taken()
        if not text:
            return
        self._end_table()
        level = self._paragraph.level or self._levels.get(self._paragraph.style, 0)
        if self._paragraph.listed and not level:
            self._list.append(f"- {text}")
            return
        self._end_list()
        self.blocks.append(Block(text, level))

    def _end_table(self) -> None:
        if self._cells:
            self._rows.append(self._cells)
        if self._rows:
            self._end_list()
            self.blocks.append(table(self._rows))
        self._rows, self._cells = [], []

    def _end_list(self) -> None:
        if self._list:
            self.blocks.append(Block("\n".join(self._list)))
            self._list = []


def _codec(name: str) -> str:
    """A codec's name where Python has it, else empty."""
    if name == "cp65001":
        return "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
