"""`hayloft models`, `pull` and `extend` against the Ollama double, over sockets and with faults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hayloft
from app import cli_models
from app.chat_http import Server
from app.extend import extended_name
from app.ollama_models import parse_parameters, running_models
from app.ollama_server import ollama_server
from app.ollama_store import find_weights, is_local, manifest_path, stores
from storage.errors import UsageError
from tests.canned_server import CannedServer, free_port
from tests.ollama_double import QWEN2, DoubleModel, Fault, OllamaDouble
from tests.ollama_double_models import CHATML_TEMPLATE
from tests.toy_gguf import write_toy

SMALL = DoubleModel("qwen2:1.5b", size=1_000_000)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings, no store and no data but the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    for name in ("OLLAMA_HOST", "OLLAMA_MODELS", "HAYLOFT_OLLAMA_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where Ollama keeps its models by default."""
    return tmp_path / "home" / ".ollama" / "models"


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch, store: Path, tmp_path: Path) -> Iterator[OllamaDouble]:
    """Ollama with one model, a toy of 32K whose file lies in its store."""
    with OllamaDouble(models=[], library=[SMALL]) as double:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", double.url)
        toy = write_toy(tmp_path / "source.gguf").read_bytes()
        model = double.store.add("qwen2:7b", toy, store)
        double.install(
            DoubleModel(
                **{
                    **{name: getattr(model, name) for name in model.__dataclass_fields__},
                    "template": CHATML_TEMPLATE,
                    "system": 'Say "yes".',
                    "options": {"stop": ["<|im_start|>", "<|im_end|>"], "temperature": 0.5},
                }
            )
        )
        yield double


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = hayloft.main(["models", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if ".gguf" in path.name]


# --- hayloft models ---------------------------------------------------------------------------


def test_without_ollama_the_catalogue_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits is known without a server; the first line says how to get one."""
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", f"http://127.0.0.1:{free_port()}")

    code, out, _ = command(capsys)
    json_code, data, _ = command(capsys, "--json")

    assert code == json_code == 0
    assert "does not answer" in out.splitlines()[0]
    assert "qwen2:72b" in out
    facts = json.loads(data)
    assert facts["ollama"]["reachable"] is False
    assert facts["installed"] == []
    assert [entry["usable_window"] for entry in facts["catalogue"]] == [
        32768, 32768, 131072, 65536, 131072,
    ]  # fmt: skip
    assert facts["advice"]["tag"].startswith("qwen2:")


def test_served_window_is_told_of_loaded_models_only(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is claimed of a model that is not loaded; a loaded one runs as `/api/ps` says."""
    double.models = [QWEN2, DoubleModel("qwen2:7b-128k", trained_window=131072, yarn_factor=4.0)]
    _, before, _ = command(capsys, "--json")
    server = ollama_server(double.url)
    server_load(server, "qwen2:7b", 65536)

    _, data, _ = command(capsys, "--json")
    _, text, _ = command(capsys)

    assert all(model["served_window"] is None for model in json.loads(before)["installed"])
    found = {model["name"]: model for model in json.loads(data)["installed"]}
    assert found["qwen2:7b"]["served_window"] == 32768  # clamped without a word
    assert found["qwen2:7b"]["trained_window"] == 32768
    assert found["qwen2:7b"]["usable_window"] == 131072
    assert found["qwen2:7b-128k"]["served_window"] is None
    assert found["qwen2:7b"]["kv_bytes_per_token"] == 56 * 1024
    row = next(
        need
        for need in found["qwen2:7b"]["memory"]
        if (need["window"], need["kv_type"]) == (131072, "q8_0")
    )
    assert row["kv_bytes"] == 28 * 2 * 4 * 128 * 131072 * 17 // 16
    assert row["total_bytes"] == row["kv_bytes"] + QWEN2.size
    assert "served: 32,768 now" in text
    assert "served: not loaded" in text
    assert QWEN2.digest[:12] in text


def server_load(server: Server, name: str, window: int) -> None:
    from app.ollama_models import load

    load(server, name, window)


def test_embedders_and_cloud_models_have_no_memory_table(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are listed as what they are."""
    from tests.ollama_double_models import EMBEDDER

    double.models = [EMBEDDER]

    _, data, _ = command(capsys, "--json")
    _, text, _ = command(capsys)

    assert json.loads(data)["installed"][0]["memory"] == []
    assert "for embeddings" in text


def test_a_server_that_is_not_ollama_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page in place of the API is exit code 69, not an empty list."""
    with CannedServer({"/api/version": (200, "text/html", "<html>hello</html>")}) as server:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", server.url)

        code, out, err = command(capsys)

    assert code == 69
    assert "web page" in err
    assert out == ""


def test_another_machines_memory_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of this machine are known; all others are another's."""
    assert is_local("http://127.0.0.1:11434")
    assert is_local("http://[::1]:11434")
    assert is_local("http://localhost:1")
    assert not is_local("http://192.168.1.5:11434")
    assert not is_local("https://ollama.example:443")


# --- pull -------------------------------------------------------------------------------------


def test_pull_tells_its_progress_in_lines(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal a line a step; as JSON an object a step, the last one `success`."""
    code, out, _ = command(capsys, "pull", "qwen2:1.5b")
    _, data, _ = command(capsys, "pull", "qwen2:1.5b", "--json")

    assert code == 0
    assert double.model("qwen2:1.5b") is not None
    assert "50% of 0.0 GB" in out
    assert "is installed" in out.splitlines()[-1]
    steps = [json.loads(line) for line in data.splitlines()]
    assert steps[-1]["status"] == "success"


def test_pull_shows_a_bar_on_a_terminal(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the stage and the amount."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")

    code, out, _ = command(capsys, "pull", "qwen2:1.5b")

    assert code == 0
    assert "pulling" in out
    assert "is installed" in out


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        ("pull model manifest: file does not exist", 69, "no model qwen2:1.5b"),
        ("write /x/sha256-1-partial-0: no space left on device", 74, "no room"),
        (
            'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
            69,
            "cannot reach its library",
        ),
        ("max retries exceeded: unexpected EOF", 69, "goes on where it stopped"),
        ("digest mismatch, file must be downloaded again: want a, got b", 69, "arrived damaged"),
        (
            "pull model manifest: 412: this model requires a newer version of Ollama",
            69,
            "Update Ollama",
        ),
        ("pull model manifest: unauthorized: access denied", 69, "sign in"),
        ("something nobody foresaw", 69, "something nobody foresaw"),
    ],
)
def test_errors_under_status_200_are_sentences(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], error: str, code: int, said: str
) -> None:
    """The line says what failed; the sentence says what to do."""
    double.pull_error = error

    found, _, err = command(capsys, "pull", "qwen2:1.5b")

    assert found == code
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert double.model("qwen2:1.5b") is None


def test_unknown_model_is_not_pulled(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ollama says so in a line, after a first good one."""
    code, _, err = command(capsys, "pull", "nothing:1b")

    assert code == 69
    assert "no model nothing:1b" in err


@pytest.mark.parametrize(
    "fault",
    [
        Fault.CUT_MID_CHUNK,
        Fault.CUT_BETWEEN_CHUNKS,
        Fault.END_WITHOUT_DONE,
        Fault.GARBLED_LINE,
    ],
)
def test_server_gone_midway_is_resumed_by_asking_again(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    """Each way of breaking off is an error, and the next run brings only the rest."""
    double.inject(fault, count=1, paths={"/api/pull"})

    code, _, err = command(capsys, "pull", "qwen2:1.5b")
    again, out, _ = command(capsys, "pull", "qwen2:1.5b")

    assert code == 69
    assert len(err.strip().splitlines()) == 1
    if fault is not Fault.GARBLED_LINE:
        assert "goes on where it stopped" in err
    assert again == 0
    assert "20% of" not in out
    assert "70% of" in out


def test_interrupted_pull_says_that_ollama_keeps_it(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C closes the connection, and the reader learns how to go on."""

    def interrupt(self: object, stage: str, done: int, of: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_models._Lines, "__call__", interrupt)

    code, _, err = command(capsys, "pull", "qwen2:1.5b")

    assert code == 130
    assert "goes on there" in err


def test_pull_without_ollama_says_how_to_start_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is needed is not there."""
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", f"http://127.0.0.1:{free_port()}")

    code, _, err = command(capsys, "pull", "qwen2:7b")

    assert code == 69
    assert "ollama serve" in err


# --- extend -----------------------------------------------------------------------------------


def test_extend_makes_a_model_that_serves_128k(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the original's template, system prompt and parameters, and its window as served."""
    code, data, err = command(capsys, "extend", "qwen2:7b", "--json")

    assert code == 0, err
    facts = json.loads(data)
    assert facts["name"] == "qwen2:7b-128k"
    assert facts["trained_window"] == 32768
    assert facts["window"] == facts["served_window"] == 131072
    made, original = double.model("qwen2:7b-128k"), double.model("qwen2:7b")
    assert made is not None and original is not None
    assert (made.trained_window, made.yarn_factor) == (131072, 4.0)
    assert (made.template, made.system) == (original.template, original.system)
    assert made.options == original.options
    assert hashlib.sha256(double.store.blobs[made.blob]).hexdigest() == facts["digest"]
    assert original.trained_window == 32768
    assert leftovers(tmp_path / "data") == []
    assert double.never_truncates()


def test_extend_for_people_says_what_it_costs(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The window as served, the price for short prompts, and how to use the copy."""
    code, out, _ = command(capsys, "extend", "qwen2:7b")

    assert code == 0
    assert "131,072 tokens, as Ollama says after a load" in out
    assert "short prompts" in out
    assert "HAYLOFT_MODEL=ollama:qwen2:7b-128k" in out


def test_extend_twice_makes_one_copy(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second run finds it there and only looks at its window."""
    command(capsys, "extend", "qwen2:7b")
    double.requests.clear()

    code, data, _ = command(capsys, "extend", "qwen2:7b", "--json")

    assert code == 0
    assert json.loads(data)["existed"] is True
    assert json.loads(data)["served_window"] == 131072
    assert not [r for r in double.requests if r.path == "/api/create" or "blobs" in r.path]


def test_a_file_that_ollama_has_is_not_sent_again(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a creation that failed, the upload is not repeated."""
    double.inject(Fault.CUT_BETWEEN_CHUNKS, count=1, paths={"/api/create"})
    first, _, err = command(capsys, "extend", "qwen2:7b")

    code, _, _ = command(capsys, "extend", "qwen2:7b")

    assert (first, code) == (69, 0)
    assert "broke off" in err
    uploads = [r for r in double.requests if "/api/blobs/" in r.path and r.method == "POST"]
    assert len(uploads) == 1


def test_extend_names_and_keeps_as_told(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """--name, --factor and --keep-gguf."""
    kept = tmp_path / "kept" / "long.gguf"

    code, data, _ = command(
        capsys, "extend", "qwen2:7b", "--name", "mine:long", "--factor", "2",
        "--keep-gguf", str(kept), "--json", "--no-check",
    )  # fmt: skip

    assert code == 0
    made = double.model("mine:long")
    assert made is not None
    assert made.trained_window == 65536
    assert json.loads(data)["served_window"] is None
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == made.blob
    assert leftovers(kept.parent) == ["long.gguf"]


def test_file_only_needs_no_server(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For llama.cpp's own server: from a file to a file."""
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", f"http://127.0.0.1:{free_port()}")
    source = write_toy(tmp_path / "toy.gguf")
    kept = tmp_path / "long.gguf"

    code, out, err = command(
        capsys, "extend", "toy", "--gguf", str(source), "--keep-gguf", str(kept), "--file-only"
    )
    bare, _, told = command(capsys, "extend", "toy", "--gguf", str(source), "--file-only")

    assert code == 0, err
    assert kept.stat().st_size > source.stat().st_size
    assert str(kept) in out
    assert bare == 2
    assert "--keep-gguf" in told


def test_a_file_of_ones_own_takes_the_template_inside_it(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A model that Ollama does not have yet can be made from --gguf."""
    source = write_toy(tmp_path / "toy.gguf", seed=7)

    code, _, err = command(capsys, "extend", "other:7b", "--gguf", str(source))

    assert code == 0, err
    made = double.model("other:7b-128k")
    assert made is not None
    assert made.template == ""


def test_a_name_that_something_else_has_is_not_overwritten(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's own qwen2:7b-128k stays what it is."""
    double.install(DoubleModel("qwen2:7b-128k"))

    code, _, err = command(capsys, "extend", "qwen2:7b")

    assert code == 2
    assert "--name" in err


def test_a_copy_that_does_not_fit_in_memory_is_made_but_said_so(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model stays; exit code 1, the reason and what to do."""
    double.memory_gib = 0.0001

    code, out, _ = command(capsys, "extend", "qwen2:7b")

    assert code == 1
    assert double.model("qwen2:7b-128k") is not None
    assert "does not fit in the memory" in out
    assert "The model is made" in out


def test_a_model_that_is_not_to_be_extended_leaves_nothing(
    double: OllamaDouble, store: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A 0.5B model is refused before anything is copied or sent."""
    small = write_toy(tmp_path / "s.gguf", layers=24, width=896, tensors=False)
    double.store.add("qwen2:0.5b", small.read_bytes(), store)

    code, _, err = command(capsys, "extend", "qwen2:0.5b")

    assert code == 2
    assert "0.5B" in err
    assert leftovers(tmp_path / "data") == []
    assert not [r for r in double.requests if "blobs" in r.path]


def test_missing_model_says_how_to_get_it(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything else."""
    code, _, err = command(capsys, "extend", "qwen2:72b")

    assert code == 69
    assert "ollama pull qwen2:72b" in err


@pytest.mark.parametrize(
    ("fault", "paths"),
    [
        (Fault.RESET, {"/api/blobs"}),
        (Fault.HTML_502, {"/api/blobs"}),
        (Fault.HTML_502, {"/api/create"}),
        (Fault.CUT_MID_CHUNK, {"/api/create"}),
        (Fault.END_WITHOUT_DONE, {"/api/create"}),
        (Fault.ERROR_LINE, {"/api/create"}),
        (Fault.GARBLED_LINE, {"/api/create"}),
        (Fault.RESET, {"/api/chat"}),
        (Fault.HTML_200, {"/api/show"}),
    ],
)
def test_each_failure_is_one_sentence_and_leaves_no_file(
    double: OllamaDouble,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    fault: Fault,
    paths: set[str],
) -> None:
    """Wherever the server fails on the way; the next run succeeds."""
    double.inject(fault, paths=paths)

    code, _, err = command(capsys, "extend", "qwen2:7b")
    double.fault = None
    again, _, _ = command(capsys, "extend", "qwen2:7b")

    assert code == 69
    assert len(err.strip().splitlines()) == 1
    assert leftovers(tmp_path / "data") == []
    assert again == 0


def test_a_full_disk_at_ollama_is_told(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not ours, so the sentence says whose."""
    double.disk_full = True

    code, _, err = command(capsys, "extend", "qwen2:7b")

    assert code == 74
    assert "Ollama keeps its models" in err


def test_no_room_for_the_copy_is_seen_before_it_is_made(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written and nothing sent."""
    monkeypatch.setattr("app.gguf_copy._SPARE", 1 << 62)

    code, _, err = command(capsys, "extend", "qwen2:7b")

    assert code == 74
    assert "Free some space" in err
    assert not [r for r in double.requests if "blobs" in r.path]


def test_an_old_ollama_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before 0.5.5 models are made from a Modelfile, which is another protocol."""
    with OllamaDouble(version="0.5.0") as old:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", old.url)

        code, _, err = command(capsys, "extend", "qwen2:7b")

    assert code == 69
    assert "Update Ollama" in err


def test_ollama_elsewhere_says_what_to_do(
    double: OllamaDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are not here: run it there, or name a file."""
    monkeypatch.setattr("app.extend.is_local", lambda url: False)

    code, _, err = command(capsys, "extend", "qwen2:7b")

    assert code == 2
    assert "another machine" in err
    assert "--gguf" in err


# --- the store --------------------------------------------------------------------------------


def test_weights_are_found_by_from_line_or_manifest(
    double: OllamaDouble, store: Path, tmp_path: Path
) -> None:
    """The server's own word first; else the manifest, in whatever case its folders are."""
    blob = next((store / "blobs").iterdir())

    named = find_weights("x:1b", f"FROM {blob}\nTEMPLATE y", [])
    listed = find_weights("QWEN2:7b", "FROM /models/blobs/sha256-0\n", [tmp_path, store])

    assert named.path == listed.path == blob
    assert named.store == listed.store == store


def test_weights_that_are_not_here_or_not_ours_are_explained(
    double: OllamaDouble, store: Path
) -> None:
    """A container's files, unreadable ones, and models of several parts each have a sentence."""
    with pytest.raises(UsageError, match="container"):
        find_weights("qwen2:1.5b", "FROM /root/.ollama/x\n", [store])
    with pytest.raises(UsageError, match="adapter"):
        find_weights("qwen2:7b", "FROM /x\nADAPTER /y\n", [store])
    with pytest.raises(UsageError, match="not on this machine"):
        find_weights("../../etc:passwd", "", [store])
    manifest = manifest_path("qwen2:7b", store)
    assert manifest is not None
    layers = json.loads(manifest.read_text())["layers"]
    manifest.write_text(json.dumps({"layers": [layers[0], layers[0]]}))
    with pytest.raises(UsageError, match="split over 2"):
        find_weights("qwen2:7b", "", [store])
    projector = {"mediaType": "application/vnd.ollama.image.projector", "digest": "sha256:1"}
    manifest.write_text(json.dumps({"layers": [layers[0], projector]}))
    with pytest.raises(UsageError, match="images"):
        find_weights("qwen2:7b", "", [store])
    manifest.write_text("{ half")
    with pytest.raises(UsageError, match="not on this machine"):
        find_weights("qwen2:7b", "", [store])


def test_manifests_lie_by_host_namespace_and_tag(tmp_path: Path) -> None:
    """Short names mean Ollama's own library and the tag `latest`."""
    root = tmp_path / "manifests"

    assert manifest_path("qwen2", tmp_path) == root / "registry.ollama.ai/library/qwen2/latest"
    assert manifest_path("me/own:x", tmp_path) == root / "registry.ollama.ai/me/own/x"
    assert manifest_path("hf.co/a/b:Q4", tmp_path) == root / "hf.co/a/b/Q4"
    assert manifest_path("a/b/c/d:x", tmp_path) is None


def test_stores_are_where_ollama_puts_them() -> None:
    """OLLAMA_MODELS first, then the user's, then the service's."""
    assert stores({"OLLAMA_MODELS": "/m", "HOME": "/h"}) == [
        Path("/m"),
        Path("/h/.ollama/models"),
        Path("/usr/share/ollama/.ollama/models"),
    ]


# --- small things -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("qwen2:7b", "qwen2:7b-128k"),
        ("qwen2", "qwen2:128k"),
        ("me/own:7b-instruct-q4_K_M", "me/own:7b-instruct-q4_K_M-128k"),
        ("hf.co/Qwen/Qwen2-7B-GGUF:Q4_0", "qwen2-7b-gguf:Q4_0-128k"),
    ],
)
def test_extended_name_says_the_window(model: str, name: str) -> None:
    """Beside the original, whatever registry that came from."""
    assert extended_name(model, 131072) == name


def test_parameters_are_read_as_show_prints_them() -> None:
    """Go's way of writing values; `stop` is a list even where it stands once."""
    text = (
        'stop                           "<|im_start|>"\n'
        'stop                           "<|im_end|>"\n'
        "temperature                    0.7\n"
        "num_ctx                        32768\n"
        "use_mmap                       true\n\n"
    )

    found = parse_parameters(text)

    expected: dict[str, Any] = {
        "stop": ["<|im_start|>", "<|im_end|>"],
        "temperature": 0.7,
        "num_ctx": 32768,
        "use_mmap": True,
    }
    assert found == expected
    assert parse_parameters('stop "x"') == {"stop": ["x"]}


def test_running_models_tell_window_and_memory(double: OllamaDouble) -> None:
    """As `/api/ps` lists them, spilled memory included."""
    double.models = [QWEN2]
    double.vram_gib = 4
    server = ollama_server(double.url)
    server_load(server, "qwen2:7b", 32768)

    (found,) = running_models(server)

    assert (found.name, found.window) == ("qwen2:7b", 32768)
    assert 0 < found.gpu_size < found.size
