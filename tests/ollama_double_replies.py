"""What an Ollama double says, unless a test tells it what to say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.ollama_double_prompts import Messages

QUOTE_WORDS = 12

_MARKED = (
    # "[1] handbook.md, page 3" above the passage, or before it on the same line.
    re.compile(r"^\s*\[1\][ \t]*(?P<head>[^\n]*)\n?(?P<body>.*)", re.S | re.M),
    # <passage id="1" …>text</passage>
    re.compile(r"<\w+[^>\n]*=\s*\"1\"[^>\n]*>(?P<head>)(?P<body>.*)", re.S),
    # "Passage 1:" and the like.
    re.compile(
        r"^\W*(?:passage|source|document)\s+1\b(?P<head>[^\n]*)\n?(?P<body>.*)", re.S | re.M | re.I
    ),
)
_NEXT_MARK = re.compile(r"\n\s*\[\d+\]|\n\W*(?:passage|source|document)\s+\d|</\w+>|\n<", re.I)
_SENTENCE = re.compile(r"[.!?](?:\s|$)")


def quoting_reply(messages: Messages, options: Mapping[str, object]) -> str:
    """Quote the beginning of the first passage, marked [1]; say so where there is none."""
    for message in reversed(messages):
        if message["role"] == "assistant":
            continue
        for pattern in _MARKED:
            if match := pattern.search(message["content"]):
                words = _first_words(match["body"]) or _first_words(match["head"])
                if words:
                    return f'The first passage says: "{words}" [1]'
    asked = _first_words(messages[-1]["content"]) if messages else ""
    return f'I was given no numbered passages. You wrote: "{asked}"'


def _first_words(text: str) -> str:
    """The first sentence of a passage, at most twelve words, exactly as it stands there."""
    text = _NEXT_MARK.split("\n" + text.strip(), maxsplit=1)[0].strip()
    line = next((line.strip() for line in text.splitlines() if len(line.split()) >= 3), text)
    end = _SENTENCE.search(line)
    sentence = line[: end.start() + 1] if end else line
    words = list(re.finditer(r"\S+", sentence))[:QUOTE_WORDS]
    return sentence[: words[-1].end()].strip() if words else ""
