"""What a plan and a run say to people in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evaluation.niah.config import FULL_LENGTHS
from evaluation.niah.fitting import SHARE_OF_BUDGET
from evaluation.reporting import count


def plan_text(result: Mapping[str, Any]) -> str:
    """The plan for people."""
    config, served = result["config"], result["served"]
    lengths = ", ".join(_short(length) for length in config["lengths"])
    long = result["long"]
    trained = served["trained_window"]
    about = "" if result["exact"] else " (estimated from above: no vocabulary of the model at hand)"
    lines = [
        f"{served['model']}, window served {served['window']:,}"
        + (f", trained {trained:,}" if trained else ""),
        f"Haystack: {result['haystack']['id']} ({result['haystack']['language']}, "
        f"{count(result['haystack']['paragraphs'], 'paragraph')}). {result['haystack']['note']}",
        f"{', '.join(config['tasks'])}: {lengths} × {count(len(config['depths']), 'depth')} × "
        f"{count(config['trials'], 'trial')}, arms {', '.join(config['arms'])}, "
        f"{config['mode']} prompts",
        f"{count(result['prompts'], 'prompt')}; long prompts: {long['naive']:,} tokens, of which "
        f"{long['computed']:,} to compute ({long['share']:.0%}) in this order{about}",
        f"Predicted time: {_time(result['seconds'])}",
    ]
    if result["clamped"]:
        lines.append(
            f"{count(result['clamped'], 'trial')} beyond the window will not be sent: to reach "
            "them raise HAYLOFT_WINDOW, or see `hayloft models extend`."
        )
    if "rag" in config["arms"]:
        once = config["rag_trials"]
        if once is not None and once < config["trials"]:
            lines.append(f"The rag arm ingests a document each time: {count(once, 'trial')} of it.")
        lines.append("The time of the rag arm is a guess until its first documents are ingested.")
    if result.get("left_out"):
        whole = result["first_look_seconds"]
        lines.append(
            f"Left out to fit {count(config['budget']['minutes'], 'minute')}: "
            f"{'; '.join(result['left_out'])}. The whole first look would take about "
            f"{_time(whole)}: `hayloft eval niah run --minutes {_minutes_for(whole)}`."
        )
    if result.get("full_seconds"):
        window, longest = served["window"], FULL_LENGTHS[-1]
        product = "rag" in config["arms"] or "the rag arm" in result["left_out"]
        only = "only through the product" if product else "not sent"
        beyond = f"; {only} beyond {window:,} tokens" if window < longest else ""
        lines.append(
            f"The full grid ({_short(FULL_LENGTHS[0])} to {_short(longest)}, 11 depths, "
            f"10 trials{beyond}) would take about {_time(result['full_seconds'])}: "
            "`hayloft eval niah run --full`."
        )
    return "\n".join(line.rstrip() for line in lines)


def run_text(result: Mapping[str, Any]) -> str:
    """What a run came to, for people."""
    told = ", ".join(f"{number:,} {name}" for name, number in sorted(result["statuses"].items()))
    lines = [f"Run {result['run']}: {told or 'nothing'}; {_time(result['seconds'])}"]
    if result["stopped"]:
        # A run that is named is gone on with or refused, never begun anew.
        command = "The same command without --run" if result["named"] else "The same command"
        then = f"{command} begins a new run" if result["replaced"] else "The same command goes on"
        lines.append(f"Stopped early: {result['stopped']} {then}.")
    if result["statuses"].get("error") and not result["replaced"]:
        lines.append("Errors are tried again by the same command; they count neither way.")
    lines.append(f"`hayloft eval niah report {result['run']}` draws the maps.")
    return "\n".join(lines)


def _minutes_for(seconds: float) -> int:
    """The budget that a grid of so many seconds fits."""
    return math.ceil(seconds / 60 / SHARE_OF_BUDGET)


def _short(length: int) -> str:
    return f"{length // 1024}K" if length % 1024 == 0 else f"{length:,}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
