"""ZIP: the files inside, each read by its own loader, as one document."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from ingest.loaders.cleaning import readable_name
from ingest.loaders.members import Member, Writer, read_members
from ingest.loaders.packages import MOST_ENTRIES, bomb_error, is_bomb
from ingest.loaders.reading import damaged, opening, read_head, shown
from storage.errors import DocumentUnreadable
from storage.records import ParsedDocument

SUFFIXES = (".zip",)
LOADER_VERSION = "archive-2"

IS_CONTAINER = True

_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, OverflowError, OSError),
)
_ENCRYPTED = 0x1
_UTF8 = 0x800
_UNIX = 3


def load(path: Path) -> ParsedDocument:
    """Reads what can be read of an archive; raises DocumentUnreadable where that is nothing."""
    read_head(path)
    try:
        with opening(path):
            archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as exc:
        raise damaged(path, "is damaged or is no ZIP archive") from exc
    with archive:
        entries = [info for info in archive.infolist() if not (info.is_dir() or _is_link(info))]
        if len(entries) > MOST_ENTRIES:
            raise bomb_error(path, sum(info.file_size for info in entries), len(entries))
        found = read_members(_members(archive, entries), start=1)
    if not found.pages:
        raise _nothing_read(path, entries, found.warnings)
    return ParsedDocument(
        title=readable_name(path.stem),
        pages=found.pages,
        paged=False,
        parser=LOADER_VERSION,
        warnings=found.warnings,
    )


def _members(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[Member]:
    for info in entries:
        yield Member(_name(info), partial(_unpack, archive, info))


def _name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: programs that say nothing of its encoding mostly write UTF-8.

    Some programs for Windows part its folders by backslashes.
    """
    name = info.filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name if "/" in name else name.replace("\\", "/")


def _is_link(info: zipfile.ZipInfo) -> bool:
    """Whether a member is but the path of another file."""
    return info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, writer: Writer) -> None:
    """Writes a member's content; raises DocumentUnreadable where that is a bomb or broken."""
    if info.flag_bits & _ENCRYPTED:
        raise DocumentUnreadable(
            "it is protected by a password; put it there unpacked.", kind="encrypted"
        )
    if is_bomb(info):
        raise DocumentUnreadable(
            f"it would unpack to {info.file_size / 1e6:,.0f} MB, as bombs do.", kind="too-large"
        )
    try:
        with archive.open(info) as stream:
            writer.copy(stream)
    except _FAULTS as exc:
        raise DocumentUnreadable(
            "it is damaged, or packed in an unusual way; put it there unpacked.", kind="damaged"
        ) from exc


def _nothing_read(
    path: Path, entries: list[zipfile.ZipInfo], warnings: tuple[str, ...]
) -> DocumentUnreadable:
    if entries and all(info.flag_bits & _ENCRYPTED for info in entries):
        return DocumentUnreadable(
            f"{shown(path)} is protected by a password; put its files there unpacked.",
            kind="encrypted",
        )
    if any(is_bomb(info) for info in entries):
        return bomb_error(path, sum(info.file_size for info in entries), len(entries))
    why = f" {warnings[0]}" if warnings else ""
    return DocumentUnreadable(
        f"{shown(path)} holds no file that could be read.{why}", kind="no-text"
    )
