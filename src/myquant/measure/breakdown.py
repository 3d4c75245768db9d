"""Where the time of a run's ticks went, component by component: what measuring hands to whoever judges it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from myquant.measure.batch_means import Interval
from myquant.measure.calibration import FREE, Calibration

STAMPS: Final = np.dtype(
    [
        (f"{name}_ns", np.int64)
        for name in (
            *(
                "intended",
                "arrived",
                "handed",
                "begun",
                "decoded",
                "decided",
                "ordered",
                "acknowledged",
                "filled",
                "done",
            ),
            "exchange",
        )
    ]
)
PAUSE: Final = np.dtype([("begun_ns", np.int64), ("ended_ns", np.int64), ("generation", np.int64), ("tick", np.int64)])

Array = np.ndarray[Any, Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Breakdown:
    """The ticks of a run: n of them, with K components. Times are ns of one monotonic clock.

    Attributes:
        names: of the components, K.
        stamps: STAMPS (n,), 0 where a tick has none: when it was due, arrived from the socket, was handed over, begun,
            decided upon, its order written, acknowledged and filled, and done; `exchange_ns` is the exchange's own time. Only
            a sampled tick has `begun_ns`: it would cost the others a third more.
        self_ns: float (n, K), each component's own time, the instrument's own cost taken off. Not a number where the
            tick's tree was not taken.
        raw_ns: likewise, with that cost. Its rows sum to `service_ns`, those of `self_ns` to that less `overhead_ns`.
        calls: int (n, K), how often each tick entered each component.
        measured: bool (K,), whether the pipeline has the component; False: nothing is known of it.
        is_sampled: bool (n,), whether the tick's tree was taken; of the others there are stamps only.
        overhead_ns: float (n,), the instrument's own cost within the tick's time; an estimate where not sampled.
        collections: PAUSE (m,), pauses of the garbage collector with the tick they were charged to, -1: none.
        excess_ns: float (n,) or 0, what `add` was given beyond the time that was there: spent elsewhere, it lengthens the tick.
        dropped: ticks that had no room. unfinished: ticks that were begun and never ended. Neither is among the n.
        every: the trees of 1 tick in so many were taken. skips: marks that the others made all the same.
        laps: that the compiled core counts in each tick.
        done_before_ns: when the tick before the first of these was done; 0: there was none.
        calibration: what the instrument costs.
    """

    names: tuple[str, ...]
    stamps: Array
    self_ns: Floats
    raw_ns: Floats
    calls: Array
    measured: Array
    is_sampled: Array
    overhead_ns: Floats
    collections: Array
    excess_ns: Floats | float = 0.0
    dropped: int = 0
    unfinished: int = 0
    every: int = 1
    skips: float = 0.0
    laps: int = 0
    done_before_ns: int = 0
    calibration: Calibration = FREE

    @property
    def service_ns(self) -> Floats:
        """Time (n,) that each tick took, waiting for earlier ones left out: done less the later of arrival and last done."""
        took = (self.stamps["done_ns"] - starts_of(self.stamps, self.done_before_ns)).astype(np.float64)
        return took + self.excess_ns

    @property
    def latency_ns(self) -> Array:
        """Time (n,) from when each tick was due, or else its arrival, to its end: what a stall costs all that wait, too.

        That is how coordinated omission is dealt with: by the times that the schedule meant, not by made-up samples.
        """
        return self.stamps["done_ns"] - self._due()

    def meets_collection(self) -> Array:
        """Return whether some pause fell between a tick's being due (or its arrival) and its end, bool (n,)."""
        paused = paused_ns(self.collections)
        met: Array = paused(self.stamps["done_ns"]) > paused(self._due())
        return met

    def overhead_percent(self) -> Interval:
        """Return what measuring cost in percent of the ticks' time without it; the interval is the calibration's.

        By the costs of calls among other work, which are dearer than those of calls that follow each other.
        """
        cost = self.calibration
        taken = self.overhead_ns[self.is_sampled]
        marks = float(taken.mean()) / cost.mark_ns.value if len(taken) and cost.mark_ns.value else 0.0
        each = cost.tick_ns(marks, self.every, self.skips)
        whole = float(self.service_ns.mean()) if len(self.stamps) else 0.0
        spent = [each[at] + self.laps * cost.lap_ns[at] for at in range(3)]
        value, low, high = (100 * ns / max(whole - ns, 1.0) for ns in spent)
        return Interval(value, low, high, len(self.stamps))

    def window(self, begin: int, end: int) -> "Breakdown":
        """Return the ticks from `begin` up to `end`, and of the pauses those charged to them."""
        begin, end, _ = slice(begin, end).indices(len(self.stamps))
        of_window = (self.collections["tick"] >= begin) & (self.collections["tick"] < end)
        pauses = self.collections[of_window]
        pauses["tick"] -= begin
        rows = ("stamps", "self_ns", "raw_ns", "calls", "is_sampled", "overhead_ns")
        return replace(
            self,
            **{name: getattr(self, name)[begin:end] for name in rows},
            excess_ns=np.broadcast_to(self.excess_ns, len(self.stamps))[begin:end],
            collections=pauses,
            done_before_ns=int(self.stamps["done_ns"][begin - 1]) if begin else self.done_before_ns,
        )

    def _due(self) -> Array:
        due: Array = np.where(self.stamps["intended_ns"] > 0, self.stamps["intended_ns"], arrivals_of(self.stamps))
        return due


def arrivals_of(stamps: Array) -> Array:
    """Return when each tick arrived (n,): when it was begun where nothing else is known."""
    arrived, begun = stamps["arrived_ns"], stamps["begun_ns"]
    found: Array = np.where((begun > 0) & ((arrived == 0) | (begun < arrived)), begun, arrived)
    return found


def starts_of(stamps: Array, done_before_ns: int = 0) -> Array:
    """Return from when on each tick's time is its own (n,): its arrival, or the end of the one before it."""
    done_before = np.append(done_before_ns, stamps["done_ns"][:-1])[: len(stamps)]
    latest = np.where(stamps["begun_ns"] > 0, stamps["begun_ns"], stamps["done_ns"])
    found: Array = np.minimum(np.maximum(arrivals_of(stamps), done_before), latest)
    return found


def paused_ns(pauses: Array) -> Callable[[Array], Floats]:
    """Return the function from times to how long the collector had paused until then. Pauses don't overlap."""
    lasting = np.sort(pauses[pauses["ended_ns"] > pauses["begun_ns"]], order="begun_ns")
    if not len(lasting):
        return lambda times: np.zeros(len(times))
    edges = np.stack((lasting["begun_ns"], lasting["ended_ns"]), axis=1).ravel()
    lengths = np.cumsum(lasting["ended_ns"] - lasting["begun_ns"]).astype(np.float64)
    heights = np.stack((np.append(0.0, lengths[:-1]), lengths), axis=1).ravel()

    def paused(times: Array) -> Floats:
        found: Floats = np.interp(times - edges[0], edges - edges[0], heights)  # differences are exact in a float
        return found

    return paused
