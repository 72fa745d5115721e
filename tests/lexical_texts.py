"""Short texts in many languages with one question each: the text at the same place answers it."""

from __future__ import annotations

ANSWERS_AND_QUESTIONS: dict[str, list[tuple[str, str]]] = {
    "de": [
        (
            "Die Versicherungspolice wird dem Kunden innerhalb von zehn Tagen zugestellt.",
            "Wann bekommt der Kunde die Police?",
        ),
        (
            "Für Dienstreisen mit dem eigenen Fahrzeug werden 30 Cent je Kilometer erstattet.",
            "Erstattung für eine Reise mit dem Auto pro Kilometer",
        ),
        (
            "Die Kraftfahrzeughaftpflichtversicherung deckt Schäden bis 100 Millionen Euro.",
            "Was deckt die Haftpflicht beim Kraftfahrzeug?",
        ),
        (
            "Der Mietvertrag kann mit einer Kündigungsfrist von drei Monaten beendet werden.",
            "Frist für die Kündigung der Miete",
        ),
        (
            "Die Geschäftsführerin unterschreibt alle Arbeitsverträge persönlich.",
            "Wer unterschreibt die Verträge?",
        ),
        (
            "Das Wasserkraftwerk an der Isar liefert Strom für vierzigtausend Haushalte.",
            "Kraftwerk mit Wasser: wie viele Haushalte bekommen Strom?",
        ),
        (
            "Bei Überschreitung der Höchstgeschwindigkeit droht ein Fahrverbot.",
            "Was passiert bei zu hoher Geschwindigkeit?",
        ),
        (
            "Die Krankenkasse übernimmt die Kosten für Schutzimpfungen vor Auslandsreisen.",
            "Zahlt die Kasse eine Impfung vor einer Reise ins Ausland?",
        ),
        (
            "Jeder Arbeitnehmer hat Anspruch auf dreißig Urlaubstage im Kalenderjahr.",
            "Wie viele Tage Urlaub gibt es im Jahr?",
        ),
        (
            "Der Feuerlöscher im Treppenhaus wird alle zwei Jahre geprüft.",
            "Prüfung der Feuerloescher",
        ),
        (
            "Die Häuser in der Gartenstraße stehen unter Denkmalschutz.",
            "Welches Haus in der Gartenstrasse ist ein Denkmal?",
        ),
        (
            "Rechnungen sind binnen vierzehn Tagen nach Rechnungsdatum zu begleichen.",
            "Zahlungsziel: Datum der Rechnung plus wie viele Tage?",
        ),
        (
            "Das Prüfungsamt veröffentlicht die Noten am schwarzen Brett.",
            "Wo hängt das Amt die Ergebnisse der Prüfungen aus?",
        ),
        (
            "Die Sitzung des Aufsichtsrats fand im März in München statt.",
            "Aufsichtsratssitzung München",
        ),
        (
            "Der Energieverbrauch der Anlage sank um zwölf Prozent.",
            "Verbrauch von Energie",
        ),
        (
            "Kinder unter sechs Jahren fahren in allen Zügen kostenlos mit.",
            "Was kostet die Zugfahrt für ein Kind?",
        ),
        (
            "Die Police der Versicherung liegt im Tresor der Filiale.",
            "Versicherungspolice im Tresor",
        ),
        (
            "Am Bahnhof entsteht ein Parkhaus für Fahrräder.",
            "Fahrradparkhaus",
        ),
    ],
    "fr": [
        (
            "Les salariés bénéficient de vingt-cinq jours de congés payés par an.",
            "Combien de jours de congé un salarié a-t-il ?",
        ),
        (
            "Le contrat de location prend fin le trente juin deux mille vingt-cinq.",
            "Quand finit la location ?",
        ),
        (
            "L'entreprise a réalisé un chiffre d'affaires de huit millions d'euros.",
            "chiffre d’affaires réalisé par les entreprises",
        ),
        (
            "Les élèves doivent rendre leurs livres à la bibliothèque avant l'été.",
            "A quelle date l'eleve rend-il le livre à la bibliotheque",
        ),
        (
            "La garantie ne couvre pas les dommages causés par l'eau.",
            "Un dommage dû à l'eau est-il couvert ?",
        ),
        (
            "Le musée est fermé le mardi et les jours fériés.",
            "Fermeture du musee",
        ),
        (
            "Les chevaux sont nourris trois fois par jour au haras.",
            "Comment nourrir un cheval ?",
        ),
        (
            "Toute réclamation doit être adressée par écrit au service clientèle.",
            "Où adresser une reclamation écrite ?",
        ),
        (
            "Les travaux de rénovation de la façade dureront six mois.",
            "Durée du travail de renovation des façades",
        ),
        (
            "Le conseil municipal a voté la construction d'une nouvelle école.",
            "Les écoles construites après le vote du conseil",
        ),
        (
            "Un œuf contient environ sept grammes de protéines.",
            "protéine dans les oeufs",
        ),
        (
            "Le train à destination de Lyon partira de la voie douze.",
            "De quelle voie part le train pour Lyon ?",
        ),
    ],
    "ar": [
        (
            "ينتهي عقد الإيجار في نهاية شهر حزيران.",
            "متى تنتهي عقود إيجار",
        ),
        (
            "يحق للموظفين إجازة سنوية مدتها ثلاثون يوما.",
            "كم يوم إجازة للموظف",
        ),
        (
            "تقع المكتبة الوطنية في وسط المدينة.",
            "أين مكتبة وطنية في مدينة",
        ),
        (
            "وَقَّعَ الوَزِيرُ الاتِّفاقِيَّةَ مع الشركة الألمانية.",
            "من وقع الاتفاقية",
        ),
        (
            "بلغت أرباح الشـــركة عشرة ملايين دولار.",
            "أرباح شركة",
        ),
        (
            "يجب على الطلاب تسليم الأبحاث قبل الامتحان.",
            "تسليم بحث الطالب",
        ),
        (
            "أُنشئت المدرسة عام ١٩٨٥ في القاهرة.",
            "مدرسة 1985",
        ),
        (
            "يغلق المتحف أبوابه يوم الثلاثاء.",
            "إغلاق متحف الثلاثاء",
        ),
        (
            "تشمل الضمانات عيوب التصنيع فقط.",
            "ماذا يشمل الضمان",
        ),
        (
            "القهوة العربية تقدم مع التمر.",
            "قهوه عربيه",
        ),
        (
            "زار الرئيس مستشفى الأطفال أمس.",
            "مستشفي اطفال",
        ),
        (
            "وافق البرلمان على الميزانية الجديدة.",
            "موافقة برلمان ميزانية",
        ),
    ],
    "hi": [
        (
            "किराये का अनुबंध जून के अंत में समाप्त होता है।",
            "अनुबंध कब समाप्त होगा",
        ),
        (
            "कर्मचारियों को हर साल तीस दिन की छुट्टी मिलती है।",
            "कर्मचारी की छुट्टियाँ कितनी हैं",
        ),
        (
            "राष्ट्रीय पुस्तकालय शहर के बीच में स्थित है।",
            "पुस्तकालय शहर में कहाँ है",
        ),
        (
            "मंत्री ने जर्मन कंपनी के साथ समझौते पर हस्ताक्षर किए।",
            "समझौता किस कंपनी के साथ हुआ",
        ),
        (
            "विद्यार्थियों को परीक्षा से पहले किताबें लौटानी होंगी।",
            "किताब लौटाना विद्यार्थी",
        ),
        (
            "संग्रहालय मंगलवार को बंद रहता है।",
            "संग्रहालय किस दिन बंद है",
        ),
        (
            "लड़के मैदान में क्रिकेट खेल रहे थे।",
            "लडका मैदान क्रिकेट",
        ),
        (
            "नदी पर नया पुल बनाया जाएगा।",
            "पुलों का निर्माण नदी",
        ),
        (
            "दवाइयाँ बच्चों की पहुँच से दूर रखें।",
            "दवाई बच्चा",
        ),
        (
            "गाड़ी की गति सीमा साठ किलोमीटर प्रति घंटा है।",
            "गाड़ियों की गति",
        ),
        (
            "पानी की टंकी की सफाई हर महीने होती है।",
            "टंकी सफाई महीना",
        ),
        (
            "फ़ैसला अदालत ने पिछले हफ़्ते सुनाया।",
            "अदालत का फैसला",
        ),
    ],
    "ja": [
        (
            "賃貸契約は六月末に終了します。",
            "契約の終了はいつですか",
        ),
        (
            "社員は年に三十日の有給休暇を取得できる。",
            "有給休暇は何日ありますか",
        ),
        (
            "サーバーの障害時はバックアップから復元する。",
            "サーバの復元方法",
        ),
        (
            "東京都の人口は約千四百万人である。",
            "東京の人口はどのくらい",
        ),
        (
            "国立図書館は駅の東口から歩いて五分です。",
            "図書館まで駅から何分",
        ),
        (
            "保証は水による損傷を対象としない。",
            "水の損傷は保証されますか",
        ),
        (
            "美術館は火曜日に休館する。",
            "美術館の休みは何曜日",
        ),
        (
            "ﾃﾞｰﾀﾍﾞｰｽの更新は毎晩零時に行われる。",
            "データベース更新の時刻",
        ),
        (
            "新しい学校の建設が市議会で可決された。",
            "学校建設を可決した議会",
        ),
        (
            "電車は十二番線から発車いたします。",
            "電車は何番線から出ますか",
        ),
        (
            "売上高は前年比十二パーセント増加した。",
            "売上の増加率",
        ),
        (
            "契約者は三か月前までに書面で解約を申し出る。",
            "解約の申し出の期限",
        ),
    ],
    "ko": [
        (
            "임대 계약은 유월 말에 종료됩니다.",
            "계약이 언제 종료되나요",
        ),
        (
            "직원은 매년 삼십 일의 휴가를 받습니다.",
            "직원의 휴가는 며칠",
        ),
        (
            "국립도서관은 시내 중심에 있습니다.",
            "도서관 위치",
        ),
        (
            "장관이 독일 회사와 협정에 서명했다.",
            "협정을 서명한 장관",
        ),
        (
            "학생들은 시험 전에 책을 반납해야 한다.",
            "책 반납 학생",
        ),
        (
            "박물관은 화요일에 문을 닫는다.",
            "박물관이 닫는 요일",
        ),
        (
            "보증은 물로 인한 손상을 포함하지 않는다.",
            "물 손상 보증",
        ),
        (
            "새로운 학교 건설이 의회에서 승인되었다.",
            "학교를 건설하는 의회의 승인",
        ),
        (
            "서울의 인구는 약 천만 명이다.",
            "서울 인구",
        ),
        (
            "매출은 전년보다 십이 퍼센트 증가했다.",
            "매출 증가",
        ),
        (
            "민법 제삼조는 권리능력을 규정한다.",
            "법 권리능력",
        ),
        (
            "기차는 십이번 승강장에서 출발합니다.",
            "기차가 출발하는 승강장",
        ),
    ],
    "th": [
        (
            "สัญญาเช่าสิ้นสุดในปลายเดือนมิถุนายน",
            "สัญญาสิ้นสุดเมื่อไร",
        ),
        (
            "พนักงานมีสิทธิ์ลาพักร้อนปีละสามสิบวัน",
            "พนักงานลาได้กี่วัน",
        ),
        (
            "หอสมุดแห่งชาติตั้งอยู่ใจกลางเมือง",
            "หอสมุดอยู่ที่ไหน",
        ),
        (
            "รัฐมนตรีลงนามข้อตกลงกับบริษัทเยอรมัน",
            "ข้อตกลงกับบริษัทใด",
        ),
        (
            "นักเรียนต้องคืนหนังสือก่อนสอบ",
            "คืนหนังสือเมื่อใด",
        ),
        (
            "พิพิธภัณฑ์ปิดทำการวันอังคาร",
            "พิพิธภัณฑ์ปิดวันไหน",
        ),
        (
            "การรับประกันไม่ครอบคลุมความเสียหายจากน้ำ",
            "ความเสียหายจากน้ำรับประกันหรือไม่",
        ),
        (
            "สภาเทศบาลอนุมัติการก่อสร้างโรงเรียนใหม่",
            "ก่อสร้างโรงเรียน",
        ),
        (
            "ประชากรกรุงเทพมีประมาณสิบล้านคน",
            "กรุงเทพมีประชากรเท่าไร",
        ),
        (
            "ยอดขายเพิ่มขึ้นร้อยละสิบสอง",
            "ยอดขายเพิ่มเท่าใด",
        ),
        (
            "รถไฟออกจากชานชาลาที่ ๑๒",
            "ชานชาลา 12",
        ),
        (
            "น้ำตกอยู่ห่างจากหมู่บ้านสองกิโลเมตร",
            "น้ำตกใกล้หมู่บ้าน",
        ),
    ],
    "ru": [
        (
            "Договор аренды заканчивается в конце июня.",
            "Когда закончится аренда по договору?",
        ),
        (
            "Сотрудники получают двадцать восемь дней отпуска в год.",
            "Сколько отпускных дней у сотрудника?",
        ),
        (
            "Национальная библиотека находится в центре города.",
            "В каком городе национальные библиотеки",
        ),
        (
            "Министр подписал соглашение с немецкой компанией.",
            "подписание соглашений с компаниями",
        ),
        (
            "Ученики должны вернуть книги до экзамена.",
            "возврат книги учеником",
        ),
        (
            "Музей закрыт по вторникам и в праздничные дни.",
            "По каким дням музеи закрыты?",
        ),
        (
            "Гарантия не распространяется на повреждения водой.",
            "повреждение от воды: гарантии",
        ),
        (
            "Городской совет утвердил строительство новой школы.",
            "строительства школ советом",
        ),
        (
            "Население Москвы составляет около тринадцати миллионов человек.",
            "Численность населения в Москве",
        ),
        (
            "Выручка выросла на двенадцать процентов.",
            "рост выручки, процент",
        ),
        (
            "Всё оборудование проверяют раз в год.",
            "все проверки оборудования",
        ),
        (
            "Поезд отправляется с третьего пути.",
            "отправление поездов: путь",
        ),
    ],
    "es": [
        (
            "Los niños menores de seis años viajan gratis en todos los trenes.",
            "¿Cuánto paga un nino en el tren?",
        ),
        (
            "La información sobre vacaciones está en el manual del empleado.",
            "informacion de vacaciones para empleados",
        ),
        (
            "La dirección aprobó la construcción de una planta de reciclaje.",
            "construccion de plantas",
        ),
        (
            "Las canciones del festival se grabaron en directo.",
            "grabacion de la cancion",
        ),
        (
            "El contrato de alquiler vence a finales de junio.",
            "¿Cuándo vencen los contratos?",
        ),
        (
            "El museo permanece cerrado los martes.",
            "museos que cierran el martes",
        ),
        (
            "Los daños causados por el agua no están cubiertos por la garantía.",
            "¿La garantia cubre el daño por agua?",
        ),
        (
            "Se produjeron explosiones en la refinería durante la madrugada.",
            "explosion refineria",
        ),
    ],
    "en": [
        (
            "The fiscal year FY2018 closed with net sales of $8,738 million.",
            "8738",
        ),
        (
            "In the fiscal year 2017 the plant in Ohio was sold.",
            "FY 2017 plant",
        ),
        (
            "The site is certified to ISO-27001 and audited every spring.",
            "ISO 27001",
        ),
        (
            "An ISO 9001 certificate hangs in the lobby.",
            "ISO9001",
        ),
        (
            "Spare part AB-1234/5 fits all pumps of the series.",
            "AB-1234/5",
        ),
        (
            "Part AB-1234/6 was withdrawn.",
            "part ab 1234/6",
        ),
        (
            "Version v1.2.3 repairs the clock.",
            "1.2.3",
        ),
        (
            "Call parseHttpResponse() before closing the socket.",
            "parse http response",
        ),
        (
            "The function max_query_terms is deprecated.",
            "max_query_terms",
        ),
        (
            "Write to help@example.org with questions.",
            "example.org",
        ),
        (
            "The parser was written in C++ and later in Rust.",
            "C++",
        ),
        (
            "Bindings exist for C# only.",
            "C#",
        ),
        (
            "The form 10-K is due in March.",
            "10-K",
        ),
        (
            "3M raised its dividend in the second quarter.",
            "3M dividend",
        ),
        (
            "Q2 2024 revenue fell by 12.5% to 1.234.567 euros.",
            "1,234,567",
        ),
        (
            "Margin rose to 12.75 percent.",
            "12.75%",
        ),
        (
            "Send an e-mail before the meeting on 2024-03-15.",
            "email",
        ),
        (
            "The supplier's pay was doubled.",
            "suppliers pays",
        ),
        (
            "Use the .NET runtime on Windows.",
            ".NET",
        ),
        (
            "The colour temperature is 5,600 K.",
            "5600",
        ),
    ],
}
