"""Formulas in answers: drawn where they are understood, and never mistaken for money."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from app.formulas import add_to, formula_html
from app.rendering import answer_html


def words(html: str) -> str:
    """What a reader sees of some HTML."""
    return re.sub(r"<[^>]*>", "", html)


def shown(text: str) -> str:
    return answer_html(text, 1, 3, {})


def test_a_ratio_is_drawn_with_its_words() -> None:
    """A fraction stands above the line, its words upright; whoever cannot see gets the source."""
    html = shown(r"The margin is \( \frac{\text{net income}}{\text{revenue}} = 12.5\% \) [1].")

    assert '<span class="hl-frac"><span><span>net income</span></span>' in html
    assert r'role="math" aria-label="\frac{\text{net income}}' in html
    assert "12.5%" in words(html)
    assert "hl-cite" in html


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (r"x_i^2 \le \sqrt{2}", "xi2 ≤ √2"),
        (r"\sum_{i=1}^{n} x_i", "∑i = 1nxi"),
        (r"-3 \times 10^{-4}", "−3 × 10−4"),
        (r"\left( \frac{1}{2} \right)", "(1/2)"),
        (r"\$1,577 \approx \mathrm{capex}", "$1,577 ≈ capex"),
        (r"a < b \;\text{and}\; c > d", "a &lt; b and c &gt; d"),
        (r"\begin{aligned} a &= 1 \\ b &= 2 \end{aligned}", "a = 1b = 2"),
        (r"\boxed{42}", "42"),
        (r"2^10", "210"),
    ],
)
def test_what_formulas_look_like(source: str, seen: str) -> None:
    """Powers, roots, signs, fences and rows."""
    html = formula_html(source)

    assert "hl-tex" not in html
    assert words(html).replace("\N{FOUR-PER-EM SPACE}", " ").replace("  ", " ") == seen


@pytest.mark.parametrize(
    "source",
    [r"\unknown{x}", r"\frac{1}{", "x^", "a^b^c", r"\left( x", "{" * 40, r"\text{a{b}c}", "}"],
)
def test_what_is_not_understood_stands_as_written(source: str) -> None:
    """No command, no brace and no letter of it is lost."""
    html = formula_html(source)

    assert "hl-tex" in html
    assert words(html) == source


@pytest.mark.parametrize(
    "text",
    [
        "It rose from $5,363 to $4,869 million.",
        "Between $5-$6 or US$ 7 (about A$9).",
        "Costs: $10 and _not_ $12.",
        "The variable $HOME and $PATH.",
        "A lone $ sign.",
        "US$1_000 to US$2_000",
    ],
)
def test_money_is_no_formula(text: str) -> None:
    """Prices between dollar signs stay prices."""
    assert "hl-math" not in shown(text)


def test_a_formula_on_lines_of_its_own() -> None:
    """Whatever its lines begin with, they make no list and no heading of it."""
    html = shown("So:\n\\[\na\n= b\n- c\n\\]\nwhere c is small.\n\n$$\nE = mc^2\n$$")

    assert html.count("hl-display") == 2
    assert "<ul>" not in html and "<h" not in html.replace("<html", "")
    assert "where c is small" in words(html)


def test_the_point_of_a_sentence_stands_behind_its_formula() -> None:
    """Not alone on the next line."""
    assert words(shown("So \\[ E = mc^2 \\]. Then")).strip() == "So E = mc2. Then".replace(
        " = ", "\N{FOUR-PER-EM SPACE}=\N{FOUR-PER-EM SPACE}"
    )
    assert "</span>. Then" in shown("So \\( E \\). Then")


def test_code_keeps_its_dollars_and_backslashes() -> None:
    """In code nothing is a formula."""
    html = shown("`$x_1$` and\n\n```\n\\( y \\) $z^2$\n\\[\n```\n\nafter")

    assert "hl-math" not in html
    assert "$x_1$" in html and "\\( y \\) $z^2$" in html


def test_a_hostile_formula_stays_text() -> None:
    """Nothing of a formula becomes HTML, in none of its places."""
    attack = '<img src=x onerror=alert(1)>"'
    for source in (
        attack,
        rf"\text{{{attack}}}",
        rf"\frac{{{attack}}}{{1}}",
        rf"\unknown {attack}",
    ):
        html = shown(f"\\( {source} \\) and $x^{{{source}}}$")
        assert "<img" not in html
        assert 'onerror=alert(1)>"' not in html


def test_a_sentence_without_a_source_keeps_its_mark_behind_a_formula() -> None:
    """The sign that says so may fall into the formula, and is shown behind it."""
    parser = MarkdownIt("commonmark")
    add_to(parser)

    (inline,) = [token for token in parser.parse("\\( a \uf8f4 \\)") if token.type == "inline"]

    assert [child.type for child in inline.children] == ["formula", "text"]
    assert inline.children[0].content.strip() == "a"
    assert inline.children[1].content == "\uf8f4"


def test_an_open_formula_is_text_until_it_closes() -> None:
    """While an answer grows its last formula may have no end yet."""
    assert "hl-math" not in shown("The sum is \\( a + ")
    assert "hl-math" not in shown("$$\nx = 1\n\nnext")
