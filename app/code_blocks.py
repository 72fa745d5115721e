"""Code in an answer: its language, a button that copies it, and lines that scroll by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from app.wording import t

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LONGEST_NAME = 24


def add_to(parser: MarkdownIt) -> None:
    """Have a Markdown parser draw code so."""
    for kind in ("fence", "code_block"):
        parser.add_render_rule(kind, _rendered)


def _rendered(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, object],
) -> str:
    token = tokens[index]
    named = token.info.split(maxsplit=1)
    language = named[0][:_LONGEST_NAME] if named else ""
    code = escape(token.content)
    label = escape(t("Code"))
    # What a button says is heard on the page of the chat alone, where answers have a turn.
    copy = _copy_html(code.rstrip()) if env.get("turn") else ""
    return (
        f'<div class="hl-code"><div class="hl-code-head"><span>{escape(language)}</span>{copy}'
        f'</div><pre tabindex="0" role="region" aria-label="{label}"><code>{code}</code></pre>'
        "</div>"
    )


def _copy_html(code: str) -> str:
    return (
        f'<button type="button" class="hl-act" data-copy="{code}" '
        f'data-copied="{escape(t("Copied"))}" data-refused="{escape(t("Not allowed"))}" '
        f'title="{escape(t("Copy the code"))}">{escape(t("Copy"))}</button>'
    )
