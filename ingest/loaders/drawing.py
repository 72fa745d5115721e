"""DrawingML, which slides, charts and drawings on sheets are told in: paragraphs and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ingest.loaders.cleaning import one_line
from ingest.loaders.hidden_text import concealed
from ingest.loaders.packages import elements, local
from ingest.loaders.sections import table

Judge = Callable[[Any], str]
"""Gives the kind of flag for a run (`a:r`) that a reader does not see, '' for others."""


def seen(run: Any) -> str:
    """Whatever it is: a reader sees it."""
    del run
    return ""


def paragraphs_text(shape: Any, judge: Judge = seen) -> str:
    """The paragraphs of a shape, list items indented by their level."""
    lines = []
    for paragraph in shape.iter("{*}p"):
        text = "".join(_runs(paragraph, judge)).strip()
        properties = paragraph.find("{*}pPr")
        level = properties.get("lvl", "0") if properties is not None else "0"
        depth = min(int(level), 8) if level.isdecimal() else 0
        if text:
            lines.append(f"{'  ' * (depth - 1)}- {text}" if depth else text)
    return "\n".join(lines)


def _runs(paragraph: Any, judge: Judge) -> Iterator[str]:
    for element in paragraph.iter("{*}t", "{*}br", "{*}tab"):
        if element.tag.endswith("main}t") and "drawingml" in element.tag:
            text = element.text or ""
            kind = judge(element.getparent()) if text else ""
            yield concealed(text, kind) if kind else text
        elif element.tag.endswith("}br"):
            yield "\n"


def chart_text(root: Any) -> str:
    """A chart's title and the figures behind it, one line a category."""
    title = " ".join(
        paragraphs_text(element).replace("\n", " ")
        for chart in root.iter("{*}chart")
        for element in elements(chart)
        if local(element) == "title"
    )
    series = []
    categories: list[str] = []
    for element in root.iter("{*}ser"):
        name = " ".join(
            point.text or "" for tx in element.findall("{*}tx") for point in tx.iter("{*}v")
        )
        values = _points(element, "val", "yVal")
        categories = _points(element, "cat", "xVal") or categories
        series.append((one_line(name), values))
    if not series or not any(values for _, values in series):
        return title
    length = max(len(values) for _, values in series)
    rows = [["", *(name for name, _ in series)]] if any(name for name, _ in series) else []
    for at in range(length):
        row = [values[at] if at < len(values) else "" for _, values in series]
        rows.append([categories[at] if at < len(categories) else "", *row])
    return table(rows, title).text


def _points(series: Any, *names: str) -> list[str]:
    for name in names:
        for element in series.findall(f"{{*}}{name}"):
            return [one_line(point.text or "") for point in element.iter("{*}v")]
    return []
