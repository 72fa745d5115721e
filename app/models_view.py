"""What the models page shows of `app.model_report`: values in, escaped HTML out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.model_jobs import Job
from app.model_text import windows_words
from app.rendering import notice_html, sentence_html, text_html
from app.run_view import duration

Facts = dict[str, Any]

FITS = {
    "gpu": "on the graphics card",
    "split": "partly on the graphics card: slower",
    "ram": "in main memory: slow for long prompts",
    "no": "does not fit",
    "unknown": "not known whether it fits",
}
_SIGNS = {"gpu": "●", "split": "◐", "ram": "○", "no": "✕", "unknown": "?"}


def head_html(facts: Facts) -> str:
    """Ollama and the machine, or what to do where there is none."""
    ollama = facts["ollama"]
    if not ollama["reachable"]:
        return notice_html(
            "warn",
            "No Ollama here",
            f"{ollama['fault']} Without it answers are quotes, word for word. Not installed? See "
            "https://ollama.com; it runs on this machine, and Hayloft finds it by itself.",
        )
    version = f"Ollama {ollama['version']}" if ollama["version"] else "Ollama, version unknown,"
    return (
        f'<div class="hl-small">{text_html(version)} at {text_html(ollama["url"])} · '
        f"{text_html(_machine_words(facts['machine']))}</div>"
    )


def _machine_words(machine: Facts | None) -> str:
    if machine is None:
        return "another machine: what fits there is not known here"
    ram = machine["ram_bytes"]
    memory = f"{ram / 1e9:.1f} GB of memory" if ram else "memory unknown"
    gpus = machine["gpus"]
    if gpus is None:
        return f"{memory}, graphics card unknown (only NVIDIA's are seen)"
    cards = ", ".join(f"{gpu['name']} with {gpu['memory_bytes'] / 1e9:.1f} GB" for gpu in gpus)
    return f"{memory}, {cards}"


def advice_html(advice: Facts) -> str:
    """Which model to take, and why."""
    if not advice["tag"]:
        return notice_html("info", "Advice", str(advice["reason"]))
    reason = str(advice["reason"])
    return notice_html("info", f"Advice: {advice['tag']}", f"{reason[:1].upper()}{reason[1:]}")


def model_html(model: Facts) -> str:
    """An installed model: what it is, its windows, what each window takes."""
    size = f"{model['size_bytes'] / 1e9:.1f} GB"
    billions = model["parameters_billions"]
    about = [size, f"{billions:g}B" if billions else "", model["quantization"], model["digest"]]
    state = '<span class="hl-badge hl-badge-ok">loaded</span>' if model["loaded"] else ""
    if model["remote"]:
        said = "Runs on somebody else's machine: Hayloft never chooses it by itself."
    elif not model["chats"]:
        said = "For embeddings, not for answers."
    else:
        said = f"Window: {windows_words(model)}."
    return (
        f'<div class="hl-head"><bdi>{text_html(model["name"])}</bdi> {state}</div>'
        f'<div class="hl-small">{text_html(", ".join(part for part in about if part))}</div>'
        f"<div>{sentence_html(said)}</div>{memory_html(model['memory'], model['name'])}"
    )


def entry_html(entry: Facts) -> str:
    """A model of the catalogue that is not installed."""
    usable, trained = entry["usable_window"], entry["trained_window"]
    window = f"{trained // 1024}K" + (f", {usable // 1024}K extended" if usable > trained else "")
    kind = "" if entry["tag"] else " · not in Ollama's library"
    return (
        f'<div class="hl-head"><bdi>{text_html(entry["tag"] or entry["name"])}</bdi></div>'
        f'<div class="hl-small">{entry["parameters_billions"]:g}B · about '
        f"{entry['size_bytes'] / 1e9:.1f} GB · window {window} · licence "
        f"{text_html(str(entry['licence']))}{kind}</div>"
    )


def memory_html(needs: Sequence[Facts], name: str) -> str:
    """A table of GB: a column for each window, a row for each type of cache."""
    windows = list(dict.fromkeys(need["window"] for need in needs))
    if not windows:
        return ""
    head = "".join(f'<th scope="col">{window // 1024}K</th>' for window in windows)
    rows = ""
    for kv_type in dict.fromkeys(need["kv_type"] for need in needs):
        cells = "".join(_need(need) for need in needs if need["kv_type"] == kv_type)
        rows += f'<tr><th scope="row">{text_html(kv_type)} cache</th>{cells}</tr>'
    return (
        f'<div class="hl-list"><table class="hl-docs hl-need" aria-label="Memory of '
        f'{text_html(name)} in GB, by window"><thead><tr><th scope="col">GB at</th>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _need(need: Facts) -> str:
    fits = need["fits"]
    cache = need["kv_bytes"] / 1e9
    weights = need["total_bytes"] / 1e9 - cache
    title = f"{weights:.1f} GB of weights, {cache:.1f} GB of cache: {FITS[fits]}"
    return (
        f'<td class="hl-fit-{fits}" title="{title}">{need["total_bytes"] / 1e9:.1f} '
        f'<span aria-label="{FITS[fits]}">{_SIGNS[fits]}</span></td>'
    )


def legend_html() -> str:
    """What the signs of the tables say."""
    signs = " · ".join(f"{_SIGNS[fits]} {words}" for fits, words in FITS.items())
    return (
        f'<div class="hl-small">Weights and key-value cache together. {signs}. About 1 GB more is '
        "allowed for compute buffers. The cache's type is Ollama's setting "
        "OLLAMA_KV_CACHE_TYPE.</div>"
    )


def job_words(job: Job) -> str:
    """How far a job is, in a line."""
    if job.state == "stopping":
        return f"{job.what}: is being stopped"
    parts = [job.stage or "begins"]
    if job.of:
        parts.append(f"{job.done / 1e9:.2f} of {job.of / 1e9:.2f} GB")
        if job.done and job.seconds > 2:
            left = (job.of - job.done) * job.seconds / job.done
            parts.append(f"about {duration(left)} left")
    return f"{job.what}: {', '.join(parts)} · {duration(job.seconds)}"


def ended_html(job: Job) -> str:
    """What came of a job."""
    if job.fault:
        return notice_html("error", f"{job.what} failed", job.fault)
    lines = [line for line in job.said if line.strip()]
    return (
        f'<div class="hl-notice hl-info" role="status"><strong>{text_html(job.what)}</strong>'
        + "".join(f"<div>{sentence_html(line)}</div>" for line in lines)
        + "</div>"
    )
