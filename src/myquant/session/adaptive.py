"""More is logged for a while when there are many errors, wide moves or full queues; then less again, by itself.

Looked at once a second, from what is there anyway. It decides nothing: it only says which lines are written. What it was
raised by is forgotten when it falls back, so it takes new errors and new moves to raise it again, and a queue only after a
pause as long as it was raised: lines that fill the log's own queue do not keep themselves going.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from myquant.config.watching import LogSettings
from myquant.session.channels import HandoffCounts
from myquant.session.log import utc_text
from myquant.session.pipeline import Pipeline, SampledLines, VerboseLog

if TYPE_CHECKING:
    from myquant.session.supervisor import Supervisor

SECOND_NS: Final = 1_000_000_000
WINDOW_S: Final = 60
RAISED: Final = "more is logged"
FALLEN: Final = "less is logged"


class AdaptiveLogging:
    """Watches a session and raises what its log says.

    Args:
        queue: how full the hand-off of the feed is.
        monotonic_ns: the clock that times it; `wall_ns`: the one that people read.
    """

    def __init__(
        self,
        supervisor: "Supervisor",
        log: VerboseLog,
        settings: LogSettings,
        symbols: Sequence[str],
        queue: Callable[[], HandoffCounts],
    ) -> None:
        self._supervisor = supervisor
        self._log = log
        self._symbols = tuple(symbols)
        self._queue = queue
        self._raise_ns = int(settings.raise_s * SECOND_NS)
        self._errors_max = settings.errors_per_minute
        self._range_max = float(settings.volatility_percent) / 100
        self._fill_max = float(settings.queue_percent) / 100
        self._every = settings.tick_line_every
        self._errors: deque[int] = deque([log.errors.count], maxlen=WINDOW_S + 1)  # counts, one a second
        self._prices: deque[np.ndarray[Any, Any]] = deque(maxlen=WINDOW_S + 1)  # of all instruments, paise, likewise
        self._until_ns: int | None = None
        self._queue_from_ns = 0
        self._before: tuple[Pipeline | None, bool, bool] = (None, False, False)

    @property
    def is_raised(self) -> bool:
        """Whether more is logged now."""
        return self._until_ns is not None

    def look(self) -> None:
        """Look how things stand: once a second."""
        now_ns = self._supervisor.clock.monotonic_ns()
        self._errors.append(self._log.errors.count)
        self._prices.append(np.array(self._supervisor.runner.engine.instruments["core"]["tape"]["last_price"]))
        if self._until_ns is not None:
            if now_ns >= self._until_ns:
                self._fall(now_ns)
        elif why := self._why(now_ns):
            self._raise(now_ns, why)

    def _why(self, now_ns: int) -> str:
        """Return why more is to be logged; empty: it is not."""
        errors = self._errors[-1] - self._errors[0]
        if errors >= self._errors_max:
            return f"{errors} errors within a minute"
        prices = np.stack(self._prices)
        low = np.where(prices > 0, prices, np.iinfo(np.int64).max).min(axis=0)
        ranges = np.where(prices[-1] > 0, prices.max(axis=0) / low - 1, 0.0)
        if len(ranges) and ranges.max() > self._range_max:
            who = int(ranges.argmax())
            return f"{self._symbols[who]} has ranged over {100 * ranges[who]:.2f} % within a minute"
        if now_ns >= self._queue_from_ns:
            counts = self._queue()
            handoff = counts.depth / counts.capacity if counts.capacity else 0.0
            for name, fill in (("hand-off", handoff), ("log's queue", self._log.fill)):
                if fill > self._fill_max:
                    return f"the {name} is {100 * fill:.0f} % full"
        return ""

    def _raise(self, now_ns: int, why: str) -> None:
        supervisor, log = self._supervisor, self._log
        self._until_ns = now_ns + self._raise_ns
        self._before = supervisor.pipeline, supervisor.untold.decisions, log.is_debug
        log.info(RAISED, why=why, until=utc_text(supervisor.clock.wall_ns() + self._raise_ns))
        log.write_debug(wanted=True)
        supervisor.untold.decisions = True
        if self._every:
            if supervisor.pipeline is None:
                supervisor.pipeline = Pipeline(log)
            supervisor.pipeline.sampled = SampledLines(log, self._symbols, self._every)

    def _fall(self, now_ns: int) -> None:
        supervisor, log = self._supervisor, self._log
        self._until_ns = None
        self._queue_from_ns = now_ns + self._raise_ns
        self._errors.clear()
        self._errors.append(log.errors.count)
        self._prices.clear()
        pipeline, decisions, debug = self._before
        if supervisor.pipeline is not None:
            supervisor.pipeline.sampled = None
        supervisor.pipeline, supervisor.untold.decisions = pipeline, decisions
        log.write_debug(wanted=debug)
        log.info(FALLEN, after_s=self._raise_ns / SECOND_NS)
