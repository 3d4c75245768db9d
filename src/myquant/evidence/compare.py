"""Two reports of baselines, or two benchmark results: what became slower or faster, component by component.

The two were not made in interleaved pairs, so a difference has to be larger than what two runs of the same code differ by.
What is compared together is tested together: one comparison in a hundred, of all its lines, finds what is not there.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.errors import ConfigError, DataError
from myquant.evidence.files import newest, read_text
from myquant.evidence.pairs import (
    BATCHES_MIN,
    RUN_TO_RUN,
    RUN_TO_RUN_NORMALISED,
    Difference,
    Floats,
    Kind,
    Reference,
    compare_batches,
)
from myquant.evidence.report import PATTERN, BaselineReport, load
from myquant.measure.names import CORE_CODES, NAMES, QUEUE_OPS

FALSE_ALARMS: Final = 0.01  # of a whole comparison
WHOLE: Final = "service time"  # of a tick, all components
P99: Final = "p99 latency"
HANDOFF: Final = NAMES[QUEUE_OPS]  # mostly a poll's interval
COMPUTING: Final = frozenset(NAMES[code] for code in CORE_CODES)  # compiled code, which makes no system call
NORMAL_95: Final = 1.96  # standard errors to either end of an interval
ROUNDS_MIN: Final = 5  # of a benchmark's row: quartiles of fewer say nothing
SIGMA_OF_QUARTILES: Final = 1.349  # their distance in standard deviations, of a normal distribution
MEDIAN_TO_MEAN: Final = 1.2533  # how much less sure a median is than a mean, likewise
COSTS: Final = ("ns", "us", "ms", "s", "ns/tick", "us/call", "KiB", "MiB")  # units of which less is better
REMEDY: Final = "name a report of `myquant baseline` or the results of a benchmark"

REGRESSION: Final = "REGRESSION"
IMPROVEMENT: Final = "improvement"
SAME: Final = "no difference shown"
OTHER: Final = "not compared"


@dataclass(frozen=True)
class Line:
    """One thing compared. `change_percent` is of its figure, with a 99 % interval over all lines; `note`: why not, or how."""

    name: str
    unit: str
    base: float | None
    new: float | None
    change_percent: float | None
    low_percent: float | None
    high_percent: float | None
    p_value: float | None
    verdict: str
    note: str = ""


@dataclass(frozen=True)
class Compared:
    """What a comparison found. `notes`: what sets the two apart besides."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    base: dict[str, Any]
    new: dict[str, Any]

    @property
    def regressions(self) -> tuple[Line, ...]:
        """The lines that are proven to be worse."""
        return tuple(line for line in self.lines if line.verdict == REGRESSION)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "regressions": [line.name for line in self.regressions],
            "lines": [asdict(line) for line in self.lines],
            "notes": list(self.notes),
            "base": self.base,
            "new": self.new,
        }


@dataclass(frozen=True)
class _Row:
    """A row of a benchmark: its middle and quartiles, and whether more of it is better (None: nobody said).

    `between`: by how much two runs of the same code differ, as the standard deviation of the log.
    """

    unit: str
    median: float
    low: float
    high: float
    n: int
    more_is_better: bool | None
    between: float
    met: bool | None


def compare_files(base: Path, new: Path) -> Compared:
    """Compare two files of the same kind. Raises ConfigError and DataError for files that can't be compared."""
    sides = [_kind(path) for path in (base, new)]
    if sides[0][0] != sides[1][0]:
        raise ConfigError(f"{new}: {sides[1][0]}, and {base} {sides[0][0]}: compare two of one kind")
    if sides[0][0] == "a benchmark":
        return _compare_benchmarks(*(_rows(path, found) for (_, found), path in zip(sides, (base, new), strict=True)))
    return compare_reports(load(base), load(new))


def _kind(path: Path) -> tuple[str, dict[str, Any]]:
    place = newest(path, PATTERN, REMEDY) if path.is_dir() else path
    text = read_text(place, REMEDY)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{place}: not JSON: truncated, or something else; {REMEDY}") from None
    if isinstance(found, dict) and isinstance(found.get("sections"), list) and isinstance(found.get("about"), dict):
        return "a benchmark", found
    if isinstance(found, dict) and "schema_version" in found:
        return "a report of a baseline", found
    raise DataError(f"{place}: neither the one nor the other: {REMEDY}")


def compare_reports(base: BaselineReport, new: BaselineReport) -> Compared:
    """Compare two reports component by component, by their batch means; how, says `kind_of` and `compare_batches`."""
    means = {WHOLE: (base.service_means, new.service_means)}
    for name, old in base.component_breakdown.items():
        now = new.component_breakdown.get(name)
        means[name] = (old.batch_means, now.batch_means if now else ())
    level = 1 - FALSE_ALARMS / len(means)
    references = _reference(base), _reference(new)
    lines = tuple(
        _of_means(name, before, after, references, kind_of(name, (base, new)), level)
        for name, (before, after) in means.items()
    )
    return Compared(lines, tuple(_differences(base, new)), base.provenance, new.provenance)


def kind_of(name: str, reports: Sequence[BaselineReport]) -> Kind:
    """Return what a component's time consists of, or that of a whole tick, in all of some reports.

    The hand-off waits, and so does a whole tick that goes through one. The compiled core computes. Of the others nobody
    knows: sockets, files, locks.
    """
    if name in COMPUTING:
        return Kind.COMPUTING
    is_whole = name in (WHOLE, P99)
    waits = name == HANDOFF or (is_whole and any(sum(_means(report, HANDOFF)) > 0 for report in reports))
    return Kind.WAITING if waits else Kind.UNKNOWN


def _means(report: BaselineReport, name: str) -> tuple[float, ...]:
    found = report.component_breakdown.get(name)
    return found.batch_means if found else ()


def _of_means(
    name: str,
    base: Sequence[float],
    new: Sequence[float],
    references: tuple[Reference | None, Reference | None],
    kind: Kind,
    level: float,
) -> Line:
    before, after = (sum(side) / len(side) if side else None for side in (base, new))
    if not base or not new:
        missing = "in neither" if not base and not new else f"not measured in {'NEW' if base else 'BASE'}"
        return Line(name, "us", before, after, None, None, None, None, OTHER, missing)
    sides = _merged(base), _merged(new)
    if sides[0] is None or sides[1] is None:
        return Line(name, "us", before, after, None, None, None, None, OTHER, "in too few ticks")
    found = compare_batches(sides[0], sides[1], *references, kind, level)
    verdict = {Difference.SLOWER: REGRESSION, Difference.FASTER: IMPROVEMENT}.get(found.verdict, SAME)
    low, middle, high = (100 * (ratio - 1) for ratio in (found.ratio_low, found.ratio, found.ratio_high))
    note = "mostly waiting: only gross differences show" if kind is Kind.WAITING else ""
    return Line(name, "us", before, after, middle, low, high, found.p_value, verdict, note)


def _merged(means: Sequence[float]) -> Floats | None:
    """Return batch means, of as many neighbours together as it takes for none to be 0; None where too few would be left."""
    for together in range(1, len(means) // BATCHES_MIN + 1):
        if len(means) % together == 0:
            found: Floats = np.reshape(np.asarray(means, np.float64), (-1, together)).mean(axis=1)
            if np.all(found > 0):
                return found
    return None


def _reference(report: BaselineReport) -> Reference | None:
    """Return the time of a report's reference kernel, whose error its interval of 95 % tells."""
    found = report.reference_ns
    return None if found is None else Reference(found.value, math.log(found.high / found.low) / (2 * NORMAL_95))


def _differences(base: BaselineReport, new: BaselineReport) -> Iterator[str]:
    """Yield what sets two reports apart besides their times."""
    if base.reference_ns is None or new.reference_ns is None:
        yield "not normalised by the reference kernel: only gross differences show"
    before, after = base.environment, new.environment
    if before.workload_hash != after.workload_hash:
        yield "the configurations differ: the work of a tick may, too"
    if before.input_hash != after.input_hash:
        yield "the ticks differ"
    if (before.cpu, before.cores, before.governor) != (after.cpu, after.cores, after.governor):
        yield f"the machines differ: {before.cpu}, {before.cores} cores; {after.cpu}, {after.cores} cores"
    for key, old in base.pipeline.items():
        if (now := new.pipeline.get(key)) != old:
            yield f"pipeline.{key}: {old} in BASE, {now} in NEW"
    if base.measurement_window.rate_per_s != new.measurement_window.rate_per_s:
        yield "the rates of the ticks differ"


def _rows(path: Path, found: dict[str, Any]) -> tuple[dict[str, Any], dict[str, _Row]]:
    """Return a benchmark's circumstances and its rows by section and name."""
    rows = {}
    try:
        for section in found["sections"]:
            for row in section["rows"]:
                rows[f"{section['name'].partition(':')[0]}: {row['name']}"] = _row(row)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: a row of the benchmark lacks {error}: damaged, or of another version; run it again"
        ) from None
    if not rows:
        raise DataError(f"{path}: a benchmark without rows: run it again")
    return found["about"], rows


def _row(row: dict[str, Any]) -> _Row:
    """Return a row by its ratio to the other side, measured in the same rounds, else by itself."""
    goal, unit = row["goal"], str(row["unit"])
    is_ratio = row["ratio"] is not None and goal is not None
    spread = row["ratio"] if is_ratio else row["ours"]
    is_known = goal is not None or unit.endswith("/s") or unit in COSTS
    more_is_better = (str(goal).startswith(">=") if goal is not None else unit.endswith("/s")) if is_known else None
    return _Row(
        "ratio" if is_ratio else unit,
        float(spread["median"]),
        float(spread["low"]),
        float(spread["high"]),
        int(spread["n"]),
        more_is_better,
        RUN_TO_RUN_NORMALISED if is_ratio else RUN_TO_RUN,
        row["met"],
    )


def _compare_benchmarks(
    base: tuple[dict[str, Any], dict[str, _Row]], new: tuple[dict[str, Any], dict[str, _Row]]
) -> Compared:
    (base_about, before), (new_about, after) = base, new
    both = [name for name in before if name in after]
    alpha = FALSE_ALARMS / max(len(both), 1)
    lines = [_of_rows(name, before[name], after[name], alpha) for name in both]
    notes = [f"{name}: only in BASE" for name in before if name not in after]
    notes += [f"{name}: only in NEW" for name in after if name not in before]
    notes += [
        f"the {name} differs" for name in ("cpu", "python", "ticks") if base_about.get(name) != new_about.get(name)
    ]
    return Compared(tuple(lines), tuple(notes), base_about, new_about)


def _of_rows(name: str, base: _Row, new: _Row, alpha: float) -> Line:
    """Compare two rows by the logs of their medians, whose error comes from the quartiles and the drift between runs."""
    lost = "the goal is no longer met" if base.met and new.met is False else ""

    def not_compared(why: str) -> Line:
        note = "; ".join(filter(None, (why, lost)))
        return Line(name, new.unit, base.median, new.median, None, None, None, None, OTHER, note)

    if base.unit != new.unit:
        return not_compared(f"in {base.unit} in BASE")
    if min(base.n, new.n) < ROUNDS_MIN:
        return not_compared(f"of {min(base.n, new.n)} rounds")
    if min(base.low, new.low) <= 0:
        return not_compared("not above 0")
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415  (takes long to import)

    variance = sum(_squared_error(each) + each.between**2 for each in (base, new))
    error, freedom = math.sqrt(variance), min(base.n, new.n) - 1
    difference = math.log(new.median / base.median)
    half = float(stdtrit(freedom, 1 - alpha / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(difference) / error))
    low, middle, high = (100 * math.expm1(each) for each in (difference - half, difference, difference + half))
    verdict = SAME
    if abs(difference) > half:
        better = (difference > 0) == new.more_is_better
        verdict = "changed" if new.more_is_better is None else IMPROVEMENT if better else REGRESSION
    return Line(name, new.unit, base.median, new.median, middle, low, high, p_value, verdict, lost)


def _squared_error(row: _Row) -> float:
    sigma = math.log(row.high / row.low) / SIGMA_OF_QUARTILES
    return (MEDIAN_TO_MEAN * sigma) ** 2 / row.n
