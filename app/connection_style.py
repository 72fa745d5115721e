"""What the page says where its server is gone, in place of Streamlit's words about itself.

The page cannot be drawn anew then; but the dialog that the browser shows can be dressed by what was
drawn before. It is told from the page's own dialogs by holding nothing that a page puts into one.
"""

from __future__ import annotations

from app.wording import t

_LOST = (
    'body:has([data-test-connection-state]:not([data-test-connection-state="CONNECTED"])) '
    '[data-testid="stDialog"] section:not(:has([data-testid="stVerticalBlock"], '
    '[data-testid="stMarkdownContainer"]))'
)


def connection_style() -> str:
    """The style sheet as HTML, in the reader's language."""
    title = t("Hayloft does not answer")
    sentence = t(
        "What had arrived of an answer is kept. The page goes on by itself as soon as Hayloft "
        "answers again; where it was ended, start it with: hayloft ui"
    )
    return (
        f"<style>{_LOST} h2 {{ font-size: 0; }}\n"
        f"{_LOST} h2::after {{ content: {_quoted(title)}; font-size: 1.5rem; }}\n"
        f"{_LOST} h2 + div > * {{ display: none; }}\n"
        f"{_LOST} h2 + div::after {{ content: {_quoted(sentence)}; }}</style>"
    )


def _quoted(words: str) -> str:
    """A string of CSS that ends neither itself nor the style sheet."""
    safe = {"\\": "\\5c ", '"': "\\22 ", "<": "\\3c ", "\n": "\\a "}
    return f'"{"".join(safe.get(one, one) for one in words)}"'
