"""What a cell of the map holds, as the needle page shows it: questions, answers, prompts.

Answers, questions, needles and prompts may hold anything: they reach the page
only through `text_html`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from app.rendering import count_of, text_html
from app.wording import t
from evaluation.niah.page_map import Place
from evaluation.niah.page_words import cut, facts_list, interval, percent
from evaluation.niah.palette import stage_words
from evaluation.niah.prompt_parts import Part
from evaluation.niah.records import Row
from evaluation.niah.show import Shown
from evaluation.niah.summary import Cell, LengthRow, Panel, is_hit

LONGEST = 2_000
"""Characters of an answer or a needle on a card; the rest is in the row's own view."""


def rows_at(rows: Iterable[Row], panel: Panel, place: Place) -> list[Row]:
    """The rows of a place, the lost ones first."""
    found = [
        row
        for row in rows
        if row.arm == panel.arm
        and panel.task in ("", row.task)
        and row.length == place.length
        and (place.depth is None or round(row.depth_target, 4) == place.depth)
    ]
    return sorted(found, key=lambda row: (is_hit(row), row.depth_target, row.trial, row.task))


def place_html(panel: Panel, place: Place, rows: Sequence[Row]) -> str:
    """What a cell or a length comes to."""
    found: Cell | LengthRow | None
    if place.depth is None:
        found = next((row for row in panel.rows if row.length == place.length), None)
    else:
        found = panel.cells.get((place.length, place.depth))
    told = [t("{rows}.", rows=count_of(len(rows), "row"))]
    if found is not None and found.rate.n:
        told.insert(
            0,
            t(
                "{hits} of {n} right, 95% interval {interval}; mean score {score}.",
                hits=found.rate.hits,
                n=found.rate.n,
                interval=interval(found.rate),
                score=f"{found.rate.fraction:.2f}",
            ),
        )
    if found is not None:
        if found.invalid:
            told.append(
                t(
                    "{n} invalid: the server read less than it was sent, or nothing.",
                    n=f"{found.invalid:,}",
                )
            )
        if found.errors:
            told.append(t("{n} failed, and will be tried again.", n=f"{found.errors:,}"))
        if found.leaks:
            told.append(
                t(
                    "{n} answered rightly without any text: they count neither way.",
                    n=f"{found.leaks:,}",
                )
            )
    title = f'<h3 class="nd-h3" id="nd-place">{escape(place.words)}</h3>'
    return f"{title}<p>{text_html(' '.join(told))}</p>"


def row_html(row: Row) -> str:
    """One question with its answer, and a button for its prompt."""
    kind = "nd-none" if row.status != "ok" else "nd-good" if is_hit(row) else "nd-bad"
    score = f" ({row.score:g})" if row.score is not None else ""
    stage = (
        f'<span class="nd-lost">{escape(stage_words(row.failure_stage))}</span>'
        if row.failure_stage
        else ""
    )
    depth = row.depth_target if row.depth_actual is None else row.depth_actual
    about = t(
        "{task}, trial {n}, depth {depth}",
        task=row.task.replace("_", " "),
        n=row.trial,
        depth=percent(depth),
    )
    return (
        f'<article class="nd-row {kind}"><header><b>{text_html(_verdict_of(row))}{score}</b>{stage}'
        f'<span class="hl-small">{text_html(about)}</span>'
        f'<button class="nd-link" data-niah="row:{escape(row.key)}">{t("The prompt")}</button>'
        f"</header>"
        f"<dl>{facts_list(row_facts(row, LONGEST))}</dl></article>"
    )


def _verdict_of(row: Row) -> str:
    """What became of a question, in a word or two."""
    words = {
        "right": t("right"),
        "partial": t("partial"),
        "wrong": t("wrong"),
        "denied": t("denied"),
        "distractor": t("distractor"),
        "dump": t("dump"),
        "empty": t("empty"),
        "invented": t("invented"),
        "silent": t("silent"),
        "error": t("error"),
        "invalid_truncated": t("cut by the server"),
        "window_clamped": t("beyond the window"),
        "skipped_budget": t("not asked: the budget was spent"),
    }
    name = str(row.score_detail.get("verdict", "")) if row.status == "ok" else row.status
    return words.get(name, name)


def row_facts(row: Row, longest: int) -> dict[str, str]:
    """What is to be told of a row; texts cut where they are longer."""
    wrong = row.score_detail.get("wrong") or ()
    return {
        t("asked"): cut(row.question, longest),
        t("expected"): cut("; ".join(row.expected), longest) or t("that the text does not say it"),
        t("answered"): cut(row.answer, longest) or (t("(nothing)") if row.status == "ok" else ""),
        t("named, and wrong"): cut("; ".join(map(str, wrong)), longest)
        if isinstance(wrong, list | tuple)
        else "",
        t("judge"): "" if row.judge_score is None else f"{row.judge_score:g}",
        t("needle"): cut("\n".join(one.text for one in row.needles), longest),
        t("distractors"): cut("\n".join(one.text for one in row.distractors), longest),
        t("checks"): trace_of(row),
        t("with the cause taken away"): _again(row),
        t("why"): cut(row.error, longest),
        t("tokens"): _tokens(row),
    }


def trace_of(row: Row) -> str:
    """`parsed ok, split FAILED`: the checks of the product's path, in order."""
    words = {True: t("ok"), False: t("FAILED")}
    return ", ".join(
        f"{check.get('check', '?')} {words.get(check.get('passed'), t('not told'))}"  # type: ignore[arg-type]
        for check in row.stage_trace
    )


def _again(row: Row) -> str:
    names = {"gold_first": t("needle ranked first"), "double_budget": t("twice the room")}
    told = []
    for how, what in row.counterfactuals.items():
        score = what.get("score") if isinstance(what, Mapping) else None
        right = t("failed")
        if score is not None:
            right = t("right") if score == 1 else t("wrong")
        told.append(f"{names.get(str(how), str(how))}: {right}")
    return "; ".join(told)


def _tokens(row: Row) -> str:
    if row.prompt_tokens is None:
        return ""
    theirs = row.server_prompt_tokens
    server = (
        t("{n} read by the server", n=f"{theirs:,}")
        if theirs is not None
        else t("the server tells none")
    )
    number = f"{row.prompt_tokens:,}"
    ours = t("{n} counted", n=number) if row.exact else t("{n} estimated", n=number)
    return f"{ours}, {server}"


def proof_html(shown: Shown) -> str:
    """Whether this is the very prompt that was sent."""
    if shown.proved:
        name, kind = t("the very prompt: its digest is the row's"), "hl-verified"
    elif shown.messages:
        name, kind = t("not proved: the row has no digest of it"), "hl-near"
    else:
        name, kind = t("no prompt was kept"), "hl-near"
    return f'<span class="hl-verdict {kind}">{name}</span>'


def prompt_html(role: str, parts: Sequence[Part]) -> str:
    """One message, its needles marked, what is left out told."""
    shown = "".join(_part_html(part) for part in parts)
    return (
        f'<div class="nd-role">{text_html(role)}</div>'
        f'<div class="hl-page nd-prompt" tabindex="0">{shown}</div>'
    )


def _part_html(part: Part) -> str:
    if part.kind == "left out":
        told = t("… {n} characters left out …", n=f"{part.characters:,}")
        return f'<span class="nd-out">{told}</span>'
    if part.kind == "text":
        return text_html(part.text)
    kind = "nd-needle" if part.kind == "needle" else "nd-distractor"
    name = t("needle") if part.kind == "needle" else t("distractor")
    return f'<mark class="{kind}" title="{name}">{text_html(part.text)}</mark>'
