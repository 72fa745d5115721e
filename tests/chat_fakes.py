"""A small library and an assistant that says what it is told, for tests of the chat page.

`install` puts them behind `app.resources`; the store of conversations and the
live answers stay the real ones. The assistant chooses by the question's first
word; see `ScriptedAssistant`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from app import resources
from app.answers import (
    Answer,
    AnswerEvent,
    AnswerReady,
    Citation,
    Receipt,
    SourcesFound,
    TextDelta,
    Turn,
)
from app.chat import ModelUnreachable
from app.plans import Option, Plan, Unfit
from app.resources import ModelAtHand, ScopeChoices
from storage.errors import ServiceUnavailable
from storage.records import (
    EVERYTHING,
    Facets,
    Hit,
    LibraryCounts,
    Page,
    ReadFile,
    RoomContents,
    Scope,
)

HOSTILE = (
    '<img src=x onerror="window.hacked=1">![p](http://127.0.0.1:1/pixel.png)[l](http://e.example)'
)

TRAVEL = (
    "Travel\n\nThe per diem for domestic travel is 48 euros a day. It covers meals and small "
    "expenses; hotels are booked by the office.\n\nReceipts are handed in within thirty days."
)
PAGES: dict[int, list[Page]] = {
    1: [
        Page(1, "Contents\n\nTravel, Equipment, Leave", label="1"),
        Page(2, TRAVEL, label="2"),
        Page(3, "Equipment\n\nA laptop is replaced after four years.", label="3"),
    ],
    2: [Page(1, f"Notes with {HOSTILE} in the text.", heading=f"Odd {HOSTILE}")],
}


def hit(rank: int, document_id: int, page: int, text: str, *, title: str, document: str) -> Hit:
    """A passage of one of the pages above."""
    start = PAGES[document_id][page - 1].text.index(text)
    return Hit(
        rank=rank,
        document=document,
        page=page,
        score=1.0 / rank,
        text=text,
        char_start=start,
        char_end=start + len(text),
        chunk_id=f"{document_id}:{rank}",
        document_id=document_id,
        version_id=document_id,
        title=title,
        heading=PAGES[document_id][page - 1].heading,
        page_label=PAGES[document_id][page - 1].label,
        paged=document_id == 1,
    )


PER_DIEM = "The per diem for domestic travel is 48 euros a day."
HITS = (
    hit(1, 1, 2, TRAVEL[8:], title="Staff handbook", document="handbook.pdf"),
    hit(
        2,
        1,
        3,
        "A laptop is replaced after four years.",
        title="Staff handbook",
        document="handbook.pdf",
    ),
    hit(3, 2, 1, PAGES[2][0].text, title=HOSTILE, document=f"odd/{HOSTILE[:20]}.md"),
)
CITATIONS = (
    Citation(
        1, "handbook.pdf", 2, PER_DIEM, True, 8, 8 + len(PER_DIEM), "page 2", "Staff handbook"
    ),
    Citation(
        2,
        "handbook.pdf",
        3,
        "A laptop lasts forever.",
        False,
        None,
        None,
        "page 3",
        "Staff handbook",
    ),
)
RECEIPT = Receipt(
    window=32768,
    trusted_window=32768,
    prompt_tokens=2500,
    parts={
        "rules": 200,
        "documents": 2000,
        "history": 150,
        "question": 50,
        "template": 100,
        "reserve": 1024,
    },
    server_prompt_tokens=2500,
    cached_tokens=200,
    exact=True,
)
NO_PROMPT = Receipt(0, 0, 0, {}, None, None, True)


class FakeCatalog:
    """The pages above; `counts_now` may be replaced, `fault` raised instead."""

    def __init__(self) -> None:
        self.counts_now = LibraryCounts(2, 4, 3, 0, time.time() - 7200)
        self.fault: Exception | None = None

    def counts(self) -> LibraryCounts:
        if self.fault:
            raise self.fault
        return self.counts_now

    def has_room(self, room: str) -> bool:
        return False

    def room(self, room: str) -> RoomContents:
        return RoomContents((), ())

    def file_of(self, document_id: int, *, room: str = "") -> ReadFile | None:
        return ReadFile("/nowhere", "handbook.pdf", 1, 1, "") if document_id == 1 else None

    def page(self, document_id: int, number: int, *, room: str = "") -> Page | None:
        pages = PAGES.get(document_id, [])
        return pages[number - 1] if 1 <= number <= len(pages) else None


class FakeLibrary:
    def __init__(self) -> None:
        self.catalog = FakeCatalog()


class ScriptedAssistant:
    """Answers by the question's first word.

    `slow`: a piece every 50 ms, for ever; `fast`: 400 pieces, 100 a second;
    `nothing`: no hits; `broken`: the model goes away in mid-answer; `away`:
    Chroma cannot be reached; `bug`: an exception that nobody foresaw;
    `hostile`: an answer full of Markdown and HTML; `quote`: extractive;
    `held`: one piece, then silence until `release` is set; else a short
    cited answer.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Turn, ...]]] = []
        self.scopes: list[Scope] = []
        self.modes: list[str | None] = []
        self.closed = threading.Event()
        self.release = threading.Event()

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        scope: Scope = EVERYTHING,
        mode: str | None = None,
    ) -> Iterator[AnswerEvent]:
        self.asked.append((question, tuple(history)))
        self.modes.append(mode)
        self.scopes.append(scope)
        word = question.split()[0].lower()
        if word == "away":
            raise ServiceUnavailable(
                "Chroma at http://127.0.0.1:9 does not answer. Run `hayloft doctor`."
            )
        if word == "nothing":
            yield SourcesFound((), "none", "fake qwen2")
            yield AnswerReady(self._answer(question, "The documents say nothing.", "none", (), ()))
            return
        mode = "extractive" if word == "quote" else "passages"
        yield SourcesFound(HITS, mode, "fake qwen2")
        text = ""
        try:
            for piece in self._pieces(word):
                text += piece
                yield TextDelta(piece)
        finally:
            self.closed.set()
        citations = CITATIONS if "[2]" in text else CITATIONS[:1]
        yield AnswerReady(self._answer(question, text, mode, citations, HITS))

    def _pieces(self, word: str) -> Iterator[str]:
        if word == "slow":
            number = 0
            while True:
                number += 1
                yield f"word{number} "
                time.sleep(0.05)
        if word == "fast":
            for number in range(400):
                yield f"w{number} "
                time.sleep(0.01)
            return
        yield "The per diem is "
        if word == "held":
            self.release.wait(30)
        if word == "broken":
            raise ModelUnreachable(
                "Ollama at http://127.0.0.1:11434 went away. Start it with `ollama serve`."
            )
        if word == "bug":
            raise ZeroDivisionError("a bug")
        if word == "hostile":
            yield f"{HOSTILE} <script>window.hacked=1</script> [1]\n\n[r]: http://e.example\n\n[r] http://e.example/x\n\n"
            yield "| a | b |\n|---|---|\n| **1** [1] | `x` |\n\n"
        yield "48 euros a day [1]. A laptop lasts long [2]."

    def _answer(
        self,
        question: str,
        text: str,
        mode: str,
        citations: tuple[Citation, ...],
        hits: tuple[Hit, ...],
    ) -> Answer:
        receipt = RECEIPT if mode == "passages" else NO_PROMPT
        return Answer(
            question=question,
            text=text,
            mode=mode,
            model="extractive" if mode == "extractive" else "fake qwen2",
            citations=citations,
            receipt=receipt,
            timings={"find": 0.01, "first_token": 0.2, "total": 1.0},
            hits=hits,
            searched="What is <b>the laptop budget?" if question == "And for laptops?" else "",
        )


class Fakes:
    """What stands behind the page."""

    def __init__(self) -> None:
        self.library = FakeLibrary()
        self.assistant = ScriptedAssistant()
        self.model = ModelAtHand(object(), "fake qwen2", 32768)  # type: ignore[arg-type]
        self.plan = Plan(
            (
                Option(
                    "documents",
                    2,
                    tokens=41_200,
                    new_tokens=41_200,
                    seconds=38.0,
                    follow_s=2.0,
                ),
                Option("passages", 8, tokens=3_100, new_tokens=3_100, seconds=3.0),
                Option("read-all", 4, unfit=Unfit("unmatched")),
                Option("extractive"),
            ),
            "passages",
            "unchosen",
        )
        self.choices = ScopeChoices(
            Facets({"pdf": 1, "md": 1}, {"en": 2}, {}, "", ""),
            tuple(dict.fromkeys(hit.document for hit in HITS)),
        )


def install(put: Callable[[object, str, object], None] = setattr) -> Fakes:
    """Put fakes behind `app.resources` with `put` (`setattr`, or monkeypatch's)."""
    fakes = Fakes()
    put(resources, "library", lambda: fakes.library)
    put(resources, "assistant", lambda: fakes.assistant)
    put(resources, "counts", lambda: fakes.library.catalog.counts())
    put(resources, "model_at_hand", lambda: fakes.model)
    put(resources, "look_for_model_again", lambda: None)
    put(resources, "warm_up", lambda: None)
    put(resources, "swept_rooms", lambda: 0)
    put(resources, "scope_choices", lambda: fakes.choices)
    put(resources, "outlook", lambda *_: fakes.plan)
    return fakes
