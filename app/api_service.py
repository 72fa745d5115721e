"""What all requests of the HTTP API share: one library, one finder, the chat model at hand."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.answers import Answer, AnswerEvent, AnswerReady, SourcesFound
from app.api_memory import Memory
from app.api_requests import ChatRequest, SearchRequest
from app.assistant import Assistant
from app.chat import ChatModel, ModelMissing, ModelUnreachable
from app.find import Finder
from app.long_model import long_copy
from app.model_choice import Choice, choose_model
from app.settings import AppSettings
from app.tokens import estimate
from storage.errors import HayloftError
from storage.library import Library
from storage.metrics import metrics_text

log = logging.getLogger(__name__)

MODEL_CHECK_S = 30.0
"""How often it is looked anew which chat model there is."""
FAULT_KEPT_S = 3.0
"""How long a fault of it is: hundreds of requests must not each wait for a server that is away."""
READY_KEPT_S = 2.0
"""How long the state of the services is: anybody may ask for it."""

OK = "ok"
LOADING = "loading"
EMPTY = "empty"
NONE = "none"
AWAY = "away"


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that answers depend on."""

    name: str
    state: str
    """`ok`, `loading`, `empty` (no document yet), `none` (no chat model: answers are quotes) or
    `away`."""
    fault: str = ""
    """The sentence of what is wrong."""


class Service:
    """Answers and searches of one library. Safe to share between threads."""

    def __init__(
        self,
        library: Library,
        settings: AppSettings,
        *,
        finder: Finder | None = None,
        choose: Callable[[], Choice] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.library = library
        self._settings = settings
        self._finder = finder or Finder(library, settings)
        data_dir = library.settings.data_dir
        self._choose = choose or (lambda: choose_model(settings, data_dir=data_dir))
        self._clock = clock
        self._memory = Memory()
        self._model_lock = threading.Lock()
        self._model: tuple[float, Choice | HayloftError] | None = None
        self._ready_lock = threading.Lock()
        self._ready: tuple[float, tuple[Part, ...]] | None = None
        self._warm: bool | HayloftError = False

    def warm_up(self) -> None:
        """Load the embedding model and reach Chroma, which takes seconds; begun in a thread."""
        try:
            if self.library.catalog.counts().chunks:
                self._finder.search("warm up", limit=1)
            self._warm = True
        except HayloftError as error:
            # It is tried again, and told, with the first request.
            log.warning("warming up failed: %s", error)
            self._warm = error

    def search(self, asked: SearchRequest) -> dict[str, object]:
        """What `hayloft search --json` prints."""
        hits = self._finder.search(asked.query, limit=asked.limit, scope=asked.scope)
        return {"query": asked.query, "hits": [hit.to_json() for hit in hits]}

    def ask(self, asked: ChatRequest, caller: str, owner: str = "") -> Iterator[AnswerEvent]:
        """Answer a question in the conversation it stands in. Raises as `Assistant.ask` does.

        `caller` is the token's name, `owner` the account it asks for.
        """
        choice = self.model()
        choice.require(asked.mode)
        history = self._memory.history(caller, asked.exchanges)
        # A name never holds a line break: no token passes for an account.
        reader = owner or (f"token\n{caller}" if caller else "")
        assistant = self._assistant(choice.model, asked.most_tokens, reader)
        found: SourcesFound | None = None
        events = assistant.ask(asked.question, history=history, scope=asked.scope, mode=asked.mode)
        try:
            for event in events:
                if isinstance(event, SourcesFound):
                    found = event
                elif isinstance(event, AnswerReady):
                    self._memory.remember(caller, asked.exchanges, history, found, event.answer)
                    event = AnswerReady(event.answer.noting(choice.why_quoted(asked.mode)))
                yield event
        except (ModelUnreachable, ModelMissing):
            self._look_again(choice)
            raise

    def count(self, answer: Answer) -> int:
        """The tokens of an answer's text; 0 where no model wrote it."""
        if not answer.receipt.window:
            return 0
        if answer.receipt.answer_tokens is not None:
            return answer.receipt.answer_tokens
        try:
            model = self.model().model
            return model.count_text(answer.text).tokens if model else 0
        except HayloftError as error:
            log.info("an answer's tokens are estimated: %s", error)
            return estimate(answer.text)

    def model(self) -> Choice:
        """The chat model that is at hand. Raises the fault of one that was asked for."""
        with self._model_lock:
            now = self._clock()
            if self._model is None or now >= self._model[0]:
                self._model = self._looked_for(now)
            found = self._model[1]
        if isinstance(found, HayloftError):
            raise found
        return found

    def metrics(self) -> str:
        """The numbers of the library."""
        return metrics_text(self.library.catalog)

    def parts(self) -> tuple[Part, ...]:
        """How the things stand that answers depend on."""
        with self._ready_lock:
            now = self._clock()
            if self._ready is None or now >= self._ready[0]:
                self._ready = (now + READY_KEPT_S, tuple(self._looked_at()))
            return self._ready[1]

    def _assistant(
        self, answering: ChatModel | None, most_tokens: int | None, reader: str
    ) -> Assistant:
        settings, data_dir = self._settings, self.library.settings.data_dir
        if most_tokens is not None and most_tokens < settings.reserve:
            settings = settings.model_copy(update={"reserve": most_tokens})

        def longer(model: ChatModel) -> ChatModel | None:
            return long_copy(model, settings, data_dir)

        return Assistant(
            self.library,
            self._finder,
            answering,
            settings,
            longer=longer,
            reader=reader,
        )

    def _look_again(self, gone: Choice) -> None:
        """Forget a model that is gone, so that neither questions nor health rest on it."""
        with self._model_lock:
            if self._model is not None and self._model[1] is gone:
                self._model = None
        with self._ready_lock:
            self._ready = None

    def _looked_for(self, now: float) -> tuple[float, Choice | HayloftError]:
        try:
            return now + MODEL_CHECK_S, self._choose()
        except HayloftError as fault:
            return now + FAULT_KEPT_S, fault

    def _looked_at(self) -> Iterator[Part]:
        try:
            chunks = self.library.catalog.counts().chunks
            yield Part("library", OK if chunks else EMPTY)
        except HayloftError as fault:
            yield Part("library", AWAY, str(fault))
            return
        yield self._search_part(chunks)
        try:
            yield Part("model", OK if self.model().model else NONE)
        except HayloftError as fault:
            yield Part("model", AWAY, str(fault))

    def _search_part(self, chunks: int) -> Part:
        """Whether the vectors can be searched."""
        if not chunks:
            return Part("search", EMPTY)
        if self._warm is False:
            return Part("search", LOADING)
        try:
            self.library.vectors.heartbeat()
            if isinstance(self._warm, HayloftError):
                self._finder.search("warm up", limit=1)
                self._warm = True
        except HayloftError as fault:
            return Part("search", AWAY, str(fault))
        return Part("search", OK)
