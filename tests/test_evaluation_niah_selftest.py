"""The harness shows readers of known behaviour for what they are, and blames the right stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.chat import Message, Usage
from evaluation.niah import readers
from evaluation.niah.readers import NOT_THERE, Reader
from evaluation.niah.records import FAILURE_STAGES
from evaluation.niah.selftest import FULL, QUICK, reader_checks, run_selftest
from evaluation.niah.selftest_product import FAULTS, product_checks
from storage.errors import UsageError
from tests.niah_rows import row


def test_every_reader_is_seen_for_what_it_is(tmp_path: Path) -> None:
    """Every pattern, on the smaller grid."""
    checks = list(reader_checks(tmp_path, QUICK))

    assert [f"{check.name}: {check.told}" for check in checks if not check.passed] == []
    assert len(checks) == 14


def test_every_planted_fault_is_blamed_on_its_stage(tmp_path: Path) -> None:
    """Five needles each, through a real file, a real index and the real packer."""
    checks = list(product_checks(tmp_path))

    assert [f"{check.name}: {check.told}" for check in checks if not check.passed] == []
    assert len(checks) == len(FAULTS)


def test_every_stage_has_its_planted_fault() -> None:
    """None can be blamed without having been tried."""
    assert {fault.stage for fault in FAULTS} == {None, *FAILURE_STAGES}


def test_the_full_grid_is_the_published_one() -> None:
    """Around a window of 32K, 4K to 128K."""
    assert FULL.lengths == (4096, 16384, 32768, 65536, 131072)
    assert QUICK.lengths[2] == QUICK.window


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path: Path) -> None:
    """--out names a new folder."""
    (tmp_path / "mine.txt").touch()

    with pytest.raises(UsageError, match="there already"):
        run_selftest(quick=True, out=tmp_path)


def trial(**more: object) -> object:
    from evaluation.niah.records import Trial

    return Trial.from_json({**row(**more).to_json(), "question_keys": []})


def asked(reader: Reader, text: str, question: str) -> tuple[str, Usage]:
    messages = [Message("system", "Rules."), Message("user", f"{text}\n\nQuestion: {question}")]
    answer, usage = reader.stream(messages, reserve=16)
    assert isinstance(answer, str)
    assert isinstance(usage, Usage)
    return answer, usage


def test_an_honest_reader_names_only_what_stands_in_its_prompt() -> None:
    """The same question over a text without the needle is answered with "not there"."""
    one = trial()
    reader = Reader("r", [one], readers.honest)  # type: ignore[list-item]
    needle, question = one.needles[0], one.question  # type: ignore[attr-defined]

    assert asked(reader, f"Before. {needle.text} After.", question)[0] == needle.value
    assert asked(reader, "Before. After.", question)[0] == NOT_THERE
    assert asked(reader, needle.text[:-5], question)[0] == NOT_THERE


def test_a_server_that_halves_says_so_in_its_count() -> None:
    """Half the window and three tokens, as Ollama counts."""
    one = trial()
    reader = Reader("r", [one], readers.honest, served=100)  # type: ignore[list-item]
    needle, question = one.needles[0], one.question  # type: ignore[attr-defined]

    answer, usage = asked(reader, f"{needle.text} {'word ' * 200}", question)

    assert (answer, usage.prompt_tokens) == (NOT_THERE, 53)
