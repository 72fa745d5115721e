"""What the status page tells: connections out of settings, secrets hidden, nothing made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.connections import Connection, connections, summary, without_secrets
from app.settings import AppSettings
from app.speeds import SpeedLog
from app.status_view import (
    IngestGiven,
    disk_use,
    ingest_speed,
    model_names,
    settings_in_effect,
    speeds_html,
    versions,
)
from ingest.settings import IngestSettings
from storage.catalog import Catalog
from storage.records import RunSummary
from storage.run_history import RunHistory
from storage.settings import StorageSettings
from tests.canned_server import free_port
from tests.page_fixtures import drawn, shown

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, no_settings: None, fresh_pages: None) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def found(
    *,
    storage: dict[str, object] | None = None,
    app: dict[str, object] | None = None,
    on_failure: str = "",
    usage: bool = False,
    environ: dict[str, str] | None = None,
) -> dict[str, Connection]:
    told = connections(
        StorageSettings(**(storage or {})),  # type: ignore[arg-type]
        AppSettings(**(app or {})),  # type: ignore[arg-type]
        on_failure=on_failure,
        usage_statistics=usage,
        environ=environ or {},
    )
    return {connection.what: connection for connection in told}


# --- connections ----------------------------------------------------------------------------------


def test_by_default_nothing_leaves_this_machine() -> None:
    """Both addresses of the defaults are loopback ones, and the sentence says so."""
    told = found()

    assert set(told) == {"Ollama", "Chroma"}
    assert not any(connection.leaves for connection in told.values())
    assert summary(list(told.values())).startswith("None leave this machine")


@pytest.mark.parametrize("url", ["http://gpu.example:11434", "gpu.example", "https://10.0.0.7"])
def test_ollama_elsewhere_is_named(url: str) -> None:
    """Another machine is another machine, also in a private network."""
    told = found(app={"ollama_url": url})

    assert told["Ollama"].leaves
    assert "Questions and the passages" in told["Ollama"].when
    assert summary(list(told.values())).startswith("These leave this machine: Ollama (http")


@pytest.mark.parametrize("url", ["127.0.0.1:9", "http://localhost:11434", "http://[::1]:1"])
def test_loopback_in_any_form_is_this_machine(url: str) -> None:
    """Names and numbers of loopback alike."""
    assert not found(app={"ollama_url": url})["Ollama"].leaves


def test_each_setting_with_an_address_is_a_connection() -> None:
    """OpenAI-compatible server, Chroma, webhook; each with what it is given."""
    told = found(
        storage={"chroma_url": "http://vectors.example:8000"},
        app={"openai_url": "https://api.example/v1"},
        on_failure="https://hooks.example/services/T0/B0/" + SECRET,
    )

    assert [name for name, connection in told.items() if connection.leaves] == [
        "The OpenAI-compatible server",
        "Chroma",
        "The failure hook",
    ]
    assert "Not asked for answers" in told["Ollama"].when
    assert "text of the chunks" in told["Chroma"].when
    assert told["The failure hook"].where == "https://hooks.example/…"


def test_what_cannot_be_told_counts_as_leaving() -> None:
    """A command of the user's own may do anything; statistics of the page's server do leave."""
    told = found(on_failure=f"mail -s failed me@example.org {SECRET}", usage=True)

    assert told["The failure hook"].leaves
    assert SECRET not in told["The failure hook"].where
    assert told["The page's server"].leaves


def test_a_proxy_is_named_where_it_is_used() -> None:
    """Only where something leaves, since loopback goes past it."""
    environ = {"https_proxy": f"http://user:{SECRET}@proxy.example:3128"}

    assert "A proxy" not in found(environ=environ)
    told = found(app={"ollama_url": "https://gpu.example"}, environ=environ)

    assert told["A proxy"].where == "http://proxy.example:3128…"


def test_addresses_lose_their_secrets() -> None:
    """User names, passwords, queries and fragments are hidden; text that is no address stays."""
    assert without_secrets(f"https://u:{SECRET}@h:1/p?k={SECRET}#x") == "https://h:1/p…"
    assert without_secrets("qwen2:7b") == "qwen2:7b"
    assert without_secrets("http://127.0.0.1:11434") == "http://127.0.0.1:11434"


# --- settings, disk, versions, speeds -------------------------------------------------------------


def test_the_ingestion_settings_are_those_of_the_ingestion() -> None:
    """A name that is missing here would not be shown."""
    shared = {"tokenizer"}

    assert set(IngestGiven.model_fields) == set(IngestSettings.model_fields) - shared


def test_settings_hide_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, tokens, hooks and passwords in addresses are never shown; what is given leads."""
    monkeypatch.setenv("HAYLOFT_ON_FAILURE", f"https://h.example/{SECRET}")
    shown = settings_in_effect(
        StorageSettings(chroma_token=SECRET, chroma_url=f"http://u:{SECRET}@h"),
        AppSettings(
            openai_api_key=SecretStr(SECRET), openai_url=f"http://h/v1?key={SECRET}", window=4096
        ),
        IngestGiven(),
    )

    assert SECRET not in str(shown)
    by_name = {setting.name: setting for setting in shown}
    assert by_name["HAYLOFT_CHROMA_TOKEN"].value == "set, hidden"
    assert by_name["HAYLOFT_OPENAI_API_KEY"].given
    assert by_name["HAYLOFT_WINDOW"].value == "4096"
    assert not by_name["HAYLOFT_DATA_DIR"].given
    assert [setting.given for setting in shown] == sorted(
        (setting.given for setting in shown), reverse=True
    )


def test_disk_use_counts_what_lies_there(tmp_path: Path) -> None:
    """Files and folders by size; links are not followed, and a missing folder is nothing."""
    (tmp_path / "d" / "chroma" / "deep").mkdir(parents=True)
    (tmp_path / "d" / "chroma" / "deep" / "x").write_bytes(bytes(500))
    (tmp_path / "d" / "catalog.db").write_bytes(bytes(300))
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")

    use = disk_use(tmp_path / "d")

    assert use.parts[:2] == (("chroma/", 500), ("catalog.db", 300))
    assert use.free > 0
    assert disk_use(tmp_path / "none" / "at all").parts == ()


def test_versions_are_those_installed() -> None:
    """Python, SQLite and Hayloft itself at least."""
    assert {"python", "sqlite", "streamlit", "chromadb"} <= set(versions())


def test_speeds_are_only_those_measured(tmp_path: Path) -> None:
    """Nothing measured, nothing shown; then medians by model, with the model's name."""
    log = SpeedLog(tmp_path)
    assert "No answer of a model has been measured" in speeds_html(log.known(), {})

    log.add("a" * 64, 8192, computed_tokens=1000, prompt_s=2.0, answer_tokens=100, answer_s=10.0)
    html = speeds_html(log.known(), {"a" * 12: "qwen2:<b>"})

    assert "qwen2:&lt;b&gt;" in html
    # What a phone shows, where the head of the table is out of sight.
    assert 'data-name="Window">8,192<' in html
    assert 'data-name="Reads, tokens a second">500.0<' in html
    assert "10.0" in html


def test_a_model_counts_as_gone_only_where_ollama_says_so(tmp_path: Path) -> None:
    """While Ollama is away nobody knows what is installed."""
    log = SpeedLog(tmp_path)
    log.add("a" * 64, 8192, computed_tokens=1000, prompt_s=2.0, answer_tokens=100, answer_s=10.0)
    away = {"ollama": {"reachable": False}, "installed": []}
    empty = {"ollama": {"reachable": True}, "installed": []}

    assert "name is not known now" in speeds_html(log.known(), model_names(away))
    assert "no longer installed" in speeds_html(log.known(), model_names(empty))


def test_ingestion_speed_is_of_runs_that_had_something_to_do() -> None:
    """Runs of a few chunks say nothing about it."""

    def run(embedded: int, seconds: float | None) -> RunSummary:
        return RunSummary(
            1, 0.0, 1.0, "complete", 1, 0, 0, 0, 0, 10, embedded, embedded=embedded, seconds=seconds
        )

    assert ingest_speed([run(5, 10.0), run(0, 1.0), run(100, None)]) == ""
    assert ingest_speed([run(100, 10.0), run(3, 60.0)]).startswith("10.0 chunks embedded a second")


# --- the page -------------------------------------------------------------------------------------


def test_the_page_tells_services_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything on one page; without Ollama there is a sentence in its place."""
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("HAYLOFT_CHROMA_TOKEN", SECRET)
    catalog = Catalog(tmp_path / "catalog.db")
    history = RunHistory(catalog.database)
    run = history.begin("verify")
    counts = dict.fromkeys("added updated unchanged deleted failed pages chunks".split(), 0)
    history.end(run, "failed-files", counts | {"failed": 2}, seconds=75, reasons={"damaged": 2})
    catalog.close()

    page = drawn("app.status_page", timeout_s=30)

    assert not page.exception
    html = shown(page)
    assert "does not answer" in html
    assert "not running; it starts when it is needed" in html
    assert "1 min 15 s" in html
    assert "2 damaged" in html
    assert 'href="./settings"' in html
    assert SECRET not in html


def test_a_catalog_that_cannot_be_read_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections and disk are told all the same."""
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", f"http://127.0.0.1:{free_port()}")
    (tmp_path / "catalog.db").write_bytes(b"no database at all, just words" * 100)

    page = drawn("app.status_page", timeout_s=30)

    assert not page.exception
    html = shown(page)
    assert "This cannot be told now" in html
    assert "is damaged" in html
    assert "Outbound connections" in html
    assert 'href="./settings"' in html
