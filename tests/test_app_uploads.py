"""Files given to the page: safe names, nothing overwritten, nothing lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.uploads import READABLE, discard, is_upload, keep, restore, safe_name, uploads_folder
from ingest.loaders.registry import SUFFIXES
from ingest.scan import scan
from storage.errors import StorageError, UsageError


def given(data_dir: Path, name: str = "plan.pdf", content: bytes = b"one") -> Path:
    return keep(data_dir, name, content, most_mb=1).path


def test_the_list_of_types_is_that_of_the_loaders() -> None:
    """What the page takes is what the ingestion reads."""
    assert READABLE == SUFFIXES


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("plan.pdf", "plan.pdf"),
        ("../../etc/plan.pdf", "plan.pdf"),
        ("C:\\Users\\me\\plan.PDF", "plan.PDF"),
        ("..\\..\\plan.pdf", "plan.pdf"),
        (".hidden.pdf", "hidden.pdf"),
        ("~$letter.docx", "letter.docx"),
        ("two\nlines\x00\x1b[31m.pdf", "twolines[31m.pdf"),
        ("fdp.\u202efdp.txt", "fdp.fdp.txt"),
        (" spaces . pdf.md ", "spaces . pdf.md"),
        ("<img src=x onerror=alert(1)>.md", "<img src=x onerror=alert(1)>.md"),
        ("年度报告.pdf", "年度报告.pdf"),
        ("cafe\u0301.txt", "café.txt"),
        ("bad\ud800.pdf", "bad?.pdf"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    """One visible file of one folder, as near to the given name as can be."""
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["", ".pdf", "/", "noending", "x.exe", "x.pdf/", "a.tar.gz", "…"])
def test_what_is_not_read_is_refused(name: str) -> None:
    """A file that would lie there unread is not taken, and the sentence says what is."""
    with pytest.raises(UsageError, match="type that is not read"):
        safe_name(name)


def test_long_names_are_cut_with_their_ending(tmp_path: Path) -> None:
    """Bytes count, not characters, and no character is cut in half."""
    path = given(tmp_path, "ü" * 400 + ".pdf")

    assert path.is_file()
    assert path.suffix == ".pdf"
    assert len(path.name.encode()) <= 240


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Another file of the same name lies beside the first; the same one is recognised."""
    first = given(tmp_path)
    second = given(tmp_path, content=b"two")
    again = keep(tmp_path, "plan.pdf", b"two", most_mb=1)

    assert [first.name, second.name] == ["plan.pdf", "plan (2).pdf"]
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert (again.path, again.existed) == (second, True)
    assert sorted(path.name for path in uploads_folder(tmp_path).iterdir()) == [
        "plan (2).pdf",
        "plan.pdf",
    ]


def test_a_half_written_file_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is written it is hidden from the scan; after a fault nothing is left of it."""

    def full(descriptor: int) -> None:
        assert scan(uploads_folder(tmp_path), follow_symlinks=False).files == ()
        assert len(list(uploads_folder(tmp_path).iterdir())) == 1
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageError, match="is full; nothing was kept"):
        given(tmp_path)

    assert list(uploads_folder(tmp_path).iterdir()) == []


def test_empty_and_large_files_are_refused(tmp_path: Path) -> None:
    """The sentences say the limit, the setting and another way in."""
    with pytest.raises(UsageError, match="is empty"):
        given(tmp_path, content=b"")
    with pytest.raises(UsageError, match=r"2 MB, and the page takes 1 MB \(HAYLOFT_UPLOAD_MB\)"):
        given(tmp_path, content=bytes(2 * 1024 * 1024))

    assert not uploads_folder(tmp_path).exists()


def test_deleting_moves_to_the_trash_and_back(tmp_path: Path) -> None:
    """The file is never gone, and comes back beside one that took its name."""
    path = given(tmp_path)

    token = discard(tmp_path, path)
    assert not path.exists()
    assert (tmp_path / "trash" / token).read_bytes() == b"one"
    given(tmp_path, content=b"newer")
    back = restore(tmp_path, token)

    assert back.name == "plan (2).pdf"
    assert back.read_bytes() == b"one"
    with pytest.raises(UsageError, match="no longer in the trash"):
        restore(tmp_path, token)


def test_the_same_name_may_be_deleted_many_times(tmp_path: Path) -> None:
    """Nothing in the trash is overwritten either."""
    tokens = {discard(tmp_path, given(tmp_path, content=str(n).encode())) for n in range(20)}

    assert len(tokens) == 20
    assert sum(1 for path in (tmp_path / "trash").rglob("*") if path.is_file()) == 20


def test_only_uploads_are_deleted(tmp_path: Path) -> None:
    """A file elsewhere stays, also where the path leads out of the folder again."""
    outside = tmp_path / "papers" / "theirs.pdf"
    outside.parent.mkdir()
    outside.write_bytes(b"x")
    given(tmp_path)

    for path in (outside, uploads_folder(tmp_path) / ".." / "papers" / "theirs.pdf"):
        with pytest.raises(UsageError, match="not Hayloft's to delete"):
            discard(tmp_path, path)
    assert outside.exists()
    assert not is_upload(tmp_path, uploads_folder(tmp_path))


@pytest.mark.parametrize("token", ["", "..", "../papers/theirs.pdf", "/etc/passwd", "a/../../b"])
def test_restore_stays_in_the_trash(tmp_path: Path, token: str) -> None:
    """A token that leads elsewhere brings nothing back."""
    with pytest.raises(UsageError, match="no longer in the trash"):
        restore(tmp_path, token)


def test_deleting_what_is_gone_is_said(tmp_path: Path) -> None:
    """Somebody deleted the file by hand meanwhile."""
    path = given(tmp_path)
    path.unlink()

    with pytest.raises(UsageError, match="no longer in"):
        discard(tmp_path, path)


def test_a_quote_in_a_name_is_kept_as_its_owner_wrote_it(tmp_path: Path) -> None:
    """Browsers send quotation marks and line breaks of a file's name as %22, %0D and %0A."""
    kept = keep(tmp_path, "the %22best%22 of%0Aall 100%.md", b"Words.", most_mb=1)

    assert kept.path.name == 'the "best" ofall 100%.md'
    assert kept.asked == 'the "best" of\nall 100%.md'
