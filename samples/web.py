"""Manuscript → HTML: a page such as a small society's web site would serve."""

from __future__ import annotations

from html import escape

from manuscript import Block, Heading, Items, Manuscript, PageBreak, Paragraph, Table, runs

STYLE = """
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.55 Georgia, serif;
       color: #1d2b33; }
h1, h2, h3, nav, footer, table { font-family: "Helvetica Neue", Arial, sans-serif; }
h1 { color: #8c2f1b; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #c9d3d8; text-align: left; }
nav a { margin-right: 1.2rem; color: #8c2f1b; }
footer { margin-top: 3rem; font-size: .85rem; color: #5b6b74; }
""".strip()


def render(manuscript: Manuscript) -> bytes:
    """The HTML page, UTF-8."""
    meta = manuscript.meta
    main = "\n".join(_block(block) for block in manuscript.blocks)
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(meta["title"])} · Thessel Ferry Society</title>
<meta name="author" content="{escape(meta["author"])}">
<meta name="date" content="{escape(meta["date"])}">
<style>
{STYLE}
</style>
</head>
<body>
<nav><a href="fares.html">Fares</a><a href="visitors.html">Visitors</a></nav>
<main>
{main}
</main>
<footer>Thessel Ferry Society, Landing hut, Alderhithe</footer>
<script>document.documentElement.className = "js";</script>
</body>
</html>
"""
    return page.encode("utf-8")


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Items(texts, ordered):
            tag = "ol" if ordered else "ul"
            items = "\n".join(f"<li>{_inline(text)}</li>" for text in texts)
            return f"<{tag}>\n{items}\n</{tag}>"
        case Table(header, rows, _):
            lines = [_row(header, "th"), *(_row(row, "td") for row in rows)]
            return "<table>\n" + "\n".join(lines) + "\n</table>"
        case PageBreak():
            return ""


def _row(cells: tuple[str, ...], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{_inline(cell)}</{tag}>" for cell in cells) + "</tr>"


def _inline(text: str) -> str:
    tags = {"b": "strong", "i": "em"}
    return "".join(
        f"<{tags[style]}>{escape(words)}</{tags[style]}>" if style else escape(words)
        for style, words in runs(text)
    )
