"""Counting the rows of a file that a backtest would reject."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from myquant.cli.progress import progress_bar
from myquant.config.schema import Config
from myquant.core import codes
from myquant.core.guard import guard_ticks
from myquant.errors import DataError
from myquant.ticks.batch import TickBatch
from myquant.ticks.source import TickSource, open_ticks


@dataclass
class Checked:
    """A file's rows, and of each reason how many were rejected and the lines of the first."""

    rows: int = 0
    first_line: int = 0  # of all that were rejected
    rejected: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)


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


def check_files(files: Sequence[Path], config: Config) -> None:
    """Print what is rejected in each file. Raises DataError, after the last one, with a line for each that fails."""
    problems = []
    for path in files:
        try:
            checked = _check(path, config)
        except DataError as error:
            problems.append(str(error))
            continue
        rejected = sum(checked.rejected.values())
        print(f"{path}: {checked.rows:,} rows, {checked.rows - rejected:,} valid, {rejected:,} rejected")
        for reason, count in checked.rejected.items():
            places = [*map(str, checked.lines[reason]), *(["..."] if count > len(checked.lines[reason]) else [])]
            print(f"  {reason:<20}{count:>8,}  at {', '.join(places)}")
        if rejected == checked.rows:
            problems.append(f"{path}: none of {checked.rows:,} rows is a valid tick")
        elif rejected and config.data_quality.strict:
            problems.append(
                f"{path}:{checked.first_line}: the first of {rejected:,} rejected rows; mend them, or leave --strict away"
            )
    if problems:
        raise DataError("\n".join(problems))


def _check(path: Path, config: Config) -> Checked:
    source = open_ticks([path], time_zone=config.session.timezone, symbol=config.instrument.symbol)
    guard, checked = Guard(source), Checked()
    with progress_bar(path.name, source.total_bytes) as tell:
        for batch in source.batches():
            reasons = guard.reasons(batch)
            checked.rows += len(batch)
            if not checked.first_line and reasons.any():
                checked.first_line = batch.where(int(np.flatnonzero(reasons)[0]))[1]
            for code in np.unique(reasons[reasons != codes.ACCEPTED]).tolist():
                name = codes.REJECTION_NAMES[code]
                rows = np.flatnonzero(reasons == code)
                lines = checked.lines.setdefault(name, [])
                checked.rejected[name] = checked.rejected.get(name, 0) + len(rows)
                missing = config.data_quality.rejected_examples - len(lines)
                lines += [batch.where(row)[1] for row in rows[: max(0, missing)].tolist()]
            tell(source.consumed_bytes)
    return checked
