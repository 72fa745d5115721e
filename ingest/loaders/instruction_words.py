"""Phrases that speak to a model, not to a reader, in the languages they are met in."""

from __future__ import annotations

import re
from collections.abc import Iterator

_GAP = r"[^.!?。！？]{0,60}?"
"""A few words within the sentence."""

_NEAR = r"[^.!?。！？]{0,25}?"

# (what must stand somewhere in the text for the pattern to be tried, the pattern): looking for
# a few words takes a tenth of the time.
_PHRASES: tuple[tuple[tuple[str, ...], str], ...] = (
    # English
    (
        (
            "ignore",
            "disregard",
            "forget",
            "override",
            "bypass",
            "do not follow",
            "pay no attention",
        ),
        r"\b(?:ignore|disregard|forget|override|bypass|(?:do\s+not|don['’]t)\s+follow"
        r"|pay\s+no\s+attention\s+to)\b"
        + _GAP
        + r"\b(?:previous|prior|above|earlier|preceding|former|all|any|your|system|other)\b"
        + _NEAR
        + r"\b(?:instructions?|prompts?|directions|guidelines|commands|directives"
        r"|programming|training|guardrails|context\s+above)\b",
    ),
    (
        ("you are now", "act as", "pretend", "from now on", "you must now"),
        r"\b(?:you\s+are\s+now|from\s+now\s+on,?\s+you(?:\s+are|\s+will|\s+must)?|act\s+as"
        r"|pretend\s+(?:to\s+be|you\s+are)|you\s+must\s+now)\b"
        + _NEAR
        + r"\b(?:(?:ai|helpful|new|unfiltered)\s+assistant|chatbot|language\s+model|llm|ai|dan"
        r"|developer\s+mode|jailbr\w+"
        r"|unrestricted|uncensored)\b",
    ),
    (
        ("language model", "llm", " ai ", "chatbot", "assistant"),
        r"\b(?:if|when|note\s+to|attention|dear|important\s+for|message\s+to|instructions?\s+for"
        r"|instructions?\s+to)\b[\s,:]+(?:you\s+are\s+|the\s+|any\s+|an?\s+|all\s+)*"
        r"(?:(?:large\s+)?language\s+models?|llms?|ai(?:\s+\w+)?|chatbots?|gpt\w*)"
        r"(?:\s+(?:model|assistant|reviewer|system|agent)s?)?\b"
        + _GAP
        + r"\b(?:you\s+(?:must|should|will|are\s+to)|please|do\s+not|ignore|always|never|only"
        r"|say|answer|respond|reply|recommend|write|give|rate|output)\b",
    ),
    (
        ("system prompt", "hidden prompt", "initial prompt", "your instructions"),
        r"\b(?:reveal|show|print|output|repeat|leak|disclose|new|begin|end\s+of|here\s+is\s+the)\b"
        + _NEAR
        + r"\b(?:(?:system|hidden|initial)\s+prompt"
        r"|your\s+(?:initial\s+|system\s+)?instructions)\b",
    ),
    (
        ("the user", "the human"),
        r"\b(?:do\s+not|don['’]t|never|without)\s+"
        r"(?:tell|telling|inform|informing|mention|reveal|alert|let)\w*\b"
        + _NEAR
        + r"\b(?:the\s+user|the\s+human)\b",
    ),
    # Role tokens and other make-believe of a prompt's own marks
    (
        ("<|", "|>", "[inst", "<<sys", "</s>", "<s>", "### ", "begin system", "<start_of_turn"),
        r"<\|\s*(?:im_start|im_end|system|user|assistant|endoftext|eot_id|end|start_header_id"
        r"|end_header_id|begin_of_text)\s*\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
        r"|^\s*###\s*(?:instruction|system|response)s?\s*:|\bBEGIN\s+SYSTEM\s+PROMPT\b",
    ),
    (
        ("<system", "</system", "system:", "assistant:", "<passage", "</passage"),
        r"</?(?:system|passage)\b[^>\n]{0,80}>|^\s*system\s*:\s*(?:you\b|ignore\b|new\b|the\s+user)"
        r"|^\s*assistant\s*:\s*(?:sure|yes|of\s+course|i\s+will|certainly)\b",
    ),
    # German
    (
        (
            "ignorier",
            "vergiss",
            "vergessen sie",
            "missachte",
            "beachte nicht",
            "beachten sie nicht",
        ),
        r"\b(?:ignorier(?:e|en)?|vergiss|vergessen\s+sie|missachten?|beachten?(?:\s+sie)?\s+nicht)\b"
        + _GAP
        + r"\b(?:vorherig|bisherig|obig|vorangegangen|vorig|früher|all|dein|ihr|system)\w*\b"
        + _NEAR
        + r"(?:anweisung|instruktion|befehl|vorgabe|prompt|anordnung)\w*",
    ),
    # French
    (
        ("ignore", "oubli", "ne tiens pas", "ne tenez pas"),
        r"\b(?:ignore[rz]?|oublie[rz]?|ne\s+(?:tiens|tenez)\s+(?:pas|aucun)\s+compte)\b"
        + _GAP
        + r"\b(?:instructions|consignes|directives|ordres)\b"
        + _GAP
        + r"\b(?:précédent|antérieur|ci-dessus|préalable|reçu)\w*",
    ),
    # Spanish, Portuguese, Italian, Catalan
    (
        ("ignor", "olvid", "omis", "esque", "descons", "dimentic"),
        r"\b(?:ignor[aei]\w*|olvid[ae]\w*|haz\s+caso\s+omiso|haga\s+caso\s+omiso|esqueç[ao]\w*"
        r"|desconsider\w+|dimentic\w+)\b"
        + _GAP
        + r"(?:instrucciones|indicaciones|órdenes|instruções|orientações|comandos|istruzioni"
        r"|indicazioni|instruccions)\b"
        + _GAP
        + r"(?:anterior|previ|arriba|acima|precedent|sopra)\w*",
    ),
    (
        ("ignor", "olvid", "esque", "descons", "dimentic"),
        r"\b(?:ignor[aei]\w*|olvid[ae]\w*|esqueç[ao]\w*|desconsider\w+|dimentic\w+)\b"
        + _GAP
        + r"\b(?:anteriores|previas|prévias|precedenti|tutte\s+le|todas\s+(?:las|as))\b"
        + _NEAR
        + r"(?:instrucciones|indicaciones|órdenes|instruções|orientações|istruzioni|indicazioni)\b",
    ),
    # Dutch
    (
        ("negeer", "vergeet"),
        r"\b(?:negeer|vergeet)\b"
        + _GAP
        + r"\b(?:vorige|eerdere|bovenstaande|alle)\b"
        + _NEAR
        + r"(?:instructies|opdrachten|aanwijzingen)\b",
    ),
    # Polish, Russian, Ukrainian
    (
        ("zignoruj", "ignoruj", "zapomnij"),
        r"\b(?:z?ignoruj|zapomnij)\w*\b" + _GAP + r"\b(?:instrukcj|polece)\w*",
    ),
    (
        ("игнорир", "забудь", "ігнору"),
        r"\b(?:про|и)?(?:игнорир|ігнору)\w+" + _GAP + r"(?:инструкц|указани|команд|інструкц)\w*"
        r"|\bзабудь(?:те)?\b" + _GAP + r"(?:инструкц|указани|команд)\w*",
    ),
    # Turkish
    (
        ("talimat", "komut"),
        r"\b(?:önceki|yukarıdaki|tüm)\b"
        + _GAP
        + r"\b(?:talimat|komut)\w*"
        + _GAP
        + r"\b(?:yok\s+say|unut|görmezden\s+gel|dikkate\s+alma)\w*",
    ),
    # Arabic, Hebrew, Persian, Hindi
    (
        ("تجاهل", "انس", "تعليمات"),
        r"(?:تجاهل|انسَ?|لا\s+تتبع)\w*" + _GAP + r"(?:التعليمات|الأوامر|الارشادات|الإرشادات)",
    ),
    (("התעלם", "התעלמ"), r"התעל(?:ם|מי|מו)" + _GAP + r"(?:ההוראות|הוראות|ההנחיות)"),
    (
        ("नज़रअंदाज़", "अनदेखा", "निर्देश"),
        r"(?:पिछले|सभी|उपरोक्त)" + _GAP + r"निर्देश\S*" + _GAP + r"(?:अनदेखा|नज़रअंदाज़|भूल)",
    ),
    # Chinese, Japanese, Korean
    (
        ("忽略", "无视", "無視", "忘记", "忘記", "不要理会", "不要遵守"),
        r"(?:忽略|无视|無視|忘记|忘記|不要理会|不要遵守)[^。！？]{0,20}?"
        r"(?:之前|以上|先前|上述|所有|前面|系统|系統)[^。！？]{0,12}?(?:指令|指示|提示|命令|说明|說明|规则)",
    ),
    (
        ("指示", "命令", "プロンプト"),
        r"(?:以前|これまで|上記|前述|すべて|全て)の?[^。！？]{0,12}?(?:指示|命令|プロンプト)"
        r"[^。！？]{0,8}?(?:無視|忘れ|従わ)",
    ),
    (
        ("지시", "명령", "지침"),
        r"(?:이전|위의|앞의|모든)[^.!?]{0,12}?(?:지시|명령|지침)\S*[^.!?]{0,10}?(?:무시|잊)",
    ),
)

_COMPILED = tuple(
    (tuple(clue.casefold() for clue in clues), re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for clues, pattern in _PHRASES
)
_SPACES = re.compile(r"\s+")


def found_in(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each such phrase, in the order of the text."""
    plain = _SPACES.sub(" ", text.casefold())
    spans = [
        match.span()
        for clues, pattern in _COMPILED
        if any(clue in plain for clue in clues)
        for match in pattern.finditer(text)
    ]
    yield from sorted(spans)
