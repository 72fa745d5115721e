"""Two results of the same evaluation, question by question: what B fixes and what it breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.answers import HITS as ANSWER_HITS
from evaluation.metrics import first_rank, hit, ndcg, recall, reciprocal_rank
from evaluation.paired import Difference, difference, least_changes, told_p
from evaluation.questions import Place
from evaluation.reporting import count
from storage.errors import UsageError

EVALUATIONS = ("retrieval", "answers")

_DEFAULT_CUTOFF = 10
_COMPARED = ("settings", "index", "library", "versions")
_OF_COURSE = ("index.collection",)
"""Never the same in two libraries, and of no consequence."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One question of a result, with everything that it scores."""

    id: str
    question: str
    key: str
    """What the question asks for; two questions of one id are the same only if these are."""
    scores: dict[str, float]
    rank: int | None
    """Of the first page that answers; None where it was not found, or was not asked."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Change:
    """One question that scores otherwise under B than under A."""

    id: str
    question: str
    a: float
    b: float
    rank_a: int | None
    rank_b: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that two results differ in."""

    evaluation: str
    metric: str
    """The one that the verdict is about."""
    metrics: dict[str, Difference]
    fixed: tuple[Change, ...]
    """By the verdict's metric, in the order of the questions."""
    broken: tuple[Change, ...]
    same: tuple[Change, ...]
    """Those that score alike, right or wrong."""
    only_a: tuple[str, ...]
    """Ids of questions that cannot be compared: asked of A alone, or another question in B."""
    only_b: tuple[str, ...]
    changed: dict[str, tuple[Any, Any]]
    """Settings, index, library, versions and commit that are not the same, by name."""
    seconds_a: float
    """Median time a question."""
    seconds_b: float

    @property
    def verdict(self) -> Difference:
        """The difference that decides."""
        return self.metrics[self.metric]

    def to_json(self) -> dict[str, Any]:
        """The comparison as `--json` prints it."""
        return {
            "evaluation": self.evaluation,
            "n": self.verdict.n,
            "metric": self.metric,
            "winner": self.verdict.winner,
            "verdict": sentence(self),
            "metrics": {name: asdict(value) for name, value in self.metrics.items()},
            "fixed": [asdict(change) for change in self.fixed],
            "broken": [asdict(change) for change in self.broken],
            "same": [asdict(change) for change in self.same],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "changed": {name: {"a": a, "b": b} for name, (a, b) in self.changed.items()},
            "seconds": {"a": self.seconds_a, "b": self.seconds_b},
        }


def read_result(path: Path) -> dict[str, Any]:
    """A result that an evaluation wrote with --out; raises UsageError for anything else."""
    if path.is_dir():
        # A run of `eval answers` keeps its scores beside its rows.
        path = path / "result.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"The result {path} cannot be read: {exc.strerror or exc}.") from exc
    except ValueError as exc:
        raise UsageError(f"{path} is no result: {_WANTED}") from exc
    if (
        not isinstance(value, dict)
        or value.get("evaluation") not in EVALUATIONS
        or not value.get("results")
    ):
        raise UsageError(f"{path} is no result: {_WANTED}")
    return value


_WANTED = (
    "it must be a file that `hayloft eval retrieval --out FILE` or `hayloft eval answers --out "
    "FILE` wrote."
)


def compare(a: Mapping[str, Any], b: Mapping[str, Any], metric: str = "") -> Comparison:
    """Compare two results of one evaluation over the questions that both have.

    `metric` decides; without it, hit@10 (or the deepest hit that both
    measured) for retrieval, and the first quote for answers. Raises UsageError
    for results that cannot be compared, or a metric that they do not have.
    """
    if a["evaluation"] != b["evaluation"]:
        raise UsageError(
            f"A is a result of {a['evaluation']}, B of {b['evaluation']}: two results of the same "
            "evaluation can be compared."
        )
    left = {one.id: one for one in scored(a)}
    right = {one.id: one for one in scored(b)}
    shared = [id_ for id_ in left if id_ in right and left[id_].key == right[id_].key]
    if not shared:
        raise UsageError("A and B have no question in common; measure both on one question file.")
    pairs = [(left[id_], right[id_]) for id_ in shared]
    both = set(shared)
    metrics = _differences(pairs)
    chosen = metric or _deciding(a["evaluation"], metrics)
    if chosen not in metrics:
        raise UsageError(f"There is no metric {chosen!r} in both; there are: {', '.join(metrics)}.")
    changes = [
        Change(x.id, x.question or y.question, x.scores[chosen], y.scores[chosen], x.rank, y.rank)
        for x, y in pairs
        if chosen in x.scores and chosen in y.scores
    ]
    return Comparison(
        evaluation=a["evaluation"],
        metric=chosen,
        metrics=metrics,
        fixed=tuple(change for change in changes if change.b > change.a),
        broken=tuple(change for change in changes if change.b < change.a),
        same=tuple(change for change in changes if change.a == change.b),
        only_a=tuple(id_ for id_ in left if id_ not in both),
        only_b=tuple(id_ for id_ in right if id_ not in both),
        changed=dict(_changed(a, b)),
        seconds_a=_median([x.seconds for x, _ in pairs]),
        seconds_b=_median([y.seconds for _, y in pairs]),
    )


def is_hit(metric: str) -> bool:
    """Whether a metric is 0 or 1 for each question, so that McNemar's test applies."""
    return metric.startswith(("hit@", "document_first@")) or metric in ANSWER_HITS


def scored(result: Mapping[str, Any]) -> Iterator[Scored]:
    """The questions of a result with their scores."""
    for row in result["results"]:
        if result["evaluation"] == "retrieval":
            yield _retrieved(row, result["k"])
        else:
            yield Scored(
                id=row["id"],
                question=row["question"],
                key=json.dumps([row["question"], sorted(row["answers"]), _relevant(row)]),
                scores=dict(row["scores"]),
                rank=None,
                seconds=row["seconds"],
            )


def sentence(found: Comparison) -> str:
    """The one sentence that a decision can rest on."""
    value, metric = found.verdict, found.metric
    changes = f"{value.fixed} fixed, {value.broken} broken"
    if value.p is None:
        tested = f"{value.change:+.3f} [{value.low:+.3f}, {value.high:+.3f}]"
    else:
        tested = f"{changes}, {told_p(value.p)}"
    if value.winner:
        return f"{value.winner} is better at {metric}: {tested}."
    questions = count(value.n, "question")
    if value.fixed + value.broken == 0:
        return f"None of {questions} changed at {metric}."
    told = f"No difference at {metric} that {questions} can show: {tested}"
    least = least_changes()
    if value.p is not None and value.fixed + value.broken < least:
        return f"{told} (fewer than {least} changes never can)."
    return f"{told}."


def _retrieved(row: Mapping[str, Any], cutoffs: Sequence[int]) -> Scored:
    relevant = {Place(place["document"], place["page"]) for place in row["relevant"]}
    found = [Place(place["document"], place["page"]) for place in row["found"]]
    deepest = max(cutoffs)
    scores: dict[str, float] = {}
    for name, metric in (("hit", hit), ("recall", recall), ("ndcg", ndcg)):
        for k in cutoffs:
            scores[f"{name}@{k}"] = metric(found, relevant, k)
    scores[f"mrr@{deepest}"] = reciprocal_rank(found, relevant, deepest)
    scores["document_first@1"] = float(row["document_first"])
    return Scored(
        id=row["id"],
        question=row.get("question", ""),
        key=json.dumps(sorted([place.document, place.page] for place in relevant)),
        scores=scores,
        rank=first_rank(found, relevant),
        seconds=row["seconds"],
    )


def _relevant(row: Mapping[str, Any]) -> list[list[Any]]:
    """The pages that decide where no answer is known."""
    places = [] if row["answers"] else row.get("relevant", [])
    return sorted([place["document"], place["page"]] for place in places)


def _differences(pairs: Sequence[tuple[Scored, Scored]]) -> dict[str, Difference]:
    names: dict[str, None] = {}
    for x, y in pairs:
        names.update(dict.fromkeys(name for name in x.scores if name in y.scores))
    found = {}
    for name in names:
        values = [
            (x.scores[name], y.scores[name])
            for x, y in pairs
            if name in x.scores and name in y.scores
        ]
        found[name] = difference([x for x, _ in values], [y for _, y in values], hits=is_hit(name))
    return found


def _deciding(evaluation: str, metrics: Mapping[str, Difference]) -> str:
    if evaluation == "answers":
        return next(name for name in ("first", *metrics) if name in metrics)
    depths = sorted(int(name[4:]) for name in metrics if name.startswith("hit@"))
    if not depths:
        raise UsageError("A and B were measured at other depths; give both the same --k.")
    return f"hit@{_DEFAULT_CUTOFF if _DEFAULT_CUTOFF in depths else depths[-1]}"


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """What is not the same about how the two were measured, the question file included."""
    for group in _COMPARED:
        left, right = a.get(group) or {}, b.get(group) or {}
        for name in dict.fromkeys([*left, *right]):
            told = name if group == "settings" else f"{group}.{name}"
            if left.get(name) != right.get(name) and told not in _OF_COURSE:
                yield told, (left.get(name), right.get(name))
    for name in ("commit", "dirty", "model", "k"):
        if a.get(name) != b.get(name):
            yield name, (a.get(name), b.get(name))
    files = [(one.get("questions_file") or {}).get("sha256") for one in (a, b)]
    if files[0] != files[1]:
        yield "questions_file.sha256", (files[0], files[1])


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
