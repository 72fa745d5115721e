"""What stands around quotations, and in their place where there are none.

In the language of the page that asked; a command line speaks English.
"""

from __future__ import annotations

from app.wording import t


def nothing_found() -> str:
    """No passage bears out an answer."""
    return t("The documents do not seem to say anything about this.")


def nothing_in_scope() -> str:
    """The same, of the documents that the question was kept to."""
    return t("The chosen documents do not seem to say anything about this.")


def empty_scope() -> str:
    """The filters leave no document."""
    return t("No document meets all the filters. Take one of them away, then ask again.")


def no_clear_answer() -> str:
    """What is quoted only comes close."""
    return t("No sentence answers this clearly; these come closest.")


def empty_library() -> str:
    """There is nothing to ask."""
    return t("The library is empty. Fill it with `hayloft ingest FOLDER`, then ask again.")
