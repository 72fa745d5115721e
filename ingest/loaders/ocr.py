"""Text recognition with Tesseract, one page image at a time.

Tesseract is a program of the system (Debian: `apt install tesseract-ocr`), run as
a process of its own for each page, with a limit on its time. What it read is
kept by the page's image, so that a run that was stopped goes on where it was, and a
document that grew by a page does not cost all pages anew.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

PAGE_TIMEOUT_S = 120.0
"""A page of some lines takes 1 to 3 s on one core."""

HOW_TO_INSTALL = "install Tesseract (on Debian: `apt install tesseract-ocr`)"

DPI = 300
MOST_PIXELS = 25_000_000
"""An A3 page at 300 dpi has 17 million. Larger pages are read at fewer dots an inch."""

_KEPT_S = 30 * 86400.0
_MOST_LANGUAGES = 5
_NO_LANGUAGES = frozenset({"osd", "equ", "snum"})
_RICHER = frozenset(
    "cat ces dan deu est eus fin fra glg hrv hun isl ita lav lit nld nor pol por ron slk slv spa"
    " swe tur".split()
)
"""Languages of Latin letters, most of them with some that English has not."""
_LEAST_CONFIDENCE = 0.5
"""Mean over the words of a page. A page of wrong glyphs was "read" at 0.48, the legible ones of the
torture set at 0.85 to 0.96."""

_WORD_LEVEL = "5"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as grey pixels, row by row, one byte each."""

    width: int
    height: int
    pixels: bytes
    dpi: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of one page."""

    text: str
    """Lines as they stand; an empty line between blocks. Empty where nothing could be read."""
    confidence: float
    """Mean of the words, weighted by their length, 0 to 1."""


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """Whether and how text is recognised; the fields come from `IngestSettings`."""

    mode: str = "auto"
    """`auto`: where Tesseract is installed; `off`: never."""
    languages: str = "auto"
    """As Tesseract joins them ("eng+deu"); `auto`: the installed ones."""
    cache: str = ""
    """Folder in which readings are kept; empty for none."""


class Tesseract:
    """The program as it is installed here, reading in certain languages."""

    def __init__(
        self, program: str, version: str, languages: tuple[str, ...], *, turned: bool
    ) -> None:
        self._program = program
        self._version = version
        self.languages = languages
        # Page segmentation 1 also finds out which way up the page is; it needs a model for that.
        self._segmentation = "1" if turned else "3"

    @property
    def signature(self) -> str:
        """Changes where the same page might be read otherwise."""
        return f"{self._version} {'+'.join(self.languages)}"

    def read(self, image: PageImage) -> Reading | None:
        """What stands on a page; None where Tesseract failed or took too long."""
        header = f"P5\n{image.width} {image.height}\n255\n".encode()
        for segmentation in dict.fromkeys((self._segmentation, "3")):
            command = [
                *(self._program, "stdin", "stdout", "--dpi", str(image.dpi)),
                *("--psm", segmentation, "-l", "+".join(self.languages), "tsv"),
            ]
            try:
                done = subprocess.run(
                    command,
                    input=header + image.pixels,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    timeout=PAGE_TIMEOUT_S / 2,
                    check=False,
                    # Its threads slow each other down, and the embedding needs the cores.
                    env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                    preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                )
            except (subprocess.TimeoutExpired, OSError) as exc:
                log.info("tesseract failed: %s", type(exc).__name__)
                return None
            # With segmentation 1 it fails on pages with too few characters to tell their way up.
            if done.returncode == 0:
                return reading_of(done.stdout.decode("utf-8", "replace"))
        return None


def reading_of(tsv: str) -> Reading:
    """The text and its confidence, out of Tesseract's table of words."""
    lines: dict[tuple[str, ...], list[str]] = {}
    weight = total = 0.0
    for row in tsv.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) < 12 or cells[0] != _WORD_LEVEL or not cells[11].strip():
            continue
        confidence = max(0.0, float(cells[10])) / 100
        lines.setdefault(tuple(cells[1:5]), []).append(cells[11].strip())
        weight += len(cells[11].strip())
        total += confidence * len(cells[11].strip())
    if not weight or total / weight < _LEAST_CONFIDENCE:
        return Reading("", total / weight if weight else 0.0)
    parts: list[str] = []
    block = None
    for key, words in lines.items():
        if block is not None:
            parts.append("\n" if key[:2] == block else "\n\n")
        parts.append(" ".join(words))
        block = key[:2]
    return Reading("".join(parts), round(total / weight, 4))


class Readings:
    """Readings kept in a folder, each for 30 days after it was last of use."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, image: PageImage, engine: Tesseract) -> Reading | None:
        """What the engine reads, or read before, on a page; None where it failed."""
        if self._folder is None:
            return engine.read(image)
        digest = hashlib.sha256(f"{engine.signature} {image.width} {image.dpi}\0".encode())
        digest.update(image.pixels)
        name = digest.hexdigest()
        path = self._folder / name[:2] / f"{name[2:]}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(path.read_text("utf-8"))
            os.utime(path)
            return Reading(str(kept["text"]), float(kept["confidence"]))
        reading = engine.read(image)
        if reading is not None:
            self._keep(path, reading)
        return reading

    def _keep(self, path: Path, reading: Reading) -> None:
        """Best effort: without a place to keep it, the page is read again some day."""
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}")
            content = {"text": reading.text, "confidence": reading.confidence}
            draft.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
            draft.replace(path)
            for other in path.parent.iterdir():
                if other.stat().st_mtime < time.time() - _KEPT_S:
                    other.unlink()


class Recogniser:
    """Reads page pictures for the loaders of this process.

    `tell` is called with True before a page and with False after it, so that
    whoever watches this process can count that time by itself.
    """

    def __init__(
        self, engine: Tesseract, readings: Readings, tell: Callable[[bool], None] = lambda _: None
    ) -> None:
        self._engine = engine
        self._readings = readings
        self._tell = tell

    @property
    def name(self) -> str:
        """The program and its version."""
        return self._engine.signature

    def read(self, image: PageImage) -> Reading | None:
        """What stands on a page; None where it could not be read."""
        self._tell(True)
        try:
            return self._readings.read(image, self._engine)
        finally:
            self._tell(False)


_in_use: list[Recogniser] = []
_why_not = [HOW_TO_INSTALL]


def use(settings: OcrSettings, tell: Callable[[bool], None] = lambda _: None) -> None:
    """Have the loaders of this process recognise text with these settings."""
    engine = find_tesseract(settings)
    _in_use[:] = (
        [Recogniser(engine, Readings(Path(settings.cache) if settings.cache else None), tell)]
        if engine
        else []
    )
    _why_not[:] = [_missing(settings)]


def in_use() -> Recogniser | None:
    """What `use` found; None where no text is recognised."""
    return _in_use[0] if _in_use else None


def what_to_do() -> str:
    """How to have pictures of text read, where none is recognised."""
    return _why_not[0]


def _missing(settings: OcrSettings) -> str:
    if settings.mode == "off":
        return "set HAYLOFT_OCR=auto"
    if shutil.which("tesseract") is None:
        return HOW_TO_INSTALL
    if settings.languages == "auto":
        return "install a language for Tesseract (on Debian: `apt install tesseract-ocr-eng`)"
    return (
        f"install Tesseract's languages for HAYLOFT_OCR_LANGUAGES={settings.languages} "
        f"(on Debian: `apt install tesseract-ocr-{settings.languages.split('+')[0]}`)"
    )


def find_tesseract(settings: OcrSettings) -> Tesseract | None:
    """The program, where it is installed with a language to read and may be used."""
    if settings.mode == "off":
        return None
    program = shutil.which("tesseract")
    if program is None:
        return None
    version, installed = _installed(program)
    known = [name for name in installed if name not in _NO_LANGUAGES]
    if settings.languages == "auto":
        languages = tuple(_usual(known))
    else:
        wanted = [name for name in settings.languages.replace(",", "+").split("+") if name.strip()]
        languages = tuple(name.strip() for name in wanted if name.strip() in known)
    if not version or not languages:
        return None
    return Tesseract(program, version, languages, turned="osd" in installed)


def signature(settings: OcrSettings) -> str:
    """What recognises text here, `off` for nothing: another one is a reason to try again."""
    engine = find_tesseract(settings)
    return engine.signature if engine else "off"


def _usual(known: list[str]) -> list[str]:
    """What is installed, a few; each language more makes it slower.

    The first one weighs most. Languages whose letters are English ones and more stand before
    it, all others behind: ahead of German, English lost 3 of 29 umlauts of crisp pages; behind it
    none, and English pages were read as before in the same time.
    """
    own = [name for name in known if "/" not in name and not name.endswith("_vert")]
    richer = sorted(name for name in own if name in _RICHER)[: _MOST_LANGUAGES - 1]
    others = sorted(name for name in own if name not in _RICHER and name != "eng")
    return [*richer, *(["eng"] if "eng" in own else []), *others][:_MOST_LANGUAGES]


@cache
def _installed(program: str) -> tuple[str, tuple[str, ...]]:
    """(version, languages) of a Tesseract; ('', ()) where it does not run."""
    said = []
    for option in ("--version", "--list-langs"):
        try:
            done = subprocess.run(
                [program, option],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=30.0,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError):
            return "", ()
        if done.returncode:
            return "", ()
        said.append(done.stdout.decode("utf-8", "replace").splitlines())
    version = said[0][0].strip() if said[0] else ""
    return version, tuple(line.strip() for line in said[1][1:] if line.strip())


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """A parsing process that is killed in the middle of a page takes its Tesseract along."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
