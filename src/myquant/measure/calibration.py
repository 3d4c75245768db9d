"""What measuring costs, as it was found when measuring began (see `calibrate`)."""

from dataclasses import dataclass

from myquant.measure.batch_means import Interval

NOTHING = Interval(0.0, 0.0, 0.0, 0)


@dataclass(frozen=True)
class Calibration:
    """Costs in ns: each the median of `n` batches' means with its 95 % interval.

    Those up to `note_ns` are what a span shows though nothing happens in it, which is taken off; the others what a call
    costs its caller in all, which is what measuring costs.

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
        skip_ns: a call of `mark` on a tick whose spans are not taken.
        unsampled_ns: `begin` and `end` of such a tick.
        clock_ns: a reading of the clock.
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
    skip_ns: Interval = NOTHING
    unsampled_ns: Interval = NOTHING
    clock_ns: Interval = NOTHING

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
        return Interval(value, low, high, self.mark_ns.n)

    def figures(self) -> dict[str, Interval]:
        """Return the costs by name."""
        return dict(vars(self))

    def _tick_ns(self, marks: float, every: int, skips: float, at: int) -> float:
        """Return the same from the costs' values (0), lower (1) or upper (2) bounds."""
        taken = self.begin_ns[at] + self.end_ns[at] + marks * self.mark_ns[at]
        skipped = self.unsampled_ns[at] + skips * self.skip_ns[at]
        return taken / every + skipped * (1 - 1 / every)


FREE = Calibration()  # an instrument that costs nothing: a clock of a simulator's
