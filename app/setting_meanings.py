"""What each setting means, as its class says it, and where its value comes from."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.status_view import Setting

_ROOT = Path(__file__).resolve().parents[1]
# The ingestion's and the evaluation's are read as text: the pages do not import them.
_SOURCES = (
    "app/settings.py",
    "app/auth_settings.py",
    "storage/settings.py",
    "ingest/settings.py",
)
_ALIASES = {"HAYLOFT_OLLAMA_URL": "OLLAMA_HOST"}
DEFAULT, ENVIRONMENT, FILE = "default", "environment", ".env"


@dataclass(frozen=True, slots=True)
class Explained:
    """A setting in effect, with its meaning and its origin."""

    name: str
    value: str
    origin: str
    """`default`, `environment` or `.env`."""
    meaning: str


def explained(
    settings: list[Setting], *, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> list[Explained]:
    """The settings with what they mean; those that were given stand first.

    `folder` is where `.env` would stand; None: where the page was started.
    """
    given = _names(os.environ if environ is None else environ)
    written = _names(_env_file((folder or Path()) / ".env"))
    known = meanings()

    def origin(setting: Setting) -> str:
        names = {setting.name, _ALIASES.get(setting.name, setting.name)}
        if names & given:
            return ENVIRONMENT
        if names & written:
            return FILE
        return ENVIRONMENT if setting.given else DEFAULT

    told = [
        Explained(one.name, one.value, origin(one), known.get(one.name, "")) for one in settings
    ]
    return sorted(told, key=lambda one: (one.origin == DEFAULT, one.name))


@cache
def meanings() -> Mapping[str, str]:
    """The first paragraph that stands below each setting in its class, by its variable."""
    found: dict[str, str] = {}
    for name in _SOURCES:
        path = _ROOT / name
        if path.is_file():
            found = {**_documented(path.read_text(encoding="utf-8")), **found}
    return found


def _documented(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef):
            continue
        for field, below in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                first = below.value.value.split("\n\n")[0]
                found[f"HAYLOFT_{field.target.id.upper()}"] = " ".join(first.split())
    return found


def _env_file(path: Path) -> Mapping[str, str]:
    from dotenv import dotenv_values

    if not path.is_file():
        return {}
    return {name: value for name, value in dotenv_values(path).items() if value}


def _names(values: Mapping[str, str]) -> set[str]:
    """Variables that are set to something; case makes no difference to the settings."""
    return {name.upper() for name, value in values.items() if value}
