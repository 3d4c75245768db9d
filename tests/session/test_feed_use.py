"""When a feed is of no use although packets come."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from myquant.brokers.packets import HEARTBEATS, OUT_OF_ORDER, QUOTES
from myquant.core import codes
from myquant.session.feed_use import FORGOTTEN_S, USELESS_S, FeedUse

TICKS, BACKWARDS = codes.COUNT_TICKS, codes.COUNT_REJECTED + codes.TIME_BACKWARDS


class Feed:
    """Counts of a feed and of the engine behind it."""

    def __init__(self) -> None:
        self.counts, self.engine = np.zeros(64, np.int64), np.zeros((1, 200), np.int64)
        engine: Any = SimpleNamespace(instruments={"counts": self.engine})
        self.use = FeedUse(engine, self.counts)

    def second(self, *, engine: tuple[int, ...] = (), feed: tuple[int, ...] = ()) -> str:
        """Let a second pass in which each of these was counted five times, and return what is said against the feed."""
        for place in engine:
            self.engine[0, place] += 5
        for place in feed:
            self.counts[place] += 5
        return self.use.look(self.counts)


def test_one_tick_that_was_refused_says_nothing_of_a_quiet_instruments_quotes_for_long() -> None:
    feed = Feed()
    feed.second(engine=(TICKS,))
    refused = feed.second(engine=(BACKWARDS,))
    odd = [(OUT_OF_ORDER,) if second % FORGOTTEN_S == 0 else () for second in range(10 * FORGOTTEN_S)]
    assert not any([refused, *(feed.second(feed=(QUOTES, HEARTBEATS, *each)) for each in odd)])


def test_ticks_that_are_refused_again_and_again_are_no_use_whatever_quotes_come() -> None:
    feed = Feed()
    said = [
        feed.second(engine=(BACKWARDS,) if second % 4 == 0 else (), feed=(QUOTES,)) for second in range(20 * USELESS_S)
    ]
    assert any(said)
    assert all(said[said.index(next(filter(None, said))) :])
    assert not feed.second(engine=(TICKS,))
