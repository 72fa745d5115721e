"""Which source roots a run works on, and what was found under them."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.scan import FoundFile, Scan, ScanProblem, is_folder, scan, scan_file
from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter
from storage.errors import StorageError, UsageError
from storage.rooms import private_folder, room_at, room_folder

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class Scope:
    """One source root, and the part of it that this run looks at."""

    source_id: int
    root: Path
    prefix: str
    """Paths that begin with it are in scope: "" for all, "sub/folder/" or "one/file.pdf"."""
    found: tuple[FoundFile, ...]
    problems: tuple[ScanProblem, ...]
    skipped: dict[str, int]
    whole: bool = False
    """Whether this is a source folder with all that lies in it."""
    room: str = ""
    """The conversation that alone sees it; empty for what is part of the library."""

    @property
    def is_empty(self) -> bool:
        """Whether a source folder holds nothing at all, as an unmounted one does."""
        return self.whole and not (self.found or self.problems or self.skipped)

    def covers(self, path: str) -> bool:
        """Whether a file that is not found any more counts as deleted.

        Not outside of what was looked at, and not below a folder that could
        not be listed: "could not read" is never "was deleted".
        """
        if not _is_below(path, self.prefix):
            return False
        return not any(_is_below(path, _folder(problem.path)) for problem in self.problems)


def scopes_of(
    paths: Sequence[Path], catalog: Catalog, writer: CatalogWriter, *, follow_symlinks: bool
) -> list[Scope]:
    """Scan the paths of a run, or all known sources where none is named.

    A folder becomes a source root of its own, unless it lies in one already;
    roots inside it become part of it. Raises UsageError for a path that is
    not there, and where there is nothing to do.
    """
    if not paths:
        return _known_scopes(catalog, writer, follow_symlinks=follow_symlinks)
    scopes: list[Scope] = []
    for absolute in _outermost(paths):
        if room := room_at(catalog.path.parent, absolute):
            scopes.append(_in_room(room, absolute, catalog, writer))
            continue
        home = _home_of(absolute, catalog)
        if home is None:
            root = absolute if absolute.is_dir() else absolute.parent
            source_id = writer.source(str(root), whole=absolute.is_dir())
            if absolute.is_dir():
                _adopt_inner(root, source_id, catalog, writer)
        else:
            root = home
            source_id = writer.source(str(root), whole=False)
        scopes.append(
            _scope(
                source_id,
                root,
                absolute,
                follow_symlinks=follow_symlinks,
                without=private_folder(catalog.path.parent),
            )
        )
    return scopes


def _in_room(room: str, path: Path, catalog: Catalog, writer: CatalogWriter) -> Scope:
    """The scope of a path in a room, whose folder is a source of its own."""
    root = room_folder(catalog.path.parent, room)
    source_id = writer.source(str(root), whole=True, room=room)
    # What a link in it leads to was never given to the conversation.
    return replace(_scope(source_id, root, path, follow_symlinks=False), room=room)


def _known_rooms(catalog: Catalog, writer: CatalogWriter) -> list[Scope]:
    """The rooms there are; those whose conversation was deleted are forgotten on the way."""
    scopes: list[Scope] = []
    for root_name, _, room in writer.sources():
        if not room:
            continue
        if is_folder(Path(root_name)):
            scopes.append(_in_room(room, Path(root_name), catalog, writer))
        else:
            writer.forget_source(root_name)
    return scopes


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """The paths as they really are, without those that lie in another one of them."""
    found: dict[Path, None] = {}
    for path in paths:
        absolute = path.expanduser().absolute()
        try:
            there = absolute.exists()
        except OSError as exc:
            raise StorageError(
                f"{path} cannot be looked at ({exc.strerror}). Give the user who runs the "
                "ingestion the right to read its folder, or see to its disk or network share."
            ) from exc
        if not there:
            raise UsageError(f"{path} does not exist. Name a folder or a file to ingest.")
        found[absolute.resolve()] = None
    return [path for path in found if found.keys().isdisjoint(path.parents)]


def _known_scopes(catalog: Catalog, writer: CatalogWriter, *, follow_symlinks: bool) -> list[Scope]:
    scopes = _known_rooms(catalog, writer)
    private = private_folder(catalog.path.parent)
    for root_name, whole in catalog.sources():
        root = Path(root_name)
        source_id = writer.source(root_name, whole=False)
        if whole:
            scopes.append(_whole(source_id, root, private, follow_symlinks=follow_symlinks))
            continue
        # Files that were named one by one: each is looked at, nothing else.
        known = {*writer.files(source_id), *writer.failed(source_id)}
        scopes.extend(
            _scope(source_id, root, root / name, follow_symlinks=follow_symlinks)
            for name in sorted(known)
        )
    if not scopes:
        raise UsageError(
            "There is nothing to ingest yet. Name a folder of documents: `hayloft ingest FOLDER`."
        )
    return scopes


def _whole(source_id: int, root: Path, private: Path, *, follow_symlinks: bool) -> Scope:
    """A known source folder.

    One that is not there, or that cannot be listed, is a problem to report, and
    nothing to delete; the other sources are brought in line all the same.
    """
    try:
        return _scope(source_id, root, root, follow_symlinks=follow_symlinks, without=private)
    except (UsageError, StorageError) as exc:
        problem = _missing(root, exc.__cause__)
    except OSError as exc:
        problem = _missing(root, exc)
    return Scope(source_id, root, "", (), (problem,), {})


def _missing(root: Path, cause: BaseException | None) -> ScanProblem:
    if isinstance(cause, OSError) and cause.errno not in _NOT_THERE:
        return ScanProblem(
            ".",
            "permission" if isinstance(cause, PermissionError) else "damaged",
            f"The folder {root} cannot be listed ({cause.strerror or cause}); its documents stay "
            "searchable. Give the user who runs the ingestion the right to read it, or see to the "
            "disk or network share it lies on.",
        )
    now = "is a file now" if root.is_file() else "is not there"
    return ScanProblem(
        ".",
        "vanished",
        f"The folder {root} {now}; its documents stay searchable. Mount or restore it; if "
        f"it is gone for good, run `hayloft ingest --forget '{root}'`.",
    )


def _scope(
    source_id: int,
    root: Path,
    target: Path,
    *,
    follow_symlinks: bool,
    without: Path | None = None,
) -> Scope:
    prefix = "" if target == root else target.relative_to(root).as_posix()
    if prefix and not is_folder(target):
        result = scan_file(root, target)
    else:
        result = _scanned(target, without, follow_symlinks=follow_symlinks)
        if prefix:
            prefix += "/"
            result = result.below(prefix)
    return Scope(
        source_id=source_id,
        root=root,
        prefix=prefix,
        found=result.files,
        problems=result.problems,
        skipped=dict(result.skipped),
        whole=not prefix,
    )


def _scanned(target: Path, without: Path | None, *, follow_symlinks: bool) -> Scan:
    """The scan of a folder; `without` is named only where it can be met."""
    if without is not None and (follow_symlinks or target in without.parents):
        return scan(target, follow_symlinks=follow_symlinks, without=without)
    return scan(target, follow_symlinks=follow_symlinks)


def _home_of(path: Path, catalog: Catalog) -> Path | None:
    """The whole source that this path lies in; or the source whose root it is."""
    for root_name, whole in catalog.sources():
        root = Path(root_name)
        if whole and (path == root or root in path.parents):
            return root
        if not whole and not path.is_dir() and path.parent == root:
            return root
    return None


def _adopt_inner(root: Path, source_id: int, catalog: Catalog, writer: CatalogWriter) -> None:
    for inner_name, _ in catalog.sources():
        inner = Path(inner_name)
        if root in inner.parents:
            writer.adopt(inner_name, source_id, inner.relative_to(root).as_posix() + "/")


def _is_below(path: str, folder: str) -> bool:
    """Whether a path is that file, or lies in that folder ("" for the root)."""
    return folder == "" or path == folder or path.startswith(folder.rstrip("/") + "/")


def _folder(problem_path: str) -> str:
    """The folder a problem stands for: a scan calls the folder it began in "."."""
    return "" if problem_path == "." else problem_path.removesuffix("/.")
