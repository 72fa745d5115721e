"""Phrases that speak to a model, not to a reader, in the languages they are met in."""

from __future__ import annotations

import re
from collections.abc import Iterator

_GAP = r"[^.!?。！？]{0,60}?"
"""A few words within the sentence."""

_NEAR = r"[^.!?。！？]{0,25}?"

_NOT_DENIED = r"(?<!\bno\s)(?<!\bnon\s)(?<!\bnão\s)"
_START = (
    r"(?:^|[.!?:;,\"“”'’(\[>*•|–—-]\s*|\b(?:please|kindly|now|just|simply|and|then|or|that\s+you|you\s+to|is\s+to"
    r"|(?:you|ai|model|llm|chatbot|assistant)\s+(?:must|should|shall|will|can|are\s+to|need\s+to"
    r"|have\s+to)(?:\s+now)?)\s+)"
)
"""What an order begins behind: "the bank may disregard any instructions" is none."""

_ORDERS = (
    r"(?:instructions?|prompts?|directions|guidelines|commands|directives|guardrails|rules"
    r"|context)"
)
_MODEL = (
    r"(?:(?:large\s+)?language\s+models?|llms?|ais?(?![-\w])|chatbots?|gpt[-\w]*)"
    r"(?:\s+(?:language\s+)?(?:models?|assistants?|reviewers?|systems?|agents?|tools?))?"
)
_READS = (
    r"(?:read|process|summari[sz]|evaluat|review|screen|pars|analy[sz]|grad|scor|translat)"
    r"(?:e?s|ing|e)?"
)

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
            "don't follow",
            "don’t follow",
            "pay no attention",
        ),
        _START
        + r"(?P<order>ignore|disregard|forget|override|bypass|(?:do\s+not|don['’]t)\s+follow"
        + r"|pay\s+no\s+attention\s+to)\s+(?:"
        # What came before, or what the reader itself was given ...
        + r"(?:\w+\s+){0,3}?(?:previous|prior|above|earlier|preceding|former|foregoing|initial"
        + r"|original|your|system|hidden|safety)\s+(?:\w+\s+){0,2}?"
        + _ORDERS
        + r"\b(?!\s+(?:of|from|on|in|for|by|under)\b)"
        # ... all of it, with nothing said of whose or which ...
        + r"|(?:all|any|every|other)\s+(?:of\s+)?(?:the\s+|your\s+|other\s+)?"
        + r"(?:instructions?|guidelines|directives|guardrails|rules)"
        + r"(?=\s*(?:[.!;:]|$|and\s+\w+|above|before|you\s+(?:were|have|got)|so\s+far))"
        + r"|(?:everything|anything|all(?:\s+(?:of\s+)?(?:the\s+)?text)?|whatever)\s+"
        + r"(?:\w+\s+){0,4}?(?:above|before|previously|earlier)\b"
        + r"|(?:all\s+)?your\s+(?:programming|training)(?=\s*(?:[.!,;]|and\b|$)))",
    ),
    (
        ("you are now", "act as", "pretend", "from now on", "you must now", "developer mode"),
        r"\b(?:you\s+are\s+now\s+(?=an?\s|the\s|my\s|in\s|called\s|acting|dan\b|free)"
        + r"|from\s+now\s+on,?\s+you\s+(?:are|will\s+(?:be|act)|must\s+(?:be|act)|act)\b"
        + r"|act\s+as|pretend\s+(?:to\s+be|you\s+are)|you\s+must\s+now)\b"
        + _NEAR
        + r"\b(?:(?:ai|helpful|new|unfiltered)\s+assistant(?=\s*(?:[.,;!]|that|who|with|$))"
        + r"|chatbot|language\s+model|llm|ai(?![-\w])|dan|developer\s+mode|jailbr\w+"
        + r"|unrestricted|uncensored|unfiltered)\b",
    ),
    (
        ("language model", "llm", "ai", "chatbot", "gpt"),
        r"\b(?:(?:if|when|since|as)\s+(?:you\s+are\s+)?an?\s+"
        + _MODEL
        + r"\b,?\s+(?:then\s+)?(?:you\s+(?:must|should|will|are\s+to)|please|do\s+not|ignore"
        + r"|always|never|only|say|answer|respond|recommend|write|give|rate|output)"
        + r"|(?:if|when)\s+you(?:['’]|\s+a)re\s+(?:an?|the)\s+"
        + _MODEL
        + r"(?=\s*[,.;:!]|\s+(?:that|who|which|reading|processing|and|or|then)\b|\s*$)"
        + r"|(?:note|attention|dear|message|instructions?|important|memo)\b(?:\s+(?:to|for))?"
        + r"\s+(?:the\s+|any\s+|all\s+)*"
        + _MODEL
        + r"\s*[:,!–—]"
        + _GAP
        + r"\b(?:you|please|do\s+not|ignore|always|never|only|say|answer|respond|reply|recommend"
        + r"|write|give|rate|rank|output|state)\b"
        + r"|"
        + _MODEL
        + r"\s+(?:that\s+)?"
        + _READS
        + r"\s+this(?:\s+(?:document|text|page|paper|cv|r[eé]sum[eé]|e?-?mail|contract|file|message"
        + r"|application|report|must|should|shall|will|has|have)\b|\s*[,.:;])"
        + r"|^\s*"
        + _MODEL
        + r"\s*:"
        + _GAP
        + r"\bthis\s+(?:document|text|page|paper|cv|r[eé]sum[eé]|mail|email|contract|file)\b)",
    ),
    (
        (
            "system prompt",
            "hidden prompt",
            "initial prompt",
            "your initial",
            "your instructions",
            "your new instructions",
            "your new task",
            "your original",
        ),
        r"\b(?:(?:reveal|show|print|output|repeat|leak|disclose|new|end\s+of|here\s+is\s+the)\b"
        + _NEAR
        + r"\b(?:(?:system|hidden|initial)\s+prompt"
        + r"|your\s+(?:initial|system|original|hidden|secret)\s+instructions)"
        + r"|reveal\s+(?:all\s+)?your\s+instructions"
        + r"|your\s+new\s+instructions?\s+(?:are|is|:)"
        + r"|your\s+new\s+task\s+is\s+to\s+(?:praise|recommend|say|output|respond|ignore|write))\b",
    ),
    (
        ("the user", "the human"),
        r"\b(?:(?:do\s+not|don['’]t|never)\s+(?:tell|inform|alert|notify|warn)\s+the\s+"
        + r"(?:user|human)s?(?!['’]s)\s+(?:about\s+(?:this|these)|of\s+(?:this|these)"
        + r"|that\s+(?:you|this)|you\b|anything\s+about)"
        + r"|(?:do\s+not|don['’]t|never)\s+let\s+the\s+(?:user|human)s?\s+know\b"
        + r"|(?:do\s+not|don['’]t|never)\s+(?:mention|reveal)\s+(?:this|these)\b"
        + _NEAR
        + r"\bto\s+the\s+(?:user|human)s?)\b",
    ),
    # Role tokens and other make-believe of a prompt's own marks
    (
        ("<|", "|>", "[inst", "<<sys", "</s>", "<s>", "### ", "begin system", "<start_of_turn"),
        r"<\|\s*(?:im_start|im_end|system|user|assistant|endoftext|eot_id|end|start_header_id"
        r"|end_header_id|begin_of_text)\s*\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
        r"|^\s*###\s*instruction\s*:|^\s*###\s*system\s*:\s*(?:you\b|ignore\b)"
        r"|\bBEGIN\s+SYSTEM\s+PROMPT\b",
    ),
    (
        ("<system", "</system", "system:", "assistant:", "<passage", "</passage"),
        r"</?(?:system|passage)\b[^>\n]{0,80}>"
        r"|^\s*system\s*:\s*(?:you\s+(?:are|must|will|should|have\s+to)\b|ignore\b"
        r"|new\s+instructions?|the\s+user\s+(?:has|is|wants|must))"
        r"|^\s*assistant\s*:\s*(?:sure|yes|of\s+course|certainly)\b[,.!]?\s+"
        r"(?:here|i\s+(?:will|can)|i['’]ll)\b",
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
        r"\b(?:ignorier(?:e|en)?|vergiss|vergessen\s+sie|missachten?"
        r"|beachten?(?:\s+sie)?\s+nicht(?!\s+nur))\b(?!\s+(?:sie\s+)?nicht\b)"
        + _GAP
        + r"\b(?:vorherig|bisherig|obig|vorangegangen|vorig|früher|all|dein|ihr|system)\w*\b"
        + _NEAR
        + r"(?:anweisung|instruktion|befehl|vorgabe|prompt|anordnung)\w*",
    ),
    (
        ("sprachmodell", "chatbot", "assistent", "eine ki", "dem nutzer", "dem benutzer"),
        r"\b(?:(?:wenn|falls)\s+(?:du|sie)\s+ein\w*\s+(?:ki|sprachmodell|chatbot)\s+(?:bist|sind)\b"
        r"|(?:du\s+bist\s+(?:jetzt|nun|ab\s+sofort)|ab\s+(?:jetzt|sofort)\s+bist\s+du)\s+ein"
        r"[^.!?]{0,40}?(?:assistent|ki\b|chatbot|sprachmodell)"
        r"|sag(?:e|en)?\s+(?:sie\s+)?dem\s+(?:be)?nutzer\s+nichts\s+(?:von|über)\s+dies)",
    ),
    # French
    (
        ("ignore", "oubli", "ne tiens pas", "ne tenez pas"),
        r"(?<!n')(?<!n’)(?<!\bpas\s)\b(?:ignore[rz]?|oublie[rz]?"
        r"|ne\s+(?:tiens|tenez)\s+(?:pas|aucun)\s+compte)\b(?!\s+(?:pas|jamais)\b)"
        + _GAP
        + r"\b(?:instructions|consignes|directives|ordres)\b"
        + _GAP
        + r"\b(?:précédent|antérieur|ci-dessus|préalable|reçu)\w*",
    ),
    # Spanish, Portuguese, Italian, Catalan
    (
        ("ignor", "olvid", "omis", "esque", "descons", "dimentic"),
        _NOT_DENIED
        + r"\b(?:ignor[aei]\w*|olvid[ae]\w*|haz\s+caso\s+omiso|haga\s+caso\s+omiso|esqueç[ao]\w*"
        r"|desconsider\w+|dimentic\w+)\b"
        + _GAP
        + r"(?:instrucciones|indicaciones|órdenes|instruções|orientações|comandos|istruzioni"
        r"|indicazioni|instruccions)\b"
        + _GAP
        + r"(?:anterior|previ|arriba|acima|precedent|sopra)\w*",
    ),
    (
        ("ignor", "olvid", "esque", "descons", "dimentic"),
        _NOT_DENIED
        + r"\b(?:ignor[aei]\w*|olvid[ae]\w*|esqueç[ao]\w*|desconsider\w+|dimentic\w+)\b"
        + _GAP
        + r"\b(?:anteriores|previas|prévias|precedenti|tutte\s+le|todas\s+(?:las|as))\b"
        + _NEAR
        + r"(?:instrucciones|indicaciones|órdenes|instruções|orientações|istruzioni|indicazioni)\b",
    ),
    (
        (
            "modèle de langage",
            "modelo de leng",
            "modelo de ling",
            "modello linguistico",
            "chatbot",
            " ia",
        ),
        r"\b(?:si\s+(?:tu\s+es|vous\s+êtes)|si\s+(?:eres|es\s+usted)|se\s+(?:sei|você\s+é|és))"
        r"\s+une?a?\s+(?:modèle\s+de\s+langage|modelo\s+de\s+(?:lenguaje|linguagem)"
        r"|modello\s+linguistico|ia|chatbot)\b",
    ),
    # Dutch
    (
        ("negeer", "vergeet"),
        r"\b(?:negeer|vergeet)\b(?!\s+niet\b)"
        + _GAP
        + r"\b(?:vorige|eerdere|bovenstaande|alle)\b"
        + _NEAR
        + r"(?:instructies|opdrachten|aanwijzingen)\b",
    ),
    # Polish, Russian, Ukrainian
    (
        ("zignoruj", "ignoruj", "zapomnij"),
        r"(?<!\bnie\s)\b(?:z?ignoruj|zapomnij)\w*\b" + _GAP + r"\b(?:instrukcj|polece)\w*",
    ),
    (
        ("игнорир", "забудь", "ігнору"),
        r"(?<!\bне\s)\b(?:про|и)?(?:игнорир|ігнору)\w+"
        + _GAP
        + r"(?:инструкц|указани|команд|інструкц)\w*"
        r"|\bзабудь(?:те)?\b" + _GAP + r"(?:инструкц|указани|команд)\w*",
    ),
    # Turkish
    (
        ("talimat", "komut"),
        r"\b(?:önceki|yukarıdaki|tüm)\b"
        + _GAP
        + r"\b(?:talimat|komut)\w*"
        + _GAP
        + r"\b(?:yok\s+say(?!ma)|unut(?!ma)|görmezden\s+gel(?!me)|dikkate\s+alma)\w*",
    ),
    # Arabic, Hebrew, Persian, Hindi
    (
        ("تجاهل", "انس", "تعليمات"),
        r"(?<!\w)(?:تجاهل|انسَ?|لا\s+تتبع)\w*" + _GAP + r"(?:التعليمات|الأوامر|الارشادات|الإرشادات)",
    ),
    (("התעלם", "התעלמ"), r"התעל(?:ם|מי|מו)" + _GAP + r"(?:ההוראות|הוראות|ההנחיות)"),
    (
        ("नज़रअंदाज़", "अनदेखा", "निर्देश"),
        r"(?:पिछले|सभी|उपरोक्त)" + _GAP + r"निर्देश\S*" + _GAP + r"(?:अनदेखा|नज़रअंदाज़|भूल)(?!\s+न\s)",
    ),
    # Chinese, Japanese, Korean
    (
        ("忽略", "无视", "無視", "忘记", "忘記", "不要理会", "不要遵守"),
        r"(?<![要勿得可能不])(?:忽略|无视|無視|忘记|忘記|不要理会|不要遵守)[^。！？]{0,20}?"
        r"(?:之前|以上|先前|上述|所有|前面|系统|系統)[^。！？]{0,12}?(?:指令|指示|提示|命令|说明|說明|规则)",
    ),
    (
        ("指示", "命令", "プロンプト"),
        r"(?:以前|これまで|上記|前述|すべて|全て)の?[^。！？]{0,12}?(?:指示|命令|プロンプト)"
        r"[^。！？]{0,8}?(?:無視(?!し(?:ない|ては))|忘れ(?!な|ず)|従わ(?!な(?:い場合|かった|ければ|いと)))",
    ),
    (
        ("지시", "명령", "지침"),
        r"(?:이전|위의|앞의|모든)[^.!?]{0,12}?(?:지시|명령|지침)\S*[^.!?]{0,10}?(?:무시(?!하지)|잊(?!지))",
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
        (match.start("order") if "order" in pattern.groupindex else match.start(), match.end())
        for clues, pattern in _COMPILED
        if any(clue in plain for clue in clues)
        for match in pattern.finditer(text)
    ]
    yield from sorted(spans)
