"""What can be done with one answer: copy, ask again, change the question, look at versions, judge.

The buttons are our own HTML, as the citations are: a page of thirty turns would otherwise carry
two hundred widgets through every run. What a click says comes from the browser and is checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

import streamlit as st

from app import note_page, rendering, resources
from app.conversation_export import copied
from app.conversations import STREAMING, StoredTurn
from app.feedback import Feedback, reasons, with_golden
from app.page_scripts import FOCUS
from app.saving import can_be_saved
from app.wording import t
from storage.errors import HayloftError

_ACT = re.compile(r"(?P<act>again|edit|show|good|bad|note|save):(?P<turn>[0-9]{1,12})")
_SCROLL = """
export default function (component) {
  let ticks = 0;
  const timer = setInterval(() => {
    const turn = document.querySelector(`[data-turn="${component.data}"]`);
    const message = turn && (turn.closest("[data-testid=stChatMessage]") || turn);
    if (message) message.scrollIntoView({ block: "center" });
    if (message || ++ticks > 40) clearInterval(timer);
  }, 50);
  return () => clearInterval(timer);
}
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of the turns of a conversation beside themselves."""

    head: int
    versions: dict[int, tuple[int, ...]]
    judged: dict[int, Feedback]
    notes: dict[int, str]
    saved: frozenset[int]

    @classmethod
    def of(cls, conversation_id: str) -> Told:
        """As the store has it now."""
        store = resources.store()
        return cls(
            store.head(conversation_id),
            store.versions(conversation_id),
            store.judgements(conversation_id),
            store.notes(conversation_id),
            frozenset(resources.saved_answers().turns(resources.who().name)),
        )


def actions_html(turn: StoredTurn, told: Told) -> str:
    """The row of buttons under an answer."""
    versions = told.versions.get(turn.turn_id, ())
    judged = told.judged.get(turn.turn_id)
    parts = [_versions_html(turn.turn_id, versions)] if versions else []
    if turn.text:
        text = escape(rendering.plain(copied(turn)))
        parts.append(
            f'<button type="button" class="hl-act" data-copy="{text}" '
            f'data-copied="{t("Copied")}" data-refused="{t("Not allowed")}" '
            f'title="{t("Copy the answer with its sources")}">{t("Copy")}</button>'
        )
    parts += [
        _button("again", turn.turn_id, t("Answer again"),
                t("With the documents, the mode and the model chosen now; this answer is kept as "
                  "a version")),
        _button("edit", turn.turn_id, t("Edit question"),
                t("Change the question and go on from there; what followed is kept as a version")),
    ]  # fmt: skip
    if turn.text and turn.state != STREAMING:
        parts += [
            _button("good", turn.turn_id, "👍", t("A good answer"),
                    pressed=judged is not None and judged.good),
            _button("bad", turn.turn_id, "👎", t("Not a good answer"),
                    pressed=judged is not None and not judged.good),
        ]  # fmt: skip
    if can_be_saved(turn):
        kept = turn.turn_id in told.saved
        parts.append(
            _button("save", turn.turn_id, t("Saved") if kept else t("Save"),
                    t("Save the answer: it is marked when a page it rests on changes"),
                    pressed=kept)
        )  # fmt: skip
    note = told.notes.get(turn.turn_id, "")
    if turn.text and turn.state != STREAMING:
        parts.append(
            _button("note", turn.turn_id, t("Edit note") if note else t("Note"),
                    t("Write a note on this answer"))
        )  # fmt: skip
    why = ""
    if judged is not None and not judged.good:
        words = [reasons().get(judged.reason, ""), judged.note]
        if judged.golden:
            words.append(t("kept as golden question {name}", name=judged.golden))
        told_why = " · ".join(word for word in words if word)
        why = f'<div class="hl-small">{rendering.text_html(told_why)}</div>' if told_why else ""
    return (
        f'<div class="hl-acts" role="group" aria-label="{t("This answer")}" '
        f'data-turn="{turn.turn_id}">'
        f"{''.join(parts)}</div>{why}{note_page.note_html(note)}"
    )


def _button(act: str, turn_id: int, words: str, told: str, *, pressed: bool | None = None) -> str:
    told = rendering.text_html(told)
    state = "" if pressed is None else f' aria-pressed="{"true" if pressed else "false"}"'
    name = f' aria-label="{told}"' if pressed is not None else ""
    return (
        f'<button type="button" class="hl-act" data-act="{act}:{turn_id}" title="{told}"'
        f"{name}{state}>{words}</button>"
    )


def _versions_html(turn_id: int, versions: tuple[int, ...]) -> str:
    at = versions.index(turn_id)

    def step(to: int, sign: str, name: str) -> str:
        off = "" if 0 <= to < len(versions) else " disabled"
        target = versions[to] if not off else turn_id
        return (
            f'<button type="button" class="hl-act" data-act="show:{target}" '
            f'aria-label="{name}"{off}>{sign}</button>'
        )

    return (
        f'<span class="hl-versions">{step(at - 1, "‹", t("Earlier version"))}'
        f"<span>{t('Version {n} of {all}', n=at + 1, all=len(versions))}</span>"
        f"{step(at + 1, '›', t('Later version'))}</span>"
    )


def act(conversation_id: str | None, said: str) -> tuple[str, int] | None:
    """Do what a button asked for; the question to ask anew, and of which turn, where it is that."""
    asked = _ACT.fullmatch(said)
    if asked is None or conversation_id is None:
        return None
    store, turn_id = resources.store(), int(asked["turn"])
    turn = store.turn(turn_id)
    # The browser may say anything: only turns of the open conversation are touched.
    if turn is None or turn.conversation_id != conversation_id:
        return None
    judged = store.judgements(conversation_id).get(turn_id)
    match asked["act"]:
        case "again":
            return turn.question, turn_id
        case "edit":
            st.session_state["editing"] = turn_id
            st.session_state["focus-edit"] = True
        case "show":
            store.show(conversation_id, turn_id)
            st.session_state["goto"] = turn_id
        case "note":
            note_page.begin(turn)
        case "save":
            note_page.toggle_saved(turn)
        case "good":
            taken_back = judged is not None and judged.good
            store.judge(turn_id, None if taken_back else Feedback(good=True))
        case _:
            if judged is not None and not judged.good:
                store.judge(turn_id, None)
            else:
                store.judge(turn_id, Feedback(good=False))
                st.session_state["judging"] = turn_id
    return None


def is_edited(turn: StoredTurn) -> bool:
    """Whether the question of a turn is being changed."""
    return st.session_state.get("editing") == turn.turn_id


def edit(turn: StoredTurn) -> str | None:
    """The form that changes a question; the new one once it is asked."""
    with (
        st.chat_message("user", avatar=":material/person:"),
        st.form(f"edit-{turn.turn_id}", border=False),
    ):
        question = st.text_area(t("Your question"), turn.question, key=f"edited-{turn.turn_id}")
        with st.container(horizontal=True):
            asked = st.form_submit_button(t("Ask"), type="primary")
            st.form_submit_button(
                t("Cancel"), on_click=lambda: st.session_state.pop("editing", None)
            )
    if st.session_state.pop("focus-edit", False):
        focus(f"edited-{turn.turn_id}")
    if not asked:
        return None
    st.session_state.pop("editing", None)
    return question


def show_dialog(conversation_id: str | None) -> None:
    """Ask what was wrong with an answer, once it was judged so."""
    turn = resources.store().turn(st.session_state.get("judging") or 0)
    if turn is None or turn.conversation_id != conversation_id:
        st.session_state.pop("judging", None)
        return
    st.dialog(t("What was wrong?"), on_dismiss=_judged)(_why)(turn)


def _judged() -> None:
    st.session_state.pop("judging", None)


def _why(turn: StoredTurn) -> None:
    words = reasons()
    reason = st.radio(t("Reason"), list(words), format_func=lambda name: words[name], index=None)
    document = page = answer = None
    if reason != "no-answer":
        hint = t(
            "If you know what is right, it becomes a golden question, which evaluations ask again."
        )
        st.html(f'<div class="hl-small">{rendering.text_html(hint)}</div>')
        document = st.selectbox(
            t("Document that holds the answer"),
            list(dict.fromkeys(hit.document for hit in turn.hits)),
            index=None,
            accept_new_options=True,
            placeholder=t("Choose one, or type its path"),
            format_func=rendering.plain,
        )
        page = st.number_input(t("Its page"), min_value=1, value=None, step=1)
        answer = st.text_input(t("The right answer"), max_chars=2000)
    note = st.text_input(t("Note"), max_chars=2000)
    if st.button(t("Save"), type="primary", key="save-judgement"):
        given = Feedback(
            good=False,
            reason=reason or "",
            note=note.strip(),
            document=(document or "").strip(),
            page=int(page or 0),
            answer=(answer or "").strip(),
        )
        try:
            data_dir = resources.storage_settings().data_dir
            private = _has_files(turn.conversation_id)
            told = with_golden(data_dir, turn, given, private=private)
            resources.store().judge(turn.turn_id, told)
        except HayloftError as error:
            st.html(rendering.notice_html("error", t("Not kept yet"), str(error)))
            return
        _judged()
        st.rerun()


def _has_files(conversation_id: str) -> bool:
    """Whether a conversation has files of its own, or an answer that was made from some.

    Later answers may say what those files say, without naming them among their passages.
    """
    if resources.library().catalog.has_room(resources.room_of(conversation_id)):
        return True
    turns = resources.store().all_turns(conversation_id)
    return any(hit.room for turn in turns for hit in turn.hits)


def scroll() -> None:
    """Bring the turn that was asked for into view, once."""
    turn_id = st.session_state.pop("goto", None)
    if turn_id is not None:
        _scroller()(key="goto-turn", data=turn_id)


def focus(key: str) -> None:
    """Put the cursor into the field of a key, once it is drawn."""
    _focuser()(key=f"focus-{key}", data=key)


@lru_cache(maxsize=1)
def _focuser() -> Any:
    return st.components.v2.component("hayloft.focus", js=FOCUS)


@lru_cache(maxsize=1)
def _scroller() -> Any:
    return st.components.v2.component("hayloft.goto", js=_SCROLL)
