"""How the next question is answered: a control above the composer, and what each way costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from app import rendering, resources, scope_page
from app.plans import AUTO, DOCUMENTS, EXTRACTIVE, MODES, PASSAGES, READ_ALL, Mode
from app.wording import t

if TYPE_CHECKING:
    from app.plans import Option, Plan

_DRAFT = "mode-draft"
_LEAST_REUSED = 1024
"""Tokens. The rules take some 300; pinned documents take more."""


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
    chosen = mode_of(conversation_id) or resources.app_settings().mode
    key = f"mode-{conversation_id or 'new'}"
    # What is kept is what the control shows, also where another tab has changed it.
    st.session_state[key] = chosen
    st.segmented_control(
        t("Answer from"),
        [AUTO, DOCUMENTS, PASSAGES, READ_ALL, EXTRACTIVE],
        key=key,
        format_func=_name,
        label_visibility="collapsed",
        on_change=_changed,
        args=(conversation_id,),
    )
    plan = _plan(conversation_id)
    if plan is not None:
        words = _cost_html(chosen, plan, begun=conversation_id is not None)
        st.html(f'<div class="hl-small hl-cost" role="status">{words}</div>')


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


def _cost_html(chosen: Mode, plan: Plan, *, begun: bool) -> str:
    """The chosen way with its cost, then the others that there are."""
    taken = plan.chosen if chosen == AUTO else chosen
    first = plan.option(taken)
    others = [
        option.words()
        for option in plan.options
        if option.mode not in (taken, EXTRACTIVE) and option.possible
    ]
    why = f" ({plan.why_words()})" if chosen == AUTO and plan.why else ""
    told = f"{first.words()}{why}" if first is not None else ""
    more = "".join(
        f'<span class="hl-others"> · {rendering.text_html(words)}</span>' for words in others
    )
    return f"{rendering.text_html(told)}{_warmth_html(first, begun=begun)}{more}"


def _warmth_html(option: Option | None, *, begun: bool) -> str:
    """Whether the server still holds what the next question goes on from."""
    if option is None or not option.possible or option.mode not in (DOCUMENTS, PASSAGES):
        return ""
    reused = option.tokens - option.new_tokens
    if not begun and reused < _LEAST_REUSED:
        return ""  # nothing came before but the rules
    if reused > 0:
        word, why = t("warm"), t("The model has read what came before; it reads only what is new")
    else:
        word, why = t("cold"), t("The model reads everything from its beginning")
    return f' · <span title="{rendering.text_html(why)}">{rendering.text_html(word)}</span>'


def _changed(conversation_id: str | None) -> None:
    # Nothing is chosen any more where the chosen one was clicked again.
    mode = str(st.session_state.get(f"mode-{conversation_id or 'new'}") or AUTO)
    if conversation_id is None:
        st.session_state[_DRAFT] = mode
    else:
        resources.store().set_mode(conversation_id, mode)
