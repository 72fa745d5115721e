"""The settings page: what one prefers, what is kept about one, and the settings in effect."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import streamlit as st

from app import language_page, own_files_page, rendering, resources, scope_page, status_view
from app.language_names import NAMES
from app.language_words import language_words
from app.mine import Mine
from app.people import Role
from app.plans import AUTO
from app.preferences import LENGTHS, NORMAL, PICTURE, TEXT, Preferences
from app.setting_meanings import DEFAULT, ENVIRONMENT, Explained, explained
from app.wording import languages, t, tn
from app.work_style import work_style
from storage.errors import HayloftError

_SURE = "delete-mine"


def show() -> None:
    """Draw the page."""
    st.html(work_style(dark=st.context.theme.type == "dark"))
    st.html(f'<h1 class="hl-title">{rendering.text_html(t("Settings"))}</h1>')
    # One part that cannot be told leaves the others.
    for part in (_preferences, _mine, own_files_page.show, _settings):
        try:
            part()
        except HayloftError as error:
            title = t("This cannot be told now")
            st.html(rendering.notice_html("error", title, str(error)))


def _head(words: str) -> None:
    st.html(f'<h2 class="hl-head">{rendering.text_html(words)}</h2>')


def _small(words: str) -> None:
    st.html(f'<div class="hl-small">{rendering.text_html(words)}</div>')


# --- what one prefers ---------------------------------------------------------------------------


def _preferences() -> None:
    known = resources.preferences()
    _head(t("Preferences"))
    with st.container(key="preferences", width=680):
        _choose(
            "language",
            t("Language of the pages"),
            {"": t("As the browser"), **languages()},
            known.language,
        )
        _choose(
            "answer_language",
            t("Language of answers"),
            {"": t("That of the question"), **{code: language_words(code) for code in _sorted()}},
            known.answer_language,
            told=t("The model is asked for it; quotations stay as they are. Quotes without a "
                   "model are never translated."),
        )  # fmt: skip
        lengths = {"short": t("Short"), NORMAL: t("Normal"), "thorough": t("Thorough")}
        _segments("length", t("Length of answers"), {one: lengths[one] for one in LENGTHS},
                  known.length)  # fmt: skip
        if known.answer_language or known.length != NORMAL:
            _small(
                t("What the model is told with each question: {wish}", wish=known.wish.strip("()"))
            )
        modes = {
            "": t("As Hayloft is set"),
            AUTO: t("Best choice"),
            "documents": t("Whole documents"),
            "passages": t("Passages"),
            "read-all": t("Every page"),
            "extractive": t("Quotations"),
        }
        _choose("mode", t("New conversations answer from"), modes, known.mode)
        _scope(known)
        _segments("reader", t("A page of a PDF opens as"), {TEXT: t("Text"), PICTURE: t("Picture")},
                  known.reader)  # fmt: skip
        st.session_state["prefer-follow_ups"] = known.follow_ups
        st.toggle(
            t("Suggest questions to go on with"),
            key="prefer-follow_ups",
            help=t("At most three, after the answer is complete. The model writes them in a short "
                   "request of its own; without one they come from headings near the sources."),
            on_change=_changed,
            args=("follow_ups",),
        )  # fmt: skip
        st.session_state["prefer-shortcuts"] = known.shortcuts
        st.toggle(
            t("Single keys on the chat page"),
            key="prefer-shortcuts",
            help=t("Press ? there for the list."),
            on_change=_changed,
            args=("shortcuts",),
        )
        _small(t("Light or dark is chosen in the menu at the top right."))


def _sorted() -> list[str]:
    return sorted(NAMES, key=language_words)


def _choose(name: str, label: str, options: dict[str, str], chosen: str, *, told: str = "") -> None:
    # What is kept is what the widget shows, also where another tab has changed it.
    st.session_state[f"prefer-{name}"] = chosen if chosen in options else ""
    st.selectbox(
        label,
        list(options),
        key=f"prefer-{name}",
        format_func=lambda one: rendering.plain(options[one]),
        help=told or None,
        on_change=_changed,
        args=(name,),
    )


def _segments(name: str, label: str, options: dict[str, str], chosen: str) -> None:
    st.session_state[f"prefer-{name}"] = chosen
    st.segmented_control(
        label,
        list(options),
        key=f"prefer-{name}",
        format_func=lambda one: options[one],
        on_change=_changed,
        args=(name,),
    )


def _scope(known: Preferences) -> None:
    documents = known.scope.get("documents", [])
    st.session_state["prefer-scope"] = list(documents)
    paths = resources.scope_choices().paths if resources.counts().documents else ()
    st.multiselect(
        t("New conversations look in"),
        list(dict.fromkeys([*scope_page.names_to_choose(paths), *documents])),
        key="prefer-scope",
        accept_new_options=True,
        placeholder=t("All documents, or a pattern such as *2023*"),
        format_func=rendering.plain,
        on_change=_changed,
        args=("scope",),
    )


def _changed(name: str) -> None:
    """Keep what a widget says now."""
    value: Any = st.session_state.get(f"prefer-{name}")
    plain = Preferences()
    if name == "scope":
        value = {"documents": value} if value else {}
    elif value is None:
        value = getattr(plain, name)  # what was chosen was clicked again
    try:
        kept = Preferences.from_json({**resources.preferences().to_json(), name: value})
        _all_of_mine().keep(kept)
    except HayloftError as error:
        st.session_state["settings-refused"] = str(error)
        return
    if name == "language":
        language_page.choose(kept.language)


# --- what is kept about one ---------------------------------------------------------------------


def _all_of_mine() -> Mine:
    return Mine(
        resources.who().name,
        resources.store(),
        resources.saved_answers(),
        resources.kept_preferences(),
    )


def _mine() -> None:
    if refused := st.session_state.pop("settings-refused", ""):
        st.html(rendering.notice_html("warn", t("Not done"), refused))
    mine = _all_of_mine()
    counts = mine.counts()
    _head(t("What is kept about you"))
    _small(t("On this machine only, in the data directory of this library."))
    golden = t("Golden questions made from it stay in the golden set.")
    rows = {
        "conversations": (counts.conversations, tn(
            counts.conversations, "One conversation", "{n} conversations"),
            t("With their answers, notes and judgements. It cannot be undone.")),
        "notes": (counts.notes, tn(counts.notes, "One note", "{n} notes"),
                  t("It cannot be undone.")),
        "judged": (counts.judged, tn(counts.judged, "One judged answer", "{n} judged answers"),
                   golden),
        "saved": (counts.saved, tn(counts.saved, "One saved answer", "{n} saved answers"),
                  t("It cannot be undone.")),
        "preferences": (counts.preferences, tn(
            counts.preferences, "One preference", "{n} preferences"),
            t("Everything is as at the beginning then.")),
    }  # fmt: skip
    for what, (number, words, told) in rows.items():
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key=f"mine-{what}"
        ):
            st.html(f"<div>{rendering.text_html(words)}</div>", width="content")
            if not number:
                continue
            if st.session_state.get(_SURE) != what:
                st.button(
                    t("Delete all"),
                    key=f"delete-{what}",
                    icon=":material/delete:",
                    type="tertiary",
                    on_click=partial(st.session_state.__setitem__, _SURE, what),
                )
                continue
            st.html(f'<div class="hl-small">{rendering.text_html(told)}</div>', width="content")
            st.button(
                t("Delete for good"), key=f"sure-{what}", type="primary",
                on_click=_delete, args=(what,),
            )  # fmt: skip
            st.button(t("Cancel"), key=f"unsure-{what}",
                      on_click=partial(st.session_state.pop, _SURE, None))  # fmt: skip
    st.download_button(
        t("Take all of it away as JSON"),
        lambda: json.dumps(mine.export(), ensure_ascii=False, indent=2),
        "hayloft-mine.json",
        "application/json",
        key="export-mine",
        icon=":material/download:",
        on_click="ignore",
    )


def _delete(what: str) -> None:
    """Delete all of one kind, once the reader said so twice."""
    if st.session_state.pop(_SURE, None) != what:
        return
    try:
        if what == "conversations":
            resources.live_answers().stop_all()
            st.session_state.pop("conversation-left", None)
        _all_of_mine().delete(what)
    except HayloftError as error:
        st.session_state["settings-refused"] = str(error)
    if what == "preferences":
        language_page.choose("")
    resources.expired_answers.clear()


# --- the settings in effect ---------------------------------------------------------------------


def _settings() -> None:
    if not resources.who().may(Role.ADMIN):
        return
    told = explained(
        status_view.settings_in_effect(
            resources.storage_settings(),
            resources.app_settings(),
            resources.auth_settings(),
            status_view.IngestGiven(),
        )
    )
    _head(t("Settings in effect"))
    _small(
        t(
            "As this page was started: environment variables, or lines of .env beside where it was "
            "started. Changes need a new start. Secrets are hidden; an empty ingestion setting "
            "stands for its default."
        )
    )
    st.html(settings_html([one for one in told if one.origin != DEFAULT]))
    with st.expander(t("Settings at their defaults")):
        st.html(settings_html([one for one in told if one.origin == DEFAULT]))


def _origin_words(origin: str) -> str:
    return {DEFAULT: t("default"), ENVIRONMENT: t("environment")}.get(origin, origin)


def settings_html(settings: list[Explained]) -> str:
    """Settings as a table: name, value, where it is from, what it means."""
    if not settings:
        return f'<div class="hl-small">{rendering.text_html(t("All are at their defaults."))}</div>'
    rows = "".join(
        f'<tr><td><code>{rendering.text_html(one.name)}</code></td><td class="hl-wrap"><bdi>'
        f"{rendering.text_html(one.value) or '–'}</bdi></td>"
        f'<td>{rendering.text_html(_origin_words(one.origin))}</td><td class="hl-wrap">'
        f"{rendering.sentence_html(one.meaning)}</td></tr>"
        for one in settings
    )
    names = (t("Setting"), t("In effect"), t("From"), t("Meaning"))
    head = "".join(f'<th scope="col">{rendering.text_html(name)}</th>' for name in names)
    return (
        '<div class="hl-list"><table class="hl-docs hl-plain"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
