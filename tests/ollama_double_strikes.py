"""How an Ollama double's faults strike a request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tests import ollama_double_faults as faults
from tests.ollama_double_bodies import Body
from tests.ollama_double_faults import Fault, Injection
from tests.ollama_double_models import full_name
from tests.ollama_double_options import ApiError
from tests.ollama_double_records import Request
from tests.ollama_double_wire import Handler

if TYPE_CHECKING:
    from tests.ollama_double import OllamaDouble

_ERRORS = {
    Fault.LOAD_FAILED: (500, faults.LOAD_FAILED_TEXT),
    Fault.OUT_OF_MEMORY: (500, faults.OUT_OF_MEMORY_TEXT),
    Fault.LOAD_TIMEOUT: (500, faults.LOAD_TIMEOUT_TEXT),
    Fault.RUNNER_STOPPED: (500, faults.RUNNER_STOPPED_TEXT),
    Fault.BUSY: (503, faults.BUSY_TEXT),
    Fault.CANCELED: (499, faults.CANCELED_TEXT),
}
_PAGES = {
    Fault.HTML_502: (502, faults.PAGE_502, "text/html"),
    Fault.HTML_200: (200, faults.PAGE_200, "text/html"),
    Fault.FORBIDDEN: (403, b"", ""),
}
_LOSE_THE_MODEL = {
    Fault.LOAD_FAILED,
    Fault.OUT_OF_MEMORY,
    Fault.LOAD_TIMEOUT,
    Fault.RUNNER_STOPPED,
    Fault.RUNNER_DIED,
}
_LINES: dict[Fault, object] = {
    Fault.ERROR_LINE: "an error was encountered while running the model: CUDA error",
    Fault.ERROR_LINE_JSON: (
        '{"error":{"code":500,"message":"Compute error.","type":"server_error"}}'
    ),
    Fault.ERROR_LINE_OBJECT: {"code": 500, "message": "Compute error."},
    Fault.RUNNER_DIED: faults.RUNNER_LINE_TEXT,
}


def missing(path: str, name: str) -> ApiError:
    """The 404 for a model that is not installed; each path words it in its own way."""
    if path in {"/api/embed", "/api/embeddings"}:
        return ApiError(404, f'model "{name}" not found, try pulling it first')
    shown = full_name(name) if path == "/api/show" else name
    return ApiError(404, f"model '{shown}' not found")


def strike_early(double: OllamaDouble, handler: Handler, request: Request) -> bool:
    """Strike with a fault that comes before the model runs; True where that was the answer."""
    injection = double.strike(request, mid_stream=False)
    if injection is None:
        return False
    fault = injection.fault
    if fault in {Fault.RESET, Fault.REFUSE}:
        # A request that came in just before the listener closed finds nobody either.
        handler.hang_up(reset=True)
    if fault is Fault.STALL_FIRST_BYTE:
        _stall(double, handler, injection)
        return False
    if fault in _PAGES:
        handler.reply(*_PAGES[fault])
        return True
    _lose_model(double, request, fault)
    if fault is Fault.UNAUTHORIZED:
        raise ApiError(401, "unauthorized", signin_url=faults.SIGN_IN_URL)
    if fault is Fault.MODEL_MISSING:
        raise missing(request.path, _model_name(request))
    raise ApiError(*_ERRORS[fault])


def strike_mid_stream(
    double: OllamaDouble,
    handler: Handler,
    request: Request,
    injection: Injection,
    line: Body,
    *,
    stream: bool,
) -> bool:
    """Strike in place of the line that was due; True where the answer goes on after all."""
    fault = injection.fault
    _lose_model(double, request, fault)
    if fault is Fault.STALL_MID_STREAM:
        _stall(double, handler, injection)
        return True
    if fault is Fault.CUT_BETWEEN_CHUNKS:
        handler.hang_up()
    elif fault is Fault.CUT_MID_CHUNK:
        if stream:
            handler.half_line(line)
        else:
            handler.half_body(line)
        handler.hang_up()
    elif fault is Fault.END_WITHOUT_DONE:
        if stream:
            handler.end_stream()
        else:
            handler.reply_json(200, line)
    elif fault is Fault.GARBLED_LINE:
        if stream:
            handler.raw_chunk(faults.GARBLED + b"\n")
            handler.end_stream()
        else:
            handler.reply(200, faults.GARBLED)
    elif stream:
        handler.line({"error": _LINES[fault]})
        handler.end_stream()
    else:
        handler.reply_json(500, {"error": _LINES[fault]})
    return False


def _stall(double: OllamaDouble, handler: Handler, injection: Injection) -> None:
    """Silence, until it is over, the client leaves, or the fault is cleared."""
    seconds = math.inf if injection.seconds is None else injection.seconds
    handler.wait(seconds, until=lambda: not double.injected(injection))


def _model_name(request: Request) -> str:
    return str(request.body.get("model") or "") if isinstance(request.body, dict) else ""


def _lose_model(double: OllamaDouble, request: Request, fault: Fault) -> None:
    model = double.model(_model_name(request))
    if model is not None and fault in _LOSE_THE_MODEL:
        double.scheduler.unload(model)
