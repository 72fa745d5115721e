"""What a run's reports show."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from evaluation.niah import report_tables
from evaluation.niah.comparison import compare, sentence, text
from evaluation.niah.heatmap import draw_map, window_marks
from evaluation.niah.palette import CLASSIC, COLOUR_BLIND, ink, length_name, shade
from evaluation.niah.records import Row
from evaluation.niah.report import write_reports
from evaluation.niah.report_html import embedded, page
from evaluation.niah.rows import ROWS, write_rows
from evaluation.niah.run_folder import find_run, load
from evaluation.niah.stages_figure import draw_stages
from evaluation.niah.summary import Planned, summarise
from storage.errors import UsageError
from tests.niah_rows import DEPTHS, LENGTHS, finished, row, run

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028<!--"


def half_blind(length: int, depth: float, trial: int) -> bool:
    return length < 32768 or depth >= 0.5


def test_the_scale_is_fixed() -> None:
    """0 is red, 0.5 yellow, 1 green, whatever a map holds."""
    assert shade(0, CLASSIC) == (0xF0, 0x49, 0x6E)
    assert shade(0.5, CLASSIC) == (0xEB, 0xB8, 0x39)
    assert shade(1, CLASSIC) == (0x0C, 0xD7, 0x9F)
    assert shade(7, CLASSIC) == shade(1, CLASSIC)


@pytest.mark.parametrize("palette", [CLASSIC, COLOUR_BLIND])
def test_figures_can_be_read_on_every_colour(palette: tuple[tuple[int, int, int], ...]) -> None:
    """k/n has a contrast of at least 4.5 to the colour under it."""

    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [v / 255 for v in colour]
        r, g, b = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for n in range(101):
        ground = shade(n / 100, palette)
        light, dark = sorted((luminance(ground), luminance(ink(ground))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, n


def test_the_colour_blind_palette_grows_lighter_throughout() -> None:
    """Lightness alone tells more from less."""
    sums = [sum(shade(n / 20, COLOUR_BLIND)) for n in range(21)]

    assert sums == sorted(sums)


def test_the_map_is_coloured_cell_by_cell(tmp_path: Path) -> None:
    """Length left to right, depth from the top; red where all is lost, green where nothing is."""
    rows = run(half_blind, lengths=(4096, 32768))
    panel = summarise(rows).panel("long", "single")
    assert panel is not None

    draw_map(panel, tmp_path / "map.png", title="A map", window=32768)

    with Image.open(tmp_path / "map.png") as picture:
        found = [
            [picture.getpixel((2 * (74 + 84 * i + 6), 2 * (104 + 30 * j + 5))) for i in range(2)]
            for j in range(11)
        ]
    assert [line[0] for line in found] == [CLASSIC[-1]] * 11
    assert [line[1] for line in found] == [CLASSIC[0]] * 5 + [CLASSIC[-1]] * 6


def test_cells_not_run_and_invalid_are_hatched_and_uncoloured(tmp_path: Path) -> None:
    """Neither red nor green: grey on grey for not run, black on white for invalid."""
    rows = finished([row(), row("long", 65536, 0.5, status="invalid_truncated", answer="")])
    planned = [Planned("single", "long", 131072, 0.5, 1)]
    panel = summarise(rows, planned).panel("long", "single")
    assert panel is not None

    draw_map(panel, tmp_path / "map.png", title="A map")

    with Image.open(tmp_path / "map.png") as picture:
        for column, colours in ((1, {(26, 26, 26)}), (2, {(0xC4, 0xC4, 0xC4)})):
            left = 2 * (74 + 84 * column + 2)
            box = picture.crop((left, 2 * 106, left + 160, 2 * 132))
            seen = {colour for _, colour in box.getcolors(10_000)}
            assert colours < seen
            assert not seen & set(CLASSIC)


def test_lines_stand_at_the_trained_and_the_served_window() -> None:
    """Right of the last length that fits."""
    assert window_marks(LENGTHS, 16384) == [(2, "16K served"), (3, "32K as trained")]
    assert window_marks(LENGTHS, 32768) == [(3, "32K trained and served")]
    assert window_marks((1024, 2048), 32768) == []
    assert window_marks((1024, 32768), 0) == [(2, "32K as trained")]


def test_lengths_have_the_names_people_use() -> None:
    """4,096 is 4K; others are told in full."""
    assert [length_name(n) for n in (1024, 131072, 1500)] == ["1K", "128K", "1,500"]


def test_titles_in_any_script_can_be_drawn(tmp_path: Path) -> None:
    """What the picture's font lacks becomes a question mark, not a crash."""
    panel = summarise(run(lengths=(4096,), trials=1)).panel("long", "single")
    assert panel is not None

    draw_map(panel, tmp_path / "a.png", title="模型 \ud800 é", subtitle="długi " * 80)
    draw_stages(panel, tmp_path / "b.png", title="模型")

    assert (tmp_path / "a.png").stat().st_size > 1000


def test_stages_are_stacked_by_length(tmp_path: Path) -> None:
    """Half of 32K lost in reading fills half of its bar."""
    panel = summarise(run(lambda length, depth, trial: depth > 0.5, lengths=(4096,))).panel(
        "long", "single"
    )
    assert panel is not None

    draw_stages(panel, tmp_path / "s.png", title="Lost")

    with Image.open(tmp_path / "s.png") as picture:
        middle = 2 * (74 + 42)
        column = [picture.getpixel((middle, 2 * y)) for y in range(84, 344)]
    share = sum(colour == (0xEE, 0x97, 0x6E) for colour in column) / len(column)
    assert share == pytest.approx(6 / 11, abs=0.02)


def test_the_page_is_one_file_and_calls_nobody() -> None:
    """No address, no import, and a policy that forbids both."""
    rows = run(half_blind)
    html = page(summarise(rows), rows, "r1", "2026-11-21")

    assert not re.search(r"(?:src|href)\s*=", html)
    assert "http://" not in html
    assert "https://" not in html
    assert "default-src 'none'" in html


def test_hostile_texts_stay_texts_in_the_page() -> None:
    """An answer, a question, a model's name: none ends the element it stands in."""
    hostile = finished(
        [row(answer=HOSTILE, question=HOSTILE, model=HOSTILE, haystack=HOSTILE, error="\ud800")]
    )
    html = page(summarise(hostile), hostile, HOSTILE, HOSTILE)

    assert html.count("<script") == 2
    assert "<img" not in html
    assert "alert(1)</script>" not in html
    html.encode("utf-8")
    data = re.search(r'id="data">(.*?)</script>', html, re.S)
    assert data is not None
    assert json.loads(data[1])["rows"][0]["answer"] == HOSTILE


def test_embedded_json_reads_back() -> None:
    """Escapes change nothing of what is read."""
    assert json.loads(embedded([HOSTILE, {"<": "&"}])) == [HOSTILE, {"<": "&"}]


def test_tables_tell_every_cell_and_row() -> None:
    """One line each; no text begins a formula in a spreadsheet."""
    rows = [*run(half_blind), *finished([row(trial=7, answer='=HYPERLINK("x")')])]
    summary = summarise(rows)

    cells = list(csv.DictReader(io.StringIO(report_tables.cells_csv(summary))))
    told = list(csv.DictReader(io.StringIO(report_tables.rows_csv(rows))))

    assert len(cells) == len(LENGTHS) * len(DEPTHS)
    assert cells[0]["hits"] == "3"
    assert len(told) == len(rows)
    assert told[-1]["answer"].startswith("'=")
    json.dumps(report_tables.to_json(summary, "r", "t"))


def test_the_sentence_tells_what_ends_the_effective_length() -> None:
    """The first length that falls, with its figures."""
    panel = summarise(run(half_blind)).panel("long", "single")
    assert panel is not None

    told = report_tables.effective_sentence(panel)

    assert "Effective length 16K" in told
    assert "32K has 18 of 33" in told


def test_a_run_is_reported_into_its_folder(tmp_path: Path) -> None:
    """All files, from rows that were never scored."""
    folder = tmp_path / "evaluations" / "niah" / "20261121-a"
    folder.mkdir(parents=True)
    raw = [Row.from_json({**one.to_json(), "score": None}) for one in run(half_blind)]
    write_rows(folder / ROWS, raw)

    run_ = load(find_run(tmp_path, "20261121"))
    written = write_reports(run_)

    assert run_.changed == len(raw)
    assert {path.name for path in written.files} == {
        "report.html",
        "report.json",
        "cells.csv",
        "rows.csv",
        "heatmap-long-single.png",
        "stages-long-single.png",
        "calibration.json",
    }
    assert written.calibration is not None
    assert written.calibration.effective == 16384
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_an_empty_run_is_reported_too(tmp_path: Path) -> None:
    """A run killed before its first row."""
    folder = tmp_path / "evaluations" / "niah" / "a"
    folder.mkdir(parents=True)
    (folder / ROWS).touch()

    written = write_reports(load(find_run(tmp_path)))

    assert written.calibration is None
    assert written.summary.panels == ()


def test_a_run_is_found_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    """Ambiguous and unknown names are told, and the newest is taken without one."""
    for name in ("20261120-a", "20261121-b", "20261121-c"):
        folder = tmp_path / "evaluations" / "niah" / name
        folder.mkdir(parents=True)
        (folder / ROWS).touch()

    assert find_run(tmp_path, "20261120").name == "20261120-a"
    assert find_run(tmp_path).name == "20261121-c"
    with pytest.raises(UsageError, match="20261121-b, 20261121-c"):
        find_run(tmp_path, "20261121")
    with pytest.raises(UsageError, match="no run 'x'"):
        find_run(tmp_path, "x")


def test_two_runs_are_compared_question_by_question() -> None:
    """B mends the 15 that A lost, and A's invalid rows are no pairs."""
    a = run(half_blind, lengths=(4096, 32768))
    b = run(lengths=(4096, 32768), model="ollama qwen2:7b-128k", digest="sha256:def")
    a += finished([row("long", 65536, 0.5, 0, status="window_clamped", answer="")])
    b += finished([row("long", 65536, 0.5, 0, model="ollama qwen2:7b-128k", digest="d")])

    found = compare(a, b)
    whole, oracle = (next(g for g in found.groups if g.arm == arm) for arm in ("long", "oracle"))

    assert (whole.difference.fixed, whole.difference.broken, whole.difference.n) == (15, 0, 66)
    assert whole.difference.p == pytest.approx(2**-14)
    assert sentence(whole).startswith("B is better in long: 15 fixed, 0 broken")
    assert oracle.difference.fixed == oracle.difference.broken == 0
    assert found.only_b == 1
    assert found.changed["model"] == ("ollama qwen2:7b", "ollama qwen2:7b-128k")
    assert "long at 32K" in text(found, "a", "b")
    json.dumps(found.to_json())


def test_few_changes_are_no_difference() -> None:
    """5 fixed and 0 broken may be chance."""
    a = run(lambda length, depth, trial: not (length == 4096 and trial == 0 and depth < 0.45))

    found = compare(a, run())

    assert found.groups[0].difference.fixed == 5
    assert "fewer than 6 changes never can" in sentence(found.groups[0])


def test_runs_of_other_questions_cannot_be_compared() -> None:
    """Another seed asks other questions."""
    with pytest.raises(UsageError, match="no question in common"):
        compare(run(), run(seed=5))
