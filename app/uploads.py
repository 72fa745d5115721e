"""Files that were given to the page: kept in `uploads/`, thrown into `trash/`.

`uploads/` of the data directory is a folder of documents like any other: the
ingestion reads it, every night too. Nothing in it is ever overwritten, and
what is deleted on the page lies in `trash/` until somebody empties that.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from storage.errors import StorageError, UsageError
from storage.sound_text import sound

log = logging.getLogger(__name__)

FOLDER = "uploads"
TRASH = "trash"

# Listed, since app does not import ingest; a test compares.
READABLE = frozenset(
    ".adoc .bash .bat .bib .c .cc .cfg .cjs .clj .cmake .cmd .cob .conf .cpp .cs .css .csv .cxx"
    " .dart .docm .docx .dotx .el .eml .epub .erl .ex .exs .f90 .for .fs .geojson .go .gradle"
    " .graphql .groovy .h .hpp .hs .htm .html .ini .java .jl .js .json .jsonl .jsx .kt .kts .less"
    " .lisp .lua .m .markdown .md .mjs .ml .mm .msg .ndjson .odp .ods .odt .org .otp .ots .ott"
    " .pas .pdf .php .pl .pm .potx .ppsx .pptm .pptx .properties .proto .ps1 .py .pyi .r .rb .rs"
    " .rst .rtf .scala .scss .sh .sql .svelte .swift .tab .tex .text .tf .toml .ts .tsv .tsx .txt"
    " .vb .vue .xhtml .xlsm .xlsx .xltx .xml .xsd .xsl .yaml .yml .zip .zsh".split()
)
"""Endings of the files that the ingestion reads."""

_LONGEST_NAME = 240
"""Bytes of UTF-8: file systems take 255, and " (12)" may be added."""
_SAME_NAMES = 1000
# Controls, line separators, byte order marks, and what turns the direction of a line.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was given to the page, as it lies in `uploads/` now."""

    path: Path
    asked: str
    """The name it was given under; another one than its own where that was taken or unsafe."""
    existed: bool
    """True where the very same file lay there already."""


def uploads_folder(data_dir: Path) -> Path:
    """Where the files of the page lie, which may not exist yet."""
    return data_dir / FOLDER


def _as_named(name: str) -> str:
    """The name that a file has on its owner's disk; a browser writes three characters otherwise."""
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def safe_name(name: str) -> str:
    """A name that is one visible file of a folder, as near to the given one as can be.

    Raises UsageError where nothing of it is left, or where files of that type are not read.
    """
    line = _UNSAFE.sub("", unicodedata.normalize("NFC", sound(name))).replace("\\", "/")
    # A hidden file, or an office program's lock file, would never be read.
    own = line.rpartition("/")[2].strip().lstrip(".~$ ").rstrip(". ")
    stem, dot, suffix = own.rpartition(".")
    if not dot or not stem or f".{suffix.lower()}" not in READABLE:
        raise UsageError(
            f"“{_short(own or name)}” is of a type that is not read. PDF, Office files, web "
            "pages, mails, books, text, tables, code and ZIP archives of these are."
        )
    most = _LONGEST_NAME - len(suffix.encode()) - 1
    return f"{stem.encode()[:most].decode('utf-8', 'ignore').rstrip()}.{suffix}"


def keep(data_dir: Path, name: str, content: bytes | memoryview, *, most_mb: int) -> Kept:
    """Put a file into `uploads/`, whole or not at all, beside one that has its name.

    Raises UsageError for a file that is empty, too large or of a type that is
    not read, StorageError where it cannot be written.
    """
    return keep_in(uploads_folder(data_dir), name, content, most_mb=most_mb)


def keep_in(folder: Path, name: str, content: bytes | memoryview, *, most_mb: int) -> Kept:
    """The same into any folder, which is made where it is not there."""
    name = _as_named(name)
    own = safe_name(name)
    if not len(content):
        raise UsageError(f"“{_short(own)}” is empty; nothing was kept.")
    if len(content) > most_mb * 1024 * 1024:
        raise UsageError(
            f"“{_short(own)}” has {len(content) / 1024**2:,.0f} MB, and the page takes "
            f"{most_mb} MB (HAYLOFT_UPLOAD_MB). Put it into a folder and run "
            "`hayloft ingest FOLDER`."
        )
    with _foreseen(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Hidden, so that a run that comes by does not read the half of it.
        draft = folder / f".part-{secrets.token_hex(8)}"
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            path, existed = _placed(draft, folder, own, hashlib.sha256(content).digest())
        finally:
            draft.unlink(missing_ok=True)
        _sync(folder)
    log.info("kept an uploaded file of %d bytes", len(content))
    return Kept(path, name, existed)


def move_in(folder: Path, file: Path) -> Path:
    """Move a file into another folder of the data directory, beside one that has its name.

    It keeps its content and its time, so that the library knows it again. Raises
    UsageError where it is gone, StorageError where it cannot be moved.
    """
    with _foreseen(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
            path, _ = _placed(file, folder, file.name, digest)
            file.unlink()
        except FileNotFoundError as exc:
            raise UsageError(f"“{_short(file.name)}” is no longer there.") from exc
        _sync(folder)
    return path


def discard(data_dir: Path, path: Path) -> str:
    """Move an uploaded file to `trash/`; what `restore` brings it back by.

    Raises UsageError for a file that is not one of `uploads/`, or is gone.
    """
    folder = uploads_folder(data_dir)
    if not is_upload(data_dir, path):
        raise UsageError(
            f"{path} was not uploaded here, and is not Hayloft's to delete. Delete it where it "
            "lies, or take its folder out of the library."
        )
    trash = data_dir / TRASH
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    home = path.parent.resolve().relative_to(folder.resolve())
    place = trash / stamp / home / path.name
    with _foreseen(trash):
        try:
            place.parent.mkdir(parents=True)
            path.rename(place)
        except FileNotFoundError as exc:
            raise UsageError(
                f"“{_short(path.name)}” is no longer in {folder}; the next run takes it out of "
                "the library."
            ) from exc
        _sync(folder)
    return place.relative_to(trash).as_posix()


def restore(data_dir: Path, discarded: str) -> Path:
    """Bring a file back from `trash/`; beside one that has taken its name meanwhile.

    Raises UsageError where it is no longer there.
    """
    trash, folder = data_dir / TRASH, uploads_folder(data_dir)
    parts = PurePosixPath(discarded).parts
    place = trash / discarded
    if len(parts) < 2 or ".." in parts or parts[0] == "/" or not place.is_file():
        raise UsageError("That file is no longer in the trash of the data directory.")
    with _foreseen(folder):
        home = folder.joinpath(*parts[1:-1])
        home.mkdir(parents=True, exist_ok=True)
        with place.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        path, _ = _placed(place, home, place.name, digest)
        place.unlink()
        _sync(home)
    return path


def is_upload(data_dir: Path, path: Path) -> bool:
    """Whether a file lies in `uploads/`."""
    folder = uploads_folder(data_dir).resolve()
    # A link in it is one of them, wherever it leads.
    home = path.parent.resolve()
    return path.name not in ("", "..") and (home == folder or folder in home.parents)


def _placed(draft: Path, folder: Path, name: str, digest: bytes) -> tuple[Path, bool]:
    """Give a file its name, or the next one that is free; True where it lay there already."""
    stem, _, suffix = name.rpartition(".")
    for number in range(1, _SAME_NAMES):
        path = folder / (name if number == 1 else f"{stem} ({number}).{suffix}")
        try:
            # A link, unlike a rename, never replaces what is there.
            os.link(draft, path)
        except FileExistsError:
            if _same_content(path, draft, digest):
                return path, True
        else:
            return path, False
    raise UsageError(f"{folder} holds {_SAME_NAMES - 1} files named {_short(name)}. Rename it.")


def _same_content(path: Path, draft: Path, digest: bytes) -> bool:
    if not path.is_file() or path.stat().st_size != draft.stat().st_size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest() == digest


def _sync(folder: Path) -> None:
    """Have the names survive a power loss, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _foreseen(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _NO_ROOM:
            raise StorageError(
                f"The disk that holds {folder} is full; nothing was kept. Free some space and "
                "try again."
            ) from exc
        raise StorageError(
            f"{folder} cannot be written ({exc.strerror or exc}). Mend its permissions, or set "
            "HAYLOFT_DATA_DIR to another folder."
        ) from exc


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:50]}…{name[-25:]}"
