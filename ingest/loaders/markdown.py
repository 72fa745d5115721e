"""Markdown: its headings as sections, its text without the marks.

Emphasis and link marks go, so that a quote can be compared with the words
alone; lists keep their dashes, code stays as it is, a table becomes one line a
row with its cells joined by bars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.loaders.cleaning import one_line, title_or_name
from ingest.loaders.html import visible_text
from ingest.loaders.reading import read_bytes, without_text
from ingest.loaders.sections import Block, sections, table
from ingest.loaders.text import decode
from storage.records import ParsedDocument

if TYPE_CHECKING:
    from markdown_it.token import Token

SUFFIXES = (".md", ".markdown")
LOADER_VERSION = "markdown-4"

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_SCALAR = re.compile(r"^([A-Za-z][\w-]*):[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_LIST = re.compile(r"^([A-Za-z][\w-]*):[ \t]*\n((?:[ \t]*-[ \t]+\S.*(?:\n|\Z))+)", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*-[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_METADATA = ("aliases", "author", "date", "description", "keywords", "lang", "tags", "version")
_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)


def load(path: Path) -> ParsedDocument:
    """Reads a Markdown file, front matter included; raises DocumentUnreadable."""
    content, _, warnings = decode(path, read_bytes(path))
    content = re.sub(r"\r\n?", "\n", content).lstrip("\ufeff")
    stated, body = front_matter(content)
    from importlib.metadata import version

    from markdown_it import MarkdownIt

    blocks = list(_blocks(MarkdownIt("commonmark").enable("table").parse(body)))
    pages = sections(blocks)
    if not pages:
        raise without_text(path)
    heading = next((block.text for block in blocks if block.level == 1), "")
    return ParsedDocument(
        title=title_or_name(stated.get("title") or heading, path.stem),
        pages=pages,
        paged=False,
        parser=f"markdown-it-py {version('markdown-it-py')}",
        metadata={name: stated[name] for name in _METADATA if name in stated},
        warnings=warnings,
    )


def front_matter(content: str) -> tuple[dict[str, str], str]:
    """(`key: value` lines of the front matter in lower-case keys, the rest of the text).

    Plain values on one line are read, and lists of them with a line each, which
    are joined by commas; a title and tags never need more of YAML.
    """
    found = _FRONT_MATTER.match(content)
    if not found:
        return {}, content
    stated = {key.lower(): one_line(_unquoted(text)) for key, text in _SCALAR.findall(found[1])}
    for key, lines in _LIST.findall(found[1]):
        items = [one_line(_unquoted(item)) for item in _LIST_ITEM.findall(lines)]
        stated[key.lower()] = ", ".join(items)
    return stated, content[found.end() :]


def _unquoted(value: str) -> str:
    quoted = re.match(r"""(["'])(.*)\1""", value)
    return quoted[2] if quoted else re.sub(r"\s+#.*", "", value)


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    """The top-level blocks of a token stream: a list or a quote is one block."""
    position = 0
    while position < len(tokens):
        token = tokens[position]
        end = position + 1
        if token.nesting == 1:
            while tokens[end].nesting != -1 or tokens[end].level != token.level:
                end += 1
            end += 1
        inside = tokens[position:end]
        if token.type == "heading_open":
            yield Block(_text(inside), level=int(token.tag[1]))
        elif token.type == "table_open":
            yield _table(inside)
        else:
            yield Block(_text(inside))
        position = end


def _text(tokens: Sequence[Token]) -> str:
    """The lines of a block, list items with their marks and indented by depth."""
    lines: list[str] = []
    lists: list[int | None] = []
    mark = ""
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.type == "table_open":
            end = next(i for i, t in enumerate(tokens[position:], position) if _closes(t, token))
            lines += _table(tokens[position:end]).text.split("\n")
            position = end
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            ordered = token.type.startswith("ordered")
            lists.append(int(token.attrGet("start") or 1) if ordered else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            number = lists[-1]
            mark = "- " if number is None else f"{number}. "
            if number is not None:
                lists[-1] = number + 1
        elif token.type in ("inline", "fence", "code_block", "html_block"):
            indent = "  " * (len(lists) - 1)
            first = True
            for line in _content(token).split("\n"):
                hanging = mark if first else " " * len(mark) if mark else "  " * bool(lists)
                lines.append(f"{indent}{hanging}{line}".rstrip())
                first = False
            mark = ""
        position += 1
    return "\n".join(lines)


def _content(token: Token) -> str:
    if token.type == "inline":
        return _inline(token)
    if token.type == "html_block":
        return visible_text(token.content)
    return token.content.rstrip("\n")


def _inline(token: Token) -> str:
    parts: list[str] = []
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif child.type == "html_inline":
            parts.append("\n" if _BREAK_TAG.fullmatch(child.content) else "")
        else:
            # Text, code and the description of an image; opening and closing marks hold nothing.
            parts.append(child.content)
    return "".join(parts).strip()


def _table(tokens: Sequence[Token]) -> Block:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(_inline(token).replace("\n", " "))
    return table(rows)


def _closes(token: Token, opening: Token) -> bool:
    return token.nesting == -1 and token.level == opening.level
