"""Text recognition: Tesseract's answers, where it is looked for, and what is kept."""

from __future__ import annotations

import os
import stat
import time

import pytest

from ingest.loaders import ocr
from ingest.loaders.ocr import (
    OcrSettings,
    PageImage,
    Reading,
    Readings,
    Tesseract,
    find_tesseract,
    reading_of,
)

_HEAD = "\t".join("level page block par line word left top width height conf text".split())
_IMAGE = PageImage(2, 1, b"\0\xff", 300)


def _row(block, line, word, confidence, text):
    return f"5\t1\t{block}\t1\t{line}\t{word}\t0\t0\t9\t9\t{confidence}\t{text}"


def test_words_become_lines_and_blocks_with_their_confidence():
    """Confidence is the mean of the words by their length; blocks stand apart."""
    tsv = "\n".join(
        [
            _HEAD,
            "4\t1\t1\t1\t1\t0\t0\t0\t9\t9\t-1\t",
            _row(1, 1, 1, 90, "Salt"),
            _row(1, 1, 2, 90, "and"),
            _row(1, 2, 1, 80, "rope"),
            _row(2, 1, 1, 100, "Tallow"),
            _row(2, 1, 2, 95, " "),
        ]
    )

    reading = reading_of(tsv)

    assert reading.text == "Salt and\nrope\n\nTallow"
    assert reading.confidence == pytest.approx((7 * 0.9 + 4 * 0.8 + 6 * 1.0) / 17, abs=1e-4)


def test_guesses_are_no_text():
    """What is read from a photograph is not worth indexing."""
    tsv = "\n".join([_HEAD, _row(1, 1, 1, 30, "|~-"), _row(1, 1, 2, 41, "oe")])

    assert reading_of(tsv).text == ""


def _program(folder, script):
    path = folder / "tesseract"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


_INSTALLED = (
    'case "$1" in --version) echo "tesseract 5.9";;'
    " --list-langs) printf 'List of languages:\\ndeu\\neng\\nosd\\n';; "
)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A folder in which alone programs are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    ocr._installed.cache_clear()
    yield folder
    ocr._installed.cache_clear()


def test_languages_are_those_installed_english_behind_its_like(path):
    """`osd` is no language; what is asked for and not there is left out."""
    _program(path, f"{_INSTALLED} esac")

    assert find_tesseract(OcrSettings()).languages == ("deu", "eng")
    assert find_tesseract(OcrSettings(languages="deu+fra")).languages == ("deu",)
    assert find_tesseract(OcrSettings(languages="fra")) is None
    assert find_tesseract(OcrSettings(mode="off")) is None
    assert ocr.signature(OcrSettings()) == "tesseract 5.9 deu+eng"


def test_broken_program_is_none(path):
    """A Tesseract that does not run is like none."""
    _program(path, "exit 3")

    assert find_tesseract(OcrSettings()) is None


def test_languages_of_other_letters_stand_behind_english():
    """The first language weighs most, and English is among the few whatever else is there."""
    many = ["ara", "chi_sim", "ces", "deu", "eng", "fra", "ita", "spa", "jpn_vert"]

    assert ocr._usual(many) == ["ces", "deu", "fra", "ita", "eng"]
    assert ocr._usual(["ara", "eng", "deu"]) == ["deu", "eng", "ara"]


def test_page_that_hangs_is_given_up(path, monkeypatch):
    """Each page has its time; the next one is read."""
    program = _program(path, f"{_INSTALLED} *) exec sleep 60;; esac")
    monkeypatch.setattr(ocr, "PAGE_TIMEOUT_S", 0.6)
    started = time.monotonic()

    reading = Tesseract(str(program), "5.9", ("eng",), turned=False).read(_IMAGE)

    assert reading is None
    assert time.monotonic() - started < 10


def test_page_that_fails_upright_detection_is_read_without(path):
    """Tesseract refuses to tell the way up of a page with few characters."""
    table = f"{_HEAD}\n{_row(1, 1, 1, 90, 'Salt')}\n"
    (path / "table").write_text(table)
    program = _program(
        path, f'case "$*" in *"--psm 1"*) exit 1;; *) cat >/dev/null; cat {path}/table;; esac'
    )

    reading = Tesseract(str(program), "5.9", ("eng",), turned=True).read(_IMAGE)

    assert reading == Reading("Salt", 0.9)


class _Engine:
    """Counts what it reads."""

    signature = "test eng"

    def __init__(self):
        self.read_images = []

    def read(self, image):
        self.read_images.append(image)
        return Reading(f"text {len(self.read_images)}", 0.9)


def test_readings_are_kept_by_picture(tmp_path):
    """The same picture is read once, another one anew, and old readings go in time."""
    engine = _Engine()
    readings = Readings(tmp_path)
    other = PageImage(2, 1, b"\xff\0", 300)

    texts = [readings.read(image, engine).text for image in (_IMAGE, other, _IMAGE)]

    assert texts == ["text 1", "text 2", "text 1"]


def test_damaged_and_old_readings_are_read_again(tmp_path):
    """What cannot be understood is no reading; what nobody used for a month goes."""
    engine = _Engine()
    readings = Readings(tmp_path)
    readings.read(_IMAGE, engine)
    [kept] = tmp_path.rglob("*.json")
    kept.write_text("{")
    old = kept.with_name("old.json")
    old.write_text("{}")
    os.utime(old, (1, 1))

    assert readings.read(_IMAGE, engine).text == "text 2"
    assert not old.exists()


def test_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    """Without a place to keep it, a page is simply read."""
    (tmp_path / "file").write_text("in the way")

    assert Readings(tmp_path / "file").read(_IMAGE, _Engine()).text == "text 1"
    assert Readings(None).read(_IMAGE, _Engine()).text == "text 1"
