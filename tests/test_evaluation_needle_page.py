"""The needle page, run by Streamlit's own test runner over real runs and a double of Ollama."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import hayloft
from app.calibration import RUNS
from evaluation import needle_downloads_page, needle_page, needle_run_page
from evaluation.niah import background, calibration
from evaluation.niah.rows import read_rows, write_rows
from evaluation.niah.run_list import at_work, list_runs
from storage.errors import LockHeld, UsageError
from storage.locks import FileLock
from tests.chat_fakes import HOSTILE
from tests.library_fixtures import wait_until
from tests.niah_fixtures import kept_run, made_run, small_counter
from tests.niah_rows import row, run
from tests.ollama_double import OllamaDouble
from tests.page_fixtures import keys, shown
from tests.test_evaluation_niah_runner import GRID, MODEL, reply

PAGE = Path(needle_page.__file__)


@pytest.fixture(autouse=True)
def _alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_settings: None, fresh_pages: None
) -> Iterator[None]:
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HAYLOFT_MODEL", "extractive")
    yield
    background.cancel(tmp_path)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaDouble]:
    with OllamaDouble(models=[MODEL], tokenize=small_counter().ids, reply=reply) as running:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", running.url)
        monkeypatch.setenv("HAYLOFT_MODEL", "ollama:qwen2:7b")
        yield running


def opened(**address: str) -> AppTest:
    """The page at an address; nothing on it has failed."""
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def test_without_a_run_it_says_how_one_is_made() -> None:
    """And that there is no model to measure."""
    html = shown(opened())

    assert "There is no run yet" in html and "hayloft eval niah run" in html
    assert "No chat model at hand" in html


def test_the_newest_run_is_open_with_its_map(tmp_path: Path) -> None:
    """The list, the facts, the sentence, the map, the stages."""
    made_run(tmp_path, "one")

    html = shown(opened())

    assert 'data-niah="run:one"' in html and "fake qwen2" in html and "complete" in html
    assert 'data-niah="cell:3000@0.5"' in html and ">2/2<" in html
    assert "Effective length" in html or "keeps a 95% lower bound" in html
    assert "Where needles are lost" in html and "Choose a cell" in html


def test_an_address_opens_a_cell(tmp_path: Path) -> None:
    """Its questions and answers, with the interval."""
    made_run(tmp_path, "one")

    html = shown(opened(run="one", cell="2000@0.5"))

    assert "2 of 2 right, 95% interval 0.34–1.00" in html
    assert html.count("<article") == 2 and "registration number" in html


@pytest.mark.parametrize(
    ("name", "cell"), [("../..", "1"), ("nobody", "9@9"), (HOSTILE, HOSTILE), ("", "\x00")]
)
def test_an_address_that_names_nothing_opens_the_newest(
    tmp_path: Path, name: str, cell: str
) -> None:
    """Addresses are looked up, never followed."""
    made_run(tmp_path, "one")

    html = shown(opened(run=name, cell=cell))

    assert "<bdi>one</bdi>" in html and "Choose a cell" in html


def test_a_cell_of_many_rows_is_turned_by_pages(tmp_path: Path) -> None:
    """Twenty at a time."""
    kept_run(tmp_path, "r", run(lengths=(4096,), trials=5))

    page = opened(run="r", cell="4096")
    first = shown(page).count("<article")
    page.number_input(key="niah-page-long, single-4096").set_value(3).run()

    assert first == 20 and shown(page).count("<article") == 15 and not page.exception


def test_the_very_prompt_is_shown_and_proved(
    tmp_path: Path, double: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a row of a real run; its needle is marked."""
    assert hayloft.main(["eval", "niah", "run", *GRID, "--run", "real"]) == 0
    found = next(
        one for one in read_rows(tmp_path / RUNS / "real" / "rows.jsonl") if one.length == 4000
    )

    page = opened(run="real")
    page.session_state["niah-row"] = found.key
    page.run()

    html = shown(page)
    assert not page.exception
    assert "the very prompt: its digest is the row" in html
    assert f'<mark class="nd-needle" title="needle">{found.needles[0].text}</mark>' in html
    assert "characters left out" in html
    page.toggle(key=f"niah-whole-{found.key}").set_value(True).run()
    assert "characters left out" not in shown(page) and not page.exception


def test_a_prompt_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    """Here: only the rows are left of the run."""
    kept_run(tmp_path, "r", [row()])

    page = opened(run="r")
    page.session_state["niah-row"] = row().key
    page.run()

    assert "The prompt cannot be shown" in shown(page) and not page.exception


def test_hostile_text_reaches_the_page_as_text(tmp_path: Path) -> None:
    """Half a pair of surrogates in an answer too, which has no form on the wire."""
    bad = f"{HOSTILE}<script>1</script>\ud800"
    name = "<img src=x onerror=1>"
    rows = [row(answer=bad, question=bad, model=bad, haystack=bad, key="k")]
    kept_run(tmp_path, name, rows)

    page = opened(run=name, cell="4096@0.5")
    page.session_state["niah-row"] = "k"
    page.run()

    html = shown(page)
    assert not page.exception and "&lt;script&gt;" in html
    assert "<script" not in html and "<img" not in html


def test_damaged_runs_break_nothing(tmp_path: Path) -> None:
    """A torn line, a foreign line, odd files: the page tells, and shows the sound run."""
    made_run(tmp_path, "sound")
    for name in ("plan", "rows", "torn"):
        made_run(tmp_path, name)
    (tmp_path / RUNS / "plan" / "plan.json").write_text("{")
    (tmp_path / RUNS / "rows" / "rows.jsonl").write_bytes(b'{"key": 1}\n{}\n')
    with (tmp_path / RUNS / "torn" / "rows.jsonl").open("ab") as file:
        file.write(b'{"key": "ab')
    (tmp_path / RUNS / "torn" / "calibration.json").write_text("[1")
    (tmp_path / RUNS / "empty").mkdir()

    assert "<bdi>sound</bdi>" in shown(opened(run="sound"))
    assert "plan.json cannot be read" in shown(opened(run="plan"))
    assert "line 1: not a row" in shown(opened(run="rows"))
    assert ">2/2<" in shown(opened(run="torn"))


def test_two_runs_are_compared(tmp_path: Path) -> None:
    """Fixed, broken, p, and what is not the same about them."""
    kept_run(tmp_path, "a", run(lambda length, depth, trial: length < 32768))
    kept_run(tmp_path, "b", run(lambda length, depth, trial: length < 65536, digest="sha256:def"))
    kept_run(tmp_path, "c", [row(seed=5)])

    page = opened(run="b")
    page.selectbox(key="niah-other-b").set_value("a").run()
    html = shown(page)

    assert "B is better in long: 33 fixed, 0 broken of 132, p &lt; 0.001." in html
    assert "digest: sha256:abc → sha256:def" in html
    page.selectbox(key="niah-other-b").set_value("c").run()
    assert "have no question in common" in shown(page) and not page.exception


def test_files_are_made_when_they_are_asked_for(tmp_path: Path) -> None:
    """HTML, PNG, CSV and JSON of what is on the page; nothing is written into the run."""
    folder = kept_run(tmp_path, "r", run(lengths=(4096,)))

    page = opened(run="r")

    assert len([one for one in page.get("download_button") if one.label]) == 5
    opened_run = needle_run_page._opened(str(folder), ((0, 0),))
    summary = opened_run.summary
    picture = needle_downloads_page._picture(summary.panels[0], summary, "colour-blind")
    assert picture.startswith(b"\x89PNG") and [path.name for path in folder.iterdir()] == [
        "rows.jsonl"
    ]


def test_a_stale_calibration_is_told_with_the_command(tmp_path: Path, double: OllamaDouble) -> None:
    """Of other weights than those that are served; it is not in force."""
    rows = run(lengths=(4096, 16384))
    folder = kept_run(tmp_path, "old", rows)
    record = calibration.calibrate(rows, "old", "2026-11-20T10:00:00+00:00")
    assert record is not None and record.valid
    calibration.write(record, folder)

    html = shown(opened(run="old"))

    assert "The calibration is stale" in html and "hayloft eval niah run" in html
    assert "was the last to set" in html and ">in force<" not in html


# --- a run in the background --------------------------------------------------------------------


def until(page: AppTest, fact: Callable[[AppTest], bool], seconds: float = 60.0) -> AppTest:
    """Run the page until a fact holds."""
    deadline = time.monotonic() + seconds
    while not fact(page.run()):
        assert time.monotonic() < deadline, shown(page)[-3000:]
        assert not page.exception
        time.sleep(0.2)
    return page


def test_a_run_is_begun_watched_stopped_and_gone_on_with(
    tmp_path: Path, double: OllamaDouble
) -> None:
    """From the page, in a process of its own; what it asked before it was stopped is kept."""
    double.prefill_tokens_per_s = 20_000.0
    page = opened()
    page.selectbox(key="niah-haystack").set_value("generated")
    page.number_input(key="niah-minutes").set_value(2)
    page.button[0].click().run()

    until(page, lambda now: any(" of " in bar.proto.text for bar in now.get("progress")))
    assert "niah-stop" in keys(page) and not page.get("form")
    (folder,) = at_work(tmp_path)
    wait_until(lambda: len(read_rows(folder / "rows.jsonl")) > 3, timeout_s=60, what="rows")
    with pytest.raises(LockHeld, match="at work"):
        background.begin(tmp_path, [])

    page.button(key="niah-stop").click().run()
    assert background.last(tmp_path).alive is False and at_work(tmp_path) == []
    stopped = len(read_rows(folder / "rows.jsonl"))
    assert list_runs(tmp_path)[0].state == "stopped" and stopped > 3

    until(page, lambda now: "niah-go-on" in keys(now))
    double.prefill_tokens_per_s = 1_000_000.0
    page.button(key="niah-go-on").click().run()
    until(page, lambda now: len(read_rows(folder / "rows.jsonl")) > stopped)


def test_a_run_that_cannot_begin_says_why(
    tmp_path: Path, double: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process's own last words."""
    page = opened()
    double.stop()
    page.button[0].click().run()

    until(page, lambda now: "The last run did not begin" in shown(now))
    assert "does not answer" in shown(page)


def test_a_run_by_another_hand_is_watched_too(tmp_path: Path) -> None:
    """It is read as it grows, and cannot be stopped here."""
    folder = made_run(tmp_path, "theirs")
    rows = read_rows(folder / "rows.jsonl")
    write_rows(folder / "rows.jsonl", rows[:12])

    with FileLock(folder / "run.lock") as lock:
        lock.acquire()
        page = opened(run="theirs")

        assert "12 of 20" in page.get("progress")[0].proto.text
        assert "niah-stop" not in keys(page)
        with pytest.raises(LockHeld, match="theirs"):
            background.begin(tmp_path, [])


@pytest.mark.parametrize("name", ["../x", "a/b", "-x", "..", "."])
def test_a_run_is_begun_only_under_a_plain_name(tmp_path: Path, name: str) -> None:
    """No path, no option."""
    with pytest.raises(UsageError, match="id of a run"):
        background.begin(tmp_path, [], run=name)
