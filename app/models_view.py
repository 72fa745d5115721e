"""What the models page shows of `app.model_report`: values in, escaped HTML out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.model_jobs import Job
from app.model_text import windows_words
from app.rendering import notice_html, sentence_html, text_html
from app.run_view import duration
from app.wording import retold, t, with_commas

Facts = dict[str, Any]

_SIGNS = {"gpu": "●", "split": "◐", "ram": "○", "no": "✕", "unknown": "?"}


def fits_words() -> dict[str, str]:
    """What the answers to "does it fit?" say."""
    return {
        "gpu": t("on the graphics card"),
        "split": t("partly on the graphics card: slower"),
        "ram": t("in main memory: slow for long prompts"),
        "no": t("does not fit"),
        "unknown": t("not known whether it fits"),
    }


def head_html(facts: Facts) -> str:
    """Ollama and the machine, or what to do where there is none."""
    ollama = facts["ollama"]
    if not ollama["reachable"]:
        return notice_html(
            "warn",
            t("No Ollama here"),
            f"{ollama['fault']} "
            + t(
                "Without it answers are quotes, word for word. Not installed? See "
                "https://ollama.com; it runs on this machine, and Hayloft finds it by itself."
            ),
        )
    served = t(
        "Ollama {version} at {url}",
        version=ollama["version"] or t("(version unknown)"),
        url=ollama["url"],
    )
    machine = _machine_words(facts["machine"])
    return f'<div class="hl-small">{text_html(served)} · {text_html(machine)}</div>'


def _machine_words(machine: Facts | None) -> str:
    if machine is None:
        return t("another machine: what fits there is not known here")
    ram = machine["ram_bytes"]
    memory = t("{size} GB of memory", size=f"{ram / 1e9:.1f}") if ram else t("memory unknown")
    gpus = machine["gpus"]
    if gpus is None:
        unknown = t("graphics card unknown (only NVIDIA's are seen)")
        return f"{memory}, {unknown}"
    cards = ", ".join(
        t("{name} with {size} GB", name=gpu["name"], size=f"{gpu['memory_bytes'] / 1e9:.1f}")
        for gpu in gpus
    )
    return f"{memory}, {cards}"


def advice_html(advice: Facts) -> str:
    """Which model to take, and why."""
    if not advice["tag"]:
        return notice_html("info", t("Advice"), str(advice["reason"]))
    reason = str(advice["reason"])
    head = t("Advice: {model}", model=advice["tag"])
    return notice_html("info", head, f"{reason[:1].upper()}{reason[1:]}")


def model_html(model: Facts) -> str:
    """An installed model: what it is, its windows, what each window takes."""
    size = f"{model['size_bytes'] / 1e9:.1f} GB"
    billions = model["parameters_billions"]
    about = [size, f"{billions:g}B" if billions else "", model["quantization"], model["digest"]]
    loaded = f'<span class="hl-badge hl-badge-ok">{t("loaded")}</span>'
    state = loaded if model["loaded"] else ""
    if model["remote"]:
        said = t("Runs on somebody else's machine: Hayloft never chooses it by itself.")
    elif not model["chats"]:
        said = t("For embeddings, not for answers.")
    else:
        said = t("Window: {windows}.", windows=with_commas(map(retold, windows_words(model))))
    return (
        f'<div class="hl-head"><bdi>{text_html(model["name"])}</bdi> {state}</div>'
        f'<div class="hl-small">{text_html(with_commas(part for part in about if part))}</div>'
        f"<div>{sentence_html(said)}</div>{memory_html(model['memory'], model['name'])}"
    )


def entry_html(entry: Facts) -> str:
    """A model of the catalogue that is not installed."""
    usable, trained = entry["usable_window"], entry["trained_window"]
    window = f"{trained // 1024}K"
    if usable > trained:
        window += t(", {n}K extended", n=usable // 1024)
    kind = "" if entry["tag"] else " · " + t("not in Ollama's library")
    about = t(
        "about {size} GB · window {window} · licence {licence}",
        size=f"{entry['size_bytes'] / 1e9:.1f}",
        window=window,
        licence=entry["licence"],
    )
    return (
        f'<div class="hl-head"><bdi>{text_html(entry["tag"] or entry["name"])}</bdi></div>'
        f'<div class="hl-small">{entry["parameters_billions"]:g}B · {text_html(about)}'
        f"{text_html(kind)}</div>"
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
        cache = text_html(t("{kv_type} cache", kv_type=kv_type))
        rows += f'<tr><th scope="row">{cache}</th>{cells}</tr>'
    label = text_html(t("Memory of {name} in GB, by window", name=name))
    return (
        f'<div class="hl-list"><table class="hl-docs hl-need" aria-label="{label}">'
        f'<thead><tr><th scope="col">{t("GB at")}</th>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _need(need: Facts) -> str:
    fits = need["fits"]
    cache = need["kv_bytes"] / 1e9
    weights = need["total_bytes"] / 1e9 - cache
    words = fits_words()[fits]
    title = t(
        "{weights} GB of weights, {cache} GB of cache: {fits}",
        weights=f"{weights:.1f}",
        cache=f"{cache:.1f}",
        fits=words,
    )
    return (
        f'<td class="hl-fit-{fits}" title="{title}">{need["total_bytes"] / 1e9:.1f} '
        f'<span aria-label="{words}">{_SIGNS[fits]}</span></td>'
    )


def legend_html() -> str:
    """What the signs of the tables say."""
    signs = " · ".join(f"{_SIGNS[fits]} {words}" for fits, words in fits_words().items())
    told = t(
        "Weights and key-value cache together. {signs}. About 1 GB more is allowed for compute "
        "buffers. The cache's type is Ollama's setting OLLAMA_KV_CACHE_TYPE.",
        signs=signs,
    )
    return f'<div class="hl-small">{told}</div>'


def job_words(job: Job) -> str:
    """How far a job is, in a line."""
    if job.state == "stopping":
        return t("{job}: is being stopped", job=job.what)
    parts = [retold(job.stage) or t("begins")]
    if job.of:
        parts.append(
            t("{done} of {all} GB", done=f"{job.done / 1e9:.2f}", all=f"{job.of / 1e9:.2f}")
        )
        if job.done and job.seconds > 2:
            left = (job.of - job.done) * job.seconds / job.done
            parts.append(t("about {time} left", time=duration(left)))
    return f"{job.what}: {with_commas(parts)} · {duration(job.seconds)}"


def ended_html(job: Job) -> str:
    """What came of a job."""
    if job.fault:
        return notice_html("error", t("{job} failed", job=job.what), job.fault)
    lines = [line for line in job.said if line.strip()]
    return (
        f'<div class="hl-notice hl-info" role="status"><strong>{text_html(job.what)}</strong>'
        + "".join(f"<div>{sentence_html(line)}</div>" for line in lines)
        + "</div>"
    )
