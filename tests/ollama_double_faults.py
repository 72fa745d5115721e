"""The ways in which an Ollama double can fail on request."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Fault(enum.Enum):
    """One failure. Those of the second group strike after `after_tokens` tokens of a stream."""

    # Before the model runs.
    REFUSE = "refuse"
    """Nobody listens: connections are refused until the fault is cleared."""
    RESET = "reset"
    """The request is read, then the connection is reset."""
    STALL_FIRST_BYTE = "stall-first-byte"
    """Nothing is sent, not even a status."""
    LOAD_FAILED = "load-failed"
    """500: the model's process ends while it loads."""
    OUT_OF_MEMORY = "out-of-memory"
    """500: the model does not fit in memory."""
    LOAD_TIMEOUT = "load-timeout"
    """500: the model's process never becomes ready."""
    MODEL_MISSING = "model-missing"
    """404, for every model."""
    BUSY = "busy"
    """503: the queue is full."""
    CANCELED = "canceled"
    """499: the server takes the request for cancelled."""
    RUNNER_STOPPED = "runner-stopped"
    """500: the model's process dies before the first token."""
    HTML_502 = "html-502"
    """A proxy's page in place of the server, on every path."""
    UNAUTHORIZED = "unauthorized"
    """401 with a sign-in address."""
    FORBIDDEN = "forbidden"
    """403 with an empty body, on every path."""
    HTML_200 = "html-200"
    """A page with status 200, on every path: not Ollama at all."""

    # While it answers.
    STALL_MID_STREAM = "stall-mid-stream"
    """The stream goes silent with the connection open."""
    CUT_MID_CHUNK = "cut-mid-chunk"
    """The connection closes inside a line."""
    CUT_BETWEEN_CHUNKS = "cut-between-chunks"
    """The connection closes between two lines, without the last chunk."""
    ERROR_LINE = "error-line"
    """A line with an error in plain text, then the end; status 200."""
    ERROR_LINE_JSON = "error-line-json"
    """A line with an error that is itself JSON text, then the end; status 200."""
    ERROR_LINE_OBJECT = "error-line-object"
    """A line whose error is a JSON object, then the end; status 200."""
    END_WITHOUT_DONE = "end-without-done"
    """The stream ends properly, but `done: true` never comes; unstreamed, 200 with done false."""
    GARBLED_LINE = "garbled-line"
    """A line that is not JSON, then the end."""
    RUNNER_DIED = "runner-died"
    """The model's process dies in mid-answer: a line with an error, then the end; status 200."""


EVERYWHERE = frozenset({Fault.REFUSE, Fault.HTML_502, Fault.HTML_200, Fault.FORBIDDEN})
"""Faults that strike on every path; the others only where a model works."""

MID_STREAM = frozenset(
    {
        Fault.STALL_MID_STREAM, Fault.CUT_MID_CHUNK, Fault.CUT_BETWEEN_CHUNKS, Fault.ERROR_LINE,
        Fault.ERROR_LINE_JSON, Fault.ERROR_LINE_OBJECT, Fault.END_WITHOUT_DONE,
        Fault.GARBLED_LINE, Fault.RUNNER_DIED,
    }
)  # fmt: skip

ANSWERING_PATHS = frozenset({"/api/chat", "/api/generate"})
WORKING_PATHS = ANSWERING_PATHS | {"/api/embed", "/api/embeddings"}


@dataclass
class Injection:
    """A fault, how often it strikes, and where."""

    fault: Fault
    count: int | None = None
    """How many requests it hits; None: every one until it is cleared."""
    after_tokens: int = 2
    """Tokens sent before a fault of the second group."""
    seconds: float | None = None
    """How long a stall lasts; None: until it is cleared."""
    paths: frozenset[str] | None = None
    """Only on these paths and what lies below them; None: where the fault is at home."""
    struck: int = field(default=0, init=False)

    def hits(self, path: str) -> bool:
        """True where it strikes a request for this path."""
        if self.count is not None and self.struck >= self.count:
            return False
        if self.paths is not None:
            return path in self.paths or any(path.startswith(f"{one}/") for one in self.paths)
        if self.fault is Fault.MODEL_MISSING and path == "/api/show":
            return True
        home = ANSWERING_PATHS if self.fault in MID_STREAM else WORKING_PATHS
        return self.fault in EVERYWHERE or path in home


PAGE_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    b"</body>\r\n</html>\r\n"
)
PAGE_200 = b"<!doctype html><html><head><title>Welcome</title></head><body>It works.</body></html>"

LOAD_FAILED_TEXT = (
    "llama-server process has terminated: error loading model: unable to allocate buffer"
)
OUT_OF_MEMORY_TEXT = (
    "llama-server reported out-of-memory during startup: "
    "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 7168.00 MiB on device 0: "
    "cudaMalloc failed: out of memory"
)
LOAD_TIMEOUT_TEXT = "timed out waiting for llama-server to start: context deadline exceeded"
RUNNER_STOPPED_TEXT = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an "
    "internal error, check ollama server logs for details"
)
RUNNER_LINE_TEXT = "an error was encountered while running the model: unexpected EOF"
BUSY_TEXT = "server busy, please try again.  maximum pending requests exceeded"
CANCELED_TEXT = "request canceled"
SIGN_IN_URL = "https://ollama.com/connect?name=double&key=none"
REPEATED_TEXT = "prediction aborted, token repeat limit reached"
GARBLED = b'{"model":"qwen2:7b","created_at":'
