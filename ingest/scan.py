"""What lies under a folder: documents, and what could not be looked into.

Nothing is opened; folders are listed and files are stat'ed. What could not be
read is reported by its path, so that nobody takes the documents below it for
deleted.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ingest.loaders.registry import EMPTY_IS_NORMAL, SUFFIXES
from storage.errors import StorageError, UsageError

log = logging.getLogger(__name__)

_OFFICE_LOCK = "~$"
_HIDDEN_OR_LOCK = ".~"

FileId = tuple[int, int]
"""Device and inode: the same for every name of a file or folder."""


class FoundFile(NamedTuple):
    """A file of a type that can be read. There may be hundreds of thousands of them."""

    location: str
    """Absolute path."""
    relative: str
    """Path below the scanned folder, with forward slashes."""
    size: int
    """Bytes."""
    mtime_ns: int
    suffix: str
    """The ending of its name, in lower case with its dot."""

    @property
    def path(self) -> Path:
        """Absolute path."""
        return Path(self.location)


@dataclass(frozen=True, slots=True)
class ScanProblem:
    """A file or folder that is there, as far as is known, but could not be looked at."""

    path: str
    """Path below the scanned folder, with forward slashes; always printable as UTF-8."""
    kind: str
    """`permission`, `loop`, `vanished`, `name` or `damaged`."""
    reason: str
    """One sentence: what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a scan, files and problems each sorted by path."""

    files: tuple[FoundFile, ...]
    problems: tuple[ScanProblem, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Number of files of each type that cannot be read, by ending (".xyz"; "" for none)."""
    links: int = 0
    """Links that were not followed."""

    def below(self, prefix: str) -> Scan:
        """The same with `prefix` ("sub/folder/") before every path."""
        return replace(
            self,
            files=tuple(f._replace(relative=prefix + f.relative) for f in self.files),
            problems=tuple(replace(p, path=prefix + p.path) for p in self.problems),
        )


def scan(root: Path, *, follow_symlinks: bool, without: Path | None = None) -> Scan:
    """Find every readable type of file under a folder.

    Hidden files and folders, lock files of office programs, and everything
    that is neither file nor folder are passed over. Links are followed only if
    asked to, and then no folder is entered and no file listed twice. Nothing in
    the folder `without` is found, by whichever way (a path with links resolved).

    Raises UsageError where the folder is not there or is none, StorageError
    where it cannot be listed.
    """
    root = root.absolute()
    walk = _Walk(root, follow_symlinks=follow_symlinks, without=without)
    try:
        identity = _identity(root.stat())
        with os.scandir(root):
            pass
    except FileNotFoundError as exc:
        raise UsageError(f"{root} does not exist. Name a folder of documents.") from exc
    except NotADirectoryError as exc:
        raise UsageError(f"{root} is not a folder. Name the folder it lies in.") from exc
    except OSError as exc:
        raise StorageError(
            f"The folder {root} cannot be listed ({exc.strerror}). "
            "Give the user who runs the ingestion the right to read it, or mount its disk."
        ) from exc
    walk.start(identity)
    return walk.result()


def scan_file(root: Path, target: Path) -> Scan:
    """The scan of one file named by hand; nothing is found where it is gone.

    Hidden files and links are taken too: the user pointed at them.
    """
    relative = target.relative_to(root).as_posix()
    path = printable(relative)
    try:
        status = target.stat()
    except FileNotFoundError:
        return Scan((), ())
    except OSError as exc:
        return Scan((), (_problem(path, exc),))
    if path != relative:
        return Scan((), (_bad_name(path),))
    if not stat.S_ISREG(status.st_mode) or target.suffix.lower() not in SUFFIXES:
        return Scan((), (), {target.suffix.lower(): 1})
    found = FoundFile(
        str(target),
        relative,
        status.st_size,
        status.st_mtime_ns,
        suffix_of(target.name),
    )
    return Scan((found,), ())


def is_folder(path: Path) -> bool:
    """Whether a folder is there; not, where that may not be looked at (`Path.is_dir` raises)."""
    try:
        return path.is_dir()
    except OSError:
        return False


def suffix_of(name: str) -> str:
    """The ending of a name or path as `Path.suffix` has it, in lower case."""
    start = name.rfind("/") + 1
    dot = name.rfind(".")
    return name[dot:].lower() if start < dot < len(name) - 1 else ""


def printable(name: str) -> str:
    """A name that JSON and SQLite take: bytes that are no UTF-8 become `\\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    relative: str
    """With a slash at its end, or "" for the root."""
    above: tuple[FileId, ...]
    """The folders it lies in, itself last; a link to one of them is a loop."""


class _Walk:
    """One pass over the real folders, then the links, each folder entered once."""

    def __init__(self, root: Path, *, follow_symlinks: bool, without: Path | None) -> None:
        self._root = root
        self._follow = follow_symlinks
        self._without = without
        self._files: dict[str, FoundFile] = {}
        self._problems: list[ScanProblem] = []
        self._skipped: Counter[str] = Counter()
        self._entered: set[FileId] = set()
        self._seen_files: set[FileId] = set()
        self._links: list[tuple[os.DirEntry[str], _Folder]] = []
        self._not_followed = 0
        if without is not None:
            with suppress(OSError):
                self._entered.add(_identity(without.stat()))
        self._endings = {suffix: suffix for suffix in SUFFIXES} | {
            suffix.upper(): suffix for suffix in SUFFIXES
        }

    def start(self, identity: FileId) -> None:
        self._descend(_Folder(str(self._root), "", (identity,)))
        # Links come after all that is really there, so that a document keeps
        # its own path when a link leads to it too.
        while self._links:
            links, self._links = sorted(self._links, key=lambda link: link[0].path), []
            for entry, folder in links:
                self._link(entry, folder)

    def result(self) -> Scan:
        return Scan(
            files=tuple(self._files[name] for name in sorted(self._files)),
            problems=tuple(sorted(self._problems, key=lambda problem: problem.path)),
            skipped=dict(sorted(self._skipped.items())),
            links=self._not_followed,
        )

    def _descend(self, start: _Folder) -> None:
        """Everything really below a folder; no recursion, however deep it goes."""
        folders = [start]
        while folders:
            folder = folders.pop()
            if folder.above[-1] in self._entered:
                continue
            self._entered.add(folder.above[-1])
            try:
                with os.scandir(folder.path) as entries:
                    found = list(entries)
            except OSError as exc:
                self._problems.append(_problem(folder.relative.rstrip("/") or ".", exc))
                continue
            for entry in self._unusual(found, folder.relative):
                below = self._entry(entry, folder)
                if below is not None:
                    folders.append(below)

    def _unusual(self, entries: list[os.DirEntry[str]], folder: str) -> Iterator[os.DirEntry[str]]:
        """Takes note of plain files with plain names, which nearly all are; gives the others."""
        files, endings, follow = self._files, self._endings, self._follow
        # A named tuple's own constructor takes twice the time.
        new = tuple.__new__
        for entry in entries:
            name = entry.name
            suffix = endings.get(name[name.rfind(".") :])
            if (
                suffix is None
                or follow
                or name[0] in _HIDDEN_OR_LOCK
                or not name.isascii()
                or not entry.is_file(follow_symlinks=False)
            ):
                yield entry
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                yield entry
                continue
            if not status.st_size and suffix in EMPTY_IS_NORMAL:
                continue
            relative = folder + name
            files[relative] = new(
                FoundFile, (entry.path, relative, status.st_size, status.st_mtime_ns, suffix)
            )

    def _entry(self, entry: os.DirEntry[str], folder: _Folder) -> _Folder | None:
        """Takes note of a file or link; gives a folder back to be entered."""
        name = entry.name
        if name[0] == "." or name.startswith(_OFFICE_LOCK):
            return None
        relative = folder.relative + name
        try:
            if not name.isascii() and printable(name) != name:
                # The name cannot be kept in the catalog; a folder of that name neither.
                if entry.is_dir(follow_symlinks=False) or _is_readable_type(name):
                    self._problems.append(_bad_name(folder.relative + printable(name)))
            elif entry.is_symlink():
                self._links.append((entry, folder))
            elif entry.is_dir(follow_symlinks=False):
                identity = _identity(entry.stat(follow_symlinks=False))
                return _Folder(entry.path, relative + "/", (*folder.above, identity))
            elif entry.is_file(follow_symlinks=False):
                self._file(entry, relative, entry.stat(follow_symlinks=False))
        except OSError as exc:
            self._problems.append(_problem(relative, exc))
        return None

    def _file(self, entry: os.DirEntry[str], relative: str, status: os.stat_result) -> None:
        suffix = suffix_of(entry.name)
        if suffix not in SUFFIXES:
            self._skipped[suffix] += 1
            return
        if status.st_size == 0 and suffix in EMPTY_IS_NORMAL:
            return
        if self._follow:
            self._seen_files.add(_identity(status))
        self._files[relative] = FoundFile(
            entry.path, relative, status.st_size, status.st_mtime_ns, suffix
        )

    def _link(self, entry: os.DirEntry[str], folder: _Folder) -> None:
        relative = folder.relative + entry.name
        try:
            status = entry.stat()
        except OSError as exc:
            if self._follow or exc.errno == errno.ELOOP:
                self._problems.append(_problem(relative, exc))
            else:
                self._not_followed += 1
            return
        identity = _identity(status)
        if self._without is not None and self._without in Path(entry.path).resolve().parents:
            self._not_followed += 1
            return
        if stat.S_ISDIR(status.st_mode) and identity in folder.above:
            self._problems.append(_loop(relative))
        elif not self._follow:
            self._not_followed += 1
        elif stat.S_ISDIR(status.st_mode):
            self._descend(_Folder(entry.path, relative + "/", (*folder.above, identity)))
        elif stat.S_ISREG(status.st_mode) and identity not in self._seen_files:
            self._file(entry, relative, status)


def _identity(status: os.stat_result) -> FileId:
    return status.st_dev, status.st_ino


def _is_readable_type(name: str) -> bool:
    return suffix_of(name) in SUFFIXES


def _problem(path: str, exc: OSError) -> ScanProblem:
    if exc.errno == errno.ELOOP:
        return _loop(path)
    if isinstance(exc, FileNotFoundError):
        return ScanProblem(
            path,
            "vanished",
            f"{path!r} went away during the scan, or is a link to nothing; "
            "what was known of it is kept until the next run.",
        )
    if isinstance(exc, PermissionError):
        return ScanProblem(
            path,
            "permission",
            f"{path!r} may not be read by this user; give the user who runs the ingestion "
            "the right to read it.",
        )
    return ScanProblem(
        path,
        "damaged",
        f"{path!r} could not be looked at ({exc.strerror or exc}); "
        "check the disk or the network share it lies on.",
    )


def _loop(path: str) -> ScanProblem:
    return ScanProblem(
        path,
        "loop",
        f"{path!r} is a link that leads back to a folder it lies in; it was not followed. "
        "Remove it if it serves nothing.",
    )


def _bad_name(path: str) -> ScanProblem:
    return ScanProblem(
        path,
        "name",
        f"The name {path!r} holds bytes that are no UTF-8 text; rename it to have it read.",
    )
