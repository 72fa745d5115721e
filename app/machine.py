"""What this machine has of memory, and what fits it."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)

Place = Literal["gpu", "split", "ram", "no", "unknown"]

COMPUTE_BYTES = 1 << 30
"""Allowed for compute buffers beside weights and cache: an assumption, they grow with the model."""
SYSTEM_BYTES = 2 << 30
"""Main memory that is left to the system and other programs."""

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics card."""

    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory of the machine that models run on."""

    ram_bytes: int
    """Main memory, or what a container may take of it; 0 where unknown."""
    gpus: tuple[Gpu, ...] | None
    """NVIDIA cards; None where that cannot be told."""

    @property
    def gpu_bytes(self) -> int:
        """Memory of all cards together, as Ollama spreads a model over them."""
        return sum(gpu.memory_bytes for gpu in self.gpus or ())


def this_machine() -> Machine:
    """Look at memory and graphics cards; takes as long as `nvidia-smi` does."""
    return Machine(_ram(), _nvidia())


def place(machine: Machine, need_bytes: int) -> Place:
    """Where a model that needs so much would run.

    `gpu`: on the graphics cards, fast. `split`: partly there, slower. `ram`:
    in main memory, slow to read long prompts. Compute buffers are added.
    """
    need = need_bytes + COMPUTE_BYTES
    if machine.gpu_bytes and need <= machine.gpu_bytes:
        return "gpu"
    if not machine.ram_bytes:
        return "unknown"
    ram = max(machine.ram_bytes - SYSTEM_BYTES, 0)
    if machine.gpu_bytes and need <= machine.gpu_bytes + ram:
        return "split"
    return "ram" if need <= ram else "no"


def _ram() -> int:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0
    for name in _CGROUP_LIMITS:
        try:
            limit = int(Path(name).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        total = min(total, limit)
    return total


def _nvidia() -> tuple[Gpu, ...] | None:
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        log.info("nvidia-smi failed: %s", exc)
        return None
    gpus = []
    for line in done.stdout.splitlines():
        name, _, mebibytes = line.rpartition(",")
        if mebibytes.strip().isdigit():
            gpus.append(Gpu(name.strip(), int(mebibytes) << 20))
    return tuple(gpus) or None
