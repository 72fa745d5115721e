"""What the status page shows: settings in effect, versions, disk, speeds; gathered as values."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.connections import Connection, summary, without_secrets
from app.health import Check
from app.library_view import size_words
from app.rendering import count_of, notice_html, sentence_html, text_html
from app.speeds import Speeds
from app.wording import retold, t
from storage.records import RunSummary

_PACKAGES = (
    "hayloft",
    "streamlit",
    "chromadb",
    "llama-index-core",
    "sentence-transformers",
    "torch",
    "pypdfium2",
    "ollama",
)
_ENOUGH_CHUNKS = 20
"""A run that embedded fewer says more about loading the model than about speed."""
_RUNS_COUNTED = 5
_SECRET = ("key", "token", "password", "secret")


class IngestGiven(BaseSettings):
    """The ingestion's settings as they are given, as text; empty: its own default.

    The page does not import the ingestion; a test compares the names.
    """

    model_config = SettingsConfigDict(
        env_prefix="HAYLOFT_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    chunk_tokens: str = ""
    chunk_overlap: str = ""
    parse_timeout_s: str = ""
    parse_memory_mb: str = ""
    parse_workers: str = ""
    max_file_mb: str = ""
    max_characters: str = ""
    ocr: str = ""
    ocr_languages: str = ""
    on_failure: str = ""
    watch_poll_s: str = ""
    max_delete_share: str = ""
    follow_symlinks: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in effect."""

    name: str
    value: str
    """Secrets and parts of addresses that may be some are hidden."""
    given: bool
    """True where it is not the default."""


def settings_in_effect(*groups: BaseSettings) -> list[Setting]:
    """Every setting of the groups by name; a name that two share is listed once."""
    found: dict[str, Setting] = {}
    for group in groups:
        for name, field in type(group).model_fields.items():
            value = getattr(group, name)
            default = field.get_default(call_default_factory=True)
            if isinstance(default, Path):
                default = default.absolute()
            variable = f"HAYLOFT_{name.upper()}"
            found.setdefault(variable, Setting(variable, _shown(name, value), value != default))
    return sorted(found.values(), key=lambda setting: (not setting.given, setting.name))


def _shown(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
        return t("set, hidden") if value else ""
    text = str(value)
    if text and name.rpartition("_")[2] in _SECRET:
        return t("set, hidden")
    if text and name == "on_failure":
        return t("set, hidden: an address or command may hold a secret")
    return without_secrets(text)


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What the data directory holds."""

    parts: tuple[tuple[str, int], ...]
    """Name and bytes, largest first."""
    free: int


def disk_use(data_dir: Path) -> DiskUse:
    """Bytes by entry of the data directory, and what is free on its disk."""
    parts = []
    for entry in data_dir.iterdir() if data_dir.is_dir() else ():
        size = _size(entry)
        if size:
            parts.append((entry.name + ("/" if entry.is_dir() else ""), size))
    home = data_dir
    while not home.exists():
        home = home.parent
    return DiskUse(
        tuple(sorted(parts, key=lambda part: (-part[1], part[0]))), shutil.disk_usage(home).free
    )


def _size(path: Path) -> int:
    """Bytes of a file or of all files below a folder; what goes away meanwhile counts nothing."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        with os.scandir(path) as entries:
            return sum(_size(Path(entry.path)) for entry in entries)
    except OSError:
        return 0


def versions() -> dict[str, str]:
    """Versions of what answers rest on; what is not installed is left out."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if tesseract := _tesseract():
        found["tesseract"] = tesseract
    return found


def _tesseract() -> str:
    command = shutil.which("tesseract")
    if command is None:
        return ""
    try:
        done = subprocess.run(
            [command, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return t("does not start")
    words = done.stdout.split()
    return words[1] if len(words) > 1 else t("unknown")


def ingest_speed(runs: Sequence[RunSummary]) -> str:
    """How fast the last runs were that had something to do; empty where there was none."""
    counted = [run for run in runs if run.seconds and run.embedded >= _ENOUGH_CHUNKS]
    counted = counted[:_RUNS_COUNTED]
    seconds = sum(run.seconds or 0.0 for run in counted)
    if not seconds:
        return ""
    chunks = sum(run.embedded for run in counted) / seconds
    pages = sum(run.pages for run in counted) / seconds
    return t(
        "{chunks} chunks embedded a second, {pages} pages read a second, all of a run counted; "
        "{runs} with at least {least} chunks",
        chunks=f"{chunks:,.1f}",
        pages=f"{pages:,.1f}",
        runs=count_of(len(counted), "run"),
        least=_ENOUGH_CHUNKS,
    )


# --- as HTML ------------------------------------------------------------------------------------


def facts_html(facts: Mapping[str, str]) -> str:
    """Terms and what is known of them."""
    rows = "".join(
        f"<dt>{text_html(name)}</dt><dd><bdi>{sentence_html(fact)}</bdi></dd>"
        for name, fact in facts.items()
        if fact
    )
    return f'<dl class="hl-facts hl-wide">{rows}</dl>'


def connections_html(found: list[Connection]) -> str:
    """The sentence, and every address with what it is for."""
    leaves = any(connection.leaves for connection in found)
    rows = "".join(
        f"<tr><td><strong>{text_html(connection.what)}</strong></td>"
        f"<td><bdi>{text_html(connection.where)}</bdi></td>"
        f'<td data-name=""><span class="hl-badge hl-badge-'
        f'{"warn" if connection.leaves else "ok"}">'
        f"{t('leaves this machine') if connection.leaves else t('this machine')}</span></td>"
        f'<td class="hl-wrap">{sentence_html(connection.when)}</td></tr>'
        for connection in found
    )
    return notice_html(
        "warn" if leaves else "info", t("Outbound connections"), summary(found)
    ) + table_html((t("What"), t("Where"), t("Reach"), t("For")), rows)


def table_html(heads: Sequence[str], rows: str) -> str:
    """A table of these columns; `rows` are its rows as HTML."""
    cells = "".join(f'<th scope="col">{text_html(head)}</th>' for head in heads)
    return (
        f'<div class="hl-list"><table class="hl-docs hl-plain"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def disk_html(use: DiskUse) -> str:
    """What lies where, as a table."""
    rows = "".join(
        f"<tr><td>{text_html(name)}</td><td>{size_words(size)}</td></tr>"
        for name, size in use.parts
    )
    total = sum(size for _, size in use.parts)
    told = t(
        "{used} used, {free} free on that disk.",
        used=size_words(total),
        free=size_words(use.free),
    )
    return f'<div>{told}</div><table class="hl-docs hl-plain"><tbody>{rows}</tbody></table>'


def speeds_html(known: Mapping[tuple[str, int], Speeds], names: Mapping[str, str] | None) -> str:
    """What was measured of each model; `names` gives digests their names, None: nobody can now."""
    heads = (t("Model"), t("Window"), t("Reads, tokens a second"), t("Writes, tokens a second"))
    # On a phone the heads are not seen, and each cell tells its own.
    window_head, reads, writes = (text_html(head) for head in heads[1:])
    rows = "".join(
        f"<tr><td><bdi>{text_html(_model_name(model, names))}</bdi></td>"
        f'<td data-name="{window_head}">{window:,}</td>'
        f'<td data-name="{reads}">{_rate(speeds.prefill)}</td>'
        f'<td data-name="{writes}">{_rate(speeds.decode)}</td></tr>'
        for (model, window), speeds in sorted(known.items())
    )
    if not rows:
        none = t("No answer of a model has been measured yet: speeds are learned from answers.")
        return f'<div class="hl-small">{none}</div>'
    return table_html(heads, rows)


def checks_html(checks: Sequence[Check]) -> str:
    """What `hayloft doctor` finds."""
    kinds = {"ok": "ok", "note": "warn", "wrong": "error"}
    states = {"ok": t("ok"), "note": t("note"), "wrong": t("wrong")}
    rows = "".join(
        f'<tr><td><span class="hl-badge hl-badge-{kinds.get(check.state, "info")}">'
        f"{text_html(states[check.state])}</span></td><td>{text_html(retold(check.name))}</td>"
        f'<td class="hl-wrap">{sentence_html(check.finding)}'
        + (f"<div>{_remedy_html(check.remedy)}</div>" if check.remedy else "")
        + "</td></tr>"
        for check in checks
    )
    return (
        f'<div class="hl-list"><table class="hl-docs hl-plain"><tbody>{rows}</tbody></table></div>'
    )


def _remedy_html(remedy: str) -> str:
    """A command as code; what is to be done otherwise as a sentence."""
    said = sentence_html(remedy)
    return said if remedy.endswith(".") or ": " in remedy else f"<code>{said}</code>"


def _model_name(model: str, names: Mapping[str, str] | None) -> str:
    digest = model.removeprefix("sha256:")
    if names and digest[:12] in names:
        return names[digest[:12]]
    if len(digest) != 64:
        return model
    if names is None:
        return t("a model of Ollama's, whose name is not known now ({digest})", digest=digest[:12])
    return t("a model that is no longer installed ({digest})", digest=digest[:12])


def _rate(value: float | None) -> str:
    return t("not measured") if value is None else f"{value:,.1f}"


def model_names(models: Mapping[str, Any]) -> dict[str, str] | None:
    """Names of Ollama's models by the first twelve digits of their digests; None without Ollama."""
    if not models["ollama"]["reachable"]:
        return None
    return {str(model["digest"]): str(model["name"]) for model in models["installed"]}
