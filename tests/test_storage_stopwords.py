"""Small words: whose they are, and that they are small."""

from __future__ import annotations

from storage.stopwords import languages_of, stop_words


def test_small_words_name_the_language():
    """The language with most of them; several where they are even, none where there is none."""
    assert languages_of(["wie", "viel", "die"]) == (["de"], 3)
    assert languages_of(["pfizer"]) == ([], 0)
    assert set(languages_of(["de", "la"])[0]) > {"es", "fr"}
    assert languages_of(["de", "la"], among=["es", "en"])[0] == ["es"]


def test_no_list_of_small_words_holds_numbers_or_long_words():
    """The lists are small words: nothing that a question could be about."""
    for language in ("en", "de", "fr", "es", "ru", "ar", "hi", "pl"):
        words = stop_words([language])
        assert words
        assert all(word.isalpha() or not word.isascii() for word in words)
        assert max(map(len, words)) <= 11
