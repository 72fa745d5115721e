"""The plan of a needle run against llama.cpp's own server: what it says must be read is read."""

from __future__ import annotations

from pathlib import Path

import pytest

import hayloft
from evaluation.niah.rows import read_rows
from evaluation.niah.run_files import read_plan
from tests.engine_server import NAMED, EngineServer, engine
from tests.toy_gguf import write_toy
from tests.vocabularies import GGUF

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        engine() is None, reason=f"no llama-server on the PATH or in {NAMED}: make test-engine"
    ),
    pytest.mark.timeout(1200),
]


@pytest.mark.parametrize(("mode", "most"), [("separate", 0.51), ("sweep", 0.2)])
def test_tokens_to_compute_are_those_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, most: float
) -> None:
    """One slot, host cache off: to within 5 %, and no prompt is cut or miscounted."""
    # With Qwen2's whole vocabulary where it is at hand: a few merges make long questions.
    model = GGUF if GGUF.is_file() else write_toy(tmp_path / "qwen2-toy.gguf")
    monkeypatch.chdir(tmp_path)
    words = ["--cache-ram", "0", "--alias", "qwen2-toy"]
    with EngineServer(model, window=32768, log=tmp_path / "log", words=words) as server:
        monkeypatch.setenv("HAYLOFT_OPENAI_URL", f"{server.url}/v1")
        monkeypatch.setenv("HAYLOFT_TOKENIZER", str(model))
        monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
        grid = ["--lengths", "1K,2K,4K,8K,16K", "--depths", "6", "--trials", "1", "--run", mode]
        done = hayloft.main(["eval", "niah", "run", *grid, "--arms", "long", "--mode", mode])

    folder = tmp_path / "data" / "evaluations" / "niah" / mode
    rows = read_rows(folder / "rows.jsonl")
    assert done == 0 and len(rows) == 30 and {row.status for row in rows} == {"ok"}
    assert all(row.exact and row.prompt_tokens == row.server_prompt_tokens for row in rows)
    computed = sum(row.prompt_tokens - (row.cached_tokens or 0) for row in rows)
    told = read_plan(folder)["tokens"]
    print(mode, "computed", computed, "plan", told)
    assert abs(computed - told["computed"]) <= 0.05 * told["computed"]
    assert computed / told["naive"] <= most
