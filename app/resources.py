"""What the pages share: one library, one store, one set of live answers a process.

The pages reach everything through these functions, and through nothing else:
a test replaces them one by one.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.auth_settings import ACCOUNTS, OFF, AuthSettings
from app.conversations import Conversations
from app.live_answers import LiveAnswers
from app.people import LOCAL, Allowed, Role, SignedOut, User
from app.sessions import cookie_name
from app.settings import AppSettings
from app.wording import ENGLISH, language, nearest
from storage.catalog_writer import CatalogWriter
from storage.errors import HayloftError
from storage.library import Library
from storage.records import Scope
from storage.rooms import room_name
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.accounts import Accounts
    from app.assistant import Assistant
    from app.chat import ChatModel
    from app.chat_http import Server
    from app.find import Finder
    from app.ingest_process import IngestRuns
    from app.model_jobs import ModelJobs
    from app.page_image import PageImages
    from app.plans import Plan
    from app.preferences import KeptPreferences, Preferences
    from app.saved_answers import Checked, SavedAnswers
    from app.status_view import DiskUse
    from app.suggestions import Suggestions
    from storage.records import Facets, LibraryCounts

log = logging.getLogger(__name__)

MODEL_CHECK_S = 30.0
"""How often the page looks anew which chat model there is."""

OUTLOOK_S = 20.0
"""How often it looks anew what the modes would cost."""

DISK_S = 30.0
"""How often the status page measures the data directory anew."""

SWEEP_S = 60.0
"""How often it looks for files of conversations that are gone."""

GONE_ROOMS = "-"
"""The room of a run that takes out what conversations left behind: no one's."""

WARM_UP_AFTER_S = 1.0
"""How long the model's loading waits for the page: both at once make the reader wait for both."""

MODELS_S = 15.0
"""How often the models page asks Ollama anew."""

EXPIRED_S = 30.0
"""How often it looks anew which saved answers have expired."""

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


@st.cache_resource(show_spinner=False)
def auth_settings() -> AuthSettings:
    """Whether the page asks who is there."""
    return AuthSettings()


@st.cache_resource(show_spinner=False)
def accounts() -> Accounts:
    """The accounts of this data directory."""
    from app.accounts import Accounts

    return Accounts(storage_settings().data_dir, lasting=auth_settings().lasting)


def signed_in() -> User | None:
    """Whoever is signed in; None where nobody is. Raises NotAdmitted, SignInRefused."""
    auth = auth_settings()
    if auth.auth == OFF:
        return LOCAL
    if auth.auth == ACCOUNTS:
        return accounts().sessions.user(session_token())
    said = claims()
    if said is None:
        return None
    from app.oidc import identity

    found = identity(said, auth, time.time())
    return accounts().admit(found.subject, found.name, found.role, found.login)


def who() -> User:
    """Whoever looks at the page; where nobody does any more, the page begins anew."""
    found = signed_in()
    if found is None:
        st.rerun()
        raise SignedOut
    return found


def session_token() -> str:
    """What the browser shows that somebody is signed in; empty where nobody is."""
    return st.context.cookies.get(cookie_name(storage_settings().data_dir), "")


def claims() -> dict[str, Any] | None:
    """What the OpenID provider says of whoever looks at the page; None where nobody signed in."""
    return dict(st.user.to_dict()) if st.user.get("is_logged_in") else None


def sign_out() -> None:
    """End the session, in all tabs of the browser."""
    if auth_settings().auth == ACCOUNTS:
        accounts().sessions.end(session_token())
        return
    said = claims()
    if said is not None:
        from app.oidc import identity

        accounts().sessions.end(identity(said, auth_settings(), time.time()).login)
        st.logout()


def spoken_language() -> str:
    """The language of whoever looks at the page: the one they chose, or their browser's."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return ENGLISH  # a thread that draws for nobody
    chosen = st.session_state.get("language")
    return str(chosen) if chosen else nearest(st.context.locale or ENGLISH)


def store() -> Conversations:
    """The conversations of whoever looks at the page."""
    return _store(who().name)


@st.cache_resource(show_spinner=False)
def _store(owner: str) -> Conversations:
    return Conversations(storage_settings().data_dir / "conversations.db", owner=owner)


def live_answers() -> LiveAnswers:
    """The answers that are being written now for whoever looks at the page."""
    return _live_answers(who().name)


def stop_answers(owner: str) -> None:
    """End all that is being written for somebody whose account is deleted."""
    _live_answers(owner).stop_all()


@st.cache_resource(show_spinner=False)
def _live_answers(owner: str) -> LiveAnswers:
    return LiveAnswers(_store(owner))


@st.cache_resource(show_spinner=False)
def saved_answers() -> SavedAnswers:
    """The saved answers of everybody; each method names whose."""
    from app.saved_answers import SavedAnswers

    return SavedAnswers(storage_settings().data_dir)


@st.cache_resource(show_spinner=False)
def asking_again() -> LiveAnswers:
    """Saved questions that are being asked again, by the number of the saved answer."""
    from app.saving import Proposals

    return LiveAnswers(Proposals(saved_answers(), lambda: library().catalog, _room_of))


def checked_answers(query: str = "") -> list[Checked]:
    """The saved answers of whoever looks at the page that hold a query, with how they stand."""
    from app.saved_answers import checked

    return checked(library().catalog, saved_answers().all(who().name, query))


@st.cache_data(show_spinner=False, ttl=EXPIRED_S, max_entries=500)
def expired_answers(owner: str) -> int:
    """How many saved answers of somebody have expired; looked up again every half minute."""
    from app.saved_answers import checked

    saved = saved_answers().all(owner)
    return sum(one.verdict.expired for one in checked(library().catalog, saved)) if saved else 0


@st.cache_resource(show_spinner=False)
def kept_preferences() -> KeptPreferences:
    """What everybody prefers; each method names who."""
    from app.preferences import KeptPreferences

    return KeptPreferences(storage_settings().data_dir)


def preferences() -> Preferences:
    """What whoever looks at the page prefers."""
    return kept_preferences().of(who().name)


@st.cache_resource(show_spinner=False)
def suggestions() -> Suggestions:
    """Questions to go on with, made in the background."""
    from app.suggestions import Suggestions

    return Suggestions()


def ingest_runs() -> IngestRuns:
    """The ingestion runs that the pages order: all see them, librarians order and stop them."""
    return Allowed(_ingest_runs(), who, Role.LIBRARIAN, ("order", "stop", "dismiss")).given()


@st.cache_resource(show_spinner=False)
def _ingest_runs() -> IngestRuns:
    from app.ingest_process import IngestRuns

    return IngestRuns(storage_settings().data_dir)


def model_jobs() -> ModelJobs:
    """What the models page has Ollama do: all see it, admins begin and stop it."""
    return Allowed(_model_jobs(), who, Role.ADMIN, ("start", "stop", "dismiss")).given()


@st.cache_resource(show_spinner=False)
def _model_jobs() -> ModelJobs:
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


def models() -> dict[str, Any]:
    """What `hayloft models` tells; looked up again some seconds later."""
    return _models(language())


@st.cache_resource(show_spinner=False, ttl=MODELS_S)
def _models(spoken: str) -> dict[str, Any]:
    # The advice in it is in the reader's language.
    from app.model_report import report

    return report(ollama())


def look_at_models_again() -> None:
    """Forget what Ollama said it has, in every language."""
    _models.clear()


@st.cache_resource(show_spinner=False, ttl=DISK_S)
def disk() -> DiskUse:
    """What the data directory takes."""
    from app.status_view import disk_use

    return disk_use(storage_settings().data_dir)


def versions() -> dict[str, str]:
    """Versions of what answers rest on."""
    return _versions(language())


@st.cache_resource(show_spinner=False)
def _versions(spoken: str) -> dict[str, str]:
    # What does not start is said in the reader's language, which is why that is part of the key.
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
    return _assistant(preferences().wish, who().name)


def assistant_later() -> Callable[[], Assistant]:
    """The assistant of whoever looks at the page now, to be asked for from another thread.

    What it returns looks anew for the model each time, and raises what is wrong with it.
    """
    wish, reader = preferences().wish, who().name
    return lambda: _assistant(wish, reader)


def _assistant(wish: str, reader: str) -> Assistant:
    from app.assistant import Assistant
    from app.long_model import long_copy

    if model_at_hand().fault is not None:
        look_for_model_again()
    found = model_at_hand()
    if found.fault is not None:
        raise found.fault
    settings, data_dir = app_settings(), storage_settings().data_dir
    return Assistant(
        library(),
        finder(),
        found.model,
        settings,
        longer=lambda model: long_copy(model, settings, data_dir),
        wish=wish,
        reader=reader,
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


def outlook(conversation_id: str | None, scope: str, head: int) -> Plan | None:
    """What each mode would cost the next question; None where nothing can be told now.

    `scope` is its JSON; with `head`, the turn shown last, it says when to look anew.
    """
    return _outlook(who().name, conversation_id, scope, head)


@st.cache_resource(show_spinner=False, ttl=OUTLOOK_S, max_entries=50)
def _outlook(owner: str, conversation_id: str | None, scope: str, head: int) -> Plan | None:
    history = _store(owner).history(conversation_id) if conversation_id and head else []
    try:
        now = _scope_in_room(Scope.from_json(json.loads(scope)), owner, conversation_id)
        return assistant().outlook(history, now)
    except HayloftError as fault:
        log.info("no outlook for the next question: %s", fault)
        return None


def read_so_far(conversation_id: str, turn_id: int, question: str, scope: str) -> tuple[int, int]:
    """Pages that were read for the question of a turn, and all there are; 0 where nobody knows."""
    return _read_so_far(who().name, conversation_id, turn_id, question, scope)


@st.cache_resource(show_spinner=False, ttl=OUTLOOK_S, max_entries=50)
def _read_so_far(
    owner: str, conversation_id: str, turn_id: int, question: str, scope: str
) -> tuple[int, int]:
    history = _store(owner).history(conversation_id, before=turn_id)
    try:
        now = _scope_in_room(Scope.from_json(json.loads(scope)), owner, conversation_id)
        return assistant().read_so_far(question, history=history, scope=now)
    except HayloftError as fault:
        log.info("what was read so far is not known: %s", fault)
        return 0, 0


def room_of(conversation_id: str | None) -> str:
    """The room of a conversation of whoever looks at the page; empty where there is none.

    Somebody else's conversation has none for them.
    """
    return _room_of(who().name, conversation_id)


def _room_of(owner: str, conversation_id: str | None) -> str:
    home = _store(owner).home(conversation_id) if conversation_id else None
    return "" if home is None else room_name(home, str(conversation_id))


def scope_in_room(scope: Scope, conversation_id: str | None) -> Scope:
    """A conversation's scope with its own files: they alone, unless it goes beyond them.

    This is the one place where a room gets into a scope.
    """
    return _scope_in_room(scope, who().name, conversation_id)


def _scope_in_room(scope: Scope, owner: str, conversation_id: str | None) -> Scope:
    room = _room_of(owner, conversation_id)
    if not library().catalog.has_room(room):
        return replace(scope, room="")
    return replace(scope, room=room) if scope.beyond_room else Scope(room=room)


def room_runs() -> IngestRuns:
    """The ingestion runs, for readers too: what they drop into a conversation is theirs alone."""
    return _ingest_runs()


@st.cache_resource(show_spinner=False, ttl=SWEEP_S)
def swept_rooms() -> int:
    """Take out what deleted conversations and accounts left; how many rooms. Looked at again
    every minute."""
    from app.departures import finish
    from app.room_sweep import sweep_rooms

    data_dir = storage_settings().data_dir
    finish(data_dir)
    known = [root for root, _, room in CatalogWriter(library().catalog).sources() if room]
    gone = {str(folder) for folder in sweep_rooms(data_dir, known)}
    if words := [root for root in known if root in gone]:
        _ingest_runs().order(["--forget", *words], "", room=GONE_ROOMS)
    return len(gone)


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
    shelf, search = library(), finder

    def work() -> None:
        time.sleep(WARM_UP_AFTER_S)
        try:
            if shelf.catalog.counts().chunks:
                search().search("warm up", limit=1)
            else:
                shelf.embedder.embed_query("warm up")
        except HayloftError as error:
            log.warning("warming up failed: %s", error)

    thread = threading.Thread(target=work, name="hayloft-warm-up", daemon=True)
    thread.start()
    return thread
