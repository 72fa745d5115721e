"""What a scan finds, passes over, and reports as out of reach."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
from awkward_files import open_folder, unprivileged

from ingest.scan import scan, scan_file
from storage.errors import StorageError, UsageError


def _names(result):
    return [file.relative for file in result.files]


def _kinds(result):
    return {problem.path: problem.kind for problem in result.problems}


def test_files_of_known_types_are_found_sorted(tmp_path):
    """Files come sorted by relative path, with the size and time of their stat."""
    (tmp_path / "b").mkdir()
    for name in ("z.pdf", "b/note.MD", "b/page.html", "a.docx"):
        (tmp_path / name).write_bytes(b"12345")

    result = scan(tmp_path, follow_symlinks=False)

    assert _names(result) == ["a.docx", "b/note.MD", "b/page.html", "z.pdf"]
    assert result.problems == ()
    first = result.files[0]
    assert first.path == tmp_path / "a.docx"
    assert (first.size, first.mtime_ns) == (5, (tmp_path / "a.docx").stat().st_mtime_ns)


def test_other_types_are_counted_by_ending(tmp_path):
    """What cannot be read is counted, so that the report can say it was skipped."""
    for name in ("a.xyz", "b.XYZ", "c.dwg", "Makefile", "ok.txt"):
        (tmp_path / name).touch()

    result = scan(tmp_path, follow_symlinks=False)

    assert _names(result) == ["ok.txt"]
    assert result.skipped == {"": 1, ".dwg": 1, ".xyz": 2}


def test_empty_source_file_is_nothing_to_report(tmp_path):
    """An empty `__init__.py` is as it should be; an empty text is not, and is passed on."""
    for name in ("__init__.py", "empty.txt"):
        (tmp_path / name).touch()

    result = scan(tmp_path, follow_symlinks=False)

    assert _names(result) == ["empty.txt"]
    assert result.skipped == {}


def test_hidden_and_office_lock_files_are_passed_over(tmp_path):
    """Dot names and the `~$` files of open Word documents are nobody's documents."""
    (tmp_path / ".git").mkdir()
    for name in (".git/a.txt", ".hidden.pdf", "~$letter.docx", "letter.docx"):
        (tmp_path / name).touch()

    result = scan(tmp_path, follow_symlinks=False)

    assert _names(result) == ["letter.docx"]
    assert result.problems == ()


@pytest.mark.parametrize(
    "name",
    [
        "two words.txt",
        'it\'s "quoted".txt',
        "🌾 hay.txt",
        "line\nbreak.txt",
        "n" * 246 + ".txt",
        "-rf; --.txt",
        "%s{0}.txt",
        "çöłß.txt",
        "文書.txt",
    ],
)
def test_names_may_hold_anything_that_is_text(tmp_path, name):
    """Spaces, quotes, emoji, line breaks and 250 characters are all fine in a name."""
    (tmp_path / name).write_text("x")

    result = scan(tmp_path, follow_symlinks=False)

    assert _names(result) == [name]
    assert result.files[0].path.read_text() == "x"


def test_name_that_is_no_utf8_is_a_problem_with_a_printable_path(tmp_path):
    """Such a name would break JSON and SQLite later, so it is set aside under a readable one."""
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    os.mkdir(os.fsencode(tmp_path) + b"/d\xff")  # noqa: PTH102 - a bytes name
    (tmp_path / "good.txt").write_text("x")

    result = scan(tmp_path, follow_symlinks=False)

    assert _names(result) == ["good.txt"]
    assert _kinds(result) == {"caf\\xe9.txt": "name", "d\\xff": "name"}
    json.dumps([problem.reason for problem in result.problems]).encode("utf-8")


def test_folder_without_permission_is_reported_by_its_path():
    """A folder that cannot be listed is a problem, so nothing below it counts as deleted."""
    with open_folder() as root:
        (root / "locked").mkdir()
        (root / "locked" / "a.txt").write_text("x")
        (root / "b.txt").write_text("x")
        (root / "locked").chmod(0)

        with unprivileged():
            result = scan(root, follow_symlinks=False)

    assert _names(result) == ["b.txt"]
    assert _kinds(result) == {"locked": "permission"}
    assert "right to read" in result.problems[0].reason


def test_folder_that_lists_but_does_not_open_reports_its_files():
    """Without the right to enter a folder its names can be listed, but no file be looked at."""
    with open_folder() as root:
        (root / "half").mkdir()
        (root / "half" / "a.txt").write_text("x")
        (root / "half").chmod(0o444)

        with unprivileged():
            result = scan(root, follow_symlinks=False)

    assert _kinds(result) == {"half/a.txt": "permission"}


@pytest.mark.parametrize("follow", [False, True])
def test_symlink_loop_is_recognised_either_way(tmp_path, follow):
    """A link to a folder it lies in is named once, and the scan ends."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("x")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")

    result = scan(tmp_path, follow_symlinks=follow)

    assert _names(result) == ["sub/a.txt"]
    assert _kinds(result) == {"self": "loop", "sub/up": "loop"}


def test_links_are_counted_unless_followed(tmp_path):
    """By default a link to a folder or file elsewhere is not followed, and that is told."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (elsewhere / "a.txt").write_text("x")
    (root / "folder").symlink_to(elsewhere)
    (root / "file.txt").symlink_to(elsewhere / "a.txt")

    result = scan(root, follow_symlinks=False)

    assert _names(result) == []
    assert result.links == 2


def test_followed_links_list_each_file_once(tmp_path):
    """A document keeps its real path, however many links lead to it."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / "real").mkdir(parents=True)
    elsewhere.mkdir()
    (root / "real" / "a.txt").write_text("x")
    (elsewhere / "b.txt").write_text("x")
    (root / "aaa").symlink_to(root / "real")
    (root / "also.txt").symlink_to(root / "real" / "a.txt")
    (root / "one").symlink_to(elsewhere)
    (root / "two").symlink_to(elsewhere)
    (root / "gone.txt").symlink_to("nowhere")

    result = scan(root, follow_symlinks=True)

    assert _names(result) == ["one/b.txt", "real/a.txt"]
    assert _kinds(result) == {"gone.txt": "vanished"}


def test_special_files_are_passed_over(tmp_path):
    """A named pipe or socket is never opened, whatever its ending."""
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.txt"))

        result = scan(tmp_path, follow_symlinks=False)

    assert result.files == ()
    assert result.problems == ()


def test_deep_folders_do_not_end_the_scan(tmp_path):
    """A tree deeper than Python's recursion limit is walked to its end."""
    here = os.getcwd()  # noqa: PTH109 - restored below
    try:
        os.chdir(tmp_path)
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102 - relative, since the whole path would be too long
            os.chdir("d")
        Path("a.txt").write_text("x")
        os.chdir(here)

        result = scan(tmp_path, follow_symlinks=False)
    finally:
        os.chdir(here)
        # Not left to pytest, whose clean-up is recursive.
        subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)

    assert _names(result) == ["d/" * 1200 + "a.txt"]
    assert result.problems == ()


def test_missing_root_is_a_usage_error(tmp_path):
    """A folder that is not there is a mistake of the request."""
    with pytest.raises(UsageError, match="does not exist"):
        scan(tmp_path / "nowhere", follow_symlinks=False)
    (tmp_path / "a.txt").touch()
    with pytest.raises(UsageError, match="not a folder"):
        scan(tmp_path / "a.txt", follow_symlinks=False)


def test_root_without_permission_is_a_storage_error():
    """A folder that is there but cannot be listed must not look like an empty one."""
    with open_folder() as root:
        (root / "in").mkdir(mode=0)

        with unprivileged(), pytest.raises(StorageError, match="cannot be listed"):
            scan(root / "in", follow_symlinks=False)


def test_scan_of_part_names_paths_from_the_source(tmp_path):
    """`below` puts the part's own path before files and problems alike."""
    (tmp_path / "a.txt").touch()
    (tmp_path / "loop").symlink_to(tmp_path)

    result = scan(tmp_path, follow_symlinks=False).below("part/")

    assert _names(result) == ["part/a.txt"]
    assert _kinds(result) == {"part/loop": "loop"}


def test_single_file_is_found_or_gone(tmp_path):
    """One named file is found; a missing one is nothing at all, another type is counted."""
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.xyz").touch()

    assert _names(scan_file(tmp_path, tmp_path / "a.txt")) == ["a.txt"]
    gone = scan_file(tmp_path, tmp_path / "b.txt")
    assert (gone.files, gone.problems) == ((), ())
    assert scan_file(tmp_path, tmp_path / "a.xyz").skipped == {".xyz": 1}
