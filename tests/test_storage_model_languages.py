"""Which languages a model reads: its card, its name, its vocabulary, English."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from storage.catalog import IndexIdentity
from storage.model_languages import (
    MANY,
    card_languages,
    covers_scripts,
    known_languages,
    languages_of,
    languages_of_index,
    reads,
    reads_many,
)

TEN = tuple("af am ar de en es fr it ja zh".split())


@pytest.mark.parametrize(
    ("front", "languages"),
    [
        ("language: en", ("en",)),
        ("language:\n- de\n- en", ("de", "en")),
        ("language: [no, 'on']", ("no", "on")),
        ("language:\n- multilingual\n- af\n- zh-CN", (MANY, "af", "zh")),
        ("language: multilingual", (MANY,)),
        ("language: [eng, deu, code]", ("en", "de")),
        (f"language: [{', '.join(TEN)}]", (MANY, *TEN)),
        ("license: mit", ()),
        ("language: {a: b}", ()),
        ("language: [unclosed", ()),
    ],
)  # fmt: skip
def test_the_card_in_the_folder_is_believed(tmp_path, front, languages):
    """Its front matter names languages in several forms; `no` is Norwegian, not false."""
    (tmp_path / "README.md").write_text(f"---\n{front}\n---\n# A model\n", encoding="utf-8")

    assert card_languages(tmp_path) == languages


def test_a_card_without_front_matter_says_nothing(tmp_path):
    """Neither does a folder without a card."""
    assert card_languages(tmp_path) == ()
    (tmp_path / "README.md").write_text("# Title\n\n---\nlanguage: de\n---\n")
    assert card_languages(tmp_path) == ()


@pytest.mark.parametrize(
    ("name", "many"),
    [
        ("intfloat/multilingual-e5-small", True),
        ("/models/bge-m3", True),
        ("Qwen/Qwen3-Embedding-0.6B", True),
        ("bundled all-MiniLM-L6-v2", False),
        ("BAAI/bge-small-en-v1.5", False),
    ],
)
def test_well_known_names_are_known(name, many):
    """For models whose cards name no languages."""
    assert reads_many(known_languages(name)) is many


def vocabulary(*words: str) -> Tokenizer:
    ids = {word: i for i, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def test_a_vocabulary_shows_which_scripts_it_was_made_for(tmp_path):
    """Whole words of Chinese, Russian and Arabic: many languages. Unknown or letters: English."""
    chinese = "合同将于明年三月到期租金不变，。"
    russian = "Договор истекает в марте следующего года , плата не меняется .".split()
    arabic = "ينتهي العقد في شهر مارس من العام القادم والإيجار لا يتغير .".split()
    pieces = [chinese[i : i + 2] for i in range(0, len(chinese), 2)]
    tails = [f"##{chinese[i : i + 2]}" for i in range(0, len(chinese), 2)]
    wide = vocabulary(*pieces, *tails, *(f"##{c}" for c in chinese), *chinese, *russian, *arabic)
    narrow = vocabulary(*"the contract ends in march".split())

    assert covers_scripts(wide)
    assert not covers_scripts(narrow)
    assert languages_of(tmp_path, "some model", wide) == (MANY,)
    assert languages_of(tmp_path, "some model", narrow) == ("en",)


def test_reading_a_language_is_a_question_of_the_list():
    """A list is taken at its word; a model for many without one is taken to read each."""
    assert reads(("en",), "en") and not reads(("en",), "zh") and not reads(("en",), "")
    assert reads((MANY,), "zh") and reads((MANY,), "")
    assert reads((MANY, "de", "zh"), "zh") and not reads((MANY, "de", "zh"), "th")
    assert reads(("de", "en"), "de") and reads(("de", "en"), "")


def test_an_index_remembers_what_its_model_reads():
    """As it was told when the index was built; else by the model's name; else English."""
    told = IndexIdentity("my/model", 8, "1/48/8", "c", languages="many de zh")
    named = IndexIdentity("intfloat/multilingual-e5-small", 8, "1/48/8", "c")

    assert languages_of_index(told) == (MANY, "de", "zh")
    assert languages_of_index(named) == (MANY,)
    assert languages_of_index(IndexIdentity("my/model", 8, "1/48/8", "c")) == ("en",)
