"""Words for the full-text index: what writer and reader must cut in the same way.

FTS5's `unicode61` splits at white space and punctuation, which finds nothing
in scripts that write without spaces between words. Runs of those scripts are
therefore turned into overlapping pairs of characters before indexing, and in
the same way in a query: on XQuAD Chinese that finds the paragraph first for
93% of the questions, where an English embedding model finds 14%.
"""

from __future__ import annotations

import re
import unicodedata

TOKENIZER = "porter unicode61 remove_diacritics 2"
"""The FTS5 tokenizer. Part of the catalog's schema: a change needs a rebuild."""

MAX_QUERY_TERMS = 64
"""More distinct terms than this cost time and find nothing better."""

# Han, Hiragana, Katakana, Thai, Lao, Myanmar, Khmer; and Hangul, whose words
# carry particles that a space does not separate.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_EDGES = re.compile(r"^\W+|\W+$")

# Words that say nothing about what a question is about. Dropped from queries
# only, and only while something else is left to look for.
_STOP_WORDS = frozenset(
    "a about after all also an and any are as at be been before being both but by can could did "
    "do does doing for from had has have having he her his how i if in into is it its just may me "
    "more most my no nor not of on one only or other our out over s she should so some such t "
    "than that the their them then there these they this those through to under until up upon us "
    "was we were what when where which while who whom whose why will with would you your el la "
    "los las un una unos unas de del y o que en es son fue por para con se su sus como al lo qué "
    "cuál cuáles quién cuándo dónde cómo der die das den dem des ein eine einer eines und ist "
    "sind war wie wer wann wo welche welcher welches le les des du et est sont dans quel quelle "
    "quels quelles qui quand où".split()
)


def index_text(text: str) -> str:
    """The text as the full-text index stores it: normalised, unspaced scripts in pairs."""
    folded = unicodedata.normalize("NFKC", text)
    return _UNSPACED_RUN.sub(lambda run: f" {' '.join(_pairs(run.group()))} ", folded)


def query_terms(query: str) -> list[str]:
    """The distinct terms of a query, in order; what FTS5 would take for syntax is only text.

    A term may hold inner punctuation ("ISO-27001", "8,738"): as a quoted
    phrase it matches the same parts in a row.
    """
    # FTS5 reads its expression as a C string, which a NUL would end, and SQLite
    # takes no lone surrogates, which stand for bytes of an argument that are no UTF-8.
    sound = query.encode("utf-8", "replace").decode().replace("\0", " ")
    folded = unicodedata.normalize("NFKC", sound).casefold()
    terms: dict[str, None] = {}
    for word in folded.split():
        rest = _UNSPACED_RUN.sub(" ", word)
        for part in rest.split():
            bare = _EDGES.sub("", part)
            if bare:
                terms[bare] = None
        for run in _UNSPACED_RUN.findall(word):
            terms.update(dict.fromkeys(_pairs(run)))
    telling = [term for term in terms if term not in _STOP_WORDS]
    return (telling or list(terms))[:MAX_QUERY_TERMS]


def match_expression(query: str) -> str:
    """The FTS5 `MATCH` expression that finds any of the query's terms; empty for none."""
    quoted = []
    for term in query_terms(query):
        phrase = '"' + term.replace('"', '""') + '"'
        # One character of an unspaced script: any pair that begins with it.
        quoted.append(f"{phrase}*" if _UNSPACED_RUN.fullmatch(term) and len(term) == 1 else phrase)
    return " OR ".join(quoted)


def _pairs(run: str) -> list[str]:
    if len(run) == 1:
        return [run]
    return [run[i : i + 2] for i in range(len(run) - 1)]
