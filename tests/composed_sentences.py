"""What the code says of itself in English, found in its syntax trees.

Each literal that reads as words is taken for something that a page can show, unless it is text
for a model, a pattern, a statement of SQL or one of the modules that no page speaks with. The
parts of an f-string that are filled in become `{}`.
"""

from __future__ import annotations

import ast
import itertools
import re
import string
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

EXCLUDED = {
    "app/api_*.py": "the API speaks English to programs",
    "app/cli_*.py": "commands speak English",
    "app/door.py": "answers to programs",
    "app/door_forms.py:_take": "answers to forms that are not ours",
    "app/door_html.py": "the door's own pages, whose words go through `t`",
    "app/*_style.py": "style sheets",
    "app/chat_http.py:_TOO_LONG": "what servers say",
    "app/conversation_schema.py": "SQL",
    "app/conversation_export.py": "files that are taken away",
    "app/entity_words.py": "words of questions",
    "app/explain*.py": "`hayloft search --explain`",
    "app/extend.py:_send": "the name of a step",
    "app/followup_words.py": "words of questions",
    "app/carry_over.py": "told by `hayloft ask --explain`",
    "app/counterparts.py": "told by `hayloft ask --explain`",
    "app/inquiry.py": "`hayloft search --why`",
    "app/formula_signs.py": "names of signs",
    "app/model_catalogue.py": "names",
    "app/model_text.py:_LEGEND": "`hayloft models`",
    "app/model_text.py:_advice": "`hayloft models`",
    "app/model_text.py:_catalogue": "`hayloft models`",
    "app/model_text.py:_head": "`hayloft models`",
    "app/model_text.py:_installed": "`hayloft models`",
    "app/model_text.py:report_lines": "`hayloft models`",
    "app/openai_chat.py:_CHAT_PROBES": "texts for models",
    "app/period_words.py": "words of questions",
    "app/periods.py": "words of questions",
    "app/phrases.py": "lists of commands",
    "app/preferences.py": "texts for models",
    "app/prompt_text.py:SUSPECT_MARKS": "texts for models",
    "app/prompt_text.py:passage_head": "texts for models",
    "app/question_cues.py": "words of questions",
    "app/quote_context.py": "words of documents",
    "app/read_protocol.py": "texts for models",
    "app/rewriting.py": "texts for models",
    "app/read_inventory.py:_named": "places in documents",
    "app/resources.py:warm_up": "a question that nobody asked",
    "app/sentences.py": "words of documents",
    "app/standing.py": "`hayloft search --why`",
    "app/stems.py": "words of documents",
    "app/suggestions.py": "texts for models",
    "app/tokens.py:DEFAULT_SYSTEM": "texts for models",
    "app/warming.py": "`hayloft warm`",
    "app/why.py": "`hayloft search --why`",
    "evaluation/[!s]*.py": "commands; the page Needle is below, in niah",
    "evaluation/s[!e]*.py": "commands; `served.py` speaks for the page Needle",
    "evaluation/niah/cli*.py": "commands",
    "evaluation/niah/judge.py": "texts for models",
    "evaluation/niah/needle_texts.py": "texts for models",
    "evaluation/niah/prompt_parts.py": "texts for models",
    "evaluation/niah/prompts.py": "texts for models",
    "evaluation/niah/prose.py": "texts for models",
    "evaluation/niah/readers.py": "the self-test, a command",
    "evaluation/niah/report*.py": "reports, which commands write in English",
    "evaluation/niah/selftest*.py": "a command",
    "evaluation/niah/show.py": "a command",
    "evaluation/niah/stages_figure.py": "drawn for reports",
    "evaluation/niah/heatmap.py": "drawn with words that go through `t`",
    "evaluation/niah/comparison.py:text": "what the terminal shows",
    "evaluation/niah/fitting.py:left_out": "what a plan shows in the terminal",
    "evaluation/niah/page_*.py": "their words go through `t`",
    "evaluation/niah/run_list.py:_entry": "the name of a state",
    "evaluation/niah/session.py:run": "what the terminal shows of a run",
    "evaluation/niah/session_text.py": "what the terminal shows of plans and runs",
    "evaluation/niah/session.py:_asked": "a path",
    "evaluation/niah/summary.py": "a name in reports",
    "ingest/cli*.py": "commands",
    "ingest/loaders/docx.py:_margins": "words of documents",
    "ingest/loaders/members.py:_budget": "the name of a variable",
    "ingest/loaders/odf_reader.py": "words of documents",
    "ingest/loaders/tables.py": "words of documents",
    "ingest/loaders/counting.py": "words of documents",
    "ingest/loaders/instruction_words.py": "words of documents",
    "ingest/voices.py": "what the terminal shows of a run",
    "storage/chroma_keeper.py": "a log",
    "storage/compounds.py": "languages",
    "storage/embedding_engines.py:_chosen": "a log",
    "storage/engine_choice.py:QUERIES": "sample texts",
    "storage/engine_choice.py:TEXTS": "sample texts",
    "storage/engine_choice.py:_processor": "a file of the machine",
    "storage/language.py": "languages",
    "storage/listing.py": "SQL",
    "storage/lexical.py": "SQL",
    "storage/logs.py": "a log",
    "storage/metrics.py": "meanings of metrics, for programs",
    "storage/migration.py": "SQL",
    "storage/names.py": "words of documents",
    "storage/stopwords.py": "words of documents",
}
PARTS = {
    " and {} more": ["{} and {} more"],
    " And {} more.": ["And {} more."],
    ", the first of them line {}.": [
        "Lines that are no valid JSON, which were not read: {}, the first of them line {}."
    ],
    "; and with ": ["{}; and with {}"],
    "at the end": ["{} of {} at the end"],
    "at the start": ["{} of {} at the start"],
    "in the middle": ["{} of {} in the middle"],
    "they exceed": [],
    "took too long": ["{} took too long."],
    "made its parser crash": ["{} made its parser crash."],
    "up to ": ["up to {}"],
    "with a passage they exceed": [],
    "is a file now": [],
    "is not there": [],
    "are pictures": [],
    "hold garbled text or pictures": [],
    "documents of type": [],
    "documents in the language": [],
    "documents with the tag": [],
    "The library holds no {} {}: none of its documents has any.": [
        f"The library holds no documents {what} {{}}: none of its documents has any."
        for what in ("of type", "in the language", "with the tag")
    ],
    "The library holds no {} {}. Its {}: {}{}.": [
        f"The library holds no documents {what} {{}}. Its {plural}: {{}}{{}}."
        for what, plural in (
            ("of type", "types"),
            ("in the language", "languages"),
            ("with the tag", "tags"),
        )
    ],
    **{
        f"holds {what}": [f"{{}} holds {what}."]
        for what in (
            "no text on its {}, which are blank; put a file with text in its place",
            "no text on its {}, and text recognition (OCR) found none in their pictures; put a "
            "better scan in its place",
            "garbled text on its {}, which has to be read by text recognition (OCR); {}, and the "
            "next run reads it",
            "no text on its {}, so it is a scan, to be read by text recognition (OCR); {}, and "
            "the next run reads it",
        )
    },
    "{} {}; put a good copy in its place.": [],
    "{} of {} {} and cannot be searched{}; {}.": [
        "{} of {} are pictures and cannot be searched{}; {}.",
        "{} of {} hold garbled text or pictures and cannot be searched{}; {}.",
    ],
    "The folder {} {}; its documents stay searchable. Mount or restore it; if it is gone for good, "
    "run `hayloft ingest --forget '{}'`.": [
        f"The folder {{}} {what}; its documents stay searchable. Mount or restore it; if it is "
        "gone for good, run `hayloft ingest --forget '{}'`."
        for what in ("is not there", "is a file now")
    ],
    "The question does not fit: the rules and the question take {} tokens, and {} the {} that the "
    "model's window leaves beside the answer. Ask in fewer words, or raise HAYLOFT_WINDOW.": [
        f"The question does not fit: the rules and the question take {{}} tokens, and {what} the "
        "{} that the model's window leaves beside the answer. Ask in fewer words, or raise "
        "HAYLOFT_WINDOW."
        for what in ("they exceed", "with a passage they exceed")
    ],
}
"""What is put together before anybody reads it → what comes of it."""
_NOT_OURS = {
    "ArgumentTypeError",
    "AssertionError",
    "ConstructorError",
    "Error",
    "NotImplementedError",
    "RuntimeError",
    "NotSupported",
    "SystemExit",
    "TypeError",
    "ValueError",
}
"""Errors that are caught where they are raised, or are bugs."""
_SPOKEN = {"t", "t_html", "tn", "count_of", "pattern_of"}
"""Their words are in the languages' files by themselves."""
_SILENT = {"execute", "executemany", "executescript", "add_argument", "add_parser", "compile"} | {
    "startswith",
    "endswith",
    "removeprefix",
}
_QUIET = {"log", "re", "st", "os", "logging"}
_CODE = re.compile(
    r"</?\w+|class=|\bSELECT\b|\bUPDATE\b|\bWHERE\b|\bDELETE\b|\bCREATE\b|\bORDER BY\b"
    r"|\bAND \(?\w+\.|=>|\n|^hayloft |^make |\bJOIN\b|\bDESC\b|^ALTER |^BEGIN |= [?']|coalesce\("
    r"|instr\(|%\(|\(\?|=\"\{\}|^--[a-z-]+=|'none'|^\[h\]|^text:|^[a-z]+\.$"
)
_LIST = re.compile(r"^[\w.=-]+(?: [\w.=-]+){14,}$")
"""Words in a row, for a program."""
_WORD = re.compile(r"(?<![\w{./-])[A-Za-z][a-z'’]+(?![\w/-])|\b[aI]\b")


def modules() -> Iterator[Path]:
    """The modules whose sentences can reach a page."""
    for folder in ("app", "storage", "ingest", "evaluation"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT)
            if not any(_fits(inside, pattern) for pattern in EXCLUDED if ":" not in pattern):
                yield path


def _fits(path: Path, pattern: str) -> bool:
    return len(path.parts) == pattern.count("/") + 1 and path.match(pattern)


def skeleton(sentence: str) -> str:
    """The sentence with each of its names as `{}`: the code calls them otherwise."""
    pieces = []
    for literal, name, _, _ in string.Formatter().parse(sentence):
        pieces.append(literal)
        if name is not None:
            pieces.append("{}")
    return "".join(pieces)


def said_in(path: Path) -> dict[str, int]:
    """Each wording of a module, filled-in parts as `{}` → its line."""
    inside = str(path.relative_to(ROOT))
    apart = [one.partition(":") for one in EXCLUDED]
    silent = {name for module, _, name in apart if name and module == inside}
    found: dict[str, int] = {}
    for node, words in _literals(ast.parse(path.read_text(encoding="utf-8")), silent):
        if _reads(words):
            found.setdefault(words, node.lineno)
    return found


def _reads(words: str) -> bool:
    bare = re.sub(r"`[^`]*`", "", words)
    if _CODE.search(bare) or _LIST.match(bare):
        return False
    count = len(_WORD.findall(bare.replace("{}", " ")))
    return count > 1 or (count == 1 and bare.endswith("."))


def _literals(node: ast.AST, silent: Set[str]) -> Iterator[tuple[ast.expr, str]]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if _own_name(node) in silent:
        return
    if isinstance(node, ast.Raise) and _is_not_ours(node.exc):
        return
    if isinstance(node, ast.Call):
        name, owner = _name(node.func), node.func
        if name in _SPOKEN | _SILENT:
            return
        if isinstance(owner, ast.Attribute) and _name(owner.value) in _QUIET:
            return
        if name == "damaged" and len(node.args) == 2:
            for words in _texts(node.args[1]):
                yield node, f"{{}} {words}; put a good copy in its place."
            return
        if name == "counted":
            for noun in _texts(node.args[1]):
                yield node, f"{{}} {noun}"
                yield node, f"{{}} {noun}s"
            yield from _literals(node.args[0], silent)
            return
    if isinstance(node, ast.Compare | ast.Subscript):
        return  # patterns that foreign words are told by; types
    if isinstance(node, ast.GeneratorExp) and isinstance(node.elt, ast.Compare):
        return
    if isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp):
        texts = list(_texts(node))
        if texts:
            assert isinstance(node, ast.expr)
            yield from ((node, text) for text in texts)
            for part in ast.walk(node):
                if isinstance(part, ast.FormattedValue) and not list(_texts(part.value)):
                    yield from _literals(part.value, silent)
            return
    for child in ast.iter_child_nodes(node):
        yield from _literals(child, silent)


def _texts(node: ast.expr) -> Iterable[str]:
    """The wordings of an expression, one for each way through its choices; none: no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        first, second = list(_texts(node.body)), list(_texts(node.orelse))
        return first + second if first and second else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = list(_texts(node.left)), list(_texts(node.right))
        if left or right:
            left, right = left or ["{}"], right or ["{}"]
        return [a + b for a, b in itertools.product(left, right)]
    if isinstance(node, ast.JoinedStr):
        parts = []
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                parts.append(list(_texts(value.value)) or ["{}"])
            else:
                parts.append(list(_texts(value)))
        return ["".join(way) for way in itertools.product(*parts)]
    return []


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _is_not_ours(raised: ast.expr | None) -> bool:
    return isinstance(raised, ast.Call) and _name(raised.func) in _NOT_OURS


def _own_name(node: ast.AST) -> str:
    """The name that a function, a class or an assignment gives."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return _name(target)
    return ""


def checks_in(path: Path) -> set[str]:
    """The names of the checks of `hayloft doctor`, which may be one word."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        value: ast.expr | None = None
        if isinstance(node, ast.Assign) and _own_name(node) == "name":
            value = node.value
        elif isinstance(node, ast.Call) and _name(node.func) == "Check":
            value = node.args[0]
        if isinstance(value, ast.Constant):
            found.add(str(value.value))
    return found
