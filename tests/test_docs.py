"""What the documents say is what the program has."""

from __future__ import annotations

import argparse
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
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_COMMAND = re.compile(
    r"(?:^ *|[`/]|run --rm \w+ |exec (?:-d )?\w+ )hayloft ((?:--data-dir \S+ )?[a-z][^`\n;]*)", re.M
)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
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
    found = 0
    for document in DOCUMENTS:
        for line in _COMMAND.findall(document.read_text("utf-8")):
            words = line.split("#")[0].split()
            while words[0] in ("--data-dir", "--log-level"):
                del words[:2]
            assert words[0] in hayloft.COMMANDS, f"{document.name}: {line}"
            unknown = set(_OPTION.findall(" ".join(words))) - _options(words)
            assert not unknown, f"{document.name}: {line}"
            found += 1
    assert found > 100


def _options(words: list[str]) -> set[str]:
    """The options of a command line's command, and of its own commands down to the one called."""
    parser = hayloft._parser(words[0])
    found: set[str] = set()
    rest = list(words)
    while True:
        found |= {option for action in parser._actions for option in action.option_strings}
        parts = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if not parts or not rest or rest[0] not in parts[0].choices:
            return found
        parser = parts[0].choices[rest.pop(0)]


def test_the_way_from_the_readme_leads_to_every_guide() -> None:
    """No page of docs/ has to be guessed at."""
    for guide in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{guide.name})" in README, guide.name


def test_every_make_target_in_the_readme_exists() -> None:
    """`make X` in the README is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z][a-z-]+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_links_in_the_documents_lead_somewhere() -> None:
    """Relative links of README and docs point at files that exist, and at headings they have."""
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)]+)\)", document.read_text("utf-8")):
            if target.startswith(("http://", "https://")):
                continue
            path, _, heading = target.partition("#")
            file = (document.parent / path) if path else document
            assert file.exists(), f"{document.name}: {target}"
            if heading:
                assert heading in _headings(file), f"{document.name}: {target}"


def _headings(document: Path) -> set[str]:
    """The names by which a document's headings are linked to."""
    lines = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}
