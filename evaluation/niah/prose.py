"""Varied prose from a seed, so that a fresh machine has something to hide a needle in.

Sentences are put together from frames and lists of words. They say nothing
true and name no numbers. Of 7,500 sentences, a prompt of 128K, one in eighteen
has stood before in English, one in eleven in Spanish and Chinese. Equal seeds
give equal text everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random

_SLOT = re.compile(r"\{(\w+)\}")

_LEAST, _MOST = 3, 8
"""Sentences a paragraph."""

Grammar = Mapping[str, Sequence[str]]


def _list(text: str, by: str = "|") -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(by) if part.strip())


_EN: Grammar = {
    "sentence": _list(
        "{Time}, {who} {did} {what} {where}.|{Who} {did} {what}, {while}.|"
        "{Who} {said} that {claim}.|Although {claim}, {who} {did} {what} {manner}.|"
        "{Where}, {claim}, and {who} {noticed} {what}.|When {claim}, {who} told everyone {manner}.|"
        "It was {who} who {did} {what} {time}.|Nobody {where} could say why {who} {did} {what}.|"
        "{Who} had once {done} {what} {where}, but {time} {claim}.|"
        "“{Claim},” {said} {who} {manner}, and {did} {what}.|"
        "Since {claim}, there was little to do {where} except wait for {who}.|"
        "{What} stood {where}, and {who} came upon it {time}.|"
        "Was it true that {claim}? {Who} {did} {what} all the same.|"
        "Of all that happened {where}, {who} remembered {what} best.|"
        "{Who} and {who} {did} {what} {manner}, {while}.|"
        "{Claim}; {who} {said} as much {time}.|"
        "Long after {who} {did} {what}, {claim}."
    ),
    "time": _list(
        "in the early spring|towards evening|on the following morning|late in the autumn|after "
        "the long rain|before the harvest was in|at the end of the week|some days later|during "
        "the quiet season|shortly before noon|once the snow had gone|all through that winter|on "
        "the eve of the fair|when the lamps were lit|at first light|in those uncertain months|"
        "every other afternoon|without any warning"
    ),
    "who": _list(
        "the schoolmaster|an old ferryman|the widow from the corner house|two surveyors|the "
        "younger brother|a travelling bookbinder|the clerk of the parish|her cousin|a retired "
        "captain|the gardener|most of the villagers|the new apprentice|a painter of signs|the "
        "doctor's wife|the night watchman|three musicians|the innkeeper|a student of botany|the "
        "mayor's secretary|a stranger in a grey coat|the shepherd|the postmistress|an impatient "
        "lawyer|the organist|the carpenter's daughter|a seller of almanacs"
    ),
    "did": _list(
        "carried away|described at length|looked over|set aside|spoke about|returned|wrapped up|"
        "examined|put in order|hid|admired|borrowed|left behind|asked after|quarrelled over|"
        "forgot|repaired|sketched|measured|handed over|refused|bought back|read aloud from|"
        "argued about|cleaned"
    ),
    "done": _list(
        "lost|sold|drawn|promised|inherited|misplaced|studied|found|guarded|lent out|painted|"
        "buried|praised"
    ),
    "noticed": _list(
        "noticed|passed by|mentioned|mistook|remembered|walked around|pointed out|overlooked|"
        "wrote down|counted"
    ),
    "what": _list(
        "the heavy ledger|a bundle of letters|the broken clock|a basket of pears|the map of the "
        "valley|an unfinished portrait|the key to the cellar|a length of blue cloth|the keeper's "
        "boots|a pair of brass scales|the oldest of the violins|a sack of seed|the minutes of the "
        "meeting|a jar of honey|the painted screen|a model of the bridge|the garden gate|a pile "
        "of slates|the sundial|an empty birdcage|the almanac|a coil of rope|the copper kettle|the "
        "vestry cupboard|a box of lenses|the torn sail|a bottle of ink|the wooden horse"
    ),
    "where": _list(
        "beside the canal|at the edge of the wood|in the back room|under the arcade|on the "
        "landing|behind the churchyard|in the market square|along the towpath|near the weir|at "
        "the foot of the hill|in the reading room|above the bakery|on the far bank|in the "
        "courtyard|by the stove|outside the customs house|at the crossroads|between the "
        "warehouses|in the orchard|on the upper terrace"
    ),
    "said": _list(
        "said|insisted|admitted|believed|repeated|feared|supposed|wrote|argued|let it be known|"
        "maintained|whispered"
    ),
    "manner": _list(
        "with great patience|rather reluctantly|as if nothing had happened|in a low voice|with "
        "evident pleasure|for no clear reason|more than once|without looking up|in perfect good "
        "humour|after some hesitation|with unusual care|half in jest|to everybody's surprise|"
        "as the custom was"
    ),
    "claim": _list(
        "the river was rising again|nothing had been decided|the road would soon be mended|the "
        "roof no longer kept out the rain|the apples were not yet ripe|every seat was taken|the "
        "letter had come too late|the bells were out of tune|the wind had turned to the north|"
        "the accounts did not agree|the old path led nowhere|the lamps burned badly|there was "
        "still bread enough|the fair had been a failure|the ice would not hold|the curtains "
        "were always drawn|the horses were tired|the house was for sale|the mist lay over the "
        "fields|the committee had never met|the colours had faded|the swallows were late|the "
        "well had run dry|the ferry was delayed|the choir needed new voices|the harvest had been "
        "poor"
    ),
    "while": _list(
        "while the kettle boiled|as the others looked on|before anyone could object|while rain "
        "ran down the panes|and nobody minded|as one does in small towns|although it was "
        "Sunday|while the dog slept by the door|as the light failed|and went home on foot|"
        "without a word of thanks|while the children played outside|as the rules allowed"
    ),
}

_ES: Grammar = {
    "sentence": _list(
        "{Time}, {who} {did} {what} {where}.|{Who} {did} {what}, {while}.|{Who} {said} que "
        "{claim}.|Aunque {claim}, {who} {did} {what} {manner}.|{Where}, {claim}, y {who} {did} "
        "{what}.|Cuando {claim}, {who} lo {said} {manner}.|Fue {who} quien {did} {what} {time}.|"
        "Nadie sabía {where} por qué {who} {did} {what}.|«{Claim}», {said} {who} {manner}.|"
        "Como {claim}, poco quedaba por hacer {where}, salvo esperar a {who}.|"
        "¿Era cierto que {claim}? {Who} {did} {what} de todos modos.|"
        "De cuanto ocurrió {where}, {who} solo recordaba que {claim}.|"
        "{Claim}; así lo {said} {who} {time}.|"
        "Mucho después de que {who} volviera, {claim}.|{Who} {did} {what} {time}, {while}."
    ),
    "time": _list(
        "a comienzos de la primavera|al caer la tarde|a la mañana siguiente|bien entrado el "
        "otoño|después de la larga lluvia|antes de la cosecha|al final de la semana|unos días "
        "más tarde|en la temporada tranquila|poco antes del mediodía|cuando se fue la nieve|"
        "durante todo aquel invierno|la víspera de la feria|al encenderse los faroles|con las "
        "primeras luces|en aquellos meses inciertos|sin previo aviso"
    ),
    "who": _list(
        "el maestro|un viejo barquero|la viuda de la esquina|el hermano menor|un encuadernador "
        "ambulante|la secretaria del alcalde|su prima|un capitán retirado|la jardinera|el nuevo "
        "aprendiz|un pintor de letreros|la mujer del médico|el sereno|la posadera|un estudiante "
        "de botánica|un forastero de abrigo gris|el pastor|la cartera|un abogado impaciente|el "
        "organista|la hija del carpintero|un vendedor de almanaques"
    ),
    "did": _list(
        "se llevó|describió con detalle|examinó|dejó a un lado|devolvió|envolvió|puso en orden|"
        "escondió|admiró|pidió prestado|olvidó|reparó|dibujó|midió|entregó|rechazó|volvió a "
        "comprar|limpió|mencionó|guardó|perdió de vista|contempló"
    ),
    "what": _list(
        "el pesado libro de cuentas|un fajo de cartas|el reloj roto|una cesta de peras|el mapa "
        "del valle|un retrato inacabado|la llave de la bodega|un corte de tela azul|las botas del "
        "guarda|unas balanzas de latón|el más antiguo de los violines|un saco de semillas|el acta "
        "de la reunión|un tarro de miel|el biombo pintado|una maqueta del puente|la verja del "
        "jardín|un montón de pizarras|el reloj de sol|una jaula vacía|un rollo de cuerda|la "
        "tetera de cobre|una caja de lentes|la vela desgarrada|un frasco de tinta|el caballo de "
        "madera"
    ),
    "where": _list(
        "junto al canal|en la linde del bosque|en la trastienda|bajo los soportales|en el "
        "descansillo|detrás del cementerio|en la plaza del mercado|por el camino de sirga|cerca "
        "de la presa|al pie de la colina|en la sala de lectura|encima de la panadería|en la otra "
        "orilla|en el patio|al lado de la estufa|frente a la aduana|en la encrucijada|entre los "
        "almacenes|en el huerto|en la terraza alta"
    ),
    "said": _list(
        "dijo|admitió|repitió|escribió|sostuvo|murmuró|dio a entender|reconoció|comentó|recordó"
    ),
    "manner": _list(
        "con mucha paciencia|de mala gana|como si nada hubiera pasado|en voz baja|con evidente "
        "placer|sin razón aparente|más de una vez|sin levantar la vista|de muy buen humor|tras "
        "cierta vacilación|con un cuidado poco común|medio en broma|para sorpresa de todos|"
        "según la costumbre"
    ),
    "claim": _list(
        "el río volvía a crecer|nada estaba decidido|pronto arreglarían el camino|el tejado ya "
        "no resistía la lluvia|las manzanas aún estaban verdes|no quedaba ningún asiento libre|la "
        "carta había llegado tarde|las campanas desafinaban|el viento soplaba del norte|las "
        "cuentas no cuadraban|el viejo sendero no llevaba a ninguna parte|los faroles alumbraban "
        "mal|todavía quedaba pan|la feria había sido un fracaso|el hielo no aguantaría|las "
        "cortinas estaban siempre echadas|los caballos estaban cansados|la casa estaba en venta|"
        "la niebla cubría los campos|la comisión no se había reunido nunca|los colores se habían "
        "apagado|las golondrinas tardaban en volver|el pozo se había secado|la barca llegaba con "
        "retraso|el coro necesitaba voces nuevas"
    ),
    "while": _list(
        "mientras hervía el agua|ante la mirada de los demás|antes de que nadie protestara|"
        "mientras la lluvia corría por los cristales|y a nadie le importó|como se hace en los "
        "pueblos|aunque era domingo|mientras el perro dormía junto a la puerta|cuando ya faltaba "
        "la luz|y volvió a casa a pie|sin una palabra de agradecimiento|mientras los niños "
        "jugaban fuera"
    ),
}

_ZH: Grammar = {
    "sentence": _list(
        "{time}，{who}{where}{did}{what}。|{who}{manner}{did}{what}，{while}。|{who}{said}，{claim}。|"
        "虽然{claim}，{who}还是{manner}{did}{what}。|{time}，{claim}，{who}便{did}{what}。|"
        "据{who}说，{claim}。|谁也不明白{who}为什么{where}{did}{what}。|“{claim}，”{who}{manner}说道。|"
        "既然{claim}，{who}只好{where}等着，{while}。|难道真的{claim}吗？{who}照样{did}{what}。|"
        "{who}记得，{time}{claim}。|{who}和{who}{where}{did}{what}，{while}。|"
        "{claim}；{time}，{who}也这样{said}。|等到{claim}的时候，{who}已经{did}{what}。"
    ),
    "time": _list(
        "初春时节|傍晚时分|第二天清早|深秋的一个下午|久雨初晴之后|秋收以前|到了周末|过了几天|清闲的日子里|"
        "将近正午|积雪化尽之后|那年冬天|庙会前夜|掌灯的时候|天刚蒙蒙亮|那几个月里|事先毫无征兆|端午前后"
    ),
    "who": _list(
        "私塾先生|摆渡的老人|街角的寡妇|测量员|邻家的弟弟|走街串巷的装订匠|镇公所的文书|她的表姐|退休的船长|"
        "花匠|新来的学徒|画招牌的师傅|医生的太太|更夫|客栈老板|学植物的学生|穿灰大衣的陌生人|牧羊人|女邮差|"
        "性急的律师|弹琴的人|木匠的女儿|卖历书的小贩|管账先生"
    ),
    "did": _list(
        "搬走了|细细描述了|查看了|收起了|谈起了|送回了|包好了|整理了|藏起了|称赞了|借走了|遗忘了|修好了|"
        "画下了|量过了|交出了|退回了|买回了|擦净了|打听起|留下了"
    ),
    "what": _list(
        "那本厚重的账簿|一捆旧信|坏掉的座钟|一篮梨子|山谷的地图|一幅没画完的肖像|地窖的钥匙|一段蓝布|守门人的"
        "靴子|一副铜天平|最老的那把提琴|一袋种子|会议的记录|一罐蜂蜜|彩绘的屏风|石桥的模型|园子的木门|一堆石板|"
        "院里的日晷|空空的鸟笼|那本历书|一卷麻绳|铜水壶|柜子里的茶具|一盒镜片|撕破的船帆|一瓶墨水|孩子的木马"
    ),
    "where": _list(
        "在运河边|在树林边上|在后屋里|在骑楼下|在楼梯口|在祠堂后面|在集市上|沿着纤道|在水坝附近|在山脚下|在阅览室|"
        "在面包房楼上|在河对岸|在天井里|在炉子旁|在税关外面|在十字路口|在仓库之间|在果园里|在高处的平台上"
    ),
    "said": _list("说过|承认|反复说|写道|坚持认为|低声说|暗示|回忆道|解释说|叹道"),
    "manner": _list(
        "十分耐心地|颇不情愿地|若无其事地|压低声音|满心欢喜地|不知为何|不止一次地|头也不抬地|兴致勃勃地|"
        "犹豫再三，|格外小心地|半开玩笑地|出人意料地|照老规矩"
    ),
    "claim": _list(
        "河水又涨起来了|什么都还没有定下来|道路很快就会修好|屋顶再也挡不住雨|苹果还没有成熟|座位都已坐满|信来得太迟|"
        "钟声总是走调|风已经转向北边|账目怎么也对不上|旧路不知通向哪里|灯光十分昏暗|面包还够大家吃|集市办得很冷清|"
        "冰面怕是承不住人|窗帘总是拉着|马匹都疲倦了|房子正要出售|薄雾笼罩着田野|委员会从未开过会|颜色早已褪去|"
        "燕子迟迟没有回来|水井已经干涸|渡船误了时辰|唱诗班缺少新的嗓音|今年的收成不好"
    ),
    "while": _list(
        "炉上的水正好烧开|旁人都在看着|谁也来不及反对|雨水顺着玻璃往下流|也没有人在意|小镇上向来如此|"
        "尽管那天是休息日|狗还睡在门边|天色渐渐暗下来|然后步行回家去了|连一句谢谢也没说|孩子们正在外面玩耍"
    ),
}

_GRAMMARS: Mapping[str, Grammar] = {"en": _EN, "es": _ES, "zh": _ZH}


def paragraphs(language: str, seed: int | str) -> Iterator[str]:
    """Paragraphs without end, each of a few sentences."""
    grammar, rng = _GRAMMARS[language], Random(f"prose/{language}/{seed}")
    between = "" if language == "zh" else " "
    last = ""
    while True:
        made: list[str] = []
        for _ in range(rng.randint(_LEAST, _MOST)):
            sentence = last
            while sentence == last:
                sentence = _sentence(grammar, rng)
            made.append(sentence)
            last = sentence
        yield between.join(made)


def _sentence(grammar: Grammar, rng: Random) -> str:
    used: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        choice = rng.choice(grammar[slot.lower()])
        while choice in used:
            choice = rng.choice(grammar[slot.lower()])
        used.add(choice)
        return choice if slot[0].islower() else choice[0].upper() + choice[1:]

    return _SLOT.sub(fill, rng.choice(grammar["sentence"]))
