"""Two runs on the same questions: which is better, where, and could it be chance?

Rows are paired by what was asked (arm, task, length, depth, trial, seed,
haystack), not by model or decoding, which are what differs. Only pairs with a
valid answer on both sides count; the exact McNemar test asks how the questions
part that one run got right and the other did not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.wording import t
from evaluation.niah.palette import length_name
from evaluation.niah.records import Row
from evaluation.niah.summary import counts, leaked_trials, trial_id
from evaluation.paired import Difference, difference, least_changes, short_p, told_p
from storage.errors import UsageError

PairId = tuple[str, str, int, float, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """One arm, or one arm at one length (0 for all), under A and under B."""

    arm: str
    length: int
    difference: Difference

    @property
    def name(self) -> str:
        """`long`, `rag at 32K`."""
        return f"{self.arm} at {length_name(self.length)}" if self.length else self.arm


@dataclass(frozen=True, slots=True)
class NiahComparison:
    """Everything that two runs differ in, A first."""

    groups: tuple[Group, ...]
    """For each arm all lengths together, then each."""
    fixed: tuple[PairId, ...]
    """What B gets right and A does not."""
    broken: tuple[PairId, ...]
    only_a: int
    """Valid rows of A that B has none to pair with."""
    only_b: int
    changed: Mapping[str, tuple[Any, Any]]

    def to_json(self) -> dict[str, Any]:
        """The comparison as `--json` prints it."""
        return {
            "evaluation": "niah",
            "groups": [
                {
                    "arm": group.arm,
                    "length": group.length or "all",
                    **asdict(group.difference),
                    "winner": group.difference.winner,
                }
                for group in self.groups
            ],
            "verdicts": [sentence(group) for group in self.groups if not group.length],
            "fixed": [_pair_json(pair) for pair in self.fixed],
            "broken": [_pair_json(pair) for pair in self.broken],
            "only_a": self.only_a,
            "only_b": self.only_b,
            "changed": {name: {"a": a, "b": b} for name, (a, b) in self.changed.items()},
        }


def compare(a: Sequence[Row], b: Sequence[Row]) -> NiahComparison:
    """Compare two runs' scored and attributed rows; raises UsageError where none can be paired."""
    left, right = _by_pair(a), _by_pair(b)
    shared = sorted(pair for pair in left if pair in right)
    if not shared:
        raise UsageError(
            "The two runs have no question in common: run both with the same seed, haystacks, "
            "lengths, depths and tasks."
        )
    values = {pair: (left[pair], right[pair]) for pair in shared}
    groups = []
    for arm in dict.fromkeys(pair[0] for pair in shared):
        of_arm = [pair for pair in shared if pair[0] == arm]
        groups.append(_group(arm, 0, [values[pair] for pair in of_arm]))
        lengths = sorted({pair[2] for pair in of_arm})
        if len(lengths) > 1:
            for length in lengths:
                at_length = [values[pair] for pair in of_arm if pair[2] == length]
                groups.append(_group(arm, length, at_length))
    return NiahComparison(
        groups=tuple(groups),
        fixed=tuple(pair for pair in shared if values[pair][1] > values[pair][0]),
        broken=tuple(pair for pair in shared if values[pair][1] < values[pair][0]),
        only_a=len(left) - len(shared),
        only_b=len(right) - len(shared),
        changed=dict(_changed(a, b)),
    )


def sentence(group: Group) -> str:
    """The one sentence that a decision can rest on."""
    found = group.difference
    told = t(
        "{fixed} fixed, {broken} broken of {n}, {p}",
        fixed=found.fixed,
        broken=found.broken,
        n=found.n,
        p=told_p(found.p),
    )
    if found.winner:
        return t(
            "{one} is better in {group}: {told}.", one=found.winner, group=group.name, told=told
        )
    if found.fixed + found.broken == 0:
        return t("None of {n} answers changed in {group}.", n=found.n, group=group.name)
    least = least_changes()
    if found.fixed + found.broken < least:
        told = t("{told}; fewer than {least} changes never can", told=told, least=least)
    return t(
        "No difference in {group} that these trials can show: {told}.", group=group.name, told=told
    )


def text(found: NiahComparison, name_a: str, name_b: str) -> str:
    """The comparison for people."""
    lines = [f"A: {name_a}", f"B: {name_b}"]
    lines += [f"{name}: {a} → {b}" for name, (a, b) in found.changed.items()]
    lines += [
        "",
        f"{'':>18}{'A':>8}{'B':>8}{'change':>23}{'fixed':>7}{'broken':>7}{'p':>8}{'n':>7}",
    ]
    for group in found.groups:
        one = group.difference
        change = f"{one.change:+.3f} [{one.low:+.2f}, {one.high:+.2f}]"
        lines.append(
            f"{group.name:>18}{one.a:>8.3f}{one.b:>8.3f}{change:>23}{one.fixed:>7}{one.broken:>7}"
            f"{short_p(one.p):>8}{one.n:>7}"
        )
    lines += ["", *(sentence(group) for group in found.groups if not group.length)]
    if found.only_a or found.only_b:
        lines.append(
            f"Not compared: {found.only_a} valid rows of A alone, {found.only_b} of B alone."
        )
    return "\n".join(lines)


def _by_pair(rows: Sequence[Row]) -> dict[PairId, float]:
    """1 where a row was right and read; rows without a valid answer are left out."""
    known = leaked_trials(rows)
    return {
        _pair(row): float(row.score == 1 and row.failure_stage != "LEAK")
        for row in rows
        if counts(row) and row.arm != "closed" and trial_id(row) not in known
    }


def _pair(row: Row) -> PairId:
    depth = round(row.depth_target, 4)
    identity = (row.arm, row.task, row.length, depth, row.trial, row.seed)
    return *identity, row.haystack, row.language


def _pair_json(pair: PairId) -> dict[str, Any]:
    names = ("arm", "task", "length", "depth", "trial", "seed", "haystack", "language")
    return dict(zip(names, pair, strict=True))


def _group(arm: str, length: int, pairs: Sequence[tuple[float, float]]) -> Group:
    return Group(arm, length, difference([x for x, _ in pairs], [y for _, y in pairs], hits=True))


def _changed(a: Sequence[Row], b: Sequence[Row]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """What is not the same about how the two were measured."""
    for name in ("model", "digest", "quantisation", "server_version", "window", "mode"):
        left, right = _all_of(a, name), _all_of(b, name)
        if left != right:
            yield name, (left, right)
    options_a, options_b = (dict(rows[-1].options) for rows in (a, b))
    for name in dict.fromkeys([*options_a, *options_b]):
        if options_a.get(name) != options_b.get(name):
            yield f"options.{name}", (options_a.get(name), options_b.get(name))


def _all_of(rows: Sequence[Row], name: str) -> str:
    return ", ".join(sorted({str(getattr(row, name)) for row in rows if getattr(row, name)}))
