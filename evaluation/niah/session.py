"""What a command opens: settings, model, speed, haystack, grid; and what it then tells."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app.chat import ChatModel
from app.kv_cache import cache_doubt
from app.model_choice import NO_MODEL, choose_model
from app.settings import AppSettings
from evaluation import provenance
from evaluation.niah.arms import Bench
from evaluation.niah.config import (
    Budget,
    Config,
    config_from,
    read_config,
)
from evaluation.niah.fitting import fitting
from evaluation.niah.haystacks import (
    GENERATED,
    LIBRARY,
    Haystack,
    filled,
    generated_haystack,
    haystack_of_library,
    haystack_of_path,
)
from evaluation.niah.order import Step
from evaluation.niah.probe import Speed, probe
from evaluation.niah.prompts import FRAMES
from evaluation.niah.run_files import CONFIG, read_haystack, read_plan
from evaluation.niah.run_folder import plain_name
from evaluation.niah.run_progress import Progress
from evaluation.niah.runner import open_run, plan, steps_of
from evaluation.niah.session_text import plan_text
from evaluation.served import Served, other_server, served_by, with_kv_type
from storage.errors import ServiceUnavailable, StorageError, UsageError
from storage.settings import StorageSettings

RUNS = Path("evaluations") / "niah"

_NOTHING_BESIDE: Mapping[str, Any] = {
    "full_seconds": None,
    "first_look_seconds": None,
    "left_out": [],
}

_LEAST_LIBRARY = 20_000
"""Characters of prose from which on a library is a haystack."""

_CHARACTERS_A_TOKEN = {"en": 5.6, "es": 4.6, "zh": 1.9}
"""Of prose, at most: so much text fills so many tokens."""


class Session:
    """One command's model, haystack and grid."""

    def __init__(
        self,
        *,
        data_dir: Path,
        settings: AppSettings,
        asked: Config,
        bench: Bench,
        steps: list[Step],
        speed: Speed,
        beside: Mapping[str, Any],
        folder: Path | None,
        going_on: bool,
        named: bool,
        note: Callable[[str], None],
    ) -> None:
        self.data_dir = data_dir
        self.settings = settings
        self.asked = asked
        self.bench = bench
        self.steps = steps
        self.speed = speed
        self.beside = beside
        """What was not chosen: `full_seconds`, `first_look_seconds`, `left_out`; where the grid
        that was asked for is the one that runs, None, None and nothing."""
        self._folder = folder
        self._going_on = going_on
        self._named = named
        self._note = note

    def plan(self) -> dict[str, Any]:
        """What a run will ask and cost, ready for JSON."""
        return {
            **plan(self.bench, self.steps, self.speed),
            **self.beside,
            "config": self.bench.config.to_json(),
        }

    def run(self, tell: Callable[[Progress], None] | None) -> dict[str, Any]:
        """Run it to its end or its budget; the result, ready for JSON."""
        planned = self.plan()
        folder = self._folder or self._new_folder()
        told = {
            **planned,
            "asked": self.asked.to_json(),
            **provenance.describe([self.settings, StorageSettings()]),
        }
        run = open_run(folder, self.bench, self.steps, self.speed, told)
        if tell is not None:
            self._note(f"run {folder.name}{' goes on' if self._going_on else ''}")
            for line in plan_text(planned).splitlines():
                self._note(line)
        product = self._product(folder) if "rag" in self.bench.config.arms else None
        try:
            outcome = run.go(product, tell or (lambda progress: None))
        finally:
            if product is not None:
                product.close()
        return {
            "run": folder.name,
            "folder": str(folder),
            "rows": outcome.rows,
            "kept": outcome.kept,
            "statuses": outcome.statuses,
            "stopped": outcome.stopped,
            "replaced": outcome.replaced,
            "named": self._named,
            "complete": outcome.complete,
            "seconds": round(outcome.seconds, 2),
            "harness_seconds": round(outcome.harness_seconds, 3),
            **self.beside,
        }

    def _new_folder(self) -> Path:
        """A folder that nobody else has: two runs may begin in one second."""
        name = "".join(c if c.isalnum() else "-" for c in self.bench.model.name).strip("-")
        home = self.data_dir / RUNS
        began = f"{datetime.now():%Y%m%d-%H%M%S}-{name[:40]}"
        folder, number = home / began, 1
        while True:
            try:
                home.mkdir(parents=True, exist_ok=True)
                folder.mkdir()
            except FileExistsError as exc:
                if not home.is_dir():
                    raise StorageError(f"{home} is not a folder: move it away.") from exc
                number += 1
                folder = home / f"{began}-{number}"
            except OSError as exc:
                raise StorageError(f"{folder} cannot be made: {exc.strerror or exc}.") from exc
            else:
                return folder

    def _product(self, folder: Path) -> Any:
        from evaluation.niah.product import Product
        from storage.library import Library

        home = folder / "product"
        settings = StorageSettings().model_copy(
            update={"data_dir": home / "library", "chroma_url": ""}
        )
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StorageError(f"{home} cannot be made: {exc.strerror or exc}.") from exc
        return Product(home, Library(settings), self.bench.model, self.settings)


@contextmanager
def opened(args: argparse.Namespace, note: Callable[[str], None]) -> Iterator[Session]:
    """Everything that `plan` and `run` need, from the arguments.

    Raises UsageError for a configuration that cannot be, ServiceUnavailable
    where no model answers.
    """
    asked = _asked(args)
    storage = StorageSettings()
    named = getattr(args, "run", "")
    folder = storage.data_dir / RUNS / plain_name(named) if named else None
    going_on = folder is not None and (folder / CONFIG).is_file()
    if going_on and args.new:
        raise UsageError(f"The run {named} is there already. Leave --new out, or name another.")
    # A run that is named goes on with its own model, whatever is set now.
    begun = read_config(folder / CONFIG) if going_on and folder is not None else asked
    settings = _settings(
        replace(asked, model=asked.model or begun.model, window=asked.window or begun.window)
    )
    model = _model(settings, storage)
    # Before the haystack: a server that is away is told at once.
    language = asked.language if asked.language in FRAMES else "en"
    speed = probe(model, FRAMES[language], language)
    # Now that it is loaded, the server tells the window that it really has.
    served = with_kv_type(served_by(model), settings.kv_type)
    if (doubt := cache_doubt(model, settings.kv_type)) and not going_on:
        note(doubt)
    if folder is None and hasattr(args, "run") and not args.new:
        folder = _unfinished(storage.data_dir, asked, served)
        going_on = folder is not None
    beside: dict[str, Any] = dict(_NOTHING_BESIDE)
    if going_on and folder is not None:
        _refuse_other_request(folder, asked)
        config = replace(read_config(folder / CONFIG), budget=_budget_of(folder, asked))
        haystack = read_haystack(folder)
        bench = Bench(config, haystack, model, served)
        steps = steps_of(bench)
        begun_with = read_plan(folder)
        beside = {name: begun_with.get(name, none) for name, none in beside.items()}
    else:
        haystack = _haystack(asked, storage, _longest(asked, served.window, _wants_quick(args)))
        bench = Bench(asked, haystack, model, served)
        if _wants_quick(args):
            # What `--full` would run is told beside the grid that fits some minutes.
            whole = _haystack(asked, storage, _longest(asked, served.window, quick_run=False))
            full = speed.seconds(steps_of(Bench(asked, whole, model, served)))
            fitted = fitting(bench, speed)
            bench, steps = fitted.bench, fitted.steps
            beside = {
                "full_seconds": round(full, 1),
                "first_look_seconds": round(fitted.whole_seconds, 1),
                "left_out": list(fitted.left_out),
            }
        else:
            steps = steps_of(bench)
    yield Session(
        data_dir=storage.data_dir,
        settings=settings,
        asked=asked,
        bench=bench,
        steps=steps,
        speed=speed,
        beside=beside,
        folder=folder,
        going_on=going_on,
        named=bool(named),
        note=note,
    )


def _asked(args: argparse.Namespace) -> Config:
    """The configuration file with the arguments over it."""
    config = read_config(args.config) if args.config is not None else Config()
    given: dict[str, Any] = {}
    for name in ("haystack", "language", "values", "mode", "model"):
        if getattr(args, name) is not None:
            given[name] = getattr(args, name)
    for name in ("tasks", "arms", "lengths"):
        if getattr(args, name) is not None:
            given[name] = [part.strip() for part in getattr(args, name).split(",")]
    for name in ("trials", "seed"):
        if getattr(args, name) is not None:
            given[name] = _number(name, getattr(args, name))
    if args.depths is not None:
        parts = args.depths.split(",")
        whole = len(parts) == 1 and parts[0].strip().isdigit()
        given["depths"] = int(parts[0]) if whole else [_share(part) for part in parts]
    if args.window is not None:
        given["window"] = args.window
    if args.minutes is not None:
        given["budget"] = {"minutes": args.minutes, "prompt_tokens": config.budget.prompt_tokens}
    if not given:
        return config
    return config_from({**config.to_json(), **given}, "the command line")


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"--{name} is {text!r}; it must be a whole number.")
    return int(text)


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"--depths holds {text!r}; write how many, or shares such as 0,0.5,1."
        ) from None


def _wants_quick(args: argparse.Namespace) -> bool:
    """Whether nobody has said how large the grid shall be."""
    sizes = (args.config, args.lengths, args.depths, args.trials)
    return not args.full and all(size is None for size in sizes)


def _settings(config: Config) -> AppSettings:
    changes: dict[str, Any] = {}
    if config.model:
        changes["model"] = config.model
    if config.window is not None:
        changes["window"] = config.window
    return AppSettings().model_copy(update=changes)


def _model(settings: AppSettings, storage: StorageSettings) -> ChatModel:
    choice = choose_model(settings, data_dir=storage.data_dir)
    if choice.model is None:
        why = choice.notice.removeprefix("Answers are extractive quotes. ")
        if why and why != NO_MODEL:
            raise ServiceUnavailable(f"No chat model to measure. {why}")
        raise ServiceUnavailable(
            "No chat model to measure. Install Ollama, start it with `ollama serve` and run "
            "`ollama pull qwen2:7b`; or set HAYLOFT_OPENAI_URL to a server that runs one. "
            "`hayloft eval niah selftest` needs no model."
        )
    return choice.model


def _longest(config: Config, window: int, quick_run: bool) -> int:
    """The longest prompt or document that will be made."""
    if "rag" in config.arms and not quick_run:
        return max(*config.lengths, config.oracle_length)  # documents exceed the window, too
    reachable = [one for one in config.lengths if one <= window]
    return max([*reachable, min(config.lengths), config.oracle_length])


def _haystack(config: Config, storage: StorageSettings, longest: int) -> Haystack:
    """The haystack of the configuration, long enough for its longest prompt."""
    chosen = config.haystack
    found: Haystack | None = None
    if chosen in ("auto", LIBRARY):
        found = _library_haystack(config, storage)
        if found is None and chosen == LIBRARY:
            raise UsageError(
                f"The library in {storage.data_dir} holds no prose to hide needles in. Fill it "
                "with `hayloft ingest PATH`, or use `haystack: generated`."
            )
        if chosen == "auto" and found is not None and found.characters < _LEAST_LIBRARY:
            found = None
    elif chosen != GENERATED:
        found = haystack_of_path(Path(chosen), config.language)
    language = found.language if found else config.language
    language = language if language in FRAMES else "en"
    # Half as much again: each trial begins elsewhere, and no two shall be alike.
    needed = int(1.5 * longest * _CHARACTERS_A_TOKEN[language])
    if found is None:
        return generated_haystack(language, config.seed, characters=needed)
    return filled(found, config.seed, characters=int(longest * _CHARACTERS_A_TOKEN[language]))


def _library_haystack(config: Config, storage: StorageSettings) -> Haystack | None:
    from storage.library import Library

    if not (storage.data_dir / "catalog.db").is_file():
        return None
    library = Library(storage)
    try:
        return haystack_of_library(library, config.language)
    finally:
        library.close()


def _unfinished(data_dir: Path, asked: Config, served: Served) -> Path | None:
    """The newest run of the same request, where it is not complete."""
    same: list[tuple[str, Path, bool]] = []
    for path in (data_dir / RUNS).glob(f"*/{CONFIG}"):
        try:
            told = read_plan(path.parent)
        except UsageError:
            continue
        if other_server(told.get("served", {}), served) is not None:
            continue
        if _request(told.get("asked", {})) == _request(asked.to_json()):
            # By its date: a run that a user has named may stand anywhere among the names.
            made_at, complete = str(told.get("made_at", "")), told.get("state") == "complete"
            same.append((made_at, path.parent, complete))
    if not same:
        return None
    _, folder, complete = max(same)
    return None if complete else folder


def _refuse_other_request(folder: Path, asked: Config) -> None:
    """A run that is named goes on as it began; asking it for something else is a mistake."""
    told = _request(read_plan(folder).get("asked", {}))
    if _request(asked.to_json()) not in (told, _request(Config().to_json())):
        raise UsageError(
            f"The run {folder.name} was begun with another configuration. Leave the options out "
            "to go on with it, or --run to start a new one."
        )


def _request(data: Mapping[str, Any]) -> Any:
    """What was asked for, without the budget, which may change from one day to the next."""
    return json.loads(json.dumps({**data, "budget": None}))


def _budget_of(folder: Path, asked: Config) -> Budget:
    """The budget asked for now, else the one that the run had."""
    if asked.budget != Budget():
        return asked.budget
    return read_config(folder / CONFIG).budget
