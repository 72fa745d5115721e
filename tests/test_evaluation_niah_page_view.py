"""What the needle page shows, without Streamlit: runs as a list, maps, cells, prompts in parts."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from app.calibration import RUNS, TrustedWindow
from evaluation.niah import calibration, page_answers, page_map, page_runs
from evaluation.niah.comparison import compare
from evaluation.niah.page_map import Place
from evaluation.niah.prompt_parts import parts
from evaluation.niah.records import Needle
from evaluation.niah.rows import RowFile, read_rows, write_rows
from evaluation.niah.run_list import Tail, list_runs, stamp_of
from evaluation.niah.summary import summarise
from storage.errors import UsageError
from storage.locks import FileLock
from tests.chat_fakes import HOSTILE
from tests.niah_fixtures import kept_run, made_run
from tests.niah_rows import finished, row, run

# --- the list -----------------------------------------------------------------------------------


def test_a_run_is_listed_with_what_it_measured(tmp_path: Path) -> None:
    """Model, digest, window, grid, and that it is complete."""
    made_run(tmp_path, "one")

    (entry,) = list_runs(tmp_path)

    assert (entry.name, entry.state, entry.model, entry.digest) == (
        "one", "complete", "fake qwen2", "d1",
    )  # fmt: skip
    assert page_runs.grid_of(entry) == "2,000–3,000 × 3 depths × 2 trials"
    assert entry.window == 32768 and entry.total == 20 and entry.calibration is None


def test_a_run_that_somebody_is_at_says_so(tmp_path: Path) -> None:
    """By its lock, which the kernel frees with the process: a killed run is not at work."""
    folder = made_run(tmp_path, "one")

    with FileLock(folder / "run.lock") as lock:
        lock.acquire()
        busy = list_runs(tmp_path)[0].state
    assert (busy, list_runs(tmp_path)[0].state) == ("at work", "complete")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("plan.json", b"{", "plan.json cannot be read"),
        ("plan.json", b"[1]", "plan.json cannot be read"),
        ("plan.json", b"[" * 100_000, "plan.json cannot be read"),
        ("config.yaml", b"lengths: [", "is not YAML"),
        ("config.yaml", b"\xff\xfe", "cannot be read"),
        ("config.yaml", b"colour: red", "unknown key"),
    ],
)
def test_a_damaged_run_is_listed_with_the_reason(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    """The others are listed as ever."""
    made_run(tmp_path, "sound")
    folder = made_run(tmp_path, "damaged")
    (folder / name).write_bytes(content)

    entries = {entry.name: entry for entry in list_runs(tmp_path)}

    assert entries["sound"].state == "complete"
    assert entries["damaged"].state == "broken" and told in entries["damaged"].fault
    assert "Cannot be read" in page_runs.runs_html(list(entries.values()), "sound", "")


def test_half_made_folders_break_nothing(tmp_path: Path) -> None:
    """Killed before its first question; a plan of odd types; a stray file."""
    home = tmp_path / RUNS
    for name in ("begun", "odd", "empty"):
        (home / name).mkdir(parents=True)
    (home / "begun" / "plan.json").write_text('{"state": "running"}')
    (home / "odd" / "plan.json").write_text('{"served": [1], "made_at": 5, "trials": "x"}')
    kept_run(tmp_path, "rows only", [])
    (home / "odd" / "rows.jsonl").write_text("")
    (home / "stray").write_text("x")

    entries = {entry.name: entry for entry in list_runs(tmp_path)}

    assert set(entries) == {"begun", "odd", "rows only"}
    assert "before its first question" in entries["begun"].fault
    assert (entries["odd"].model, entries["odd"].total) == ("", 0)
    assert page_runs.runs_html(list(entries.values()), "", "").count("<tr") == 4
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "change",
    [
        {"length": "4096"}, {"depth_target": None}, {"depth_target": float("nan")},
        {"needles": 5}, {"needles": [{"text": 1, "value": "2"}]}, {"score": "good"},
        {"score_detail": []}, {"expected": "abc"}, {"expected": [1]}, {"arm": "fifth"},
        {"status": "fine"}, {"failure_stage": "NOWHERE"}, {"stage_trace": [1]},
        {"answer": None}, {"options": None}, {"seconds": float("inf")}, {"window": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_of_odd_types_is_no_row(tmp_path: Path, change: dict) -> None:
    """It is named by its line, rather than breaking what reads it later."""
    folder = kept_run(tmp_path, "r", [row(), row(trial=1), row(trial=2)])
    path = folder / "rows.jsonl"
    lines = path.read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **change})
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises(UsageError, match="line 2: not a row"):
        read_rows(path)


# --- a run at work ------------------------------------------------------------------------------


def test_rows_are_counted_as_they_come(tmp_path: Path) -> None:
    """A half-written line is read when it is whole; an error counts as not done."""
    folder = made_run(tmp_path, "one")
    lines = (folder / "rows.jsonl").read_bytes().splitlines(keepends=True)
    tail = Tail(folder)

    def after(content: bytes) -> tuple[int, int]:
        with (folder / "rows.jsonl").open("r+b") as file:
            file.seek(0)
            file.truncate()
            file.write(content)
        standing = tail.look()
        return standing.done, standing.total

    assert after(b"") == (0, 20)
    assert after(lines[0] + lines[1][:40]) == (1, 20)
    assert after(lines[0] + lines[1]) == (2, 20)
    failed = json.loads(lines[2]) | {"status": "error", "score": None}
    begun = b"".join(lines[:2]) + json.dumps(failed).encode() + b"\n"
    assert after(begun) == (2, 20)
    assert after(begun + b"".join(lines[2:])) == (20, 20)
    assert after(b"not json\n[1]\n{}\n") == (0, 20)


def test_the_time_left_follows_arms_and_lengths(tmp_path: Path) -> None:
    """What is missing costs what its like has cost; unseen lengths in proportion."""
    folder = made_run(tmp_path, "one")
    rows = read_rows(folder / "rows.jsonl")
    (folder / "rows.jsonl").unlink()
    with RowFile(folder / "rows.jsonl") as file:
        for one in rows:
            if one.trial == 0 and (one.arm, one.length) != ("long", 3000):
                seconds = {"closed": 1.0, "oracle": 3.0, "long": 10.0}[one.arm]
                file.append(dataclasses.replace(one, seconds=seconds))

    standing = Tail(folder).look()

    # A closed one, three oracles, three of 2,000 and six of 3,000 at 15 s are left.
    assert standing.done == 7
    assert standing.seconds_left == pytest.approx(1 + 3 * 3 + 3 * 10 + 6 * 15)
    assert "7 of 20, about 2 min left" in page_runs.standing_words(standing)


def test_a_file_that_was_scored_anew_is_read_from_its_start(tmp_path: Path) -> None:
    """Another file in its place is not half of the one before."""
    folder = made_run(tmp_path, "one")
    tail = Tail(folder)
    assert tail.look().done == 20

    write_rows(folder / "rows.jsonl", read_rows(folder / "rows.jsonl")[:5])
    assert tail.look().done == 5


# --- maps and cells -----------------------------------------------------------------------------


def test_the_map_tells_each_state_apart() -> None:
    """Right and wrong in colour; not run, invalid and known hatched; never red."""
    rows = run(lambda length, depth, trial: length < 32768)
    rows = [
        dataclasses.replace(one, status="window_clamped", score=None, failure_stage=None)
        if one.length == 65536
        else one
        for one in rows
        if (one.length, one.depth_target) != (4096, 0.3)
    ]
    (panel,) = summarise(rows, ()).panels
    html = page_map.map_html(panel, 32768, "classic", Place(16384, 0.5))

    of = {p: k for k, p in re.findall(r'class="(nd-cell[^"]*)" data-niah="cell:([^"]+)"', html)}
    assert "nd-void" in of["65536@0.5"] and "nd-void" in of["65536"]
    assert "nd-blank" in of["4096@0.3"] and "nd-on" in of["16384@0.5"]
    assert html.count("background:#f0496e") == 12  # 32K alone: eleven depths and their sum
    assert "32K trained and served" in html and "3/3" in html and "0.00–0.56" in html


def test_a_place_is_only_what_the_map_has() -> None:
    """An address that names anything else opens nothing."""
    (panel,) = summarise(run(lengths=(4096,)), ()).panels

    assert page_map.place_named("4096@0.5", panel) == Place(4096, 0.5)
    assert page_map.place_named("4096", panel) == Place(4096, None)
    for name in ("", "4096@0.55", "8192", "../x", "4096@0.5@1", HOSTILE):
        assert page_map.place_named(name, panel) is None


def test_a_cell_shows_its_rows_the_lost_first() -> None:
    """With question, answer, stage and interval."""
    rows = run(lambda length, depth, trial: trial != 1, lengths=(4096,))
    (panel,) = summarise(rows, ()).panels
    place = Place(4096, 0.5)

    found = page_answers.rows_at(rows, panel, place)

    assert [one.trial for one in found] == [1, 0, 2]
    assert "2 of 3 right, 95% interval 0.21–0.94" in page_answers.place_html(panel, place, found)
    card = page_answers.row_html(found[0])
    assert "The text does not say." in card and "delivered, said not there" in card
    assert "4,032 counted, 4,032 read by the server" in card
    assert len(page_answers.rows_at(rows, panel, Place(4096, None))) == 33


def test_everything_hostile_stays_text() -> None:
    """In answers, questions, needles, keys, models, errors, traces and names."""
    bad = f'"><script>window.hacked=1</script>{HOSTILE}\u202e'
    rows = finished(
        [
            row(
                key=bad, question=bad, answer=bad, model=bad, digest=bad, haystack=bad,
                needles=(Needle(bad, bad, bad),), distractors=(Needle(bad, bad),),
                stage_trace=({"check": bad, "passed": False},), server_version=bad,
                counterfactuals={bad: {"score": 1}}, finished_at=bad,
            ),
            row(trial=1, status="error", error=bad, answer=""),
        ]
    )  # fmt: skip
    summary = summarise(rows, ())
    (panel,) = summary.panels
    other = [dataclasses.replace(one, model=f"{bad}2") for one in rows]
    shown = "".join(
        (
            page_map.map_html(panel, 32768, "classic"),
            page_answers.place_html(panel, Place(4096, 0.5), rows),
            *map(page_answers.row_html, rows),
            page_runs.comparison_html(compare(rows, other), bad, bad),
            page_answers.prompt_html(bad, parts(bad * 90, rows[0].needles, whole=False)),
            page_map.lengths_html(panel),
            page_map.stages_html(panel),
            page_runs.windows_html(panel, summary, 4096),
            page_runs.trusted_html(TrustedWindow(1, bad, stale=True), bad, 2),
        )
    )

    assert "<script" not in shown and "<img" not in shown
    assert "\u202e" not in re.sub(r"<[^>]*>", "", shown)
    page = BeautifulSoup(shown, "html.parser")
    names = {name for tag in page.find_all(True) for name in tag.attrs}
    assert names <= {
        "class", "data-niah", "style", "title", "aria-label", "aria-pressed", "tabindex", "role",
        "dir",
        "scope", "id",
    }  # fmt: skip
    assert "&lt;script&gt;" in shown


def test_a_run_whose_name_is_hostile_is_listed_as_text(tmp_path: Path) -> None:
    """A folder may be called anything but a path."""
    name = "<img src=x onerror=alert(1)>\"'"
    kept_run(tmp_path, name, [row(model=HOSTILE)])

    html = page_runs.runs_html(list_runs(tmp_path), name, "")

    assert "<img" not in html and "&lt;img" in html


def test_windows_stand_side_by_side() -> None:
    """Effective, trusted, trained, served and claimed, to one scale."""
    rows = run(lambda length, depth, trial: length < 65536)
    summary = summarise(rows, ())

    html = page_runs.windows_html(summary.panels[0], summary, 30_000)

    for name, tokens in (
        ("Effective", "32,768"), ("Trusted", "30,000"), ("Served", "32,768"),
        ("Claimed", "131,072"),
    ):  # fmt: skip
        assert re.search(rf"<span>{name}</span>.*?<b>{tokens}</b>", html)
    assert page_runs.claimed_window("ollama qwen2:7b-instruct-q4_0") == 131072
    assert page_runs.claimed_window("openai some-model") is None


def test_a_stale_calibration_shows_the_command_that_renews_it() -> None:
    """With its reason; a measured one shows none."""
    stale = page_runs.trusted_html(TrustedWindow(4096, "Old.", stale=True), "ollama x", 32768)
    fresh = page_runs.trusted_html(
        TrustedWindow(4096, "Held.", stale=False, measured=True, run="r"), "ollama x", 32768
    )

    assert "stale" in stale and "hayloft eval niah run" in stale and "hl-warn" in stale
    assert "Measured" in fresh and "hayloft eval niah run" not in fresh


def test_a_run_says_what_it_means_for_the_trusted_window(tmp_path: Path) -> None:
    """Too few trials do not count, and the reason is there."""
    folder = made_run(tmp_path, "one")
    record = calibration.calibrate(read_rows(folder / "rows.jsonl"), "one", "2026-11-21T05:00:00")
    assert record is not None
    calibration.write(record, folder)

    (entry,) = list_runs(tmp_path)

    assert "does not set the trusted window" in page_runs.standing_of(entry, None)
    assert "6 trials and 22" in page_runs.standing_of(entry, None)
    assert "does not count" in page_runs.validity_html(entry.calibration)


# --- prompts ------------------------------------------------------------------------------------


def test_a_long_prompt_is_cut_to_its_ends_and_its_needles() -> None:
    """What is left out is told in characters, and nothing is lost."""
    needle, wrong = Needle("The code is 12.", "12"), Needle("The code was 13.", "13")
    content = "a" * 9000 + f" {needle.text} " + "b" * 9000 + f" {wrong.text} " + "c" * 9000

    found = parts(content, [needle], [wrong])

    kinds = [part.kind for part in found]
    assert kinds.count("needle") == kinds.count("distractor") == 1
    assert sum(part.characters for part in found) == len(content)
    assert sum(len(part.text) for part in found) < 6000
    whole = parts(content, [needle], [wrong], whole=True)
    assert "".join(part.text for part in whole) == content


def test_needles_are_found_over_broken_lines_and_at_both_ends() -> None:
    """The product reads pages, whose lines break elsewhere; a regex sign is only a sign."""
    needle = Needle("Is (it) 1+1? Yes.", "1")

    found = parts("Is (it)\n1+1?   Yes. x Is (it) 1+1? Yes.", [needle])

    assert [part.kind for part in found] == ["needle", "text", "needle"]
    assert parts("", [needle]) == [] and parts("x", [Needle(" ", "")])[0].text == "x"


def test_the_stamp_changes_with_the_rows(tmp_path: Path) -> None:
    """What was read before is not shown for what is there now."""
    folder = made_run(tmp_path, "one")
    before = stamp_of(folder)

    with RowFile(folder / "rows.jsonl") as file:
        file.append(row())
    assert stamp_of(folder) != before


def test_what_has_no_valid_answer_is_not_told_as_lost() -> None:
    """Three of eleven of the valid ones; of a length beyond the window nothing."""
    rows = run(lambda length, depth, trial: depth > 0.25, lengths=(4096,), trials=1)
    rows += finished(
        [row("long", 65536, 0.5, n, status="window_clamped", answer="") for n in range(4)]
    )
    panel = summarise(rows).panels[0]

    html = page_map.stages_html(panel)

    assert "<small>3 of 11 lost</small>" in html
    assert "<small>no valid answer</small>" in html
