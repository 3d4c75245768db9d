"""What measuring adds to a tick that does other work, too: calls that come after something else are dearer than in a loop."""

import random
from collections.abc import Callable
from typing import Final

from myquant.measure.batch_means import Interval
from myquant.measure.calibration import median_of
from myquant.measure.names import LOGGING
from myquant.measure.spans import Clock, Spans

MARKS: Final = 8
TURNS: Final = 60  # of a loop, 2 us in all, between two marks
WARM_UP: Final = 30  # rounds


def added_ns(clock: Clock, rounds: int) -> dict[str, Interval]:
    """Return three costs of a calibration: medians over rounds in which ticks of all kinds follow each other in random order."""
    rounds += WARM_UP
    ticks = {
        "plain": _plain,
        "unsampled": _unmarked(_sparse(rounds, clock)),
        "open": _unmarked(Spans(rounds, clock=clock)),
        "marked": _marked(Spans(rounds, clock=clock)),
    }
    order = random.Random(0)  # noqa: S311  (a repeatable shuffle)
    found: list[dict[str, int]] = []
    for _ in range(rounds):
        took = {}
        for name in order.sample(sorted(ticks), len(ticks)):
            tick = ticks[name]
            begun = clock()
            tick()
            took[name] = clock() - begun
        found.append(took)
    found = found[WARM_UP:]
    return {
        "unsampled_ns": median_of([took["unsampled"] - took["plain"] for took in found]),
        "tick_open_ns": median_of([took["open"] - took["plain"] for took in found]),
        "tick_mark_ns": median_of([(took["marked"] - took["open"]) / MARKS for took in found]),
    }


def _sparse(ticks: int, clock: Clock) -> Spans:
    spans = Spans(ticks, clock=clock)
    spans.sample_every(2 * ticks, seed=0)  # one of them at the most
    return spans


def _work() -> None:
    total = 0
    for turn in range(TURNS):
        total += turn


def _plain() -> None:
    for _ in range(MARKS):
        _work()


def _unmarked(spans: Spans) -> Callable[[], None]:
    def tick() -> None:
        spans.begin(1, 1)
        for _ in range(MARKS):
            _work()
        spans.end()

    return tick


def _marked(spans: Spans) -> Callable[[], None]:
    def tick() -> None:
        spans.begin(1, 1)
        mark = spans.mark
        for _ in range(MARKS):
            mark(LOGGING)
            _work()
        spans.end()

    return tick
