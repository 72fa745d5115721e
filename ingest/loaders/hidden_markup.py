"""Text that HTML hides by its own means, as far as one element and its stylesheet tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.loaders.colours import BLACK, WHITE, Colour, alike, from_hex
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
_LETTERS = re.compile(r"(?<![-\w])color\s*:\s*([#\w]+(?:\([^)]{0,40}\))?)", re.IGNORECASE)
_PAINTED = re.compile(
    r"background(?:-color)?\s*:\s*([#\w]+(?:\([^)]{0,40}\))?)\s*(?:!important\s*)?(?:;|$)",
    re.IGNORECASE,
)
_RGB = re.compile(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)")
_NAMED = {"white": WHITE, "black": BLACK, "red": (255, 0, 0), "yellow": (255, 255, 0)}
_GROUND = re.compile(r"background", re.IGNORECASE)
_POINTS = {"px": 0.75, "pt": 1.0, "em": 12.0, "rem": 12.0, "%": 0.12, "": 0.75}
_LEAST_POINTS = 2.0

_LONGEST_SHEET = 500_000
_CONDITIONAL = re.compile(r"@[^@{};]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})")
_SELECTOR = re.compile(r"[a-z]*([.#][\w-]+)", re.IGNORECASE)
_NOT_DISPLAYED = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


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
        elif _matches_own_ground(style):
            kind = HIDDEN
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
    if _matches_own_ground(style):
        return HIDDEN
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


def _matches_own_ground(style: str) -> bool:
    """Whether letters have the colour that the same style paints behind them."""
    letters, ground = _LETTERS.findall(style), _PAINTED.findall(style)
    if not letters or not ground:
        return False
    colours = [_colour(letters[-1]), _colour(ground[-1])]
    return colours[0] is not None and colours[1] is not None and alike(colours[0], colours[1])


def _colour(stated: str) -> Colour | None:
    told = stated.strip().lower()
    if found := _RGB.fullmatch(told):
        red, green, blue = (min(int(part), 255) for part in found.groups())
        return (red, green, blue)
    return _NAMED.get(told) or (from_hex(told) if told.startswith("#") else None)
