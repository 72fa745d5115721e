"""JSON and JSON Lines: every value with the path of names that leads to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ingest.loaders import text
from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.reading import Room, damaged, opening, read_bytes, without_text
from ingest.loaders.sections import Block, sections
from ingest.loaders.tables import PAGE_LENGTH, rows_words
from storage.records import Page, ParsedDocument

SUFFIXES = (".json", ".jsonl", ".ndjson", ".geojson")
LOADER_VERSION = "json-2"

_BY_LINE = frozenset([".jsonl", ".ndjson"])
_SHORT = 400
"""Characters. A record up to this stands on one line, like a row of a table."""

_LONGEST_LINE = 16_000_000
_SAMPLE_BYTES = 200_000
_STATED = {"title": "title", "author": "author", "date": "date", "language": "lang", "lang": "lang"}


def load(path: Path) -> ParsedDocument:
    """Reads JSON, or JSON Lines where its name says so; raises DocumentUnreadable."""
    try:
        if path.suffix.lower() in _BY_LINE:
            return _lines(path)
        return _whole(path)
    except RecursionError as exc:
        raise damaged(path, "nests its values too deeply to be read") from exc


def _whole(path: Path) -> ParsedDocument:
    content, _, warnings = text.decode(path, read_bytes(path))
    try:
        value = json.loads(content.lstrip("\ufeff"))
    except ValueError as exc:
        if "Extra data" in str(exc):
            # Several values one after the other: JSON Lines under the other name.
            return _lines(path)
        raise damaged(path, f"is no valid JSON ({one_line(str(exc))})") from exc
    del content
    room = Room(path)
    if isinstance(value, dict):
        pages = sections(_blocks(value, room))
    elif isinstance(value, list):
        pages = tuple(_records(enumerate(value, start=1), "item", room))
    else:
        pages = sections([Block(_scalar(value))])
    if not pages:
        raise without_text(path)
    stated = _stated(value)
    return ParsedDocument(
        title=title_or_name(stated.pop("title", ""), path.stem),
        pages=pages,
        paged=False,
        parser=LOADER_VERSION,
        metadata=stated,
        warnings=warnings,
    )


def _lines(path: Path) -> ParsedDocument:
    with opening(path), path.open("rb") as stream:
        encoding = text.encoding_of(path, stream.read(_SAMPLE_BYTES))
    broken: list[int] = []
    with opening(path):
        pages = tuple(_records(_values(path, encoding, broken), "line", Room(path)))
    if not pages:
        if broken:
            raise damaged(path, f"holds no line of valid JSON ({len(broken):,} are not)")
        raise without_text(path)
    warning = f"Lines that are no valid JSON, which were not read: {len(broken):,}"
    warning += f", the first of them line {broken[0]:,}." if broken else ""
    return ParsedDocument(
        title=title_or_name("", path.stem),
        pages=pages,
        paged=False,
        parser=LOADER_VERSION,
        warnings=(warning,) if broken else (),
    )


def _values(path: Path, encoding: str, broken: list[int]) -> Iterator[tuple[int, Any]]:
    """(line number, value) of each line; the numbers of those that are no JSON go to `broken`."""
    with path.open("r", encoding=encoding, errors="replace") as stream:
        number = 0
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if not line.strip():
                continue
            if len(line) >= _LONGEST_LINE and not line.endswith("\n"):
                raise damaged(path, f"holds a line of more than {_LONGEST_LINE:,} characters")
            try:
                yield number, json.loads(line.lstrip("\ufeff"))
            except (ValueError, RecursionError):
                broken.append(number)


def _records(values: Iterable[tuple[int, Any]], noun: str, room: Room) -> Iterator[Page]:
    """Records in words, as many together as a page holds."""
    gathered: list[str] = []
    first = last = length = pages = 0
    for number, value in values:
        words = clean(_record(value))
        if not words:
            continue
        room.take(len(words))
        if gathered and length + len(words) > PAGE_LENGTH:
            pages += 1
            yield _page(pages, gathered, rows_words(first, last, noun))
            gathered, length = [], 0
        if not gathered:
            first = number
        gathered.append(words)
        length += len(words) + 2
        last = number
    if gathered:
        yield _page(pages + 1, gathered, rows_words(first, last, noun))


def _page(number: int, records: list[str], label: str) -> Page:
    """Records of one line each stand as the rows of a table, longer ones apart."""
    between = "\n\n" if any("\n" in record for record in records) else "\n"
    return Page(number, between.join(records), label=label)


def _record(value: Any) -> str:
    lines = [f"{path}: {words}" if path else words for path, words in _leaves(value, "")]
    together = " | ".join(lines)
    if len(together) <= _SHORT and "\n" not in together:
        return together
    return "\n".join(lines)


def _blocks(value: dict[str, Any], room: Room) -> Iterator[Block]:
    """The plain values of an object first, then a section for each of the others."""
    plain = {name: item for name, item in value.items() if not _is_container(item)}
    yield Block(_record(plain) if plain else "")
    for name, item in value.items():
        if not _is_container(item):
            continue
        yield Block(one_line(name), 1)
        inner = item.items() if isinstance(item, dict) else enumerate(item)
        short: list[str] = []
        for key, part in inner:
            told = _record({str(key): part} if isinstance(item, dict) else part)
            room.take(len(told))
            if "\n" not in told:
                short.append(told)
                continue
            yield Block("\n".join(short))
            short = []
            yield Block(told)
        yield Block("\n".join(short))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, value in words) of everything in a value, in its order; empty values are left out."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{one_line(name)}" if path else one_line(name))
    elif isinstance(value, list):
        if all(not _is_container(item) for item in value):
            words = ", ".join(filter(None, map(_scalar, value)))
            if words:
                yield path, words
            return
        for number, item in enumerate(value, start=1):
            yield from _leaves(item, f"{path}[{number}]")
    elif words := _scalar(value):
        yield path, words


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return "" if value is None else json.dumps(value)


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list)


def _stated(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    found: dict[str, str] = {}
    for name, item in value.items():
        if name.lower() in _STATED and isinstance(item, str) and one_line(item):
            found.setdefault(_STATED[name.lower()], one_line(item))
    return found
