"""Counting the rows of a file that a backtest would reject, and naming the days that it could not run or trade on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.cli.progress import progress_bar
from myquant.config.loading import LoadedConfig
from myquant.core import codes
from myquant.errors import ConfigError, DataError
from myquant.results.text import counted, listed
from myquant.session.explain import going_back
from myquant.session.rules import SECOND_NS, day_rules, local_date
from myquant.ticks.batch import TickBatch
from myquant.ticks.guarded import guard_ticks
from myquant.ticks.source import TickSource, open_ticks

QUARTER_NS: Final = 900 * SECOND_NS  # no zone has an offset that is finer: a day begins with one


@dataclass
class Checked:
    """A file's rows, and of each reason how many were rejected and the lines of the first."""

    rows: int = 0
    first_line: int = 0  # of all that were rejected
    rejected: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    quarters: dict[int, set[int]] = field(default_factory=dict)  # by instrument the quarters of an hour that have ticks


class Guard:
    """The engine's guard over the batches of a source, in their order."""

    def __init__(self, source: TickSource) -> None:
        """Begin before the first tick."""
        self._last_ns = np.full(len(source.instruments), codes.BEFORE_ALL, np.int64)

    def reasons(self, batch: TickBatch) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return why each of the next rows is rejected; 0: it is accepted."""
        found = np.empty(len(batch), np.int64)
        guard_ticks(batch.time_ns, batch.price, batch.volume, batch.instrument, self._last_ns, found)
        return found


def check_files(files: Sequence[Path], loaded: LoadedConfig) -> None:
    """Print what is rejected in each file, and the days that no table covers or on which the market was closed.

    Raises DataError, after the last file, with a line for each that fails.
    """
    problems = []
    for path in files:
        try:
            source, checked = _check(path, loaded)
        except DataError as error:
            problems.append(str(error))
            continue
        rejected = sum(checked.rejected.values())
        print(f"{path}: {counted(checked.rows, 'row')}, {checked.rows - rejected:,} valid, {rejected:,} rejected")
        for reason, count in checked.rejected.items():
            places = [*map(str, checked.lines[reason]), *(["..."] if count > len(checked.lines[reason]) else [])]
            print(f"  {reason:<20}{count:>8,}  at {', '.join(places)}")
        for notice in _notices(source, checked, loaded):
            print(f"  note: {notice}")
        if rejected == checked.rows:
            problems.append(f"{path}: none of {counted(checked.rows, 'row')} is a valid tick")
        elif rejected and loaded.config.data_quality.strict:
            problems.append(
                f"{path}:{checked.first_line}: the first of {counted(rejected, 'rejected row')}; mend them,"
                " or leave --strict away"
            )
    if problems:
        raise DataError("\n".join(problems))


def _check(path: Path, loaded: LoadedConfig) -> tuple[TickSource, Checked]:
    config = loaded.config
    source = open_ticks([path], time_zone=config.session.timezone, symbol=config.instrument.symbol)
    guard, checked = Guard(source), Checked()
    with progress_bar(path.name, source.total_bytes) as tell:
        for batch in source.batches():
            reasons = guard.reasons(batch)
            checked.rows += len(batch)
            if (reasons != codes.ACCEPTED).any():
                _note_rejected(checked, batch, reasons, config.data_quality.rejected_examples)
            _note_quarters(checked, batch, reasons == codes.ACCEPTED, len(source.instruments))
            tell(source.consumed_bytes)
    return source, checked


def _note_rejected(
    checked: Checked, batch: TickBatch, reasons: np.ndarray[Any, np.dtype[np.int64]], examples: int
) -> None:
    """Count the rejected rows by reason and keep the first lines; the rows come in order of time, not of lines."""
    rejected = np.flatnonzero(reasons != codes.ACCEPTED)
    lines = np.asarray(batch.take(rejected).lines)
    checked.first_line = min(checked.first_line or int(lines[0]), int(lines.min()))
    for code in np.unique(reasons[rejected]).tolist():
        name = codes.REJECTION_NAMES[code]
        found = lines[reasons[rejected] == code]
        checked.rejected[name] = checked.rejected.get(name, 0) + len(found)
        checked.lines[name] = sorted([*checked.lines.get(name, []), *np.sort(found)[:examples].tolist()])[:examples]


def _note_quarters(
    checked: Checked, batch: TickBatch, accepted: np.ndarray[Any, np.dtype[np.bool_]], instruments: int
) -> None:
    quarter = batch.time_ns[accepted] // QUARTER_NS
    who = batch.instrument[accepted] if len(batch.instrument) else np.zeros(len(quarter), np.int64)
    for key in np.unique(quarter * instruments + who).tolist():
        checked.quarters.setdefault(key % instruments, set()).add(key // instruments)


def _notices(source: TickSource, checked: Checked, loaded: LoadedConfig) -> Iterator[str]:
    yield from going_back(checked.rejected.get(codes.REJECTION_NAMES[codes.TIME_BACKWARDS], 0), checked.rows)
    date_of = local_date(loaded.config.session.timezone)
    uncovered: dict[str, list[str]] = {}  # days by what is wrong, the day itself cut out of it
    closed: dict[str, set[str]] = {}
    for who, quarters in sorted(checked.quarters.items()):
        symbol, exchange = source.instruments[who]
        days: list[date] = sorted({date_of(quarter * QUARTER_NS) for quarter in quarters})
        for on in days:
            try:
                rules = day_rules(loaded, symbol, exchange, on)
            except (ConfigError, DataError) as error:
                uncovered.setdefault(str(error).replace(f"{on}", "that day"), []).append(f"{on}")
                continue
            if rules.hours is None:
                closed.setdefault(rules.contract.exchange, set()).add(f"{on}")
    for problem, dates in uncovered.items():
        yield f"a backtest would stop on {listed(dates)}: {problem}"
    for exchange, closed_on in closed.items():
        yield f"{exchange} was closed on {listed(sorted(closed_on))}: ticks of a closed day make no entries"
