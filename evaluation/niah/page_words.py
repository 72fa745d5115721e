"""Words and small forms that the needle page's parts share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.rendering import text_html
from app.wording import ENGLISH, language, t
from evaluation.niah.report_tables import effective_sentence
from evaluation.niah.statistics import Rate
from evaluation.niah.summary import Panel


def percent(share: float) -> str:
    """`50%`, `12.5%`."""
    return f"{round(100 * share, 1):g}%"


def interval(rate: Rate) -> str:
    """`0.44–1.00`."""
    return f"{rate.low:.2f}–{rate.high:.2f}"


def when(made_at: str) -> str:
    """`21 Nov 2026, 07:02`, in this machine's time; what is no time as it is."""
    try:
        # The names of months are English everywhere.
        said = "%d %b %Y, %H:%M" if language() == ENGLISH else "%Y-%m-%d, %H:%M"
        return f"{datetime.fromisoformat(made_at).astimezone():{said}}"
    except (ValueError, OverflowError, OSError):
        return made_at[:40] or "–"


def digest_of(digest: str) -> str:
    """The part of a digest that people compare."""
    return digest.removeprefix("sha256:")[:12]


def panel_name(panel: Panel) -> str:
    """`Long prompt, multi key`."""
    arm = {"long": t("Long prompt"), "rag": t("Through Hayloft")}.get(panel.arm, panel.arm)
    return f"{arm}, {panel.task.replace('_', ' ') or t('all tasks')}"


def verdict_html(panel: Panel) -> str:
    """The one sentence of a map."""
    return f'<p class="nd-sentence">{text_html(effective_sentence(panel))}</p>'


def facts_list(facts: Mapping[str, str]) -> str:
    """Terms and what they say, as the inside of a `dl`."""
    return "".join(
        f'<dt>{name}</dt><dd dir="auto">{text_html(text)}</dd>'
        for name, text in facts.items()
        if text
    )


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and how long it is."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({t('{n} characters', n=f'{len(text):,}')})"
