"""Languages by the names that a reader of the pages knows."""

from __future__ import annotations

from app.language_names import language_name
from app.wording import t


def language_words(code: str) -> str:
    """The name of a language in the reader's language; the code where it has none here."""
    words = {
        "ar": t("Arabic"),
        "cs": t("Czech"),
        "da": t("Danish"),
        "de": t("German"),
        "el": t("Greek"),
        "en": t("English"),
        "es": t("Spanish"),
        "fi": t("Finnish"),
        "fr": t("French"),
        "he": t("Hebrew"),
        "hi": t("Hindi"),
        "hu": t("Hungarian"),
        "id": t("Indonesian"),
        "it": t("Italian"),
        "ja": t("Japanese"),
        "ko": t("Korean"),
        "nl": t("Dutch"),
        "no": t("Norwegian"),
        "pl": t("Polish"),
        "pt": t("Portuguese"),
        "ro": t("Romanian"),
        "ru": t("Russian"),
        "sv": t("Swedish"),
        "th": t("Thai"),
        "tr": t("Turkish"),
        "uk": t("Ukrainian"),
        "vi": t("Vietnamese"),
        "zh": t("Chinese"),
    }
    return words.get(code, language_name(code))
