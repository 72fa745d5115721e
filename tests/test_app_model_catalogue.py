"""The models Hayloft knows, the memory they need, where they fit, and what is advised."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import machine
from app.machine import Gpu, Machine, place, this_machine
from app.model_advice import advise
from app.model_catalogue import CATALOGUE, entry_of, kv_bytes, kv_elements, needs
from tests.ollama_double import QWEN2

GIB = 2**30
BY_TAG = {entry.name: entry for entry in CATALOGUE}


def computer(ram_gib: float, *cards_gib: float) -> Machine:
    gpus = tuple(Gpu("card", int(size * GIB)) for size in cards_gib) or None
    return Machine(int(ram_gib * GIB), gpus)


def test_windows_of_the_family() -> None:
    """Trained at 32K all of them; with YaRN 32K, 32K, 128K, 64K, 128K."""
    assert {entry.trained_window for entry in CATALOGUE} == {32768}
    assert [entry.usable_window // 1024 for entry in CATALOGUE] == [32, 32, 128, 64, 128]


@pytest.mark.parametrize(
    ("name", "window", "f16", "q8", "q4"),
    [
        ("Qwen2 0.5B", 32768, 0.38, 0.20, 0.11),
        ("Qwen2 1.5B", 32768, 0.88, 0.46, 0.25),
        ("Qwen2 7B", 131072, 7.0, 3.72, 1.97),
        ("Qwen2 57B-A14B", 65536, 3.5, 1.86, 0.98),
        ("Qwen2 72B", 65536, 20.0, 10.6, 5.6),
    ],
)
def test_cache_sizes_are_those_that_engines_log(
    name: str, window: int, f16: float, q8: float, q4: float
) -> None:
    """In GiB, as llama.cpp logged them when it allocated the cache."""
    elements = BY_TAG[name].kv_elements

    sizes = [kv_bytes(elements, window, kind) / GIB for kind in ("f16", "q8_0", "q4_0")]

    assert sizes == pytest.approx([f16, q8, q4], rel=0.01, abs=0.006)


def test_a_model_is_known_by_its_shape() -> None:
    """Whatever it is called, and told from another of the same layers and width."""
    info = QWEN2.model_info(verbose=False)

    assert entry_of(info) is BY_TAG["Qwen2 7B"]
    assert kv_elements(info) == BY_TAG["Qwen2 7B"].kv_elements
    moe = {key.replace("qwen2.", "qwen2moe."): value for key, value in info.items()}
    assert entry_of({**moe, "general.architecture": "qwen2moe"}) is BY_TAG["Qwen2 57B-A14B"]
    assert entry_of({}) is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"block_count": 2, "attention.head_count": 4, "embedding_length": 64}, 2 * 4 * 32),
        (
            {
                "block_count": 2,
                "attention.head_count": 4,
                "attention.head_count_kv": 1,
                "attention.key_length": 10,
                "attention.value_length": 6,
            },
            2 * 16,
        ),
        (
            {
                "block_count": 3,
                "attention.head_count_kv": [1, 2, 4],
                "attention.key_length": 8,
                "attention.value_length": 8,
            },
            7 * 16,
        ),
        ({"block_count": 2, "attention.kv_lora_rank": 512, "attention.head_count": 4}, None),
        ({"block_count": 2}, None),
        ({"block_count": "two", "attention.head_count": None}, None),
    ],
)
def test_cache_of_any_model_follows_from_its_file(
    facts: dict[str, object], expected: int | None
) -> None:
    """Grouped heads, own lengths of keys and values, a number a layer; else it is not guessed."""
    named = {f"x.{key}": value for key, value in facts.items()}

    assert kv_elements({"general.architecture": "x", **named}) == expected


def test_needs_stop_at_the_usable_window() -> None:
    """Memory for a window that the model does not have would mislead."""
    rows = needs(10, 1, largest=65536)

    assert {need.window for need in rows} == {8192, 16384, 32768, 65536}
    assert all(need.total_bytes == 10 + need.kv_bytes for need in rows)


def test_place_tells_card_from_memory() -> None:
    """A gigabyte for buffers and two for the system are left free."""
    assert place(computer(32, 8), 6 * GIB) == "gpu"
    assert place(computer(32, 8), 7 * GIB + 1) == "split"
    assert place(computer(32), 6 * GIB) == "ram"
    assert place(computer(8), 5 * GIB + 1) == "no"
    assert place(Machine(0, None), 1) == "unknown"


@pytest.mark.parametrize(
    ("where", "tag", "window", "kv"),
    [
        (computer(16, 8), "qwen2:7b", 65536, "q8_0"),
        (computer(16, 12), "qwen2:7b", 131072, "q8_0"),
        (computer(64, 24), "qwen2:7b", 131072, "f16"),
        (computer(64, 24, 24, 24), "qwen2:72b", 131072, "q8_0"),
        (computer(256), "qwen2:7b", 131072, "f16"),
        (computer(10), "qwen2:7b", 65536, "q8_0"),
        (computer(6), "qwen2:1.5b", 32768, "f16"),
        (computer(4), "qwen2:0.5b", 32768, "f16"),
    ],
)
def test_advice_is_the_largest_that_runs_in_one_place(
    where: Machine, tag: str, window: int, kv: str
) -> None:
    """On the cards where they hold it; on a processor nothing above 7B, however much memory."""
    advice = advise(where, [])

    assert (advice.tag, advice.window, advice.kv_type) == (tag, window, kv)
    assert advice.commands[0] == f"hayloft models pull {tag}"
    assert ("extend" in advice.commands[-1]) == (window > 32768)


def test_advice_knows_what_it_does_not_know() -> None:
    """No memory, an unknown machine, somebody else's: said, not guessed."""
    assert advise(computer(2), []).tag == ""
    assert "extractive" in advise(computer(2), []).reason
    assert "cannot be told" in advise(Machine(0, None), []).reason
    assert "another machine" in advise(None, []).reason


def test_an_installed_model_is_not_pulled_again() -> None:
    """Only the extension is left to do."""
    advice = advise(computer(64, 24), ["qwen2:7b"])

    assert advice.commands == ("hayloft models extend qwen2:7b",)


def test_cards_are_read_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards add up; a tool that fails leaves them unknown."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA X, 24564'\necho 'NVIDIA, Y, 8192'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    found = this_machine()

    assert found.gpus == (Gpu("NVIDIA X", 24564 << 20), Gpu("NVIDIA, Y", 8192 << 20))
    assert found.gpu_bytes == 32756 << 20
    assert found.ram_bytes > 1 << 28
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert this_machine().gpus is None


def test_a_container_has_what_it_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of the control group counts, where there is one."""
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (str(limit), str(tmp_path / "none")))
    limit.write_text("max\n")
    whole = this_machine().ram_bytes
    limit.write_text(f"{256 << 20}\n")

    assert this_machine().ram_bytes == 256 << 20 < whole
