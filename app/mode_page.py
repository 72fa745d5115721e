"""How the next question is answered: a control above the composer, and what each way costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from app import rendering, resources, scope_page
from app.plans import AUTO, DOCUMENTS, EXTRACTIVE, MODES, PASSAGES, READ_ALL, Mode
from app.wording import t

if TYPE_CHECKING:
    from app.plans import Plan

_DRAFT = "mode-draft"


def mode_of(conversation_id: str | None) -> Mode | None:
    """The mode that was chosen for a conversation; None where none was."""
    if conversation_id is not None:
        kept = resources.store().mode(conversation_id)
    else:
        kept = str(st.session_state.get(_DRAFT, "") or resources.preferences().mode)
    return next((mode for mode in MODES if mode == kept), None)


def forget_draft() -> None:
    """The choice made before a conversation began belongs to that conversation now."""
    st.session_state.pop(_DRAFT, None)


def show(conversation_id: str | None) -> None:
    """Draw the control; nothing without a model, since there is nothing to choose then."""
    if resources.model_at_hand().model is None:
        return
    plan = _plan(conversation_id)
    chosen = mode_of(conversation_id) or resources.app_settings().mode
    key = f"mode-{conversation_id or 'new'}"
    # What is kept is what the control shows, also where another tab has changed it.
    st.session_state[key] = chosen
    with st.bottom:  # where Streamlit keeps the composer
        st.segmented_control(
            t("Answer from"),
            [AUTO, DOCUMENTS, PASSAGES, READ_ALL, EXTRACTIVE],
            key=key,
            format_func=_name,
            label_visibility="collapsed",
            on_change=_changed,
            args=(conversation_id,),
        )
        if plan is not None:
            words = rendering.text_html(_words(chosen, plan))
            st.html(f'<div class="hl-small" role="status">{words}</div>')


def _name(mode: str) -> str:
    return {
        AUTO: t("Best choice"),
        DOCUMENTS: t("Whole documents"),
        PASSAGES: t("Passages"),
        READ_ALL: t("Every page"),
        EXTRACTIVE: t("Quotations"),
    }[mode]  # type: ignore[index]


def _plan(conversation_id: str | None) -> Plan | None:
    scope = scope_page.scope_of(conversation_id)
    head = resources.store().head(conversation_id) if conversation_id else 0
    return resources.outlook(conversation_id, json.dumps(scope.to_json()), head)


def _words(chosen: Mode, plan: Plan) -> str:
    """The chosen way with its cost, then the others that there are."""
    taken = plan.chosen if chosen == AUTO else chosen
    first = plan.option(taken)
    others = [
        option.words()
        for option in plan.options
        if option.mode not in (taken, EXTRACTIVE) and option.possible
    ]
    why = f" ({plan.why_words()})" if chosen == AUTO and plan.why else ""
    told = [f"{first.words()}{why}"] if first is not None else []
    return " · ".join([*told, *others])


def _changed(conversation_id: str | None) -> None:
    # Nothing is chosen any more where the chosen one was clicked again.
    mode = str(st.session_state.get(f"mode-{conversation_id or 'new'}") or AUTO)
    if conversation_id is None:
        st.session_state[_DRAFT] = mode
    else:
        resources.store().set_mode(conversation_id, mode)
