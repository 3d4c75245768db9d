"""What measuring costs, and how far what it says is from the truth.

The overhead is that of a synthetic tick of eight spans, in real time: a tick with the instrument beside one without it, in
pairs of random order; ticks that are sampled and ticks that are not by themselves, and then in the proportion that
`choose_sampling` chose for a tick of that length. What counts is the upper 95 % bound of the medians over pairs.
"""

import random
from collections.abc import Callable
from functools import partial
from time import monotonic_ns

import numpy as np

from bench.measure import Goal, Row, Section, interleaved, number, spread
from myquant.measure.calibrate import calibrate, choose_sampling
from myquant.measure.calibration import median_of
from myquant.measure.histogram import percentiles_of
from myquant.measure.instrumentor import PerformanceInstrumentor
from myquant.measure.names import CSV_WRITE, DATAFRAME_OPS, INGEST, LOGGING, UNATTRIBUTED
from myquant.measure.spans import AGAIN, Spans

LENGTHS_US = {90: 1.0, 25: 1.5}  # of a tick, and what measuring may cost it, percent
CODES = (INGEST, DATAFRAME_OPS, LOGGING, AGAIN + DATAFRAME_OPS, CSV_WRITE, LOGGING, AGAIN + CSV_WRITE, UNATTRIBUTED)
PARTS = len(CODES)
BATCHES = 41
PAIRS, PAIRS_QUICK = 4000, 1000
WARM_UP = 100
SHARE_TICKS = 200
PERCENTILES = {"p50": 500, "p90": 900, "p99": 990, "p99_9": 999}  # in thousandths
VALUES = 50_000


def measure(rounds: int, *, quick: bool) -> Section:
    pairs = PAIRS_QUICK if quick else PAIRS
    ticks = {length: _Tick(length * 1000) for length in LENGTHS_US}
    clock_ns: list[float] = []

    def mark_ns() -> float:
        costs = calibrate(batches=BATCHES)
        clock_ns.append(costs.clock_ns.value)
        return costs.mark_ns.value

    sides: dict[str, Callable[[], float]] = {
        "mark": mark_ns,
        "context": _context_ns,
        "share": _share_error,
        **{f"tick {length}": partial(tick.overhead, pairs) for length, tick in ticks.items()},
    }
    found = interleaved(sides, rounds)
    section = Section("spans: what measuring costs and how true it is")
    section.rows += [
        Row("a span of Python, one mark", "ns", spread(found["mark"]), goal=Goal(150, at_least=False)),
        Row("a span as a context manager", "ns", spread(found["context"])),
    ]
    for length, tick in ticks.items():
        note = (
            f"1 tick in {', '.join(map(str, sorted(set(tick.every))))} in full; without it {number(tick.plain_us())} us"
        )
        goal = Goal(LENGTHS_US[length], at_least=False)
        name = f"measuring a tick of {length} us with {PARTS} spans, upper bound"
        section.rows.append(Row(name, "%", spread(found[f"tick {length}"]), goal=goal, note=note))
    section.rows += [
        Row("shares of planted work, worst error", "points", spread(found["share"]), goal=Goal(1.0, at_least=False)),
        Row("percentiles, worst error", "%", spread(_percentile_errors()), goal=Goal(0.8, at_least=False)),
    ]
    section.notes.append(f"reading the clock, a half of what a mark costs, took {spread(clock_ns)} ns")
    return section


def _context_ns() -> float:
    """Return what a `measure` block adds to a tick."""
    made = PerformanceInstrumentor(capacity=1)
    made.start_tick()
    made.end_tick()
    costs = made.get_baseline_report()["overhead"]["calibration"]
    return float(costs["mark_ns"]["value"] + costs["again_ns"]["value"])


def work(turns: int) -> int:
    total = 0
    for turn in range(turns):
        total += turn
    return total


class _Tick:
    """A tick of some length, of eight equal parts, with and without the instrument."""

    def __init__(self, length_ns: int) -> None:
        self.every: list[int] = []
        self._plain_ns: list[float] = []
        self._length_ns = length_ns
        self._turns = 1000

    def _fit(self) -> None:
        """Make the tick as long as it is to be, on this machine now."""
        for _ in range(5):
            took = float(np.median([self._timed(self._plain, 10) for _ in range(9)])) / 10
            self._turns = max(PARTS, round(self._turns * self._length_ns / took))

    def plain_us(self) -> float:
        return float(np.median(self._plain_ns)) / 1e3

    def overhead(self, pairs: int) -> float:
        """Return the upper 95 % bound of what measuring adds, percent, from so many pairs of ticks of either kind."""
        self._fit()
        costs = calibrate(batches=BATCHES)
        every = choose_sampling(self._length_ns, PARTS, costs, skips_per_tick=0)
        self.every.append(every)
        sampled = self._added(Spans(pairs + WARM_UP, calibration=costs), pairs)
        others = Spans(pairs + WARM_UP, calibration=costs)
        others.sample_every(2 * (pairs + WARM_UP), seed=1)  # one of them at the most
        return sampled / every + self._added(others, pairs) * (1 - 1 / every)

    def _added(self, spans: Spans, pairs: int) -> float:
        """Return the upper 95 % bound of the median of what a tick takes longer than its neighbour without, percent."""
        tick = _measured(spans, self._turns // PARTS)
        self._timed(tick, WARM_UP)
        order = random.Random(1)  # noqa: S311  (a repeatable shuffle)
        found = []
        for _ in range(pairs):
            if order.random() < 1 / 2:
                plain, measured = self._timed(self._plain, 1), self._timed(tick, 1)
            else:
                measured, plain = self._timed(tick, 1), self._timed(self._plain, 1)
            found.append(100 * (measured / plain - 1))
            self._plain_ns.append(plain)
        return median_of(found).high

    def _timed(self, tick: Callable[[], None], ticks: int) -> int:
        begun = monotonic_ns()
        for _ in range(ticks):
            tick()
        return monotonic_ns() - begun

    def _plain(self) -> None:
        turns = self._turns // PARTS
        for _ in range(PARTS):
            work(turns)


def _measured(spans: Spans, turns: int) -> Callable[[], None]:
    """Return the same tick, measured; as a session may, it goes without marks where its spans are not taken."""

    def tick() -> None:
        spans.begin(1, 0)
        if spans.is_open:
            mark = spans.mark
            for code in CODES:
                mark(code)
                work(turns)
        else:
            for _ in range(PARTS):
                work(turns)
        spans.end()

    return tick


def _spin(ns: int) -> int:
    begun = monotonic_ns()
    while (now := monotonic_ns()) - begun < ns:
        pass
    return now - begun


def _share_error() -> float:
    """Return the worst error of a share, points: of work that says itself how long it took, on both sides of a threshold."""
    return max(_share_error_of(logging_ns) for logging_ns in (10_000, 40_000, 120_000))


def _share_error_of(logging_ns: int) -> float:
    spans = Spans(SHARE_TICKS, calibration=calibrate(batches=BATCHES))
    codes = (UNATTRIBUTED, LOGGING, CSV_WRITE)
    truth = np.zeros((SHARE_TICKS, len(codes)))
    for tick in range(SHARE_TICKS):
        spans.begin(0, 0)
        mark = spans.mark
        nobodys = _spin(60_000)
        mark(CSV_WRITE)
        written = _spin(30_000)
        mark(LOGGING)
        logged = _spin(logging_ns)
        mark(AGAIN + CSV_WRITE)
        written += _spin(30_000)
        mark(LOGGING)
        logged += _spin(logging_ns)
        spans.end()
        truth[tick] = nobodys, logged, written
    found = spans.breakdown()
    seen = found.self_ns[:, codes]
    between = seen.sum(axis=1) - truth.sum(axis=1)
    known = between < 1.5 * np.median(between)  # else the system took the processor away between two pieces
    shares = [100 * rows[known].sum(axis=0) / rows[known].sum() for rows in (seen, truth)]
    return float(np.abs(shares[0] - shares[1]).max())


def _percentile_errors() -> list[float]:
    """Return the worst error of each of some records of times, percent."""
    errors = []
    for seed in range(9):
        values = np.random.default_rng(seed).lognormal(11, 1.5, VALUES).astype(np.int64)
        found, ordered = percentiles_of(values), np.sort(values)
        true = {name: ordered[VALUES * thousandths // 1000 - 1] for name, thousandths in PERCENTILES.items()}
        errors.append(max(100 * abs(getattr(found, name) / each - 1) for name, each in true.items()))
    return errors
