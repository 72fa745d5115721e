"""Text that HTML and Word documents hide by their own means, as far as one element tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ingest.loaders.hidden_text import concealed
from storage.flags import HIDDEN, OFF_PAGE, TINY

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_WHITE = re.compile(
    r"(?<![-\w])color\s*:\s*(?:#f{3}(?:f{3})?\b|#fe(?:fe){2}\b|white\b|transparent\b"
    r"|rgba?\(\s*(?:25[0-5]\s*,\s*){2}25[0-5]\b|rgba\([^)]*,\s*0(?:\.0+)?\s*\))",
    re.IGNORECASE,
)
_FONT_SIZE = re.compile(r"font-size\s*:\s*(\d*\.?\d+)\s*(px|pt|em|rem|%)?", re.IGNORECASE)
_SEE_THROUGH = re.compile(r"(?<![-\w])opacity\s*:\s*(?:0(?:\.0+)?%?)\s*(?:;|!|$)", re.IGNORECASE)
_AWAY = re.compile(
    r"(?:text-indent|left|top|margin-left|margin-top|right)\s*:\s*-\d{3,}", re.IGNORECASE
)
_GROUND = re.compile(r"background", re.IGNORECASE)
_POINTS = {"px": 0.75, "pt": 1.0, "em": 12.0, "rem": 12.0, "%": 0.12, "": 0.75}
_LEAST_POINTS = 2.0

_LONGEST_SHEET = 500_000
_CONDITIONAL = re.compile(r"@[^@{};]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})")
_SELECTOR = re.compile(r"[a-z]*([.#][\w-]+)", re.IGNORECASE)
_NOT_DISPLAYED = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_OFF = frozenset({"0", "false", "off"})


def mark_concealed(soup: BeautifulSoup) -> None:
    """Marks in a parsed page what its own styles hide, for `hidden_text.guarded` to flag.

    White text counts where no element around it has a background of its own.
    A cell of a table mostly has one from its stylesheet. What `display: none`
    hides is not read in the first place.
    """
    from bs4.element import NavigableString

    hiding = _hiding_rules("\n".join(sheet.get_text() for sheet in soup.find_all("style")))

    def may_hide(tag: Tag) -> bool:
        return tag.has_attr("style") or tag.name == "font" or bool(_names(tag) & hiding.keys())

    for tag in soup.find_all(may_hide):
        kind = _concealment(tag)
        if not kind:
            kind = next((hiding[name] for name in sorted(_names(tag)) if name in hiding), "")
        if not kind:
            continue
        for text in list(tag.find_all(string=True)):
            # Comments and the like are subclasses.
            if type(text) is NavigableString and text.strip():
                text.replace_with(NavigableString(concealed(str(text), kind)))


def is_hidden_run(run: Any) -> str:
    """The kind of flag for a run of a Word document (`w:r`) that nobody sees; '' for others."""
    properties = run.find(f"{_W}rPr")
    if properties is None:
        return ""
    for name in ("vanish", "webHidden"):
        mark = properties.find(f"{_W}{name}")
        if mark is not None and mark.get(f"{_W}val", "1") not in _OFF:
            return HIDDEN
    size = properties.find(f"{_W}sz")
    value = size.get(f"{_W}val", "") if size is not None else ""
    # Word counts half points.
    if value.isdecimal() and int(value) < 2 * _LEAST_POINTS:
        return TINY
    colour = properties.find(f"{_W}color")
    if colour is None or colour.get(f"{_W}val", "").upper() not in ("FFFFFF", "FEFEFE"):
        return ""
    return "" if _has_ground(run, properties) else HIDDEN


def _hiding_rules(sheet: str) -> dict[str, str]:
    """The kind of flag for each class (`.x`) and id (`#x`) that a stylesheet hides by itself.

    Colours are left out, whose ground a rule does not tell, and rules for some
    screens only, which hide on one what they show on another.
    """
    # Split, since a pattern for comments takes its time with thousands that never end.
    first, *rest = sheet[:_LONGEST_SHEET].split("/*")
    plain = first + "".join(part.partition("*/")[2] for part in rest)
    plain = _CONDITIONAL.sub("", plain.replace("<!--", "").replace("-->", ""))
    found: dict[str, str] = {}
    for rule in plain.split("}"):
        selectors, _, style = rule.rpartition("{")
        size = _FONT_SIZE.search(style)
        if _NOT_DISPLAYED.search(style):
            kind = HIDDEN
        elif size and 0 < float(size[1]) * _POINTS[(size[2] or "").lower()] < _LEAST_POINTS:
            kind = TINY
        elif _AWAY.search(style) and ("position" in style or "text-indent" in style):
            kind = OFF_PAGE
        else:
            continue
        for selector in selectors.split(","):
            if named := _SELECTOR.fullmatch(selector.strip()):
                found[named[1]] = kind
    return found


def _names(tag: Tag) -> frozenset[str]:
    """The class and id selectors that an element answers to."""
    classes = tag.get("class") or ()
    names = [f".{name}" for name in (classes.split() if isinstance(classes, str) else classes)]
    return frozenset([*names, f"#{tag['id']}"] if tag.get("id") else names)


def _concealment(tag: Tag) -> str:
    style = str(tag.get("style") or "")
    if tag.name == "font" and tag.get("color"):
        style += f";color:{tag['color']}"
    size = _FONT_SIZE.search(style)
    if size and float(size[1]) * _POINTS[(size[2] or "").lower()] < _LEAST_POINTS:
        # Zero is also what lists and inline blocks get, whose children set a size anew.
        anew = any(_FONT_SIZE.search(str(inner.get("style") or "")) for inner in tag.find_all(True))
        return "" if anew else TINY
    if _SEE_THROUGH.search(style):
        return HIDDEN
    if _AWAY.search(style) and ("position" in style or "text-indent" in style):
        return OFF_PAGE
    if _WHITE.search(style):
        around = [tag, *tag.parents]
        grounds = any(
            _GROUND.search(str(element.get("style") or "")) or element.has_attr("bgcolor")
            for element in around
            if hasattr(element, "has_attr") and element.attrs is not None
        )
        in_table = any(element.name in ("td", "th") for element in around)
        return "" if grounds or in_table else HIDDEN
    return ""


def _has_ground(run: Any, properties: Any) -> bool:
    """Whether white letters may stand on a colour: shaded, highlighted, in a table or a shape."""
    if any(properties.find(f"{_W}{name}") is not None for name in ("shd", "highlight")):
        return True
    for element in run.iterancestors():
        if element.tag in (f"{_W}tc", f"{_W}txbxContent"):
            return True
        if element.tag == f"{_W}p" and element.find(f"{_W}pPr/{_W}shd") is not None:
            return True
    return False
