"""Does the harness see what it should? Readers of known behaviour through the real runner.

Each check runs a grid with one reader (see `readers`) and looks at the figures
that the reports would show. Nothing is told to the scorer or the statistics:
a check passes only where the pattern comes out of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.calibration import RUNS
from evaluation.niah import readers
from evaluation.niah.config import Config
from evaluation.niah.readers import Look, Reader, Say
from evaluation.niah.records import TASKS, Row, Task
from evaluation.niah.run_folder import load
from evaluation.niah.summary import Panel, Summary, summarise
from storage.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evaluation.niah.run_progress import Outcome

_LIKELY = 0.7
"""How often the lucky reader is right."""

_ANSWERED: tuple[Task, ...] = ("multi_key", "distractors")
"""Tasks with wrong values planted beside the right one."""

_READ_S_A_TOKEN = 1e-6

_NEAR = 0.11


@dataclass(frozen=True, slots=True)
class Check:
    """One behaviour, and whether the figures show it."""

    name: str
    passed: bool
    told: str
    """What was seen."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Grid:
    """The sizes of a self-test. `window` is the one that readers forget beyond."""

    window: int
    trials: int
    """Two of eleven depths: the fewest that can show a length to hold."""
    all_tasks: tuple[int, ...]
    """Lengths at which every task is run."""
    lucky: tuple[int, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """From an eighth of the window to four times as much."""
        return tuple(self.window * part // 8 for part in (1, 4, 8, 16, 32))


FULL = Grid(32_768, 2, (1024, 8192, 32_768, 131_072), tuple(1024 * 2**n for n in range(6)))
QUICK = Grid(8_192, 2, (2048,), (256, 512, 768))


def run_selftest(
    *, quick: bool = False, out: Path | None = None, told: Callable[[str], None] = lambda line: None
) -> list[Check]:
    """Every check; `out` keeps the runs with their reports. Raises UsageError for a used folder."""
    from evaluation.niah.selftest_product import product_checks

    checks: list[Check] = []
    with _home(out) as home:
        grid = QUICK if quick else FULL
        for part in (reader_checks(home, grid, keep=out is not None), product_checks(home)):
            for check in part:
                told(f"{'ok    ' if check.passed else 'FAILED'}  {check.name}: {check.told}")
                checks.append(check)
    return checks


def reader_checks(home: Path, grid: Grid, *, keep: bool = False) -> Iterator[Check]:
    """A check for each reader, its runs in `home`; with `keep` their reports too."""
    shop = _Workshop(home, grid, keep=keep)
    for part in (_reading, _answering, _failing):
        yield from part(shop)


class _Workshop:
    """Makes runs of a grid and reads them back as a report does."""

    def __init__(self, home: Path, grid: Grid, *, keep: bool) -> None:
        self.home = home
        self.grid = grid
        self._keep = keep

    def config(self, **changed: Any) -> Config:
        """The single needle at all lengths and depths, unless told otherwise."""
        base = Config(
            haystack="generated",
            language="en",
            lengths=self.grid.lengths,
            trials=self.grid.trials,
            arms=("closed", "oracle", "long"),
            # Words are this reader's tokens: a shorter prompt holds no rules.
            oracle_length=512,
        )
        return replace(base, **changed)

    def run(self, config: Config, reader: Reader) -> tuple[Summary, list[Row], Outcome]:
        """Run a grid through the real runner, and read its rows back from the disk."""
        folder = self.home / RUNS / f"selftest-{reader.name}"
        outcome = run_grid(folder, config, reader)
        scored = load(folder)
        if self._keep:
            from evaluation.niah.report import write_reports

            write_reports(scored)
        return summarise(scored.rows, scored.planned), list(scored.rows), outcome

    def panel(
        self, name: str, say: Say, look: Look = lambda words: words, **changed: Any
    ) -> tuple[Panel, list[Row]]:
        """The map of the long prompt that a reader leaves."""
        config = self.config(**changed)
        reader = Reader(name, trials_of(config), say, look)
        summary, rows, _ = self.run(config, reader)
        panel = summary.panel("long") or summary.panel("long", config.tasks[0])
        if panel is None:
            raise RuntimeError(f"the run of {name} has no long arm")
        return panel, rows


def trials_of(config: Config) -> list[Any]:
    """The trials of a configuration over the generated haystack."""
    from evaluation.niah.haystacks import GENERATED
    from evaluation.niah.trials import trials

    return list(trials(config, config.language, GENERATED))


def run_grid(folder: Path, config: Config, reader: Reader, product: Any = None) -> Outcome:
    """Run, or go on with, a configuration in a folder."""
    from evaluation.niah.arms import Bench
    from evaluation.niah.haystacks import generated_haystack
    from evaluation.niah.probe import Speed
    from evaluation.niah.runner import open_run, plan, steps_of
    from evaluation.served import served_by

    longest = max((*config.lengths, config.oracle_length))
    # A word of generated English takes some six characters; a tenth more is room enough.
    haystack = generated_haystack(config.language, config.seed, characters=8 * longest)
    bench = Bench(config, haystack, reader, served_by(reader))
    steps = steps_of(bench)
    speed = Speed(per_token=_READ_S_A_TOKEN, per_answer_token=0.0, overhead=0.0)
    return open_run(folder, bench, steps, speed, plan(bench, steps, speed)).go(product)


def _reading(shop: _Workshop) -> Iterator[Check]:
    """What is seen of the text decides the map."""
    window = shop.grid.window
    panel, _ = shop.panel(
        "perfect", readers.honest, tasks=TASKS, lengths=shop.grid.all_tasks, trials=1
    )
    rates = [cell.rate for cell in panel.cells.values()]
    yield _check(
        "perfect",
        all(rate.n and rate.hits == rate.n for rate in rates)
        and panel.effective.tokens == panel.lengths[-1],
        f"{_all(panel)} right in {len(TASKS)} tasks, effective length {panel.effective.tokens}",
    )
    panel, _ = shop.panel("last-half", readers.honest, readers.last_half(window))
    yield _pattern(
        "keeps the last half of its window",
        panel,
        green=lambda n, d: (
            n <= window or (n == 2 * window and d > 0.75) or (n == 4 * window and d > 0.875)
        ),
    )
    yield _check(
        "keeps the last half: effective length",
        (panel.effective.tokens, panel.effective.ends_at) == (window, 2 * window),
        f"effective length {panel.effective.tokens}, ends at {panel.effective.ends_at}",
    )
    panel, _ = shop.panel(
        "middle-blind",
        readers.honest,
        readers.blind_between(0.25, 0.75, window // 2),
        arms=("long",),
    )
    yield _pattern(
        "blind in the middle of long prompts",
        panel,
        green=lambda n, d: n <= window // 2 or _outside(d, 0.25, 0.75),
    )
    panel, _ = shop.panel("head", readers.honest, readers.head(0.45), arms=("long",))
    yield _pattern("reads only the head", panel, green=lambda n, d: _outside(d, 0.45, 2))
    panel, _ = shop.panel(
        "head-and-tail", readers.honest, readers.head_and_tail(0.25), arms=("long",)
    )
    yield _pattern("reads only head and tail", panel, green=lambda n, d: _outside(d, 0.25, 0.75))
    yield _lucky(shop)


def _lucky(shop: _Workshop) -> Check:
    config: dict[str, Any] = {"lengths": shop.grid.lucky, "trials": 10, "arms": ("long",)}
    panel, _ = shop.panel("lucky", readers.lucky(_LIKELY), **config)
    rates = [cell.rate for cell in panel.cells.values()]
    covered = sum(rate.low <= _LIKELY <= rate.high for rate in rates) / len(rates)
    # Of so many cells, three standard deviations below 95%.
    least = 0.95 - 3 * (0.95 * 0.05 / len(rates)) ** 0.5
    return _check(
        "right by chance in 70%",
        covered >= least and all(rate.n == 10 for rate in rates),
        f"the intervals of {covered:.1%} of {len(rates)} cells cover 0.7; {_all(panel)}",
    )


def _answering(shop: _Workshop) -> Iterator[Check]:
    """Answers that hold the value and do not answer."""
    window = shop.grid.window
    short: dict[str, Any] = {"lengths": (window // 16,), "arms": ("closed", "long")}
    panel, _ = shop.panel("echo", readers.echo, tasks=TASKS, **short)
    yield _none_right("echoes the whole prompt", panel)
    panel, _ = shop.panel("list-all", readers.list_all, tasks=_ANSWERED, **short)
    yield _none_right("lists every value", panel)
    panel, _ = shop.panel("distractor", readers.take_distractor, tasks=_ANSWERED, **short)
    yield _none_right("takes a distractor", panel)
    tasks: tuple[Task, ...] = ("single", "absent")
    panel, rows = shop.panel("refuser", readers.refuse, tasks=tasks, **short)
    single = [row for row in rows if row.arm == "long" and row.task == "single"]
    absent = [row for row in rows if row.arm == "long" and row.task == "absent"]
    yield _check(
        "refuses always",
        all(row.score == 0 for row in single) and all(row.score == 1 for row in absent),
        f"0 of {len(single)} where there is an answer, {len(absent)} where there is none",
    )
    panel, rows = shop.panel("knower", readers.know, **short)
    long = [row for row in rows if row.arm == "long"]
    yield _check(
        "knows the answers without reading",
        all(row.failure_stage == "LEAK" for row in long)
        and all(not cell.rate.n and cell.state == "leak" for cell in panel.cells.values()),
        f"{sum(row.failure_stage == 'LEAK' for row in long)} of {len(long)} rows are leaks, "
        f"{_all(panel)} count as read",
    )


def _failing(shop: _Workshop) -> Iterator[Check]:
    """Faults of the server are no answers."""
    window = shop.grid.window
    config = shop.config(lengths=(window // 16,))
    reader = Reader("every-fifth-fails", trials_of(config), readers.honest, fails_every=5)
    _, first, _ = shop.run(config, reader)
    failed = [row for row in first if row.status == "error"]
    scored = [row for row in failed if row.score is not None]
    runs = 1
    rows = first
    while any(row.status == "error" for row in rows) and runs < 10:
        _, rows, _ = shop.run(config, reader)
        runs += 1
    quiet = Reader("quiet", trials_of(config), readers.honest)
    _, wanted, _ = shop.run(config, quiet)
    same = _scores(rows) == _scores(wanted)
    yield _check(
        "fails at every fifth call",
        bool(failed) and not scored and same and all(row.status == "ok" for row in rows),
        f"{len(failed)} errors, {len(scored)} of them scored; after {runs} runs "
        f"{'the same rows as' if same else 'other rows than'} undisturbed",
    )
    reader = Reader("halves", trials_of(shop.config()), readers.honest, served=window)
    summary, rows, _ = shop.run(shop.config(), reader)
    beyond = [row for row in rows if row.arm == "long" and row.length > window]
    panel = summary.panel("long", "single")
    within = [cell for cell in panel.cells.values() if cell.length <= window] if panel else []
    yield _check(
        "server that halves long prompts and says so only in its count",
        bool(beyond)
        and all(row.status == "invalid_truncated" and row.score is None for row in beyond)
        and all(cell.rate.n and cell.rate.hits == cell.rate.n for cell in within),
        f"{sum(row.status == 'invalid_truncated' for row in beyond)} of {len(beyond)} longer rows "
        "are invalid, none is a miss",
    )


def _pattern(name: str, panel: Panel, *, green: Callable[[int, float], bool | None]) -> Check:
    """Every cell all right where the rule says True, and all wrong where it says False."""
    wrong, judged = [], 0
    for cell in panel.cells.values():
        wanted = green(cell.length, cell.depth)
        judged += wanted is not None
        if wanted is not None and not (
            cell.rate.n and cell.rate.hits == (cell.rate.n if wanted else 0)
        ):
            wrong.append(f"{cell.length} at {cell.depth:.0%}: {cell.rate.hits}/{cell.rate.n}")
    told = f"{judged} cells as they must be" if not wrong else "; ".join(wrong[:5])
    return _check(name, not wrong, told)


def _outside(depth: float, low: float, high: float) -> bool | None:
    """Whether a depth lies outside a range; None near its ends.

    Readers look at shares of the whole prompt, depths are shares of the text:
    of short prompts the rules are a tenth.
    """
    if min(abs(depth - low), abs(depth - high)) < _NEAR:
        return None
    return not low < depth < high


def _none_right(name: str, panel: Panel) -> Check:
    rates = [cell.rate for cell in panel.cells.values()]
    none = all(rate.n and rate.hits == 0 and rate.fraction == 0 for rate in rates)
    return _check(name, none, f"{_all(panel)} right")


def _check(name: str, passed: bool, told: str) -> Check:
    return Check(name, passed, told)


def _all(panel: Panel) -> str:
    rates = [cell.rate for cell in panel.cells.values()]
    return f"{sum(rate.hits for rate in rates)} of {sum(rate.n for rate in rates)}"


def _scores(rows: Iterable[Row]) -> dict[tuple[object, ...], tuple[object, ...]]:
    """What rows say, by what was asked; the readers' names are part of their keys."""
    return {
        (row.cell, row.trial): (row.answer, row.score, row.prompt_sha256, row.status)
        for row in rows
    }


@contextmanager
def _home(out: Path | None) -> Iterator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="hayloft-selftest-") as folder:
            yield Path(folder)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already. Name a new or empty folder for --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageError(f"{out} cannot be made: {exc.strerror or exc}.") from exc
    yield out
