"""`hayloft eval speed`: how fast the model reads and writes on this machine."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli_arguments import add_data_dir, add_model, add_result
from evaluation.reporting import check_writable, count, positive, write

if TYPE_CHECKING:
    from app.chat import ChatModel
    from app.settings import AppSettings
    from evaluation.served import Served
    from evaluation.speed import Bench, Cell, Shot

_GIB = 2**30
_MINUTES = 30.0

_DESCRIPTION = """\
Read and write at the input lengths of Qwen2's own benchmark, one request at a
time: tokens read a second, tokens written a second, and the wait for the first
token, cold (a first line that no cache has seen) and warm (the same prompt
again). Medians of the repeats, beside what Qwen2 publishes. What is learned
also serves the waits that Hayloft predicts.
"""


def configure(evaluations: Any) -> None:
    """Add `speed` to the evaluations."""
    parser = evaluations.add_parser(
        "speed",
        help="tokens a second, the wait for the first one, memory",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--lengths",
        type=_lengths,
        metavar="N,N,…",
        help="input lengths in tokens (default: 1,6144,14336,30720,63488,129024)",
    )
    parser.add_argument(
        "--new-tokens",
        type=positive,
        default=2048,
        metavar="N",
        help="tokens to write after each (default: 2048)",
    )
    parser.add_argument(
        "--repeats", type=positive, default=3, metavar="N", help="times each (default: 3)"
    )
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=_MINUTES,
        metavar="N",
        help="begin no length that would not end in time (default: 30; 0: no limit)",
    )
    parser.add_argument(
        "--window", type=positive, metavar="N", help="the window to ask for (HAYLOFT_WINDOW)"
    )
    add_model(parser)
    add_data_dir(parser, "where measured speeds are kept (HAYLOFT_DATA_DIR; default: ./data)")
    add_result(parser)


def _lengths(text: str) -> tuple[int, ...]:
    try:
        values = {int(part) for part in text.split(",")}
    except ValueError:
        values = {0}
    if min(values) < 1 or max(values) > 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of lengths such as 1,6144,14336")
    return tuple(sorted(values))


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure and tell; 1 where not a single length could be measured."""
    check_writable(args.out)

    from app.settings import AppSettings
    from evaluation.models import chat_model
    from storage.settings import StorageSettings

    given = {"model": args.model, "window": args.window}
    settings = AppSettings(**{name: value for name, value in given.items() if value is not None})
    data_dir = StorageSettings().data_dir
    model = chat_model(settings, data_dir)
    result = evaluate_speed(
        model,
        settings,
        data_dir,
        lengths=args.lengths,
        new=args.new_tokens,
        repeats=args.repeats,
        minutes=args.minutes,
        tell=_tell,
    )
    if args.out is not None:
        write(args.out, result)
    print(
        json.dumps(result, ensure_ascii=False, indent=2) if args.json else "\n".join(table(result))
    )
    return 0 if result["lengths"] else 1


def evaluate_speed(
    model: ChatModel,
    settings: AppSettings,
    data_dir: Path,
    *,
    lengths: tuple[int, ...] | None = None,
    new: int,
    repeats: int,
    minutes: float = 0.0,
    tell: Any = lambda words: None,
) -> dict[str, Any]:
    """Measure a model; the whole result, ready for JSON."""
    from evaluation import provenance
    from evaluation.qwen2_speed import FORMATS, LENGTHS, NOTE, PUBLISHED, SOURCE
    from evaluation.served import served_by
    from evaluation.speed import Bench, Skipped, measure

    started_at = datetime.now(UTC)
    started = time.perf_counter()
    deadline = started + minutes * 60 if minutes else None
    bench = Bench(model, memory=lambda: _memory(model), deadline=deadline)
    tell("loading the model")
    first = bench.warm_up()
    # Now that it is loaded, the server tells the window that it really has.
    served = served_by(model)
    found = measure(
        bench, lengths or LENGTHS, new=new, repeats=repeats, window=served.window, tell=tell
    )
    cells = [one for one in found if not isinstance(one, Skipped)]
    _remember(model, data_dir, cells)
    asked = {one.length for one in found}
    return {
        "evaluation": "speed",
        "started_at": started_at.isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 3),
        "model": served.model,
        "served": _served(served),
        "new_tokens": new,
        "repeats": repeats,
        "load_s": first.load_s,
        "lengths": [one.to_json() for one in cells],
        "skipped": [
            {"length": one.length, "reason": one.reason}
            for one in found
            if isinstance(one, Skipped)
        ],
        "not_told": list(_not_told(bench, cells, first)),
        "published": {
            "model": "Qwen2-7B-Instruct",
            "source": SOURCE,
            "note": NOTE,
            "formats": list(FORMATS),
            "lengths": {
                str(length): {
                    "transformers_tokens_per_s": one.transformers,
                    "transformers_memory_gb": one.memory_gb,
                    "vllm_tokens_per_s": one.vllm,
                }
                for length, one in PUBLISHED.items()
                if length in asked
            },
        },
        **provenance.describe([settings]),
    }


def _served(served: Served) -> dict[str, Any]:
    return {
        "window": served.window,
        "trained_window": served.trained_window,
        "digest": served.digest,
        "quantisation": served.quantisation,
        "server_version": served.server_version,
        "size_bytes": served.size,
    }


def _memory(model: ChatModel) -> dict[str, int] | None:
    """What the loaded model takes, in bytes; None where its server does not tell."""
    from app.ollama_chat import OllamaChat

    if not isinstance(model, OllamaChat):
        return None
    from app.ollama_models import running_models
    from app.ollama_server import same_model

    for running in running_models(model.server):
        if same_model(running.name, model.name):
            return {
                "size": running.size,
                "size_vram": running.gpu_size,
                "cpu_spill": max(0, running.size - running.gpu_size),
            }
    return None


def _remember(model: ChatModel, data_dir: Path, cells: list[Cell]) -> None:
    """Let the waits that Hayloft predicts profit from what was measured."""
    from app.budget import digest_of
    from app.speeds import SpeedLog

    log, name, window = SpeedLog(data_dir), digest_of(model), model.window()
    for cell in cells:
        for shot in cell.cold:
            log.add(
                name,
                window,
                computed_tokens=shot.tokens - (shot.cached_tokens or 0),
                prompt_s=shot.prompt_s,
                answer_tokens=shot.new_tokens,
                answer_s=shot.answer_s,
                # How long answers are is learned from answers, not from stories.
                usual=False,
            )


def _not_told(bench: Bench, cells: list[Cell], first: Shot) -> Iterator[str]:
    """What the server keeps to itself, and what stands in for it."""
    shots = [shot for cell in cells for shot in cell.cold] or [first]
    if any(shot.prompt_s is None for shot in shots):
        yield (
            "The server does not tell how long it reads: prefill is prompt tokens over the wait "
            "for the first one, which the request's way and the first token are part of."
        )
    if any(shot.answer_s is None for shot in shots):
        yield "Nor how long it writes: tokens/s is by this side's clock, from the first one on."
    if not all(shot.new_counted for shot in shots):
        yield "Nor how many tokens it wrote: they were counted here."
    if not bench.tells_cached:
        yield (
            "It does not tell what came from its prefix cache: a prompt counts as cold because its "
            "first line was never sent before."
        )
    if cells and all(cell.memory is None for cell in cells):
        yield "It does not tell what memory it takes."
    if not all(cell.exact for cell in cells):
        how = (
            "an estimate scaled to the server's own count"
            if all(shot.counted for shot in shots)
            else "an estimate from above, and the server does not count them"
        )
        yield (
            f"No vocabulary of the model is at hand: lengths were met by {how} (HAYLOFT_TOKENIZER "
            "names a vocabulary)."
        )
    cold = [shot for shot in shots if (shot.cached_tokens or 0) > max(64, shot.tokens // 20)]
    if cold:
        yield (
            f"{count(len(cold), 'request')} meant to be cold had {cold[0].cached_tokens:,} tokens "
            "in the server's cache all the same."
        )


def table(result: dict[str, Any]) -> Iterator[str]:
    """The figures for people, beside the published ones."""
    served = result["served"]
    about = [result["model"]]
    about += [served["quantisation"]] if served["quantisation"] else []
    about += [f"window {served['window']:,}"]
    yield (
        f"Speed of {', '.join(about)}; {count(result['repeats'], 'repeat')}, medians, "
        f"{result['new_tokens']:,} new tokens asked for"
    )
    yield ""
    yield f"{'':>8}{'measured here':^51}| {'Qwen2-7B on an A100, tokens/s':^29}"
    yield (
        f"{'input':>8}{'prefill/s':>11}{'tokens/s':>10}{'whole/s':>9}{'cold':>8}{'warm':>8}"
        f"{'new':>6}| {'HF':>6}{'HF Int4':>8}{'vLLM':>7}{'vL Int4':>8}"
    )
    published = result["published"]["lengths"]
    rows = {one["length"]: one for one in result["lengths"]}
    skipped = {one["length"]: one["reason"] for one in result["skipped"]}
    for length in sorted({*rows, *skipped}):
        known = published.get(str(length))
        shown = _row(rows[length]) if length in rows else f"{length:>8,}{'not measured':>15}"
        yield f"{shown:<60}| {_published(known)}".rstrip()
    yield ""
    yield (
        "input: tokens of the prompt; cold, warm: seconds to the first token; whole/s: new tokens "
        "over the whole time, reading included"
    )
    for one in result["lengths"]:
        yield from _remarks(one, result["new_tokens"])
    for length, reason in skipped.items():
        yield f"Input {length:,} is left out. {reason}"
    yield from _memory_lines(result)
    if result["load_s"] is not None:
        yield f"Loading the model took {result['load_s']:.1f} s, which no figure holds."
    yield from result["not_told"]
    yield result["published"]["note"]


def _remarks(one: dict[str, Any], new: int) -> Iterator[str]:
    """Where a row is not quite what was asked for."""
    here, prompt, asked = f"Input {one['length']:,}", one["prompt_tokens"], one["new_tokens_asked"]
    if prompt != one["length"]:
        short = prompt > one["length"] and one["length"] < 200
        why = ", the shortest that a chat can have" if short else " by the server's own count"
        yield f"{here}: the prompt had {prompt:,} tokens{why}."
    if asked < new:
        yield f"{here}: {asked:,} new tokens at most; prompt and answer stay below the window."
    if (one["new_tokens"] or 0) < asked:
        yield f"{here}: the model ended after {one['new_tokens']:,.0f} of {asked:,} tokens."


def _row(one: dict[str, Any]) -> str:
    return (
        f"{one['length']:>8,}{_figure(one['prefill_tokens_per_s'], 11, 0)}"
        f"{_figure(one['decode_tokens_per_s'], 10, 1)}{_figure(one['whole_tokens_per_s'], 9, 1)}"
        f"{_figure(one['first_token_cold_s'], 8, 2)}{_figure(one['first_token_warm_s'], 8, 2)}"
        f"{_figure(one['new_tokens'], 6, 0)}"
    )


def _published(known: dict[str, Any] | None) -> str:
    if known is None:
        return ""
    slow, fast = known["transformers_tokens_per_s"], known["vllm_tokens_per_s"]
    pair = (slow[0], slow[2]) if slow else (None, None)
    return (
        f"{_figure(pair[0], 6, 1)}{_figure(pair[1], 8, 1)}"
        f"{_figure(fast[0], 7, 1)}{_figure(fast[2], 8, 1)}"
    )


def _figure(value: float | None, width: int, digits: int) -> str:
    return f"{'–' if value is None else f'{value:,.{digits}f}':>{width}}"


def _memory_lines(result: dict[str, Any]) -> Iterator[str]:
    told = [one["memory"] for one in result["lengths"] if one["memory"]]
    if not told:
        return
    memory = max(told, key=lambda one: one["size"])
    size, spill = memory["size"] / _GIB, memory["cpu_spill"] / _GIB
    if memory["cpu_spill"] == 0:
        yield f"Memory: {size:.1f} GiB, all of it on the GPU (weights, cache and buffers)."
    elif memory["size_vram"] == 0:
        yield f"Memory: {size:.1f} GiB, none of it on a GPU."
    else:
        yield (
            f"Memory: {size:.1f} GiB, {spill:.1f} GiB of it beside the GPU, which slows every "
            "token: a smaller HAYLOFT_WINDOW or a quantised cache makes room."
        )


def _tell(words: str) -> None:
    print(f"hayloft: {words}", file=sys.stderr, flush=True)
