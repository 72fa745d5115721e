"""llama.cpp's own server, started for a test: the engine that Ollama runs models with."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import httpx

from tests.canned_server import free_port

NAMED = "HAYLOFT_LLAMA_SERVER"


def engine() -> str | None:
    """The program, from the environment or the PATH; None where there is none."""
    return os.environ.get(NAMED) or shutil.which("llama-server")


class EngineServer:
    """One model, served with a window, until the `with` block ends."""

    def __init__(self, model: Path, *, window: int, log: Path, words: Sequence[str] = ()) -> None:
        self.model = model
        self.window = window
        self.log = log
        self.words = words
        self.url = ""

    def __enter__(self) -> EngineServer:
        program = engine()
        if program is None:
            raise RuntimeError(f"no llama-server: set {NAMED}")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        words = [program, "-m", str(self.model), "--host", "127.0.0.1", "--port", str(port)]
        words += ["-c", str(self.window), "-np", "1", *self.words]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        tail = self.log.read_text("utf-8", "replace")[-2000:]
        raise RuntimeError(f"llama-server did not start:\n{tail}")

    def windows(self) -> tuple[int, int]:
        """The trained window, and the one served."""
        meta = self.get("/v1/models")["data"][0]["meta"]
        served = self.get("/props")["default_generation_settings"]["n_ctx"]
        return int(meta["n_ctx_train"]), int(served)

    def get(self, path: str) -> dict:
        """One JSON object."""
        return httpx.get(self.url + path, timeout=60).raise_for_status().json()

    def post(self, path: str, body: object, *, timeout: float = 900) -> httpx.Response:
        """One request, whatever its status."""
        return httpx.post(self.url + path, json=body, timeout=timeout)

    def tokenize(self, text: str) -> list[int]:
        """The ids that the engine makes of a text, special tokens as such."""
        body = {"content": text, "parse_special": True, "add_special": False}
        return list(self.post("/tokenize", body).raise_for_status().json()["tokens"])

    def complete(self, tokens: list[int], *, timeout: float = 900) -> httpx.Response:
        """One token after this prompt."""
        body = {"prompt": tokens, "n_predict": 1, "cache_prompt": True, "temperature": 0}
        return self.post("/completion", body, timeout=timeout)
