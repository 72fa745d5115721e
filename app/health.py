"""What is wrong with an installation, and the command that mends it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.auth_settings import AuthSettings
from app.settings import AppSettings
from app.wording import t, tn
from storage.chroma_server import running_server
from storage.embedding import BUNDLED, Embedder
from storage.errors import HayloftError
from storage.library import Library
from storage.model_languages import reads_many
from storage.run_history import lately
from storage.settings import StorageSettings

_LITTLE_SPACE = 2 * 1024**3
_STALE_AFTER_S = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: str
    """`ok`, `note` (worth knowing) or `wrong`."""
    finding: str
    """A sentence."""
    remedy: str = ""
    """The exact command, or what to do; empty where nothing is to be done."""

    def to_json(self) -> dict[str, str]:
        """The check as `hayloft doctor --json` prints it."""
        return {
            "name": self.name,
            "state": self.state,
            "finding": self.finding,
            "remedy": self.remedy,
        }


def examine(library: Library, app_settings: AppSettings) -> Iterator[Check]:
    """Look at everything that an answer depends on, the cheap things first."""
    yield _data_directory(library)
    yield from _settings()
    catalog = _catalog(library)
    yield catalog
    if catalog.state != "wrong":
        yield _sources(library)
        yield _last_run(library)
        yield _set_aside(library)
        yield _embedder(library)
        yield _vectors(library)
    if app_settings.reranker:
        yield _reranker(app_settings)
    yield _chat_model(app_settings)


def _data_directory(library: Library) -> Check:
    home = library.settings.data_dir
    name = "data directory"
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".doctor-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as exc:
        return Check(
            name,
            "wrong",
            f"{home} cannot be written: {exc.strerror}.",
            "Free some space, mend the permissions, or set HAYLOFT_DATA_DIR to another folder.",
        )
    free = shutil.disk_usage(home).free
    if free < _LITTLE_SPACE:
        return Check(
            name,
            "note",
            f"{home} has only {free / 1024**3:.1f} GB left on its disk.",
            "Free some space before the next ingestion.",
        )
    return Check(name, "ok", f"{home}, {free / 1024**3:.0f} GB free.")


def _settings() -> Iterator[Check]:
    """Environment variables that look like settings and are none: mostly misspelt ones."""
    known = known_settings()
    unknown = sorted(
        name for name in os.environ if name.startswith("HAYLOFT_") and name not in known
    )
    if unknown:
        yield Check(
            "settings",
            "note",
            f"Nothing reads {', '.join(unknown)}.",
            "Compare the names with the settings table of the README.",
        )


def _catalog(library: Library) -> Check:
    name = "catalog"
    try:
        counts = library.catalog.counts()
        fault = library.catalog.fault()
    except HayloftError as exc:
        # A catalog that cannot be opened here is not damaged: its sentence says what to mend.
        damaged = library.catalog.path.is_file() and os.access(library.catalog.path, os.W_OK)
        return Check(
            name, "wrong", str(exc), "Restore catalog.db from a backup." if damaged else ""
        )
    if fault:
        return Check(
            name,
            "wrong",
            f"The catalog is damaged: {fault}.",
            "Restore catalog.db from a backup, or move the data directory away and run "
            "`hayloft ingest FOLDER`.",
        )
    if not counts.documents:
        return Check(name, "note", "The library is empty.", "hayloft ingest FOLDER")
    return Check(
        name,
        "ok",
        t(
            "{documents}, {pages}, {chunks}.",
            documents=tn(counts.documents, "{n} document", "{n} documents"),
            pages=tn(counts.pages, "{n} page", "{n} pages"),
            chunks=tn(counts.chunks, "{n} chunk", "{n} chunks"),
        ),
    )


def _sources(library: Library) -> Check:
    missing = [root for root, _ in library.catalog.sources() if not _is_there(Path(root))]
    if missing:
        return Check(
            "source folders",
            "wrong",
            f"Not there: {', '.join(missing)}. Their documents stay searchable.",
            "Mount or restore the folder; if it is gone for good: "
            f"hayloft ingest --forget '{missing[0]}'",
        )
    return Check("source folders", "ok", f"{len(library.catalog.sources())} found.")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _last_run(library: Library) -> Check:
    name = "last ingestion"
    runs = lately(library.catalog, limit=1)
    if not runs:
        return Check(name, "note", "There was none yet.", "hayloft ingest FOLDER")
    run = runs[0]
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started_at))
    if run.outcome in ("interrupted", "killed", "error", "brake"):
        why = run.message or "It was stopped before its end; nothing half-written is visible."
        # A run that an older index stopped would be stopped by it again.
        rebuild = " --rebuild" if "--rebuild" in why else ""
        return Check(name, "wrong", f"{when}: {why}", f"hayloft ingest{rebuild}")
    if run.outcome == "running":
        return Check(name, "note", f"One has been at work since {when}.")
    if time.time() - (run.finished_at or run.started_at) > _STALE_AFTER_S:
        return Check(name, "note", f"It was on {when}.", "hayloft ingest")
    return Check(name, "ok", f"{when}, complete.")


def _set_aside(library: Library) -> Check:
    failures = library.catalog.failures()
    if not failures:
        return Check("files set aside", "ok", "None.")
    first = failures[0]
    more = f" And {len(failures) - 1} more." if len(failures) > 1 else ""
    return Check(
        "files set aside",
        "note",
        f"{first.document}: {first.reason}{more}",
        "`hayloft status --failures` lists them; they are tried again on each run.",
    )


def _embedder(library: Library) -> Check:
    name = "embedding model"
    setting = library.settings.embedder
    mismatch = library.mismatch()
    if mismatch is not None:
        return Check(
            name,
            "wrong",
            str(mismatch),
            "Set it back, or: hayloft ingest --rebuild",
        )
    try:
        embedder = library.embedder
    except HayloftError as exc:
        remedy = "make install" if setting == BUNDLED else "docs/models.md says how to fetch one."
        return Check(name, "wrong", str(exc), remedy)
    return Check(
        name,
        "ok",
        f"{embedder.name}: {embedder.dimension} dimensions, reads {embedder.max_tokens} tokens"
        + (f" after {embedder.passage_prompt!r}" if embedder.passage_prompt else "")
        + f" ({'many languages' if reads_many(embedder.languages) else embedder.languages[0]})"
        + _engine(embedder),
    )


def _engine(embedder: Embedder) -> str:
    """What computes the vectors of passages, as far as that has been found out."""
    choice = getattr(embedder, "choice", None)
    if choice is None:
        return "."
    figures = choice.figures.get(choice.passages)
    return f", embeds with {choice.passages}" + (f": {figures}." if figures else ".")


def _vectors(library: Library) -> Check:
    """Every chunk of the catalog has its vector, and there are no others."""
    name = "vectors"
    identity = library.catalog.identity()
    try:
        library.vectors.heartbeat()
        if identity is None:
            return Check(name, "ok", "Chroma answers; nothing is stored yet.")
        stored = set(library.vectors.ids(identity.collection))
    except HayloftError as exc:
        log_file = library.settings.data_dir / "logs" / "chroma.log"
        return Check(name, "wrong", str(exc), f"Read {log_file}; then: hayloft doctor")
    expected, unpublished = library.catalog.vector_ids(identity.collection)
    missing = len(expected - stored)
    if missing:
        return Check(
            name,
            "wrong",
            f"{missing} of {len(expected)} chunks have no vector in Chroma.",
            "hayloft ingest --verify",
        )
    strays = len(stored - expected - unpublished)
    leftover = len(stored & unpublished)
    if strays:
        return Check(
            name,
            "wrong",
            f"{strays} vectors belong to no chunk; searches pass them over.",
            "hayloft ingest --rebuild",
        )
    if leftover:
        return Check(
            name,
            "note",
            f"{leftover} vectors of replaced or unfinished documents wait to be swept.",
            "hayloft ingest",
        )
    return Check(name, "ok", f"Chroma answers; {len(expected)} chunks, each with its vector.")


def _reranker(settings: AppSettings) -> Check:
    from app.rerank import CrossEncoderReranker, reranker_from

    name = "reranker"
    reranker = reranker_from(settings)
    try:
        if isinstance(reranker, CrossEncoderReranker):
            reranker.load()
    except HayloftError as exc:
        return Check(name, "wrong", str(exc), "Unset HAYLOFT_RERANKER, or see docs/models.md.")
    return Check(
        name,
        "ok",
        f"{settings.reranker} orders the first {settings.reranker_candidates} passages.",
    )


def _chat_model(settings: AppSettings) -> Check:
    from app.model_choice import choose_model

    name = "chat model"
    try:
        choice = choose_model(settings)
        if choice.model is None:
            return Check(name, "note", choice.notice or "Answers are extractive quotes.")
        model = choice.model
        return Check(
            name,
            "ok",
            f"{model.provider} {model.name}, window {model.window():,} tokens.",
            choice.notice,
        )
    except HayloftError as exc:
        return Check(name, "wrong", str(exc))


def chroma_line(settings: StorageSettings) -> str:
    """Whether Chroma runs, without starting it."""
    if settings.chroma_url:
        return t("at {url} (not ours)", url=settings.chroma_url)
    try:
        server = running_server(settings.data_dir)
    except HayloftError as exc:
        return str(exc)
    if server is None:
        return t("not running; it starts when it is needed")
    return t("running on {address}", address=f"127.0.0.1:{server.port}")


def known_settings() -> set[str]:
    """The environment variables that Hayloft reads."""
    settings = (StorageSettings, AppSettings, AuthSettings)
    fields = [*(name for model in settings for name in model.model_fields), *_INGEST_SETTINGS]
    return {f"HAYLOFT_{name.upper()}" for name in fields}


# Listed, since app does not import ingest; a test compares.
_INGEST_SETTINGS = (
    "chunk_tokens chunk_overlap parse_timeout_s parse_memory_mb parse_workers max_file_mb ocr "
    "ocr_languages max_characters on_failure watch_poll_s max_delete_share follow_symlinks"
).split()
