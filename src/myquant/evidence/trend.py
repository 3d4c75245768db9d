"""A folder of reports as a history: from which one on a component takes another time."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from myquant.errors import ConfigError, MyquantError
from myquant.evidence.compare import P99, WHOLE, kind_of
from myquant.evidence.history import RUNS_MIN, Change, changes
from myquant.evidence.pairs import Kind
from myquant.evidence.report import PATTERN, BaselineReport, load

NORMALISED: Final = "reference kernels"  # the unit of times that are divided by it


@dataclass(frozen=True)
class Turn:
    """A change point: from that run on the mean is `after`, in `unit`, and no longer `before`."""

    name: str
    unit: str
    run: str
    time: str
    commit: str | None
    before: float
    after: float
    percent: float


@dataclass(frozen=True)
class Trend:
    """What a history shows: its change points, how many reports it is of, and which were left out and why."""

    turns: tuple[Turn, ...]
    reports: int
    left_out: tuple[str, ...]

    @property
    def is_too_short(self) -> bool:
        """Whether it has too few reports for a change to show."""
        return self.reports < 2 * RUNS_MIN

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def trend(folder: Path) -> Trend:
    """Return the change points of all reports below a folder, by their times. Raises ConfigError where there is none."""
    paths = sorted(folder.rglob(PATTERN)) if folder.is_dir() else []
    if not paths:
        raise ConfigError(f"{folder}: holds no {PATTERN}: name the folder of your baselines")
    reports, left_out = [], []
    for path in paths:
        try:
            reports.append(load(path))
        except MyquantError as error:
            left_out.append(str(error))
    reports.sort(key=lambda report: (report.run.time, report.run.id))
    turns = [turn for name, value in _series(reports).items() for turn in _turns(name, value, reports)]
    return Trend(tuple(turns), len(reports), tuple(left_out))


def _series(reports: list[BaselineReport]) -> dict[str, Callable[[BaselineReport], float | None]]:
    """Return what is followed: how to take it out of a report, in us; None where a report has it not."""
    found: dict[str, Callable[[BaselineReport], float | None]] = {
        WHOLE: lambda report: sum(report.service_means) / len(report.service_means),
        P99: lambda report: report.latency_summary.percentiles["p99"].value * 1e3,
    }
    for name in {name: None for report in reports for name in report.component_breakdown}:
        found[name] = _mean_of(name)
    return found


def _mean_of(name: str) -> Callable[[BaselineReport], float | None]:
    def mean(report: BaselineReport) -> float | None:
        found = report.component_breakdown.get(name)
        return sum(found.batch_means) / len(found.batch_means) if found and found.batch_means else None

    return mean


def _turns(name: str, value: Callable[[BaselineReport], float | None], reports: list[BaselineReport]) -> list[Turn]:
    """Return the change points of one series; divided by the reference kernel where all its reports have one.

    What waits is not divided. Of what may wait, a change of the divided times counts not if it is the machine's: if it comes
    with a change of the reference kernel the other way, and the undivided times do not change with it.
    """
    seen = [(report, found) for report in reports if (found := value(report))]
    references = [report.reference_ns.value / 1e3 for report, _ in seen if report.reference_ns is not None]
    kind, unit, times = kind_of(name, reports), "us", [x for _, x in seen]
    if kind is Kind.WAITING or len(references) != len(seen):
        turns = changes(times)
    else:
        unit, turns = NORMALISED, changes([x / at for x, at in zip(times, references, strict=True)])
        if kind is Kind.UNKNOWN and turns:
            machine, undivided = changes(references), changes(times)
            turns = [each for each in turns if _goes_with(each, undivided) or not _goes_with(each, machine, -1)]
    return [
        Turn(name, unit, run.id, run.time, run.commit, turn.before, turn.after, turn.percent)
        for turn in turns
        for run in [seen[turn.index][0].run]
    ]


def _goes_with(change: Change, others: list[Change], direction: int = 1) -> bool:
    """Return whether another series changes at about the same time: the same way, or with -1 the other."""
    return any(
        abs(each.index - change.index) < RUNS_MIN and each.percent * change.percent * direction > 0 for each in others
    )
