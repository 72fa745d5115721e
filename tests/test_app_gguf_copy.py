"""Copying a GGUF file with a longer window: tensors byte for byte, never half a file."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from app import gguf_copy
from app.gguf_copy import PartFile, check_space, checked_header, copy_with
from app.yarn import plan_extension
from storage.errors import SettingsError, StorageError, UsageError
from storage.gguf_file import read_header
from tests.toy_gguf import write_toy

ROOT = Path(__file__).resolve().parent.parent


def extended(source: Path, target: Path) -> Path:
    plan = plan_extension(checked_header(source).metadata, "toy")
    with PartFile(target) as part:
        copied = copy_with(source, part.file, plan.fields())
        part.keep()
    assert copied.digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert copied.size == target.stat().st_size
    return target


def values(path: Path) -> dict[str, object]:
    return {name: field.contents() for name, field in GGUFReader(path).fields.items()}


@pytest.mark.parametrize("alignment", [None, 32, 64, 4096])
def test_copy_sets_four_fields_and_keeps_every_tensor(tmp_path: Path, alignment: int) -> None:
    """Read by the `gguf` package: the fields are set, all else is as it was, whatever alignment."""
    source = write_toy(tmp_path / "a.gguf", alignment=alignment)

    copy = extended(source, tmp_path / "b.gguf")

    before, after = values(source), values(copy)
    assert after.pop("qwen2.context_length") == 131072
    assert after.pop("qwen2.rope.scaling.type") == "yarn"
    assert after.pop("qwen2.rope.scaling.factor") == 4.0
    assert after.pop("qwen2.rope.scaling.original_context_length") == 32768
    for name in ("qwen2.context_length", "GGUF.kv_count"):
        before.pop(name)
        after.pop(name, None)
    assert after == before
    old, new = GGUFReader(source).tensors, GGUFReader(copy).tensors
    assert [tensor.name for tensor in new] == [tensor.name for tensor in old]
    assert all(np.array_equal(a.data, b.data) for a, b in zip(old, new, strict=True))
    header = read_header(copy)
    assert header.data_start % (alignment or 32) == 0
    assert (
        source.read_bytes()[read_header(source).data_start :]
        == (copy.read_bytes()[header.data_start :])
    )


def test_values_that_exist_are_replaced_not_doubled(tmp_path: Path) -> None:
    """A file stretched to 64K becomes one of 128K, counted from what it was trained for."""
    half = {
        "qwen2.rope.scaling.type": "linear",
        "qwen2.rope.scaling.factor": 2.0,
        "qwen2.rope.scaling.original_context_length": 32768,
    }
    source = write_toy(tmp_path / "a.gguf", window=65536, extra=half)

    copy = extended(source, tmp_path / "b.gguf")

    names = [field.name for field in read_header(copy).fields]
    assert len(names) == len(set(names)) == len(read_header(source).fields)
    assert values(copy)["qwen2.rope.scaling.factor"] == 4.0
    assert values(copy)["qwen2.context_length"] == 131072


@pytest.mark.parametrize("by_kernel", [True, False])
def test_copy_of_many_chunks_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_kernel: bool
) -> None:
    """Pieces smaller than the file, ending anywhere, give the same bytes and digest."""

    def refuse(*args: object) -> int:
        raise OSError(errno.EXDEV, "another disk")

    if not by_kernel:
        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    monkeypatch.setattr(gguf_copy, "_CHUNK", 1009)
    monkeypatch.setattr(gguf_copy, "_KERNEL_CHUNK", 2003)
    source = write_toy(tmp_path / "a.gguf")
    seen: list[tuple[int, int]] = []
    plan = plan_extension(checked_header(source).metadata, "toy")

    with (tmp_path / "b.gguf").open("wb") as file:
        copied = copy_with(source, file, plan.fields(), watch=lambda *at: seen.append(at))

    data = (tmp_path / "b.gguf").read_bytes()
    assert hashlib.sha256(data).hexdigest() == copied.digest
    assert seen[-1] == (copied.size, copied.size) == (len(data), len(data))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    """Wherever a download broke off, in the header or among the tensors."""
    whole = write_toy(tmp_path / "a.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(SettingsError, match="cut short"):
        checked_header(cut)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """An exception half-way removes the unfinished file, and the old one stays."""
    final = tmp_path / "b.gguf"
    final.write_bytes(b"old")

    with pytest.raises(RuntimeError), PartFile(final) as part:
        part.file.write(b"half")
        raise RuntimeError

    assert [path.name for path in tmp_path.iterdir()] == ["b.gguf"]
    assert final.read_bytes() == b"old"


KILLED = """
import sys, time
from pathlib import Path
from app.gguf_copy import PartFile
with PartFile(Path(sys.argv[1])) as part:
    part.file.write(b"half")
    print("written", flush=True)
    time.sleep(60)
"""


def test_killed_copy_leaves_no_half_file_and_is_swept(tmp_path: Path) -> None:
    """After `kill -9` the name is free, and the next run removes what was left."""
    final = tmp_path / "b.gguf"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(final)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    with PartFile(final):
        alive = len(list(tmp_path.glob(".b.gguf.*.part")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert not final.exists()
    assert alive == 2, "the one at work is left alone"
    assert len(list(tmp_path.glob(".b.gguf.*.part"))) == 1
    with PartFile(final) as part:
        part.file.write(b"whole")
        part.keep()
    assert [path.name for path in tmp_path.iterdir()] == ["b.gguf"]
    assert final.read_bytes() == b"whole"


def test_copy_has_ordinary_permissions(tmp_path: Path) -> None:
    """Another user (Ollama's) may read the kept file as any other."""
    source = write_toy(tmp_path / "a.gguf")

    copy = extended(source, tmp_path / "b.gguf")

    assert copy.stat().st_mode & 0o777 == source.stat().st_mode & 0o777


def test_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """Checked beforehand, and foreseen while writing."""
    source = write_toy(tmp_path / "a.gguf")

    with pytest.raises(StorageError, match="Free some space"):
        check_space(tmp_path / "not" / "there", 1 << 60, what="the copy")
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(StorageError, match="disk is full"),
    ):
        copy_with(source, full, {})


def test_a_source_that_grows_meanwhile_is_noticed(tmp_path: Path) -> None:
    """A file that is still being downloaded gives no copy."""
    source = write_toy(tmp_path / "a.gguf")

    def grow(done: int, of: int) -> None:
        with source.open("ab") as file:
            file.write(b"more")

    with pytest.raises(SettingsError, match="changed while"), (tmp_path / "b").open("wb") as file:
        copy_with(source, file, {}, watch=grow)


# --- which models -----------------------------------------------------------------------------


def metadata(**values: object) -> dict[str, object]:
    arch = str(values.pop("arch", "qwen2"))
    return {
        "general.architecture": arch,
        **{f"{arch}.{name}": value for name, value in values.items()},
    }


def test_7b_and_72b_go_to_128k_and_57b_to_64k() -> None:
    """By the factor that the model's makers vouch for."""
    seven = metadata(context_length=32768, block_count=28, embedding_length=3584)
    big = metadata(context_length=32768, block_count=80, embedding_length=8192)
    experts = metadata(arch="qwen2moe", context_length=32768, block_count=28, embedding_length=3584)

    assert plan_extension(seven, "a").window == plan_extension(big, "b").window == 131072
    assert plan_extension(experts, "c").window == 65536
    assert plan_extension(experts, "c").fields()["qwen2moe.context_length"] == 65536
    assert plan_extension(seven, "a", factor=2.0).window == 65536


@pytest.mark.parametrize(
    ("facts", "factor", "said"),
    [
        (metadata(context_length=32768, block_count=24, embedding_length=896), None, "0.5B"),
        (metadata(context_length=32768, block_count=28, embedding_length=1536), 4.0, "1.5B"),
        (metadata(context_length=32768, block_count=36, embedding_length=2048), None, "3B"),
        (metadata(context_length=131072, block_count=28, embedding_length=3584), None, "already"),
        (metadata(context_length=131072, block_count=28, embedding_length=3584), 4.0, "already"),
        (metadata(context_length=131072), None, "already"),
        (metadata(arch="llama", context_length=8192), None, "kind llama"),
        ({}, None, "kind unknown"),
        (metadata(context_length=4096, block_count=28, embedding_length=3584), None, "--factor"),
        (metadata(context_length=32768), 1.0, "above 1"),
        (metadata(context_length=32768), float("nan"), "above 1"),
        (metadata(), None, "does not say its window"),
        (
            metadata(arch="qwen2moe", context_length=32768, block_count=28, embedding_length=3584),
            4.0,
            "65,536",
        ),
    ],
)
def test_models_that_are_not_to_be_stretched_are_refused(
    facts: dict[str, object], factor: float | None, said: str
) -> None:
    """Each with its reason."""
    with pytest.raises(UsageError, match=said):
        plan_extension(facts, "the-model", factor=factor)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_copy_keeps_memory_flat(tmp_path: Path) -> None:
    """400 MB of tensors are copied by a process that stays far below that."""
    source = write_toy(tmp_path / "a.gguf")
    with source.open("r+b") as file:
        file.truncate(400 << 20)  # a hole: what stands behind the tensors is copied as well
    code = (
        "import re, sys; from pathlib import Path\n"
        "from app.gguf_copy import PartFile, copy_with\n"
        "with PartFile(Path(sys.argv[2])) as part:\n"
        "    copy_with(Path(sys.argv[1]), part.file, {'qwen2.context_length': 131072})\n"
        # Not ru_maxrss, which begins at the size of the process that started this one.
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
    )
    started = time.monotonic()

    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "b.gguf")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )

    peak = int(done.stdout) * 1024
    assert peak < 300e6, f"{peak / 1e6:.0f} MB after {time.monotonic() - started:.1f} s"
