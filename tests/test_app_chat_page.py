"""The chat page, run by Streamlit's own test runner over fakes of its resources."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import chat_page, resources
from app.conversations import DONE, INTERRUPTED, SILENCE_S, STOPPED
from app.resources import ModelAtHand
from storage.errors import ServiceUnavailable, StorageError
from storage.records import LibraryCounts
from tests import chat_fakes
from tests.chat_fakes import HITS, HOSTILE, Fakes
from tests.page_fixtures import MAIN, ask, button, conversation_of, keys, main_page, shown

pytestmark = pytest.mark.usefixtures("fresh_chat")


@pytest.fixture
def page(fakes: Fakes) -> AppTest:
    return main_page()


def wait_for_text(page: AppTest, text: str) -> None:
    deadline = time.monotonic() + 5
    while text not in shown(page.run()):
        assert time.monotonic() < deadline, f"{text!r} never came"
        time.sleep(0.05)


def test_the_first_page_says_what_is_there(page: AppTest) -> None:
    """Model, window, documents and freshness stand in the sidebar before any question."""
    html = shown(page)

    assert not page.exception
    assert "fake qwen2" in html
    assert "32,768 tokens" in html
    assert "2 documents, 4 pages" in html
    assert "2 hours ago" in html


def test_an_empty_library_shows_the_command_that_fills_it(fakes: Fakes) -> None:
    """A file can be dropped, nothing be asked, and the exact command names this very library."""
    fakes.library.catalog.counts_now = LibraryCounts(0, 0, 0, 2, None)

    page = main_page()

    html = shown(page)
    assert "The library is empty" in html
    data_dir = resources.storage_settings().data_dir
    assert f"hayloft --data-dir {data_dir} ingest FOLDER" in html
    assert "2 files could not be read" in html
    assert not page.chat_input[0].proto.disabled
    page.chat_input[0].set_value("What is the per diem?").run()
    assert "There is nothing to ask yet" in shown(page)
    assert not fakes.assistant.asked


def test_the_default_library_needs_no_option(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For ./data the command is the plain one."""
    monkeypatch.delenv("HAYLOFT_DATA_DIR")
    monkeypatch.chdir(tmp_path)

    assert chat_page.ingest_command() == "hayloft ingest FOLDER"


def test_a_question_gets_a_cited_answer_with_its_receipt(page: AppTest) -> None:
    """Sources, numbered citations and the receipt stand in the finished turn."""
    html = shown(ask(page, "What is the per diem?"))

    assert "3 passages from 2 documents" in html
    assert 'class="hl-cite hl-verified"' in html
    assert 'class="hl-cite hl-unproved"' in html
    assert "2,500 of 32,768 tokens" in html
    assert "Evaluated by the server: 2,500" in html


def test_the_conversation_is_in_the_address_and_comes_back(page: AppTest) -> None:
    """A new session with the same address shows the same conversation."""
    ask(page, "What is the per diem?")
    conversation = conversation_of(page)

    reloaded = AppTest.from_file(str(MAIN), default_timeout=20)
    reloaded.query_params["c"] = conversation
    reloaded.run()

    assert "48 euros a day" in shown(reloaded)


def test_a_reload_in_mid_stream_finds_the_growing_answer(page: AppTest) -> None:
    """The answer goes on in the background; the new session watches and can stop it."""
    ask(page, "slow please")
    conversation = conversation_of(page)

    reloaded = AppTest.from_file(str(MAIN), default_timeout=20)
    reloaded.query_params["c"] = conversation
    reloaded.run()
    wait_for_text(reloaded, "word5")
    stop = next(key for key in keys(reloaded) if key and key.startswith("stop-"))
    button(reloaded, stop).click().run()  # type: ignore[attr-defined]
    resources.live_answers().stop_all()
    reloaded.run()

    assert "Stopped by you" in shown(reloaded)
    assert "word5" in shown(reloaded)


def test_sources_are_shown_before_the_first_word(page: AppTest, fakes: Fakes) -> None:
    """While the model reads, its passages can be looked at."""
    fakes.assistant._pieces = lambda word: iter(  # type: ignore[method-assign]
        "x" for _ in range(1) if fakes.assistant.release.wait(20)
    )
    ask(page, "held")

    wait_for_text(page, "hl-sources")

    assert "fake qwen2 is reading 3 passages" in shown(page)
    fakes.assistant.release.set()


def test_one_asks_on_while_an_answer_grows(page: AppTest, fakes: Fakes) -> None:
    """The next question waits, can be taken back, and a third stays in the field."""
    fakes.assistant._pieces = lambda word: iter(  # type: ignore[method-assign]
        "x" for _ in range(1) if fakes.assistant.release.wait(20)
    )
    ask(page, "held")
    assert not page.chat_input[0].proto.disabled

    ask(page, "held next")
    assert "Asked when this answer is done: “<bdi>held next</bdi>”" in shown(page)
    button(page, "ask-not-then").click().run()  # type: ignore[attr-defined]
    assert "Asked when" not in shown(page)
    ask(page, "held later")
    ask(page, "held third")
    assert "One question waits for the answer already" in shown(page)
    assert page.chat_input[0].proto.value == "held third"
    fakes.assistant.release.set()
    resources.live_answers().get(conversation_of(page)).wait(10)  # type: ignore[union-attr]
    page.run()

    wait_for_text(page, "held later")
    assert [question for question, _ in fakes.assistant.asked] == ["held", "held later"]


def test_a_question_that_is_refused_stays_in_the_field(page: AppTest, fakes: Fakes) -> None:
    """Nobody types a long question twice."""
    question = "why " * 6000

    ask(page, question)

    assert "Nothing was sent" in shown(page)
    assert page.chat_input[0].proto.value == question
    page.run()
    assert page.chat_input[0].proto.value == ""
    assert not fakes.assistant.asked


def test_stopping_closes_the_model_and_keeps_the_text(page: AppTest, fakes: Fakes) -> None:
    """The stop button ends the generator; the turn is marked, and can be asked again."""
    ask(page, "slow please")
    wait_for_text(page, "word3")
    stop = next(key for key in keys(page) if key and key.startswith("stop-"))

    button(page, stop).click().run()  # type: ignore[attr-defined]

    assert fakes.assistant.closed.wait(3)
    wait_for_text(page, "Stopped by you")
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0]
    assert turn.state == STOPPED
    assert f"again-{turn.turn_id}" in keys(page)
    assert not page.chat_input[0].proto.disabled


def test_a_model_that_goes_away_leaves_text_sentence_and_a_way_on(
    page: AppTest, fakes: Fakes
) -> None:
    """The partial answer, what happened, and a button that asks again."""
    ask(page, "broken please")
    html = shown(page)
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0]

    button(page, f"again-{turn.turn_id}").click().run()  # type: ignore[attr-defined]

    assert "The per diem is" in html
    assert "Start it with <code>ollama serve</code>" in html
    assert [question for question, _ in fakes.assistant.asked] == ["broken please"] * 2


def test_no_hits_has_a_state_of_its_own(page: AppTest) -> None:
    """Nothing found is said as such, without sources and without a receipt."""
    html = shown(ask(page, "nothing about this"))

    assert "Nothing found" in html
    assert "The documents say nothing." in html
    assert "hl-sources" not in html.replace(chat_page.style_sheet(dark=False), "")
    assert 'class="hl-receipt' not in html


def test_an_extractive_answer_says_that_no_model_read(page: AppTest, fakes: Fakes) -> None:
    """The receipt of quotes is a plain sentence; the sidebar says how to get a model."""
    fakes.model = ModelAtHand(None, "none", 0, "Run `ollama pull qwen2:7b`.")

    html = shown(ask(page, "quote the per diem"))

    assert "No model read anything" in html
    assert "ollama pull qwen2:7b" in html
    assert "look-again" in keys(page)


def test_an_unreachable_store_of_vectors_is_a_sentence(page: AppTest) -> None:
    """Chroma away: the turn has failed with its sentence and can be asked again."""
    html = shown(ask(page, "away now"))

    assert "Chroma at http://127.0.0.1:9 does not answer." in html
    assert any(key and key.startswith("again-") for key in keys(page))


def test_an_unreadable_catalog_is_a_page_with_a_sentence(fakes: Fakes) -> None:
    """Storage away: no traceback, what to do, and a button to try again."""
    fakes.library.catalog.fault = StorageError("The catalog is damaged. Run `hayloft doctor`.")
    page = main_page()
    html = shown(page)
    fakes.library.catalog.fault = None

    button(page, "try-again").click().run()  # type: ignore[attr-defined]

    assert not page.exception
    assert "The catalog is damaged. Run <code>hayloft doctor</code>." in html
    assert "What would you like to know?" in shown(page)


def test_a_model_that_is_asked_for_and_missing_refuses_before_a_turn(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault's sentence is shown, and no empty conversation is left behind."""

    def missing() -> object:
        raise ServiceUnavailable("Ollama has no model qwen9. Run `ollama pull qwen9`.")

    monkeypatch.setattr(resources, "assistant", missing)

    html = shown(ask(page, "What is the per diem?"))

    assert "Run <code>ollama pull qwen9</code>." in html
    assert resources.store().summaries() == []


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("   \n ", "The question is empty"),
        ("\u200b\u200d\u2060 \ufeff\u3164", "The question is empty"),
        ("x" * 100_000, "100,000 characters long"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_in_a_sentence(
    page: AppTest, fakes: Fakes, question: str, sentence: str
) -> None:
    """Empty and endless questions reach neither the store nor the model."""
    page.chat_input[0].set_value(question).run()

    assert sentence in shown(page)
    assert fakes.assistant.asked == []
    assert resources.store().summaries() == []


def test_a_follow_up_carries_the_history(page: AppTest, fakes: Fakes) -> None:
    """The second question is asked with the first one's answer, in the same conversation."""
    ask(page, "What is the per diem?")
    ask(page, "And for laptops?")

    _, history = fakes.assistant.asked[1]

    assert [turn.question for turn in history] == ["What is the per diem?"]
    assert history[0].hits == HITS
    assert "Searched for: <bdi>What is &lt;b&gt;the laptop budget?</bdi>" in shown(page)
    assert shown(page).count("Searched for:") == 1
    assert len(resources.store().summaries()) == 1


def test_conversations_can_be_begun_opened_deleted_and_brought_back(page: AppTest) -> None:
    """The list holds them newest first; a deleted one returns with its address."""
    ask(page, "First question")
    first = conversation_of(page)
    button(page, "new").click().run()  # type: ignore[attr-defined]
    assert "c" not in page.query_params
    ask(page, "Second question")
    titles = [item.label for item in page.sidebar.button if str(item.key).startswith("open-")]

    button(page, f"open-{first}").click().run()  # type: ignore[attr-defined]
    opened = shown(page)
    resources.store().delete(first)
    told = {"id": first, "title": "First question", "until": time.time() + 60}
    page.session_state["deleted"] = [told]
    page.run()
    gone = shown(page)
    button(page, "undo").click().run()  # type: ignore[attr-defined]

    assert titles == ["Second question", "First question"]
    assert "First question" in opened
    assert "no longer here" in gone
    assert conversation_of(page) == first
    assert "48 euros" in shown(page)


def test_each_of_several_deleted_conversations_can_be_brought_back(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one first; what was deleted too long ago is no longer offered."""
    chosen: list[str] = []
    monkeypatch.setattr(st, "menu_button", lambda *_, **__: chosen.pop() if chosen else None)
    for question in ("Alpha", "Beta", "Gamma"):
        ask(page, question)
        chosen.append("delete")
        page.run()
    known = page.session_state["deleted"]
    known[0]["until"] = time.time() - 1

    offered = []
    while "undo" in keys(page):
        offered.append(shown(page).partition("Deleted ")[2][:20])
        button(page, "undo").click().run()  # type: ignore[attr-defined]

    assert ["Gamma" in offered[0], "Beta" in offered[1], len(offered)] == [True, True, 2]
    assert {one.title for one in resources.store().summaries()} == {"Beta", "Gamma"}


def test_the_history_is_read_once_for_all_the_stopped_answers_of_a_page(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred answers that were stopped do not read the conversation two hundred times."""
    store, read = resources.store(), []
    conversation = store.create("Stopped")
    for _ in range(12):
        turn = store.begin_turn(conversation, "q")
        store.save_partial(turn, text="half an answer [1]")
        store.end_turn(turn, STOPPED)
    history = store.history

    def counted(*words: object, **more: object) -> object:
        read.append(words)
        return history(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "history", counted)
    page.query_params["c"] = conversation
    page.run()

    assert shown(page).count("half an answer") >= 12
    assert len(read) <= 4


def test_an_interrupted_answer_is_marked(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process left is shown with what happened to it."""
    store = resources.store()
    conversation = store.create("Old")
    turn = store.begin_turn(conversation, "q")
    store.save_partial(turn, text="half an answer", hits=HITS, mode="passages", model="m")
    monkeypatch.setattr(store, "_clock", lambda: time.time() + SILENCE_S + 5)

    page.query_params["c"] = conversation
    page.run()

    assert store.turns(conversation)[0].state == INTERRUPTED
    assert "half an answer" in shown(page)
    assert "Interrupted" in shown(page)


def test_an_unknown_address_is_no_error(fakes: Fakes) -> None:
    """A conversation that does not exist is said to be gone, and the page goes on."""
    page = AppTest.from_file(str(MAIN), default_timeout=20)
    page.query_params["c"] = "../../etc/passwd"
    page.run()

    assert not page.exception
    assert "no longer here" in shown(page)
    assert "c" not in page.query_params


def test_a_citation_opens_its_page_with_the_quote_marked(page: AppTest) -> None:
    """The reader shows document, place, verdict, and the page's text around the quote."""
    ask(page, "What is the per diem?")
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0]

    page.session_state["reader"] = {"turn": turn.turn_id, "n": 1, "page": None}
    page.run()

    html = shown(page)
    assert "handbook.pdf" in html
    assert "Verified: these words stand on this page" in html
    assert f'<mark class="hl-quote">{chat_fakes.PER_DIEM}</mark>' in html
    assert "Receipts are handed in" in html


def test_an_answer_that_ends_while_the_page_is_drawn_is_kept(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for one that could not be stored."""
    told_of = chat_page.turn_page.Told.of

    def slowly(conversation_id: str) -> object:
        answer = resources.live_answers().get(conversation_id)
        if answer is not None:
            answer.wait(5)
        return told_of(conversation_id)

    monkeypatch.setattr(chat_page.turn_page.Told, "of", slowly)
    ask(page, "What is the per diem?")

    assert "This answer is not kept" not in shown(page)
    assert "hl-receipt" in shown(page)


def test_the_reader_turns_pages(page: AppTest) -> None:
    """The next page has no highlight, and there is a way back."""
    ask(page, "What is the per diem?")
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0]

    page.session_state["reader"] = {"turn": turn.turn_id, "n": 1, "page": 3}
    page.run()

    html = shown(page)
    assert "A laptop is replaced after four years." in html
    assert "<mark" not in html
    assert "Verified" not in html.split("hl-reader-title")[1]
    assert {"reader-before", "reader-after", "reader-back"} <= keys(page)


def test_a_page_that_changed_shows_the_passage_of_then(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words the answer rests on stay readable, and the change is said."""
    ask(page, "What is the per diem?")
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0]
    monkeypatch.setitem(chat_fakes.PAGES, 1, [])

    page.session_state["reader"] = {"turn": turn.turn_id, "n": 1, "page": None}
    page.run()

    html = shown(page)
    assert "The document has changed since this answer" in html
    assert "It covers meals and small expenses" in html


def test_a_reader_never_opens_another_conversations_page(page: AppTest) -> None:
    """A turn of another conversation is not shown, whatever the browser asks for."""
    ask(page, "What is the per diem?")
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0]
    button(page, "new").click().run()  # type: ignore[attr-defined]

    page.session_state["reader"] = {"turn": turn.turn_id, "n": 1, "page": None}
    page.run()

    assert "It covers meals and small expenses" not in shown(page)


def test_hostile_text_stays_text(page: AppTest) -> None:
    """Nothing from an answer, title, heading or file name becomes a tag or a link."""
    html = shown(ask(page, f"hostile {HOSTILE}"))

    assert "<img" not in html
    assert "<script" not in html
    assert "href" not in html
    labels = [item.label for item in page.sidebar.button]
    assert any(r"\!\[p\]\(http\:" in label for label in labels)
    assert not [label for label in labels if "![" in label or re.search(r"(?<!\\)<", label)]


def test_the_page_finishes_what_it_began(page: AppTest) -> None:
    """A fast answer of 400 pieces ends complete, each piece once and in order."""
    ask(page, "fast please")
    conversation = conversation_of(page)

    turn = resources.store().turns(conversation)[0]

    assert turn.state == DONE
    assert turn.text.split() == [f"w{number}" for number in range(400)]


def test_the_mode_is_chosen_above_the_composer_and_kept(page: AppTest, fakes: Fakes) -> None:
    """Each way with its tokens and wait; the choice goes with the conversation."""
    html = shown(page)
    control = next(item for item in page.button_group if item.key == "mode-new")
    control.set_value("documents").run()
    ask(page, "What is the per diem?")

    assert "8 passages: 3,100 tokens, 3 s (no documents are chosen)" in html
    assert "2 whole documents: 41,200 tokens, 38 s now, 2 s for follow-ups" in html
    assert fakes.assistant.modes == ["documents"]
    assert resources.store().mode(conversation_of(page)) == "documents"


def test_a_stopped_reading_offers_to_go_on(
    page: AppTest, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how far it came; a stopped answer of another mode is asked again, as ever."""
    monkeypatch.setattr(resources, "read_so_far", lambda *_: (120, 412))
    ask(page, "slow please")
    wait_for_text(page, "word3")
    stop = next(key for key in keys(page) if key and key.startswith("stop-"))
    button(page, stop).click().run()  # type: ignore[attr-defined]
    wait_for_text(page, "Stopped by you")
    (turn,) = resources.store().turns(conversation_of(page))
    label = button(page, f"again-{turn.turn_id}").label  # type: ignore[attr-defined]
    resources.store().set_mode(turn.conversation_id, "read-all")
    page.run()

    assert label == "Ask again"
    assert button(page, f"again-{turn.turn_id}").label == "Go on reading"  # type: ignore[attr-defined]
    assert "120 of 412 pages are read, and what they held is kept." in shown(page)


def test_receipt_says_what_was_reused_and_what_broke_the_prefix(
    page: AppTest, fakes: Fakes
) -> None:
    """Warm or cold beside the bar, the figures and the reason when it is opened."""
    receipt = dataclasses.replace(
        chat_fakes.RECEIPT,
        reused_tokens=0,
        computed_tokens=2500,
        derived=True,
        state="cold",
        broke="another <b>conversation was asked in between",
    )
    fakes.assistant._answer = lambda *args: dataclasses.replace(  # type: ignore[method-assign]
        chat_fakes.ScriptedAssistant._answer(fakes.assistant, *args), receipt=receipt
    )

    html = shown(ask(page, "What is the per diem?"))

    assert "2,500 of 32,768 tokens · cold" in html
    assert "computed: about 2,500 (derived from the time it took)" in html
    assert "another &lt;b&gt;conversation was asked in between" in html


def act(page: AppTest, conversation: str, said: str) -> tuple[str, int] | None:
    """What a click on a button of our HTML does, for a page that shows a conversation."""
    from app import turn_page

    state: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turn_page.st, "session_state", state)
        asked = turn_page.act(conversation, said)
    for key, value in state.items():
        page.session_state[key] = value
    return asked


def test_a_changed_question_is_a_version_beside_the_old_one(page: AppTest, fakes: Fakes) -> None:
    """It is asked with the history of the old one, which can be looked at again."""
    ask(page, "First question")
    ask(page, "Second question")
    conversation = conversation_of(page)
    second = resources.store().turns(conversation)[1].turn_id

    act(page, conversation, f"edit:{second}")
    page.run()
    page.text_area(key=f"edited-{second}").set_value("Changed question")
    next(item for item in page.button if item.label == "Ask").click().run()
    answer = resources.live_answers().get(conversation)
    assert answer is None or answer.wait(5)
    changed = shown(page.run())
    act(page, conversation, f"show:{second}")
    back = shown(page.run())

    assert fakes.assistant.asked[-1][0] == "Changed question"
    assert [turn.question for turn in fakes.assistant.asked[-1][1]] == ["First question"]
    assert "Changed question" in changed and "Second question" not in changed
    assert "Version 2 of 2" in changed
    assert "Second question" in back and "Version 1 of 2" in back
    assert not page.exception


def test_what_the_browser_says_is_checked(page: AppTest) -> None:
    """Only known acts on turns of the open conversation do anything."""
    ask(page, "First question")
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0].turn_id
    other = resources.store().create("other")

    said = [f"again:{turn}", f"good:{turn}", f"show:{turn}"]
    ignored = [act(page, other, one) for one in said]
    ignored += [act(page, conversation, one) for one in ("drop:1", "good:x", "", "again:1;2")]

    assert ignored == [None] * 7
    assert resources.store().judgements(conversation) == {}
    assert act(page, conversation, said[0]) == ("First question", turn)


def test_thumbs_are_kept_and_taken_back(page: AppTest) -> None:
    """Up is kept at once; down asks why, and a page that was expected goes to the golden set."""
    ask(page, "First question")
    conversation = conversation_of(page)
    turn = resources.store().turns(conversation)[0].turn_id

    act(page, conversation, f"good:{turn}")
    up = shown(page.run())
    act(page, conversation, f"bad:{turn}")
    page.run()
    page.radio[0].set_value("missed")
    page.selectbox[0].set_value("handbook.pdf")
    page.number_input[0].set_value(3)
    button(page, "save-judgement").click().run()  # type: ignore[attr-defined]

    kept = resources.store().judgements(conversation)[turn]
    assert 'aria-label="A good answer" aria-pressed="true"' in up
    assert (kept.good, kept.reason, kept.document, kept.page) == (
        False, "missed", "handbook.pdf", 3
    )  # fmt: skip
    assert kept.golden.startswith("g-")
    assert f"kept as golden question {kept.golden}" in shown(page.run())
    act(page, conversation, f"bad:{turn}")
    assert resources.store().judgements(conversation) == {}


def test_all_conversations_are_searched_from_the_sidebar(page: AppTest) -> None:
    """A find shows the words around it as text, and opens its conversation."""
    store = resources.store()
    conversation = store.create(f"Old {HOSTILE}")
    turn = store.begin_turn(conversation, f"zebra {HOSTILE}")
    store.end_turn(turn, STOPPED)

    page.text_input(key="search-conversations").set_value("ZEBRA").run()
    html = shown(page)
    button(page, f"found-{conversation}").click().run()  # type: ignore[attr-defined]

    assert "<mark>zebra</mark>" in html
    assert "<img" not in html
    assert conversation_of(page) == conversation
    assert not page.exception
