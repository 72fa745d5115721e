"""Words that are no names although they are written like one, by language."""

from __future__ import annotations

FUNCTION_WORDS = frozenset(
    """
    a an the and or but nor so yet if then than as at by for from in into of off on onto out over
    per to under until up upon via with within without about above after against along among
    around because before behind below between beyond during despite except since through
    throughout toward towards while whereas although though unless whether i me my mine we us our
    ours you your yours he him his she her hers it its they them their theirs this that these
    those there here who whom whose which what when where why how is am are was were be been being
    do does did done doing has have had having can could may might must shall should will would
    not no yes only also too very just again still ever never any some all each every both either
    neither one ones other others another such same more most less least much many few several
    please ok okay thanks
    el la los las lo un una unos unas y e o u ni que de del al a en con sin por para sobre entre
    hasta desde hacia según durante ante bajo tras contra si no sí como cuando donde qué quién
    quiénes cuál cuáles cuánto cuánta cuántos cuántas cómo cuándo dónde es son era eran fue fueron
    ser está están hay ha han había su sus mi mis tu tus se le les me te nos yo él ella ellos
    ellas eso esto ese esta este esa esos esas aquel aquella también pero más menos muy ya
    der die das den dem des ein eine einer eines einem einen kein keine und oder aber doch denn
    wenn ob dass als wie wo wer wen wem wessen was wann warum weshalb wieso welche welcher welches
    welchen welchem wieviel wieviele ist sind war waren sein wird werden wurde wurden hat haben
    hatte hatten kann können muss müssen darf dürfen soll sollen will wollen nicht auch nur noch
    schon sehr mehr weniger in im an am auf aus bei beim bis durch für gegen mit nach ohne seit
    über um unter von vom vor zu zum zur zwischen während wegen trotz gemäß laut ich du er sie es
    wir ihr ihn ihm ihnen uns euch mein dein sein unser euer ihre ihrer ihren ihrem seine seiner
    seinen seinem dies diese dieser dieses diesen diesem jene jener jenes man so da dort dann hier
    le la les un une des du au aux de d l et ou mais donc or ni car que qui quoi dont où quand
    comment pourquoi combien quel quelle quels quelles est sont était étaient être a ont avait
    avaient
    avoir sera seront peut peuvent doit doivent ce cet cette ces cela ça il elle ils elles on nous
    vous je tu lui leur leurs son sa ses mon ma mes ton ta tes notre nos votre vos y en dans sur
    sous avec sans pour par chez entre vers depuis pendant avant après selon contre si ne pas plus
    moins très aussi encore
    """.split()
)
"""Small words of English, Spanish, German and French."""

OPENERS = frozenset(
    """
    compare list show explain describe summarise summarize give tell find name define state
    calculate compute estimate identify outline provide discuss quote cite translate check
    according based using regarding concerning considering assuming suppose imagine let help
    sorry hello hi hey thank thanks great sure right well now today currently roughly
    approximately exactly interns employees tenants customers revenue sales profit costs page
    compara enumera explica describe resume dime dame muestra busca calcula indica según hola
    gracias
    vergleiche nenne zeige erkläre beschreibe fasse gib finde berechne laut gemäß hallo danke bitte
    compare liste montre explique décris résume donne dis trouve calcule selon bonjour merci
    """.split()
)
"""Words that open a question, capitalised for no other reason."""

LINKS = frozenset("& of de del della di du des der van von und für the la le y e".split()) - {"y"}
"""Small words inside a name, between two capitalised ones ("Bank of America")."""

COMMON_ACRONYMS = frozenset(
    """
    ceo cfo cto coo hr it pr vat pdf usd eur gbp chf cny rmb ebit ebitda roi roe roa eps capex opex
    gaap ifrs r&d kpi faq ppe pp&e cogs sg&a ai ip q&a fy ytd yoy qoq us uk eu tv ok id url sla nda
    gmbh ag kg se sa sl nv llc inc ltd plc co iva iban bic mwst agb dsgvo gdpr bgb tva pib bip gdp
    ph led usb ac dc am pm etc asap rrhh rh cdi cdd irpf
    """.split()
)
"""Abbreviations of measures, roles, currencies and legal forms: topics, not names."""

LEGAL_FORMS = frozenset("inc corp co ltd plc llc lp nv gmbh ag se sa sarl kg".split())
"""What stands after a company's name and is no part of it."""

GERMAN_HINTS = frozenset(
    "der das dem den ein eine einer eines einem einen und oder ist sind war waren wie wer wann wo "
    "warum welche welcher welches welchen wird wurde hat haben hatte im am beim vom zum zur für "
    "mit nach über von bei nicht auch muss darf kann gilt hoch viel viele davor zuvor".split()
)
"""Words by which a German question is known, where nouns have capitals too."""

GERMAN_ARTICLES = frozenset(
    "der die das den dem des ein eine einer eines einem einen kein keine keinen im am beim vom "
    "zum zur ins ans mein meine meiner dein sein seine ihr ihre ihrer unser unsere dieser diese "
    "dieses diesen diesem jeder jede jedes welche welcher welches welchen viel viele wieviel alle "
    "mehr pro ohne".split()
)

GERMAN_NOUNS = frozenset(
    """
    umsatz gewinn verlust ergebnis kosten preis preise wert werte zahl zahlen anzahl summe betrag
    höhe menge anteil quote rate rendite ausgaben einnahmen ausgabe aufwand ertrag investition
    vermögen schulden eigenkapital kapital cashflow dividende dividenden aktie aktien steuer
    steuern gehalt lohn bonus miete kaution pacht frist vertrag mietvertrag kündigung laufzeit
    beginn ende dauer termin datum tag tage tagen woche wochen monat monate monaten jahr jahre
    jahren jahres stunde stunden minute minuten uhr prozent euro dollar franken quartal halbjahr
    geschäftsjahr vorjahr zeitraum urlaub krankheit mitarbeiter mitarbeiterin mitarbeitern
    angestellte arbeitnehmer arbeitgeber firma unternehmen konzern betrieb gesellschaft kunde
    kunden lieferant lieferanten mieter vermieter käufer verkäufer partei parteien person personen
    praktikant praktikanten chef leiter vorstand team gerät geräte maschine motor pumpe filter
    batterie akku schlüssel tür turm haus wohnung zimmer raum gebäude garten parkplatz auto wagen
    wasser strom gas öl druck temperatur gewicht länge breite größe leistung spannung drehzahl
    öffnungszeiten adresse name namen grund gründe folge folgen art teil teile seite seiten
    abschnitt artikel paragraph kapitel anhang tabelle dokument dokumente bericht handbuch winter
    sommer frühling herbst nacht abend morgen mittag kinder kind eltern frau mann hund hunde katze
    katzen studie versuch probe proben gruppe gruppen patient patienten dosis wirkung methode
    regel regeln recht pflicht strafe gebühr gebühren beitrag zuschlag rabatt garantie schaden
    reise reisen spesen hotel flug zug homeoffice überstunden probezeit elternzeit
    """.split()
)
"""Common German nouns of contracts, offices, workshops and accounts."""

GERMAN_NOUN_ENDINGS = (
    "ung", "ungen", "heit", "heiten", "keit", "keiten", "schaft", "tion", "tionen", "tät", "nis",
    "nisse", "frist", "fristen", "satz", "zeit", "zeiten", "recht", "kosten", "preis", "preise",
    "gewinn", "umsatz", "vertrag", "verträge", "plan", "bericht", "zahl", "zahlen", "geld", "dauer",
    "quote", "ausgaben", "einnahmen", "aufwand", "pflicht", "urlaub", "tage", "tag", "jahr",
    "monat", "miete", "wert", "rate", "menge", "gerät", "maschine", "pumpe", "motor", "mittel",
    "kraft", "ergebnis", "steuer", "betrag", "gebühr", "termin", "schutz", "arbeit", "arbeiter",
    "arbeiterin", "nehmer", "geber", "leiter", "stelle", "antrag", "schein", "zuschlag", "regel",
    "anlage", "schlüssel", "quartal", "gehalt", "lohn", "druck", "temperatur", "leistung",
)  # fmt: skip

HAN_ORGANISATIONS = (
    "有限责任公司|股份有限公司|有限公司|公司|集团|银行|大学|医院|学院|研究院|研究所|协会|基金会|法院|"
    "委员会|事务所|出版社"
)
"""What names of organisations end in."""

HAN_GENERIC = frozenset(
    "公司 本公司 该公司 贵公司 我们公司 这家公司 那家公司 哪家公司 两家公司 其他公司 子公司 母公司 "
    "集团 本集团 该集团 银行 该银行 大学 医院 该医院 学院 法院 这个 那个 它们 他们 她们 我们 你们 "
    "自己 什么 哪个 哪些 上面 下面 其中 同样 这样 那样 所有 全部 最大 最高 最低 主要 "
    "目前 现在".split()
)
"""Words that end or stand like a name and name nobody."""
