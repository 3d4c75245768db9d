"""Timing that can be trusted on a shared machine: interleaved rounds, medians with quartiles, ratios per round."""

import gc
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from time import perf_counter
from typing import Any, TypeVar

from bench.company import quiet_rounds

ROUNDS = 9  # at least: the median and the quartiles are then measured values

Taken = TypeVar("Taken")


@dataclass(frozen=True)
class Spread:
    """The median of n values and the quartiles around it."""

    median: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{number(self.median)} [{number(self.low)}, {number(self.high)}]"

    def scaled(self, factor: float) -> "Spread":
        return Spread(self.median * factor, self.low * factor, self.high * factor, self.n)


@dataclass(frozen=True)
class Goal:
    """What the ratio, or the value where there is none, has to reach."""

    bound: float
    at_least: bool = True
    percentile: str = ""

    def met(self, value: float) -> bool:
        return bool(value >= self.bound if self.at_least else value <= self.bound)  # NumPy has one of its own

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {number(self.bound)}"


@dataclass(frozen=True)
class Row:
    """One line of the table: our side, the other one where there is one, and how they compare."""

    name: str
    unit: str
    ours: Spread
    other_name: str = ""
    other: Spread | None = None
    ratio: Spread | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.goal.met((self.ratio or self.ours).median)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "goal": str(self.goal) if self.goal else None, "met": self.met}


@dataclass
class Section:
    """What one section found: rows, and sentences on what was checked, skipped or seen besides."""

    name: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def number(value: float) -> str:
    """Write a value with three significant digits, or whole where it has more."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:#.3g}"


def spread(values: Sequence[float]) -> Spread:
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return Spread(median(values), low, high, len(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Return the spread of the ratios round by round: what slows a whole round down cancels out."""
    return spread([a / b for a, b in zip(above, below, strict=True)])


def interleaved(sides: Mapping[str, Callable[[], Taken]], rounds: int = ROUNDS) -> dict[str, list[Taken]]:
    """Call every side once a round, in an order drawn anew for each round; return what they returned, round by round.

    A round during which other processes were busy does not count, and is done again (see `company`).
    """
    order = random.Random(1)  # noqa: S311  (a repeatable shuffle)

    def one_round() -> dict[str, Taken]:
        return {name: sides[name]() for name in order.sample(sorted(sides), len(sides))}

    with quiet_collector():
        taken = quiet_rounds(one_round, rounds)
    return {name: [values[name] for values in taken] for name in sides}


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that some work took."""
    began = perf_counter()
    work()
    return perf_counter() - began


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Keep Python's garbage collector out of what is measured."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def printed(section: Section) -> str:
    """Return a section as an aligned table."""
    head = ("", "unit", "ours", "other side", "", "ratio", "goal", "")
    lines = [head, *(_cells(row) for row in section.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = [
        f"  - {note}" for note in (*(f"{row.name}: {row.note}" for row in section.rows if row.note), *section.notes)
    ]
    return "\n".join((f"== {section.name}", *table, *notes))


def _cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "met", False: "NOT MET"}[row.met]
    other, ratio_ = str(row.other or ""), str(row.ratio or "")
    return row.name, row.unit, str(row.ours), row.other_name, other, ratio_, str(row.goal or ""), met
