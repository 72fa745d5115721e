"""Small words that say nothing about what a question is about, by language.

They are dropped from queries only. Which language's words count is told by the
query itself: the one whose small words it holds most of. The lists hold
question words, articles, pronouns, prepositions, conjunctions and forms of
auxiliary verbs; no nouns. They match words whose accents are folded away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache

from storage.folding import fold

_LISTS = {
    "en": "a about after all also an and any are as at be because been before being both but by can"
    " could did do does doing during each for from had has have having he her here hers him"
    " his how i if in into is it its itself just let many may me might more most much must my"
    " no nor not of on one only or other our out over per shall she should since so some such"
    " t than that the their them then there these they this those through to too under until"
    " up upon us very via was we were what when where whether which while who whom whose why"
    " will with within would you your",
    "de": "aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist da"
    " damit dann das dass dein dem den denn der des dessen dich die dies diese diesem diesen"
    " dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwa euch"
    " fur gab gegen gibt hat hatte hatten haben habe ich ihm ihn ihnen ihr ihre ihrem ihren"
    " ihrer im in ins ist ja jede jedem jeden jeder jedes kann kein keine keinen konnen man"
    " mein mich mir mit muss mussen nach nicht noch nur ob oder ohne sehr sein seine seinem"
    " seinen seiner seit sich sie sind so soll sollen uber um und uns unter viel viele vom von"
    " vor wann war waren warum was wegen welche welchem welchen welcher welches wem wen wenn"
    " wer werden wessen wie wieso wieviel wir wird wo wodurch wohin womit wurde wurden zu zum"
    " zur zwischen",
    "fr": "a ai au aucun aux avec avait avant c ce ceci cela ces cet cette ceux chez comme comment"
    " combien d dans de depuis des donc dont du elle elles en entre es est et etaient etait"
    " ete etre eu eux fut il ils j je l la laquelle le lequel les lesquels leur leurs lors lui"
    " m ma mais me meme mes moi mon n ne ni nos notre nous on ont ou par pas pendant peut"
    " peuvent plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se"
    " sera ses si sont son sous sur t ta te tes toi ton tous tout toute toutes tres tu un une"
    " vers vos votre vous y",
    "es": "a al algo algun alguna algunas algunos ante antes aquel aquella como con contra cual"
    " cuales cuando cuanta cuantas cuanto cuantos de del desde donde dos durante e el ella"
    " ellas ellos en entre era eran es esa esas ese eso esos esta estaba estan estas este esto"
    " estos fue fueron ha habia han hasta hay haya la las le les lo los mas me mi mis mucho"
    " muy nada ni no nos nosotros o os otra otras otro otros para pero poco por porque puede"
    " pueden que quien quienes se sea ser si sido sin sobre son su sus tal tambien tanto te"
    " tenia tiene tienen todo todos tras tu tus u un una unas uno unos y ya yo",
    "it": "a ad agli ai al alla alle allo anche c che chi ci come con cosa cui d da dagli dai dal"
    " dalla dalle dallo degli dei del dell della delle dello di dove e ed era erano essere fra"
    " fu gli ha hanno i il in io l la le lei li lo loro lui ma mi mia mio ne negli nei nel"
    " nella nelle nello no noi non o ogni per perche piu puo qual quale quali quando quanta"
    " quante quanti quanto quella quelle quelli quello questa queste questi questo se sei si"
    " sia sono stata stati stato su sua sue sugli sui sul sulla sulle sullo suo suoi tra tu"
    " tutti un una uno vi voi",
    "pt": "a ao aos as ate com como da das de dela dele deles depois do dos e ela elas ele eles em"
    " entre era eram essa esse esta estao estas estava este estes eu foi foram ha isso isto ja"
    " la lhe mais mas me mesmo meu minha muito na nao nas nem no nos nossa nosso num numa o"
    " onde os ou para pela pelas pelo pelos pode podem por porque porquê qual quais quando"
    " quanta quantas quanto quantos que quem sao se seja sem ser seu seus so sobre sua suas"
    " tambem te tem ter teve tinha um uma umas uns voce voces",
    "nl": "aan al alle als bij daar dan dat de der deze die dit doen door dus een en er ge geen had"
    " hadden haar hebben heb heeft hem het hier hij hoe hoeveel hun ik in is ja je jij kan"
    " kunnen maar me meer men met mij mijn moet moeten na naar niet nog nu of om omdat onder"
    " ons onze ook op over te tegen toch toen tot u uit uw van veel voor waar waarom wanneer"
    " waren was wat we welk welke wel wie wij wordt worden zal ze zelf zich zij zijn zo zou"
    " zonder zullen",
    "sv": "alla att av blev bli blir da de dem den denna deras dess dessa det detta dig din dina"
    " ditt dock du efter ej eller en er ett fran for fore ha hade han hans har hennes hon"
    " honom hur i icke in inte ja jag kan kunde man manga med mellan men mig min mina mot"
    " mycket nagon nagot nar ni nu och om oss pa sa samma sig sin sina sitt ska skall skulle"
    " som till under upp ut utan vad var vara varfor varit vars vem vems vi vid vilka vilken"
    " vilket",
    "da": "af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din"
    " disse dog du efter eller en end er et for fra ham han hans har havde have hende hendes"
    " her hos hun hvad hvem hvilke hvilken hvilket hvis hvor hvordan hvorfor hvornar i ikke"
    " ind jeg jo kan kunne man mange med meget men mig min mod ned noget nogle nu nar og ogsa"
    " om op os over pa sa selv sig sin skal skulle som til ud under var vaere vi vil ville",
    "no": "alle at av ble bli blir da de dem den denne der deres det dette dere disse du eller en"
    " er et etter for fra fordi ha hadde han hans har henne hennes her hun hva hvem hvilke"
    " hvilken hvilket hvor hvordan hvorfor hvis i ikke inn ja jeg kan kunne man mange med meg"
    " mellom men mer min mot mye na nar noe noen og ogsa om opp oss over pa sa seg selv sin"
    " sitt skal skulle som til under ut uten var vare vart ved vi vil ville vaere vaert",
    "fi": "ei eivat eli en etta ha han hanen he heidan ilman ja jo joka jos jotka kanssa kenen"
    " ketka koska kuin kuinka kuka kun me mihin mika miksi millainen milloin mina minka missa"
    " mista miten mitka mita mukaan mutta myos ne niiden niin niissa niita noin nyt oli olivat"
    " olla on ovat paljonko se sen sina sita tai tama tassa tata te voi voiko vuoksi",
    "pl": "a ale albo bez bo byl byla byli bylo byc ci co czy czyj dla do gdy gdzie go i ich ile im"
    " ja jak jaka jaki jakie jakich jakim jako je jego jej jest jestem jeszcze juz kiedy kim"
    " kogo komu kto ktora ktore ktorego ktorej ktory ktorych ktorym ktorzy ku lub ma mam mi"
    " miedzy mnie moga moze my na nad nam nas nie niz o od on ona one oni ono oraz po pod"
    " podczas poniewaz przed przez przy sa sie skad swoj ta tak takze tam te tego tej ten to"
    " tu ty tych tylko tym u w we wy z za ze",
    "cs": "a aby ale ani az bez bude budou by byl byla byli bylo byt co ci do ho i ja jak jaka jake"
    " jaky jako je jeho jeji jejich jen jsem jsou k kam kde kdo kdy kolik ktera ktere ktereho"
    " kteri ktery kvuli ma mezi mi mit my na nad nam nebo neni nez nic o od ona oni ono pak po"
    " pod podle pro proc protoze pred pres pri s se si sve svuj ta tak take tedy ten tento"
    " teto ti to tohle toho tom tomu tu ty u uz v ve vsak z za ze",
    "hu": "a ahogy aki akik akkor amely amelyek ami amig az azok azon azt azzal be de egy ehhez el"
    " ennek es ez ezek ezt ezzel fel ha hany hanyan hogy hogyan hol honnan hova is itt kell ki"
    " kik kinek le lehet lesz lett ma mar meg mely melyek melyik mennyi mert mi miatt miert"
    " mikor milyen mint mit mivel nagyon nem o ok ott s sem szerint ugy utan vagy van vannak"
    " volt voltak",
    "ro": "a acea aceasta aceea acel acele acest aceste acestea acestui ai al ale am ar are as asa"
    " atat au avea ca cand care carei carui cat cata cate cati ce cei cel cele celor cine cu"
    " cui cum da daca dar de deci decat despre din dintre doar dupa e ea ei el ele este eu"
    " fara fi fie fost in intr intre isi la le li lor lui ma mai mea mi mult ne nici nu o or"
    " ori pe pentru prin sa sau se si sub sunt te tot un una unde unei unui va",
    "tr": "acaba ama ancak asil bana bazi ben beni benim bir biri birkac biz bize bizim bu buna"
    " bunu bunun cok cunku da daha de degil diye dolayi en gibi hangi hangisi hem hep her hic"
    " icin ile ise iste kac kadar ki kim kime kimi kimin mi mu nasil ne neden nedir nerede"
    " nereye nesi nicin niye o ona onlar onu onun oldu olan olarak oldugu sen siz su sonra tum"
    " uzere var ve veya yok",
    "id": "ada adalah agar akan aku antara apa apakah atau bagaimana bagi bahwa banyak berapa bisa"
    " dan dalam dapat dari dengan di dia harus ia ini itu jika juga kami kamu kapan karena ke"
    " kepada kita lagi lalu lebih maka mana mengapa mereka namun oleh pada para sampai sangat"
    " saya secara seperti siapa sudah tapi telah tentang terhadap tetapi tidak untuk yang",
    "vi": "ai bi boi cac cai cho chung co cua cung da dau de den di do duoc gi hay hoac khi khong"
    " la lam lau luc mot nao nay neu nhieu nhu nhung o ra rang sao sau se tai the thi tren"
    " trong truoc tu va vao ve vi voi",
    "ru": "а без бы был была были было быть в вам вас весь во вот все всего всех вы где да для до"
    " ее его ей ему если есть еще же за зачем и из или им их к как какая какие какими каких"
    " какого какое какой какую когда которая которого которой которые который которых кого"
    " кому ко кто куда ли либо между меня мне мы на над не него нее нет ни них но о об однако"
    " он она они оно от откуда по под почему при про с сам свои свой своих себя со сколько так"
    " также такой там те тем то того тоже той только том ты у уже чего чей чем через что чтобы"
    " эта эти этих это этого этой этом этот я",
    "uk": "а або але без би був була були було в вам вас ви від він вона вони воно все всі де для"
    " до є же з за зі і із їі її їм їх й його йому коли кого кому котра хто чи чим чого чому"
    " як яка які який яким яких якого якої куди між ми мене мені на над не немає ні ним них ну"
    " о об по під при про с свої себе скільки так також там те ти то того той тому у хоча ця"
    " це цей ці цього що щоб я",
    "bg": "а аз ако ала без беше бил била били бъде в вас ви все всички във где го да дали до"
    " докато е ето за защо и из или им има имат как каква какво какъв какви като кога кого"
    " което които който която къде към ли ме между ми много му на над най не него нея ни ние"
    " но някой о от по под поради при през с са само се си сме със също така там те тези ти то"
    " това този тя тях у че чий ще я",
    "el": "αλλα αν αντι απο αυτα αυτες αυτη αυτην αυτο αυτοι αυτος αυτου αυτων για δε δεν εγω ειναι"
    " εκει ενα ενας εναν επι ετσι εχει εχουν η ηταν θα και κατα με μετα μη μια μιας μου να ο"
    " οι ολα οποια οποιο οποιος οπου οπως οτι ου ουτε ποια ποιες ποιο ποιοι ποιοσ ποιος ποιου"
    " πολυ ποσα ποσες ποσο ποσοι ποτε που προς πως σαν σε στα στη στην στις στο στον στους συ"
    " τα τη την της τι τις το τοι τον του τους των ως",
    "ar": "اذا الا التي الذي الذين الى ام اما ان انا انت او اي ايضا اين بعد بين تلك ثم حتى حول حين"
    " خلال ذلك سوف على علي عليه عن عند غير في فيه فيها قبل قد كان كانت كل كم كما كيف لا لان"
    " لذلك لكن لم لماذا لن له لها ليس ما ماذا متي مثل مع من منذ منه مها نحن هذا هذه هل هم هناك"
    " هنالك هو هي و وكان ولا ومن يكون",
    "fa": "از ان انها او ايا اين اينكه با باشد باشند براي بر به بود بودند تا جه جرا جگونه جند جنين"
    " چه چرا چگونه چند چنين چيست خود خواهد در دارد دارند را شد شده شود كجا كدام كرد كرده كند"
    " كه كي كيست ما مي من نه نيز نيست هر هست هم همه و وي يا يك",
    "he": "אבל או אולי אותה אותו אותם אחרי אך אל אלא אלה אם אני אנחנו אף אשר את אתה אתם בין גם דרך"
    " הוא היא היה היו היתה הם הן הנה ו זאת זה זו יותר יש כאשר כדי כי כיצד כל כמה כן לא לאן לו"
    " לי לכן למה לפני לפי מאוד מדוע מה מהו מהי מהם מי מן מתי נגד עד על עם עוד פי של שלה שלו"
    " שלהם שם תחת",
    "hi": "अगर अपना अपनी अपने अब इन इनका इस इसका इसकी इसके इसमें इसलिए उन उनका उनकी उनके उन्हें उस"
    " उसका उसकी उसके एक एवं ऐसा ओर और कब कभी कर करना करने करता करते करती कहा कहां कहाँ का"
    " कितना कितनी कितने किन किस किसका किसकी किसके किसने किसी की कुछ के को कोई कौन कौनसा क्या"
    " क्यों गई गए गया गयी जब जहां जा जाता जाती जाते जिन जिस जिसका जिसकी जिसके जिसने जैसे जो तक"
    " तब तथा तो था थी थे दिया द्वारा नहीं ने पर परन्तु फिर बाद भी मगर में मैं यदि यह यहां या"
    " ये रहा रही रहे लिए लेकिन व वह वहां वाला वाली वाले वे सकता सकते सकती सब सभी साथ से हम ही"
    " हुआ हुई हुए है हैं हो होगा होता होती होते होने",
}


def languages_of(words: Iterable[str], among: Collection[str] = ()) -> tuple[list[str], int]:
    """The languages whose small words a query holds most of, and how many it holds.

    With `among` given, those of them that are in it, if any is. No small word
    at all: no language.
    """
    lists = _sets()
    votes = Counter(
        language for word in words for language, small in lists.items() if word in small
    )
    most = max(votes.values(), default=0)
    found = [language for language, count in votes.items() if count == most]
    return [language for language in found if language in among] or found, most


def stop_words(languages: Iterable[str]) -> frozenset[str]:
    """The small words of all of these languages."""
    return frozenset().union(*(_sets().get(language, ()) for language in languages))


def is_known(language: str) -> bool:
    """Whether there is a list for a language, or its script alone tells it."""
    return language in _LISTS or language in ("ja", "ko", "th", "zh")


@cache
def _sets() -> dict[str, frozenset[str]]:
    return {
        language: frozenset(fold(word) for word in words.split())
        for language, words in _LISTS.items()
    }
