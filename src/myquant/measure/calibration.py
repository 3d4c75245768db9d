"""What measuring costs, as it was found when measuring began (see `calibrate`)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from myquant.measure.batch_means import Interval

NORMAL: Final = 1.96  # quantile of 97.5 %
NOTHING: Final = Interval(0.0, 0.0, 0.0, 0)


@dataclass(frozen=True)
class Calibration:
    """Costs in ns: each the median of `n` batches' means with its 95 % interval.

    Those up to `clock_ns` are of calls that follow each other: what a span shows though nothing happens in it is taken
    off. The next four are of ticks that do other work between the calls, which makes them dearer: what measuring costs.

    Attributes:
        mark_ns: from one mark to the next.
        again_ns: from a mark that returns to an outer span to the next.
        first_ns: from `begin` to the first mark.
        last_ns: from the last mark to `end`.
        empty_ns: from `begin` to `end`.
        add_ns: what an `add` lengthens the span it falls into.
        note_ns: likewise a `note`.
        begin_ns: a call of `begin` on a tick whose spans are taken.
        end_ns: likewise of `end`.
        clock_ns: a reading of the clock.
        tick_open_ns: what `begin` and `end` add to a tick whose spans are taken.
        tick_mark_ns: what each mark adds to it.
        unsampled_ns: what `begin` and `end` add to a tick whose spans are not taken.
        skip_ns: what each mark adds to that.
        lap_ns: a lap of the compiled core.
    """

    mark_ns: Interval = NOTHING
    again_ns: Interval = NOTHING
    first_ns: Interval = NOTHING
    last_ns: Interval = NOTHING
    empty_ns: Interval = NOTHING
    add_ns: Interval = NOTHING
    note_ns: Interval = NOTHING
    begin_ns: Interval = NOTHING
    end_ns: Interval = NOTHING
    clock_ns: Interval = NOTHING
    tick_open_ns: Interval = NOTHING
    tick_mark_ns: Interval = NOTHING
    unsampled_ns: Interval = NOTHING
    skip_ns: Interval = NOTHING
    lap_ns: Interval = NOTHING

    @property
    def outside_ns(self) -> float:
        """What `begin` and `end` cost before the tick's first stamp and after its last."""
        return max(0.0, self.begin_ns.value + self.end_ns.value - self.empty_ns.value)

    def tick_ns(self, marks: float, every: int, skips: float | None = None) -> Interval:
        """Return what a tick of so many marks costs on average, with the trees of 1 tick in `every` taken.

        `skips`: marks of a tick whose tree is not taken; None: as many.
        """
        skips = marks if skips is None else skips
        value, low, high = (self._tick_ns(marks, every, skips, at) for at in range(3))
        return Interval(value, low, high, self.tick_mark_ns.n)

    def figures(self) -> dict[str, Interval]:
        """Return the costs by name."""
        return dict(vars(self))

    def _tick_ns(self, marks: float, every: int, skips: float, at: int) -> float:
        """Return the same from the costs' values (0), lower (1) or upper (2) bounds."""
        taken = self.tick_open_ns[at] + marks * self.tick_mark_ns[at]
        skipped = self.unsampled_ns[at] + skips * self.skip_ns[at]
        return taken / every + skipped * (1 - 1 / every)


FREE = Calibration()  # an instrument that costs nothing: a clock of a simulator's


def median_of(values: Sequence[float]) -> Interval:
    """Return the median of n values with its 95 % interval, of order statistics (David and Nagaraja, Order Statistics, 7.1)."""
    ordered, count = sorted(values), len(values)
    reach = NORMAL * math.sqrt(count) / 2
    low, high = max(math.floor(count / 2 - reach), 0), min(math.ceil(count / 2 + reach), count - 1)
    return Interval(median(ordered), ordered[low], ordered[high], count)
