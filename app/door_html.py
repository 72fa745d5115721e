"""The pages at the door: sign in, set up, change the password. Plain HTML, no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from app.wording import language, retold, t

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1b18; --ground: #faf8f3; --line: #8a8375;
  --deed: #7a5200; --on-deed: #fff; --fault: #9c1c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #f0ede6; --ground: #191815; --line: #9b9486;
  --deed: #e6b450; --on-deed: #191815; --fault: #ff9d94; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
p { margin: 0 0 1.25rem; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
label.tick { display: flex; gap: .6rem; font-weight: 400; align-items: baseline; }
input:not([type=checkbox]) { width: 100%; font: inherit; padding: .6rem .7rem; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: .4rem; }
button, a.deed { display: block; width: 100%; margin-top: 1.5rem; font: inherit; font-weight: 600;
  padding: .7rem; text-align: center; text-decoration: none; border: 0; border-radius: .4rem;
  background: var(--deed); color: var(--on-deed); cursor: pointer; }
:focus-visible { outline: 3px solid var(--deed); outline-offset: 2px; }
.fault { border-left: 4px solid var(--fault); padding: .1rem 0 .1rem .75rem; color: var(--fault); }
.small { font-size: .9rem; }
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form."""

    name: str
    label: str
    kind: str = "text"
    fill: str = ""
    """What a password manager fills in: the HTML attribute `autocomplete`."""
    value: str = ""


def page_html(title: str, words: str, body: str, *, fault: str = "") -> str:
    """A page at the door; `body` is HTML, everything else is text."""
    said = f'<p class="fault" role="alert">{escape(retold(fault))}</p>' if fault else ""
    return (
        f'<!doctype html><html lang="{escape(language())}" dir="auto"><head>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · Hayloft</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(words)}</p>{said}{body}</main></body></html>"
    )


def form_html(action: str, fields: Sequence[Field], deed: str) -> str:
    """A form that posts to one of our own addresses."""
    parts = [_field_html(field, first=number == 0) for number, field in enumerate(fields)]
    return (
        f'<form method="post" action="{escape(action)}">{"".join(parts)}'
        f'<button type="submit">{escape(deed)}</button></form>'
    )


def sign_in_html(*, next_path: str, name: str = "", fault: str = "") -> str:
    """The form that asks for name and password."""
    fields = [
        Field("name", t("Name"), fill="username", value=name),
        Field("password", t("Password"), "password", "current-password"),
        Field("next", "", "hidden", value=next_path),
    ]
    return page_html(
        t("Sign in"),
        t("Ask your own documents."),
        form_html("/login", fields, t("Sign in")),
        fault=fault,
    )


def set_up_html(*, name: str = "", fault: str = "") -> str:
    """The form that makes the first account."""
    fields = [
        Field("code", t("Setup code"), fill="one-time-code"),
        Field("name", t("Your name"), fill="username", value=name),
        Field("password", t("Password, ten characters or more"), "password", "new-password"),
        Field("again", t("The password again"), "password", "new-password"),
        Field("adopt", t("Conversations had so far become mine"), "checkbox", value="yes"),
    ]
    return page_html(
        t("The first account"),
        t(
            "It is an admin's and makes the others. The terminal that runs `hayloft ui` shows the "
            "setup code."
        ),
        form_html("/setup", fields, t("Make the account")),
        fault=fault,
    )


def password_html(user: str, *, fault: str = "", provisional: bool = False) -> str:
    """The form that changes a password."""
    fields = [
        Field("password", t("Password until now"), "password", "current-password"),
        Field("new", t("New password, ten characters or more"), "password", "new-password"),
        Field("again", t("The new password again"), "password", "new-password"),
    ]
    why = (
        t("Somebody else knows the password of {name}. Take one of your own.", name=user)
        if provisional
        else t("{name} is then signed out wherever else it is signed in.", name=user)
    )
    return page_html(
        t("Change the password"), why, form_html("/password", fields, t("Change")), fault=fault
    )


def _field_html(field: Field, *, first: bool) -> str:
    name, value = escape(field.name), escape(field.value)
    if field.kind == "hidden":
        return f'<input type="hidden" name="{name}" value="{value}">'
    if field.kind == "checkbox":
        return (
            f'<label class="tick"><input type="checkbox" name="{name}" value="{value}" checked>'
            f"<span>{escape(field.label)}</span></label>"
        )
    fill = f' autocomplete="{escape(field.fill)}"' if field.fill else ""
    focus = " autofocus" if first else ""
    return (
        f'<label for="{name}">{escape(field.label)}</label><input id="{name}" name="{name}" '
        f'type="{field.kind}" value="{value}" maxlength="2000" required{fill}{focus} '
        'autocapitalize="none" spellcheck="false">'
    )
