"""What the pages share: one library, one store, one set of live answers a process.

The pages reach everything through these functions, and through nothing else:
a test replaces them one by one.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.conversations import Conversations
from app.live_answers import LiveAnswers
from app.people import LOCAL, User
from app.settings import AppSettings
from app.wording import ENGLISH, nearest
from storage.errors import HayloftError
from storage.library import Library
from storage.records import Scope
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from app.assistant import Assistant
    from app.chat import ChatModel
    from app.chat_http import Server
    from app.find import Finder
    from app.ingest_process import IngestRuns
    from app.model_jobs import ModelJobs
    from app.page_image import PageImages
    from app.plans import Plan
    from app.status_view import DiskUse
    from storage.records import Facets, LibraryCounts

log = logging.getLogger(__name__)

MODEL_CHECK_S = 30.0
"""How often the page looks anew which chat model there is."""

OUTLOOK_S = 20.0
"""How often it looks anew what the modes would cost."""

DISK_S = 30.0
"""How often the status page measures the data directory anew."""

MODELS_S = 15.0
"""How often the models page asks Ollama anew."""

SCOPE_CHOICES_S = 30.0
"""How often it looks anew what can be filtered by: 0.1 s at 20,000 documents."""


@st.cache_resource(show_spinner=False)
def storage_settings() -> StorageSettings:
    """Where the library lies."""
    return StorageSettings()


@st.cache_resource(show_spinner=False)
def app_settings() -> AppSettings:
    """Which model answers, from how much."""
    return AppSettings()


@st.cache_resource(show_spinner=False)
def library() -> Library:
    """The library; opening it does nothing yet."""
    return Library(storage_settings())


@st.cache_resource(show_spinner=False)
def finder() -> Finder:
    """Search over the library."""
    from app.find import Finder

    return Finder(library(), app_settings())


def who() -> User:
    """Whoever looks at the page."""
    return LOCAL


def spoken_language() -> str:
    """The language of whoever looks at the page: the one they chose, or their browser's."""
    chosen = st.session_state.get("language")
    return str(chosen) if chosen else nearest(st.context.locale or ENGLISH)


@st.cache_resource(show_spinner=False)
def store() -> Conversations:
    """The conversations of this data directory."""
    return Conversations(storage_settings().data_dir / "conversations.db")


@st.cache_resource(show_spinner=False)
def live_answers() -> LiveAnswers:
    """The answers that are being written now, whoever looks at them."""
    return LiveAnswers(store())


@st.cache_resource(show_spinner=False)
def ingest_runs() -> IngestRuns:
    """The ingestion runs that the pages order, whoever looks at them."""
    from app.ingest_process import IngestRuns

    return IngestRuns(storage_settings().data_dir)


@st.cache_resource(show_spinner=False)
def model_jobs() -> ModelJobs:
    """What the models page has Ollama do, whoever looks at it."""
    from app.model_jobs import ModelJobs

    return ModelJobs()


@st.cache_resource(show_spinner=False)
def ollama() -> Server:
    """Where Ollama serves, as the settings say."""
    from app.ollama_server import ollama_server

    settings = app_settings()
    return ollama_server(
        settings.ollama_url,
        connect_timeout_s=settings.connect_timeout_s,
        answer_timeout_s=settings.answer_timeout_s,
    )


@st.cache_resource(show_spinner=False, ttl=MODELS_S)
def models() -> dict[str, Any]:
    """What `hayloft models` tells; looked up again some seconds later."""
    from app.model_report import report

    return report(ollama())


@st.cache_resource(show_spinner=False, ttl=DISK_S)
def disk() -> DiskUse:
    """What the data directory takes."""
    from app.status_view import disk_use

    return disk_use(storage_settings().data_dir)


@st.cache_resource(show_spinner=False)
def versions() -> dict[str, str]:
    """Versions of what answers rest on."""
    from app import status_view

    return status_view.versions()


@dataclass(frozen=True, slots=True)
class ModelAtHand:
    """What answers now, as the sidebar says it and the assistant needs it."""

    model: ChatModel | None
    """None: answers are quotes."""
    label: str
    window: int
    """Tokens; 0 without a model."""
    notice: str = ""
    fault: HayloftError | None = None
    """Why the model that was asked for cannot answer."""


@st.cache_resource(show_spinner=False, ttl=MODEL_CHECK_S)
def model_at_hand() -> ModelAtHand:
    """The chat model, looked for again every half minute; a fault is kept as long."""
    from app.model_choice import choose_model

    try:
        choice = choose_model(app_settings(), data_dir=storage_settings().data_dir)
        if choice.model is None:
            return ModelAtHand(None, "none: quotes only", 0, choice.notice)
        label = f"{choice.model.provider} {choice.model.name}"
        return ModelAtHand(choice.model, label, choice.model.window(), choice.notice)
    except HayloftError as fault:
        return ModelAtHand(None, "not available", 0, fault=fault)


def look_for_model_again() -> None:
    """Forget which model was found, so that the next look is a fresh one."""
    model_at_hand.clear()


def assistant() -> Assistant:
    """Question in, answer out, with the model that is at hand now.

    Raises the fault of a model that was asked for and is not there.
    """
    from app.assistant import Assistant

    if model_at_hand().fault is not None:
        look_for_model_again()
    found = model_at_hand()
    if found.fault is not None:
        raise found.fault
    from app.long_model import long_copy

    settings, data_dir = app_settings(), storage_settings().data_dir
    return Assistant(
        library(),
        finder(),
        found.model,
        settings,
        longer=lambda model: long_copy(model, settings, data_dir),
    )


def counts() -> LibraryCounts:
    """How large the library is, and how fresh."""
    return library().catalog.counts()


@dataclass(frozen=True, slots=True)
class ScopeChoices:
    """What a scope can be put together from."""

    facets: Facets
    paths: tuple[str, ...]


@st.cache_resource(show_spinner=False, ttl=SCOPE_CHOICES_S)
def scope_choices() -> ScopeChoices:
    """Types, languages, tags and paths of the library; looked up again every half minute."""
    catalog = library().catalog
    return ScopeChoices(catalog.facets(), tuple(catalog.paths()))


@st.cache_resource(show_spinner=False, ttl=OUTLOOK_S, max_entries=50)
def outlook(conversation_id: str | None, scope: str, head: int) -> Plan | None:
    """What each mode would cost the next question; None where nothing can be told now.

    `scope` is its JSON; with `head`, the turn shown last, it says when to look anew.
    """
    history = store().history(conversation_id) if conversation_id and head else []
    try:
        return assistant().outlook(history, Scope.from_json(json.loads(scope)))
    except HayloftError as fault:
        log.info("no outlook for the next question: %s", fault)
        return None


@st.cache_resource(show_spinner=False)
def page_images() -> PageImages:
    """Pictures of pages, kept in the data directory."""
    from app.page_image import PageImages

    return PageImages(library().catalog, storage_settings().data_dir / "page-images")


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Load the embedding model and reach Chroma in the background, once.

    Both take seconds; begun when the page opens, they are done before the
    first question is typed. What fails here fails again, with its sentence,
    when a question is asked.
    """
    shelf, search = library(), finder()

    def work() -> None:
        try:
            if shelf.catalog.counts().chunks:
                search.search("warm up", limit=1)
        except HayloftError as error:
            log.warning("warming up failed: %s", error)

    thread = threading.Thread(target=work, name="hayloft-warm-up", daemon=True)
    thread.start()
    return thread
