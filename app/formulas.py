r"""Formulas in an answer, drawn as HTML: `\( … \)`, `\[ … \]`, `$$ … $$` and `$ … $`.

Models write their sums in TeX, and Markdown would take its backslashes and underscores for signs
of its own. What is needed for sums and ratios is drawn with plain HTML; a formula that holds
anything else stands as it was written, letter by letter. No library does it: Streamlit's KaTeX
draws in `st.markdown` alone, which knows no marks, and `st.html` lets no MathML through.

A lone `$` is mostly money in the documents people ask about, so between two of them only what
looks like a formula is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from app.formula_signs import ACCENTS, FENCES, NAMES, OPERATORS, SIGNS, SKIPPED, SPACES, WORDS

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_LONGEST = 2000
"""Characters of a formula. Longer ones are no formula that somebody would read."""
_DEEPEST = 24
_MARKS = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"))
_PRIVATE = re.compile("[\ue000-\uf8ff]")
"""Characters by which others mark places of the text; see `rendering`."""
_FORMULA = re.compile(r"[\\^_=]|^[A-Za-z]['′]?$")
_PIECE = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|[A-Za-z]+|\d+(?:[.,]\d+)*|.", re.DOTALL)
_ROWS = {"matrix": "", "pmatrix": "()", "bmatrix": "[]", "vmatrix": "||", "cases": "{"}
_ALIGNED = frozenset({"aligned", "align", "align*", "split", "gather", "gathered", "equation"})


class _NotDrawn(Exception):
    """The formula holds what is not drawn here."""


def add_to(parser: MarkdownIt) -> None:
    """Have a Markdown parser know formulas."""
    parser.block.ruler.before(
        "table", "formula", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.add_render_rule("formula", _rendered)


def formula_html(source: str, *, display: bool = False, point: str = "") -> str:
    """A formula in TeX as HTML; as it was written where it cannot be drawn.

    `point` is what ends its sentence, behind it on the same line.
    """
    source = source.strip()
    kind = "hl-math hl-display" if display else "hl-math"
    try:
        drawn = _Drawing(source).whole()
    except _NotDrawn:
        return f'<code class="{kind} hl-tex" dir="ltr">{escape(source)}{point}</code>'
    # A reader of screens says the source, which is known there, not the pieces.
    return (
        f'<span class="{kind}" role="math" aria-label="{escape(source)}" dir="ltr">'
        f"{drawn}{point}</span>"
    )


# --- in the text --------------------------------------------------------------------------------


def _found(text: str, at: int) -> tuple[int, int, int, bool] | None:
    """Start and end of the formula that begins at a place, where it all ends, and if it is shown
    on a line of its own.
    """
    for begin, end in _MARKS:
        if text.startswith(begin, at):
            start = at + len(begin)
            stop = text.find(end, start, start + _LONGEST)
            if stop > start and text[start:stop].strip():
                return start, stop, stop + len(end), begin != "\\("
            return None
    if not text.startswith("$", at) or (at and text[at - 1].isalnum()):
        return None
    stop = text.find("$", at + 1, at + 1 + _LONGEST)
    inner = text[at + 1 : stop] if stop > 0 else ""
    if not inner or inner != inner.strip() or "\n" in inner or text[stop + 1 : stop + 2].isdigit():
        return None
    # "$5 or US$ 6" are prices.
    if not _FORMULA.search(inner) or (inner[0].isdigit() and "\\" not in inner):
        return None
    return at + 1, stop, stop + 1, False


def _inline(state: StateInline, silent: bool) -> bool:
    found = _found(state.src, state.pos)
    if found is None:
        return False
    start, stop, end, display = found
    # A sentence's point would else stand on a line of its own.
    point = state.src[end : end + 1] if display else ""
    if point not in (".", ",", ";", ":"):
        point = ""
    end += len(point)
    if not silent:
        token = state.push("formula", "", 0)
        token.content = _PRIVATE.sub("", state.src[start:stop])
        token.meta = {"display": display, "point": point}
        if marks := "".join(_PRIVATE.findall(state.src[start:stop])):
            state.push("text", "", 0).content = marks
    state.pos = end
    return True


def _block(state: StateBlock, line: int, last: int, silent: bool) -> bool:
    """A formula on lines of its own is one paragraph, whatever its lines begin with."""
    if state.is_code_block(line):
        return False
    start = state.bMarks[line] + state.tShift[line]
    if not state.src.startswith(("\\[", "$$"), start):
        return False
    found = _found(state.src, start)
    if found is None:
        return False
    after = line
    while after < last and state.eMarks[after] < found[2]:
        after += 1
        if after < last and state.isEmpty(after):
            return False
    if after >= last:
        return False
    if silent:
        return True
    state.line = after + 1
    opened = state.push("paragraph_open", "p", 1)
    opened.map = [line, state.line]
    inner = state.push("inline", "", 0)
    inner.content = state.getLines(line, state.line, state.blkIndent, False).strip()
    inner.map = [line, state.line]
    inner.children = []
    state.push("paragraph_close", "p", -1)
    return True


def _rendered(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    _env: Mapping[str, object],
) -> str:
    token = tokens[index]
    return formula_html(
        token.content, display=bool(token.meta["display"]), point=str(token.meta["point"])
    )


# --- drawing ------------------------------------------------------------------------------------


class _Drawing:
    """One formula, read from its beginning to its end."""

    def __init__(self, source: str) -> None:
        if len(source) > _LONGEST:
            raise _NotDrawn
        self._pieces = _PIECE.findall(source)
        self._at = 0
        self._depth = 0

    def whole(self) -> str:
        """All of it; raises _NotDrawn where something is not known or not closed."""
        drawn = self._row(())
        if self._at < len(self._pieces):
            raise _NotDrawn
        return drawn

    def _peek(self) -> str:
        return self._pieces[self._at] if self._at < len(self._pieces) else ""

    def _take(self) -> str:
        if self._at >= len(self._pieces):
            raise _NotDrawn
        self._at += 1
        return str(self._pieces[self._at - 1])

    def _skip_space(self) -> None:
        while self._peek().isspace():
            self._at += 1

    def _row(self, ends: Sequence[str], *, operand: bool = False) -> str:
        """What stands side by side, up to one of the ends, which is left.

        `operand` says that something stands before it that a sign can join to it.
        """
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _NotDrawn
        drawn: list[str] = []
        while piece := self._peek():
            if piece in ends:
                break
            if piece.isspace():
                self._at += 1
                continue
            if piece in ("}", "\\end", "&", "\\right"):
                raise _NotDrawn
            sign = OPERATORS.get(piece)
            if sign is not None:
                self._at += 1
                # A minus at the beginning belongs to what follows it.
                space = "\N{FOUR-PER-EM SPACE}" if operand else ""
                drawn.append(f"{space}{sign}{space}" + self._scripts())
                operand = False
                continue
            drawn.append(self._atom() + self._scripts())
            operand = piece not in "([{,"
        self._depth -= 1
        return "".join(drawn)

    def _scripts(self) -> str:
        """Powers and indices behind something."""
        found: dict[str, str] = {}
        while True:
            self._skip_space()
            mark = self._peek()
            if mark not in ("^", "_") or not mark:
                break
            if mark in found:
                raise _NotDrawn
            self._at += 1
            found[mark] = self._argument()
        low = f"<sub>{found['_']}</sub>" if "_" in found else ""
        high = f"<sup>{found['^']}</sup>" if "^" in found else ""
        return low + high

    def _argument(self) -> str:
        """What a command or a script is about: a group, or one sign."""
        self._skip_space()
        piece = self._peek()
        if piece == "{":
            return self._atom()
        if len(piece) > 1 and not piece.startswith("\\"):
            # Of letters and digits without braces, the first alone.
            self._pieces[self._at : self._at + 1] = [piece[0], piece[1:]]
        sign = OPERATORS.get(self._peek())
        if sign is not None:
            self._at += 1
            return sign
        return self._atom()

    def _atom(self) -> str:
        piece = self._take()
        if piece == "{":
            inner = self._row(("}",))
            self._expect("}")
            return inner
        if piece == "'":
            return "′"
        if piece == "~":
            return "\N{NO-BREAK SPACE}"
        if piece in ("^", "_", "}", "&"):
            raise _NotDrawn
        if not piece.startswith("\\"):
            return (
                f"<i>{escape(piece)}</i>" if piece.isascii() and piece.isalpha() else escape(piece)
            )
        return self._command(piece)

    def _expect(self, piece: str) -> None:
        if self._take() != piece:
            raise _NotDrawn

    def _command(self, piece: str) -> str:
        name = piece[1:]
        if piece == "\\\\":
            return "<br>"
        if piece in SPACES:
            return SPACES[piece]
        if name in SIGNS:
            return SIGNS[name]
        if name in NAMES:
            return f"{name}\N{FOUR-PER-EM SPACE}"
        if name in SKIPPED:
            return ""
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            above, below = self._argument(), self._argument()
            return (
                f'<span class="hl-frac"><span>{above}</span>'
                f'<span class="hl-over">/</span><span>{below}</span></span>'
            )
        if name == "sqrt":
            return self._root()
        if name in WORDS:
            return self._words(name)
        if name in ACCENTS:
            return self._argument() + ACCENTS[name]
        if name in ("overline", "bar"):
            return f'<span class="hl-overline">{self._argument()}</span>'
        if name == "boxed":
            return f'<span class="hl-boxed">{self._argument()}</span>'
        if name == "left":
            return self._fenced()
        if name == "begin":
            return self._environment()
        raise _NotDrawn

    def _root(self) -> str:
        index = ""
        if self._peek() == "[":
            self._at += 1
            index = f"<sup>{self._row((']',))}</sup>"
            self._expect("]")
        return f'{index}√<span class="hl-overline">{self._argument()}</span>'

    def _raw_group(self) -> str:
        self._skip_space()
        self._expect("{")
        inner: list[str] = []
        while (piece := self._take()) != "}":
            if piece == "{" or (len(piece) > 1 and piece.startswith("\\") and piece[1:].isalpha()):
                raise _NotDrawn
            inner.append(piece[1:] if piece.startswith("\\") else piece)
        return "".join(inner)

    def _words(self, name: str) -> str:
        tag = WORDS[name]
        text = escape(self._raw_group())
        return f"<{tag}>{text}</{tag}>"

    def _fence(self) -> str:
        self._skip_space()
        piece = self._take()
        if piece == ".":
            return ""
        if piece in FENCES:
            return FENCES[piece]
        raise _NotDrawn

    def _fenced(self) -> str:
        opening = self._fence()
        inner = self._row(("\\right",))
        self._expect("\\right")
        return f"{opening}{inner}{self._fence()}"

    def _environment(self) -> str:
        name = self._raw_group()
        if name not in _ROWS and name not in _ALIGNED:
            raise _NotDrawn
        rows: list[list[str]] = [[]]
        while True:
            rows[-1].append(self._row(("&", "\\\\", "\\end"), operand=bool(rows[-1])))
            piece = self._take()
            if piece == "\\end":
                break
            if piece == "\\\\":
                rows.append([])
        if self._raw_group() != name:
            raise _NotDrawn
        if rows[-1] == [""]:
            rows.pop()
        kind = "hl-aligned" if name in _ALIGNED else "hl-cells"
        body = "".join(
            "<span>" + "".join(f"<span>{cell}</span>" for cell in row) + "</span>" for row in rows
        )
        fence = _ROWS.get(name, "")
        edges = (" hl-left" if fence else "") + (" hl-right" if len(fence) == 2 else "")
        return f'<span class="hl-rows {kind}{edges}">{body}</span>'
