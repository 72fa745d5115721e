"""Every page in Chinese, run by Streamlit's own test runner: no English word of ours is left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import chat_page, resources, wording
from app.answer_frames import nothing_found
from app.answers import Answer, AnswerReady, SourcesFound, TextDelta
from app.language_names import NAMES, language_name
from app.language_words import language_words
from app.live_answers import LiveAnswers
from app.model_choice import NO_MODEL
from app.model_words import notice_words
from app.rendering import answer_html, t_html
from app.setting_meanings import meanings
from evaluation import needle_page
from tests import chat_fakes
from tests.chat_fakes import HITS, HOSTILE, NO_PROMPT
from tests.library_fixtures import ingest, open_library, write_files
from tests.niah_fixtures import made_run
from tests.page_fixtures import ask

CHINESE = "zh"
MAIN = Path(chat_page.__file__).with_name("main.py")
NEEDLE = Path(needle_page.__file__)
# Names of things, of files, of units and of programs stay as they are; so does what stands
# between backticks or tags of code, and what documents and models say.
NAMES_OF_THINGS = re.compile(
    r"`[^`]*`|<(code|pre)>.*?</\1>|<style>.*?</style>|:material/\w+:|HAYLOFT_\w+"
    r"|\b(OLLAMA_\w+|extractive|Apache|Tongyi Qianwen|f16|q8_0|Hayloft|Ollama|Chroma|SQLite|"
    r"Streamlit|OpenAI|OpenID|Qwen2?|Python|NVIDIA|YaRN|OCR|PDF|ZIP|"
    r"JSON|CSV|PNG|HTML|YAML|Markdown|Office|English|MD|GB|MB|KB|API|min|env|sqlite|python|hayloft|"
    r"K|n|k|p|s|A|B)\b|\d[\w.+]*|[\w./-]+\.(md|pdf|env|com|json|db)\b|https?:\S+",
    re.DOTALL,
)


@pytest.fixture(autouse=True)
def _in_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_chat: None
) -> Iterator[None]:
    monkeypatch.setattr(resources, "spoken_language", lambda: CHINESE)
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HAYLOFT_MODEL", "extractive")
    monkeypatch.chdir(tmp_path)
    before = wording._Spoken.language
    wording.speak(lambda: CHINESE)
    yield
    wording.speak(before)


class Words(HTMLParser):
    """What a reader sees or hears of some HTML: its text, titles and labels."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._style = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._style += tag in ("style", "code", "pre")
        said = ("title", "aria-label", "placeholder", "alt", "data-name", "data-word")
        self.found += [value for name, value in attributes if name in said and value]

    def handle_endtag(self, tag: str) -> None:
        self._style -= tag in ("style", "code", "pre")

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.found.append(data)


def said(page: AppTest) -> list[str]:
    """Everything that a page says: labels, options, hints and the text of its own HTML."""
    found: list[str] = []
    for block in page._tree.children.values():
        for item in _all(block):
            proto = getattr(item, "proto", None)
            for name in ("label", "placeholder", "help", "title", "text", "value_text"):
                value = getattr(proto, name, "")
                if isinstance(value, str):
                    found.append(value)
            found += [str(option) for option in getattr(item, "options", None) or []]
            if item.type == "html":
                found += Words(str(proto.body)).found
    return [word for word in found if word]


def _all(block: Any) -> Iterator[Any]:
    for child in block.children.values():
        yield child
        if hasattr(child, "children"):
            yield from _all(child)


def english(page: AppTest, *names: str) -> list[str]:
    """What a page says in English, beside names and the words of its documents."""
    left = []
    for words in said(page):
        rest = unescape(words).replace("\\", "").strip()
        if rest in names:
            continue
        for name in sorted(names, key=len, reverse=True):
            rest = rest.replace(name, "")
        rest = NAMES_OF_THINGS.sub("", rest)
        if re.search("[A-Za-z]{2}", rest):
            left.append(words)
    assert not page.exception
    return left


def library_of(tmp_path: Path) -> None:
    files = write_files(tmp_path / "files", {"travel.md": "# 差旅\n\n每日津贴为 48 欧元。\n"})
    with open_library(tmp_path / "data") as library:
        ingest(library, files)


def drawn(module: str) -> AppTest:
    def script(name: str) -> None:
        import importlib

        importlib.import_module(name).show()

    return AppTest.from_function(script, args=(module,), default_timeout=60).run()


def whole(**address: str) -> AppTest:
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    for name, value in address.items():
        page.query_params[name] = value
    return page.run()


# --- pages ----------------------------------------------------------------------------------------


def test_the_chat_page_with_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its sidebar, the composer, an answer with sources, receipt and buttons."""
    chat_fakes.install(monkeypatch.setattr)
    question = "What is the per diem?"
    names = [name for hit in HITS for name in (hit.title, hit.document)]
    names += ["odd/", "§ Odd", HOSTILE, "fake qwen2", question, str(tmp_path)]
    page = whole()
    assert english(page, *names) == []

    ask(page, question)

    left = [words for words in english(page, *names) if "48 euros" not in words]
    assert [words for words in left if not re.search("[Ll]aptop", words)] == []
    assert "收据" in " ".join(said(page))


def test_a_first_visit(tmp_path: Path) -> None:
    """The chat and the library without a model and without documents."""
    assert english(whole(), str(tmp_path), "FOLDER") == []
    assert english(drawn("app.library_page"), str(tmp_path), "FOLDER") == []


def test_the_library_page(tmp_path: Path) -> None:
    """The list of a real library, its filters and its history."""
    library_of(tmp_path)

    page = drawn("app.library_page")

    assert english(page, str(tmp_path / "files"), "travel.md", "md") == []
    assert "差旅" in " ".join(said(page))


@pytest.mark.parametrize("name", ["saved_page", "users_page", "models_page", "status_page"])
def test_the_other_pages(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as it stands over a data directory without anything of one's own."""
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", "http://127.0.0.1:9")

    page = drawn(f"app.{name}")

    assert said(page)
    left = english(page, f"{tmp_path}/data", *STATED)
    assert [words for words in left if not words.startswith(("qwen2:", "建议：qwen2:"))] == []


STATED = (
    "streamlit", "chromadb", "llama-index-core", "sentence-transformers", "torch", "pypdfium2",
    "ollama", "tesseract", "extractive", "bundled", "float32", "auto", "text", "WARNING",
    "catalog.db-wal", "catalog.db-shm",
    # An error is a sentence of the program, as in the terminal.
    "Ollama at http://127.0.0.1:9 does not answer. Start it with",
)  # fmt: skip
"""Names and values that the pages of models and status show as they are."""


def test_the_settings_page_tells_what_settings_mean(tmp_path: Path) -> None:
    """Of the settings' own documentation only names are left, as its translation has them."""
    page = drawn("app.settings_page")

    with wording.speaking("zh"):
        told = " ".join(map(wording.retold, meanings().values())).replace("`", " ")
    left = english(page, f"{tmp_path}/data", "email", *STATED)
    assert [words for words in left if words.strip() not in told] == []


def test_the_needle_page(tmp_path: Path) -> None:
    """A run with its map, sentence, stages and downloads; tasks and arms have their own names."""
    made_run(tmp_path / "data", "one")

    page = AppTest.from_file(str(NEEDLE), default_timeout=60).run()

    assert (
        english(
            page,
            "one",
            "single",
            "multi key",
            "long",
            "rag",
            "closed",
            "oracle",
            "en",
            "generated",
            "ok",
            "fake qwen2",
        )
        == []
    )


# --- words ----------------------------------------------------------------------------------------


def test_languages_have_the_same_names_in_english() -> None:
    """What the pages call a language is what the commands call it."""
    with wording.speaking(wording.ENGLISH):
        assert {code: language_words(code) for code in NAMES} == {
            code: language_name(code) for code in NAMES
        }


def test_the_usual_reason_for_having_no_model_is_translated() -> None:
    """It is what a first visit shows; in English it is the very sentence of the commands."""
    assert "Ollama" in notice_words(NO_MODEL) and notice_words(NO_MODEL) != NO_MODEL
    with wording.speaking(wording.ENGLISH):
        assert notice_words(NO_MODEL) == NO_MODEL
    assert notice_words("qwen2:7b said so") == "qwen2:7b said so"


def test_an_answer_is_framed_in_the_language_of_the_page_that_asked(tmp_path: Path) -> None:
    """The thread that answers speaks it, though it draws for nobody."""
    store = resources._store("")
    live = LiveAnswers(store)

    def answer() -> Iterator[Any]:
        text = nothing_found()
        yield SourcesFound((), "none", "")
        yield TextDelta(text)
        yield AnswerReady(Answer("?", text, "none", "", (), NO_PROMPT, {}, ()))

    begun = {}
    for code in (CHINESE, wording.ENGLISH):
        with wording.speaking(code):
            begun[code] = live.start(store.create(code), "?", answer)
    wording.speak(lambda: wording.ENGLISH)
    texts = {}
    for code, one in begun.items():
        assert one.wait(10)
        turn = store.turn(one.turn_id)
        texts[code] = turn.text if turn else ""

    assert texts[CHINESE] == "文档中似乎没有关于此问题的内容。"
    assert texts[wording.ENGLISH] == "The documents do not seem to say anything about this."


# --- directions -----------------------------------------------------------------------------------


def test_each_block_of_an_answer_has_the_direction_of_its_words() -> None:
    """Paragraphs, lists, quotes and tables say so themselves; what stands in one follows it."""
    html = answer_html("بدل السفر [1]\n\n- أول\n- ثان\n\n| أ | ب |\n|---|---|\n| ١ | ٢ |", 1, 1, {})

    assert html.count('dir="auto"') == 3
    assert '<p dir="auto">' in html and '<ul dir="auto">' in html and '<table dir="auto">' in html


def test_a_name_in_a_sentence_keeps_its_direction_to_itself() -> None:
    """And is escaped, as the sentence around it is."""
    assert t_html("Deleted “{name}”", name="<b>تقرير") == "已删除“<bdi>&lt;b&gt;تقرير</bdi>”"
