"""Which connections the settings in effect allow: computed, never claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from app.auth_settings import OIDC, AuthSettings
from app.cli_ui import is_loopback
from app.ollama_server import ollama_url
from app.settings import AppSettings
from app.wording import t
from storage.errors import SettingsError
from storage.settings import StorageSettings

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class Connection:
    """One address that Hayloft may connect to."""

    what: str
    where: str
    """The address without names and passwords in it; or a command."""
    when: str
    """When it is used, and what it is given; a sentence."""
    leaves: bool
    """True where the address is not this machine's own, or cannot be told."""


def connections(
    storage: StorageSettings,
    app: AppSettings,
    *,
    on_failure: str,
    usage_statistics: bool,
    environ: Mapping[str, str],
    auth: AuthSettings | None = None,
) -> list[Connection]:
    """Every address in the settings, each with what it is for.

    `on_failure` is the ingestion's setting, `usage_statistics` whether the
    page's server was started so that it sends some, `environ` tells proxies.
    """
    found = [
        *_models(app),
        _chroma(storage),
        *_failure_hook(on_failure),
        *_provider(auth),
    ]
    if usage_statistics:
        found.append(
            Connection(
                t("The page's server"),
                t("Streamlit's makers"),
                t(
                    "Usage statistics are on: it was not started by `hayloft ui`, which turns "
                    "them off."
                ),
                leaves=True,
            )
        )
    if any(connection.leaves for connection in found) or "://" in on_failure:
        found += _proxies(environ)
    return found


def summary(found: list[Connection]) -> str:
    """The sentence that leads the list."""
    leaving = [connection for connection in found if connection.leaves]
    if not leaving:
        return t(
            "None leave this machine: every address in the settings in effect is one of its own."
        )
    names = "; ".join(f"{connection.what} ({connection.where})" for connection in leaving)
    return t("These leave this machine: {names}.", names=names)


def without_secrets(url: str) -> str:
    """An address without user name, password, query and fragment, which may be secrets."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    hidden = "…" if parts.query or "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, host, parts.path, "", "")) + hidden


def _models(app: AppSettings) -> list[Connection]:
    provider = app.model.strip().partition(":")[0].lower()
    openai = app.openai_url.strip()
    answers = t("Questions and the passages they are answered from.")
    found = []
    uses_openai = bool(openai) and provider in ("auto", "openai")
    if uses_openai:
        found.append(
            Connection(
                t("The OpenAI-compatible server"),
                without_secrets(openai),
                answers,
                _leaves(openai),
            )
        )
    try:
        ollama = ollama_url(app.ollama_url)
    except SettingsError:
        return [
            *found,
            Connection("Ollama", t("an address that cannot be read"), t("Never."), False),
        ]
    when = (
        answers
        if provider == "ollama" or (provider == "auto" and not uses_openai)
        else t("Not asked for answers; the pages Models and Status ask it what is installed.")
    )
    return [
        *found,
        Connection(
            "Ollama",
            without_secrets(ollama),
            f"{when} {t('Told to fetch a model, Ollama itself connects to its library.')}",
            _leaves(ollama),
        ),
    ]


def _chroma(storage: StorageSettings) -> Connection:
    if not storage.chroma_url:
        return Connection(
            "Chroma",
            t("127.0.0.1, a port of its own"),
            t("The text of the chunks, with their vectors; Hayloft starts it."),
            False,
        )
    return Connection(
        "Chroma",
        without_secrets(storage.chroma_url),
        t("The text of the chunks, with their vectors."),
        _leaves(storage.chroma_url),
    )


def _failure_hook(on_failure: str) -> list[Connection]:
    told = on_failure.strip()
    if not told:
        return []
    when = t("Told of ingestion runs that fail, with the names of the files set aside.")
    if told.lower().startswith(("http://", "https://")):
        # The path of such an address is often its secret.
        host = without_secrets(urlunsplit((*urlsplit(told)[:2], "", "", "")))
        return [Connection(t("The failure hook"), f"{host}/…", when, _leaves(told))]
    # What a command does with it cannot be told from here.
    return [Connection(t("The failure hook"), t("a command of yours"), when, leaves=True)]


def _provider(auth: AuthSettings | None) -> list[Connection]:
    if auth is None or auth.auth != OIDC:
        return []
    where = without_secrets(auth.oidc_issuer)
    when = t("Asked who somebody is when they sign in; of documents it learns nothing.")
    return [Connection(t("The OpenID provider"), where, when, _leaves(auth.oidc_issuer))]


def _proxies(environ: Mapping[str, str]) -> list[Connection]:
    values = {environ.get(name) or environ.get(name.lower()) for name in _PROXIES}
    return [
        Connection(
            t("A proxy"),
            without_secrets(value),
            t(
                "Set in the environment; what leaves this machine, and the failure hook, goes "
                "through it."
            ),
            _leaves(value),
        )
        for value in sorted(value for value in values if value)
    ]


def _leaves(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True
    return not is_loopback(host)
