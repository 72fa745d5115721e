"""How questions lean on the ones before them, in English, Spanish, German, French, Chinese."""

from __future__ import annotations

import re

_HINTS = {
    "en": "the of and to is was what which who how did does do are were for on by with from at "
    "when where why that this have has much many about it its they same an before",
    "es": "el la los las del y que en es fue por para con su qué cuál cuáles quién cuándo dónde "
    "cómo cuánto cuánta cuántos una al se lo año hay eso ese esa pero",
    "de": "der das dem den ein eine einer eines und ist sind war wie wer wann wo warum welche "
    "welcher welches wird wurde hat haben im am vom zum zur für mit nach über von bei es das "
    "auch viel viele was sein ihre dann noch",
    "fr": "le les des du une et est sont dans quel quelle quels quelles qui où comment pourquoi "
    "combien pour avec cela ça ce cette au aux était pas sur leur l d qu en année",
}
_HINT_SETS = {language: frozenset(words.split()) for language, words in _HINTS.items()}
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORDS = re.compile(r"[^\W\d_]+")


def language_of(*texts: str) -> str:
    """`en`, `es`, `de`, `fr` or `zh`, from the first text that tells; English where none does."""
    for text in texts:
        if len(_HAN.findall(text)) > 0.15 * len(text):
            return "zh"
        words = [word.casefold() for word in _WORDS.findall(text)]
        counts = {name: sum(w in hints for w in words) for name, hints in _HINT_SETS.items()}
        if "¿" in text or "ñ" in text:
            counts["es"] += 2
        best = max(counts, key=lambda name: counts[name])
        if counts[best] and sum(count == counts[best] for count in counts.values()) == 1:
            return best
    return "en"


CONNECTIVES = re.compile(
    r"^(?:"
    r"(?:and\s+|but\s+|so\s+)?(?:what|how)\s+about|and\s+what\s+(?:of|if)|what\s+of|what\s+if|"
    r"(?:and\s+)?(?:the\s+)?same\s+(?:question\s+)?(?:for|in|with)|(?:and\s+)?as\s+for|"
    r"and|but|or|plus|"
    r"¿?\s*(?:y\s+)?qué\s+(?:hay|pasa|tal|sucede|ocurre)\s+(?:de|con)|"
    r"¿?\s*(?:y\s+)?en\s+cuanto\s+a|"
    r"¿?\s*(?:y|e|pero|o)(?:\s+también)?|"
    r"(?:und\s+)?was\s+ist\s+mit|(?:und\s+)?wie\s+(?:ist|war|sieht)\s+es\s+(?:mit|bei|für)|"
    r"und|aber|oder|"
    r"(?:et\s+)?qu['’]en\s+est-il\s+(?:de|du|des|pour)|quid\s+(?:de|du|des)|et|mais|ou"
    r")(?![\w])\s*(?:then\b|also\b|again\b|dann\b|alors\b|auch\b)?[\s,]*(?:¿\s*)?",
    re.IGNORECASE,
)
"""Words that tie a question to the one before."""

HESITATIONS = re.compile(
    r"^(?:(?:ok(?:ay)?|so|well|then|now|hm+|right|thanks|thank you|great|bueno|vale|gracias|also|"
    r"gut|danke|bon|alors|merci|d['’]accord|好的?|嗯|谢谢|那好)[\s,.!，。！…]+)+",
    re.IGNORECASE,
)

HAN_CONNECTIVES = re.compile(
    r"^(?:那么|那(?![个些种样里年时]|一年)|而(?!且)|还有|然后|另外|以及|并且|换成|换作|要是|如果是)+"
    r"(?:在|对于|对|关于)?"
)
HAN_PARTICLES = re.compile(r"(?:呢|吗|呀|啊|吧|怎么样|如何)*[？?。!！\s]*$")
HAN_QUESTION = re.compile(
    r"什么|多少|谁|哪|怎|如何|为何|几[个天年次月日人条元岁]|是否|是不是|有没有|能否|能不能|可不可以|"
    r"可以|吗|多[大长高久远]"
)
HAN_LIGHT = re.compile(
    r"为什么|为何|怎么|怎样|如何|多少|什么|哪里|哪些|哪个|哪家|谁|请问|请|是否|是不是|有没有|能否|会|能|"
    r"可以|需要|详细|具体|解释|说明|一下|再|举个例子|例子|更多|说说|展开|原因|依据|来源|真的|的|了|呢|吗|"
    r"呀|啊|吧|是|有|在|也|都|又|还|就|这|那|它们?|他们?|她们?|其|此|该|个|些|样|上述|同样|和|与|比|对|到|为|"
    r"被|把|给|从|由|呢|么"
)
HAN_POINTERS = re.compile(
    r"它们?|(?<![尤极])其(?![中他它余实次])|这(?!里是|几年)|那(?!么)|(?<![应])该(?!怎|如|不)"
    r"|上述|前者|后者|此(?![前后外])|同样|两者|二者"
)
HAN_PERSON = re.compile(r"(?<!其)[他她](?!国)")
HAN_POSSESSIVE = re.compile(r"它们?的|他们?的|她们?的|其(?![中他它余实次])|该公司|这家|那家")
HAN_ATTRIBUTE = re.compile(
    r"(?:率|额|润|入|出|本|金|费|价|量|数|期|限|假|税|息|债|资|产|益|值|比|薪|款|时间|地址|条件|义务|责任|日期|"
    r"方式|标准|范围|地点|温度|压力|重量|长度|电压|功率|剂量|名称|负责人|董事长|总部|电话|邮箱)$"
)
"""Chinese words for a property, as against words for who has it."""

INTERROGATIVES = frozenset(
    """
    what which who whom whose when where why how
    qué cuál cuáles quién quiénes cuándo dónde cómo cuánto cuánta cuántos cuántas adónde
    was wer wen wem wessen wann wo warum weshalb wieso wie welche welcher welches welchen welchem
    wieviel wieviele woher wohin womit wofür worauf worin
    qui quoi quand où comment pourquoi combien quel quelle quels quelles lequel laquelle
    """.split()
)

AUXILIARIES = {
    "en": "is are was were be do does did can could must should shall will would may might has "
    "have had there's",
    "es": "es son fue fueron era eran hay tiene tienen puede pueden debe deben está están hubo ha "
    "han será puedo tengo debo",
    "de": "ist sind war waren hat haben hatte hatten kann können muss müssen darf dürfen soll "
    "sollen wird werden wurde wurden gilt gelten gibt ich",
    "fr": "est sont était étaient a ont avait peut peuvent doit doivent faut sera seront dois "
    "puis a-t-il est-il est-elle",
    "zh": "",
}
AUXILIARY_SETS = {language: frozenset(words.split()) for language, words in AUXILIARIES.items()}

_PREPOSITIONS = {
    "en": "in for of at on under during by from to with without per after before since until "
    "within between over as against via",
    "es": "en para por de del con sin sobre bajo durante desde hasta a al entre según tras",
    "de": "in im am an bei beim für von vom mit ohne nach vor seit bis unter über während zum zur "
    "aus zu auf",
    "fr": "en pour dans sur sous avec sans chez à au aux de du des d pendant depuis avant après "
    "vers par entre",
    "zh": "",
}
PREPOSITIONS = {name: frozenset(words.split()) for name, words in _PREPOSITIONS.items()}
ARTICLES = frozenset(
    "the a an el la los las un una der die das den dem des ein eine einen einem einer le les une "
    "du des l d".split()
)

LIGHT = frozenset(
    """
    much many long high large big far often soon even exactly precisely
    more mean means meant tell say says said know show give explain detail details reason reasons
    example examples elaborate further source sources sure really true
    correct continue go come so let else next previous last again case regarding about same
    differ different instead look like kind sort thing things way ways apply applies applied
    mucho mucha tanto tan dime más explica explícame detalle detalles ejemplo motivo razón
    significa quiere decir seguro fuente exactamente mismo misma aplica caso
    hoch lang groß viel viele weit genau bedeutet heißt sag erklär erkläre mehr beispiel grund
    gründe sicher quelle einzelheiten dasselbe gleiche gleichen selbe selben hält mal bitte
    long haut grand exactement signifie veut dire explique expliquez détail détails exemple
    raison source sûr vraiment même plus cas
    """.split()
)
"""Words of a question that do not say what it is about."""

LEANING_LIGHT = frozenset(
    "tell more mehr más plus explain elaborate detail details example examples further source "
    "sources "
    "continue really sure exactly explica explícame detalle detalles ejemplo motivo fuente "
    "exactamente beispiel grund "
    "quelle einzelheiten genau erkläre erklär explique expliquez détail détails exemple raison "
    "exactement vraiment reason reasons else".split()
)
"""Light words that make no sense without an earlier question."""

COMPARING = re.compile(
    r"\b(?:compared?|compares|comparison|versus|vs\.?|differ(?:ence|ent|s)?|than|more|less|higher|"
    r"lower|bigger|smaller|larger|better|worse|change[ds]?|grow[ns]?|grew|increase[ds]?|decrease[ds]?|"
    r"comparad[oa]|compara|frente a|diferencia|mayor|menor|más alt[oa]|más baj[oa]|que en|cambió|"
    r"verglichen|vergleich|unterschied|höher|niedriger|größer|kleiner|als|gestiegen|gesunken|"
    r"comparé|compare|différence|plus élevée?|moins|par rapport)\b|相比|比较|对比|差别|区别|更|"
    r"增长|变化",
    re.IGNORECASE,
)
"""Words of a question that sets something beside what was asked before."""

WHO = re.compile(
    r"^(?:who|whose|which|where|what (?:company|companies|person|product|document|team|firm|city|"
    r"country|author)|name|¿?\s*(?:quién(?:es)?|qué (?:empresa|persona|compañía|ciudad|país)|cuál "
    r"(?:empresa|compañía)|dónde)|wer|welche[rsn]? (?!jahr)|wo|qui|quelle (?:entreprise|société|"
    r"personne|ville)|quel (?:pays|auteur|produit)|où)\b|谁|哪家|哪个|哪位|哪里",
    re.IGNORECASE,
)
"""Questions whose answer is a name."""

WHO_PERSON = re.compile(r"^(?:who|whose|¿?\s*quién(?:es)?|wer|qui)\b|谁|哪位", re.IGNORECASE)
"""Of these, the ones whose answer is a person."""

_POINTERS = {
    "en": (
        ("possessive", r"\b(?:its|their|theirs)\b"),
        ("person", r"\b(?:he|him|his|she|hers?)\b"),
        ("thing", r"\b(?:it|they|them)\b"),
        (
            "near",
            r"\b(?:this|these|those)\b(?!\s+(?:who|which|that|year|quarter|month|week|days|of|at|in|"
            r"with|from|for|on|to|whose)\b)",
        ),
        (
            "near",
            r"(?:^|\b(?:is|was|does|did|do|in|of|for|about|by|with|than|like|to|can|could|would|will|"
            r"after|before|from|on|has|had|under|mean|means|and|at|explain|says?|said|changed?|"
            r"compare|do|against|why|how)\s+)that\b(?!\s+(?:the|a|an|we|you|I|is|are|was|were)\b)"
            r"|\bthat\s*$",
        ),
        (
            "near",
            r"\bthe (?:same\b(?!(?:\s+\w+)?\s+as\b)|first one|second one|last one|other one|"
            r"others)\b"
            r"|\bthe (?:former|latter)(?=\s*$|'s|\s+(?:is|was|one|apply|applies|have|has|end))",
        ),
        ("near", r"\b(?:which|that|this|what) ones?\b|\b(?:above|aforementioned|else)\b"),
        (
            "near",
            r"\b(?:such (?!as\b)(?:an? )?\w+|(?:to|from|in|over) there|(?<!is )(?<!are )(?<!was )"
            r"(?<!were )there\s*$|since then|by then)\b",
        ),
    ),
    "es": (
        ("possessive", r"\b(?:su|sus|suyo|suya)\b"),
        ("person", r"\b(?:él|ella)\b"),
        (
            "thing",
            r"\b(?:ellos|ellas|(?<!a )(?<!por )lo(?!\s+(?:que|de|mismo|más|cual|\w+ que)\b)|"
            r"dichos?|dichas?)\b",
        ),
        ("clitic", r"\b\w{2,}rl[oa]s?\b"),
        (
            "near",
            r"\b(?:eso|esto|ello|ese|esa|esos|esas|este|esta|estos|estas|aquel|aquella|ahí|allí)\b",
        ),
        ("near", r"\b(?:el mismo|la misma|lo mismo|los mismos|las mismas)\b"),
    ),
    "de": (
        ("possessive", r"\b(?:sein|seine[rsnm]?|ihre?|ihre[rsnm]|dessen|deren)\b(?=\s+[A-ZÄÖÜ])"),
        ("person", r"\b(?:er|ihn|ihm)\b"),
        ("thing", r"\b(?:(?<![Gg]ibt )es(?! (?:gibt|um))|denen)\b"),
        ("she", r"\bsie\b"),
        (
            "near",
            r"\b(?:dies|diese[rsnm]?|jene[rsnm]?|dasselbe|derselbe|dieselbe|letztere[rsn]?)\b",
        ),
        ("near", r"\bdas\b(?!\s+(?:[A-ZÄÖÜ]|\w+e\s+[A-ZÄÖÜ]|\w+e[sn]?\s+[A-ZÄÖÜ]))"),
        ("near", r"\b(?:davon|dafür|dazu|daran|darin|dabei|darüber|dagegen|darauf|dort|dadurch)\b"),
    ),
    "fr": (
        ("possessive", r"\b(?:son|sa|ses|leurs?)\b"),
        ("person", r"\b(?:lui)\b"),
        ("thing", r"(?<!s['’])(?<!y a-t-)(?<!faut-)\b(?:ils?|elles?)\b"),
        ("near", r"\b(?:cela|ça|ceci|celui-ci|celle-ci|ceux-ci|celui-là|celle-là|là)\b"),
        (
            "near",
            r"(?<!qu['’]est-)(?<!est-)\b(?:ce(?!\s+(?:que|qui|sont|n))|cet|cette|ces)\b\s+\w|\bc['’](?:est|était)",
        ),
        (
            "near",
            r"\b(?:le même|la même|les mêmes|ce dernier|cette dernière|"
            r"en (?:a|ont|est)(?:-t-\w+)?)\b",
        ),
    ),
}
POINTERS = {
    language: tuple(
        (
            kind,
            re.compile(pattern, re.IGNORECASE if language != "de" or kind != "possessive" else 0),
        )
        for kind, pattern in rows
    )
    for language, rows in _POINTERS.items()
}
# German needs capitals to be seen: "das" before a noun is an article, "Sie" is you.
POINTERS["de"] = tuple((kind, re.compile(pattern)) for kind, pattern in _POINTERS["de"])
"""Words that point back, by language, with what they may point at."""

EXPLETIVES = re.compile(
    r"\b(?:is|was|will|would|can|does|isn't)\s+it\s+(?:be\s+)?(?:\w+ly\s+)?(?:possible|allowed|"
    r"permitted|necessary|required|legal|mandatory|true|safe|okay|ok|acceptable|forbidden|enough|"
    r"sufficient|better|worth|recommended|important|likely|time|take|cost|mean|matter|raining)\b"
    r"(?=.*\s(?:to|that|if|when|for|a|an|the)\b)"
    r"|\bhow\s+(?:long|much|many\s+\w+)\s+(?:does|did|will|would)\s+it\s+(?:take|cost)\s+(?:to|for|me|us)\b"
    r"|\bit\s+(?:is|was)\s+\w+\s+(?:to|that)\b"
    r"|\bit\s+(?:be\s+)?(?:determined|decided|found|known|said|believed|thought|agreed)\s+(?:how|that|"
    r"whether|what|who|when)\b"
    r"|\b(?:besides|apart from|aside from|other than|outside of|in addition to)\b.*\belse\b"
    r"|\bes\s+(?:erlaubt|möglich|nötig|verboten|zulässig|"
    r"notwendig|erforderlich)\b|\b(?:ist|war|wird)\s+es\s+\w+,|\best-il\s+(?:possible|permis|"
    r"nécessaire|obligatoire|interdit|autorisé)\b|\b(?:que\s+se\s+passe-t-il|s['’]agit-il)\b",
    re.IGNORECASE,
)
"""Pronouns that stand for nothing."""

CLAUSE = re.compile(
    r"[,;:]|\b(?:if|when|because|that|and|but|before|after|while|than|once|unless|although|since|until|"
    r"or|so|whether|where|who|which|say|says|said|claim|claims|claimed|think|thought|believe|believed|"
    r"announce|announced|report|reported|si|cuando|porque|y|pero|antes|mientras|aunque|wenn|weil|dass|und|"
    r"aber|bevor|nachdem|während|obwohl|quand|lorsque|parce|et|mais|avant|afin)\b",
    re.IGNORECASE,
)
"""Where one clause ends and another begins."""

GENERIC_TITLE_WORDS = frozenset(
    "annual report reports quarterly handbook manual guide policy policies agreement contract "
    "lease notes form staff employee employees document the of and for user service terms "
    "conditions "
    "general rules chapter section appendix part volume draft final version press release results "
    "earnings letter paper study analysis summary overview introduction informe anual manual "
    "contrato bericht handbuch vertrag jahresbericht rapport annuel contrat guide 年报 "
    "报告 手册 合同".split()
)
"""Words that make a title without making a name."""
