"""HTTP to a chat model's server: every way it can fail becomes an error of app/chat.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from app.chat import BadReply, ModelUnreachable, PromptTooLong
from app.hang_up import watched
from storage.errors import SettingsError

_LONGEST_BODY = 128 << 20
"""Bytes; `/api/show` with the whole vocabulary is about 5 MB."""
_LONGEST_LINE = 4 << 20
_QUOTED = 300
"""Characters of a server's own words that a message repeats."""

# What Ollama (old and new), llama-server and vLLM say of a prompt that does not fit.
_TOO_LONG = (
    "exceed_context_size",
    "exceeds the available context size",
    "longer than the context length",
    "maximum context length",
    "max context length",
    "context_length_exceeded",
    "longer than the maximum model length",
    "context size has been exceeded",
)


@dataclass(frozen=True, slots=True)
class Server:
    """A chat model's server, with what its errors need to say."""

    name: str
    """`Ollama`, or `The OpenAI-compatible server`."""
    url: str
    start: str
    """The sentence that says how to get it running."""
    setting: str
    """The environment variable that holds its address."""
    connect_timeout_s: float = 3.0
    answer_timeout_s: float = 1800.0
    headers: Mapping[str, str] | None = None

    @property
    def here(self) -> str:
        """The server by name and address."""
        return f"{self.name} at {self.url}"

    def client(self) -> httpx.Client:
        """A client for one exchange; the caller closes it.

        One each, since a kept connection that the server has closed meanwhile
        fails on the next question.
        """
        with self.translated():
            return httpx.Client(
                timeout=httpx.Timeout(
                    connect=self.connect_timeout_s,
                    read=self.answer_timeout_s,
                    write=self.answer_timeout_s,
                    pool=self.connect_timeout_s,
                ),
                headers=dict(self.headers or {}),
                # Plain http has no certificate; loading the authorities takes 20 ms each time.
                verify=self.url.startswith("https:"),
                # A proxy meant for the internet must not see what goes to this machine.
                trust_env=not _is_loopback(self.url),
                # Lets another thread hang up while this one waits for the first token.
                event_hooks={"request": [watched]},
            )

    @contextmanager
    def translated(self, silence_s: float | None = None) -> Iterator[None]:
        """Turn the exceptions of httpx into errors that say what to do.

        `silence_s` is the read timeout in force, if not that of answers.
        """
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise ModelUnreachable(f"{self.here} does not answer. {self.start}") from exc
        except httpx.TimeoutException as exc:
            if silence_s is not None:
                raise ModelUnreachable(
                    f"{self.here} was silent for {silence_s:g} s. Restart it if it stays so."
                ) from exc
            raise ModelUnreachable(
                f"{self.here} was silent for {self.answer_timeout_s:g} s. Ask for less, take a "
                "smaller model, or raise HAYLOFT_ANSWER_TIMEOUT_S."
            ) from exc
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise SettingsError(f"{self.url} is not an address: correct {self.setting}.") from exc
        except (httpx.LocalProtocolError, UnicodeEncodeError) as exc:
            raise SettingsError(
                f"The request to {self.here} cannot be written: the address or the key has "
                f"characters that HTTP forbids. Correct {self.setting} or the key."
            ) from exc
        except httpx.RemoteProtocolError as exc:
            if "disconnected" in str(exc) or "peer closed" in str(exc):
                raise self._broken(exc) from exc
            raise BadReply(
                f"{self.url} does not speak HTTP ({quoted(str(exc))}). Correct {self.setting}."
            ) from exc
        except httpx.DecodingError as exc:
            raise BadReply(f"{self.here} sent a damaged body. Ask again.") from exc
        except httpx.HTTPError as exc:
            raise self._broken(exc) from exc

    def _broken(self, exc: Exception) -> ModelUnreachable:
        return ModelUnreachable(
            f"{self.here} broke off the connection ({quoted(str(exc)) or type(exc).__name__}). "
            "See the server's log, then ask again."
        )

    def no_protocol(self, what: str) -> BadReply:
        """The error for a reply that is not the protocol; `what` says how."""
        return BadReply(
            f"{self.url} answers, but not as {self.name} does: {what}. "
            f"Check {self.setting} and what serves there."
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """What a server said went wrong, unpacked from its wrappings."""

    status: int
    """The HTTP status; 200 for an error in mid-stream."""
    text: str
    """The innermost message."""
    kind: str = ""
    """`type` or `code` beside it."""
    prompt_tokens: int | None = None
    window: int | None = None
    is_json: bool = True
    """False where the body was not JSON: a web page, plain text, nothing."""

    @property
    def too_long(self) -> bool:
        """True where the prompt exceeds the window."""
        said = f"{self.kind} {self.text}".lower()
        return any(words in said for words in _TOO_LONG)

    @property
    def words(self) -> str:
        """The server's words for a message, on one line."""
        return quoted(self.text).rstrip(".") or f"status {self.status} and no explanation"


def parse_fault(status: int, body: object) -> Fault:
    """Unpack an error body: an object, JSON text, JSON text within JSON text, or none of these.

    Ollama wraps llama-server's errors as text: `{"error": "{\\"error\\": {...}}"}`.
    """
    value = body
    kind = ""
    prompt_tokens: int | None = None
    window: int | None = None
    is_json = isinstance(body, dict)
    for _ in range(8):
        if isinstance(value, str):
            inner = _object(value)
            if inner is None:
                break
            value, is_json = inner, True
        if not isinstance(value, dict):
            break
        kind = " ".join(
            [kind, *(word for key in ("type", "code") if isinstance(word := value.get(key), str))]
        ).strip()
        prompt_tokens = number(value.get("n_prompt_tokens")) or prompt_tokens
        window = number(value.get("n_ctx")) or window
        value = next((value[key] for key in ("error", "message", "detail") if value.get(key)), "")
    text = value if isinstance(value, str) else json.dumps(value)
    return Fault(status, text.strip(), kind, prompt_tokens, window, is_json)


def too_long(server: Server, model: str, fault: Fault) -> PromptTooLong:
    """The error for a prompt that the server refused as a whole."""
    sizes, what_to_do = "", "Choose fewer documents or passages, or a model with a larger window."
    if fault.prompt_tokens and fault.window:
        sizes = f" ({fault.prompt_tokens:,} tokens, window {fault.window:,})"
    if fault.window:
        what_to_do = "Ask again: the next prompt is made for that window."
    return PromptTooLong(
        f"{server.here} refused the prompt: it does not fit the window of {model}{sizes}. "
        f"Nothing was cut. {what_to_do}",
        window=fault.window,
    )


def get_json(
    server: Server, method: str, url: str, *, body: object = None, silence_s: float
) -> dict[str, object] | Fault:
    """One exchange of JSON: the object, or the fault that a status other than 200 carries.

    `silence_s` is how long the server may take. Raises ModelUnreachable or
    BadReply for what is not an answer at all.
    """
    with server.client() as client, server.translated(silence_s):
        timeout = httpx.Timeout(silence_s, connect=server.connect_timeout_s)
        content = None if body is None else encode(body)
        with client.stream(method, url, content=content, timeout=timeout) as response:
            text = read_body(server, response)
            if response.status_code != 200:
                return fault_of(server, response, text)
    loaded = _object(text)
    if loaded is None:
        raise server.no_protocol(describe_body(text))
    return loaded


def fault_of(server: Server, response: httpx.Response, text: str) -> Fault:
    """The fault in a reply with another status than 200.

    Raises BadReply where it sends us elsewhere: a question is not posted to
    an address that nobody chose.
    """
    if 300 <= response.status_code < 400:
        target = quoted(response.headers.get("location", "another address"))
        raise server.no_protocol(f"it redirects to {target}")
    return parse_fault(response.status_code, text)


def read_body(server: Server, response: httpx.Response) -> str:
    """A whole body as text, up to a size that no honest reply reaches."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > _LONGEST_BODY:
            raise server.no_protocol("its reply never ends")
        parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")


def lines(server: Server, response: httpx.Response) -> Iterator[str]:
    """The lines of a stream, cut at line feeds only, blank ones left out.

    httpx's own `iter_lines` also cuts at U+0085 and U+2028, which may stand
    inside a JSON string.
    """
    rest = b""
    for part in response.iter_bytes():
        *whole, rest = (rest + part).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise server.no_protocol("it sends a line without end")
        for line in whole:
            if line.strip():
                yield line.decode("utf-8", "replace").strip()
    if rest.strip():
        yield rest.decode("utf-8", "replace").strip()


def json_line(server: Server, line: str) -> dict[str, object]:
    """One line of a stream as the object it must be."""
    loaded = _object(line)
    if loaded is None:
        raise server.no_protocol(f"its stream holds {describe_body(line)}")
    return loaded


def encode(body: object) -> bytes:
    """JSON as sent; half characters (lone surrogates) become `?`."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def number(value: object) -> int | None:
    """A count as the server reports it, or None where it is no count."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def quoted(text: str) -> str:
    """Somebody else's words on one line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else line[: _QUOTED - 1] + "…"


def describe_body(text: str) -> str:
    """What kind of thing came in place of a JSON object."""
    start = text.lstrip()[:200].lower()
    if not start:
        return "nothing"
    if start.startswith(("<!doctype", "<html", "<head", "<?xml", "<body")):
        return "a web page"
    return f"something that is no JSON object ({quoted(text)[:80]})"


def unexpected(server: Server, fault: Fault) -> BadReply:
    """The error for a status that nothing else explains."""
    if not fault.is_json:
        return server.no_protocol(f"status {fault.status} with {describe_body(fault.text)}")
    return BadReply(
        f"{server.here} refused the request with status {fault.status}: {fault.words}. "
        "See the server's log."
    )


def _object(text: str) -> dict[str, object] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or host == "::1" or host.startswith("127.")
