"""The index of a folder of runs: every finished run, session and baseline in it, read from their own files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from myquant.errors import ConfigError, MyquantError
from myquant.results.summary import SCHEMA_VERSION
from myquant.results.text import date_time
from myquant.results.write import RUN_MARK

SESSION_MARK: Final = "session.json"  # a folder of a session has it
JOURNAL: Final = "journal"  # of a session that has begun
CARD: Final = "operator.json"  # of a session that has a process, or whose process was killed
BASELINE_MARK: Final = "baseline_report_*.json"  # a folder of a baseline has one or more
SESSION_RESULTS: Final = "results"  # of a session that has ended, a folder like that of a run
BYTES_MAX: Final = 2**26  # of a file that is read

DONE: Final = "done"
RUNNING: Final = "running"
STOPPED: Final = "stopped"  # a session that has no results: it can go on, or ended with another exit code than 0
KILLED: Final = "killed"  # a session whose process did not come to its end: it can go on
DAMAGED: Final = "damaged"
UNKNOWN: Final = "unknown"

RECORDED: Final = "backtest"  # the kind of a run over recorded ticks; a session says its own
MEASURED: Final = "baseline"


@dataclass(frozen=True)
class RunEntry:
    """One run or session. None, or nothing: not known. Amounts in rupees; `written`: last change of its mark, UTC.

    `reason` says why it is stopped, killed, damaged or unknown; of a killed one also as of when its figures are.
    """

    name: str
    folder: str
    state: str
    reason: str = ""
    written: str | None = None
    kind: str | None = None
    strategy: str | None = None
    symbols: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    ticks: int | None = None
    trades: int | None = None
    net_pnl: float | None = None
    max_drawdown: float | None = None
    config_hash: str | None = None
    engine_hash: str | None = None


class RunIndex(NamedTuple):
    """The newest runs of a folder, and how many there are in all."""

    entries: list[RunEntry]
    total: int


class _File(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Day(_File):
    date: str


class _Ticks(_File):
    used: int


class _Summary(_File):
    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
    strategy: str
    symbols: tuple[str, ...]
    days: tuple[_Day, ...]
    ticks: _Ticks
    trades: int
    net_pnl: FiniteFloat
    max_drawdown: FiniteFloat
    config_hash: str
    engine_hash: str
    time_zone: str


class _Session(_File):
    format: Literal[1]
    kind: str
    strategy: str
    symbols: tuple[str, ...]
    config_hash: str
    engine_hash: str
    ended: int | None  # the exit code; None: it can go on


class _Window(_File):
    ticks: int
    symbols: tuple[str, ...]


class _Measured(_File):
    strategy: str | None


class _Hashes(_File):
    config_hash: str
    engine_hash: str


class _Baseline(_File):
    schema_version: Literal[1]
    run: _Measured
    measurement_window: _Window
    environment: _Hashes


class _DamagedError(Exception):
    """Why a file is not what it should be."""


class Found(NamedTuple):
    """A folder: its mark, None where it has none, and when the mark was written, or else the folder."""

    folder: Path
    mark: Path | None
    written_s: float


def list_runs(
    directory: Path,
    is_running: Callable[[Path], bool],
    load_report: Callable[[Path], object],
    *,
    limit: int | None = None,
) -> RunIndex:
    """Return the runs and sessions in a directory, newest first; those of files run separately as `folder/file`.

    Every folder has an entry, readable or not, save those whose names begin with a dot (drafts). `is_running` says whether
    a process runs the session of a folder; an OSError that it raises makes the state unknown. `load_report` reads a baseline's
    report; a MyquantError that it raises says what is wrong with it. Raises ConfigError where the directory can't be read.
    """
    found = find_runs(directory)
    return RunIndex([read_entry(each, directory, is_running, load_report) for each in found[:limit]], len(found))


def find_runs(directory: Path) -> list[Found]:
    """Return the folders of runs and sessions in a directory, newest first. Raises ConfigError where it can't be read."""
    try:
        found = [each for folder in directory.iterdir() for each in _look(folder)]
    except FileNotFoundError:
        raise ConfigError(f"{directory}: no such folder: name the folder of your runs with --directory") from None
    except OSError as error:
        raise ConfigError(f"{directory}: can't be read ({error.strerror}): name another with --directory") from None
    found.sort(key=lambda each: (-each.written_s, str(each.folder)))
    return found


def _look(folder: Path, depth: int = 0) -> Iterator[Found]:
    """Yield what a folder is; of a folder of runs, what is in it."""
    try:
        if folder.name.startswith(".") or not folder.is_dir():
            return
        for name in (SESSION_MARK, RUN_MARK):
            if (folder / name).exists():
                yield Found(folder, folder / name, (folder / name).stat().st_mtime)
                return
        reports = sorted(folder.glob(BASELINE_MARK))
        if reports:
            yield Found(folder, reports[-1], reports[-1].stat().st_mtime)
            return
        inner = [each for part in sorted(folder.iterdir()) for each in _look(part, depth + 1)] if depth == 0 else []
        runs = [each for each in inner if each.mark is not None]
        yield from runs or [Found(folder, None, folder.stat().st_mtime)]
    except OSError:  # told when it is read
        yield Found(folder, folder / RUN_MARK, 0.0)


def mode_of(path: Path) -> int:
    """Return what a path is, as `stat.S_ISREG` and the like understand it; 0: it is not there, or can't be looked at."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def read_entry(
    found: Found, directory: Path, is_running: Callable[[Path], bool], load_report: Callable[[Path], object]
) -> RunEntry:
    """Return the entry of a folder that was found in a directory; one that is damaged says so. Arguments as of `list_runs`."""
    entry = RunEntry(
        name=found.folder.relative_to(directory).as_posix(),
        folder=str(found.folder),
        state=UNKNOWN,
        reason=f"holds none of {RUN_MARK}, {SESSION_MARK}, {BASELINE_MARK}: a run that did not finish, or none",
        written=datetime.fromtimestamp(found.written_s, UTC).isoformat(timespec="seconds"),
    )
    if found.mark is None:
        return entry
    try:
        if found.mark.name == SESSION_MARK:
            return _session_entry(entry, found.folder, is_running)
        if found.mark.match(BASELINE_MARK):
            load_report(found.mark)
            return _baseline_entry(entry, found.mark)
        return _with_figures(entry, found.mark, kind=RECORDED)
    except OSError as error:
        return replace(entry, state=DAMAGED, reason=f"{error.filename}: can't be read ({error.strerror})")
    except (_DamagedError, MyquantError) as error:
        return replace(entry, state=DAMAGED, reason=str(error))


def _session_entry(entry: RunEntry, folder: Path, is_running: Callable[[Path], bool]) -> RunEntry:
    facts = _read(folder / SESSION_MARK, _Session)
    names = ("kind", "strategy", "symbols", "config_hash", "engine_hash")
    entry = replace(entry, reason="", **{name: getattr(facts, name) for name in names})
    results = folder / SESSION_RESULTS / RUN_MARK
    if facts.ended is None and not (folder / JOURNAL).is_dir():
        return replace(entry, reason="holds no journal: it was refused or killed before it began, and can be removed")
    try:
        if is_running(folder):
            return replace(entry, state=RUNNING)
    except OSError as error:
        return replace(entry, reason=f"whether it runs can't be told ({error.strerror})")
    if results.exists():  # written at every orderly end of its process
        entry = _with_figures(entry, results)
    if facts.ended is None and (folder / CARD).exists():
        return replace(entry, state=KILLED, reason=f"it goes on when it is started again; {_as_of(results)}")
    if facts.ended is None:
        return replace(entry, state=STOPPED, reason="not ended: it goes on when it is started again")
    if facts.ended != 0:
        return replace(entry, state=STOPPED, reason=f"ended with exit code {facts.ended}")
    if not results.exists():
        return replace(entry, state=DONE, reason="no results: no usable tick came, or they were removed")
    return entry


def _as_of(results: Path) -> str:
    """Say as of when the figures of a session are that went on behind them."""
    if not results.exists():
        return "no figures"
    zone = ZoneInfo(_read(results, _Summary).time_zone)
    return f"its figures are as of {date_time(results.stat().st_mtime_ns, zone)}, when it was stopped before"


def _baseline_entry(entry: RunEntry, path: Path) -> RunEntry:
    report = _read(path, _Baseline)
    return replace(
        entry,
        kind=MEASURED,
        state=DONE,
        reason="",
        strategy=report.run.strategy or "default",
        symbols=report.measurement_window.symbols,
        ticks=report.measurement_window.ticks,
        config_hash=report.environment.config_hash,
        engine_hash=report.environment.engine_hash,
    )


def _with_figures(entry: RunEntry, path: Path, *, kind: str | None = None) -> RunEntry:
    figures = _read(path, _Summary)
    return replace(
        entry,
        kind=kind or entry.kind,
        state=DONE,
        reason="",
        strategy=figures.strategy,
        symbols=figures.symbols,
        days=tuple(day.date for day in figures.days),
        ticks=figures.ticks.used,
        trades=figures.trades,
        net_pnl=figures.net_pnl,
        max_drawdown=figures.max_drawdown,
        config_hash=figures.config_hash,
        engine_hash=figures.engine_hash,
    )


Model = TypeVar("Model", bound=_File)


def _read(path: Path, model: type[Model]) -> Model:
    """Return what a file holds. Raises OSError, or _DamagedError with what is wrong first."""
    with path.open("rb") as file:
        content = file.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise _DamagedError(f"{path}: larger than {BYTES_MAX:,} bytes")
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _DamagedError(f"{path}: {place + ': ' if place else ''}{first['msg']}") from None
