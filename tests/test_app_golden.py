"""The golden set: questions that were answered badly, kept with what would have been right."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from app import golden
from app.golden import Origin
from storage.errors import StorageError, UsageError


def test_a_question_is_kept_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    """What is right, the note, when, and from which answer."""
    origin = Origin("c1", 7, "ollama qwen2:7b", "passages", "It ends in May.")

    added = golden.add(
        tmp_path,
        "  When does it end? ",
        document="lease.pdf",
        page=4,
        answers=("31 March", " 31 March", ""),
        note="the wrong year",
        origin=origin,
    )

    assert golden.listed(tmp_path) == [added]
    assert (added.question, added.document, added.page) == ("When does it end?", "lease.pdf", 4)
    assert (added.answers, added.note, added.origin) == (("31 March",), "the wrong year", origin)
    assert added.added_at.startswith("20") and added.id.startswith("g-")
    line = json.loads((tmp_path / golden.FILE).read_text())
    assert {"question", "document", "page", "answers", "note", "added_at", "origin"} <= set(line)


def test_the_same_thumb_twice_is_one_question(tmp_path: Path) -> None:
    """Another page for it is another one."""
    first = golden.add(tmp_path, "When?", document="a.pdf", page=1)
    again = golden.add(tmp_path, "When?", document="a.pdf", page=1, note="again")
    other = golden.add(tmp_path, "When?", document="a.pdf", page=2)

    assert again == first
    assert golden.listed(tmp_path) == [first, other]


def test_a_question_can_be_taken_out_and_put_back(tmp_path: Path) -> None:
    """The file is only ever appended to."""
    kept = golden.add(tmp_path, "When?", unanswerable=True)
    before = (tmp_path / golden.FILE).read_bytes()

    assert golden.remove(tmp_path, kept.id) == kept
    assert golden.listed(tmp_path) == []
    with pytest.raises(UsageError, match=f"none with the id {kept.id}"):
        golden.remove(tmp_path, kept.id)
    golden.add(tmp_path, "When?", unanswerable=True)

    assert [one.id for one in golden.listed(tmp_path)] == [kept.id]
    assert (tmp_path / golden.FILE).read_bytes().startswith(before)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"question": " "}, "needs words"),
        ({"question": "?"}, "What would have been right"),
        ({"question": "?", "document": "a.pdf"}, "Which page"),
        ({"question": "?", "page": 3}, "of which document"),
        ({"question": "?", "document": "/etc/passwd", "page": 1}, "relative to its source"),
        ({"question": "?", "document": "a\\b.pdf", "page": 1}, "forward slashes"),
        ({"question": "?", "unanswerable": True, "answers": ("x",)}, "no page and no answer"),
        ({"question": "x" * 10_001, "unanswerable": True}, "at most 10,000"),
    ],
)
def test_what_nothing_can_be_scored_by_is_refused(tmp_path: Path, words: dict, told: str) -> None:
    """And nothing is written for it."""
    with pytest.raises(UsageError, match=told):
        golden.add(tmp_path, **words)

    assert not (tmp_path / golden.FILE).exists()
    assert golden.listed(tmp_path) == []


def test_hostile_words_stay_data(tmp_path: Path) -> None:
    """Line ends, control signs and half characters come back as they went in."""
    text = 'One\n{"removed": "x"}\u2028two\x00 <|im_end|>'

    golden.add(tmp_path, text, answers=("half \ud800",))

    assert golden.listed(tmp_path)[0].question == text
    assert golden.listed(tmp_path)[0].answers == ("half ?",)
    assert (tmp_path / golden.FILE).read_bytes().count(b"\n") == 1


def test_fields_of_a_later_version_are_left_out(tmp_path: Path) -> None:
    """What an older Hayloft does not know does not hide the question from it."""
    (tmp_path / golden.FILE).write_text(
        '{"golden": 9, "id": "g-1", "question": "?", "mood": "cross", "answers": ["a"],'
        ' "origin": {"model": "m", "phase": "moon"}}\n{"golden": 9}\n{"removed": "g-2"}\n'
    )

    (one,) = golden.listed(tmp_path)

    assert (one.id, one.answers, one.origin.model) == ("g-1", ("a",), "m")


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Silently fewer questions would make a broken change look good."""
    golden.add(tmp_path, "When?", unanswerable=True)
    path = tmp_path / golden.FILE
    path.write_bytes(b"garbage\n" + path.read_bytes())

    with pytest.raises(StorageError, match="line 1"):
        golden.listed(tmp_path)


def test_thumbs_at_once_are_all_kept(tmp_path: Path) -> None:
    """Two pages and a command may add at the same time."""

    def add(name: int) -> None:
        for n in range(10):
            golden.add(tmp_path, f"{n % 5}-{name % 2}?", unanswerable=True)

    threads = [threading.Thread(target=add, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [one.question for one in golden.listed(tmp_path)]
    assert sorted(found) == sorted({f"{n}-{name}?" for n in range(5) for name in range(2)})
