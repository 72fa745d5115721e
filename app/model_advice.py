"""Which model to take on a machine, and why: arithmetic on memory, no opinion about answers."""

from __future__ import annotations

from dataclasses import dataclass

from app.machine import Machine, Place, place
from app.model_catalogue import CATALOGUE, KV_TYPES, WINDOWS, Entry, kv_bytes
from app.wording import t

_READS_IN_TIME = 8.0
"""Billions of parameters beyond which a processor alone reads a long prompt for too long."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A model of the catalogue, the window to use, and why."""

    tag: str
    """Empty where nothing fits, or the machine is not known."""
    window: int
    kv_type: str
    reason: str
    commands: tuple[str, ...] = ()
    """What to run, in order."""


def advise(machine: Machine | None, installed: list[str]) -> Advice:
    """The largest Qwen2 that runs whole on the graphics cards, or else in main memory.

    It must hold at least its trained window in f16. On a processor alone
    models of more than 8 billion parameters are left out. `installed` are
    names of models that are there already. None for a machine that is not
    this one.
    """
    if machine is None:
        return Advice(
            "", 0, "", t("Ollama runs on another machine, whose memory is not known here.")
        )
    if not machine.gpu_bytes and not machine.ram_bytes:
        return Advice("", 0, "", t("How much memory this machine has cannot be told."))
    for entry in reversed(CATALOGUE):
        spot = _spot(machine, entry, entry.trained_window, "f16")
        slow = spot == "ram" and entry.parameters > _READS_IN_TIME
        if entry.tag and spot in ("gpu", "ram") and not slow:
            return _advice(machine, entry, spot, installed)
    return Advice(
        "",
        0,
        "",
        t(
            "No Qwen2 model fits with its whole window of 32,768 tokens: extractive answers need "
            "none."
        ),
    )


def _advice(machine: Machine, entry: Entry, spot: Place, installed: list[str]) -> Advice:
    window, kv_type = _longest(machine, entry, spot)
    cache = kv_bytes(entry.kv_elements, window, kv_type)
    told = {
        "weights": f"{entry.file_bytes / 1e9:.1f}",
        "cache": f"{cache / 1e9:.1f}",
        "kv_type": kv_type,
        "window": f"{window:,}",
    }
    reason = (
        t(
            "the largest Qwen2 that runs on the graphics card: {weights} GB of weights and {cache} "
            "GB of {kv_type} cache for {window} tokens.",
            **told,
        )
        if spot == "gpu"
        else t(
            "the largest Qwen2 that runs in main memory: {weights} GB of weights and {cache} GB of "
            "{kv_type} cache for {window} tokens. Long prompts are read slowly there.",
            **told,
        )
    )
    if kv_type != "f16":
        costs = t(
            "Set OLLAMA_KV_CACHE_TYPE={kv_type} where Ollama is started; it costs accuracy.",
            kv_type=kv_type,
        )
        reason = f"{reason} {costs}"
    commands = [] if entry.tag in installed else [f"hayloft models pull {entry.tag}"]
    if window > entry.trained_window:
        commands.append(f"hayloft models extend {entry.tag}")
    return Advice(entry.tag, window, kv_type, reason, tuple(commands))


def _longest(machine: Machine, entry: Entry, spot: Place) -> tuple[int, str]:
    """The longest usable window in the same place, and the finest cache that holds it.

    q4_0 is never advised: what it costs in accuracy grows with the prompt.
    """
    for window in (window for window in reversed(WINDOWS) if window <= entry.usable_window):
        for kv_type in (kind for kind in KV_TYPES if kind != "q4_0"):
            if _spot(machine, entry, window, kv_type) == spot:
                return window, kv_type
    return entry.trained_window, "f16"


def _spot(machine: Machine, entry: Entry, window: int, kv_type: str) -> Place:
    return place(machine, entry.file_bytes + kv_bytes(entry.kv_elements, window, kv_type))
