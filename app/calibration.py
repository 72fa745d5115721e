"""The trusted window: how much of the served window a measurement says the model reads.

Each run of `hayloft eval niah` leaves a `calibration.json` in its folder
`evaluations/niah/<run id>/` of the data directory. The newest valid one for a
model's digest, window and kind of KV cache tells how far a prompt may be
filled. Without one, nothing beyond the 32,768 tokens that Qwen2 was trained on
is trusted: RULER finds even Qwen2-72B to lose a fifth of its needles at 64K.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.placement import DepthProfile, Measured, profile_from

log = logging.getLogger(__name__)

RUNS = Path("evaluations", "niah")
"""Where the runs lie, in the data directory."""

RECORD = "calibration.json"

UNMEASURED = 32_768
"""Tokens that are trusted before anything is measured: the window Qwen2 was trained on."""

RENEW = "hayloft eval niah run"

UNMEASURED_DEPTHS = Measured()

_SCHEMA = 1
_SHA256 = "sha256:"
"""Ollama leads a digest with it in some replies and not in others."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one run found out about one model at one window."""

    run: str
    made_at: str
    """ISO 8601; the newest counts."""
    valid: bool
    reason: str
    """One sentence: what was found, or why the run is not valid."""
    model: str
    """`ollama qwen2:7b`, as answers name it."""
    digest: str
    window: int
    """Tokens the server was asked for, and served."""
    kv_type: str
    """Type of the KV cache, `f16` where nothing else is known."""
    effective: int | None
    """Effective length in tokens: prompt and reserve; None where not even the first held."""
    longest: int
    """The longest length measured."""
    shortest: int
    complete: bool
    """True where every measured length held."""
    profiles: tuple[DepthProfile, ...] = ()
    """How well each third of the depths was read, by length."""

    def to_json(self) -> dict[str, Any]:
        """The record as the run's folder keeps it."""
        profiles = [profile.to_json() for profile in self.profiles]
        return {"schema": _SCHEMA, **asdict(self), "profiles": profiles}


@dataclass(frozen=True, slots=True)
class TrustedWindow:
    """How many tokens of prompt and reserve together are trusted, and why."""

    tokens: int
    reason: str
    """One sentence for people."""
    stale: bool
    """True where a measurement is there, and not of this model, window and KV cache."""
    measured: bool = False
    """True where the figure rests on a valid run of exactly this model, window and KV cache."""
    command: str = RENEW
    """What measures, or measures again."""
    run: str = ""
    depths: Measured = UNMEASURED_DEPTHS
    """What passages are placed by; nothing unless it was measured of exactly this."""


def trusted_window(
    data_dir: Path, digest: str, window: int, kv_type: str = "f16", *, override: int = 0
) -> TrustedWindow:
    """How far the served `window` is trusted, for one model and one kind of KV cache.

    `digest` is the model's as its server tells it, or its name where the
    server tells none. `override` (tokens, 0 for none) takes the place of the
    measurement, and the reason says so. Never more than `window`.
    """
    digest = digest.removeprefix(_SHA256)
    records = [record for record in calibrations(data_dir) if record.valid]
    exact = [record for record in records if _is_of(record, digest, window, kv_type)]
    if exact:
        found = _measured(exact[0], window)
    elif records:
        found = _stale(records, digest, window, kv_type)
    else:
        found = TrustedWindow(
            min(window, UNMEASURED),
            f"The window of this model is not measured yet; `{RENEW}` measures it.",
            stale=False,
        )
    if override <= 0:
        return found
    tokens = min(override, window)
    told = f"Set by hand to {tokens:,} tokens; without that it would be {found.tokens:,}."
    return TrustedWindow(
        tokens,
        f"{told} {found.reason}",
        stale=found.stale,
        measured=False,
        run=found.run,
        depths=found.depths,
    )


def calibrations(data_dir: Path) -> list[Calibration]:
    """The records of all runs, newest first; one that cannot be read is left out."""
    found = []
    for path in (data_dir / RUNS).glob(f"*/{RECORD}"):
        record = read(path)
        if record is not None:
            found.append(record)
    return sorted(found, key=lambda record: (record.made_at, record.run), reverse=True)


def read(path: Path) -> Calibration | None:
    """One record; None where there is none, or none that this version understands."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        log.warning("the calibration of run %s cannot be read: %s", path.parent.name, exc)
        return None
    record = _record(data) if isinstance(data, Mapping) else None
    if record is None:
        log.warning("the calibration of run %s is of another form", path.parent.name)
    return record


def _record(data: Mapping[str, Any]) -> Calibration | None:
    if data.get("schema") != _SCHEMA:
        return None
    wanted: dict[str, tuple[type, ...]] = {
        "run": (str,),
        "made_at": (str,),
        "valid": (bool,),
        "reason": (str,),
        "model": (str,),
        "digest": (str,),
        "window": (int,),
        "kv_type": (str,),
        "effective": (int, type(None)),
        "longest": (int,),
        "shortest": (int,),
        "complete": (bool,),
    }
    for name, types in wanted.items():
        if name not in data or not isinstance(data[name], types):
            return None
    told = data.get("profiles")
    read = [profile_from(one) for one in told] if isinstance(told, list) else []
    # One that cannot be read leaves passages in their order; the window is measured all the same.
    profiles = tuple(one for one in read if one is not None)
    known = {name: data[name] for name in wanted}
    known["digest"] = str(known["digest"]).removeprefix(_SHA256)
    return Calibration(**known, profiles=profiles if len(profiles) == len(read) else ())


def _is_of(record: Calibration, digest: str, window: int, kv_type: str) -> bool:
    return (record.digest, record.window, record.kv_type) == (digest, window, kv_type)


def _measured(record: Calibration, window: int) -> TrustedWindow:
    """What a run of exactly this setting says."""
    if record.complete:
        # Nothing measured speaks against the part of the window that Qwen2 was trained on.
        tokens = min(window, max(record.longest, UNMEASURED))
        beyond = (
            f"; longer prompts were not measured, {tokens:,} is trusted"
            if tokens > record.longest
            else ""
        )
        reason = f"{record.model} held every length up to {record.longest:,} tokens{beyond}"
    elif record.effective is None:
        tokens = min(window, record.shortest)
        reason = (
            f"{record.model} did not hold even {record.shortest:,} tokens, the shortest length "
            "measured"
        )
    else:
        tokens = min(window, record.effective)
        reason = f"{record.model} holds {record.effective:,} tokens and loses needles beyond"
    return TrustedWindow(
        tokens,
        f"{reason} (run {record.run}).",
        stale=False,
        measured=True,
        run=record.run,
        depths=Measured(record.run, record.profiles),
    )


def _stale(records: list[Calibration], digest: str, window: int, kv_type: str) -> TrustedWindow:
    """What the nearest measurement of something else allows, and why it does not count."""
    same = [record for record in records if record.digest == digest]
    record = (same or records)[0]
    tokens = min(window, UNMEASURED)
    if not same:
        why = f"The last measurement (run {record.run}) was of another model, {record.model}"
    else:
        changes = []
        if record.window != window:
            changes.append(f"the window is {window:,} tokens and was {record.window:,}")
        if record.kv_type != kv_type:
            changes.append(f"the KV cache is {kv_type} and was {record.kv_type}")
        why = f"The setting has changed since run {record.run}: {' and '.join(changes)}"
        # The same weights: a fall that was measured is feared until it is measured again.
        if not record.complete:
            tokens = min(tokens, record.effective or record.shortest)
    return TrustedWindow(
        tokens,
        f"{why}; `{RENEW}` measures it again.",
        stale=True,
        run=record.run,
    )
