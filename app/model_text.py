"""What `hayloft models` and `hayloft models extend` say, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from app.yarn import SHORT_PROMPTS

if TYPE_CHECKING:
    from app.extend import Outcome

Facts = dict[str, Any]

_MARKS = {"gpu": "g", "split": "s", "ram": "m", "no": "-", "unknown": "?"}
_LEGEND = (
    "Memory in GB: weights and key-value cache. g: on the graphics card; s: partly there, slower;",
    "m: in main memory, slow for long prompts; -: does not fit; ?: not known. About 1 GB more is",
    "allowed for compute buffers. The cache's type is Ollama's setting OLLAMA_KV_CACHE_TYPE.",
)


def report_lines(facts: Facts) -> list[str]:
    """The report, line by line."""
    return [
        *_head(facts),
        *_installed(facts["installed"]),
        *_catalogue(facts["catalogue"]),
        "",
        *_LEGEND,
        "",
        *_advice(facts["advice"]),
    ]


def outcome_lines(outcome: Outcome) -> list[str]:
    """What an extension came to."""
    lines = []
    if outcome.file:
        lines.append(f"File      {outcome.file}, {outcome.size / 1e9:.2f} GB")
    if outcome.name:
        state = "was there already" if outcome.existed else "is made"
        lines.append(f"Model     {outcome.name} {state}, beside {outcome.source}")
    lines.append(
        f"Window    {outcome.window:,} tokens (factor {outcome.factor:g}), before "
        f"{outcome.trained_window:,}"
    )
    if outcome.served_window:
        lines.append(f"Served    {outcome.served_window:,} tokens, as Ollama says after a load")
    if outcome.fault:
        lines += [
            f"Not checked: {outcome.fault}",
            "The model is made. A smaller HAYLOFT_WINDOW, or OLLAMA_KV_CACHE_TYPE=q8_0 where "
            "Ollama is",
            "started, may let it load; `hayloft models` shows what each window takes.",
        ]
    lines += ["", SHORT_PROMPTS]
    if outcome.name and not outcome.fault:
        lines.append(
            f"To use it: HAYLOFT_MODEL=ollama:{outcome.name} HAYLOFT_WINDOW={outcome.window}"
        )
    return lines


def _head(facts: Facts) -> Iterator[str]:
    ollama = facts["ollama"]
    if ollama["reachable"]:
        yield f"Ollama     {ollama['version'] or 'version unknown'} at {ollama['url']}"
    else:
        yield f"Ollama     {ollama['fault']}"
        yield (
            "           Not installed? See https://ollama.com; answers are extractive until then."
        )
    machine = facts["machine"]
    if machine is None:
        yield "Machine    not this one: what fits there is not known here"
        return
    ram = machine["ram_bytes"]
    gpus = machine["gpus"]
    cards = (
        "graphics card unknown (only NVIDIA's are seen, through nvidia-smi)"
        if gpus is None
        else ", ".join(f"{gpu['name']} with {gpu['memory_bytes'] / 1e9:.1f} GB" for gpu in gpus)
    )
    yield f"Machine    {f'{ram / 1e9:.1f} GB of memory' if ram else 'memory unknown'}, {cards}"


def _installed(models: list[Facts]) -> Iterator[str]:
    if models:
        yield ""
        yield "Installed"
    for model in models:
        size = f"{model['size_bytes'] / 1e9:.1f} GB"
        about = " ".join(
            part
            for part in (
                f"{model['parameters_billions']:g}B" if model["parameters_billions"] else "",
                model["quantization"],
            )
            if part
        )
        details = [part for part in (model["digest"], size, about) if part]
        yield f"  {model['name']}  {', '.join(details)}"
        if model["remote"]:
            yield "    runs on somebody else's machine: Hayloft never chooses it by itself"
        elif model["chats"]:
            yield f"    window  {', '.join(windows_words(model))}"
            yield from _memory(model["memory"])
        else:
            yield "    for embeddings, not for answers"


def windows_words(model: Facts) -> list[str]:
    """The windows of an installed model: trained, reachable, served now; a phrase each."""
    trained, usable = model["trained_window"], model["usable_window"]
    parts = [f"{trained:,} trained" if trained else "trained window unknown"]
    if trained and usable and usable > trained:
        parts.append(f"{usable:,} after `hayloft models extend {model['name']}`")
    if not model["loaded"]:
        parts.append("served: not loaded")
    elif model["served_window"]:
        parts.append(f"served: {model['served_window']:,} now")
    else:
        parts.append("loaded; this Ollama does not say its window")
    size, on_card = model["loaded_bytes"], model["loaded_gpu_bytes"]
    if model["loaded"] and size and 0 < on_card < size:
        parts.append(f"{100 * (size - on_card) // size}% of it not on the graphics card: slow")
    return parts


def _catalogue(entries: list[Facts]) -> Iterator[str]:
    yield ""
    yield "Qwen2"
    for entry in entries:
        here = " (installed)" if entry["installed"] else ""
        name = entry["tag"] or f"{entry['name']}, not in Ollama's library"
        usable, trained = entry["usable_window"], entry["trained_window"]
        window = f"{trained // 1024}K" + (
            f", {usable // 1024}K extended" if usable > trained else ""
        )
        yield (
            f"  {name}{here}  {entry['parameters_billions']:g}B, about "
            f"{entry['size_bytes'] / 1e9:.1f} GB, window {window}, "
            f"{entry['kv_bytes_per_token'] // 1024} KiB a token, licence {entry['licence']}"
        )
        if not entry["installed"]:
            yield from _memory(entry["memory"])


def _memory(needs: list[Facts]) -> Iterator[str]:
    """A small table: a column for each window, a row for each type of cache."""
    windows = list(dict.fromkeys(need["window"] for need in needs))
    if not windows:
        return
    yield "    " + " " * 6 + " ".join(f"{window // 1024:>7}K" for window in windows)
    for kv_type in dict.fromkeys(need["kv_type"] for need in needs):
        cells = [
            f"{need['total_bytes'] / 1e9:>7.1f} {_MARKS[need['fits']]}"
            for need in needs
            if need["kv_type"] == kv_type
        ]
        yield f"    {kv_type:<6}{''.join(cells)}"


def _advice(advice: Facts) -> Iterator[str]:
    if not advice["tag"]:
        yield f"Advice     {advice['reason']}"
        return
    yield f"Advice     {advice['tag']}: {advice['reason']}"
    for command in advice["commands"]:
        yield f"           {command}"
