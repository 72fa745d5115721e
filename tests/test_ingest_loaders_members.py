"""Files inside files: numbered on, named, limited, and each on its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import pytest
from awkward_files import pdf_bytes
from office_files import mail_bytes, package, xlsx_bytes

from ingest.loaders import members
from ingest.loaders.registry import loader_for
from storage.errors import DocumentUnreadable

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def read(tmp_path):
    """An archive of these members, or of these bytes, as its loader reads it."""

    def _read(content):
        path = tmp_path / "bundle.zip"
        path.write_bytes(package(content) if isinstance(content, dict) else content)
        return loader_for(".zip").load(path)

    return _read


def test_members_of_an_archive_are_one_document(read):
    """Page numbers run on; each page names its member, and the place in that."""
    document = read(
        {
            "docs/offer.pdf": pdf_bytes(["First page.", "Second page."], title="The offer"),
            "docs/prices.xlsx": xlsx_bytes({"A": {1: ["Item", "Price", "No"], 2: ["Oak", 5, 1]}}),
            "mail.eml": mail_bytes(
                "Hello", "In a mail.", [("in.zip", package({"a.md": "# T\n\nx"}))]
            ),
            "read me.txt": "Read me.",
        }
    )

    assert document.title == "Bundle"
    assert [(page.number, page.label, page.heading) for page in document.pages] == [
        (1, "docs/offer.pdf, page 1", "docs/offer.pdf › The offer"),
        (2, "docs/offer.pdf, page 2", "docs/offer.pdf › The offer"),
        (3, "docs/prices.xlsx, sheet A, rows 1–2", "docs/prices.xlsx › A"),
        (4, "mail.eml, message", "mail.eml › Hello"),
        (5, "", "mail.eml › Hello › in.zip › a.md › T"),
        (6, "read me.txt, line 1", "read me.txt"),
    ]
    assert not document.warnings


def test_unreadable_members_are_warnings(read):
    """The rest of the archive is read; what nobody reads in folders is passed over here too."""
    document = read(
        {
            "good.md": "# Good\n\nFine.",
            "bad.docx": b"PK\x03\x04 broken",
            "photo.jpg": b"\xff\xd8",
            "other.jpg": b"\xff\xd8",
            "empty/__init__.py": "",
            ".git/config.txt": "hidden",
            "__MACOSX/._good.md": "resource fork",
        }
    )

    assert [page.heading for page in document.pages] == ["good.md › Good"]
    assert document.warnings == (
        "bad.docx was not read: is damaged or is no Word document; put a good copy in its place.",
        "Files inside of types that cannot be read: .jpg (2).",
    )


def test_names_lead_nowhere_else_and_keep_their_letters(read, tmp_path):
    """Paths out of the archive are names like any other; UTF-8 that nobody declared is read."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../outside.txt", "out")
        archive.writestr("/etc/absolute.txt", "abs")
        archive.writestr("Müller.txt".encode().decode("cp437"), "name")
    content = stream.getvalue().replace(b"\x00\x08", b"\x00\x00")
    document = read(content)

    assert [page.heading for page in document.pages][:2] == ["outside.txt", "etc/absolute.txt"]
    assert not (tmp_path.parent / "outside.txt").exists()


def test_bombs_in_an_archive_cost_themselves(read):
    """One that unpacks to three hundred times its size is not unpacked."""
    document = read({"bomb.txt": b"\0" * 60_000_000, "good.txt": "Good."})

    assert [page.text for page in document.pages] == ["Good."]
    assert document.warnings == ("bomb.txt was not read: it would unpack to 60 MB, as bombs do.",)


@pytest.fixture
def little(monkeypatch):
    """Little may be read: five files, 10,000 bytes."""
    original = members._Budget.__init__

    def begin(self, **given):
        original(self, **{"files_left": 5, "bytes_left": 10_000, **given})

    monkeypatch.setattr(members._Budget, "__init__", begin)


def test_number_and_size_of_members_are_limited(read, little):
    """Over all levels together, and what is left out is told."""
    inner = package({f"{n}.txt": f"inner {n}" for n in range(3)})

    many = read({"in.zip": inner, **{f"{n}.txt": f"outer {n}" for n in range(5)}})
    large = read({f"{n}.txt": "word " * 900 for n in range(5)})

    assert len(many.pages) == 4
    assert "there are more than" in many.warnings[-1]
    assert {page.heading for page in large.pages} == {"0.txt", "1.txt"}
    assert "they unpack to more than" in large.warnings[-1]


def test_archives_in_archives_are_opened_to_a_depth(read):
    """Below that nothing real lies."""
    deep = package({"t.txt": "bottom"})
    for level in range(8):
        deep = package({"in.zip": deep, "t.txt": f"level {level}"})
    document = read(deep)

    assert [page.text for page in document.pages] == ["level 4", "level 5", "level 6", "level 7"]
    assert "lies 4 files deep" in document.warnings[0]


def test_archive_without_anything_readable_is_set_aside(read):
    """With the reason of its first member; one under a password says so."""
    with pytest.raises(DocumentUnreadable, match=r"holds no file that could be read\. bad\.docx"):
        read({"bad.docx": b"PK\x03\x04"})
    locked = bytearray(package({"a.txt": "secret"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + offset] |= 1
    with pytest.raises(DocumentUnreadable, match="protected by a password") as caught:
        read(bytes(locked))
    assert caught.value.kind == "encrypted"


def test_member_that_kills_hangs_or_gorges_its_parser_costs_itself(tmp_path):
    """Its siblings are read, in the same document, and nothing is left in the temporary folder."""
    path = tmp_path / "z.zip"
    names = ("a.txt", "crash.txt", "b.txt", "hang.txt", "gorge.txt", "fail.txt", "c.txt")
    path.write_bytes(package({name: f"I am {name}." for name in names}))
    program = textwrap.dedent(
        """
        import json, os, signal, sys, time
        from pathlib import Path
        from ingest.loaders import members, registry
        from ingest.parse_worker import _limit_memory
        from dataclasses import replace

        real = registry._BY_SUFFIX[".txt"]

        def load(path):
            if path.stem == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if path.stem == "hang":
                time.sleep(600)
            if path.stem == "gorge":
                return bytearray(4 << 30)
            if path.stem == "fail":
                raise RuntimeError("odd")
            return real.load(path)

        registry._BY_SUFFIX[".txt"] = replace(real, load=load)
        members.MEMBER_S = 1.0
        members.isolate(60.0, tell=lambda begins: None)
        _limit_memory(512)
        found = registry.loader_for(".zip").load(Path(sys.argv[1]))
        print(json.dumps([[page.text for page in found.pages], found.warnings]))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 0, done.stderr
    pages, warnings = json.loads(done.stdout)
    assert pages == ["I am a.txt.", "I am b.txt.", "I am c.txt."]
    assert warnings == [
        "crash.txt was not read: made its parser crash.",
        "hang.txt was not read: took too long.",
        "gorge.txt was not read: needs more memory than parsing may take.",
        "fail.txt was not read: made its parser fail (RuntimeError).",
    ]
    assert [left.name for left in tmp_path.iterdir()] == ["z.zip"]


def test_what_a_killed_process_left_behind_is_swept(read, tmp_path, monkeypatch):
    """The folder of one that is still at work stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, alive = tmp_path / "hayloft-members-dead", tmp_path / "hayloft-members-alive"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "held").touch()
    with members.FileLock(alive / "held") as lock:
        lock.acquire()
        read({"a.txt": "Words."})

    assert not dead.exists()
    assert alive.exists()


def test_links_are_no_files_and_backslashes_part_folders(tmp_path):
    """A link holds but a path; some programs for Windows write names in their own way."""
    link = zipfile.ZipInfo("link.txt")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("one\\two\\a.txt", "Here.")
    document = loader_for(".zip").load(tmp_path / "a.zip")

    assert [page.label for page in document.pages] == ["one/two/a.txt, line 1"]
