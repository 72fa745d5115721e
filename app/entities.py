"""What a question is about by name: companies, people, products, standards, part numbers.

`entities` finds capitalised names, quoted strings, identifiers ("ISO-27001", "GSR-18V",
"read_file()") and acronyms by the way they are written, without a model and without a list of
names; `known` adds names that the caller has seen elsewhere (titles of documents, earlier
answers), found whatever their case. Periods are found by `app.periods`, whose names stand here
too. Pure: text in, records out; both know where in the text they found what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.entity_words import (
    COMMON_ACRONYMS,
    FUNCTION_WORDS,
    GERMAN_ARTICLES,
    GERMAN_HINTS,
    GERMAN_NOUN_ENDINGS,
    GERMAN_NOUNS,
    HAN_GENERIC,
    HAN_ORGANISATIONS,
    LEGAL_FORMS,
    LINKS,
    OPENERS,
)
from app.periods import Period, periods, shifted, with_year, written

__all__ = [
    "Entity",
    "Period",
    "document_names",
    "entities",
    "periods",
    "shifted",
    "with_year",
    "written",
]

NAME = "name"
QUOTED = "quoted"
IDENTIFIER = "identifier"
ACRONYM = "acronym"
KNOWN = "known"
SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Entity:
    """A name in a text. `start` and `end` are offsets; a possessive ending stands outside."""

    text: str
    start: int
    end: int
    kind: str
    """`name`, `quoted`, `identifier`, `acronym`, `known` (given by the caller), or `subject`:
    the words before 的 or a year in a Chinese question, which have no capitals to tell them."""
    sure: bool = True
    """False where only the beginning of the sentence, or its place, makes it look like a name."""

    @property
    def form(self) -> str:
        """The normal form: lower case, one space between words, no legal form at the end."""
        words = self.text.casefold().split()
        while len(words) > 1 and words[-1].strip(".,") in LEGAL_FORMS:
            words.pop()
        return " ".join(words)


def entities(
    text: str, known: Iterable[str] = (), *, spans: Sequence[Period] | None = None
) -> list[Entity]:
    """The names in a text, in order; they do not overlap, and no period is among them.

    `spans` are the text's periods, where the caller has them already.
    """
    taken = bytearray(len(text))
    for period in periods(text) if spans is None else spans:
        taken[period.start : period.end] = b"\x01" * (period.end - period.start)
    found: list[Entity] = []
    for candidates in (
        _quoted(text),
        _known(text, known),
        _identifiers(text),
        _names(text),
        _chinese(text),
    ):
        for entity in candidates:
            if entity.end > entity.start and not any(taken[entity.start : entity.end]):
                taken[entity.start : entity.end] = b"\x01" * (entity.end - entity.start)
                found.append(entity)
    return sorted(found, key=lambda entity: entity.start)


# --- by quotation marks -------------------------------------------------------------------------

_QUOTES = re.compile(
    r"\"([^\"\n]{1,80})\"|“([^“”\n]{1,80})”|„([^„“”\n]{1,80})[“”]|«\s*([^«»\n]{1,80}?)\s*»|"
    r"《([^《》\n]{1,80})》|「([^「」\n]{1,80})」|『([^『』\n]{1,80})』|`([^`\n]{1,80})`|"
    r"(?<![\w])‘([^‘’\n]{2,80})’(?!\w)|(?<![\w])'([^'\n]{2,80})'(?!\w)"
)


def _quoted(text: str) -> Iterable[Entity]:
    for match in _QUOTES.finditer(text):
        number = next(n for n in range(1, 11) if match[n] is not None)
        yield Entity(match[number], match.start(number), match.end(number), QUOTED)


def _known(text: str, known: Iterable[str]) -> Iterable[Entity]:
    for name in sorted({name.strip() for name in known}, key=len, reverse=True):
        if len(name) < 2:
            continue
        edge = r"(?<!\w)", r"(?!\w)"
        if _HAN.search(name):
            edge = "", ""
        pattern = edge[0] + r"\s+".join(map(re.escape, name.split())) + edge[1]
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield Entity(match[0], match.start(), match.end(), KNOWN)


# --- identifiers --------------------------------------------------------------------------------

_STANDARD = r"(?:ISO|IEC|EN|DIN|ANSI|IEEE|RFC|NIST|ASTM|UL|GB|GB/T|BS|VDE|GOST|JIS|SAE|MIL-STD)"
_IDENTIFIERS = [
    # A body's standard: "ISO/IEC 27001:2013", "DIN EN 13485", "RFC 2119".
    re.compile(rf"(?<![A-Za-z0-9]){_STANDARD}(?:[ /-]{_STANDARD})*[ -]?\d[\d.:-]*\d(?!\w)"),
    # A part of a text: "§ 12", "Article 5", "Section 4.2", "artículo 14", "Artikel 5", "第五条".
    re.compile(
        r"(?:§§?\s*\d+[a-z]?(?:\.\d+)*|\b(?:article|section|clause|annex|appendix|chapter|exhibit|"
        r"artikel|abschnitt|anhang|klausel|artículo|cláusula|anexo|capítulo|sección|annexe|"
        r"chapitre)\s+(?:\d+[a-z]?(?:\.\d+)*|[A-Z])\b|第[一二三四五六七八九十百\d]{1,4}[条章节])",
        re.IGNORECASE,
    ),
    # Code: calls, paths, files, snake_case, camelCase.
    re.compile(r"(?<![\w/])[A-Za-z_][\w.]*\(\)"),
    re.compile(r"(?<![\w/])[\w-]+(?:[./][\w-]+)*\.[A-Za-z][A-Za-z0-9]{1,4}(?![\w.])"),
    re.compile(r"(?<![A-Za-z0-9_])[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+(?![A-Za-z0-9_])"),
    re.compile(r"(?<![A-Za-z0-9_])[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]+)+(?![A-Za-z0-9_])"),
    # Letters and digits in one word, perhaps with a model number after it: "3M", "GSR-18V".
    re.compile(
        r"(?<![A-Za-z0-9_$€£.,-])(?=[A-Za-z0-9./-]*[A-Z])(?=[A-Za-z0-9./-]*\d)"
        r"[A-Za-z0-9]+(?:[./-][A-Za-z0-9]+)*(?![A-Za-z0-9_])"
    ),
]
_QUANTITY = re.compile(
    r"\d+(?:[.,]\d+)*(?:[KMGT]i?B?|k?W|k?V|m?A|h?Hz|GHz|MHz|°C|°F|[ap]\.?m|Nm|MPa|bar|dB|x|th|st|nd"
    r"|rd|D)?",
    re.IGNORECASE,
)


_ENDLESS = re.compile(r"[A-Za-z0-9_./-]{200,}")


def _identifiers(text: str) -> Iterable[Entity]:
    # The patterns look ahead from every character of a word: seconds for one of 12,000.
    text = _ENDLESS.sub(lambda found: " " * len(found[0]), text)
    for number, pattern in enumerate(_IDENTIFIERS):
        for match in pattern.finditer(text):
            word = match[0]
            company = re.fullmatch(r"\d[A-Z]", word) is not None  # "3M"
            if number == len(_IDENTIFIERS) - 1 and _QUANTITY.fullmatch(word) and not company:
                continue
            yield Entity(word, match.start(), match.end(), IDENTIFIER)


# --- names by their capitals --------------------------------------------------------------------

_WORD = re.compile(r"[^\W\d_][\w&]*(?:[’'.-][^\W\d_][\w&]*)*\.?|&|\d[\w-]*")
_HAN = re.compile(r"[\u3400-\u9fff]")
_POSSESSIVE = re.compile(r"(?:['’]s|['’])$")
_ELIDED = re.compile(r"^(?:[dlnsmtcj]|qu|jusqu|lorsqu)['’]", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?:^|[.!?:;¿¡。？！]|\n)[\s\"“„«(]*$")


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int
    possessive: bool
    opens: bool

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


def _names(text: str) -> list[Entity]:
    words = _words(text)
    capitals = [word for word in words if word.capital]
    plain = [word for word in words if word.text[0].islower()]
    shouting = len(words) > 3 and sum(w.text.isupper() for w in words) > 0.6 * len(words)
    # A Headline In Capitals tells as little as one without.
    headline = len(words) > 4 and not plain and len(capitals) == len(words)
    if shouting or headline:
        return []
    german = any(word.text.casefold() in GERMAN_HINTS for word in words)
    found: list[Entity] = []
    index = 0
    while index < len(words):
        run = _run(text, words, index, german=german)
        if run:
            found.append(_name(text, words, index, run))
        index += max(1, run)
    return found


def _words(text: str) -> list[_Word]:
    words = []
    for match in _WORD.finditer(text):
        raw, start = match[0], match.start()
        if _HAN.search(raw):
            latin = re.match(r"[A-Za-z][A-Za-z&.-]*", raw)
            inner = re.finditer(r"[A-Z][A-Za-z&.-]*", raw)
            words += [
                _Word(piece[0], start + piece.start(), start + piece.end(), False, False)
                for piece in ([latin] if latin else inner)
            ]
            continue
        elided = _ELIDED.match(raw)
        # "l'entreprise", but not "L'Oréal" or "O'Neill".
        if elided and (elided[0][0].islower() or _SENTENCE_END.search(text[:start])):
            raw, start = raw[elided.end() :], start + elided.end()
            if not raw:
                continue
        if raw.endswith(".") and not re.search(
            r"\.\w|^[A-Z]\.$|^(?:Inc|Corp|Co|Ltd|Dr|St)\.$", raw
        ):
            raw = raw[:-1]
        bare = _POSSESSIVE.sub("", raw)
        # "Best Buys' plan": the apostrophe stands after the word.
        after = text[start + len(raw) : start + len(raw) + 1]
        possessive = bare != raw or (after in "'’" and after != "" and raw.endswith("s"))
        opens = bool(_SENTENCE_END.search(text[:start]))
        words.append(_Word(bare, start, start + len(bare), possessive, opens))
    return words


def _run(text: str, words: Sequence[_Word], index: int, *, german: bool) -> int:
    """How many words from here on make up one name; 0 where none begins."""
    if not _may_be_name(text, words, index, german=german):
        return 0
    length = 1
    while index + length < len(words):
        last, word = words[index + length - 1], words[index + length]
        between = text[last.end : word.start]
        if last.possessive or not re.fullmatch(r" |-", between):
            break
        linked = (
            word.text.casefold() in LINKS
            and index + length + 1 < len(words)
            and words[index + length + 1].capital
            and text[word.end : words[index + length + 1].start] == " "
            and words[index + length + 1].text.casefold() not in FUNCTION_WORDS
        )
        if linked and not (german and word.text.casefold() in ("von", "der", "für")):
            length += 2
        elif (word.capital or word.text[0].isdigit()) and _continues(word, german=german):
            length += 1
        else:
            break
    return length


def _continues(word: _Word, *, german: bool) -> bool:
    if word.text[0].isdigit():
        # "Model 3", "Windows 11"; years were taken before.
        return len(word.text) <= 3
    if word.text.casefold() in FUNCTION_WORDS and not word.text.isupper():
        return False
    return not (german and _german_noun(word.text))


def _may_be_name(text: str, words: Sequence[_Word], index: int, *, german: bool) -> bool:
    word = words[index]
    folded = word.text.casefold()
    if not word.capital or (len(word.text) == 1 and not word.possessive):
        return False
    if word.text.isupper() and len(word.text) > 1:
        return folded not in COMMON_ACRONYMS and (folded not in FUNCTION_WORDS)
    if folded.rstrip(".") in LEGAL_FORMS:
        return False
    if folded in FUNCTION_WORDS or (word.opens and folded in OPENERS):
        return False
    if not german:
        return True
    following = words[index + 1] if index + 1 < len(words) else None
    pair = following is not None and following.capital and not _german_noun(following.text)
    if _german_noun(word.text):
        return False
    before = words[index - 1].text.casefold() if index else ""
    if before in GERMAN_ARTICLES:
        # "der Kunde" is any client, "der Deutschen Bank" is not.
        return pair
    adjective = before.endswith(("e", "en", "er", "es", "em")) and before not in FUNCTION_WORDS
    return not adjective or pair or bool(re.search(r"[a-z][A-Z]", word.text))


def _german_noun(word: str) -> bool:
    folded = word.casefold()
    return folded in GERMAN_NOUNS or (
        len(folded) > 5 and folded.endswith(GERMAN_NOUN_ENDINGS) and not word.isupper()
    )


def _name(text: str, words: Sequence[_Word], index: int, length: int) -> Entity:
    first, last = words[index], words[index + length - 1]
    acronym = length == 1 and len(first.text) > 1 and first.text.isupper()
    inner = bool(re.search(r"[a-z&.-][A-Z]", first.text))
    sure = (
        not first.opens or length > 1 or first.possessive or acronym or inner
    ) and first.text.casefold() not in OPENERS
    return Entity(
        text[first.start : last.end], first.start, last.end, ACRONYM if acronym else NAME, sure
    )


# --- Chinese ------------------------------------------------------------------------------------

_ORGANISATION = re.compile(rf"[\u3400-\u9fffA-Za-z0-9]{{2,12}}?(?:{HAN_ORGANISATIONS})")
_LEADING = re.compile(
    r"^(?:那么|那|请问|而|还有|在|关于|对于|根据|如果|按照|想知道)*"
    r"(?P<s>[\u3400-\u9fff]{2,8}?)(?=在?(?:19|20)\d\d|在?二[〇零]|的)"
)
_LEAD_IN = re.compile(
    r"^(?:那么|那|请问|而|还有|关于|对于|根据|按照|和|与|在|向|由|跟|对|问|以及|比较)+"
)


def _chinese(text: str) -> Iterable[Entity]:
    for match in _ORGANISATION.finditer(text):
        lead = _LEAD_IN.match(match[0])
        start = match.start() + (lead.end() if lead else 0)
        name = text[start : match.end()]
        cut = max(name.rfind(link) for link in ("的", "和", "与", "在", "年", "谁", "了", "是"))
        start += cut + 1
        name = text[start : match.end()]
        if name and name not in HAN_GENERIC:
            yield Entity(name, start, match.end(), NAME)
    leading = _LEADING.search(text)
    if leading and leading["s"] not in HAN_GENERIC:
        yield Entity(leading["s"], leading.start("s"), leading.end("s"), SUBJECT, sure=False)


# --- names of a document ------------------------------------------------------------------------

_STEM = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_FORM = re.compile(r"(?:10|8|20|6|40)-?[KQF](?:/?A)?|DEF ?14A|v\d+(?:\.\d+)*|\d+", re.IGNORECASE)


def document_names(document: str, title: str = "") -> list[str]:
    """The names that a document goes by, from its path and title, without periods and forms.

    "filings/3M_2018_10K.pdf" goes by 3M; a title by the names in it. Words of a
    path count as they stand, since file names have no grammar to tell a name by.
    """
    stem = _STEM.sub("", document.rsplit("/", 1)[-1])
    spaced = re.sub(r"[_\s]+", " ", stem)
    for period in reversed(periods(spaced)):
        spaced = f"{spaced[: period.start]} {spaced[period.end :]}"
    words = [word for word in spaced.split() if not _FORM.fullmatch(word)]
    names = [" ".join(words)] if words else []
    names += [entity.text for entity in entities(title) if entity.sure]
    return list(dict.fromkeys(names))
