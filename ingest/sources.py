"""Which source roots a run works on, and what was found under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.scan import FoundFile, ScanProblem, scan, scan_file
from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter
from storage.errors import UsageError


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
        home = _home_of(absolute, catalog)
        if home is None:
            root = absolute if absolute.is_dir() else absolute.parent
            source_id = writer.source(str(root), whole=absolute.is_dir())
            if absolute.is_dir():
                _adopt_inner(root, source_id, catalog, writer)
        else:
            root = home
            source_id = writer.source(str(root), whole=False)
        scopes.append(_scope(source_id, root, absolute, follow_symlinks=follow_symlinks))
    return scopes


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """The paths as they really are, without those that lie in another one of them."""
    found: dict[Path, None] = {}
    for path in paths:
        absolute = path.expanduser().absolute()
        if not absolute.exists():
            raise UsageError(f"{path} does not exist. Name a folder or a file to ingest.")
        found[absolute.resolve()] = None
    return [path for path in found if found.keys().isdisjoint(path.parents)]


def _known_scopes(catalog: Catalog, writer: CatalogWriter, *, follow_symlinks: bool) -> list[Scope]:
    scopes: list[Scope] = []
    for root_name, whole in catalog.sources():
        root = Path(root_name)
        source_id = writer.source(root_name, whole=False)
        if whole and not root.is_dir():
            scopes.append(_missing(source_id, root))
            continue
        if whole:
            scopes.append(_scope(source_id, root, root, follow_symlinks=follow_symlinks))
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


def _missing(source_id: int, root: Path) -> Scope:
    """A source whose folder is not there: a problem to report, and nothing to delete."""
    problem = ScanProblem(
        ".",
        "vanished",
        f"The folder {root} is not there; its documents stay searchable. Mount or restore it; if "
        f"it is gone for good, run `hayloft ingest --forget '{root}'`.",
    )
    return Scope(source_id, root, "", (), (problem,), {})


def _scope(source_id: int, root: Path, target: Path, *, follow_symlinks: bool) -> Scope:
    prefix = "" if target == root else target.relative_to(root).as_posix()
    if prefix and not target.is_dir():
        result = scan_file(root, target)
    else:
        result = scan(target, follow_symlinks=follow_symlinks)
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
