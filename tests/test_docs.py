"""What the documents say is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic_settings import BaseSettings

import hayloft
from app.auth_settings import AuthSettings
from app.health import known_settings
from app.settings import AppSettings
from ingest.settings import IngestSettings
from storage.settings import StorageSettings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS: tuple[type[BaseSettings], ...] = (
    StorageSettings,
    AppSettings,
    AuthSettings,
    IngestSettings,
)


def names() -> set[str]:
    return {f"HAYLOFT_{field.upper()}" for model in SETTINGS for field in model.model_fields}


def test_every_setting_stands_in_the_readme() -> None:
    """The settings table names all settings, and no others."""
    told = set(re.findall(r"`(HAYLOFT_[A-Z_]+)`", README))

    assert told == names()


def test_defaults_in_the_readme_are_the_defaults() -> None:
    """The second column of the settings table is what the classes say."""
    defaults = {
        f"HAYLOFT_{name.upper()}": field.default
        for model in SETTINGS
        for name, field in model.model_fields.items()
    }
    for variable, default in re.findall(r"^\| `(HAYLOFT_\w+)` \| ([^|]*?) \|", README, re.M):
        stated = default.strip().strip("`").removeprefix("./")
        actual = defaults[variable]
        if stated:
            assert (
                stated.lower() == f"{actual:g}"
                if isinstance(actual, float)
                else str(actual).lower() == stated.lower()
            ), variable


def test_doctor_knows_every_setting() -> None:
    """No setting that exists is reported as one that nothing reads."""
    assert names() <= known_settings()


def test_every_command_stands_in_the_readme() -> None:
    """The command table names all commands."""
    for command in hayloft.COMMANDS:
        assert f"`hayloft {command}" in README, command


def test_commands_in_the_readme_exist() -> None:
    """Every `hayloft …` in the documents is a command of the program, with options it has."""
    texts = [README, *(path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md"))]
    for text in texts:
        for line in re.findall(
            r"(?:^|[`/])hayloft ((?:--data-dir \S+ )?[a-z]+[^`\n]*)", text, re.M
        ):
            words = line.split()
            command = words[2] if words[0] == "--data-dir" else words[0]
            assert command in {*hayloft.COMMANDS, "models"}, line


def test_every_make_target_in_the_readme_exists() -> None:
    """`make X` in the README is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z][a-z-]+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_links_in_the_documents_lead_somewhere() -> None:
    """Relative links of README and docs point at files that exist."""
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
            if not target.startswith(("http://", "https://")):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
