"""Stems: inflected forms meet, and each script has its own stemmer."""

from __future__ import annotations

import pytest

from storage.folding import fold
from storage.stemming import stem


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", ["supplier", "suppliers"]),
        ("de", ["haus", "häuser", "haeuser", "hauses"]),
        ("fr", ["cheval", "chevaux"]),
        ("es", ["información", "informaciones", "informacion"]),
        ("pt", ["organização", "organizações", "organizacao"]),
        ("ru", ["договор", "договору", "договоров"]),
        ("hi", ["किताब", "किताबें"]),
        ("ar", ["الشركة", "شركة", "والشركة", "بالشركة", "الشركات"]),
        ("ar", ["الضمان", "ضمان", "الضمانات"]),
        ("ar", ["مستشفى", "مستشفي"]),
        ("fa", ["کتاب", "کتابها"]),
        ("cs", ["smlouva", "smlouvy"]),
        ("pl", ["umowa", "umowy"]),
        ("tr", ["kitap", "kitaplar"]),
    ],
)
def test_forms_of_a_word_share_a_stem(language, forms):
    """Whatever form is asked for, the others are found."""
    assert len({fold(stem(form, language)) for form in forms}) == 1


def test_a_word_is_stemmed_by_the_language_of_its_script():
    """English words in a Russian text are English, and Russian words in an English one Russian."""
    assert stem("suppliers", "ru") == stem("suppliers", "en") == stem("suppliers", "")
    assert stem("договору", "en") == stem("договору", "ru")


def test_a_language_without_a_stemmer_keeps_its_words():
    """Vietnamese is not stemmed as if it were English, nor Ukrainian as if it were Russian."""
    assert stem("things", "vi") == "things"
    assert stem("договору", "uk") == "договору"


@pytest.mark.parametrize("language", ["", "de", "ar"])
def test_nothing_is_left_of_nothing(language):
    """A word that folding takes away whole has no stem, and is no error."""
    assert stem("", language) == ""
