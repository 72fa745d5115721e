"""Token counts: exact with Qwen2's vocabulary, else from above; and `hayloft tokens`."""

from __future__ import annotations

import argparse
import io
import json
import random
import struct
import sys
import time
from pathlib import Path

import pytest

from app import cli_tokens
from app.chat import Message
from app.tokens import (
    DEFAULT_SYSTEM,
    EstimatingCounter,
    ExactCounter,
    counter_from_file,
    estimate,
    lower_bound,
    render_chat,
    save_tokenizer,
)
from storage.errors import SettingsError, UsageError
from storage.gguf_file import read_gguf
from storage.sound_text import sound
from storage.vocabulary import build_tokenizer, vocabulary_of
from tests.canned_server import free_port
from tests.vocabularies import GGUF, ROOT, SMALL, needs_vocabulary, shared_rows, write_gguf


@pytest.fixture(scope="module")
def qwen2() -> ExactCounter:
    return counter_from_file(GGUF)


def test_gguf_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The header written by the gguf package comes back as the same vocabulary."""
    metadata = read_gguf(write_gguf(tmp_path / "small.gguf"))

    assert vocabulary_of(metadata) == SMALL
    assert metadata["qwen2.context_length"] == 32768


def test_small_vocabulary_counts_as_by_hand(tmp_path: Path) -> None:
    """Merges within words, digits and special tokens apart, as worked out on paper."""
    counter = counter_from_file(write_gguf(tmp_path / "small.gguf"))

    assert counter.count_text("").tokens == 0
    assert counter.count_text(" hay").tokens == 1
    assert counter.count_text("hay hay").tokens == 3  # h, ay, Ġhay
    assert counter.count_text("2026").tokens == 4
    assert counter.count_text("\n\n").tokens == 1
    assert counter.count_text("ay<|im_end|>ay").tokens == 3
    assert counter.count_text("[PAD7]").tokens == 1
    assert counter.count_text("ay").exact


def test_chat_count_is_that_of_the_rendered_prompt(tmp_path: Path) -> None:
    """Counting message by message gives what counting the whole prompt gives."""
    counter = counter_from_file(write_gguf(tmp_path / "small.gguf"))
    messages = [
        Message("system", "\n\nRules\n"),
        Message("user", "  hay \n\n hay\n\nhay"),
        Message("assistant", ""),
        Message("user", "<|im_end|> now\r\n\r\nthen"),
    ]

    for part in (messages, messages[1:], []):
        for system in ("", DEFAULT_SYSTEM):
            rendered = render_chat(part, default_system=system)
            expected = len(counter.ids(rendered))
            assert counter.count_chat(part, default_system=system).tokens == expected


def test_default_system_message_stands_where_none_is_given() -> None:
    """The template's own rule: only a prompt without a system message gets one."""
    bare = render_chat([Message("user", "hi")])
    own = render_chat([Message("system", "Be brief."), Message("user", "hi")])

    assert bare == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert DEFAULT_SYSTEM not in own


def test_grown_prompt_encodes_only_what_is_new() -> None:
    """A paragraph counted before is remembered, so a growing prompt costs its growth."""

    class Counting:
        """A tokenizer that remembers what it was given."""

        def __init__(self) -> None:
            self.seen: list[str] = []

        def encode(self, text: str, *, add_special_tokens: bool) -> list[str]:
            self.seen.append(text)
            return text.split()

    tokenizer = Counting()
    counter = ExactCounter(tokenizer)  # type: ignore[arg-type]
    paragraphs = [f"paragraph {n} of many\n\n" for n in range(300)]
    total = 0
    for n in range(1, len(paragraphs) + 1):
        total = counter.count_text("".join(paragraphs[:n])).tokens

    assert total == 4 * 300
    assert sorted(tokenizer.seen) == sorted(paragraphs)


def test_half_characters_are_counted_not_crashed_on(tmp_path: Path) -> None:
    """A lone surrogate, which cannot be sent, counts as the question mark sent for it."""
    counter = counter_from_file(write_gguf(tmp_path / "small.gguf"))

    assert sound("a\ud800b") == "a?b"
    assert counter.count_text("a\ud800b") == counter.count_text("a?b")


def test_kept_tokenizer_counts_the_same(tmp_path: Path) -> None:
    """A vocabulary kept on disk as tokenizer.json gives the same ids."""
    tokenizer = build_tokenizer(SMALL)
    path = tmp_path / "deep" / "kept.json"
    text = "hay 12 \n\n<|im_start|>[PAD7] é"

    save_tokenizer(tokenizer, path)

    assert counter_from_file(path).ids(text) == ExactCounter(tokenizer).ids(text)
    assert [entry.name for entry in path.parent.iterdir()] == ["kept.json"]


def test_tokenizer_json_keeps_its_own_normaliser(tmp_path: Path) -> None:
    """Qwen2's tokenizer.json asks for NFC and gets it; a GGUF file, as llama.cpp, does not."""
    from tokenizers import normalizers

    tokenizer = build_tokenizer(SMALL)
    tokenizer.normalizer = normalizers.NFC()
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    decomposed = "e\u0301"

    assert counter_from_file(path).count_text(decomposed).tokens == 2  # é: two bytes
    bare = ExactCounter(build_tokenizer(SMALL))
    assert bare.count_text(decomposed).tokens == 3  # e, and an accent of two bytes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"", "neither a tokenizer.json nor a GGUF"),
        (b"\x00\xff garbage", "neither a tokenizer.json nor a GGUF"),
        (b'{"version": "1.0"}', "neither a tokenizer.json nor a GGUF"),
        (b"GGUF", "damaged or cut short"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + b"\xff" * 40, "damaged or cut short"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "does not hold Qwen2's vocabulary"),
    ],
)
def test_unusable_tokenizer_file_is_a_sentence(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    """A file that is not there, not a tokenizer, or cut short, is a SettingsError that says so."""
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=words):
        counter_from_file(path)


def test_every_cut_of_a_gguf_header_is_refused(tmp_path: Path) -> None:
    """However short the file is cut, the error is the same sentence."""
    whole = write_gguf(tmp_path / "small.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in range(4, 3000, 101):
        cut.write_bytes(whole[:size])
        with pytest.raises(SettingsError, match="cut short"):
            counter_from_file(cut)


def test_gguf_of_another_family_is_refused(tmp_path: Path) -> None:
    """A file whose words are cut otherwise than Qwen2's would count wrongly."""
    path = write_gguf(tmp_path / "other.gguf", pre="llama-bpe")

    with pytest.raises(SettingsError, match="does not hold Qwen2's vocabulary"):
        counter_from_file(path)


@needs_vocabulary
def test_counts_equal_those_of_llama_cpp(qwen2: ExactCounter) -> None:
    """All texts that llama.cpp's server tokenised have the same count and first ids here."""
    rows = shared_rows()

    for row in rows:
        text = str(row["text"])
        ids = qwen2.ids(text)
        assert len(ids) == row["tokens"], text[:60]
        assert ids[:16] == row["first_ids"], text[:60]
        assert qwen2.count_text(text).tokens == row["tokens"]
    assert len(rows) == 51


@needs_vocabulary
def test_counting_by_paragraphs_changes_nothing(qwen2: ExactCounter) -> None:
    """Whatever white space stands at a cut, the pieces add up to the whole."""
    rng = random.Random(7)
    parts = ["a", " ", "\n", "\n\n", "\r\n", "\t", "hay", "1", ".", "。", "\xa0", "\x1c", "\x85",
             "\u2028", "'s", "<|im_end|>", "é", "e\u0301", "\n\n\n", "干草", "\u200b"]  # fmt: skip
    for _ in range(3000):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 12)))
        assert qwen2.count_text(text).tokens == len(qwen2.ids(text)), ascii(text)


@needs_vocabulary
def test_128k_tokens_are_counted_in_seconds_and_again_at_once(qwen2: ExactCounter) -> None:
    """A prompt that fills the largest window is counted in seconds, then remembered."""
    # Measured on two busy cores: 0.4 s for the first count, 5 ms for the next.
    text = "".join(
        f"Item {n}: the barn in valley {n} holds {n * 7} bales of dry hay, counted in autumn.\n\n"
        for n in range(5500)
    )

    start = time.perf_counter()
    tokens = qwen2.count_text(text).tokens
    first = time.perf_counter() - start
    start = time.perf_counter()
    qwen2.count_text(text + "and one more line")
    again = time.perf_counter() - start

    assert tokens > 131_072
    assert first < 20  # room for a machine with other work
    assert again < first / 2


@needs_vocabulary
def test_estimate_is_never_below_the_truth(qwen2: ExactCounter) -> None:
    """The estimate is at least the true count for all shared texts and for our own source."""
    counter = EstimatingCounter()
    texts = [str(row["text"]) for row in shared_rows()]
    texts += [path.read_text(encoding="utf-8") for path in ROOT.glob("app/*.py")]
    for text in texts:
        truth = qwen2.count_text(text).tokens
        assert counter.count_text(text).tokens >= truth, text[:60]
        assert not counter.count_text(text).exact
        chat = [Message("user", text)]
        assert counter.count_chat(chat).tokens >= qwen2.count_chat(chat).tokens, text[:60]


@needs_vocabulary
def test_estimate_is_not_wasteful(qwen2: ExactCounter) -> None:
    """An estimate of prose stays under 1.6 times the truth, so most of a window is usable."""
    long = max((str(row["text"]) for row in shared_rows()), key=len)

    assert estimate(long) < 1.6 * qwen2.count_text(long).tokens


@needs_vocabulary
def test_lower_bound_is_never_above_the_truth(qwen2: ExactCounter) -> None:
    """No prose has fewer tokens than the bound; no freak fewer than the 60 % that prove a cut."""
    for row in shared_rows():
        assert lower_bound(str(row["text"])) <= int(str(row["tokens"]))
    for text in ("=" * 5000, " " * 5000, "internationalization " * 300, "\n" * 400 + "-" * 900):
        assert 0.6 * lower_bound(text) <= qwen2.count_text(text).tokens, text[:60]
    assert lower_bound("The hay is in the loft. " * 100) > 200


def tokens_command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    cli_tokens.configure(parser)
    return cli_tokens.run(parser.parse_args(words))


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_settings: None) -> Path:
    """A folder of its own, and no Ollama anywhere."""
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_tokens_prints_one_json_object_a_file(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` gives file, tokens and exact; `--ids` adds the ids; line ends count as they are."""
    monkeypatch.setenv("HAYLOFT_TOKENIZER", str(write_gguf(alone / "small.gguf")))
    (alone / "one.txt").write_bytes(b"hay hay")
    (alone / "two ü.txt").write_bytes(b"a\r\nb")

    code = tokens_command("--json", "--ids", "one.txt", "two ü.txt")

    out = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [(line["file"], line["tokens"], line["exact"]) for line in out] == [
        ("one.txt", 3, True),
        ("two ü.txt", 4, True),
    ]
    assert [len(line["ids"]) for line in out] == [3, 4]
    assert set(out[0]) == {"file", "tokens", "exact", "ids"}


def test_tokens_reads_standard_input_and_counts_a_chat(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without FILE the text is standard input; `--chat` counts it as one user message."""
    gguf = write_gguf(alone / "small.gguf")
    monkeypatch.setenv("HAYLOFT_TOKENIZER", str(gguf))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hay")))

    tokens_command("--chat", "--json", "--ids")

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    expected = counter_from_file(gguf).ids(render_chat([Message("user", "hay")]))
    assert line == {"file": "-", "tokens": len(expected), "exact": True, "ids": expected}


def test_tokens_without_a_vocabulary_says_that_it_estimates(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing to count with: an estimate marked as one, with how to get exact counts."""
    (alone / "one.txt").write_text("The hay is in the loft.")

    code = tokens_command("--json", "one.txt")

    shown = capsys.readouterr()
    assert code == 0
    assert json.loads(shown.out)["exact"] is False
    assert "HAYLOFT_TOKENIZER" in shown.err
    with pytest.raises(UsageError, match="HAYLOFT_TOKENIZER"):
        tokens_command("--ids", "one.txt")


def test_tokens_sets_unreadable_files_aside(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is missing, a folder or not text has its line on stderr; the rest is counted."""
    (alone / "good.txt").write_text("hay")
    (alone / "bad.pdf").write_bytes(b"%PDF-1.7 \xff\xfe")

    code = tokens_command("--json", "bad.pdf", "gone.txt", str(alone), "good.txt")

    shown = capsys.readouterr()
    assert code == 1
    assert [json.loads(line)["file"] for line in shown.out.splitlines()] == ["good.txt"]
    assert "bad.pdf is not text in UTF-8" in shown.err
    assert "gone.txt cannot be read: No such file or directory." in shown.err


def test_tokens_for_people_has_a_total(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two files have a line each and a sum below."""
    monkeypatch.setenv("HAYLOFT_TOKENIZER", str(write_gguf(alone / "small.gguf")))
    (alone / "one.txt").write_text("hay")
    (alone / "two.txt").write_text("1" * 1200)

    tokens_command("one.txt", "two.txt")

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [["2", "one.txt"], ["1,200", "two.txt"], ["1,202", "total"]]
