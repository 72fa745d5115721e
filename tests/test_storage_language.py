"""The language of a text: by its script where that decides, by a model otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.language import detect, detect_by_script
from tests.lexical_texts import ANSWERS_AND_QUESTIONS

SENTENCES = {
    "cs": "Záruka končí dva roky po dodání.",
    "da": "Medarbejderne skal indsende deres rejseudgifter inden månedens udgang.",
    "el": "Η εγγύηση λήγει δύο χρόνια μετά την παράδοση.",
    "fa": "ضمانت دو سال پس از تحویل به پایان می‌رسد.",
    "fi": "Takuu päättyy kaksi vuotta toimituksen jälkeen.",
    "he": "האחריות פגה שנתיים לאחר המסירה.",
    "hu": "A garancia a szállítás után két évvel lejár.",
    "hy": "Ե՞րբ է ավարտվում վարձակալության պայմանագիրը",
    "id": "Garansi berakhir dua tahun setelah pengiriman.",
    "it": "La garanzia scade due anni dopo la consegna.",
    "ka": "როდის მთავრდება ქირავნობის ხელშეკრულება?",
    "mr": "वितरणानंतर दोन वर्षांनी हमी संपते.",
    "nl": "De garantie vervalt twee jaar na de levering.",
    "no": "De ansatte må levere reiseregningene sine før slutten av måneden.",
    "pl": "Gwarancja wygasa po dwóch latach od dostawy.",
    "pt": "A garantia expira dois anos após a entrega.",
    "ro": "Garanția expiră la doi ani după livrare.",
    "sv": "Garantin upphör två år efter leveransen.",
    "ta": "வாடகை ஒப்பந்தம் எப்போது முடிகிறது?",
    "tr": "Garanti, teslimattan iki yıl sonra sona erer.",
    "uk": "Гарантія закінчується через два роки після постачання.",
    "ur": "ضمانت ترسیل کے دو سال بعد ختم ہو جاتی ہے۔",
    "vi": "Bảo hành hết hạn hai năm sau khi giao hàng.",
    "zh": "員工必須在月底前提交差旅費用。",
}
SHARED = Path(os.environ.get("HAYLOFT_SHARED_DATA") or Path(__file__).parents[2] / "shared/data")


@pytest.mark.parametrize("language", SENTENCES)
def test_one_sentence_tells_the_language(language):
    """A dozen words are enough."""
    assert detect(SENTENCES[language]) == language


@pytest.mark.parametrize("language", ANSWERS_AND_QUESTIONS)
def test_a_page_of_sentences_tells_the_language(language):
    """Technical English, inflected Russian, Thai without spaces."""
    page = "\n".join(answer for answer, _ in ANSWERS_AND_QUESTIONS[language])

    assert detect(page) == language


@pytest.mark.parametrize(
    "text",
    ["", "   ", "???", "2018 2019 2020", "8,738 4,521 (1,203) 12.5%", "ISO-27001", "x", "Pfizer"],
)
def test_no_language_is_named_where_nothing_tells(text):
    """Numbers, marks, codes and single names belong to no language."""
    assert detect(text) == ""


def test_a_mixed_text_is_in_the_language_of_most_of_it():
    """Quotations and names in another language do not count for more than they are."""
    german = "\n".join(answer for answer, _ in ANSWERS_AND_QUESTIONS["de"])
    english = "\n".join(answer for answer, _ in ANSWERS_AND_QUESTIONS["en"])

    assert detect(german * 5 + english) == "de"
    assert detect(english * 5 + german) == "en"
    assert detect("Сервер Microsoft Windows работает на втором этаже здания") == "ru"
    assert detect(english + "净利润") == "en"


def test_a_long_text_is_judged_by_samples_of_all_of_it():
    """A title page in English does not make an English book of a German one."""
    german = "\n".join(answer for answer, _ in ANSWERS_AND_QUESTIONS["de"])

    assert detect(SENTENCES["it"] * 10 + german * 200) == "de"


def test_kanji_alone_are_read_as_chinese_and_kana_make_them_japanese():
    """A few kana in a Chinese text are quotations."""
    assert detect("賃貸契約") == "zh"
    assert detect("賃貸契約はいつ終わりますか") == "ja"
    assert detect("这家公司的净利润增长了，他们的品牌叫「の」，在日本很有名") == "zh"


def test_a_script_that_several_languages_share_decides_nothing_alone():
    """Latin, Cyrillic, Arabic and Devanagari need the model."""
    assert [detect_by_script(SENTENCES[language]) for language in ("el", "it", "uk", "fa")] == [
        *("el", "", "", ""),
    ]


def test_scripts_that_decide_load_no_model():
    """Asking for a Chinese, Korean or Greek text's language costs no import."""
    code = (
        "import sys; from storage.language import detect;"
        "assert [detect(t) for t in ('净利润', '서울의 인구', 'Η εγγύηση')] == ['zh', 'ko', 'el'];"
        "assert 'py3langid' not in sys.modules and 'numpy' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("language", ["en", "es", "zh"])
def test_paragraphs_and_questions_of_a_public_set_are_told(language):
    """XQuAD: every paragraph, and 98% of the questions; at most 0.5% are named wrongly."""
    file = SHARED / "xquad" / f"xquad.{language}.json"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    articles = json.loads(file.read_text())["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    questions = [qa["question"] for paragraph in paragraphs for qa in paragraph["qas"]]

    told = [detect(question) for question in questions]

    assert {detect(paragraph["context"]) for paragraph in paragraphs} == {language}
    assert told.count(language) >= 0.98 * len(told)
    assert sum(code not in (language, "") for code in told) <= 0.005 * len(told)
