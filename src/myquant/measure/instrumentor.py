"""The instrument for anyone's own code: ticks, and spans by name inside them. It needs no session."""

import csv
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import numpy as np

from myquant.errors import ConfigError, cannot_write
from myquant.measure.batch_means import BATCHES, TICKS_PER_BATCH, Interval, share_interval
from myquant.measure.breakdown import Breakdown
from myquant.measure.calibrate import calibrate, calibration_of, laps_ns
from myquant.measure.calibration import FREE, Calibration
from myquant.measure.collections import PauseRecorder
from myquant.measure.histogram import percentiles_of
from myquant.measure.names import GC, NAMES, UNATTRIBUTED
from myquant.measure.spans import OWN_MAX, Clock, Spans
from myquant.measure.table import AGAIN

CAPACITY: Final = 20_000
_CALIBRATION_BATCHES: Final = 41
_CALIBRATION_TICKS: Final = 30
_NS_PER_S: Final = 1e9
_SHARE_TICKS: Final = BATCHES * TICKS_PER_BATCH  # of fewer, a share has no interval


class TickMetrics(NamedTuple):
    """A tick: its number, when it began (monotonic ns), how long it took, and each component's own time in it, ns.

    The instrument's own cost, `overhead_ns`, is in neither the duration nor the components.
    """

    tick: int
    begun_ns: int
    duration_ns: float
    overhead_ns: float
    components: dict[str, float]


class ComponentStats(NamedTuple):
    """A component: how often it was entered, and its own time, ns.

    A tick's measurements of it add up to one; average, least, most and percentiles are of those sums, over the ticks that
    entered it. `percent_of_total`: its share of all ticks' time and the 95 % interval, None with fewer than 40 ticks.
    """

    name: str
    call_count: int
    total_ns: float
    avg_ns: float
    min_ns: float
    max_ns: float
    p50_ns: float
    p99_ns: float
    percent_of_total: float
    percent_interval: Interval | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as the report has it."""
        figures = {name: getattr(self, f"{name}_ns") for name in ("total", "avg", "min", "max", "p50", "p99")}
        known = self.percent_interval
        share = {
            "value": self.percent_of_total,
            "low": None if known is None else known.low,
            "high": None if known is None else known.high,
            "n": 0 if known is None else known.n,
        }
        return {"call_count": self.call_count, **figures, "percent_of_total": share}


class PerformanceInstrumentor:
    """Measures where the time of ticks goes, in one thread of any program.

        instrumentor = PerformanceInstrumentor()
        instrumentor.start_tick()
        with instrumentor.measure("signal_eval"):
            ...
        instrumentor.end_tick()

    A nested `measure` takes its time from the outer one; what none covers is `unattributed`; pauses of the garbage collector
    are `gc`. A tick beyond `capacity` is not recorded, but counted. Times in reports are ns. Its own cost is calibrated when
    it is made (0.1 s), subtracted, and reported; a tick costs about 1 us and a `measure` 0.5 us.

    Args:
        components: names to have in the report even if no tick enters them; others are added as `measure` meets them.
        capacity: ticks that there is room for.
        clock: monotonic ns.
        calibration: what measuring costs on this clock; None: it is found out.
    """

    def __init__(
        self,
        components: Collection[str] = (),
        capacity: int = CAPACITY,
        *,
        clock: Clock = time.monotonic_ns,
        calibration: Calibration | None = None,
    ) -> None:
        if isinstance(components, str):
            raise ConfigError(f"components = {components!r}: give the names in a tuple, such as ({components!r},)")
        self._spans = Spans(capacity, clock=clock)
        self._pauses = PauseRecorder(clock=clock)
        self._open: list[int] = []  # codes of the open spans; empty between ticks
        self._measures: dict[str, _Measure] = {}
        self._begin, self._end, self._add = self._spans.begin, self._spans.end, self._spans.add
        for name in components:
            self._learn(name)
        self._declared = {measure.code for measure in self._measures.values()}
        self._spans.calibration = _calibrated(clock) if calibration is None else calibration

    def start_tick(self) -> None:
        """Begin a tick. Raises ConfigError inside another one."""
        if self._open:
            raise ConfigError("start_tick: the tick before is not over: call end_tick first")
        self._open.append(UNATTRIBUTED)
        self._pauses.start()
        self._begin(0, 0)

    def end_tick(self) -> None:
        """End the tick. Raises ConfigError without one, or inside a `measure`."""
        if len(self._open) != 1:
            raise ConfigError(self._refusal("end_tick"))
        self._end()
        self._pauses.stop()
        self._open.clear()

    def measure(self, name: str) -> "_Measure":
        """Return the context manager whose body is component `name`'s. Raises ConfigError for a name that can't be one."""
        return self._measures.get(name) or self._learn(name)

    def record_measurement(self, name: str, duration: float) -> None:
        """Give a component `duration` ns (int or float) of the present tick, measured elsewhere.

        They are taken from the span that is open, of all its time in this tick. What exceeds that was spent elsewhere, such
        as in another thread, and lengthens the tick. Raises ConfigError outside a tick, or for a negative duration.
        """
        code = self.measure(name).code
        if not self._open:
            raise ConfigError(self._refusal(f"record_measurement({name!r})"))
        if not 0 <= duration < float("inf"):
            raise ConfigError(f"record_measurement({name!r}): a duration of {duration} ns: give 0 or more")
        self._add(code, round(duration))

    def get_baseline_report(self) -> dict[str, Any]:
        """Return all figures as a plain dict, times in ns. Raises ConfigError when no tick was recorded."""
        found = self._breakdown("get_baseline_report")
        own_ns = found.service_ns - found.overhead_ns
        took = percentiles_of(np.rint(own_ns))
        span_s = float(found.stamps["done_ns"][-1] - found.stamps["begun_ns"][0]) / _NS_PER_S
        components = {each.name: each.as_dict() for each in _stats(found)}
        return {
            "ticks": len(own_ns),
            "dropped_ticks": found.dropped,
            "unit": "ns",
            "latency_summary": {
                "avg": float(own_ns.mean()),
                "min": float(own_ns.min()),
                "max": float(own_ns.max()),
                **{name: getattr(took, name) for name in ("p50", "p90", "p99", "p99_9")},
                "n": len(own_ns),
            },
            "throughput": {
                "avg_ticks_per_second": len(own_ns) / span_s if span_s else None,
                "capacity_ticks_per_second": _NS_PER_S / float(own_ns.mean()) if own_ns.any() else None,
            },
            "component_breakdown": components,
            "unattributed": components[NAMES[UNATTRIBUTED]],
            "overhead": {
                **_costs(found, float(own_ns.mean())),
                "calibration": {name: cost._asdict() for name, cost in found.calibration.figures().items()},
            },
        }

    def ticks(self) -> Iterator[TickMetrics]:
        """Yield each tick. Raises ConfigError when none was recorded."""
        found = self._breakdown("ticks")
        known = np.flatnonzero(found.measured).tolist()
        names = [found.names[place] for place in known]
        own_ns = found.service_ns - found.overhead_ns
        for number, row in enumerate(found.self_ns[:, known].tolist()):
            begun_ns = int(found.stamps["begun_ns"][number])
            overhead_ns = float(found.overhead_ns[number])
            yield TickMetrics(number, begun_ns, float(own_ns[number]), overhead_ns, dict(zip(names, row, strict=True)))

    def components(self) -> list[ComponentStats]:
        """Return each component that is declared or was entered. Raises ConfigError when no tick was recorded."""
        return _stats(self._breakdown("components"))

    def save_detailed_metrics(self, path: str | Path) -> None:
        """Write a CSV file with a row per tick, times in ns. Raises ConfigError for a path that can't be written."""
        path = Path(path)
        rows = list(self.ticks())
        names = list(rows[0].components)
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                out = csv.writer(file)
                out.writerow(["tick", "begun_ns", "duration_ns", "overhead_ns", *(f"{name}_ns" for name in names)])
                for row in rows:
                    times = (row.duration_ns, row.overhead_ns, *(row.components[name] for name in names))
                    out.writerow([row.tick, row.begun_ns, *(f"{value:.1f}" for value in times)])
        except OSError as error:
            raise cannot_write(path, error, "give a file in a folder that exists and is yours to write") from None

    def _breakdown(self, what: str) -> Breakdown:
        collections = self._pauses.pauses()
        found = self._spans.breakdown(measured=self._declared, collections=collections)
        whole = int(found.is_sampled.sum())  # the first so many: once the log is full, no tick's spans are kept
        found = replace(found.window(0, whole), dropped=found.dropped + len(found.stamps) - whole)
        if not len(found.stamps):
            raise ConfigError(f"{what}: no tick was recorded: call start_tick and end_tick around your work first")
        return found

    def _learn(self, name: str) -> "_Measure":
        """Return the context manager of a name that is met for the first time."""
        if not isinstance(name, str) or not name.strip() or name in (NAMES[UNATTRIBUTED], NAMES[GC]):
            raise ConfigError(
                f"measure({name!r}): give a component's name that is a text, and neither unattributed nor gc"
            )
        spans = self._spans
        if name not in spans.names:
            if len(spans.names) == AGAIN:
                raise ConfigError(
                    f"measure({name!r}): there is room for {OWN_MAX} components of your own: take fewer names"
                )
            spans.names = (*spans.names, name)
        made = _Measure(spans, self._open, spans.names.index(name), name)
        self._measures[name] = made
        return made

    def _refusal(self, what: str) -> str:
        if self._open:
            return f"{what}: inside measure({self._spans.names[self._open[-1]]!r}): leave it first"
        return f"{what}: no tick is under way: call start_tick first"


class _Measure:
    """The context manager of one component; it may be entered within itself."""

    __slots__ = ("_name", "_open", "_spans", "code")

    def __init__(self, spans: Spans, open_codes: list[int], code: int, name: str) -> None:
        self.code = code
        self._spans = spans
        self._open = open_codes
        self._name = name

    def __enter__(self) -> None:
        if not self._open:
            raise ConfigError(f"measure({self._name!r}): no tick is under way: call start_tick first")
        self._open.append(self.code)
        self._spans.mark(self.code)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.pop()
        self._spans.mark(AGAIN + self._open[-1])


def _stats(found: Breakdown) -> list[ComponentStats]:
    whole = found.service_ns - found.overhead_ns
    return [
        _stats_of(name, found.self_ns[:, place], found.calls[:, place], whole)
        for place, name in enumerate(found.names)
        if found.measured[place]
    ]


def _stats_of(name: str, times: Any, calls: Any, whole: Any) -> ComponentStats:
    total = float(times.sum())
    entered = times[(calls > 0) | (times > 0)]
    if not len(entered):
        entered = np.zeros(1)
    all_ns = float(whole.sum())
    percent = 100 * total / all_ns if all_ns else 0.0
    has_interval = len(whole) >= _SHARE_TICKS and all_ns > 0
    p50, p99 = np.percentile(entered, (50, 99), method="inverted_cdf").tolist()
    return ComponentStats(
        name=name,
        call_count=int(calls.sum()),
        total_ns=total,
        avg_ns=float(entered.mean()),
        min_ns=float(entered.min()),
        max_ns=float(entered.max()),
        p50_ns=p50,
        p99_ns=p99,
        percent_of_total=percent,
        percent_interval=share_interval(times, whole) if has_interval else None,
    )


def _costs(found: Breakdown, own_ns: float) -> dict[str, Any]:
    """Return what measuring added to a tick on average, ns, and in percent of what a tick took without."""
    cost, calls = (
        found.calibration,
        float(found.calls[:, [*range(GC), *range(GC + 1, len(found.names))]].sum(axis=1).mean()),
    )
    edges = [
        cost.begin_ns[at] + cost.end_ns[at] + calls * (cost.mark_ns[at] + cost.again_ns[at])
        for at in range(len(("value", "low", "high")))
    ]
    per_tick = Interval(edges[0], edges[1], edges[2], cost.mark_ns.n)
    percent = {name: 100 * getattr(per_tick, name) / own_ns if own_ns else None for name in ("value", "low", "high")}
    return {"per_tick": per_tick._asdict(), "percent": {**percent, "n": per_tick.n}}


def _calibrated(clock: Clock) -> Calibration:
    """Return what this instrument costs: its spans as its own context managers make them."""
    bare = calibrate(clock, _CALIBRATION_BATCHES).figures()
    own = calibration_of(lambda: _batch(clock), _CALIBRATION_BATCHES).figures()
    return Calibration(**{name: own[name] if own[name].n else bare[name] for name in bare})


def _batch(clock: Clock) -> dict[str, float]:
    """Return the costs of some ticks with two spans, and of some with none."""
    spanned, empty = (
        PerformanceInstrumentor(capacity=_CALIBRATION_TICKS, clock=clock, calibration=FREE) for _ in range(2)
    )
    for _ in range(_CALIBRATION_TICKS):
        spanned.start_tick()
        with spanned.measure("ingest"):
            pass
        with spanned.measure("logging"):
            pass
        spanned.end_tick()
    starting = ending = 0
    for _ in range(_CALIBRATION_TICKS):
        begun = clock()
        empty.start_tick()
        started = clock()
        empty.end_tick()
        ending += clock() - started
        starting += started - begun
    begun = clock()
    for _ in range(_CALIBRATION_TICKS):
        clock()
    read_ns = (clock() - begun) / _CALIBRATION_TICKS
    laps = {**laps_ns(spanned._spans), **laps_ns(empty._spans)}  # noqa: SLF001  (our own)
    laps["empty_ns"] -= read_ns
    begin_ns, end_ns = (max(0.0, total / _CALIBRATION_TICKS - read_ns) for total in (starting, ending))
    return {**laps, "begin_ns": begin_ns, "end_ns": end_ns}
