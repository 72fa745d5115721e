"""The words that needles are made of, in English, Chinese and Spanish.

A key is a thing with a name of its own ("the amber lighthouse"); a value
belongs to it ("registration number"). Texts are put together from lists long
enough that two trials of a run hardly ever share a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

LANGUAGES = ("en", "zh", "es")


@dataclass(frozen=True, slots=True)
class Key:
    """A thing that a needle speaks of."""

    name: str
    """With its article: `the amber lighthouse`."""
    of: str
    """As an owner: `of the amber lighthouse`."""
    bare: str
    """Without the article: what the row calls the key."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A place that is known by two names which share no word: a landmark, and where it stands."""

    text: str
    """With `{value}` for the name of a person."""
    question: str


@dataclass(frozen=True, slots=True)
class Words:
    """All that one language needs."""

    what: Mapping[str, tuple[str, str]]
    """By type of value: what it is called, one and many."""
    other: Mapping[str, tuple[str, ...]]
    """By type of value: what else a key may have of that kind."""
    states: tuple[str, ...]
    """Needles: `{What}` (as a sentence begins), `{what}`, `{of}`, `{value}`."""
    one_of: str
    """One of several values: `{whats}`, `{of}`, `{value}`."""
    same_as: str
    """A link of a chain: `{What}`, `{of}`, `{other}`."""
    ask: str
    ask_all: str
    ask_several: str
    and_: str
    comma: str
    facts: tuple[Fact, ...]
    spaced: bool = True
    """Whether sentences stand apart by a blank."""


_EN_ADJECTIVES = (
    "amber ashen brazen bronze carved cedar cobalt copper coral crimson crooked drowsy dusty "
    "ebony elder emerald fallen faded frosted gilded golden granite hidden hollow indigo ivory "
    "jade lonely marble mossy narrow ochre painted pearl quiet rusty sable scarlet silver slate "
    "sunken tilted violet walnut weathered willow"
).split()
_EN_NOUNS = (
    "aqueduct archive bakery barn belfry boathouse brewery bridge carousel chapel cistern cottage "
    "depot distillery dovecote ferry foundry fountain gallery gatehouse granary greenhouse harbour "
    "hermitage lantern library lighthouse lock loom mill monastery museum observatory orchard "
    "pavilion pier pottery quarry reservoir sawmill signpost smithy stable tannery tavern theatre "
    "tower tunnel viaduct windmill workshop"
).split()

_ES_NOUNS = (
    "el faro|la torre|el molino|la ermita|el puente|la fuente|el archivo|la bodega|el taller|la "
    "cantera|el muelle|la biblioteca|el observatorio|la panadería|el establo|la alfarería|el "
    "teatro|la herrería|el acueducto|la posada|el granero|la imprenta|el embarcadero|la capilla|"
    "el invernadero|la destilería|el palomar|la galería|el almacén|la estación"
).split("|")
_ES_PLACES = (
    "Valdemora Arbolinda Peñasombra Ríoclaro Fontealba Montebruno Villarrasa Casterón Olmedilla "
    "Zarcilla Torrelobo Almendruca Bermejales Cantavieja Durandal Escarlona Frailona Grijalta "
    "Herrumbre Ibarzuela Jaralta Labrija Maderuela Navacorza Orbanal Pedraluna Quintavela Robledón "
    "Salobral Tamariza Urdiales Verdolaga Xanderas Yermalda Zumacal"
).split()

_ZH_ADJECTIVES = (
    "琥珀 青铜 朱红 碧玉 银色 金顶 石砌 古老 斜角 隐蔽 幽静 墨绿 靛蓝 象牙 雪白 赭石 紫檀 珊瑚 "
    "松木 竹编 斑驳 沉睡 落霞 望月 听雨 临风 半山 长街 北坡 南岸"
).split()
_ZH_NOUNS = (
    "灯塔 磨坊 渡口 钟楼 粮仓 书院 酒坊 茶馆 石桥 水库 窑厂 码头 天文台 染坊 铁匠铺 戏台 驿站 "
    "花房 采石场 印刷所 博物馆 造纸坊 水车 鸽舍 寺院 档案馆 画廊 温室 牌坊 船坞"
).split()

_EN_VALUES = (
    "plant carry gather paint count borrow polish hide bury mend wrap trade".split(),
    "seven nine twelve twenty forty thirteen sixteen eighty ninety eleven".split(),
    "lanterns ribbons pebbles kettles feathers ladders candles acorns anchors mirrors bells "
    "umbrellas maps violins teacups".split(),
    (
        "behind the mill|under the bridge|beside the well|near the old gate|along the canal|above "
        "the stable|inside the barn|past the orchard|by the northern wall|across the marsh"
    ).split("|"),
    (
        "before dawn|at midnight|after the first frost|when the tide turns|on the longest day|"
        "before the rain|after supper|on market day"
    ).split("|"),
)
_ES_VALUES = (
    (
        "planta lleva recoge pinta cuenta presta pule esconde entierra remienda envuelve cambia"
    ).split(),
    "siete nueve doce veinte cuarenta trece dieciséis ochenta noventa once".split(),
    "faroles cintas guijarros teteras plumas escaleras velas bellotas anclas espejos campanas "
    "paraguas mapas violines tazas".split(),
    (
        "detrás del molino|debajo del puente|junto al pozo|cerca de la puerta vieja|a orillas "
        "del canal|encima del establo|dentro del granero|más allá del huerto|bajo el muro norte|"
        "al otro lado del pantano"
    ).split("|"),
    (
        "antes del alba|a medianoche|tras la primera helada|cuando cambia la marea|el día más "
        "largo|antes de la lluvia|después de cenar|el día de mercado"
    ).split("|"),
)
_ZH_VALUES = (
    "黎明之前 午夜时分 初霜以后 退潮之时 夏至那天 下雨之前 晚饭过后 赶集那日".split(),
    "在磨坊后面 在桥洞下面 在水井旁边 在旧门附近 沿着运河 在马厩上方 在谷仓里面 在果园外面".split(),
    "种下 搬走 收集 描画 清点 借出 擦亮 藏好 埋下 修补".split(),
    "七 九 十二 二十 四十 十三 十六 八十 九十 十一".split(),
    "盏灯笼 条丝带 块卵石 把茶壶 根羽毛 架梯子 支蜡烛 颗橡子 面镜子 口铜钟 张地图 把雨伞".split(),
)

_NAMES = {
    "en": (
        "Orla Tamsin Corwin Idris Maren Lachlan Petra Soren Thea Anselm Briony Caspar Delphine "
        "Edmund Fenella Gideon Hester Isolde Jarvis Keziah Leopold Mirabel Nestor Ottilie Quentin "
        "Rosalind Silas Tabitha Ursula Vaughn Winifred".split(),
        "Ashdown Birchall Calloway Dunmore Elsworth Fairfax Garrick Holloway Inglethorpe Jessop "
        "Kettering Lonsdale Marchbank Netherby Oakhurst Penhallow Quillfeather Ravensworth "
        "Standish Thistlewood Underhill Vantongeren Wexcombe Yarborough".split(),
        " ",
    ),
    "es": (
        "Abril Benicio Casilda Damián Elvira Fermín Graciana Hernán Iria Jacobo Leocadia Mateo "
        "Nerea Olegario Paloma Quirino Remedios Saturnino Tecla Urbano Violeta Wenceslao "
        "Ximena Yago Zaida".split(),
        "Arizmendi Bustarviejo Calatrava Dueñas Echegaray Fontanar Garcilópez Hinojales Izaguirre "
        "Lizarralde Montesclaros Navascués Olavarría Peñalver Quiroga Rebolledo Santillana "
        "Tordesillas Urrutia Valdecasas Zabaleta".split(),
        " ",
    ),
    "zh": (
        "欧阳 司马 上官 诸葛 慕容 东方 皇甫 令狐 宇文 夏侯 端木 闻人".split(),
        "明轩 若溪 子墨 雨桐 景行 怀瑾 望舒 清和 知远 采薇 云舟 思齐 承泽 书瑶 星河 语冰".split(),
        "",
    ),
}

_EN = Words(
    what={
        "number": ("registration number", "registration numbers"),
        "uuid": ("registration code", "registration codes"),
        "sentence": ("motto", "mottoes"),
    },
    other={
        "number": ("insurance number", "telephone number", "inventory number"),
        "uuid": ("insurance code", "delivery code", "inventory code"),
        "sentence": ("watchword", "greeting", "farewell"),
    },
    states=(
        "The {what} {of} is {value}.",
        "It is on record that the {what} {of} is {value}.",
        "According to the ledger, the {what} {of} is {value}.",
    ),
    one_of="One of the {whats} {of} is {value}.",
    same_as="The {what} {of} is the same as that {other}.",
    ask="What is the {what} {of}?",
    ask_all="What are all the {whats} {of}? Give every one of them.",
    ask_several="What are the {whats} {ofs}? Give all of them.",
    and_=", and ",
    comma=", ",
    facts=(
        Fact("{value} can see the Colosseum from the kitchen window.", "Who lives in Rome?"),
        Fact("{value} keeps a flat in the shadow of the Eiffel Tower.", "Who lives in Paris?"),
        Fact("{value} walks past the Brandenburg Gate every day.", "Who lives in Berlin?"),
        Fact("{value} rents a room with a view of the Acropolis.", "Who lives in Athens?"),
        Fact("{value} has a balcony facing the Sagrada Família.", "Who lives in Barcelona?"),
        Fact("{value} hears Big Ben strike from the bedroom.", "Who lives in London?"),
        Fact("{value} owns a house below Table Mountain.", "Who lives in Cape Town?"),
        Fact("{value} rows to work along the Grand Canal.", "Who lives in Venice?"),
        Fact(
            "{value} takes the morning coffee opposite the Hagia Sophia.", "Who lives in Istanbul?"
        ),
        Fact("{value} cannot eat peanuts without falling ill.", "Who has a food allergy?"),
        Fact("{value} has never tasted meat or fish.", "Who is a vegetarian?"),
        Fact("{value} plays the cello every evening.", "Who is a musician?"),
    ),
)

_ES = Words(
    what={
        "number": ("el número de registro", "los números de registro"),
        "uuid": ("el código de registro", "los códigos de registro"),
        "sentence": ("el lema", "los lemas"),
    },
    other={
        "number": ("el número de teléfono", "el número de póliza", "el número de inventario"),
        "uuid": ("el código de envío", "el código de póliza", "el código de inventario"),
        "sentence": ("el saludo", "el santo y seña", "la despedida"),
    },
    states=(
        "{What} {of} es {value}.",
        "Consta en acta que {what} {of} es {value}.",
        "Según el libro mayor, {what} {of} es {value}.",
    ),
    one_of="Entre {whats} {of} está {value}.",
    same_as="{What} {of} coincide con el {other}.",
    ask="¿Cuál es {what} {of}?",
    ask_all="¿Cuáles son todos {whats} {of}? Dalos todos.",
    ask_several="¿Cuáles son {whats} {ofs}? Dalos todos.",
    and_=" y ",
    comma=", ",
    facts=(
        Fact("{value} ve el Coliseo desde la ventana de la cocina.", "¿Quién vive en Roma?"),
        Fact("{value} tiene un piso a la sombra de la torre Eiffel.", "¿Quién vive en París?"),
        Fact("{value} cruza a diario la Puerta de Brandeburgo.", "¿Quién vive en Berlín?"),
        Fact("{value} alquila un cuarto con vistas a la Acrópolis.", "¿Quién vive en Atenas?"),
        Fact("{value} se asoma cada mañana a la Sagrada Familia.", "¿Quién vive en Barcelona?"),
        Fact("{value} oye las campanadas del Big Ben al dormirse.", "¿Quién vive en Londres?"),
        Fact("{value} posee una casa al pie de la Giralda.", "¿Quién vive en Sevilla?"),
        Fact("{value} rema al trabajo por el Gran Canal.", "¿Quién vive en Venecia?"),
        Fact("{value} desayuna frente a la Alhambra.", "¿Quién vive en Granada?"),
        Fact("{value} enferma si prueba los cacahuetes.", "¿Quién es alérgico?"),
        Fact("{value} toca el violonchelo todas las tardes.", "¿Quién es músico?"),
    ),
)

_ZH = Words(
    what={
        "number": ("登记号码", "登记号码"),
        "uuid": ("登记代码", "登记代码"),
        "sentence": ("箴言", "箴言"),
    },
    other={
        "number": ("电话号码", "保险单号", "库存编号"),
        "uuid": ("寄送代码", "保险代码", "库存代码"),
        "sentence": ("口令", "问候语", "告别语"),
    },
    states=(
        "{of}{what}是{value}。",
        "据记载，{of}{what}是{value}。",
        "账册上写明，{of}{what}是{value}。",
    ),
    one_of="{of}{whats}之一是{value}。",
    same_as="{of}{what}与{other}相同。",
    ask="{of}{what}是什么？",
    ask_all="{of}全部{whats}是什么？请一一列出。",
    ask_several="{ofs}{whats}分别是什么？请全部列出。",
    and_="和",
    comma="、",
    facts=(
        Fact("{value}从厨房的窗户就能望见斗兽场。", "谁住在罗马？"),
        Fact("{value}在埃菲尔铁塔脚下有一套公寓。", "谁住在巴黎？"),
        Fact("{value}每天散步都要经过勃兰登堡门。", "谁住在柏林？"),
        Fact("{value}租的房间正对着雅典娜神庙。", "谁住在希腊的首都？"),
        Fact("{value}推开窗就是外滩。", "谁住在上海？"),
        Fact("{value}每晚枕着大本钟的钟声入睡。", "谁住在伦敦？"),
        Fact("{value}清早常到大雁塔下打拳。", "谁住在西安？"),
        Fact("{value}每个周末都去断桥看荷花。", "谁住在杭州？"),
        Fact("{value}的店铺就开在八廓街上。", "谁住在拉萨？"),
        Fact("{value}一吃花生就会起疹子。", "谁对食物过敏？"),
        Fact("{value}每天傍晚都要拉大提琴。", "谁是音乐家？"),
    ),
    spaced=False,
)

WORDS: Mapping[str, Words] = {"en": _EN, "zh": _ZH, "es": _ES}


def key(language: str, rng: Random) -> Key:
    """A thing with a name."""
    if language == "en":
        bare = f"{rng.choice(_EN_ADJECTIVES)} {rng.choice(_EN_NOUNS)}"
        return Key(f"the {bare}", f"of the {bare}", bare)
    if language == "zh":
        bare = f"{rng.choice(_ZH_ADJECTIVES)}{rng.choice(_ZH_NOUNS)}"
        return Key(bare, f"{bare}的", bare)
    article, noun = rng.choice(_ES_NOUNS).split(" ", 1)
    bare = f"{noun} de {rng.choice(_ES_PLACES)}"
    return Key(f"{article} {bare}", f"{'del' if article == 'el' else 'de la'} {bare}", bare)


def near_key(language: str, one: Key, rng: Random) -> Key:
    """Another thing that shares one of its words with this one."""
    for _ in range(1000):
        other = key(language, rng)
        if other.bare != one.bare and _share_a_word(language, one.bare, other.bare):
            return other
    return key(language, rng)


def phrase(language: str, rng: Random) -> str:
    """A short sentence, as a value that has to be repeated word for word."""
    lists = {"en": _EN_VALUES, "zh": _ZH_VALUES, "es": _ES_VALUES}[language]
    picked = [rng.choice(words) for words in lists]
    return "".join(picked) if language == "zh" else " ".join(picked)


def person(language: str, rng: Random) -> str:
    """A name that no known person bears."""
    first, last, between = _NAMES[language]
    return f"{rng.choice(first)}{between}{rng.choice(last)}"


def sentence_case(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def _share_a_word(language: str, left: str, right: str) -> bool:
    if language == "zh":
        return left[:2] == right[:2] or left[2:] == right[2:]
    skip = {"de"}
    return bool((set(left.split()) & set(right.split())) - skip)
