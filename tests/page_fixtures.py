"""Pages of the browser app, drawn by Streamlit's own test runner.

See conftest for `fresh_pages`, which every test of one needs, and `chat_fakes` for what may
stand behind them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from app import chat_page, resources

MAIN = Path(chat_page.__file__).with_name("main.py")


def main_page() -> AppTest:
    """The app as a browser meets it: its navigation, and the chat."""
    return AppTest.from_file(str(MAIN), default_timeout=20).run()


def drawn(module: str, *, timeout_s: float = 20.0) -> AppTest:
    """One page alone; `module` has the `show` that draws it."""

    def script(name: str) -> None:
        import importlib

        importlib.import_module(name).show()

    return AppTest.from_function(script, args=(module,), default_timeout=timeout_s).run()


def shown(page: AppTest) -> str:
    """All HTML of the page, sidebar included."""
    return "\n".join(str(item.proto.body) for item in page.get("html"))


def button(page: AppTest, key: str) -> Any:
    """The button with a key."""
    return next(item for item in page.button if item.key == key)


def keys(page: AppTest) -> set[str | None]:
    """The keys of all buttons."""
    return {item.key for item in page.button}


def conversation_of(page: AppTest) -> str:
    """The conversation that the address names; empty where it names none."""
    value = page.query_params.get("c", "")
    return value if isinstance(value, str) else value[0]


def ask(page: AppTest, question: str) -> AppTest:
    """Ask, and let the answer end (or begin, where it never ends)."""
    page.chat_input[0].set_value(question).run()
    answer = resources.live_answers().get(conversation_of(page))
    if conversation_of(page) and question.split()[0] not in ("slow", "held"):
        # It may have ended after the page was drawn, and be none of the live ones by now.
        if answer is not None:
            answer.wait(5)
        page.run()
    assert not page.exception
    return page
