"""What a page shows where it broke off by an exception that nothing had reckoned with."""

from __future__ import annotations

import logging

import streamlit as st

from app import rendering
from app.page_style import style_sheet
from app.wording import retold, t
from storage.errors import HayloftError

log = logging.getLogger(__name__)


def tell(fault: Exception) -> bool:
    """Log a fault and show it where the page broke off; True, so that Streamlit adds no words.

    Streamlit's own speak of its makers' cloud and of a log that is not kept here. This is the
    `on_script_error` of its `App`: for the script, its callbacks and its fragments alike.
    """
    kind = type(fault).__name__
    if isinstance(fault, HayloftError):
        log.error("a page broke off: %s", fault)
        sentence = retold(str(fault))
    else:
        log.error("a page broke off", exc_info=fault)
        sentence = t(
            "That is a fault of Hayloft's own ({kind}). Nothing of the library is lost. Reload "
            "the page; if it stays, report it with the lines that `hayloft ui` printed.",
            kind=kind,
        )
    # It may have broken off before its own style was drawn.
    st.html(style_sheet(dark=st.context.theme.type == "dark"))
    st.html(rendering.notice_html("error", t("The page broke off here"), sentence))
    return True
