"""The front door: light, helpful, and every fault one sentence with its exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hayloft
from storage.embedding import BUNDLED_NAME
from tests.library_fixtures import (
    FakeEmbedder,
    command_line_place,
    ingest,
    open_library,
    server_has_ended,
    wait_until,
    write_files,
)

ROOT = Path(__file__).resolve().parent.parent
HEAVY = (
    "torch",
    "chromadb",
    "pydantic",
    "numpy",
    "sentence_transformers",
    "llama_index",
    "httpx",
    "streamlit",
    "pypdf",
    "pypdfium2",
    "docx",
    "bs4",
    "rich",
    "sqlite3",
)
HIT_KEYS = {"rank", "document", "page", "score", "text", "char_start", "char_end"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data directory with three documents, filled by the fake embedder under the real name."""
    folder = tmp_path_factory.mktemp("hayloft")
    docs = write_files(
        folder / "docs",
        {
            "lease.md": "# Lease\n\nThe rent is 1,200 euros and due on the first.",
            "more/bees.txt": "Bees fly by day.",
            "more/zh.md": "# 年报\n\n净利润为八百万元。",
        },
    )
    with open_library(folder / "data", FakeEmbedder(name=BUNDLED_NAME)) as library:
        ingest(library, docs)
        yield folder / "data"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder without .env, no settings in the environment, the fake embedder as the model."""
    command_line_place(tmp_path, monkeypatch)


def imported_by(*arguments: str) -> set[str]:
    """The heavy libraries that are loaded when the command ends."""
    code = (
        "import sys, hayloft\n"
        "try: hayloft.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    return set(eval(done.stderr.strip().splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], [], *([name, "--help"] for name in hayloft.COMMANDS)],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments):
    """Asking for help loads neither torch nor Chroma nor pydantic, for no command."""
    assert imported_by(*arguments) == set()


@pytest.mark.parametrize("name", hayloft.COMMANDS)
def test_every_command_has_help(name, capsys):
    """A description, its arguments, exit 0."""
    with pytest.raises(SystemExit) as ended:
        hayloft.main([name, "--help"])

    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"usage: hayloft {name}" in out
    assert "--data-dir" in out


def test_help_names_every_command_and_exit_code(capsys):
    """Without a command the help is shown, and the exit code says that none was given."""
    assert hayloft.main([]) == 2

    out = capsys.readouterr().out
    assert all(f"\n    {name} " in out for name in hayloft.COMMANDS)
    assert all(f"\n  {code} " in out for code in (0, 1, 2, 69, 74, 75, 77))


@pytest.mark.parametrize(
    "words", [["serch", "x"], ["--nonsense"], ["search", "a", "b"], ["search", "--limit", "0", "x"]]
)
def test_wrong_words_are_refused(words, capsys):
    """Unknown commands and options end with 2 and the usage."""
    with pytest.raises(SystemExit) as ended:
        hayloft.main(words)

    assert ended.value.code == 2
    assert "usage: hayloft" in capsys.readouterr().err


@pytest.mark.parametrize(
    "before",
    [["--data-dir", "{}", "search"], ["search", "--data-dir", "{}"], ["--data-dir={}", "search"]],
)
def test_the_data_directory_can_stand_before_or_after_the_command(filled, capsys, before):
    """Wherever it stands, it wins over the environment."""
    words = [word.format(filled) for word in before]

    assert hayloft.main([*words, "--json", "When is the rent due?"]) == 0

    assert json.loads(capsys.readouterr().out)["hits"][0]["document"] == "lease.md"


def test_a_data_directory_named_like_a_command(tmp_path, capsys):
    """`--data-dir search ask` asks; it does not search."""
    assert hayloft.main(["--data-dir", "search", "status"]) == 0

    assert str(tmp_path / "search") in capsys.readouterr().out


def test_search_prints_the_contract(filled, capsys):
    """One object: the query, and hits with document, page from 1, score, text and span."""
    assert hayloft.main(["--data-dir", str(filled), "search", "--json", "the rent"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["query"] == "the rent"
    assert all(hit.keys() >= HIT_KEYS for hit in found["hits"])
    assert [hit["rank"] for hit in found["hits"]] == [*range(1, len(found["hits"]) + 1)]
    best = found["hits"][0]
    assert (best["document"], best["page"]) == ("lease.md", 1)
    assert best["char_end"] - best["char_start"] == len(best["text"])


def test_an_empty_query_stops_a_batch_before_it_begins(filled, tmp_path, capsys):
    """Nothing is printed that would look like a whole answer; the line is named."""
    place = tmp_path / "q.jsonl"
    place.write_text('{"query": "rent"}\n{"query": " "}\n', encoding="utf-8")

    assert hayloft.main(["search", "--batch", str(place)]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert "line 2: the query is empty" in err


def test_a_batch_prints_an_object_a_line_with_its_id(filled, tmp_path, capsys):
    """In the order of the lines; a line may name its document; ids are kept as they are."""
    lines = [
        {"id": "q1", "query": "the rent"},
        {"id": 7, "query": "净利润", "document": "more"},
        {"id": None, "query": "rent \u2028 bees", "document": "more/bees.txt"},
    ]
    batch = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    (tmp_path / "q.jsonl").write_text(batch.replace("\u2028", " "), encoding="utf-8")

    assert hayloft.main(["--data-dir", str(filled), "search", "--batch", "q.jsonl"]) == 0

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in found] == ["q1", 7, None]
    assert [line["hits"][0]["document"] for line in found] == [
        "lease.md",
        "more/zh.md",
        "more/bees.txt",
    ]
    assert {hit["document"] for hit in found[2]["hits"]} == {"more/bees.txt"}


def test_a_batch_is_read_from_standard_input(filled, monkeypatch, capsys):
    """With a dash for the file."""
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"id": 1, "query": "bees"}\n'))

    assert hayloft.main(["--data-dir", str(filled), "search", "--batch", "-"]) == 0

    assert json.loads(capsys.readouterr().out)["hits"][0]["document"] == "more/bees.txt"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{nonsense", "line 2 is not JSON"),
        ('"a string"', "line 2"),
        ('{"id": 1}', "line 2"),
        ('{"id": 1, "query": 3}', "line 2"),
    ],
)
def test_a_wrong_line_stops_a_batch_before_it_begins(filled, tmp_path, capsys, line, said):
    """The line's number is said, and nothing was printed before."""
    (tmp_path / "q.jsonl").write_text('{"id": 1, "query": "rent"}\n' + line + "\n")

    assert hayloft.main(["--data-dir", str(filled), "search", "--batch", "q.jsonl"]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "question is empty"),
        (["   \n"], "question is empty"),
        (["x" * 100_000], "100,000 characters"),
        ([], "Give either a QUERY or --batch"),
        (["--batch", "nowhere.jsonl"], "cannot be read"),
        (["--document", "nope.md", "rent"], "nope.md"),
    ],
    ids=["empty", "space", "long", "nothing", "no file", "no document"],
)
def test_questions_that_cannot_be_are_one_sentence(filled, capsys, arguments, said):
    """Exit 2, one line on stderr, nothing on stdout."""
    assert hayloft.main(["--data-dir", str(filled), "search", *arguments]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("hayloft: ")
    assert err.count("\n") == 1
    assert len(err) < 400


@pytest.mark.parametrize(
    "query", ['"', "NEAR(a b)", "rent AND (", "a\0b", "*", "--", "?!", "'; --"]
)
def test_full_text_syntax_is_answered(filled, capsys, query):
    """Quotes and operators are words like others."""
    assert hayloft.main(["--data-dir", str(filled), "search", "--json", "--", query]) == 0

    assert json.loads(capsys.readouterr().out)["query"] == query


def test_an_empty_library_says_how_to_fill_it(capsys):
    """No hits, no fault."""
    assert hayloft.main(["search", "rent"]) == 0
    assert "hayloft ingest FOLDER" in capsys.readouterr().out
    assert hayloft.main(["search", "--json", "rent"]) == 0
    assert json.loads(capsys.readouterr().out) == {"query": "rent", "hits": []}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HAYLOFT_RESERVE", "abc", ["ask", "rent?"]),
        ("HAYLOFT_LOG_LEVEL", "loud", ["search", "rent"]),
        ("HAYLOFT_CHROMA_URL", "localhost:8000", ["search", "rent"]),
        ("HAYLOFT_CHROMA_LINGER_S", "-1", ["search", "rent"]),
        ("HAYLOFT_THREADS", "all", ["search", "rent"]),
    ],
)
def test_a_setting_that_cannot_work_is_named(monkeypatch, capsys, name, value, words):
    """One sentence with the variable's name and its value, exit 2, no traceback."""
    monkeypatch.setenv(name, value)

    assert hayloft.main(words) == 2

    err = capsys.readouterr().err
    assert name in err
    assert value.upper() in err.upper()
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_wrong_line_in_the_env_file_is_named(tmp_path, capsys):
    """Settings are read from .env of the current folder too."""
    (tmp_path / ".env").write_text("HAYLOFT_CHROMA_LINGER_S=soon\n")
    os.environ.pop("HAYLOFT_CHROMA_LINGER_S")

    assert hayloft.main(["search", "rent"]) == 2

    assert "HAYLOFT_CHROMA_LINGER_S is 'soon'" in capsys.readouterr().err


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    """What was not foreseen shows its traceback."""

    def broken(*args, **kwargs):
        raise ValueError("a bug")

    monkeypatch.setattr("app.find.Finder.search", broken)
    with pytest.raises(ValueError, match="a bug"):
        hayloft.main(["search", "rent"])


def test_a_command_ends_without_looking_through_what_it_leaves(tmp_path):
    """The collector has nothing to do at the end: with torch loaded it took seconds."""
    script = (
        "import atexit, gc, sys, hayloft\n"
        "atexit.register(lambda: print('frozen', gc.get_freeze_count() > 1000))\n"
        "sys.exit(hayloft.main(['runs', '--data-dir', sys.argv[1]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert done.stdout.splitlines()[-1] == "frozen True"


def test_ctrl_c_is_a_sentence(monkeypatch, capsys):
    """Exit 130, as a shell expects."""

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("app.find.Finder.search", interrupted)

    assert hayloft.main(["search", "rent"]) == 130
    assert capsys.readouterr().err.startswith("hayloft: interrupted")


def test_two_searches_at_the_same_instant_start_one_server(filled, tmp_path):
    """On a directory whose server has ended, three commands at once: one server, three answers."""
    docs = write_files(tmp_path / "docs", {"lease.md": "# Lease\n\nThe rent is due."})
    with open_library(tmp_path / "data", FakeEmbedder(name=BUNDLED_NAME)) as library:
        ingest(library, docs)
    wait_until(lambda: server_has_ended(tmp_path / "data"), what="the end of the server")
    log = tmp_path / "data" / "logs" / "chroma.log"
    starts = log.read_text().count("starting chroma")

    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults_runner", "search", "--json", "rent"],
            cwd=ROOT,
            env={**os.environ, "HAYLOFT_DATA_DIR": str(tmp_path / "data")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=90) for process in processes]

    assert [err for _, err in said] == [""] * 3
    assert {json.loads(out)["hits"][0]["document"] for out, _ in said} == {"lease.md"}
    assert log.read_text().count("starting chroma") == starts + 1
