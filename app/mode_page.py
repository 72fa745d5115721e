"""How the next question is answered: a control above the composer, with what each way costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from app import rendering, resources, scope_page
from app.plans import AUTO, EXTRACTIVE, MODES

if TYPE_CHECKING:
    from app.plans import Plan

_DRAFT = "mode-draft"
_NAMES: dict[str, str] = {
    AUTO: "Choose for me",
    "documents": "Whole documents",
    "passages": "Passages found",
    "read-all": "Every page, in parts",
    EXTRACTIVE: "Quotations, no model",
}


def mode_of(conversation_id: str | None) -> str:
    """The mode that was chosen for a conversation; empty where none was."""
    if conversation_id is not None:
        kept = resources.store().mode(conversation_id)
    else:
        kept = str(st.session_state.get(_DRAFT, ""))
    return kept if kept in MODES else ""


def forget_draft() -> None:
    """The choice made before a conversation began belongs to that conversation now."""
    st.session_state.pop(_DRAFT, None)


def show(conversation_id: str | None) -> None:
    """Draw the control; nothing without a model, since there is nothing to choose then."""
    if resources.model_at_hand().model is None:
        return
    plan = _plan(conversation_id)
    chosen = mode_of(conversation_id) or str(resources.app_settings().mode)
    # Where Streamlit keeps the composer; it has no public name. Else at the page's end.
    with (
        getattr(st, "_bottom", None) or st.container(),
        st.popover(_label(chosen, plan), type="tertiary", icon=":material/tune:"),
    ):
        st.radio(
            "Answer from",
            list(_NAMES),
            index=list(_NAMES).index(chosen),
            key=f"mode-{conversation_id or 'new'}",
            format_func=lambda mode: _NAMES[mode],
            captions=[_caption(mode, plan) for mode in _NAMES],
            on_change=_changed,
            args=(conversation_id,),
        )


def _plan(conversation_id: str | None) -> Plan | None:
    scope = scope_page.scope_of(conversation_id)
    turns = len(resources.store().turns(conversation_id)) if conversation_id else 0
    return resources.outlook(conversation_id, json.dumps(scope.to_json()), turns)


def _label(chosen: str, plan: Plan | None) -> str:
    mode = plan.chosen if plan is not None and chosen == AUTO else chosen
    option = plan.option(mode) if plan is not None else None
    if option is None or mode == EXTRACTIVE:
        return rendering.label(_NAMES[chosen])
    return rendering.label(f"{_NAMES[chosen]} — {option.words()}", limit=160)


def _caption(mode: str, plan: Plan | None) -> str:
    if plan is None:
        return ""
    if mode == AUTO:
        return rendering.label(f"Now {_NAMES[plan.chosen].lower()}: {plan.why}")
    option = plan.option(mode)
    return rendering.label(option.words()) if option is not None else ""


def _changed(conversation_id: str | None) -> None:
    mode = str(st.session_state.get(f"mode-{conversation_id or 'new'}", ""))
    if conversation_id is None:
        st.session_state[_DRAFT] = mode
    else:
        resources.store().set_mode(conversation_id, mode)
