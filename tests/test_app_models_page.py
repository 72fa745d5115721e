"""The models page and its jobs, against the Ollama double."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import resources
from app.chat_http import Server
from app.model_jobs import Job, ModelJobs, Tell, extending, loading, pulling, unloading
from app.models_view import job_words, memory_html, model_html
from app.ollama_server import ollama_server
from tests.canned_server import free_port
from tests.chat_fakes import HOSTILE
from tests.library_fixtures import wait_until
from tests.ollama_double import QWEN2, DoubleModel, OllamaDouble
from tests.page_fixtures import button, drawn, shown
from tests.toy_gguf import write_toy

SMALL = DoubleModel("qwen2:1.5b", size=1_000_000)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_pages: None) -> None:
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HAYLOFT_MODEL", "extractive")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaDouble]:
    with OllamaDouble(models=[QWEN2], library=[SMALL]) as double:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", double.url)
        yield double


@pytest.fixture
def server(double: OllamaDouble) -> Server:
    return ollama_server(double.url)


def ended(jobs: ModelJobs) -> Job:
    assert jobs.wait(10)
    job = jobs.state()
    assert job is not None and job.state == "ended"
    return job


# --- jobs -----------------------------------------------------------------------------------------


def test_a_pull_tells_its_bytes(double: OllamaDouble, server: Server) -> None:
    """Progress while it runs, a sentence at its end, and the model is there."""
    double.pull_s = 1.0
    jobs = ModelJobs()
    assert jobs.start("Fetching", pulling(server, "qwen2:1.5b"))

    wait_until(lambda: (job := jobs.state()) and job.done)
    job = jobs.state()
    assert job is not None
    assert (job.stage, job.of) == ("fetching", SMALL.size)
    assert job.share is not None and 0 < job.share < 1
    assert not jobs.start("Another", pulling(server, "x"))
    assert ended(jobs).said == ("qwen2:1.5b is installed.",)


def test_cancelling_a_pull_hangs_up_at_once(double: OllamaDouble, server: Server) -> None:
    """Also while Ollama says nothing; what has arrived stays there, and the next pull goes on."""
    double.pull_s = 40.0
    jobs = ModelJobs()
    jobs.start("Fetching", pulling(server, "qwen2:1.5b"), stopped="Stopped. It goes on later.")
    wait_until(lambda: (job := jobs.state()) and job.of)

    started = time.monotonic()
    jobs.stop()
    job = ended(jobs)

    assert time.monotonic() - started < 3
    assert (job.fault, job.said) == ("", ("Stopped. It goes on later.",))
    double.pull_s = 0.0
    assert jobs.start("Fetching", pulling(server, "qwen2:1.5b"))
    assert ended(jobs).said == ("qwen2:1.5b is installed.",)


def test_a_job_that_fails_says_why(double: OllamaDouble, server: Server) -> None:
    """The sentence of the error, and the way is free for the next job."""
    jobs = ModelJobs()
    jobs.start("Fetching", pulling(server, "qwen9:1b"))

    job = ended(jobs)

    assert "has no model qwen9:1b" in job.fault
    jobs.dismiss()
    assert jobs.state() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_job_is_said_and_ends_it() -> None:
    """The page goes on; the thread's traceback goes to the log."""

    def bug(tell: Tell) -> list[str]:
        raise ZeroDivisionError

    jobs = ModelJobs()
    jobs.start("Trying", bug)

    assert "fault of the program" in ended(jobs).fault


def test_loading_and_unloading(double: OllamaDouble, server: Server) -> None:
    """What is loaded is what the server says it serves; unloading frees it."""
    jobs = ModelJobs()
    jobs.start("Loading", loading(server, QWEN2.name, 8192))
    said = ended(jobs).said
    assert "is loaded with a window of 8,192 tokens" in said[0]

    jobs.start("Unloading", unloading(server, QWEN2.name))
    assert ended(jobs).fault == ""
    from app.ollama_models import running_models

    assert running_models(server) == []


def test_extending_from_the_page(tmp_path: Path, double: OllamaDouble, server: Server) -> None:
    """The copy with the long window is made, and nothing half-made is left."""
    toy = write_toy(tmp_path / "toy.gguf").read_bytes()
    double.install(double.store.add("qwen2:7b", toy, tmp_path / "home" / ".ollama" / "models"))
    jobs = ModelJobs()

    jobs.start("Extending", extending(server, "qwen2:7b", tmp_path / "scratch"))
    job = ended(jobs)

    assert job.fault == ""
    assert any("131,072 tokens" in line for line in job.said)
    assert [path for path in tmp_path.rglob("*.gguf*") if path.name != "toy.gguf"] == []


# --- what is shown --------------------------------------------------------------------------------


def test_words_of_a_job() -> None:
    """Bytes and the time left, where they are known."""
    job = Job("Fetching x", "", stage="fetching", done=10**9, of=4 * 10**9, seconds=20.0)

    assert job_words(job) == ("Fetching x: fetching, 1.00 of 4.00 GB, about 1 min 0 s left · 20 s")
    assert job_words(Job("Loading x", "")) == "Loading x: begins · 0 s"


def test_memory_is_a_table_that_reads_aloud() -> None:
    """Each cell says where that would run, not only by its sign."""
    need = {"window": 8192, "kv_type": "f16", "kv_bytes": 5 * 10**8, "total_bytes": 5 * 10**9}

    html = memory_html([{**need, "fits": "gpu"}, {**need, "window": 131072, "fits": "no"}], "m")

    assert "4.5 GB of weights, 0.5 GB of cache: on the graphics card" in html
    assert 'aria-label="does not fit"' in html
    assert memory_html([], "m") == ""


def test_hostile_model_names_stay_text() -> None:
    """A name is whatever a server says it is."""
    model = {
        "name": HOSTILE,
        "digest": "<b>",
        "size_bytes": 1,
        "parameters_billions": None,
        "quantization": "<i>",
        "loaded": False,
        "loaded_bytes": None,
        "loaded_gpu_bytes": None,
        "remote": False,
        "chats": True,
        "trained_window": None,
        "usable_window": None,
        "memory": [],
    }

    html = model_html(model)

    assert "<img" not in html
    assert "<b>" not in html
    assert "<i>" not in html


# --- the page -------------------------------------------------------------------------------------


def test_without_ollama_there_is_a_sentence_and_the_catalogue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Qwen2 would take is shown all the same; nothing can be fetched."""
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", f"http://127.0.0.1:{free_port()}")

    page = drawn("app.models_page")

    assert not page.exception
    html = shown(page)
    assert "No Ollama here" in html
    assert "Start it with <code>ollama serve</code>" in html
    assert "qwen2:7b" in html
    fetches = [item for item in page.button if item.label == "Fetch"]
    assert fetches
    assert all(item.disabled for item in fetches)


def test_what_is_installed_is_shown_with_its_windows(double: OllamaDouble) -> None:
    """Windows, memory by window and type of cache, and whether it is loaded."""
    page = drawn("app.models_page")

    html = shown(page)
    assert not page.exception
    assert QWEN2.name in html
    assert "served: not loaded" in html
    assert '<th scope="col">32K</th>' in html
    button(page, "load-0").click().run()
    assert resources.model_jobs().wait(10)
    page.run()
    page.run()
    assert "served: 32,768 now" in shown(page)
    assert "hl-badge-ok" in shown(page)


def test_a_model_is_fetched_by_its_name(double: OllamaDouble) -> None:
    """Typed, fetched, listed; the box is empty for the next one."""
    page = drawn("app.models_page")

    page.text_input(key="pull-name").set_value(" qwen2:1.5b ").run()
    button(page, "pull-typed").click().run()
    assert resources.model_jobs().wait(10)
    page.run()
    page.run()

    assert "qwen2:1.5b is installed." in shown(page)
    assert page.text_input(key="pull-name").value == ""
    assert {model["name"] for model in resources.models()["installed"]} >= {"qwen2:1.5b"}


def test_an_address_that_is_none_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot work is said, not raised."""
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", "ftp://x")

    page = drawn("app.models_page")

    assert not page.exception
    assert "is not an address of Ollama" in shown(page)
