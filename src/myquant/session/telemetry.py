"""What a session says of itself once a second: how its process does. Its supervisor journals it, and whoever watches reads it there.

All of it is looked up in memory; nothing asks the system, and nothing is done between a packet and its order.
"""

import gc
from collections.abc import Callable
from typing import Final, NamedTuple

from myquant.journal.record import Telemetry
from myquant.measure.collections import PauseTotals
from myquant.measure.reference import Reference
from myquant.session.channels import HandoffCounts
from myquant.session.clock import Clock
from myquant.session.notify import Notifier
from myquant.session.rules import SECOND_NS

IDLE_NS: Final = SECOND_NS // 5  # without a packet for so long there is time to collect garbage
YOUNG_MAX: Final = 50_000  # young objects from which on they are collected at any time
GAP_NS: Final = SECOND_NS // 1000  # without a packet for so long none comes on the heels of another


class BrokerFigures(NamedTuple):
    """How a session stands with its broker."""

    channel_lost_ns: int | None  # since when orders can't be sent, monotonic; None: they can, or go to none
    looked_ns: int  # the wall clock at the last good look at the books; 0: none
    differences: int  # found between the books and ours, so far


class Telemeter:
    """Gathers the figures of one session's process.

    Attributes:
        pauses: of the garbage collector; listens only while the session's loop runs.
        late_ns: by how much the last timer came too late.
        handoff: returns how full the hand-off was since it was called last, its `depth` the fullest; zeros: there is none.
        log_lost: returns how many lines of the log were lost; `rows_lost`: rows of the files of ticks and decisions.
        broker: returns how the session stands with its broker.
        verbose: returns whether more is logged for a while.
        notifier: tells a service manager, where there is one.
    """

    def __init__(self, clock: Clock) -> None:
        self.pauses = PauseTotals(clock.monotonic_ns)
        self.late_ns = 0
        self.handoff: Callable[[], HandoffCounts] = _no_handoff
        self.log_lost: Callable[[], int] = int
        self.rows_lost: Callable[[], int] = int
        self.broker: Callable[[], BrokerFigures] = _no_broker
        self.verbose: Callable[[], bool] = bool
        self.notifier = Notifier()
        self._clock = clock
        self._reference = Reference(clock.monotonic_ns)

    def take(self, *, spent_max_ns: int, bare_ns: int) -> Telemetry:
        """Return the figures; what they say of the last second begins anew.

        `spent_max_ns`: of the slowest packet; `bare_ns`: for how long a position has lacked its stop order.
        """
        pauses, handoff, broker = self.pauses, self.handoff(), self.broker()
        lost_ns = broker.channel_lost_ns
        return Telemetry(
            spent_max_ns=spent_max_ns,
            late_ns=self.late_ns,
            collections=pauses.count,
            collection_ns=pauses.total_ns,
            collection_max_ns=pauses.take_longest_ns(),
            queue_depth=handoff.depth,
            queue_room=handoff.capacity,
            queue_dropped=handoff.dropped,
            log_lost=self.log_lost(),
            rows_lost=self.rows_lost(),
            reference_ns=round(self._reference.ns or 0),
            channel_down_ns=0 if lost_ns is None else max(1, self._clock.monotonic_ns() - lost_ns),
            looked_ns=broker.looked_ns,
            differences=broker.differences,
            bare_ns=bare_ns,
            verbose=int(self.verbose()),
        )

    def use_gap(self, arrived_ns: int) -> None:
        """Do, once a second, what is best done where nothing waits: collect garbage, run the reference kernel (50 us).

        `arrived_ns`: when the last packet came, monotonic. While packets come without pause nothing is done, but that garbage
        is collected before it is too much.
        """
        still_ns = self._clock.monotonic_ns() - arrived_ns
        if still_ns >= GAP_NS:
            self._reference.run()
        if still_ns >= IDLE_NS or gc.get_count()[0] > YOUNG_MAX:
            gc.collect(1)  # the oldest is what the session began with, and frozen: a look at it takes long


def _no_handoff() -> HandoffCounts:
    return HandoffCounts(0, 0, 0, 0)


def _no_broker() -> BrokerFigures:
    return BrokerFigures(None, 0, 0)
