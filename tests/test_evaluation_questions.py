"""Reading question files, strictly."""

from __future__ import annotations

import hashlib
import json

import pytest

from evaluation.questions import Place, read_questions, spread
from storage.errors import UsageError

GOOD = {"id": "q1", "question": "Who?", "relevant": [{"document": "a/b.pdf", "page": 3}]}


def write(path, *lines):
    path.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines),
        encoding="utf-8",
    )
    return path


def test_a_good_file_is_read_with_its_digest(tmp_path):
    """Questions keep their order; blank lines, extra fields and a byte order mark are fine."""
    path = tmp_path / "questions.jsonl"
    second = {**GOOD, "id": "q2", "question": "这是什么?", "answer": "42"}
    path.write_text(
        "\ufeff" + json.dumps(GOOD) + "\r\n\n" + json.dumps(second, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )

    file = read_questions(path)

    assert [question.id for question in file.questions] == ["q1", "q2"]
    assert file.questions[1].text == "这是什么?"
    assert file.questions[0].relevant == (Place("a/b.pdf", 3),)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_page_named_twice_is_one_relevant_page(tmp_path):
    """Two pieces of evidence on one page do not make recall harder."""
    place = {"document": "a.pdf", "page": 3}

    file = read_questions(write(tmp_path / "q", {**GOOD, "relevant": [place, place]}))

    assert file.questions[0].relevant == (Place("a.pdf", 3),)


def test_a_line_separator_inside_a_question_does_not_end_its_line(tmp_path):
    """U+2028 is an ordinary character in JSON."""
    line = json.dumps({**GOOD, "question": "one\u2028two"}, ensure_ascii=False)

    assert read_questions(write(tmp_path / "q", line)).questions[0].text == "one\u2028two"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("7", "not a JSON object"),
        ({"id": "q", "relevant": GOOD["relevant"]}, '"question" must be text'),
        ({**GOOD, "id": 7}, '"id" must be text'),
        ({**GOOD, "question": "  "}, '"question" must be text that is not empty'),
        ({"id": "q", "question": "Who?", "relevent": GOOD["relevant"]}, '"relevant" must be a'),
        ({**GOOD, "relevant": []}, '"relevant" must be a list of at least one'),
        ({**GOOD, "relevant": ["a.pdf"]}, "must be an object with document and page"),
        ({**GOOD, "relevant": [{"page": 3}]}, '"document" must be text'),
        ({**GOOD, "relevant": [{"document": "a.pdf"}]}, "whole number from 1"),
        ({**GOOD, "relevant": [{"document": "a.pdf", "page": 0}]}, "whole number from 1"),
        ({**GOOD, "relevant": [{"document": "a.pdf", "page": "3"}]}, "whole number from 1"),
        ({**GOOD, "relevant": [{"document": "a.pdf", "page": True}]}, "whole number from 1"),
        ({**GOOD, "relevant": [{"document": "a.pdf", "page": 3.5}]}, "whole number from 1"),
        ({**GOOD, "relevant": [{"document": "/a.pdf", "page": 1}]}, "relative to the source"),
        ({**GOOD, "relevant": [{"document": "a\\b.pdf", "page": 1}]}, "forward slashes"),
        ({**GOOD, "question": "\ud800"}, "surrogate"),
    ],
)
def test_a_bad_line_is_named_in_one_sentence(tmp_path, line, complaint):
    """The message holds the line's number and what is wrong, and the exit code is 2."""
    path = write(tmp_path / "questions.jsonl", GOOD, "", line)

    with pytest.raises(UsageError) as caught:
        read_questions(path)

    message = str(caught.value)
    assert "questions.jsonl, line 3: " in message
    assert complaint in message
    assert message.endswith(".")
    assert "\n" not in message
    assert caught.value.exit_code == 2


def test_every_bad_line_is_named(tmp_path):
    """Two faults give two lines; an id that is used twice is one."""
    path = write(tmp_path / "q.jsonl", GOOD, "{", GOOD)

    with pytest.raises(UsageError) as caught:
        read_questions(path)

    first, second = str(caught.value).split("\n")
    assert "line 2: not JSON" in first
    assert 'line 3: the id "q1" is taken by line 1' in second


def test_a_hopeless_file_is_described_briefly(tmp_path):
    """Past 20 faults only their number is told."""
    path = write(tmp_path / "q.jsonl", *["{"] * 33)

    with pytest.raises(UsageError) as caught:
        read_questions(path)

    lines = str(caught.value).split("\n")
    assert len(lines) == 21
    assert lines[-1].startswith("13 more lines")


def test_an_absent_an_empty_and_a_binary_file_are_refused(tmp_path):
    """Each gets its own sentence."""
    binary = tmp_path / "binary"
    binary.write_bytes(b'{"id": 1}\n\xff\xfe')

    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_questions(tmp_path / "absent")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_questions(tmp_path)
    with pytest.raises(UsageError, match="holds no question"):
        read_questions(write(tmp_path / "empty", "\n"))
    with pytest.raises(UsageError, match="line 2: not UTF-8"):
        read_questions(binary)


def test_a_subset_of_questions_is_spread_over_the_file():
    """Neighbouring questions ask about the same page."""
    assert spread(range(10), 3) == [0, 3, 6]
    assert spread(range(3), 5) == [0, 1, 2]
    assert spread(range(3), None) == [0, 1, 2]
